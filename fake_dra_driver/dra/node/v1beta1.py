"""``v1beta1.DRAPlugin`` as kubelets 1.32 and 1.33 call it: ``v1`` without the shares of a device.

Devices of a claim that differ in nothing but their share look the same to these kubelets.
"""

import grpc
from typing_extensions import override

from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import ReadyDevice
from fake_dra_driver.dra.node.structured import answer_prepare, answer_unprepare
from fake_dra_driver.pb import dra_v1beta1_pb2 as pb
from fake_dra_driver.pb import dra_v1beta1_pb2_grpc as pb_grpc

__all__ = ["NodeV1beta1"]


class NodeV1beta1(pb_grpc.DRAPluginServicer):
    """The service on top of ``ClaimCalls``."""

    def __init__(self, calls: ClaimCalls[NodeClaim]) -> None:
        self._calls = calls

    @override
    async def NodePrepareResources(
        self,
        request: pb.NodePrepareResourcesRequest,
        context: grpc.aio.ServicerContext[pb.NodePrepareResourcesRequest, pb.NodePrepareResourcesResponse],
    ) -> pb.NodePrepareResourcesResponse:
        response = pb.NodePrepareResourcesResponse()
        await answer_prepare(self._calls, request.claims, response.claims, _message_of, context.time_remaining())
        return response

    @override
    async def NodeUnprepareResources(
        self,
        request: pb.NodeUnprepareResourcesRequest,
        context: grpc.aio.ServicerContext[pb.NodeUnprepareResourcesRequest, pb.NodeUnprepareResourcesResponse],
    ) -> pb.NodeUnprepareResourcesResponse:
        response = pb.NodeUnprepareResourcesResponse()
        await answer_unprepare(self._calls, request.claims, response.claims, context.time_remaining())
        return response


def _message_of(device: ReadyDevice) -> pb.Device:
    return pb.Device(
        request_names=device.request_names,
        pool_name=device.pool_name,
        device_name=device.device_name,
        cdi_device_ids=device.cdi_device_ids,
    )
