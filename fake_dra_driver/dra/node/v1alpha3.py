"""``v1alpha3.Node`` as kubelets 1.28 to 1.30 call it: all claims of a pod in one call, an error text for each.

Kubelets 1.31 to 1.33 have a service of the same name with other messages (dra/v1alpha4), which is not served.
NodeListAndWatchResources of kubelet 1.30 is left unimplemented on purpose: that answer tells the kubelet to publish no
ResourceSlices for this driver, and to stop asking.
"""

import grpc
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.calls import ClaimCalls, Failure
from fake_dra_driver.dra.node.classic import ClassicClaim, cdi_device_ids
from fake_dra_driver.pb import dra_v1alpha3_pb2 as pb
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as pb_grpc

__all__ = ["NodeV1alpha3"]


class NodeV1alpha3(pb_grpc.NodeServicer):
    """The service on top of ``ClaimCalls``."""

    def __init__(self, calls: ClaimCalls[ClassicClaim]) -> None:
        self._calls = calls

    @override
    async def NodePrepareResources(
        self,
        request: pb.NodePrepareResourcesRequest,
        context: grpc.aio.ServicerContext[pb.NodePrepareResourcesRequest, pb.NodePrepareResourcesResponse],
    ) -> pb.NodePrepareResourcesResponse:
        outcomes = await self._calls.run("prepare", _claims(request), context.time_remaining())
        response = pb.NodePrepareResourcesResponse()
        for uid, outcome in outcomes.items():
            entry = response.claims[uid]
            if isinstance(outcome, Failure):
                entry.error = outcome.message
            else:
                entry.cdi_devices.extend(cdi_device_ids(outcome))
        return response

    @override
    async def NodeUnprepareResources(
        self,
        request: pb.NodeUnprepareResourcesRequest,
        context: grpc.aio.ServicerContext[pb.NodeUnprepareResourcesRequest, pb.NodeUnprepareResourcesResponse],
    ) -> pb.NodeUnprepareResourcesResponse:
        outcomes = await self._calls.run("unprepare", _claims(request), context.time_remaining())
        response = pb.NodeUnprepareResourcesResponse()
        for uid, outcome in outcomes.items():
            response.claims[uid].error = outcome.message if isinstance(outcome, Failure) else ""
        return response


def _claims(request: pb.NodePrepareResourcesRequest | pb.NodeUnprepareResourcesRequest) -> list[ClassicClaim]:
    return [ClassicClaim(each.namespace, each.name, UID(each.uid), each.resource_handle) for each in request.claims]
