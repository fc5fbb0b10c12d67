"""The kubelet's side of a plugin's sockets: finds and registers it, then asks it to prepare claims."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from fake_dra_driver.pb import dra_v1alpha3_pb2, dra_v1alpha3_pb2_grpc
from tests.bench.classic.world import AllocatedClaim
from tests.bench.manifest import NAMESPACE
from tests.bench.registration import register_plugin

__all__ = ["Kubelet"]

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
        plugin = await register_plugin(registry)
        async with grpc.aio.insecure_channel(f"unix:{plugin.endpoint}") as channel:
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


def _wire(claims: Sequence[AllocatedClaim]) -> Sequence[dra_v1alpha3_pb2.Claim]:
    return [
        dra_v1alpha3_pb2.Claim(namespace=NAMESPACE, uid=claim.uid, name=claim.name, resource_handle=claim.handle)
        for claim in claims
    ]


def _check(claims: Sequence[AllocatedClaim], errors: dict[str, str]) -> None:
    for claim in claims:
        if errors[claim.uid]:
            raise RuntimeError(f"claim {claim.name}: {errors[claim.uid]}")
