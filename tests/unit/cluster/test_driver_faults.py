"""Faults that kubelets bring on drivers: slices deleted, health streams cut, registrations refused."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.cluster import Cluster, ClusterError
from fake_dra_driver.cluster.control import ask
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.pb import dra_health_v1_pb2 as health
from tests.unit.cluster.driverworld import DRIVER, NODE, World, world_of
from tests.unit.cluster.kubelet.standin import StandInPlugin
from tests.unit.cluster.kubelet.waiting import until

OTHER = "other.example.com"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of(RELEASES["1.37"]) as world:
        yield world


async def _ask(cluster: Cluster, fault: str, **options: Any) -> str:
    return await ask(str(cluster.kubeconfig), fault, options)


async def test_slices_are_wiped(world: World) -> None:
    assert await _ask(world.cluster, "wipe-slices") == f"there are no slices of {NODE}"
    await world.publish("dev-0")
    await world.publish("dev-0", "dev-1", driver=OTHER)
    with pytest.raises(ClusterError, match=re.escape(f"slices of {NODE} called x. There are: {DRIVER}, {OTHER}.")):
        await _ask(world.cluster, "wipe-slices", driver="x")
    assert await _ask(world.cluster, "wipe-slices", driver=OTHER) == f"the only slice of {OTHER} on {NODE} was deleted"
    assert [each.spec.driver for each in await world.slices()] == [DRIVER]
    assert await _ask(world.cluster, "wipe-slices") == f"the only slice of {NODE} was deleted"
    assert not await world.slices()


async def test_a_health_stream_that_is_cut_is_opened_again(world: World) -> None:
    assert await _ask(world.cluster, "cut-health-streams") == f"no health stream is open on {NODE}"
    async with world.plugin("v1", "health") as plugin:
        await world.publish("dev-0")
        await world.claim("c")
        await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
        await world.environment("pod")
        device = health.DeviceHealth(health=health.HEALTHY)
        device.device.pool_name, device.device.device_name = "pool", "dev-0"
        message = health.NodeWatchResourcesResponse(devices=[device])
        plugin.health.put_nowait(message)
        await world.until_health("pod", "Healthy", "")
        with pytest.raises(ClusterError, match=re.escape(f"stream on {NODE} called x. There are: {DRIVER}.")):
            await _ask(world.cluster, "cut-health-streams", driver="x")
        assert await _ask(world.cluster, "cut-health-streams") == f"cut on {NODE}: the health stream of {DRIVER}"
        await world.until_health("pod", "Unknown", "")
        await until(lambda: plugin.health_streams == 2)
        plugin.health.put_nowait(message)
        await world.until_health("pod", "Healthy", "")


async def test_registrations_are_refused_as_often_as_asked(world: World) -> None:
    said = await _ask(world.cluster, "refuse-registrations", driver=DRIVER, times=2)
    assert said == f"{NODE} will refuse {DRIVER} the next 2 times it registers"
    plugin = StandInPlugin(world.cluster.node_root(), name=DRIVER, serves=("v1",))
    plugin.versions = ["v1.DRAPlugin"]
    async with plugin.running():
        await plugin.registered(3)
    refusal = (False, f"the registration of DRA plugin {DRIVER} is refused on demand, as a fault")
    assert plugin.statuses == [refusal, refusal, (True, "")]
    assert await _ask(world.cluster, "heal") == "nothing was failing"


async def test_registrations_are_refused_until_healed_also_by_the_next_kubelet(world: World) -> None:
    said = await _ask(world.cluster, "refuse-registrations", driver=DRIVER, times=0)
    assert said == f"{NODE} will refuse {DRIVER} whenever it registers, until 'fake-dra-driver cluster fault heal'"
    await world.cluster.faults.restart_kubelet(NODE)
    plugin = StandInPlugin(world.cluster.node_root(), name=DRIVER, serves=("v1",))
    plugin.versions = ["v1.DRAPlugin"]
    async with plugin.running():
        await plugin.registered()
        assert await _ask(world.cluster, "heal") == "registrations no longer fail"
        await plugin.registered(len(plugin.statuses) + 1)
        assert plugin.statuses[-1] == (True, "")


@pytest.mark.parametrize(
    ("fault", "options", "message"),
    [
        ("refuse-registrations", {}, "Name a driver with --driver, such as gpu.example.com"),
        ("refuse-registrations", {"driver": DRIVER, "node": "x"}, "There is no node x. There are: "),
        ("wipe-slices", {}, "Kubernetes 1.30 has classic DRA, in which drivers publish no slices"),
    ],
)
async def test_what_is_refused(cluster: Cluster, fault: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(message)):
        await _ask(cluster, fault, **options)


async def test_of_a_node_that_is_off_nothing_can_be_wiped_or_cut(world: World) -> None:
    await world.cluster.faults.stop_node(NODE)
    for fault in ("wipe-slices", "cut-health-streams"):
        with pytest.raises(ClusterError, match=f"The node {NODE} is switched off"):
            await _ask(world.cluster, fault)
