"""The kubelet's DRA calls as gRPC services: one small adapter for each version of the interface.

An adapter translates messages and nothing else; ``calls`` has the rules. Kubelet 1.27 calls ``v1alpha2.Node``,
kubelets 1.28 to 1.30 call ``v1alpha3.Node``; both are served at once, so that no setting has to name the version.
A method that is not served is answered with UNIMPLEMENTED: NodeListAndWatchResources of 1.30, which tells that kubelet
to publish no ResourceSlices for this driver.
"""

import grpc

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.calls import ClaimCalls, Failure, FailureReason, Outcome, Verb
from fake_dra_driver.dra.node.driver import NodeClaim
from fake_dra_driver.pb import dra_v1alpha2_pb2 as v1alpha2
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as v1alpha2_grpc
from fake_dra_driver.pb import dra_v1alpha3_pb2 as v1alpha3
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as v1alpha3_grpc

__all__ = ["NodeV1alpha2", "NodeV1alpha3", "add_node_services"]

_STATUS_CODES = {
    FailureReason.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    FailureReason.REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    FailureReason.TOO_SLOW: grpc.StatusCode.DEADLINE_EXCEEDED,
    FailureReason.STOPPING: grpc.StatusCode.UNAVAILABLE,
    FailureReason.INTERNAL: grpc.StatusCode.INTERNAL,
}


class NodeV1alpha2(v1alpha2_grpc.NodeServicer):
    """``v1alpha2.Node``: one claim a call, a failure is a gRPC error."""

    def __init__(self, calls: ClaimCalls) -> None:
        self._calls = calls

    async def NodePrepareResource(  # noqa: N802 - the name is the wire's
        self,
        request: v1alpha2.NodePrepareResourceRequest,
        context: grpc.aio.ServicerContext[v1alpha2.NodePrepareResourceRequest, v1alpha2.NodePrepareResourceResponse],
    ) -> v1alpha2.NodePrepareResourceResponse:
        """Prepares one claim."""
        claim = NodeClaim(request.namespace, request.claim_name, UID(request.claim_uid), request.resource_handle)
        outcome = await self._run("prepare", claim, context.time_remaining())
        if isinstance(outcome, Failure):
            await context.abort(_STATUS_CODES[outcome.reason], outcome.message)
        return v1alpha2.NodePrepareResourceResponse(cdi_devices=outcome)

    async def NodeUnprepareResource(  # noqa: N802 - the name is the wire's
        self,
        request: v1alpha2.NodeUnprepareResourceRequest,
        context: grpc.aio.ServicerContext[
            v1alpha2.NodeUnprepareResourceRequest, v1alpha2.NodeUnprepareResourceResponse
        ],
    ) -> v1alpha2.NodeUnprepareResourceResponse:
        """Unprepares one claim."""
        claim = NodeClaim(request.namespace, request.claim_name, UID(request.claim_uid), request.resource_handle)
        outcome = await self._run("unprepare", claim, context.time_remaining())
        if isinstance(outcome, Failure):
            await context.abort(_STATUS_CODES[outcome.reason], outcome.message)
        return v1alpha2.NodeUnprepareResourceResponse()

    async def _run(self, verb: Verb, claim: NodeClaim, remaining_seconds: float | None) -> Outcome:
        return (await self._calls.run(verb, (claim,), remaining_seconds))[claim.uid]


class NodeV1alpha3(v1alpha3_grpc.NodeServicer):
    """``v1alpha3.Node`` as kubelets 1.28 to 1.30 know it: all claims of a pod in one call, an error text for each."""

    def __init__(self, calls: ClaimCalls) -> None:
        self._calls = calls

    async def NodePrepareResources(  # noqa: N802 - the name is the wire's
        self,
        request: v1alpha3.NodePrepareResourcesRequest,
        context: grpc.aio.ServicerContext[v1alpha3.NodePrepareResourcesRequest, v1alpha3.NodePrepareResourcesResponse],
    ) -> v1alpha3.NodePrepareResourcesResponse:
        """Prepares each of the claims; the answer has an entry for each UID."""
        outcomes = await self._calls.run("prepare", _claims(request), context.time_remaining())
        response = v1alpha3.NodePrepareResourcesResponse()
        for uid, outcome in outcomes.items():
            entry = response.claims[uid]
            if isinstance(outcome, Failure):
                entry.error = outcome.message
            else:
                entry.cdi_devices.extend(outcome)
        return response

    async def NodeUnprepareResources(  # noqa: N802 - the name is the wire's
        self,
        request: v1alpha3.NodeUnprepareResourcesRequest,
        context: grpc.aio.ServicerContext[
            v1alpha3.NodeUnprepareResourcesRequest, v1alpha3.NodeUnprepareResourcesResponse
        ],
    ) -> v1alpha3.NodeUnprepareResourcesResponse:
        """Unprepares each of the claims; the answer has an entry for each UID."""
        outcomes = await self._calls.run("unprepare", _claims(request), context.time_remaining())
        response = v1alpha3.NodeUnprepareResourcesResponse()
        for uid, outcome in outcomes.items():
            response.claims[uid].error = outcome.message if isinstance(outcome, Failure) else ""
        return response


def _claims(
    request: v1alpha3.NodePrepareResourcesRequest | v1alpha3.NodeUnprepareResourcesRequest,
) -> list[NodeClaim]:
    return [NodeClaim(claim.namespace, claim.name, UID(claim.uid), claim.resource_handle) for claim in request.claims]


def add_node_services(server: grpc.aio.Server, calls: ClaimCalls) -> None:
    """Makes the server answer each version of the kubelet's DRA calls."""
    v1alpha2_grpc.add_NodeServicer_to_server(NodeV1alpha2(calls), server)
    v1alpha3_grpc.add_NodeServicer_to_server(NodeV1alpha3(calls), server)
