"""The kubelet's registration of a plugin: finds its socket, asks who it is, and accepts it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from fake_dra_driver.pb import plugin_registration_v1_pb2, plugin_registration_v1_pb2_grpc

__all__ = ["RegisteredPlugin", "register_plugin"]

_POLL_SECONDS = 0.005
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RegisteredPlugin:
    """What a plugin says about itself."""

    endpoint: str
    """Path of the socket that it serves."""
    versions: Sequence[str]


async def register_plugin(registry: Path) -> RegisteredPlugin:
    """Waits for a registration socket, and accepts the plugin behind it.

    Raises:
        TimeoutError: there was none.
    """
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while (socket := await asyncio.to_thread(_socket_in, registry)) is None:  # noqa: ASYNC110 - another program's
            await asyncio.sleep(_POLL_SECONDS)
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            registration = plugin_registration_v1_pb2_grpc.RegistrationStub(channel)
            info = await registration.GetInfo(plugin_registration_v1_pb2.InfoRequest(), wait_for_ready=True)
            accepted = plugin_registration_v1_pb2.RegistrationStatus(plugin_registered=True)
            await registration.NotifyRegistrationStatus(accepted)
    return RegisteredPlugin(info.endpoint, tuple(info.supported_versions))


def _socket_in(folder: Path) -> Path | None:
    return next(folder.glob("*.sock"), None)
