"""The ceiling: a controller that does nothing but the two writes that every claim needs, finalizer and allocation.

It keeps no record, looks at no devices and never rules a node out, so what it reaches is what API server, scheduler and
controller manager leave to any driver.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from fake_dra_driver.api.fake import CLAIM_FINALIZER, DRIVER_NAME
from tests.bench.api import Api, RefusedError
from tests.bench.classic import manifest
from tests.bench.classic.world import CLAIMS, CONTEXTS
from tests.bench.lab import Lab, Started
from tests.bench.program import Program, free_port
from tests.bench.world import World

__all__ = ["AGENT", "run_stand_in"]

AGENT: Final = "fake-dra-standin"

Json = dict[str, Any]


@asynccontextmanager
async def run_stand_in(lab: Lab[World]) -> AsyncIterator[Started]:
    """Runs it in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.classic.standin", str(lab.plane.kubeconfig), str(port)]
    async with Program.run("stand-in", command, lab.folder) as program:
        yield Started(program, await program.wait_ready(f"http://127.0.0.1:{port}/readyz"))


class StandIn:
    """Knows the claims of each pod, and the node that the scheduler has selected for it."""

    def __init__(self, api: Api, tasks: asyncio.TaskGroup) -> None:
        self._api = api
        self._tasks = tasks
        self._claims: dict[str, Json] = {}
        """By the name of the pod: its claim, while that waits."""
        self._nodes: dict[str, tuple[str, str]] = {}
        """By the name of the pod: its UID and the selected node."""
        self._begun: set[str] = set()
        """UIDs of the claims that were written to."""

    async def watch_claims(self) -> None:
        """Learns of claims, and lets those go that are being deleted."""
        async for type_, claim in self._api.watch(CLAIMS):
            metadata = claim["metadata"]
            if type_ == "DELETED":
                continue
            if "deletionTimestamp" in metadata and CLAIM_FINALIZER in metadata.get("finalizers", ()):
                self._start(self._release(metadata["name"]))
            elif "allocation" not in claim.get("status", {}):
                owners = metadata.get("ownerReferences") or [{"name": metadata["name"]}]
                self._claims[owners[0]["name"]] = claim
                self._match(owners[0]["name"])

    async def watch_contexts(self) -> None:
        """Learns which node the scheduler has selected for which pod."""
        async for type_, context in self._api.watch(CONTEXTS):
            node = context["spec"].get("selectedNode")
            if type_ != "DELETED" and node:
                name = context["metadata"]["name"]
                self._nodes[name] = (context["metadata"]["ownerReferences"][0]["uid"], node)
                self._match(name)

    def _match(self, pod: str) -> None:
        claim = self._claims.get(pod)
        if claim is not None and pod in self._nodes and claim["metadata"]["uid"] not in self._begun:
            self._begun.add(claim["metadata"]["uid"])
            uid, node = self._nodes.pop(pod)
            del self._claims[pod]
            self._start(self._allocate(claim["metadata"]["name"], pod, uid, node))

    async def _allocate(self, claim: str, pod: str, pod_uid: str, node: str) -> None:
        path = f"{CLAIMS}/{claim}"
        await self._api.patch(path, {"metadata": {"finalizers": [CLAIM_FINALIZER]}})
        consumer = {"resource": "pods", "name": pod, "uid": pod_uid}
        status = {
            "driverName": DRIVER_NAME,
            "allocation": manifest.allocation(node, "{}"),
            "reservedFor": [consumer],
        }
        await self._api.patch(f"{path}/status", {"status": status})

    async def _release(self, claim: str) -> None:
        try:
            await self._api.patch(f"{CLAIMS}/{claim}", {"metadata": {"finalizers": None}})
        except RefusedError as error:
            if error.code != HTTPStatus.NOT_FOUND:  # it was let go already, and this was the news of it
                raise

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.create_task(work)


async def _main(kubeconfig: Path, port: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    application = web.Application()
    application.router.add_get("/readyz", answer)
    runner = web.AppRunner(application, access_log=None)
    async with Api.connect(kubeconfig, AGENT) as api, asyncio.TaskGroup() as tasks:
        stand_in = StandIn(api, tasks)
        tasks.create_task(stand_in.watch_claims(), name="watch claims")
        tasks.create_task(stand_in.watch_contexts(), name="watch contexts")
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
