"""How the kubelet gets to know the plugin: ``pluginregistration.Registration`` on a socket in the registry folder.

Follows the kubelet's plugin watcher (pkg/kubelet/pluginmanager). The socket is all the announcement there is: the
kubelet sees it, asks GetInfo (it waits 1 s), and reports the outcome with NotifyRegistrationStatus. After a restart the
kubelet finds the socket by itself, and the removal of the socket is deregistration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
from loguru import logger
from typing_extensions import override

from fake_dra_driver.dra.node.sockets import SocketServer
from fake_dra_driver.pb import plugin_registration_v1_pb2 as pb
from fake_dra_driver.pb import plugin_registration_v1_pb2_grpc as pb_grpc

__all__ = ["Registrar", "Registration"]

log = logger.bind(component="registration")

PLUGIN_TYPE = "DRAPlugin"
"""``type`` of GetInfo's answer (k8s.io/kubelet/pkg/apis/pluginregistration/v1 DRAPlugin)."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What the kubelet said last about the registration."""

    registered: bool = False
    error: str = ""
    """The kubelet's reason for a refusal."""


class Registrar:
    """Tells the kubelet about a plugin, and remembers what the kubelet said.

    Args:
        driver_name: as in ``driverName`` of classes and claims.
        socket: the registration socket.
        endpoint: the socket on which the plugin takes calls.
        supported_versions: what the kubelet is told about the plugin's gRPC versions.
        on_change: called whenever ``registration`` has changed.
    """

    def __init__(
        self,
        driver_name: str,
        socket: Path,
        endpoint: Path,
        supported_versions: tuple[str, ...],
        on_change: Callable[[], None],
    ) -> None:
        info = pb.PluginInfo(
            type=PLUGIN_TYPE, name=driver_name, endpoint=str(endpoint), supported_versions=supported_versions
        )
        servicer = _RegistrationServicer(info, self._note)
        self._on_change = on_change
        self.server = SocketServer(socket, lambda server: pb_grpc.add_RegistrationServicer_to_server(servicer, server))
        """The registration socket. Serve it only once the kubelet can call ``endpoint``: it may do so at once."""
        self.registration = Registration()

    def not_ready_reason(self) -> str | None:
        """Why the kubelet does not use the plugin; None when it does."""
        if self.registration.error:
            return f"the kubelet refused the registration: {self.registration.error}"
        if not self.registration.registered:
            return f"the kubelet has not registered the plugin; it should have seen {self.server.path}"
        return None

    async def withdraw(self) -> None:
        """Removes the socket, which deregisters the plugin. ``server.restart`` offers it again."""
        await self.server.withdraw()
        self.registration = Registration()
        self._on_change()

    def _note(self, registration: Registration) -> None:
        self.registration = registration
        if registration.registered:
            log.info("Registered with the kubelet")
        else:
            log.error("The kubelet refused the registration", error=registration.error)
        self._on_change()


class _RegistrationServicer(pb_grpc.RegistrationServicer):
    """Answers from memory, since the kubelet waits only a second."""

    def __init__(self, info: pb.PluginInfo, on_registration: Callable[[Registration], None]) -> None:
        self._info = info
        self._on_registration = on_registration

    @override
    async def GetInfo(
        self,
        request: pb.InfoRequest,
        context: grpc.aio.ServicerContext[pb.InfoRequest, pb.PluginInfo],
    ) -> pb.PluginInfo:
        return self._info

    @override
    async def NotifyRegistrationStatus(
        self,
        request: pb.RegistrationStatus,
        context: grpc.aio.ServicerContext[pb.RegistrationStatus, pb.RegistrationStatusResponse],
    ) -> pb.RegistrationStatusResponse:
        # Never an error: the kubelet would deregister the plugin for it.
        error = "" if request.plugin_registered else request.error or "no reason given"
        self._on_registration(Registration(request.plugin_registered, error))
        return pb.RegistrationStatusResponse()
