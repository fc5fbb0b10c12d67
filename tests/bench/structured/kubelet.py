"""The kubelet's side of a plugin's sockets, as kubelets from 1.34 on have it: ``v1.DRAPlugin``."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import grpc

from fake_dra_driver.pb import dra_v1_pb2, dra_v1_pb2_grpc
from tests.bench.manifest import NAMESPACE
from tests.bench.registration import register_plugin
from tests.bench.structured.world import AllocatedClaim

__all__ = ["Kubelet"]

_VERSION: Final = "v1.DRAPlugin"
_DEADLINE_SECONDS = 45


class Kubelet:
    """Talks to one plugin. Make it with ``register``, or with ``connect`` where nothing has to be registered."""

    def __init__(self, stub: "dra_v1_pb2_grpc.DRAPluginAsyncStub") -> None:
        self._stub = stub

    @classmethod
    @asynccontextmanager
    async def register(cls, registry: Path) -> AsyncIterator["Kubelet"]:
        """Waits for a registration socket, accepts the plugin behind it, and connects to it.

        Raises:
            TimeoutError: there was none.
            RuntimeError: it does not serve the version that is measured.
        """
        plugin = await register_plugin(registry)
        if _VERSION not in plugin.versions:
            raise RuntimeError(f"the plugin serves {', '.join(plugin.versions)}, not {_VERSION}")
        async with cls.connect(plugin.endpoint) as kubelet:
            yield kubelet

    @classmethod
    @asynccontextmanager
    async def connect(cls, endpoint: str) -> AsyncIterator["Kubelet"]:
        """Connects to the socket of a plugin."""
        async with grpc.aio.insecure_channel(f"unix:{endpoint}") as channel:
            yield cls(dra_v1_pb2_grpc.DRAPluginStub(channel))

    async def prepare(self, claims: Sequence[AllocatedClaim]) -> None:
        """Asks for all of the claims in one call. Raises RuntimeError when one of them is refused."""
        request = dra_v1_pb2.NodePrepareResourcesRequest(claims=_wire(claims))
        answer = await self._stub.NodePrepareResources(request, timeout=_DEADLINE_SECONDS, wait_for_ready=True)
        _check(claims, {uid: entry.error for uid, entry in answer.claims.items()})

    async def unprepare(self, claims: Sequence[AllocatedClaim]) -> None:
        """Ends all of the claims in one call. Raises RuntimeError when one of them is refused."""
        request = dra_v1_pb2.NodeUnprepareResourcesRequest(claims=_wire(claims))
        answer = await self._stub.NodeUnprepareResources(request, timeout=_DEADLINE_SECONDS)
        _check(claims, {uid: entry.error for uid, entry in answer.claims.items()})


def _wire(claims: Sequence[AllocatedClaim]) -> Sequence[dra_v1_pb2.Claim]:
    return [dra_v1_pb2.Claim(namespace=NAMESPACE, uid=claim.uid, name=claim.name) for claim in claims]


def _check(claims: Sequence[AllocatedClaim], errors: dict[str, str]) -> None:
    for claim in claims:
        if errors[claim.uid]:
            raise RuntimeError(f"claim {claim.name}: {errors[claim.uid]}")
