"""``v1alpha2.Node``: the calls of kubelet 1.27, one claim each; a claim that fails is a gRPC error.

Kubelets 1.28 to 1.30 fall back to it, claim by claim, when a plugin does not serve ``v1alpha3.Node``.
"""

import grpc
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.failurereason import FailureReason
from fake_dra_driver.dra.node.calls import ClaimCalls, Failure, Outcome, Verb
from fake_dra_driver.dra.node.classic import ClassicClaim, cdi_device_ids
from fake_dra_driver.pb import dra_v1alpha2_pb2 as pb
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as pb_grpc

__all__ = ["NodeV1alpha2"]

_STATUS_CODES = {
    FailureReason.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    FailureReason.REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    FailureReason.TOO_SLOW: grpc.StatusCode.DEADLINE_EXCEEDED,
    FailureReason.STOPPING: grpc.StatusCode.UNAVAILABLE,
    FailureReason.INTERNAL: grpc.StatusCode.INTERNAL,
}


class NodeV1alpha2(pb_grpc.NodeServicer):
    """The service on top of ``ClaimCalls``."""

    def __init__(self, calls: ClaimCalls[ClassicClaim]) -> None:
        self._calls = calls

    @override
    async def NodePrepareResource(
        self,
        request: pb.NodePrepareResourceRequest,
        context: grpc.aio.ServicerContext[pb.NodePrepareResourceRequest, pb.NodePrepareResourceResponse],
    ) -> pb.NodePrepareResourceResponse:
        outcome = await self._run("prepare", _claim(request), context.time_remaining())
        if isinstance(outcome, Failure):
            await context.abort(_STATUS_CODES[outcome.reason], outcome.message)
        return pb.NodePrepareResourceResponse(cdi_devices=cdi_device_ids(outcome))

    @override
    async def NodeUnprepareResource(
        self,
        request: pb.NodeUnprepareResourceRequest,
        context: grpc.aio.ServicerContext[pb.NodeUnprepareResourceRequest, pb.NodeUnprepareResourceResponse],
    ) -> pb.NodeUnprepareResourceResponse:
        outcome = await self._run("unprepare", _claim(request), context.time_remaining())
        if isinstance(outcome, Failure):
            await context.abort(_STATUS_CODES[outcome.reason], outcome.message)
        return pb.NodeUnprepareResourceResponse()

    async def _run(self, verb: Verb, claim: ClassicClaim, remaining_seconds: float | None) -> Outcome:
        return (await self._calls.run(verb, (claim,), remaining_seconds))[claim.uid]


def _claim(request: pb.NodePrepareResourceRequest | pb.NodeUnprepareResourceRequest) -> ClassicClaim:
    return ClassicClaim(request.namespace, request.claim_name, UID(request.claim_uid), request.resource_handle)
