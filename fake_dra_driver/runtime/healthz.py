"""A small HTTP server for probes and metrics: ``/healthz``, ``/readyz`` and the metrics path, without TLS.

Follows k8s.io/apiserver/pkg/server/healthz: plain ``ok``, or with ``?verbose`` one line for each check; 500 and the
list when a check fails. Unlike there, the answer says why a check fails: that is what the caller wants to know, and
nothing secret is in it. It speaks just enough HTTP/1.1 for kubelets, Prometheus and curl (GET and HEAD, one
request a connection), and bounds the size and time of a request and the number of connections. aiohttp's server has
no bound for the time that a client takes to ask, nor for the number of clients, and would cost each process 2 MiB.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from loguru import logger

from fake_dra_driver.runtime.listening import ListenAddress, close_server
from fake_dra_driver.runtime.metrics import CONTENT_TYPE, Metrics

__all__ = ["Check", "HealthServer"]

log = logger.bind(component="healthz")

Check = Callable[[], str | None]
"""Returns None when all is well, else what is not, in a few words. Must not block."""

_MAX_REQUEST_BYTES = 8 * 1024
TIMEOUT_SECONDS = 5.0
"""Probes wait for 1 s by default, Prometheus for 10 s."""
_MAX_CONNECTIONS = 32
_PLAIN = "text/plain; charset=utf-8"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class _Response:
    code: int
    body: bytes
    content_type: str = _PLAIN

    def encode(self, *, with_body: bool = True) -> bytes:
        lines = [
            f"HTTP/1.1 {self.code} {_REASONS[self.code]}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if self.code == 405:
            lines.append("Allow: GET, HEAD")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (self.body if with_body else b"")


def _text(code: int, text: str) -> _Response:
    return _Response(code, text.encode())


class HealthServer:
    """Answers probes from named checks, and scrapes from a ``Metrics``."""

    def __init__(
        self,
        address: str,
        *,
        setting: str = "--http-endpoint",
        metrics: Metrics | None = None,
        metrics_path: str = "/metrics",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Prepares the server; nothing is bound before ``listen``.

        Args:
            address: ``host:port``, ``[IPv6]:port``, or ``:port`` for every address of the machine. Port 0: any.
            setting: where the address comes from, for the error when it cannot be listened on.
            metrics: what to offer for scraping.
            metrics_path: where; empty turns it off.
            timeout_seconds: for reading a request, and again for answering it.

        Raises:
            ListenError: the address has another form.
        """
        self._address = ListenAddress.parse(address, setting)
        self._metrics = metrics
        self._metrics_path = metrics_path
        self._timeout_seconds = timeout_seconds
        self._checks: dict[str, dict[str, Check]] = {"/healthz": {"ping": _ping}, "/readyz": {"ping": _ping}}
        self._server: asyncio.Server | None = None
        self._connections: asyncio.TaskGroup | None = None
        self._open = 0
        """Connections being served: never more than _MAX_CONNECTIONS."""

    def add_healthz(self, name: str, check: Check) -> None:
        """A failing check makes the kubelet restart the container: only for what a restart heals."""
        self._checks["/healthz"][name] = check

    def add_readyz(self, name: str, check: Check) -> None:
        """A failing check makes the pod not ready."""
        self._checks["/readyz"][name] = check

    def problems(self, path: str, excluded: Sequence[str] = ()) -> dict[str, str | None]:
        """Runs the checks behind ``/healthz`` or ``/readyz``: for each, None or what is wrong. Sorted by name."""
        return {name: check() for name, check in sorted(self._checks[path].items()) if name not in excluded}

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before ``listen`` and after ``run``."""
        sockets = self._server.sockets if self._server is not None else ()
        return int(sockets[0].getsockname()[1]) if sockets else 0

    async def listen(self) -> None:
        """Takes the address, so that a second program on it fails before it does anything else.

        Raises:
            ListenError: the address is in use, not of this machine, or not allowed for this user.
        """
        try:
            self._server = await asyncio.start_server(
                self._accept, **self._address.arguments(), limit=_MAX_REQUEST_BYTES
            )
        except OSError as error:
            raise self._address.error(error) from error

    async def run(self) -> None:
        """Answers requests until cancelled. Calls ``listen`` first if that has not been done."""
        if self._server is None:
            await self.listen()
        try:
            async with asyncio.TaskGroup() as self._connections:
                log.info("Serving probes", address=self._address.host or "*", port=self.port)
                await asyncio.get_running_loop().create_future()
        finally:
            self._connections = None
            await self.close()

    async def close(self) -> None:
        """Frees the address. ``run`` does so itself when it ends."""
        server, self._server = self._server, None
        if server is not None:
            await close_server(server)

    # --- One connection ------------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections is None or self._open >= _MAX_CONNECTIONS:
            writer.write(_text(503, "starting, stopping, or too many connections\n").encode())
            writer.close()
            return
        self._open += 1
        self._connections.create_task(self._serve(reader, writer), name="healthz-connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            method, response = await self._answer(reader)
            async with asyncio.timeout(self._timeout_seconds):
                writer.write(response.encode(with_body=method != "HEAD"))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("Connection ended early", error=repr(error))
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, _Response]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return "", _text(408, "no request within the time limit\n")
        except asyncio.LimitOverrunError:
            return "", _text(431, "the request is too long\n")
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return "", _text(400, "this is not HTTP/1\n")
        method, target, _ = words
        if method not in {"GET", "HEAD"}:
            return method, _text(405, "only GET and HEAD\n")
        try:
            return method, await self._route(target)
        except Exception as error:  # noqa: BLE001 - the edge of a server: a faulty check fails its probe, not the program
            log.opt(exception=error).error("Answering a probe failed", path=target)
            return method, _text(500, "internal error\n")

    async def _route(self, target: str) -> _Response:
        url = urlsplit(target)
        if self._metrics is not None and self._metrics_path and url.path == self._metrics_path:
            async with asyncio.timeout(self._timeout_seconds):
                return _Response(200, await self._metrics.render(), CONTENT_TYPE)
        if url.path not in self._checks:
            return _text(404, "not found\n")
        query = parse_qs(url.query, keep_blank_values=True)
        return _report(url.path[1:], self.problems(url.path, query.get("exclude", ())), verbose="verbose" in query)


def _report(name: str, problems: Mapping[str, str | None], *, verbose: bool) -> _Response:
    failed = any(problem is not None for problem in problems.values())
    if not failed and not verbose:
        return _text(200, "ok")
    lines = [f"[+]{check} ok" if found is None else f"[-]{check} failed: {found}" for check, found in problems.items()]
    lines.append(f"{name} check {'failed' if failed else 'passed'}")
    return _text(500 if failed else 200, "\n".join([*lines, ""]))


def _ping() -> str | None:
    """Well whenever it is asked: the loop turns."""
    return None
