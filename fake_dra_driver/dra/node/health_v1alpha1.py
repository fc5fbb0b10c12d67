"""``v1alpha1.DRAResourceHealth`` as kubelets 1.34 to 1.36 read it."""

from collections.abc import AsyncIterator

import grpc
from typing_extensions import override

from fake_dra_driver.dra.node.health import DeviceHealth, HealthStreams
from fake_dra_driver.pb import dra_health_v1alpha1_pb2 as pb
from fake_dra_driver.pb import dra_health_v1alpha1_pb2_grpc as pb_grpc

__all__ = ["HealthV1alpha1"]


class HealthV1alpha1(pb_grpc.DRAResourceHealthServicer):
    """The service on top of ``HealthStreams``."""

    def __init__(self, streams: HealthStreams) -> None:
        self._streams = streams

    @override
    async def NodeWatchResources(
        self,
        request: pb.NodeWatchResourcesRequest,
        context: grpc.aio.ServicerContext[pb.NodeWatchResourcesRequest, pb.NodeWatchResourcesResponse],
    ) -> AsyncIterator[pb.NodeWatchResourcesResponse]:
        async for devices in self._streams.states():
            yield pb.NodeWatchResourcesResponse(devices=map(_message_of, devices))


def _message_of(device: DeviceHealth) -> pb.DeviceHealth:
    return pb.DeviceHealth(
        device=pb.DeviceIdentifier(pool_name=device.pool_name, device_name=device.device_name),
        health=pb.HealthStatus.ValueType(device.health),
        last_updated_time=int(device.since.timestamp()),
        health_check_timeout_seconds=device.timeout_seconds,
        message=device.message,
    )
