"""Of each DeviceFault it is said whether it does something; of one that means nothing, why."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.kube.meta import NamespacedName
from tests.unit.driver.objectstatus.statusworld import StatusWorld

pytestmark = pytest.mark.looptime(noop_cycles=1)

A_MOMENT_SECONDS = 3.0
"""For the plugins to say what they have to say, and more."""
SINCE = "2026-01-02T00:00:01Z"


@pytest.fixture
async def world() -> AsyncIterator[StatusWorld]:
    world = StatusWorld()
    await world.furnish()
    await world.node("node-0", "A100", "A100", zone="a")
    await world.node("node-1", "H100", zone="b")
    async with world.controller():
        yield world


async def test_a_fault_is_active_where_plugins_say_so(world: StatusWorld) -> None:
    await world.fault()
    words = "the kubelet plugins have not yet said what it does"
    assert await world.active() == ("Unknown", "Waiting", words)
    await world.plugin_says("node-0", devices=["gpu-0", "gpu-1"], deviceCount=2, since=SINCE)
    await world.plugin_says("node-1", devices=list("abcdef"), deviceCount=6, since=SINCE)
    words = "8 devices of 2 nodes: node-0 (gpu-0, gpu-1), node-1 (a, b, c, d and 2 more)"
    assert await world.active() == ("True", "Hit", words)
    writes = world.writes
    await asyncio.sleep(600)
    assert world.writes == writes


async def test_a_fault_of_the_plugin_names_no_devices(world: StatusWorld) -> None:
    await world.fault(effects={"deregister": True})
    await world.plugin_says("node-0", deviceCount=0, since=SINCE)
    assert await world.active() == ("True", "Hit", "0 devices of 1 node: node-0")


async def test_a_fault_ends_by_itself(world: StatusWorld) -> None:
    await world.fault(duration="90s")
    await world.plugin_says("node-0", devices=["gpu-0"], deviceCount=1, since=SINCE)
    assert (await world.active())[0] == "True"
    await asyncio.sleep(90)
    words = "it ended at 2026-01-02T00:01:30Z, 90s after its creation"
    assert await world.active() == ("False", "Expired", words)


async def test_what_is_wrong_with_a_fault_is_repeated(world: StatusWorld) -> None:
    await world.fault(target={"cel": "device.attributes['x'].y == 1"})
    await world.plugin_says("node-0", message="spec.target.cel fails for gpu-0: no such key: y")
    words = "node-0: spec.target.cel fails for gpu-0: no such key: y"
    assert await world.active() == ("False", "Problem", words)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"nodes": ["other-*"]}, "spec.target.nodes: no node is like other-*; there are node-0, node-1"),
        (
            {"nodeSelector": {"matchLabels": {"zone": "c"}}},
            "spec.target.nodeSelector: no node of driver fake.resource.3-shake.com has these labels",
        ),
        (
            {"nodes": ["node-0"], "nodeSelector": {"matchLabels": {"zone": "b"}}},
            "spec.target.nodeSelector: no node that nodes names has these labels",
        ),
        (
            {"devices": ["gpu-9"], "nodes": ["node-0"]},
            "spec.target.devices: no device is like gpu-9; there are FAKE-node-0-0, FAKE-node-0-1",
        ),
        ({"models": ["T4"]}, "spec.target.models: no model is like T4; there are A100, H100"),
        (
            {"claim": {"namespace": "default", "name": "c"}},
            "spec.target.claim: none of these devices is prepared for claim default/c",
        ),
        ({"cel": "false"}, "spec.target.cel: it is true of none of these devices"),
        ({}, "no node has said yet that it is hit: is the driver's kubelet plugin running?"),
    ],
)
async def test_why_a_fault_means_nothing(world: StatusWorld, target: dict[str, Any], words: str) -> None:
    await world.fault(target=target)
    await asyncio.sleep(A_MOMENT_SECONDS)
    assert await world.active() == ("False", "NothingMatches", words)


async def test_a_fault_may_come_to_mean_something(world: StatusWorld) -> None:
    await world.fault(target={"nodes": ["node-2"]})
    await asyncio.sleep(A_MOMENT_SECONDS)
    assert (await world.active())[1] == "NothingMatches"
    await world.node("node-2")
    await asyncio.sleep(30)
    assert await world.active() == ("False", "NothingMatches", "node-2: no devices")
    await world.plugin_says("node-2", devices=["gpu-0"], deviceCount=1, since=SINCE)
    assert (await world.active())[:2] == ("True", "Hit")


async def test_random_failures_have_breaks(world: StatusWorld) -> None:
    random = {"seed": 1, "meanTimeBetweenFailures": "1h", "meanTimeToRepair": "1m"}
    await world.fault(random=random)
    await world.plugin_says("node-0", deviceCount=0)
    await asyncio.sleep(A_MOMENT_SECONDS)
    assert await world.active() == ("False", "AllWork", "at the moment all devices work that it means")


async def test_faults_of_other_drivers_are_left_alone(world: StatusWorld) -> None:
    await world.fault(driverName="other.example.com")
    await asyncio.sleep(A_MOMENT_SECONDS)
    fault = await world.admin.get(DeviceFault, NamespacedName("", "f"))
    assert fault.status is None


async def test_the_kinds_may_come_later() -> None:
    """After an upgrade by helm, which leaves CRDs alone."""
    world = StatusWorld()
    async with world.controller():
        await world.furnish()
        await asyncio.sleep(30)
        await world.fault()
        await asyncio.sleep(A_MOMENT_SECONDS)
        words = "driver fake.resource.3-shake.com has no nodes yet"
        assert await world.active() == ("False", "NothingMatches", words)
