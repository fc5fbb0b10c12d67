"""What the kubelet is told about the health of devices, and when."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from fake_dra_driver.dra.node.health import DeviceHealth, Health, HealthReports, HealthStreams
from fake_dra_driver.dra.node.interface import add_health_services
from fake_dra_driver.dra.node.sockets import SocketServer
from fake_dra_driver.pb import dra_health_v1_pb2, dra_health_v1_pb2_grpc, dra_health_v1alpha1_pb2
from fake_dra_driver.pb import dra_health_v1alpha1_pb2_grpc as v1alpha1_grpc

SINCE: Final = datetime(2026, 5, 1, 12, 0, 30, 500_000, tzinfo=UTC)
VERSIONS: Final = {
    "v1": (dra_health_v1_pb2, dra_health_v1_pb2_grpc),
    "v1alpha1": (dra_health_v1alpha1_pb2, v1alpha1_grpc),
}
IN_TIME: Final = 10.0
"""Seconds after which a test that hangs fails."""


def lamp(name: str, health: Health = Health.HEALTHY, message: str = "", timeout_seconds: int = 30) -> DeviceHealth:
    return DeviceHealth("study", name, health, SINCE, message, timeout_seconds)


@pytest.fixture
def reports() -> HealthReports:
    return HealthReports()


@pytest.fixture
def streams(reports: HealthReports) -> HealthStreams:
    return HealthStreams(reports)


async def next_state(states: AsyncIterator[Sequence[DeviceHealth]]) -> tuple[list[str], float]:
    """The names in the next message, and for how many seconds it was waited for."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    return [device.device_name for device in await anext(states)], loop.time() - started


@pytest.mark.looptime
async def test_a_stream_carries_the_state_at_once_then_each_report(
    reports: HealthReports, streams: HealthStreams
) -> None:
    reports.report([lamp("a")])
    states = streams.states()
    assert await next_state(states) == (["a"], 0)
    asyncio.get_running_loop().call_later(2, reports.report, [lamp("a"), lamp("b")])
    assert await next_state(states) == (["a", "b"], 2)


@pytest.mark.looptime
async def test_a_stream_waits_for_the_first_report(reports: HealthReports, streams: HealthStreams) -> None:
    asyncio.get_running_loop().call_later(100, reports.report, [lamp("a")])
    assert await next_state(streams.states()) == (["a"], 100)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("devices", "pause_seconds"),
    [
        ([], 5),
        ([lamp("a")], 5),
        ([lamp("a", timeout_seconds=600)], 100),
        ([lamp("a", timeout_seconds=600), lamp("b", timeout_seconds=12)], 2),
    ],
)
async def test_the_state_is_repeated_well_before_the_kubelet_takes_it_for_too_old(
    reports: HealthReports, streams: HealthStreams, devices: list[DeviceHealth], pause_seconds: float
) -> None:
    reports.report(devices)
    states = streams.states()
    names = [device.device_name for device in devices]
    assert await next_state(states) == (names, 0)
    for _ in range(3):
        assert await next_state(states) == (names, pause_seconds)


@pytest.mark.parametrize("timeout_seconds", [0, -30])
def test_a_timeout_has_to_leave_time(timeout_seconds: int) -> None:
    with pytest.raises(ValueError, match=f"the timeout of device a is {timeout_seconds} s, it must be at least 1"):
        lamp("a", timeout_seconds=timeout_seconds)


@pytest.mark.looptime
async def test_a_slow_reader_gets_the_newest_state_and_no_older_one(
    reports: HealthReports, streams: HealthStreams
) -> None:
    reports.report([lamp("a")])
    states = streams.states()
    await next_state(states)
    reports.report([lamp("b")])
    reports.report([lamp("c")])
    assert await next_state(states) == (["c"], 0)


@pytest.mark.looptime
@pytest.mark.parametrize("is_reported", [True, False])
async def test_closing_ends_open_streams_and_later_ones(
    reports: HealthReports, streams: HealthStreams, is_reported: bool
) -> None:
    if is_reported:
        reports.report([lamp("a")])
    states = streams.states()
    if is_reported:
        await next_state(states)
    reading = asyncio.ensure_future(next_state(states))
    await asyncio.sleep(0)
    streams.close()
    with pytest.raises(StopAsyncIteration):
        await reading
    with pytest.raises(StopAsyncIteration):
        await anext(streams.states())
    assert [device async for device in streams.states()] == []


async def test_closing_the_streams_of_one_server_leaves_those_of_another_open(
    reports: HealthReports, streams: HealthStreams
) -> None:
    reports.report([lamp("a")])
    others = HealthStreams(reports).states()
    await next_state(others)
    streams.close()
    reports.report([lamp("b")])
    assert (await next_state(others))[0] == ["b"]


# --- Over a socket ---


class Kubelet:
    """Reads the streams of one version."""

    def __init__(self, channel: grpc.aio.Channel, version: str) -> None:
        pb, stubs = VERSIONS[version]
        self._stub = stubs.DRAResourceHealthStub(channel)
        self._request = pb.NodeWatchResourcesRequest()

    def watch(self) -> Any:  # a call that streams messages of the version
        return self._stub.NodeWatchResources(self._request)


@asynccontextmanager
async def serving(folder: Path, streams: HealthStreams) -> AsyncIterator[grpc.aio.Channel]:
    server = SocketServer(folder / "plugin.sock", lambda server: add_health_services(server, streams))
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"unix:{server.path}") as channel:
            yield channel
    finally:
        streams.close()
        await server.stop(60)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_message_has_all_that_the_driver_has_reported(
    reports: HealthReports, streams: HealthStreams, folder: Path, version: str
) -> None:
    reports.report([lamp("a"), lamp("b", Health.UNHEALTHY, "the bulb is gone", 60), lamp("c", Health.UNKNOWN)])
    async with asyncio.timeout(IN_TIME), serving(folder, streams) as channel:
        message = await Kubelet(channel, version).watch().read()
    assert [(each.device.pool_name, each.device.device_name, each.health) for each in message.devices] == [
        ("study", "a", 1),
        ("study", "b", 2),
        ("study", "c", 0),
    ]
    assert {each.last_updated_time for each in message.devices} == {int(SINCE.timestamp())}
    assert [each.health_check_timeout_seconds for each in message.devices] == [30, 60, 30]
    assert [each.message for each in message.devices] == ["", "the bulb is gone", ""]


async def test_every_stream_gets_every_report_and_ends_with_the_server(
    reports: HealthReports, streams: HealthStreams, folder: Path
) -> None:
    reports.report([lamp("a")])
    async with asyncio.timeout(IN_TIME):
        async with serving(folder, streams) as channel:
            watches = [Kubelet(channel, version).watch() for version in (*VERSIONS, *VERSIONS)]
            for watch in watches:
                assert [device.device.device_name for device in (await watch.read()).devices] == ["a"]
            reports.report([lamp("b")])
            for watch in watches:
                assert [device.device.device_name for device in (await watch.read()).devices] == ["b"]
            streams.close()
            assert all([await watch.read() is grpc.aio.EOF for watch in watches])


async def test_a_stream_that_the_kubelet_ends_holds_up_nothing(
    reports: HealthReports, streams: HealthStreams, folder: Path
) -> None:
    """A server waits for its streams when it stops, and these are not closed here."""
    reports.report([lamp("a")])
    server = SocketServer(folder / "plugin.sock", lambda server: add_health_services(server, streams))
    await server.start()
    async with asyncio.timeout(IN_TIME):
        async with grpc.aio.insecure_channel(f"unix:{server.path}") as channel:
            for _ in range(3):
                watch = Kubelet(channel, "v1").watch()
                await watch.read()
                watch.cancel()
        await server.stop(60)
