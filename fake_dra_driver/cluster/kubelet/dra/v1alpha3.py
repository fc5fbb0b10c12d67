"""``v1alpha3.Node``: all claims of a pod in one call, with an error for each."""

from collections.abc import Mapping, Sequence

import grpc
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.dra.calls import ClaimRequest, Failure, PluginDevice, PluginService, plugin_error
from fake_dra_driver.pb import dra_v1alpha3_pb2 as pb
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as pb_grpc

__all__ = ["V1alpha3Service"]


class V1alpha3Service(PluginService):
    """Asks for all claims at once."""

    def __init__(self, channel: grpc.aio.Channel, timeout_seconds: float) -> None:
        self._stub = pb_grpc.NodeStub(channel)
        self._timeout_seconds = timeout_seconds

    @override
    async def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Sequence[PluginDevice] | Failure]:
        request = pb.NodePrepareResourcesRequest(claims=[_claim(claim) for claim in claims])
        try:
            answer = await self._stub.NodePrepareResources(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise plugin_error(error) from error
        return {
            UID(uid): Failure(entry.error) if entry.error else (PluginDevice(tuple(entry.cdi_devices)),)
            for uid, entry in answer.claims.items()
        }

    @override
    async def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Failure | None]:
        request = pb.NodeUnprepareResourcesRequest(claims=[_claim(claim) for claim in claims])
        try:
            answer = await self._stub.NodeUnprepareResources(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise plugin_error(error) from error
        return {UID(uid): Failure(entry.error) if entry.error else None for uid, entry in answer.claims.items()}


def _claim(claim: ClaimRequest) -> pb.Claim:
    return pb.Claim(namespace=claim.namespace, uid=claim.uid, name=claim.name, resource_handle=claim.handle)
