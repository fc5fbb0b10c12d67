"""How many requests a second the embedded API server answers, over HTTPS, in a process of its own.

    python -m tests.bench.embedded [--seconds 3] [--clients 8]

Each figure is of requests of one kind alone, by one client after another answer, and by several at once; nothing is
concluded from it. The client takes its part of the time, on the other core where there is one.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp

from fake_dra_driver.cluster.apiserver import ApiServer

__all__ = ["main"]

_PATH = "/api/v1/namespaces/default/configmaps"
_LISTED = 500
"""Objects of the list that is asked for."""
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}

Send = Callable[[int], Awaitable[None]]
"""Sends one request, with a number that no other has, and reads its answer."""


def main() -> None:
    """Starts a server, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--clients", type=int, default=8, help="how many ask at once in the second column")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    asyncio.run(_serve() if options.serve else _measure(options.seconds, options.clients))


async def _serve() -> None:
    """The server's process: tells where it is, and runs until its input ends."""
    async with ApiServer() as server:
        sys.stdout.write(json.dumps({"url": server.url, "token": server.token}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


async def _measure(seconds: float, clients: int) -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--serve"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        where = json.loads(await server.stdout.readline())
        async with _session(where["url"], where["token"]) as http:
            _line("", "one client", f"{clients} clients", "requests/s")
            for name, send in (await _requests(http)).items():
                rates = [await _rate(send, seconds, number) for number in (1, clients)]
                _line(name, *(f"{rate:,.0f}" for rate in rates))
            _line("", "one watch", f"{clients} watches", "events/s, all watches together")
            rates = [await _events(http, seconds, number) for number in (1, clients)]
            _line("events of patches", *(f"{rate:,.0f}" for rate in rates))
    finally:
        # Not left to communicate(), which does not end the server's input on Python 3.11.
        server.stdin.close()
        await server.wait()


def _line(name: str, one: str, several: str, unit: str = "") -> None:
    sys.stdout.write(f"{name:20}{one:>12}{several:>12}   {unit}\n")


@contextlib.asynccontextmanager
async def _session(url: str, token: str) -> AsyncIterator[aiohttp.ClientSession]:
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "bench"}
    async with aiohttp.ClientSession(url, connector=connector, headers=headers) as http:
        yield http


def _config_map(name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}}


async def _requests(http: aiohttp.ClientSession) -> dict[str, Send]:
    """What is measured. Makes the objects that it needs."""

    async def send(method: str, path: str, **more: Any) -> None:
        async with http.request(method, path, **more) as answer:
            await answer.read()
            answer.raise_for_status()

    for number in range(_LISTED):
        await send("POST", _PATH, json=_config_map(f"listed-{number}", {"listed": "yes"}))
    return {
        "get": lambda _: send("GET", f"{_PATH}/listed-0"),
        f"list of {_LISTED}": lambda _: send("GET", f"{_PATH}?labelSelector=listed"),
        "create": lambda number: send("POST", _PATH, json=_config_map(f"made-{number}")),
        "merge patch": lambda number: send(
            "PATCH", f"{_PATH}/listed-1", data=json.dumps({"data": {"key": str(number)}}), headers=_MERGE_PATCH
        ),
    }


_numbers = itertools.count()


async def _rate(send: Send, seconds: float, clients: int) -> float:
    """Requests a second that so many clients have answered."""
    done = 0
    start = time.monotonic()

    async def ask() -> None:
        nonlocal done
        while time.monotonic() - start < seconds:
            await send(next(_numbers))
            done += 1

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(ask(), name=f"client {number}")
    return done / (time.monotonic() - start)


async def _events(http: aiohttp.ClientSession, seconds: float, watches: int) -> float:
    """Events a second that arrive at so many watches, while one client writes as fast as it can."""
    seen = 0
    start = time.monotonic()

    async def watch(opened: asyncio.Event) -> None:
        nonlocal seen
        query = {"watch": "true", "fieldSelector": "metadata.name=listed-2", "timeoutSeconds": str(int(seconds) + 1)}
        async with http.get(_PATH, params=query) as answer:
            async for line in answer.content:
                opened.set()
                seen += bool(line.strip())

    async with asyncio.TaskGroup() as group:
        opened = [asyncio.Event() for _ in range(watches)]
        for each in opened:
            group.create_task(watch(each), name="watch")
        for each in opened:
            await each.wait()
        seen, start = 0, time.monotonic()
        while time.monotonic() - start < seconds:
            body = json.dumps({"data": {"key": str(next(_numbers))}})
            async with http.patch(f"{_PATH}/listed-2", data=body, headers=_MERGE_PATCH) as answer:
                await answer.read()
        measured, counted = time.monotonic() - start, seen
    return counted / measured


if __name__ == "__main__":
    main()
