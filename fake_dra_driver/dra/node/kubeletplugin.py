"""The life of a DRA plugin on a node: registers with the kubelet and serves its calls for as long as the process lives.

Follows k8s.io/dynamic-resource-allocation/kubeletplugin:

- The calls are served before the registration socket appears, since the kubelet may call at once.
- Deregistration comes first when the plugin stops; then calls in flight get their answer, within the grace period; then
  the plugin's socket goes.
- In a rolling update the successor serves, and is used by the kubelet, before the old plugin stops. Neither of them
  fails a call: the old one deregisters once its calls have their answer, and removes its own sockets only.
- The kubelet does not empty the registry folder, but administrators and node tools do; a socket that is gone is made
  again, because the kubelet would never find the plugin otherwise.

Does not know which gRPC version the kubelet speaks (``interface``), nor how claims were allocated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import grpc
from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.calls import CallObserver, ClaimCalls, FailureHandler
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import NodeDriver, ReadyDevice
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.health import HealthReports, HealthStreams
from fake_dra_driver.dra.node.interface import KubeletInterface, add_health_services
from fake_dra_driver.dra.node.pluginsockets import PluginSockets
from fake_dra_driver.dra.node.registration import Registrar, Registration
from fake_dra_driver.dra.node.siblings import Siblings
from fake_dra_driver.dra.node.sockets import SocketError, SocketServer, close_to_others

__all__ = ["KubeletPlugin"]

log = logger.bind(component="kubeletplugin")
ClaimT = TypeVar("ClaimT", bound=NodeClaim)

DEFAULT_GRACE_SECONDS = 10.0
"""For calls in flight when the plugin stops: well above what a claim takes, well below a pod's 30 s."""

DEFAULT_CHECK_INTERVAL_SECONDS = 10.0
"""How often the sockets are looked for: two lstat calls."""

_CLEANUP_SECONDS = 5.0
"""On top of the grace period, for what should take no time at all."""


async def _nothing() -> None:
    pass


class KubeletPlugin(Generic[ClaimT]):
    """A DRA plugin as the kubelet sees it."""

    def __init__(
        self,
        driver_name: str,
        sockets: PluginSockets,
        interface: KubeletInterface[ClaimT],
        driver: NodeDriver[ClaimT],
        *,
        grace_seconds: float = DEFAULT_GRACE_SECONDS,
        check_interval_seconds: float = DEFAULT_CHECK_INTERVAL_SECONDS,
        call_observer: CallObserver | None = None,
        on_failure: FailureHandler = lambda _verb, _claim, _message: None,
        on_registration: Callable[[], None] = lambda: None,
        on_socket_restored: Callable[[Path], None] = lambda _path: None,
        start: Callable[[], Awaitable[None]] | None = None,
        lock: FolderLock | None = None,
        health: HealthReports | None = None,
        doing: Callable[[UID], str] = lambda _uid: "",
    ) -> None:
        """Args:
        driver_name: As in ``driverName`` of classes and claims.
        sockets: Where to listen.
        interface: How the kubelet calls.
        driver: Does the work, from the moment that ``start`` has returned.
        grace_seconds: For calls in flight at the end.
        check_interval_seconds: Between two looks at whether the sockets are still there.
        call_observer: Counts calls.
        on_failure: Called for each claim that cannot be prepared or unprepared.
        on_registration: Called whenever ``registration`` has changed.
        on_socket_restored: Called with the path of a socket that was gone and is served again.
        start: Called once by ``run``. Calls are not handed to the driver before it has returned.
        lock: Of the plugin socket's folder, for a driver whose sockets other instances share: it has to hold the folder
            for all work that touches what is in it. Without shared sockets it is held here as long as ``run`` runs.
        health: What the driver says about the health of its devices; None: nothing.
        doing: What takes long for the claim of a UID, for an answer to a kubelet that waits no longer; empty: unknown.
        """
        self._sockets = sockets
        self._interface = interface
        self._driver = driver
        self._grace_seconds = grace_seconds
        self._check_interval_seconds = check_interval_seconds
        self._call_observer = call_observer
        self._on_failure = on_failure
        self._on_socket_restored = on_socket_restored
        self._start = start or _nothing
        self._lock = lock or FolderLock(sockets.plugin.parent)
        self._health = health
        self._doing = doing
        self._streams: HealthStreams | None = None
        """Those of the gRPC server that takes the calls now."""
        self._siblings = Siblings(sockets)
        versions = interface.versions(with_health=health is not None)
        self._registrar = Registrar(driver_name, sockets.registration, sockets.plugin, versions, on_registration)
        self._serving = False
        self._is_withheld = False
        """Whether the plugin is to be unknown to the kubelet."""
        self._is_withdrawn = False
        """Whether it has been made so."""
        self._asked = asyncio.Event()
        """Set when the sockets are to be looked after at once."""

    @property
    def registration(self) -> Registration:
        """What the kubelet said last."""
        return self._registrar.registration

    def not_ready_reason(self) -> str | None:
        """For a readiness probe: why the kubelet cannot use the plugin, or None when it can."""
        if not self._serving:
            return "the sockets are not served"
        if self._is_withheld:
            return "the plugin is deregistered from the kubelet on purpose"
        return self._registrar.not_ready_reason()

    def withhold(self, *, is_withheld: bool) -> None:
        """From now on the plugin is to be unknown to the kubelet, or known again. Returns at once.

        Calls that come in all the same are served.
        """
        if is_withheld != self._is_withheld:
            self._is_withheld = is_withheld
            self._asked.set()

    async def has_successor(self) -> bool:
        """Whether another instance of the driver serves on this node, as the new pod of a rolling update does.

        Where there is one, the node stays usable when this one stops. False also when that cannot be found out.
        """
        try:
            return await self._siblings.are_alive()
        except SocketError as error:
            log.warning("Cannot find out whether another instance serves", error=str(error))
            return False

    async def is_superseded(self) -> bool:
        """Whether another instance that began to serve after this one does so now, as in a rolling update.

        What both publish about the node is then the other's business. False also when that cannot be found out.
        """
        try:
            return await self._siblings.is_superseded()
        except SocketError as error:
            log.warning("Cannot find out whether a newer instance serves", error=str(error))
            return False

    async def run(self) -> None:
        """Serves until cancelled, then stops in order within the grace period.

        Raises:
            SocketError: a socket cannot be served, at the start or when it had to be made again. The process should
                end: a new container gets the folders mounted again, which helps where a folder was removed.
            Exception: what ``start`` raises.
        """
        await asyncio.to_thread(close_to_others, self._sockets.plugin.parent)
        await self._siblings.remove_dead_sockets()
        if self._sockets.is_shared:
            await self._serve_while_starting()
        else:
            async with self._lock.keep():
                await self._start()
                await self._serve(self._driver)

    async def _serve_while_starting(self) -> None:
        """Registers with the kubelet at once.

        Work in the folder may have to wait for a predecessor that holds it for its whole life, as those do whose
        sockets are not shared. That life ends when this instance is ready, which takes a registration.
        """
        started = asyncio.Event()

        async def start() -> None:
            await self._start()
            started.set()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(start(), name="start")
                await self._serve(_AfterStart(self._driver, started))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _serve(self, driver: NodeDriver[ClaimT]) -> None:
        observer, on_failure, doing = self._call_observer, self._on_failure, self._doing
        async with ClaimCalls(driver, observer=observer, on_failure=on_failure, doing=doing) as calls:
            node = SocketServer(self._sockets.plugin, lambda server: self._add_services(server, calls))
            try:
                await node.start()
                await self._registrar.server.start()
                self._serving = True
                log.info(
                    "Kubelet plugin is serving",
                    registration_socket=str(self._sockets.registration),
                    plugin_socket=str(self._sockets.plugin),
                )
                while True:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._check_interval_seconds):
                            await self._asked.wait()
                    self._asked.clear()
                    await self._restore(node)
                    await self._offer_or_withdraw()
                    await self._remove_dead_sockets()
            finally:
                self._serving = False
                async with asyncio.timeout(self._grace_seconds + _CLEANUP_SECONDS):
                    await self._stop(node, calls)

    def _add_services(self, server: grpc.aio.Server, calls: ClaimCalls[ClaimT]) -> None:
        self._interface.add_services(server, calls)
        self._close_streams()
        if self._health is not None:
            self._streams = HealthStreams(self._health)
            add_health_services(server, self._streams)

    def _close_streams(self) -> None:
        """A server that is stopped would wait for them."""
        if self._streams is not None:
            self._streams.close()

    async def _offer_or_withdraw(self) -> None:
        if not self._is_withheld and not self._is_withdrawn:
            await self._restore(self._registrar.server)
        elif self._is_withheld and not self._is_withdrawn:
            await self._registrar.withdraw()
            self._is_withdrawn = True
            log.warning("Deregistered from the kubelet until further notice")
        elif self._is_withdrawn and not self._is_withheld:
            await self._registrar.server.restart(self._grace_seconds)
            self._is_withdrawn = False
            log.info("Offered to the kubelet again")

    async def _restore(self, server: SocketServer) -> None:
        if await server.is_in_place():
            return
        log.warning("Socket is gone, serving it again", path=str(server.path))
        await server.restart(self._grace_seconds)
        log.info("Socket is served again", path=str(server.path))
        self._on_socket_restored(server.path)

    async def _remove_dead_sockets(self) -> None:
        """A successor that was killed, and whose update was then called off, leaves sockets, and no next start.

        Kubelets call the instance that has registered last, for as long as its socket is there.
        """
        if not self._sockets.is_shared:
            return
        try:
            await self._siblings.remove_dead_sockets()
        except SocketError as error:
            log.warning("Cannot remove the sockets of dead instances", error=str(error))

    async def _stop(self, node: SocketServer, calls: ClaimCalls[ClaimT]) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace_seconds
        if await self.has_successor():
            # The kubelet sends new calls there. Those that are under way here would fail: it closes the connection to
            # an instance that deregisters.
            await calls.drain(self._grace_seconds / 2)
        await self._registrar.server.withdraw()
        log.info("Deregistered from the kubelet")
        self._close_streams()
        await node.stop(max(0.0, deadline - loop.time()))
        # Work outlives calls: its caller may have gone away.
        await calls.drain(max(0.0, deadline - loop.time()))
        await self._registrar.server.stop(0)
        log.info("Kubelet plugin has stopped")


class _AfterStart(NodeDriver[ClaimT]):
    """A driver that gets its work once it has started. ``ClaimCalls`` sees to it that callers do not wait too long."""

    def __init__(self, driver: NodeDriver[ClaimT], started: asyncio.Event) -> None:
        self._driver = driver
        self._started = started

    @override
    async def prepare(self, claim: ClaimT) -> Sequence[ReadyDevice]:
        await self._started.wait()
        return await self._driver.prepare(claim)

    @override
    async def unprepare(self, claim: ClaimT) -> None:
        await self._started.wait()
        await self._driver.unprepare(claim)
