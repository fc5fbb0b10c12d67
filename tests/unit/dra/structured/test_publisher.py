"""The slices follow the devices: nothing is written without need, and what others do is repaired."""

import asyncio

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import PoolError
from fake_dra_driver.runtime.errors import TransportError
from fake_dra_driver.runtime.reconcile import Result
from tests.support.memory_api import no_fault
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


async def test_devices_are_not_offered_beside_their_parts_before_it_is_known_that_they_are_counted(
    world: SliceWorld,
) -> None:
    used = v1.DeviceCounterConsumption(counter_set="gpu-0", counters={"memory": v1.Counter(value="4Gi")})
    sets = (v1.CounterSet(name="gpu-0", counters={"memory": v1.Counter(value="4Gi")}),)
    counted = pool_of(devices(2, consumes_counters=(used,)), shared_counters=sets)
    for drop, offered, writes in (
        (without(), names(2), ["try", "create", "create"]),
        (without("consumesCounters"), names(1), ["try", "create"]),
    ):
        world.delete()
        world.drop = drop
        process = PublisherProcess(world, counted)

        def leave_out(process: PublisherProcess = process) -> None:
            process.publisher.publish([pool_of(devices(1))])

        process.observer.on_told = leave_out
        await process.settle()
        assert world.offered() == offered
        assert [verb for verb, _ in process.writes()] == writes


# --- What others do ---


async def test_a_repair_does_not_touch_what_is_right(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(300)))
    await process.settle()
    process.writes()
    name = world.names()[1]
    world.delete(name)
    process.deliver()
    await process.settle()
    assert process.writes() == [("create", name)]
    assert world.offered() == names(300)


async def test_slices_of_a_pool_that_nothing_wants_are_removed(world: SliceWorld) -> None:
    world.add("by-hand", pool="another", devices=[{"name": "dev-99"}])
    process = PublisherProcess(world, pool_of(devices(1)), pool_of(devices(1, first=1), name="second"))
    await process.settle()
    assert process.observer.news() == [("removed", "another", ("by-hand",))]
    process.publisher.publish([pool_of(devices(1))])
    await process.settle()
    assert len(world.slices()) == 1
    assert process.observer.news() == [], "what the driver itself has wanted is no repair"
    world.add("by-hand", pool="second", devices=[{"name": "dev-99"}])
    process.deliver()
    await process.settle()
    assert process.observer.news() == [("removed", "second", ("by-hand",))]


async def test_slices_that_were_left_by_another_life_of_the_driver_are_no_repair(world: SliceWorld) -> None:
    await PublisherProcess(world, pool_of(devices(300)), pool_of(devices(1), name="second")).settle()
    process = PublisherProcess(world, pool_of(devices(1)))
    await process.settle()
    assert world.offered() == names(1)
    assert len(world.slices()) == 1
    assert process.observer.news() == []


async def test_a_slice_of_others_is_told_of_even_if_it_has_a_name_of_ours(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(1)))
    await process.settle()
    theirs = world.names()[0].replace("00000-", "00009-")
    world.add(theirs, devices=[{"name": "dev-99"}])
    process.deliver()
    await process.settle()
    assert process.observer.news() == [("removed", NODE, (theirs,))]


async def test_a_slice_that_cannot_be_read_is_replaced(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(1)))
    await process.settle()
    (name,) = world.names()
    world.edit(name, devices="not a list")
    process.deliver()
    await process.settle()
    assert world.offered() == names(1)


async def test_two_writers_that_undo_each_other_slow_down(world: SliceWorld) -> None:
    """As an old and a new release of a driver whose devices differ, both of which run for a while."""
    first, second = (PublisherProcess(world, pool_of(devices(count))) for count in (1, 2))
    await first.settle()
    second.deliver()
    pauses = set()
    for _ in range(600):
        for process in (first, second):
            process.time += 0.1
            process.deliver()
            pauses.add((await process.reconcile()).requeue_after)
    assert 12 < len(first.writes()) < 20, "ten at once, and then one each ten seconds of this minute"
    assert pauses == {None, 10.0}
    first.time += 10
    await first.settle()
    assert world.offered() == names(1), "the one that is left has the last word"


async def test_the_newer_of_two_publishers_has_the_last_word_while_it_lives(world: SliceWorld) -> None:
    old = PublisherProcess(world, pool_of(devices(1)))
    await old.settle()
    new = PublisherProcess(world, pool_of(devices(2)))
    old.writes()
    old.is_superseded = True
    await new.settle()
    assert (await old.settle()).requeue_after == 1.0, "it looks again"
    assert (old.writes(), world.offered()) == ([], names(2))
    assert not old.observer.told
    old.is_superseded = False
    await old.settle()
    assert world.offered() == names(1), "the new one is gone"


async def test_a_superseded_publisher_still_says_what_is_new(world: SliceWorld) -> None:
    """Only what it has said before is the newer one's to change."""
    process = PublisherProcess(world, pool_of(devices(1)))
    process.is_superseded = True
    await process.settle()
    assert world.offered() == names(1)


async def test_a_fight_over_one_pool_does_not_hold_up_another(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(1), name="fought"), pool_of(devices(1, first=1), name="quiet"))
    await process.settle()
    (name,) = (one for one in world.names() if "fought" in one)
    for _ in range(20):
        world.edit(name, devices=[])
        process.deliver()
        await process.reconcile()
    assert world.offered("fought") == []
    process.publisher.publish([pool_of(devices(1), name="fought"), pool_of(devices(2, first=1), name="quiet")])
    assert await process.settle() == Result(requeue_after=10)
    assert world.offered("quiet") == ["dev-1", "dev-2"]
    assert world.offered("fought") == []
    assert process.publisher.not_published_reason() is None


async def test_a_change_that_is_taken_back_half_way_is_no_repair(world: SliceWorld) -> None:
    before, after = pool_of(devices(300)), pool_of(devices(299), devices(1, first=400))
    process = PublisherProcess(world, before)
    await process.settle()

    async def stop_after_one(verb: str, kind: str) -> None:
        process.client.before_write = fail

    async def fail(verb: str, kind: str) -> None:
        raise TransportError(verb, v1.ResourceSlice.resource, NamespacedName("", ""), "connection refused")

    process.client.before_write = stop_after_one
    process.publisher.publish([pool_of(devices(1, first=9), devices(300, first=10))])
    with pytest.raises(ExceptionGroup):
        await process.reconcile()
    process.client.before_write = no_fault
    process.publisher.publish([before])
    assert process.publisher.not_published_reason() is not None
    await process.settle()
    assert world.offered() == names(300)
    process.publisher.publish([after])
    await process.settle()
    assert process.observer.news() == []


async def test_a_pool_that_is_wanted_again_is_published_again(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(1)))
    await process.settle()
    (name,) = world.names()
    process.publisher.publish([])
    world.delete()  # before the publisher comes to it
    process.deliver()
    await process.settle()
    assert process.writes() == [("create", name)]
    process.publisher.publish([pool_of(devices(1))])
    assert process.publisher.not_published_reason() is not None
    await process.settle()
    assert world.offered() == names(1)
    assert process.observer.news() == []


async def test_all_slices_of_a_pass_share_one_look_at_the_node(world: SliceWorld) -> None:
    process = PublisherProcess(world, pool_of(devices(300)))
    await process.settle()
    assert process.client.calls == [("get", "Node"), *[("create", "ResourceSlice")] * 3]


# --- Taints, and what the API server drops ---


async def test_a_taint_keeps_its_time(world: SliceWorld) -> None:
    tainted = pool_of(devices(1, taints=(taint(),)), devices(1, first=1))
    await PublisherProcess(world, tainted).settle()
    world.now = "2026-01-01T01:00:00Z"
    process = PublisherProcess(world, tainted)
    await process.settle()
    assert process.writes() == []
    process.publisher.publish([pool_of(devices(1, taints=(taint(), taint("another.example.com/key"))))])
    await process.settle()
    times = [str(each.time_added) for each in world.slices()[0].spec.devices[0].taints]
    assert times == ["2026-01-01 00:00:00+00:00", "2026-01-01 01:00:00+00:00"]


async def test_a_gate_that_is_switched_on_brings_fields_back_within_the_hour(world: SliceWorld) -> None:
    world.drop = without("taints")
    process = PublisherProcess(world, pool_of(devices(1, taints=(taint(),))))
    assert await process.settle() == Result(requeue_after=3600)
    process.time += 3600
    assert await process.settle() == Result(requeue_after=3600), "still off"
    assert [verb for verb, _ in process.writes()] == ["create", "update"]
    world.drop = without()
    process.time += 3600
    assert await process.settle() == Result()
    assert [device.taints != () for device in world.slices()[0].spec.devices] == [True]
    assert process.observer.news() == [("dropped", NODE, ("devices[].taints",))]


async def test_what_was_dropped_once_is_an_edit_once_it_is_kept(world: SliceWorld) -> None:
    pool, other = pool_of(devices(1, taints=(taint(),))), pool_of(devices(2))
    world.drop = without("taints")
    process = PublisherProcess(world, pool)
    await process.settle()
    world.drop = without()
    for pools in ([other], [pool]):
        process.publisher.publish(pools)
        await process.settle()
    (there,) = world.slices()
    world.edit(
        there.metadata.name, devices=[device.model_copy(update={"taints": ()}).to_wire() for device in devices(1)]
    )
    process.deliver()
    await process.settle()
    assert [device.taints != () for device in world.slices()[0].spec.devices] == [True]


async def test_fields_that_another_process_has_brought_back_are_not_asked_for_again(world: SliceWorld) -> None:
    world.drop = without("taints")
    pool = pool_of(devices(1, taints=(taint(),)))
    process = PublisherProcess(world, pool)
    await process.settle()
    world.drop = without()
    await PublisherProcess(world, pool).settle()
    process.writes()
    process.time += 3600
    process.deliver()
    assert await process.settle() == Result()
    assert process.writes() == []


async def test_a_restart_asks_once_whether_fields_are_still_dropped(world: SliceWorld) -> None:
    world.drop = without("taints")
    pool = pool_of(devices(1, taints=(taint(),)))
    await PublisherProcess(world, pool).settle()
    process = PublisherProcess(world, pool)
    await process.settle()
    assert [verb for verb, _ in process.writes()] == ["update"]
    assert process.observer.news() == [("dropped", NODE, ("devices[].taints",))]


async def test_a_slice_with_dropped_fields_is_repaired_all_the_same(world: SliceWorld) -> None:
    world.drop = without("taints")
    process = PublisherProcess(world, pool_of(devices(1, taints=(taint(),))))
    await process.settle()
    process.writes()
    (name,) = world.names()
    world.edit(name, devices=[])
    process.deliver()
    await process.settle()
    assert process.observer.news()[1:] == [("corrected", NODE, (name,))]
    assert world.offered() == names(1)


# --- As a part of a program ---


async def test_it_runs_by_itself_from_the_first_list_on(world: SliceWorld) -> None:
    process = PublisherProcess(world)
    published = asyncio.Event()
    process.slices.subscribe(lambda _: published.set())
    running = asyncio.create_task(process.publisher.run())
    await asyncio.sleep(0)
    process.publisher.publish([pool_of(devices(1))])
    await published.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert world.offered() == names(1), "nothing is deleted when it stops"


async def test_readiness_waits_for_what_is_wanted_now(world: SliceWorld) -> None:
    process = PublisherProcess(world)
    prefix = "the ResourceSlices are not published yet: "
    assert process.publisher.not_published_reason() == f"{prefix}the devices are not known yet"
    process.publisher.publish([pool_of(devices(1))])
    assert process.publisher.not_published_reason() == f"{prefix}pool node-0: they are being written"
    await process.settle()
    assert process.publisher.not_published_reason() is None
    world.delete()
    process.deliver()
    assert process.publisher.not_published_reason() is None
