"""What drivers say about their devices: how long it counts, and what of it pods show."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kinds import ResourceClaimName
from fake_dra_driver.cluster.kubelet.dra.calls import PluginDevice, PluginError, UnimplementedError
from fake_dra_driver.cluster.kubelet.dra.claimstate import ClaimInfo
from fake_dra_driver.cluster.kubelet.dra.devicehealth import (
    REOPEN_SECONDS,
    DeviceHealths,
    ReportedHealth,
    resources_status,
)

DRIVER = "device.example.com"
HEALTHY, SICK = ReportedHealth("n", "a", "Healthy"), ReportedHealth("n", "a", "Unhealthy", "too hot")
A = PluginDevice(("device.example.com/dev=a",), ("req",), "n", "a")
B = PluginDevice((), (), "n", "b")


class Source:
    """A plugin whose streams are told message by message; None ends one, an error breaks it."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Sequence[ReportedHealth] | PluginError | None] = asyncio.Queue()
        self.opened = 0

    async def watch_health(self) -> AsyncIterator[Sequence[ReportedHealth]]:
        self.opened += 1
        while (message := await self.messages.get()) is not None:
            if isinstance(message, PluginError):
                raise message
            yield message

    async def say(self, *reports: ReportedHealth) -> None:
        self.messages.put_nowait(reports)
        await asyncio.sleep(0.001)


class Node:
    """The healths of a node that listens to one plugin, and how often they have changed."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.healths = DeviceHealths(self.changes.append)
        self.source = Source()
        self.task = asyncio.create_task(self.healths.follow(DRIVER, self.source))

    def of(self, device: PluginDevice = A) -> tuple[str, str]:
        return self.healths.of(DRIVER, device)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = Node()
    await asyncio.sleep(0)
    yield node
    node.task.cancel()
    await asyncio.wait((node.task,))


pytestmark = pytest.mark.looptime


async def test_what_changes_is_told_once(node: Node) -> None:
    assert node.of() == ("Unknown", "")
    for _ in range(3):
        await node.source.say(HEALTHY)
    assert (node.of(), node.changes) == (("Healthy", ""), [DRIVER])
    await node.source.say(SICK)
    assert (node.of(), node.changes) == (("Unhealthy", "too hot"), [DRIVER, DRIVER])


@pytest.mark.parametrize(("seconds", "counts"), [(0, 30), (90, 90)])
async def test_it_counts_for_as_long_as_the_plugin_says(node: Node, seconds: int, counts: int) -> None:
    await node.source.say(ReportedHealth("n", "a", "Healthy", timeout_seconds=seconds))
    await asyncio.sleep(counts - 1)
    assert node.of() == ("Healthy", "")
    await asyncio.sleep(2)
    assert node.of() == ("Unknown", "")


async def test_a_device_that_is_left_out_is_forgotten_when_its_time_is_over(node: Node) -> None:
    await node.source.say(HEALTHY, ReportedHealth("n", "b", "Healthy"))
    await node.source.say(HEALTHY)
    assert (node.of(B), len(node.changes)) == (("Healthy", ""), 1)
    await asyncio.sleep(31)
    await node.source.say(HEALTHY)
    assert (node.of(), node.of(B), len(node.changes)) == (("Healthy", ""), ("Unknown", ""), 2)


@pytest.mark.parametrize("end", [None, PluginError("broken")])
async def test_a_stream_that_ends_is_opened_again_and_until_then_nothing_is_known(
    node: Node, end: PluginError | None
) -> None:
    await node.source.say(HEALTHY)
    node.source.messages.put_nowait(end)
    await asyncio.sleep(0.001)
    assert (node.of(), node.changes, node.source.opened) == (("Unknown", ""), [DRIVER, DRIVER], 1)
    await asyncio.sleep(REOPEN_SECONDS)
    await node.source.say(HEALTHY)
    assert (node.of(), node.source.opened) == (("Healthy", ""), 2)


async def test_a_plugin_that_does_not_report_health_is_not_asked_again(node: Node) -> None:
    node.source.messages.put_nowait(UnimplementedError("no such service"))
    await asyncio.wait((node.task,))
    assert (node.source.opened, node.changes) == (1, [])


async def test_names_without_end_do_not_fill_the_memory(node: Node) -> None:
    await node.source.say(*(ReportedHealth("n", str(number), "Healthy") for number in range(16385)))
    assert node.of(PluginDevice((), (), "n", "16383")) == ("Healthy", "")
    assert node.of(PluginDevice((), (), "n", "16384")) == ("Unknown", "")


@pytest.mark.parametrize(
    ("request_name", "name", "resources"),
    [
        ("", "claim:entry", ["device.example.com/dev=a", "device.example.com/n/b"]),
        ("req", "claim:entry/req", ["device.example.com/dev=a", "device.example.com/n/b"]),
        ("req/sub", "claim:entry/req/sub", ["device.example.com/dev=a", "device.example.com/n/b"]),
        ("other", "claim:entry/other", ["device.example.com/n/b"]),
    ],
)
async def test_a_container_shows_the_devices_of_what_it_names(
    node: Node, request_name: str, name: str, resources: list[str]
) -> None:
    await node.source.say(SICK)
    claim = ClaimInfo(UID("u"), "default", "c", {DRIVER: ""}, devices={DRIVER: [A, A, B]})
    wanted = ResourceClaimName(name="entry", request=request_name)
    [status] = resources_status([(wanted, claim)], node.healths, with_messages=True)
    assert (status["name"], [each["resourceID"] for each in status["resources"]]) == (name, resources)
    told = {each["resourceID"]: (each["health"], each.get("message")) for each in status["resources"]}
    assert told[resources[-1]] == ("Unknown", None)
    if request_name != "other":
        assert told[resources[0]] == ("Unhealthy", "too hot")
    [silent] = resources_status([(wanted, claim)], node.healths, with_messages=False)
    assert all("message" not in each for each in silent["resources"])
