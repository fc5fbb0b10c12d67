"""``DRAResourceHealth`` of a plugin in ``v1`` and ``v1alpha1``, which differ in the name of their package alone."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import grpc

from fake_dra_driver.cluster.kubelet.dra.calls import plugin_error
from fake_dra_driver.cluster.kubelet.dra.devicehealth import MAX_MESSAGE_LENGTH, Health, ReportedHealth
from fake_dra_driver.cluster.releases import HealthVersion
from fake_dra_driver.pb import dra_health_v1_pb2, dra_health_v1_pb2_grpc, dra_health_v1alpha1_pb2
from fake_dra_driver.pb import dra_health_v1alpha1_pb2_grpc as dra_health_v1alpha1_grpc

__all__ = ["watch_health"]

_STUBS: Final[Mapping[HealthVersion, tuple[Any, Callable[[grpc.aio.Channel], Any]]]] = {
    "v1": (dra_health_v1_pb2, dra_health_v1_pb2_grpc.DRAResourceHealthStub),
    "v1alpha1": (dra_health_v1alpha1_pb2, dra_health_v1alpha1_grpc.DRAResourceHealthStub),
}
_HEALTH: Final[Mapping[int, Health]] = {1: "Healthy", 2: "Unhealthy"}


async def watch_health(channel: grpc.aio.Channel, version: HealthVersion) -> AsyncIterator[Sequence[ReportedHealth]]:
    """Each message of the stream, until it ends. Raises PluginError."""
    messages, make_stub = _STUBS[version]
    try:
        async for answer in make_stub(channel).NodeWatchResources(messages.NodeWatchResourcesRequest()):
            yield [_reported(each) for each in answer.devices]
    except grpc.aio.AioRpcError as error:
        raise plugin_error(error) from error


def _reported(message: Any) -> ReportedHealth:
    said = message.message
    return ReportedHealth(
        pool=message.device.pool_name,
        device=message.device.device_name,
        health=_HEALTH.get(message.health, "Unknown"),
        message=said if len(said) <= MAX_MESSAGE_LENGTH else f"{said[: MAX_MESSAGE_LENGTH - 3]}...",
        timeout_seconds=max(message.health_check_timeout_seconds, 0),
    )
