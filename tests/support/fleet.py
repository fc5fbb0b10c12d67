"""A fleet on an API server: what its nodes offer, as a test says, and processes that publish it."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.structured import DroppedFields, FleetPool, FleetPublisher, FleetSource, Pool, Unchanged
from fake_dra_driver.dra.structured.fleet.writer import EncodedClient, FleetClient
from fake_dra_driver.runtime import Cache, Client, Result
from fake_dra_driver.runtime.encodedwrites import EncodedObject
from fake_dra_driver.runtime.reconcile import Request
from tests.support.slice_world import Observer

__all__ = ["FleetLab", "FleetProcess", "Source", "Stopped", "offered"]

K = TypeVar("K", bound=KubeObject)
DEADLINE_SECONDS = 30


class Stopped(Exception):  # noqa: N818 - no error: the end of a process
    """The process ends here."""


class Source(FleetSource):
    """Says of each node what the test has put there."""

    def __init__(self) -> None:
        self.pools: dict[str, FleetPool | Unchanged | Exception] = {}
        self.dropped: list[tuple[str, ...]] = []

    @override
    async def pool(self, node: str) -> FleetPool | Unchanged | None:
        found = self.pools.get(node)
        if isinstance(found, Exception):
            raise found
        return found

    @override
    def fields_dropped(self, dropped: DroppedFields) -> None:
        self.dropped.append(dropped.fields)


class Calls:
    """The calls of a process about slices: verb and name of each. It can be stopped before any write."""

    def __init__(self) -> None:
        self._made: list[tuple[str, str]] = []
        self.writes_left: int | None = None
        """Until the process stops; None: it does not."""
        self.before_write: Callable[[str], Awaitable[None]] | None = None
        """Gets the name of the slice."""

    def taken(self) -> list[tuple[str, str]]:
        """The calls since the last time."""
        found, self._made = self._made, []
        return found

    async def write(self, verb: str, name: str) -> None:
        """Counts a write, or stops the process."""
        if self.writes_left == 0:
            raise Stopped
        if self.writes_left is not None:
            self.writes_left -= 1
        self._made.append((verb, name))
        if self.before_write is not None:
            await self.before_write(name)

    def ask(self) -> None:
        """Counts a dry run."""
        self._made.append(("try", ""))

    def read(self, name: str) -> None:
        """Counts a read."""
        self._made.append(("get", name))


class CountedEncoded(EncodedClient):
    """Counts, then does it."""

    def __init__(self, client: Client, calls: Calls) -> None:
        self._writes = client.encoded
        self._calls = calls

    @override
    async def create(self, encoded: EncodedObject) -> ObjectMeta:
        await self._calls.write("create", encoded.key.name)
        return await self._writes.create(encoded)

    @override
    async def update(self, encoded: EncodedObject) -> ObjectMeta:
        await self._calls.write("update", encoded.key.name)
        return await self._writes.update(encoded)


class CountedClient(FleetClient):
    """Counts, then does it."""

    def __init__(self, client: Client, calls: Calls) -> None:
        self._client = client
        self._calls = calls
        self._encoded = CountedEncoded(client, calls)

    @property
    @override
    def encoded(self) -> EncodedClient:
        return self._encoded

    @override
    async def get(self, kind: type[K], key: NamespacedName) -> K:
        self._calls.read(key.name)
        return await self._client.get(kind, key)

    @override
    async def create(self, obj: K, *, is_dry_run: bool = False) -> K:
        if is_dry_run:
            self._calls.ask()
        else:
            await self._calls.write("create", obj.key.name)
        return await self._client.create(obj, is_dry_run=is_dry_run)

    @override
    async def update(self, obj: K) -> K:
        await self._calls.write("update", obj.key.name)
        return await self._client.update(obj)

    @override
    async def delete(
        self, kind: type[KubeObject], key: NamespacedName, *, uid: UID | None, resource_version: str | None
    ) -> None:
        await self._calls.write("delete", key.name)
        await self._client.delete(kind, key, uid=uid, resource_version=resource_version)


class FleetLab:
    """A driver and Nodes of their own on an API server, for one test."""

    def __init__(self, client: Client, api: ResourceApi, minor: int) -> None:
        self.client = client
        self.api = api
        self.minor = minor
        self.driver = f"gpu-{uuid.uuid4().hex[:6]}.example.com"
        self.mark = f"{self.driver}/published"
        self.nodes: dict[str, UID] = {}

    async def add_node(self) -> str:
        """A Node, which offers nothing yet; returns its name."""
        name = f"node-{uuid.uuid4().hex[:6]}"
        self.nodes[name] = (await self.client.create(Node(metadata=ObjectMeta(name=name)))).uid
        return name

    def pool(self, node: str, *parts: Sequence[v1.Device], **fields: Any) -> FleetPool:
        """What a node is to offer."""
        devices = tuple(device for part in parts for device in part)
        return FleetPool(Pool(node, devices, node_name=node, **fields), self.nodes[node])

    async def slices(self) -> tuple[v1.ResourceSlice, ...]:
        """What the API server has, by name."""
        return (await self.client.list(self.api.slices, field_selector=f"spec.driver={self.driver}")).items

    @contextlib.asynccontextmanager
    async def process(self, source: Source | None = None) -> AsyncIterator["FleetProcess"]:
        """A process that publishes what a source says, with its cache synced."""
        async with asyncio.TaskGroup() as group:
            process = FleetProcess(self, source or Source())
            task = group.create_task(process.cache.run())
            await process.cache.wait_for_sync()
            yield process
            task.cancel()

    async def clean(self) -> None:
        """Deletes what the test has left."""
        for one in await self.slices():
            await self.client.delete(self.api.slices, one.key)
        for name in self.nodes:
            await self.client.delete(Node, NamespacedName("", name))


class FleetProcess:
    """One process with a publisher. Its passes are the test's, unless its controller runs."""

    def __init__(self, lab: FleetLab, source: Source) -> None:
        self.calls = Calls()
        self.source = source
        self.observer = Observer()
        self.time = 0.0
        self.cache = Cache(lab.client)
        self.publisher = FleetPublisher(
            lab.api,
            lab.driver,
            self.source,
            self.cache,
            CountedClient(lab.client, self.calls),
            self.observer,
            server_version=lab.client.discovery.server_version,
            clock=lambda: self.time,
        )
        self.informer = self.cache.informer(
            lab.api.slices, field_selector=f"spec.driver={lab.driver}", metadata_only=True
        )
        self._changed = asyncio.Event()
        self.informer.subscribe(lambda _: self._changed.set())
        self.observer.on_told = self._changed.set

    async def publish(self, node: str, pool: FleetPool) -> Result:
        """The node offers that, and one pass is made; what it returned."""
        self.source.pools[node] = pool
        return await self.look(node)

    async def look(self, node: str) -> Result:
        """One pass."""
        return await self.publisher.reconcile(Request("", node))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The controller runs, as for a leader."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.publisher.controller.run())
            for node in self.source.pools:
                self.publisher.changed(node)
            yield
            task.cancel()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until that is so, which is asked whenever a slice has changed or something was told."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


def offered(slices: Sequence[v1.ResourceSlice], pool: str) -> list[str] | None:
    """The devices that a scheduler can allocate from a pool; None while it is not complete."""
    there = [one for one in slices if one.spec.pool.name == pool]
    newest = max((one.spec.pool.generation for one in there), default=0)
    counted = [one for one in there if one.spec.pool.generation == newest]
    if any(one.spec.pool.resource_slice_count != len(counted) for one in counted):
        return None
    return [device.name for one in counted for device in one.spec.devices]
