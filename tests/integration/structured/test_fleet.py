"""Publishing for many nodes, on embedded API servers of several releases and on a real one.

Whether a mark fits its slice is for the API server to say, which counts the changes of a slice.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.apiserver import ApiServer as EmbeddedServer
from fake_dra_driver.dra.structured import DroppedFields, FleetPool, PoolError, SlicePublisher, Unchanged
from fake_dra_driver.dra.structured.fleet.target import REPAIR_PAUSE_SECONDS
from fake_dra_driver.dra.structured.slices import published_annotation
from fake_dra_driver.runtime import Cache, Client, Result, TransportError
from fake_dra_driver.runtime.reconcile import Request
from tests.support.apiserver import ApiServer
from tests.support.fleet import FleetLab, Source, Stopped, offered
from tests.support.guards import enforced, guard_named
from tests.support.slice_world import devices, taint

REPAIR_SECONDS = 1.0
COMPLETE_SINCE = 36
"""Minor release whose API server keeps by default all that is published here."""
EMBEDDED = (32, 34, 37)


@pytest.fixture(
    params=[*EMBEDDED, pytest.param(None, marks=pytest.mark.apiserver(structured=True), id="real")],
)
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[FleetLab]:
    """An API server, in the version that a driver chooses of those that it serves."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param is None:
            server: ApiServer = request.getfixturevalue("apiserver")
            client = await Client.connect(kubeconfig=str(server.kubeconfig), user_agent="fake-dra-driver-tests")
            stack.push_async_callback(client.close)
            minor = server.minor
        else:
            minor, gates = request.param if isinstance(request.param, tuple) else (request.param, None)
            client = EmbeddedServer(kubernetes_version=f"1.{minor}", feature_gates=gates).client("tests")
        served = await client.discovery.group("resource.k8s.io")
        lab = FleetLab(client, RESOURCE_APIS[served.first_of(*RESOURCE_APIS) or "none"], minor)
        yield lab
        await lab.clean()


def cards(count: int, node: str, **fields: Any) -> tuple[v1.Device, ...]:
    """Devices of which each node has others."""
    return tuple(
        v1.Device(name=f"card-{number}", attributes={"uuid": v1.DeviceAttribute(string=f"{node}-{number}")}, **fields)
        for number in range(count)
    )


async def test_each_node_offers_its_devices_and_a_restart_neither_writes_nor_reads(lab: FleetLab) -> None:
    nodes = [await lab.add_node(), await lab.add_node()]
    async with lab.process() as first:
        for node in nodes:
            await first.publish(node, lab.pool(node, cards(200, node)))
            assert first.publisher.is_published(node)
            assert first.calls.taken() == [("create", name) for name in sorted(await names_of(lab, node))]
    slices = await lab.slices()
    for node in nodes:
        assert offered(slices, node) == [f"card-{number}" for number in range(200)]
        own = [one for one in slices if one.spec.node_name == node]
        assert [one.metadata.owner_references[0].to_wire() for one in own] == 2 * [
            {"apiVersion": "v1", "kind": "Node", "name": node, "uid": lab.nodes[node], "controller": True}
        ]
        assert own[1].spec.devices[-1].attributes["uuid"].string == f"{node}-199"
    async with lab.process() as second:
        for node in nodes:
            await second.publish(node, lab.pool(node, cards(200, node)))
            assert second.publisher.is_published(node)
        assert second.calls.taken() == []


async def names_of(lab: FleetLab, node: str) -> list[str]:
    return [one.metadata.name for one in await lab.slices() if one.spec.node_name == node]


async def test_a_change_of_several_slices_is_a_new_generation_and_one_of_a_slice_is_not(lab: FleetLab) -> None:
    node = await lab.add_node()
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, cards(200, node)))
        process.calls.taken()
        mixed: list[list[str] | None] = []

        async def look(_: str) -> None:
            mixed.append(offered(await lab.slices(), node))

        process.calls.before_write = look
        await process.publish(node, lab.pool(node, cards(200, "other")))
        first, second = await names_of(lab, node)
        assert process.calls.taken() == [("update", first), ("update", second)]
        assert mixed == [[f"card-{number}" for number in range(200)], None], "before the first write and the second"
        await process.publish(node, lab.pool(node, cards(200, "other")[:199]))
        assert process.calls.taken() == [("update", second)]
    slices = await lab.slices()
    assert {one.spec.pool.generation for one in slices} == {2}
    assert offered(slices, node) == [f"card-{number}" for number in range(199)]
    assert [one.metadata.generation for one in slices] == [2, 3]


async def test_what_others_do_to_slices_is_repaired_at_once(lab: FleetLab) -> None:
    node = await lab.add_node()
    loop = asyncio.get_running_loop()
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, cards(8, node)))
        async with process.running():
            (there,) = await lab.slices()
            key = there.key

            begun = loop.time()
            await lab.client.delete(lab.api.slices, key)
            await process.until(lambda: [told[0] for told in process.observer.told] == ["restored"])
            assert loop.time() - begun < REPAIR_SECONDS
            process.observer.news()

            begun = loop.time()
            await lab.client.merge_patch(lab.api.slices, key, {"spec": {"devices": []}})
            await process.until(lambda: [told[0] for told in process.observer.told] == ["corrected"])
            assert loop.time() - begun < REPAIR_SECONDS
            process.observer.news()

            owners: dict[str, Any] = {"metadata": {"ownerReferences": None}}
            await lab.client.merge_patch(lab.api.slices, key, owners)
            await process.until(lambda: [told[0] for told in process.observer.told] == ["corrected"])
            process.observer.news()

            there = await lab.client.get(lab.api.slices, key)
            metadata = ObjectMeta(
                name=f"copy-of-{node}",
                annotations=there.metadata.annotations,
                owner_references=there.metadata.owner_references,
            )
            await lab.client.create(lab.api.slices(metadata=metadata, spec=there.spec))
            await process.until(lambda: [told[0] for told in process.observer.told] == ["removed"])
    slices = await lab.slices()
    assert offered(slices, node) == [f"card-{number}" for number in range(8)]
    async with lab.process() as after:
        await after.publish(node, lab.pool(node, cards(8, node)))
        assert after.calls.taken() == [], "all that was repaired has the mark that fits it"


async def test_an_edit_that_was_undone_needs_a_new_mark_and_nothing_else(lab: FleetLab) -> None:
    node = await lab.add_node()
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, cards(2, node)))
        (there,) = await lab.slices()
        process.calls.taken()
    await lab.client.merge_patch(lab.api.slices, there.key, {"spec": {"devices": []}})
    await lab.client.merge_patch(lab.api.slices, there.key, {"spec": there.to_wire()["spec"]})
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, cards(2, node)))
        assert [verb for verb, _ in process.calls.taken() if verb != "get"] == ["update", "update"]
        await process.look(node)
        assert process.calls.taken() == []
    (after,) = await lab.slices()
    assert after.metadata.generation == 3
    assert after.spec == there.spec


async def test_slices_without_the_mark_stay_and_do_not_count(lab: FleetLab) -> None:
    node = await lab.add_node()
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, cards(2, node)))
        (there,) = await lab.slices()
        metadata = ObjectMeta(name=f"by-hand-{node}", owner_references=there.metadata.owner_references)
        in_pool = v1.ResourcePool(name=node, generation=9, resource_slice_count=1)
        spec = v1.ResourceSliceSpec(driver=lab.driver, node_name=node, pool=in_pool, devices=devices(1))
        await lab.client.create(lab.api.slices(metadata=metadata, spec=spec))
        await process.until(lambda: len(process.informer.list()) == 2)
        await process.look(node)
    slices = await lab.slices()
    assert len(slices) == 2
    assert offered(slices, node) == ["card-0", "card-1"]


@pytest.mark.parametrize("writes", range(1, 4))
async def test_what_a_process_has_left_half_written_the_next_one_completes(lab: FleetLab, writes: int) -> None:
    node = await lab.add_node()
    async with lab.process() as first:
        await first.publish(node, lab.pool(node, cards(400, node)))
        first.calls.writes_left = writes
        with pytest.raises(Stopped):
            await first.publish(node, lab.pool(node, cards(400, "changed")))
    assert offered(await lab.slices(), node) is None
    async with lab.process() as second:
        await second.publish(node, lab.pool(node, cards(400, "changed")))
        assert len([verb for verb, _ in second.calls.taken() if verb != "get"]) == 4 - writes
    slices = await lab.slices()
    assert {device.attributes["uuid"].string for one in slices for device in one.spec.devices} == {
        f"changed-{number}" for number in range(400)
    }
    assert offered(slices, node) == [f"card-{number}" for number in range(400)]


async def test_two_controllers_agree(lab: FleetLab) -> None:
    nodes = [await lab.add_node() for _ in range(4)]
    async with lab.process() as one, lab.process() as other:
        for process in (one, other):
            process.source.pools |= {node: lab.pool(node, cards(200, node)) for node in nodes}
        async with one.running(), other.running():
            await one.until(lambda: len(one.informer.list()) == 8)
            await other.until(lambda: len(other.informer.list()) == 8)
        slices = await lab.slices()
        assert [offered(slices, node) for node in nodes] == 4 * [[f"card-{number}" for number in range(200)]]
        for process in (one, other):
            process.calls.taken()
            for node in nodes:
                await process.look(node)
            assert process.calls.taken() == []


async def test_the_slices_of_a_node_that_leaves_the_fleet_are_deleted_unless_the_node_is_gone(lab: FleetLab) -> None:
    stays, goes, unknown = [await lab.add_node() for _ in range(3)]
    async with lab.process() as process:
        for node in (stays, goes, unknown):
            await process.publish(node, lab.pool(node, cards(2, node)))
        await lab.client.delete(Node, NamespacedName("", goes))
        del lab.nodes[goes], process.source.pools[stays], process.source.pools[goes]
        process.source.pools[unknown] = Unchanged()
        for node in (stays, goes, unknown):
            await process.look(node)
    left = {one.spec.node_name for one in await lab.slices()}
    # A real cluster's garbage collector may have been there before.
    assert left in ({goes, unknown}, {unknown})


async def publish_as_plugin(lab: FleetLab, node: str, pool: FleetPool) -> None:
    """A kubelet plugin publishes this, and stops."""
    cache = Cache(lab.client)
    plugin = SlicePublisher(lab.api, lab.driver, node, cache, lab.client)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cache.run())
        await cache.wait_for_sync()
        plugin.publish([pool.pool])
        await plugin.reconcile(Request("", lab.driver))
        task.cancel()


async def test_a_plugin_and_a_fleet_take_a_node_over_from_each_other(lab: FleetLab) -> None:
    node = await lab.add_node()
    pool = lab.pool(node, cards(2, node))
    async with lab.process() as fleet:
        await fleet.publish(node, pool)
        await publish_as_plugin(lab, node, pool)
        (there,) = await lab.slices()
        assert published_annotation(lab.driver) not in there.metadata.annotations
        await fleet.until(lambda: fleet.informer.list()[0].metadata.annotations == {})
        fleet.calls.taken()
        del fleet.source.pools[node]
        await fleet.look(node)
        assert fleet.calls.taken() == [], "it is the plugin's"
        await fleet.publish(node, pool)
        (there,) = await lab.slices()
        assert published_annotation(lab.driver) in there.metadata.annotations


@pytest.mark.parametrize("lab", EMBEDDED, indirect=True)
@pytest.mark.parametrize("is_by_plugin", [True, False], ids=["a plugin's", "without a mark"])
async def test_the_charts_policy_lets_a_fleet_take_over_what_is_not_marked(lab: FleetLab, is_by_plugin: bool) -> None:
    node = await lab.add_node()
    before, after = lab.pool(node, cards(2, node)), lab.pool(node, cards(3, node))
    async with lab.process() as fleet:
        if is_by_plugin:
            await publish_as_plugin(lab, node, before)
        else:
            await fleet.publish(node, before)
            (there,) = await lab.slices()
            await lab.client.merge_patch(lab.api.slices, there.key, {"metadata": {"annotations": None}})
        await fleet.until(lambda: [one.metadata.annotations for one in fleet.informer.list()] == [{}])
        async with enforced(lab.client, guard_named("controller-resourceslices", driver=lab.driver)):
            await fleet.publish(node, after)
            (there,) = await lab.slices()
            assert published_annotation(lab.driver) in there.metadata.annotations
            assert offered([there], node) == ["card-0", "card-1", "card-2"]
            del fleet.source.pools[node]
            await fleet.until(lambda: lab.mark in fleet.informer.list()[0].metadata.annotations)
            await fleet.look(node)
            assert await lab.slices() == (), "what it has taken over it withdraws as well"


async def test_taints_keep_the_time_at_which_they_were_added(lab: FleetLab) -> None:
    node = await lab.add_node()
    tainted = cards(64, node, taints=(taint(),))
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, tainted))
        before = await lab.slices()
        await process.publish(node, lab.pool(node, tainted, devices(1)))
        after = await lab.slices()
        if lab.minor >= COMPLETE_SINCE:
            assert before[0].spec.devices[0].taints[0].time_added is not None
        else:
            assert process.source.dropped == [("devices[].taints",)]
        assert after[0].spec.devices == before[0].spec.devices
        process.calls.taken()
        await process.look(node)
        assert process.calls.taken() == []
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, tainted, devices(1)))
        if lab.minor >= COMPLETE_SINCE:
            assert process.calls.taken() == [("try", "")]


async def test_what_the_api_server_does_not_keep_is_said_once_and_asked_again_by_one_node(lab: FleetLab) -> None:
    nodes = [await lab.add_node(), await lab.add_node()]
    shared = {"memory": v1.DeviceCapacity(value="2Gi", request_policy=v1.CapacityRequestPolicy(default="1Gi"))}
    pools = {
        node: lab.pool(node, cards(2, node, allow_multiple_allocations=True, capacity=shared), devices(1))
        for node in nodes
    }
    async with lab.process() as process:
        results = [await process.publish(node, pool) for node, pool in pools.items()]
        if lab.minor >= COMPLETE_SINCE:
            assert process.source.dropped == []
            return
        assert process.source.dropped == [
            ("devices[].allowMultipleAllocations", "devices[].capacity[].requestPolicy"),
        ]
        assert [result.requeue_after is not None for result in results] == [True, True]
        process.calls.taken()
        for node in nodes:
            await process.look(node)
        assert process.calls.taken() == []
        process.time += 4000
        for node in nodes:
            await process.look(node)
        assert process.calls.taken() == [("try", "")]
    async with lab.process() as restarted:
        for node, pool in pools.items():
            await restarted.publish(node, pool)
        assert restarted.calls.taken() == [("try", "")]
        assert len(restarted.source.dropped) == 1


class Partitions(Source):
    """Each node has a device and a part of it, as long as it is not known that nobody counts what they use up."""

    def __init__(self, lab: FleetLab) -> None:
        super().__init__()
        self._lab = lab
        self.is_counted = True

    @override
    async def pool(self, node: str) -> FleetPool:
        if not self.is_counted:
            return self._lab.pool(node, cards(1, node))
        used = v1.DeviceCounterConsumption(counter_set="gpu-0", counters={"memory": v1.Counter(value="4Gi")})
        sets = (v1.CounterSet(name="gpu-0", counters={"memory": v1.Counter(value="4Gi")}),)
        return self._lab.pool(node, cards(2, node, consumes_counters=(used,)), shared_counters=sets)

    @override
    def fields_dropped(self, dropped: DroppedFields) -> None:
        self.is_counted = False


@pytest.mark.parametrize(
    "lab", [(34, {"DRAPartitionableDevices": False}), 32], indirect=True, ids=["34-without-counters", "32"]
)
async def test_a_device_is_at_no_moment_offered_beside_its_part_where_nobody_counts(lab: FleetLab) -> None:
    nodes = [await lab.add_node() for _ in range(12)]
    offers: set[int] = set()

    async def note(_name: str) -> None:
        offers.update(len(one.spec.devices) for one in await lab.slices())

    for verbs in ({"create"}, set()):
        async with lab.process(Partitions(lab)) as process:
            process.calls.before_write = note
            await asyncio.gather(*(process.look(node) for node in nodes))
            await note("")
            assert {verb for verb, _ in process.calls.taken()} - {"try"} == verbs
    assert offers == {1}


@pytest.mark.parametrize("lab", [(34, {"DRAPartitionableDevices": True})], indirect=True, ids=["34-with-counters"])
async def test_releases_before_1_35_keep_counters_beside_the_devices_that_use_them(lab: FleetLab) -> None:
    node = await lab.add_node()
    used = v1.DeviceCounterConsumption(counter_set="gpu-0", counters={"memory": v1.Counter(value="1Gi")})
    sets = (v1.CounterSet(name="gpu-0", counters={"memory": v1.Counter(value="4Gi")}),)
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, cards(3, node, consumes_counters=(used,)), shared_counters=sets))
        assert process.source.dropped == []
    (there,) = await lab.slices()
    assert (len(there.spec.devices), len(there.spec.shared_counters)) == (3, 1)


async def test_one_node_that_is_refused_does_not_stop_the_others(lab: FleetLab) -> None:
    nodes = [await lab.add_node() for _ in range(3)]
    async with lab.process() as process:
        process.source.pools |= {node: lab.pool(node, cards(2, node)) for node in nodes}
        process.source.pools[nodes[0]] = lab.pool(nodes[0], cards(1, "a"), cards(1, "b"))
        async with process.running():
            await process.until(lambda: len(process.informer.list()) == 2)
        assert not process.publisher.is_published(nodes[0])
        with pytest.raises(PoolError, match=f"pool {nodes[0]}: device card-0: is there twice"):
            await process.look(nodes[0])
    assert {one.spec.node_name for one in await lab.slices()} == set(nodes[1:])


async def test_it_is_behind_until_it_has_tried_all_nodes_that_are_new(lab: FleetLab) -> None:
    nodes = [await lab.add_node() for _ in range(2)]
    async with lab.process() as process:
        publisher, told = process.publisher, []
        publisher.when_caught_up(lambda: told.append(publisher.is_behind))
        process.source.pools = {nodes[0]: lab.pool(nodes[0], cards(1, "a"), cards(1, "b"))}
        process.source.pools[nodes[1]] = lab.pool(nodes[1], cards(2, nodes[1]))
        for node in nodes:
            publisher.changed(node)
        with pytest.raises(PoolError):
            await process.look(nodes[0])
        assert (publisher.is_behind, told) == (True, [])
        await process.look(nodes[1])
        assert (publisher.is_behind, told) == (False, [False])
        publisher.changed(nodes[1])
        assert not publisher.is_behind, "what is published is no news"


async def test_an_api_server_that_is_away_is_found_out_by_one_node_for_all(lab: FleetLab) -> None:
    nodes = [await lab.add_node() for _ in range(3)]
    async with lab.process() as process:

        async def fail(name: str) -> None:
            raise TransportError("create", lab.api.slices.resource, NamespacedName("", name), "connection refused")

        process.calls.before_write = fail
        with pytest.raises(TransportError):
            await process.publish(nodes[0], lab.pool(nodes[0], cards(2, nodes[0])))
        tried = process.calls.taken()
        for node in nodes[1:]:
            result = await process.publish(node, lab.pool(node, cards(2, node)))
            assert result.requeue_after is not None
        assert (len(tried), process.calls.taken()) == (1, [])
        process.time += 1
        process.calls.before_write = None
        for node in nodes:
            await process.look(node)
            assert process.publisher.is_published(node)
    assert len(await lab.slices()) == 3


async def test_of_two_writers_that_undo_each_others_work_the_publisher_is_slow(lab: FleetLab) -> None:
    node = await lab.add_node()
    async with lab.process() as process:
        await process.publish(node, lab.pool(node, cards(2, node)))
        (key,) = [one.key for one in await lab.slices()]
        results = []
        for generation in range(2, 24, 2):
            await lab.client.merge_patch(lab.api.slices, key, {"spec": {"devices": []}})
            await process.until(lambda g=generation: process.informer.list()[0].metadata.generation >= g)  # type: ignore[misc]
            results.append(await process.look(node))
        assert [result.requeue_after for result in results] == [*10 * [None], REPAIR_PAUSE_SECONDS]
        process.time += REPAIR_PAUSE_SECONDS
        assert await process.look(node) == Result()
    assert offered(await lab.slices(), node) == ["card-0", "card-1"]
