"""The kubelet's side of a plugin's sockets: finds and registers it, then asks it to prepare claims."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from fake_dra_driver.pb import (
    dra_v1alpha3_pb2,
    dra_v1alpha3_pb2_grpc,
    plugin_registration_v1_pb2,
    plugin_registration_v1_pb2_grpc,
)
from tests.bench.classic.manifest import NAMESPACE
from tests.bench.classic.world import AllocatedClaim

__all__ = ["Kubelet"]

_POLL_SECONDS = 0.005
_PATIENCE_SECONDS = 60
_DEADLINE_SECONDS = 45
"""As in kubelet 1.28 and later."""


class Kubelet:
    """Talks to one plugin. Make it with ``register``."""

    def __init__(self, stub: "dra_v1alpha3_pb2_grpc.NodeAsyncStub") -> None:
        self._stub = stub

    @classmethod
    @asynccontextmanager
    async def register(cls, registry: Path) -> AsyncIterator["Kubelet"]:
        """Waits for a registration socket, accepts the plugin behind it, and connects to it.

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
        async with grpc.aio.insecure_channel(f"unix:{info.endpoint}") as channel:
            yield cls(dra_v1alpha3_pb2_grpc.NodeStub(channel))

    async def prepare(self, claims: Sequence[AllocatedClaim]) -> None:
        """Asks for all of the claims in one call. Raises RuntimeError when one of them is refused."""
        request = dra_v1alpha3_pb2.NodePrepareResourcesRequest(claims=_wire(claims))
        answer = await self._stub.NodePrepareResources(request, timeout=_DEADLINE_SECONDS)
        _check(claims, {uid: entry.error for uid, entry in answer.claims.items()})

    async def unprepare(self, claims: Sequence[AllocatedClaim]) -> None:
        """Ends all of the claims in one call. Raises RuntimeError when one of them is refused."""
        request = dra_v1alpha3_pb2.NodeUnprepareResourcesRequest(claims=_wire(claims))
        answer = await self._stub.NodeUnprepareResources(request, timeout=_DEADLINE_SECONDS)
        _check(claims, {uid: entry.error for uid, entry in answer.claims.items()})


def _socket_in(folder: Path) -> Path | None:
    return next(folder.glob("*.sock"), None)


def _wire(claims: Sequence[AllocatedClaim]) -> Sequence[dra_v1alpha3_pb2.Claim]:
    return [
        dra_v1alpha3_pb2.Claim(namespace=NAMESPACE, uid=claim.uid, name=claim.name, resource_handle=claim.handle)
        for claim in claims
    ]


def _check(claims: Sequence[AllocatedClaim], errors: dict[str, str]) -> None:
    for claim in claims:
        if errors[claim.uid]:
            raise RuntimeError(f"claim {claim.name}: {errors[claim.uid]}")
