"""Publishing on API servers, embedded ones of several releases and a real one.

They store what was meant, in their own words; they drop what they do not know, and are believed.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.cluster.apiserver import ApiServer as EmbeddedServer
from fake_dra_driver.dra.structured.pool import Pool
from fake_dra_driver.dra.structured.publisher import SlicePublisher
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.reconcile import Request
from tests.support.apiserver import ApiServer
from tests.support.slice_world import Observer, devices, taint

DEADLINE_SECONDS = 30
REPAIR_SECONDS = 1.0
COMPLETE_SINCE = 36
"""Minor release whose API server keeps by default all that is published here."""
EMBEDDED = (32, 34, 37)
"""Minor releases that the embedded API server behaves like."""


class Lab:
    """A node and a driver of their own on the API server, for one test."""

    def __init__(self, client: Client, api: ResourceApi, minor: int) -> None:
        self.client = client
        self.api = api
        self.is_complete = minor >= COMPLETE_SINCE
        """Whether the API server keeps all that is published here."""
        self.driver = f"gpu-{uuid.uuid4().hex[:6]}.example.com"
        self.node = f"node-{uuid.uuid4().hex[:6]}"
        self.observer = Observer()
        self.writes = 0
        """Of slices."""
        client.add_write_observer(lambda kind, _: self._count(kind))
        client.add_delete_observer(lambda kind, *_: self._count(kind))

    def _count(self, kind: object) -> None:
        self.writes += kind is self.api.slices

    def pool(self, *parts: Sequence[v1.Device], **fields: Any) -> Pool:
        """A pool of the node."""
        return Pool(self.node, tuple(device for part in parts for device in part), node_name=self.node, **fields)

    async def slices(self) -> tuple[v1.ResourceSlice, ...]:
        """What the API server has."""
        return (await self.client.list(self.api.slices, field_selector=f"spec.driver={self.driver}")).items

    async def names(self) -> list[str]:
        """The devices of all slices."""
        return [device.name for one in await self.slices() for device in one.spec.devices]

    @contextlib.asynccontextmanager
    async def publisher(self) -> AsyncIterator["Running"]:
        """One process, which has listed the slices that exist."""
        cache = Cache(self.client)
        publisher = SlicePublisher(
            self.api,
            self.driver,
            self.node,
            cache,
            self.client,
            self.observer,
            server_version=self.client.discovery.server_version,
        )
        running = Running(self, publisher, cache)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(cache.run())
            await cache.wait_for_sync()
            yield running
            task.cancel()


class Running:
    """A publisher of a process that runs; its passes are the test's."""

    def __init__(self, lab: Lab, publisher: SlicePublisher, cache: Cache) -> None:
        self.publisher = publisher
        self._request = Request("", lab.driver)
        self._slices = cache.informer(
            lab.api.slices, field_selector=f"spec.driver={lab.driver},spec.nodeName={lab.node}"
        )
        self._changed = asyncio.Event()
        self._slices.subscribe(lambda _: self._changed.set())
        lab.observer.on_told = self._changed.set

    async def publish(self, *pools: Pool) -> None:
        """Publishes in one pass."""
        self.publisher.publish(pools)
        await self.publisher.reconcile(self._request)
        assert self.publisher.not_published_reason() is None

    async def until(self, is_so: Callable[[Sequence[v1.ResourceSlice]], bool]) -> None:
        """Waits until the slices, as the process sees them, are so, or what was told of them."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_so(self._slices.list()):
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture(
    params=[*EMBEDDED, pytest.param(None, marks=pytest.mark.apiserver(structured=True), id="real")],
)
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
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
        lab = Lab(client, RESOURCE_APIS[served.first_of(*RESOURCE_APIS) or "none"], minor)
        await client.create(Node(metadata=ObjectMeta(name=lab.node)))
        yield lab
        for one in await lab.slices():
            await client.delete(lab.api.slices, one.key)
        await client.delete(Node, NamespacedName("", lab.node))


async def test_devices_are_stored_as_they_were_meant_and_a_restart_writes_nothing(lab: Lab) -> None:
    memory = {
        "memory": v1.DeviceCapacity(value="1024Mi"),
        "other.example.com/cores": v1.DeviceCapacity(value="1500m"),
    }
    attributes = {
        "model": v1.DeviceAttribute(string="LATEST-FAKE-MODEL"),
        "driverVersion": v1.DeviceAttribute(version="1.2.3-rc.1+build.5"),
        "index": v1.DeviceAttribute(int_value=0),
        "other.example.com/healthy": v1.DeviceAttribute(bool_value=False),
    }
    pool = lab.pool([v1.Device(name="full", attributes=attributes, capacity=memory)], devices(299))
    async with lab.publisher() as first:
        await first.publish(pool)
    there = await lab.slices()
    node = await lab.client.get(Node, NamespacedName("", lab.node))
    owner = OwnerReference(api_version="v1", kind="Node", name=lab.node, uid=node.uid, controller=True)
    assert [one.metadata.owner_references for one in there] == [(owner,)] * 3
    assert [one.spec.pool.to_wire() for one in there] == [
        {"name": lab.node, "generation": 1, "resourceSliceCount": 3}
    ] * 3
    assert await lab.names() == ["full", *(f"dev-{number}" for number in range(299))]
    full = there[0].spec.devices[0]
    assert full.attributes == attributes
    assert {name: value.value for name, value in full.capacity.items()} == {
        "memory": "1Gi",
        "other.example.com/cores": "1500m",
    }
    assert lab.writes == 3
    async with lab.publisher() as second:
        await second.publish(pool)
        assert lab.writes == 3
        await second.publish(lab.pool(devices(299), [v1.Device(name="full", attributes=attributes, capacity=memory)]))
    assert {one.spec.pool.generation for one in await lab.slices()} == {2}
    assert lab.observer.news() == []


async def test_what_others_do_to_slices_is_repaired_at_once(lab: Lab) -> None:
    pool = lab.pool(devices(8))
    loop = asyncio.get_running_loop()
    async with lab.publisher() as process:
        await process.publish(pool)
        (there,) = await lab.slices()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(process.publisher.run())

            begun = loop.time()
            await lab.client.delete(lab.api.slices, there.key)
            await process.until(lambda slices: bool(slices) and slices[0].uid != there.uid)
            assert loop.time() - begun < REPAIR_SECONDS

            begun = loop.time()
            await lab.client.merge_patch(lab.api.slices, there.key, {"spec": {"devices": []}})
            await process.until(lambda slices: len(slices) == 1 and len(slices[0].spec.devices) == 8)
            assert loop.time() - begun < REPAIR_SECONDS

            in_pool = v1.ResourcePool(name=lab.node, generation=9, resource_slice_count=1)
            spec = v1.ResourceSliceSpec(driver=lab.driver, node_name=lab.node, pool=in_pool, devices=devices(1))
            begun = loop.time()
            metadata = ObjectMeta(name=f"by-hand-{lab.node}")
            await lab.client.create(lab.api.slices(metadata=metadata, spec=spec))
            # Until it is told: the process may not have seen yet what has been created.
            await process.until(lambda slices: len(slices) == 1 and lab.observer.told[-1][0] == "removed")
            assert loop.time() - begun < REPAIR_SECONDS
            task.cancel()
    assert await lab.names() == [device.name for device in pool.devices]
    assert [what for what, *_ in lab.observer.news()] == ["restored", "corrected", "removed"]


async def test_taints_keep_their_time_or_are_known_to_be_dropped(lab: Lab) -> None:
    given = datetime(2026, 1, 1, 12, 0, 0, 600_000, tzinfo=UTC)
    pool = lab.pool(
        devices(1, taints=(taint(),)), devices(64, first=1, taints=(taint(effect="NoExecute", time_added=given),))
    )
    async with lab.publisher() as first:
        await first.publish(pool)
    written = await lab.slices()
    assert [len(one.spec.devices) for one in written] == [64, 1]
    assert all(bool(device.taints) == lab.is_complete for one in written for device in one.spec.devices)
    assert lab.observer.news() == ([] if lab.is_complete else [("dropped", lab.node, ("devices[].taints",))])
    async with lab.publisher() as second:
        await second.publish(pool)
        await second.publish(lab.pool(pool.devices, devices(1, first=65)))
    after = await lab.slices()
    assert after[0].spec.devices == written[0].spec.devices
    if lab.is_complete:
        assert lab.writes == 2 + 1, "both are created, then the second gets a device"


async def test_counters_and_what_else_a_release_knows_is_kept_or_named(lab: Lab) -> None:
    consumed = v1.DeviceCounterConsumption(counter_set="gpu-0", counters={"memory": v1.Counter(value="1024Mi")})
    shared = {
        "memory": v1.DeviceCapacity(
            value="2048Mi", request_policy={"default": "1024Mi", "validRange": {"min": "1024Mi", "max": "2Gi"}}
        )
    }
    pool = lab.pool(
        devices(2, consumes_counters=(consumed,)),
        devices(1, first=2, allow_multiple_allocations=True, capacity=shared),
        devices(1, first=3, binds_to_node=True, binding_conditions=("Ready",), binding_failure_conditions=("Broken",)),
        shared_counters=(v1.CounterSet(name="gpu-0", counters={"memory": v1.Counter(value="2Gi")}),),
    )
    async with lab.publisher() as first:
        await first.publish(pool)
    written = lab.writes
    told = [fields for what, _, fields in lab.observer.news() if what == "dropped"]
    if lab.is_complete:
        assert told == []
        async with lab.publisher() as second:
            await second.publish(pool)
        assert lab.writes == written, "quantities are the same, however they are written"
    else:
        assert {field for fields in told for field in fields} == {
            "sharedCounters",
            *("devices[].consumesCounters", "devices[].allowMultipleAllocations"),
            "devices[].capacity[].requestPolicy",
            *("devices[].bindsToNode", "devices[].bindingConditions", "devices[].bindingFailureConditions"),
        }
    assert await lab.names() == [device.name for device in pool.devices]


@pytest.mark.parametrize("lab", [(34, {"DRAPartitionableDevices": True})], indirect=True, ids=["34-with-counters"])
async def test_releases_before_1_35_keep_counters_beside_the_devices_that_use_them(lab: Lab) -> None:
    """As that release's API server wants it, which refuses devices whose counter set is in another slice."""
    parts = []
    for gpu in range(2):
        used = v1.DeviceCounterConsumption(counter_set=f"gpu-{gpu}", counters={"memory": v1.Counter(value="1Gi")})
        parts.append(devices(3, first=3 * gpu, consumes_counters=(used,)))
    sets = tuple(
        v1.CounterSet(name=f"gpu-{gpu}", counters={"memory": v1.Counter(value="4Gi")}) for gpu in range(len(parts))
    )
    pool = lab.pool(*parts, devices(1, first=6), shared_counters=sets)
    async with lab.publisher() as first:
        await first.publish(pool)
    assert [
        ([one.name for one in each.spec.shared_counters], [device.name for device in each.spec.devices])
        for each in await lab.slices()
    ] == [(["gpu-0"], ["dev-0", "dev-1", "dev-2"]), (["gpu-1"], ["dev-3", "dev-4", "dev-5"]), ([], ["dev-6"])]
    assert lab.observer.news() == []
    async with lab.publisher() as second:
        await second.publish(pool)
    assert lab.writes == 3


async def test_a_pool_without_a_node_is_offered_everywhere(lab: Lab) -> None:
    cache = Cache(lab.client)
    publisher = SlicePublisher(lab.api, lab.driver, None, cache, lab.client)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cache.run())
        await cache.wait_for_sync()
        publisher.publish([Pool("shared/disks", devices(1), all_nodes=True)])
        for _ in range(2):
            await publisher.reconcile(Request("", lab.driver))
        assert lab.writes == 1
        (there,) = await lab.slices()
        assert (there.spec.all_nodes, there.spec.node_name, there.metadata.owner_references) == (True, None, ())
        publisher.publish([])
        await publisher.reconcile(Request("", lab.driver))
        assert await lab.slices() == ()
        task.cancel()


@pytest.mark.apiserver(structured=True)
@pytest.mark.parametrize("lab", [None], indirect=True, ids=["real"])
async def test_what_has_changed_while_the_api_server_was_away_is_published_when_it_is_back(
    lab: Lab, apiserver: ApiServer
) -> None:
    async with lab.publisher() as process, asyncio.TaskGroup() as group:
        task = group.create_task(process.publisher.run())
        process.publisher.publish([lab.pool(devices(1))])
        await process.until(lambda slices: bool(slices) and len(slices[0].spec.devices) == 1)
        await asyncio.to_thread(apiserver.kill)
        process.publisher.publish([lab.pool(devices(2))])
        await asyncio.to_thread(apiserver.restart)
        await process.until(lambda slices: bool(slices) and len(slices[0].spec.devices) == 2)
        (there,) = await lab.slices()
        await lab.client.delete(lab.api.slices, there.key)
        await process.until(lambda slices: bool(slices) and slices[0].uid != there.uid)
        task.cancel()
    assert await lab.names() == ["dev-0", "dev-1"]
