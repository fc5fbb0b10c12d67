"""The slices follow the devices: nothing is written without need, and what others do is repaired."""

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.dra.structured.poollimits import PoolError
from fake_dra_driver.runtime.reconcile import Result
from tests.support.slice_world import DRIVER, NODE, PublisherProcess, SliceWorld, devices, pool_of, taint, without

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> SliceWorld:
    return SliceWorld()


def names(count: int) -> list[str]:
    return [f"dev-{number}" for number in range(count)]


async def test_devices_are_offered_in_a_slice_that_goes_with_the_node(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(8)))
    assert await process.settle() == Result()
    (there,) = world.slices()
    owner = world.api.read(Node, NODE)
    assert there.metadata.to_wire()["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": owner.uid, "controller": True}
    ]
    assert there.spec.to_wire() == {
        "driver": DRIVER,
        "nodeName": NODE,
        "pool": {"name": NODE, "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": f"dev-{number}", "attributes": {"index": {"int": number}}} for number in range(8)],
    }
    assert world.offered() == names(8)


async def test_a_restart_without_a_change_writes_and_reads_nothing(world: SliceWorld) -> None:
    pool = pool_of(devices(200), (), shared_counters=())
    await PublisherProcess(world, pool).settle()
    process = PublisherProcess(world, pool)
    await process.settle()
    assert process.client.calls == []
    assert process.publisher.not_published_reason() is None


async def test_one_change_is_one_write_in_the_same_generation(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(8)))
    await process.settle()
    process.writes()
    process.publisher.publish([pool_of(devices(9))])
    await process.settle()
    assert [verb for verb, _ in process.writes()] == ["update"]
    assert world.offered() == names(9)
    assert world.slices()[0].spec.pool.generation == 1


async def test_nothing_is_touched_before_the_devices_are_known(world: SliceWorld) -> None:
    await PublisherProcess(world, pool_of(devices(8))).settle()
    process = PublisherProcess(world)
    await process.settle()
    assert process.client.calls == []
    assert process.publisher.not_published_reason() is not None


async def test_what_is_refused_is_never_sent_and_what_was_published_stays(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(8)))
    await process.settle()
    with pytest.raises(PoolError, match="pool node-0: device dev-0: is there twice"):
        process.publisher.publish([pool_of(devices(1), devices(1))])
    await process.settle()
    assert world.offered() == names(8)


async def test_others_changes_are_repaired_and_told_once(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(8)))
    await process.settle()
    (name,) = world.names()
    world.delete(name)
    process.deliver()
    await process.settle()
    assert process.observer.news() == [("restored", NODE, (name,))]
    world.edit(name, devices=[])
    process.deliver()
    await process.settle()
    assert process.observer.news() == [("corrected", NODE, (name,))]
    world.add("by-hand", generation=7, devices=[{"name": "dev-99"}])
    process.deliver()
    await process.settle()
    assert process.observer.news() == [("removed", NODE, ("by-hand",))]
    assert world.offered() == names(8)


async def test_dropped_fields_are_named_once_and_not_written_again(world: SliceWorld) -> None:
    world.drop = without("taints")
    process = PublisherProcess(world, pool_of(devices(8, taints=(taint(),))))
    await process.settle()
    assert process.observer.news() == [("dropped", NODE, ("devices[].taints",))]
    assert [verb for verb, _ in process.writes()] == ["create"]
    for _ in range(3):
        await process.reconcile()
    assert process.writes() == []
    assert process.publisher.not_published_reason() is None
