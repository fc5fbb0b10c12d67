"""``DRAPlugin`` of structured DRA in ``v1`` and ``v1beta1``: all claims of a pod in one call, devices by request.

The two differ in one field: only v1 says which share of a device was prepared.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

import grpc
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.dra.calls import (
    ClaimRequest,
    Failure,
    PluginDevice,
    PluginService,
    plugin_error,
)
from fake_dra_driver.pb import dra_v1_pb2, dra_v1_pb2_grpc, dra_v1beta1_pb2, dra_v1beta1_pb2_grpc

__all__ = ["v1_service", "v1beta1_service"]

_HAS_SHARES: Final = "share_id"


class _DraPluginService(PluginService):
    """Asks for all claims at once."""

    def __init__(self, messages: ModuleType, stub: Any, timeout_seconds: float) -> None:
        # Of either version: the generated modules have the same names in them.
        self._pb: Any = messages
        self._stub = stub
        self._timeout_seconds = timeout_seconds

    @override
    async def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Sequence[PluginDevice] | Failure]:
        request = self._pb.NodePrepareResourcesRequest(claims=[self._claim(claim) for claim in claims])
        try:
            answer = await self._stub.NodePrepareResources(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise plugin_error(error) from error
        return {
            UID(uid): Failure(entry.error) if entry.error else tuple(_device(each) for each in entry.devices)
            for uid, entry in answer.claims.items()
        }

    @override
    async def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Failure | None]:
        request = self._pb.NodeUnprepareResourcesRequest(claims=[self._claim(claim) for claim in claims])
        try:
            answer = await self._stub.NodeUnprepareResources(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise plugin_error(error) from error
        return {UID(uid): Failure(entry.error) if entry.error else None for uid, entry in answer.claims.items()}

    def _claim(self, claim: ClaimRequest) -> Any:
        return self._pb.Claim(namespace=claim.namespace, uid=claim.uid, name=claim.name)


def _device(device: Any) -> PluginDevice:
    has_shares = _HAS_SHARES in device.DESCRIPTOR.fields_by_name
    return PluginDevice(
        cdi_ids=tuple(device.cdi_device_ids),
        requests=tuple(device.request_names),
        pool=device.pool_name,
        device=device.device_name,
        share_id=device.share_id if has_shares and device.HasField(_HAS_SHARES) else None,
    )


def v1_service(channel: grpc.aio.Channel, timeout_seconds: float) -> PluginService:
    """The service ``k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin`` of a plugin."""
    return _DraPluginService(dra_v1_pb2, dra_v1_pb2_grpc.DRAPluginStub(channel), timeout_seconds)


def v1beta1_service(channel: grpc.aio.Channel, timeout_seconds: float) -> PluginService:
    """The service ``k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin`` of a plugin."""
    return _DraPluginService(dra_v1beta1_pb2, dra_v1beta1_pb2_grpc.DRAPluginStub(channel), timeout_seconds)
