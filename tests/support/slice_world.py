"""An API server in memory that has ResourceSlices, publishers of them, and the scheduler's view.

``SliceWorld`` is what outlives a process: the store, with what others do to it. ``PublisherProcess`` is one process
with a publisher: it sees the API server's news when ``deliver`` is called. Real API servers judge in
``tests/integration`` whether they behave like this.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.pool import Pool, has_extras
from fake_dra_driver.dra.structured.publisher import SlicePublisher
from fake_dra_driver.dra.structured.publishobserver import PublishObserver
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.reconcile import Request, Result
from tests.support.memory_api import Hook, MemoryApi, MemoryClient, Wire, no_fault

__all__ = ["DRIVER", "NODE", "Observer", "PublisherProcess", "SliceWorld", "devices", "pool_of", "taint", "without"]

K = TypeVar("K", bound=KubeObject)

DRIVER = "gpu.example.com"
NODE = "node-0"
_REQUEST = Request("", DRIVER)
_KIND = v1.ResourceSlice.resource.kind
_MAX_PASSES = 50
"""More than any story here needs: what is not settled then never will be."""


def devices(count: int, *, first: int = 0, **fields: Any) -> tuple[v1.Device, ...]:
    """Devices ``dev-<first>`` and so on."""
    return tuple(
        v1.Device(name=f"dev-{number}", attributes={"index": v1.DeviceAttribute(int_value=number)}, **fields)
        for number in range(first, first + count)
    )


def taint(key: str = "gpu.example.com/broken", effect: str = "NoSchedule", **fields: Any) -> v1.DeviceTaint:
    """A taint, without the time at which it was added."""
    return v1.DeviceTaint(key=key, effect=effect, **fields)


def pool_of(*parts: Sequence[v1.Device], name: str = NODE, **fields: Any) -> Pool:
    """A pool of the node."""
    return Pool(name, tuple(device for part in parts for device in part), node_name=NODE, **fields)


class SliceWorld:
    """The API server, the node, and what is in the store."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.api.apply(Node(metadata=ObjectMeta(name=NODE)))
        self.now = "2026-01-01T00:00:00Z"
        self.drop: Callable[[Wire], None] = lambda _spec: None
        """What the API server takes out of the spec of a slice that is written: fields whose gate is off."""

    def slices(self) -> list[v1.ResourceSlice]:
        """The slices that exist, by name."""
        return sorted(
            (v1.ResourceSlice.from_wire(copy.deepcopy(wire)) for wire in self.api.objects.get(_KIND, {}).values()),
            key=lambda one: one.metadata.name,
        )

    def names(self) -> list[str]:
        """Their names."""
        return [one.metadata.name for one in self.slices()]

    def edit(self, name: str, **spec: Any) -> None:
        """Another writer changes fields of a slice's spec."""
        self.api.update(v1.ResourceSlice, name, "", {"spec": spec})

    def delete(self, *names: str) -> None:
        """Another writer deletes slices; all of them if none is named."""
        for name in names or self.names():
            self.api.delete(v1.ResourceSlice, name)

    def add(self, name: str, pool: str = NODE, generation: int = 1, count: int = 1, **spec: Any) -> None:
        """Another writer makes a slice in the driver's name."""
        in_pool = {"name": pool, "generation": generation, "resourceSliceCount": count}
        wire = {"metadata": {"name": name}, "spec": {"driver": DRIVER, "nodeName": NODE, "pool": in_pool, **spec}}
        self.api.apply(v1.ResourceSlice.from_wire(wire))

    def offered(self, pool: str = NODE) -> list[str] | None:
        """The devices that a scheduler can allocate from a pool, in its order; None while the pool is not complete."""
        there = [one for one in self.slices() if one.spec.pool.name == pool]
        newest = max((one.spec.pool.generation for one in there), default=0)
        counted = [one for one in there if one.spec.pool.generation == newest]
        if any(one.spec.pool.resource_slice_count != len(counted) for one in counted):
            return None
        names = [device.name for one in counted for device in one.spec.devices]
        assert len(names) == len(set(names)), "a device twice: the scheduler takes the whole pool to be invalid"
        return names

    def store(self, wire: Wire, there: Wire | None) -> Wire:
        """What an API server makes of a slice before it stores it."""
        spec = wire["spec"]
        assert not ("devices" in spec and "sharedCounters" in spec), "refused by 1.35 and later"
        found = v1.ResourceSlice.from_wire(wire).spec
        limit = (
            v1.MAX_DEVICES_PER_SLICE_WITH_EXTRAS if any(map(has_extras, found.devices)) else v1.MAX_DEVICES_PER_SLICE
        )
        assert len(found.devices) <= limit
        assert 0 < found.pool.generation < 2**63
        assert found.pool.resource_slice_count > 0
        if there is not None:
            before = v1.ResourceSlice.from_wire(there).spec
            assert (before.driver, before.pool.name, before.node_name) == (
                *(found.driver, found.pool.name),
                found.node_name,
            ), "refused: they cannot be changed"
        self.drop(spec)
        for device in spec.get("devices", ()):
            for each in device.get("taints", ()):
                each.setdefault("timeAdded", self.now)
        return wire


class SliceClient(MemoryClient):
    """A client with the calls of a publisher. ``writes`` lists the names that were written, with the verb."""

    def __init__(self, world: SliceWorld) -> None:
        super().__init__(world.api)
        self.world = world
        self.before_read: Hook = no_fault
        self.writes: list[tuple[str, str]] = []
        self._delete_observers: list[Callable[[type[KubeObject], NamespacedName, UID], None]] = []

    @override
    def add_delete_observer(self, observer: Any) -> None:
        self._delete_observers.append(observer)

    @override
    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        await self.before_read("get", kind.resource.kind)
        return await super().get(kind, key)

    async def create(self, obj: K, *, is_dry_run: bool = False) -> K:
        """Creates an object, or says what would become of it; an error when there is one of that name."""
        kind = type(obj)
        await self._begin("create", kind)
        if is_dry_run:
            self.writes.append(("try", obj.key.name))
            return kind.from_wire(self.world.store(obj.to_wire(), None))
        if obj.key in self.api.objects.get(_KIND, {}):
            raise self._error(409, kind, obj.key, "AlreadyExists", "it exists", "create")
        self.writes.append(("create", obj.key.name))
        self.api.apply(kind.from_wire(self.world.store(obj.to_wire(), None)))
        return await self._end_write("create", kind, obj.key)

    async def update(self, obj: K) -> K:
        """Replaces an object, if it is still the one that was read. What changes nothing leaves its version alone."""
        kind = type(obj)
        await self._begin("update", kind)
        there = self._found(kind, obj.key, "update")
        sent = obj.to_wire()
        if sent["metadata"]["resourceVersion"] != there["metadata"]["resourceVersion"]:
            raise self._error(409, kind, obj.key, "Conflict", "the object has been modified", "update")
        self.writes.append(("update", obj.key.name))
        stored = self.world.store(sent, there)
        if kind.from_wire(stored) != kind.from_wire(there):
            self.api.apply(kind.from_wire(stored))
        return await self._end_write("update", kind, obj.key)

    async def delete(
        self, kind: type[KubeObject], key: NamespacedName, *, uid: UID | None, resource_version: str | None
    ) -> None:
        """Deletes an object, if it is still the one that was read."""
        await self._begin("delete", kind)
        there = self._found(kind, key, "delete")["metadata"]
        if (uid, resource_version) != (there["uid"], there["resourceVersion"]):
            raise self._error(409, kind, key, "Conflict", "the object has been modified", "delete")
        self.writes.append(("delete", key.name))
        self.api.delete(kind, key.name)
        await self.after_write("delete", kind.resource.kind)
        for observer in self._delete_observers:
            observer(kind, key, UID(there["uid"]))

    async def _end_write(self, verb: str, kind: type[K], key: NamespacedName) -> K:
        written = copy.deepcopy(self.api.objects[_KIND][key])
        await self.after_write(verb, kind.resource.kind)
        for observer in self._observers:
            observer(kind, written)
        return kind.from_wire(written)


@dataclass
class Observer(PublishObserver):
    """Keeps what it is told."""

    told: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    """What, pool, and names or fields."""
    on_told: Callable[[], None] = lambda: None
    """Called whenever there is more."""

    @override
    def slices_restored(self, pool: str, names: Sequence[str]) -> None:
        self._tell("restored", pool, tuple(names))

    @override
    def slices_corrected(self, pool: str, names: Sequence[str]) -> None:
        self._tell("corrected", pool, tuple(names))

    @override
    def slices_removed(self, pool: str, names: Sequence[str]) -> None:
        self._tell("removed", pool, tuple(names))

    @override
    def fields_dropped(self, pool: str, dropped: DroppedFields) -> None:
        self._tell("dropped", pool, dropped.fields)

    def _tell(self, what: str, pool: str, names: tuple[str, ...]) -> None:
        self.told.append((what, pool, names))
        self.on_told()

    def news(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What was told since the last time."""
        found, self.told = self.told, []
        return found


class PublisherProcess:
    """One process with a publisher, which has just listed the slices that exist."""

    def __init__(self, world: SliceWorld, *pools: Pool) -> None:
        self.world = world
        self.client = SliceClient(world)
        self.observer = Observer()
        self.time = 0.0
        cache = Cache(cast("Client", self.client))
        api = RESOURCE_APIS["v1"]
        self.is_superseded = False
        self.publisher = SlicePublisher(
            api,
            DRIVER,
            NODE,
            cache,
            self.client,
            self.observer,
            is_superseded=self._ask_whether_superseded,
            clock=lambda: self.time,
        )
        self.slices = cache.informer(api.slices, field_selector=f"spec.driver={DRIVER},spec.nodeName={NODE}")
        listed = [copy.deepcopy(wire) for wire in world.api.objects.get(_KIND, {}).values()]
        self._delivered = len(world.api.events)
        version = max((int(wire["metadata"]["resourceVersion"]) for _, _, wire in world.api.events), default=0)
        self.slices.replace(self.slices.read_items(listed), version)
        if pools:
            self.publisher.publish(pools)

    async def _ask_whether_superseded(self) -> bool:
        return self.is_superseded

    def deliver(self) -> bool:
        """The watch brings what it has not brought yet. Returns whether there was anything."""
        news, self._delivered = self.world.api.events[self._delivered :], len(self.world.api.events)
        slices = [(event, wire) for event, kind, wire in news if kind == _KIND]
        for event, wire in slices:
            self.slices.handle(event, copy.deepcopy(wire))
        return bool(slices)

    async def reconcile(self) -> Result:
        """One pass, with what is known."""
        return await self.publisher.reconcile(_REQUEST)

    async def settle(self) -> Result:
        """Passes, with the API server's news, until there are none; what the last one returned."""
        result = await self.reconcile()
        for _ in range(_MAX_PASSES):
            if not self.deliver():
                return result
            result = await self.reconcile()
        raise AssertionError("never settles")

    def writes(self) -> list[tuple[str, str]]:
        """The writes since the last time."""
        found, self.client.writes = self.client.writes, []
        return found


def without(*paths: str) -> Callable[[Wire], None]:
    """An API server whose gates for these fields of devices are off."""

    def drop(spec: Wire) -> None:
        for device in spec.get("devices", ()):
            for path in paths:
                device.pop(path, None)

    return drop


def content(spec: v1.ResourceSliceSpec) -> Mapping[str, Any]:
    """What a slice says, without its pool's generation."""
    wire = spec.to_wire()
    return {**wire, "pool": {**wire["pool"], "generation": 0}}
