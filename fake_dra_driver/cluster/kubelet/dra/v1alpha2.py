"""``v1alpha2.Node``: one claim a call, and a claim that fails fails the call."""

from collections.abc import Mapping, Sequence

import grpc
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.dra.calls import ClaimRequest, Failure, PluginDevice, PluginService, describe
from fake_dra_driver.pb import dra_v1alpha2_pb2 as pb
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as pb_grpc

__all__ = ["V1alpha2Service"]


class V1alpha2Service(PluginService):
    """Asks for one claim after the other. A call that fails is the failure of its claim: no method raises."""

    def __init__(self, channel: grpc.aio.Channel, timeout_seconds: float) -> None:
        self._stub = pb_grpc.NodeStub(channel)
        self._timeout_seconds = timeout_seconds

    @override
    async def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Sequence[PluginDevice] | Failure]:
        return {claim.uid: await self._prepare(claim) for claim in claims}

    @override
    async def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Failure | None]:
        return {claim.uid: await self._unprepare(claim) for claim in claims}

    async def _prepare(self, claim: ClaimRequest) -> Sequence[PluginDevice] | Failure:
        request = pb.NodePrepareResourceRequest(
            namespace=claim.namespace, claim_uid=claim.uid, claim_name=claim.name, resource_handle=claim.handle
        )
        try:
            answer = await self._stub.NodePrepareResource(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            return Failure(describe(error))
        return (PluginDevice(tuple(answer.cdi_devices)),)

    async def _unprepare(self, claim: ClaimRequest) -> Failure | None:
        request = pb.NodeUnprepareResourceRequest(
            namespace=claim.namespace, claim_uid=claim.uid, claim_name=claim.name, resource_handle=claim.handle
        )
        try:
            await self._stub.NodeUnprepareResource(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            return Failure(describe(error))
        return None
