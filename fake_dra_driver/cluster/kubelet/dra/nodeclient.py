"""The kubelet's side of a DRA plugin's gRPC service, in the version that a kubelet of that release speaks.

====================  =====================================================================  =================
kubelet               service                                                                deadline
====================  =====================================================================  =================
1.27                  ``v1alpha2.Node``: one claim a call, a failure is a gRPC error         10 s
1.28, 1.29, 1.30      ``v1alpha3.Node``: all claims of a pod in one call, an error for each  45 s
the same              ``v1alpha2.Node`` where the plugin answers UNIMPLEMENTED               45 s
====================  =====================================================================  =================

Follows k8s.io/kubernetes/pkg/kubelet/cm/dra/plugin/client.go. What is asked of whom and when is for ``claimmanager``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.pb import dra_v1alpha2_pb2 as v1alpha2
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as v1alpha2_grpc
from fake_dra_driver.pb import dra_v1alpha3_pb2 as v1alpha3
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as v1alpha3_grpc

__all__ = ["CHANNEL_OPTIONS", "ClaimRequest", "NodeClient", "PluginError", "describe"]

CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
"""Channels to one path share a connection and its back-off otherwise: a plugin that is back would not be heard."""


class PluginError(Exception):
    """A call to the plugin failed as a whole."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What the plugin is told of a claim."""

    namespace: str
    name: str
    uid: UID
    handle: str
    """``resourceHandles[].data`` of the claim's allocation."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one claim of a call."""

    message: str


class NodeClient:
    """Calls one plugin.

    Args:
        endpoint: path of its socket.
        release: that of the kubelet.
    """

    def __init__(self, endpoint: str, release: Release) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{endpoint}", options=CHANNEL_OPTIONS)
        self._single = v1alpha2_grpc.NodeStub(self._channel)
        self._batch = v1alpha3_grpc.NodeStub(self._channel)
        self._timeout_seconds = release.plugin_timeout_seconds
        self._is_batching = "v1alpha3" in release.plugin_versions

    async def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Sequence[str] | Failure]:
        """CDI device names, or what went wrong, for each UID that the plugin answers for.

        Raises:
            PluginError: the call failed as a whole.
        """
        if self._is_batching:
            try:
                answer = await self._batch.NodePrepareResources(
                    v1alpha3.NodePrepareResourcesRequest(claims=[_claim(claim) for claim in claims]),
                    timeout=self._timeout_seconds,
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise PluginError(describe(error)) from error
            else:
                return {
                    UID(uid): Failure(entry.error) if entry.error else tuple(entry.cdi_devices)
                    for uid, entry in answer.claims.items()
                }
        return {claim.uid: await self._prepare_one(claim) for claim in claims}

    async def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Failure | None]:
        """None, or what went wrong, for each UID that the plugin answers for. Raises PluginError as ``prepare``."""
        if self._is_batching:
            try:
                answer = await self._batch.NodeUnprepareResources(
                    v1alpha3.NodeUnprepareResourcesRequest(claims=[_claim(claim) for claim in claims]),
                    timeout=self._timeout_seconds,
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise PluginError(describe(error)) from error
            else:
                return {UID(uid): Failure(entry.error) if entry.error else None for uid, entry in answer.claims.items()}
        return {claim.uid: await self._unprepare_one(claim) for claim in claims}

    async def close(self) -> None:
        """Ends the connection, and calls that wait."""
        await self._channel.close()

    async def _prepare_one(self, claim: ClaimRequest) -> Sequence[str] | Failure:
        request = v1alpha2.NodePrepareResourceRequest(
            namespace=claim.namespace, claim_uid=claim.uid, claim_name=claim.name, resource_handle=claim.handle
        )
        try:
            answer = await self._single.NodePrepareResource(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            return Failure(describe(error))
        return tuple(answer.cdi_devices)

    async def _unprepare_one(self, claim: ClaimRequest) -> Failure | None:
        request = v1alpha2.NodeUnprepareResourceRequest(
            namespace=claim.namespace, claim_uid=claim.uid, claim_name=claim.name, resource_handle=claim.handle
        )
        try:
            await self._single.NodeUnprepareResource(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            return Failure(describe(error))
        return None


def _claim(claim: ClaimRequest) -> v1alpha3.Claim:
    return v1alpha3.Claim(namespace=claim.namespace, uid=claim.uid, name=claim.name, resource_handle=claim.handle)


def describe(error: grpc.aio.AioRpcError) -> str:
    """An error as Go's gRPC words it, which is what people find in events and search for."""
    words = [word.capitalize() for word in error.code().name.split("_")]
    return f"rpc error: code = {''.join(words)} desc = {error.details()}"
