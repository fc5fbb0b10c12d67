"""A small HTTP server for probes and metrics: ``/healthz``, ``/readyz`` and the metrics path, without TLS.

Follows k8s.io/apiserver/pkg/server/healthz: plain ``ok``, or with ``?verbose`` one line for each check; 500 and the
list when a check fails. Unlike there, the answer says why a check fails: that is what the caller wants to know, and
nothing secret is in it.

Any pod may reach the port, so a probe has to get through whatever others do there: ``webserver`` bounds what they hold,
each connection is for one request, and metrics take a part of the program's time at most. aiohttp serves rather than an
HTTP of our own, for 1 MiB in a process of 50.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiohttp import web
from loguru import logger

from fake_dra_driver.groupcommit import GroupCommit, Pending
from fake_dra_driver.hosting.process import release_at_end
from fake_dra_driver.runtime.listening import ListenAddress
from fake_dra_driver.runtime.metrics import CONTENT_TYPE, Metrics
from fake_dra_driver.runtime.webserver import WebServer
from fake_dra_driver.untrustedtext import one_line

__all__ = ["Check", "HealthServer"]

log = logger.bind(component="healthz")

Check = Callable[[], str | None]
"""Returns None when all is well, else what is not, in a few words. Must not block."""

TIMEOUT_SECONDS: Final = 5.0
"""Probes wait for 1 s by default, Prometheus for 10 s."""
_MAX_CONNECTIONS: Final = 64
"""A kubelet, Prometheus and a person have one each, for some milliseconds."""
_RENDERING_SHARE: Final = 5
"""Metrics are rendered during at most one part of so many of the time ..."""
_MAX_PAUSE_SECONDS: Final = 1.0
"""... unless that takes so long that Prometheus would have to wait for seconds."""
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


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
            timeout_seconds: how long a client may take to ask, and again to read the answer.

        Raises:
            ListenError: the address has another form.
        """
        self._address = ListenAddress.parse(address, setting)
        self._renderings = _Renderings(metrics) if metrics is not None and metrics_path else None
        self._metrics_path = metrics_path
        self._timeout_seconds = timeout_seconds
        self._checks: dict[str, dict[str, Check]] = {"/healthz": {"ping": _ping}, "/readyz": {"ping": _ping}}
        self._listening: Sequence[socket.socket] = ()
        self._forget: Callable[[], object] = lambda: None
        """Of what is to be done if it is not closed."""
        self._server: WebServer | None = None
        """Set while it runs."""

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
        return int(self._listening[0].getsockname()[1]) if self._listening else 0

    async def listen(self) -> None:
        """Takes the address, so that a second program on it fails before it does anything else.

        Raises:
            ListenError: the address is in use, not of this machine, or not allowed for this user.
        """
        self._listening = await self._address.bind()
        self._forget = release_at_end(self.close)

    async def run(self) -> None:
        """Answers requests until cancelled. Calls ``listen`` first if that has not been done."""
        if not self._listening:
            await self.listen()
        try:
            self._server = WebServer(
                self._application(),
                most=_MAX_CONNECTIONS,
                idle_seconds=self._timeout_seconds,
                handler_cancellation=True,
                lingering_time=0,
            )
            await self._server.start(self._listening)
            log.info("Serving probes", address=self._address.host or "*", port=self.port)
            await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def close(self) -> None:
        """Frees the address. ``run`` does so itself when it ends."""
        listening, self._listening = self._listening, ()
        server, self._server = self._server, None
        if server is not None:
            await server.close(grace_seconds=0)
        for each in listening:
            each.close()
        self._forget()

    # --- One request ---------------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._answer])
        for path in self._checks:
            application.router.add_get(path, self._probe)
        if self._renderings is not None:
            application.router.add_get(self._metrics_path, self._scrape)
        return application

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self._server is None:
            raise ConnectionResetError("the server was closed")
        with self._server.serving(request):
            try:
                response = await handler(request)
            except web.HTTPException as refusal:
                _complete(refusal)
                raise
            except Exception as error:  # noqa: BLE001 - the edge of a server: a faulty check fails its probe, not the program
                log.opt(exception=error).error("Answering a probe failed", path=request.path)
                response = web.Response(status=500, text="internal error\n")
            _complete(response)
            return response

    async def _probe(self, request: web.Request) -> web.Response:
        problems = self.problems(request.path, request.query.getall("exclude", ()))
        return _report(request.path[1:], problems, verbose="verbose" in request.query)

    async def _scrape(self, _: web.Request) -> web.Response:
        if self._renderings is None:
            raise web.HTTPNotFound
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await self._renderings.next()
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="the metrics took too long\n") from None
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


class _Renderings:
    """The metrics as text, shared among those who ask at once: they cost time that others could use."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._shared = GroupCommit[list[bytes]](self._render)
        self._next = 0.0
        """When the next may begin, in the loop's time."""

    async def next(self) -> bytes:
        """A rendering that begins after this was called."""
        result: list[bytes] = []
        await self._shared.commit(result)
        return result[-1]

    async def _render(self, askers: Sequence[Pending[list[bytes]]]) -> None:
        time = asyncio.get_running_loop().time
        await asyncio.sleep(max(self._next - time(), 0))
        begin = time()
        rendered = await self._metrics.render()
        self._next = time() + min((time() - begin) * (_RENDERING_SHARE - 1), _MAX_PAUSE_SECONDS)
        for asker in askers:
            asker.change.append(rendered)


def _complete(response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    response.force_close()


def _report(name: str, problems: Mapping[str, str | None], *, verbose: bool) -> web.Response:
    failed = any(problem is not None for problem in problems.values())
    if not failed and not verbose:
        return web.Response(text="ok")
    lines = [
        f"[+]{check} ok" if found is None else one_line(f"[-]{check} failed: {found}")
        for check, found in problems.items()
    ]
    lines.append(f"{name} check {'failed' if failed else 'passed'}")
    return web.Response(status=500 if failed else 200, text="\n".join([*lines, ""]))


def _ping() -> str | None:
    """Well whenever it is asked: the loop turns."""
    return None
