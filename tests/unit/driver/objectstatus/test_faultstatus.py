"""Of each DeviceFault it is said whether it does something; of one that means nothing, why."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
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
    created = (await world.admin.get(DeviceFault, NamespacedName("", "f"))).metadata.creation_timestamp
    assert created is not None
    words = f"it ended at {created + timedelta(seconds=90):%Y-%m-%dT%H:%M:%SZ}, 90s after its creation"
    assert await world.active() == ("False", "Expired", words)


async def test_what_is_wrong_with_a_fault_is_repeated(world: StatusWorld) -> None:
    await world.fault(target={"cel": "device.attributes['x'].y == 1"})
    await world.plugin_says("node-0", message="spec.target.cel fails for gpu-0: no such key: y")
    words = "node-0: spec.target.cel fails for gpu-0: no such key: y"
    assert await world.active() == ("False", "Problem", words)


async def test_a_fault_that_means_nothing_says_why(world: StatusWorld) -> None:
    await world.fault(target={"nodes": ["node-0"], "nodeSelector": {"matchLabels": {"zone": "b"}}})
    await asyncio.sleep(A_MOMENT_SECONDS)
    words = "spec.target.nodeSelector: no node that nodes names has these labels"
    assert await world.active() == ("False", "NothingMatches", words)


async def test_a_fault_waits_for_the_calls_of_its_claim(world: StatusWorld) -> None:
    claim = {"namespace": "default", "name": "mine"}
    await world.fault(target={"claim": claim}, effects={"prepare": {"fail": {"times": 2}}})
    await asyncio.sleep(A_MOMENT_SECONDS)
    words = "spec.target.claim: none of these devices is prepared for claim default/mine, and none is about to be"
    assert await world.active() == ("False", "NoCall", words)
    await world.plugin_says("node-0", devices=["gpu-0"], deviceCount=1, since=SINCE, times=2)
    assert (await world.active())[:2] == ("True", "Hit")
    await world.plugin_says("node-0", times=2)
    assert await world.active() == ("False", "NoCall", f"{words}; 2 calls failed before")


async def test_a_fault_about_a_claim_names_another_field_that_means_nothing(world: StatusWorld) -> None:
    target = {"claim": {"namespace": "default", "name": "mine"}, "models": ["T4"]}
    await world.fault(target=target, effects={"prepare": {"fail": {}}})
    await asyncio.sleep(A_MOMENT_SECONDS)
    assert await world.active() == (
        "False",
        "NothingMatches",
        "spec.target.models: no model is like T4; there are A100, H100",
    )


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


async def test_what_was_said_stays_until_it_is_known_what_a_fault_does_on_simulated_nodes() -> None:
    world = StatusWorld()
    await world.furnish()
    async with world.controller():
        await world.fault()
        await world.plugin_says("node-0", devices=["gpu-0"], deviceCount=1, since=SINCE)
        before = await world.active()
    known: dict[str, FaultOnNode] | None = None
    async with world.controller() as status:
        status.count_beside(lambda _fault: known)
        await world.plugin_says("node-1", devices=["gpu-0"], deviceCount=1, since=SINCE)
        assert await world.active() == before
        known = {"node-2": FaultOnNode.model_validate({"node": "node-2", "deviceCount": 5, "since": SINCE})}
        status.judge_fault(NamespacedName("", "f"))
        await world.settle()
        assert (await world.active())[2].startswith("7 devices of 3 nodes")
