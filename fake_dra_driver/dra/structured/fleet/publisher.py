"""Keeps the ResourceSlices of many nodes in line with what each offers, whatever happens to them.

Does for a fleet what ``dra.structured.publisher`` does for a node, with the metadata of the slices alone: thousands of
slices of 80 KB are neither held nor decoded. What has to be known of each is on the slice itself (``mark``), so that
neither a restart nor another leader writes anything where nothing has changed.

What it does not see are slices that others make in the driver's name for a node of the fleet, if they neither belong to
the Node nor have the publisher's mark.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.fleet.encoding import EncodedSlice, PoolEncoder
from fake_dra_driver.dra.structured.fleet.keptfields import KeptFields
from fake_dra_driver.dra.structured.fleet.mark import Mark
from fake_dra_driver.dra.structured.fleet.outage import Outage
from fake_dra_driver.dra.structured.fleet.plan import FleetPlan, SeenSlice, is_owned_by, plan_node
from fake_dra_driver.dra.structured.fleet.slicemessage import SliceMessages
from fake_dra_driver.dra.structured.fleet.source import FleetPool, FleetSource, Unchanged
from fake_dra_driver.dra.structured.fleet.target import REPAIR_PAUSE_SECONDS, Target
from fake_dra_driver.dra.structured.fleet.writer import FleetClient, FleetWriter, FleetWritten
from fake_dra_driver.dra.structured.pool import Pool, must_count_beside
from fake_dra_driver.dra.structured.publishobserver import PublishObserver, SilentPublishObserver
from fake_dra_driver.dra.structured.slices import published_annotation
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.clock import Clock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidError, InvalidObjectError, NotFoundError, RetryError
from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["FleetPublisher"]

_FIRST_BACKOFF_SECONDS: Final = 0.05
_MAX_BACKOFF_SECONDS: Final = 30.0
"""As for the publisher of one node."""
_WORKERS: Final = 8
"""Nodes that are written at once. An API server on two cores is busy with that many."""
_INDEX: Final = "node"

log = logger.bind(component="slices")


class FleetPublisher(Reconciler):
    """Publishes the pools of the nodes of a fleet: one pool for each node, whose slices go when the Node goes.

    Its ``controller`` is for the leader alone, and for its cache to be synced before. While it does not run, nothing is
    written; nothing is deleted when it stops.

    Args:
        api: the version of ``resource.k8s.io`` that the cluster serves.
        driver: the name of the driver.
        source: which nodes there are, and what they offer.
        cache: gets an informer for the metadata of the driver's slices.
        client: writes them.
        observer: is told of repairs; of fields that the API server drops, the source is told.
        workers: how many nodes are written at once.
        server_version: the release of the API server, such as ``v1.37.2``; as for ``SlicePublisher``.
        clock: in seconds.
    """

    def __init__(
        self,
        api: ResourceApi,
        driver: str,
        source: FleetSource,
        cache: Cache,
        client: FleetClient,
        observer: PublishObserver | None = None,
        *,
        workers: int = _WORKERS,
        server_version: Callable[[], Awaitable[str]] | None = None,
        clock: Clock = loop_time,
    ) -> None:
        self._api = api
        self._driver = driver
        self._annotation = published_annotation(driver)
        self._source = source
        self._client = client
        self._observer = observer or SilentPublishObserver()
        self._server_version = server_version
        self._is_counted_beside: bool | None = None
        # None until it is asked for, and after each refusal: an API server may have been upgraded.
        self._clock = clock
        self._encoder = PoolEncoder(api, driver)
        self._kept = KeptFields(clock)
        self._writer = FleetWriter(api, driver, client, self._kept)
        self._asking = asyncio.Lock()
        self._outage = Outage(clock)
        self._new: set[str] = set()
        # Nodes of which nothing was published yet; also those that cannot be, until that was tried.
        self._on_caught_up: list[Callable[[], None]] = []
        self._told: set[str] = set()
        # The dropped fields that the source knows of.
        self._targets: dict[str, Target] = {}
        # By node.
        self._nodes: dict[str, str] = {}
        # By what the names of a pool's slices have in common: the node.
        self._slices = cache.informer(api.slices, field_selector=f"spec.driver={driver}", metadata_only=True)
        self._slices.add_index(_INDEX, _owning_nodes)
        self.controller = Controller(
            "fleetslice",
            self,
            workers=workers,
            rate_limiter=ExponentialRateLimiter(_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS),
        )
        self.controller.watch(self._slices, self._requests)

    def changed(self, node: str) -> None:
        """What the source says about a node is to be looked at again. Returns at once."""
        if node not in self._targets:
            self._new.add(node)
        self.controller.enqueue(Request("", node))

    @property
    def is_behind(self) -> bool:
        """Whether there are nodes of which nothing was published yet, so that the scheduler cannot use them."""
        return bool(self._new)

    def when_caught_up(self, tell: Callable[[], None]) -> None:
        """``tell`` is called whenever ``is_behind`` has ceased to be so. In the event loop; must not raise."""
        self._on_caught_up.append(tell)

    def is_published(self, node: str) -> bool:
        """Whether the node's slices were as it offered them when it was last looked at."""
        target = self._targets.get(node)
        return target is not None and target.is_settled

    @override
    async def reconcile(self, request: Request) -> Result:
        if pause := self._outage.left_seconds():
            return Result(requeue_after=pause)
        try:
            return await self._publish(request.name)
        finally:
            if request.name in self._new:
                self._new.discard(request.name)
                if not self._new:
                    for tell in self._on_caught_up:
                        tell()

    async def _publish(self, node: str) -> Result:
        offered = await self._source.pool(node)
        if isinstance(offered, Unchanged):
            return Result()
        if offered is None:
            await self._withdraw(node)
            return Result()
        beside = await self._counts_beside(offered.pool)
        await SliceMessages.load()
        slices = self._encoder.encode(node, offered.pool, is_counted_beside=beside)
        if await self._find_out(slices, _owner(node, offered)):
            # It may offer something else, now that it has been told.
            return await self._publish(node)
        target = self._aim(node, offered, slices)
        seen = await self._seen(node, target.digests)
        plan = plan_node(slices, seen, target.owner, self._is_accepted)
        target.generation = plan.generation
        is_repair = target.is_settled
        if plan and is_repair and not self._may_repair(target):
            return Result(requeue_after=REPAIR_PAUSE_SECONDS)
        if plan:
            await self._write(node, offered, plan, is_repair=is_repair)
        target.is_settled = True
        gated = frozenset[str]().union(*(one.gated_fields for one in slices))
        return Result(requeue_after=self._kept.next_expiry_seconds(gated))

    def _aim(self, node: str, offered: FleetPool, slices: Sequence[EncodedSlice]) -> Target:
        """What the node's slices are to be from now on."""
        target = self._targets.get(node)
        digests = {one.name: one.digest for one in slices}
        if target is None or (target.owner, target.digests) != (offered.node_uid, digests):
            target = self._targets[node] = Target(offered.node_uid, digests)
            self._nodes |= dict.fromkeys(map(_common_name, digests), node)
        return target

    async def _counts_beside(self, pool: Pool) -> bool:
        if not pool.shared_counters or self._server_version is None:
            return False
        if self._is_counted_beside is None:
            self._is_counted_beside = must_count_beside(await self._server_version())
        return self._is_counted_beside

    def _is_accepted(self, one: EncodedSlice) -> bool:
        return self._kept.is_partial(one.gated_fields)

    async def _find_out(self, slices: Sequence[EncodedSlice], owner: OwnerReference) -> bool:
        """Asks, for one node and all others, what becomes of fields of which that is not known.

        Returns whether the source was told something new.
        """
        told = len(self._told)
        async with self._asking:
            for one in slices:
                if not self._kept.must_ask(one.gated_fields):
                    continue
                with self._outage.noted():
                    dropped = await self._writer.dropped_of(one, owner)
                if self._kept.take(one.gated_fields, dropped):
                    self._look_at_all()
                if dropped is not None:
                    self._tell_dropped(dropped)
        return len(self._told) > told

    def _may_repair(self, target: Target) -> bool:
        if target.may_repair(self._clock()):
            target.is_slow = False
            return True
        if not target.is_slow:
            target.is_slow = True
            log.warning("Another writer keeps changing the ResourceSlices", pause_seconds=REPAIR_PAUSE_SECONDS)
        return False

    # --- what is there ---

    def _requests(self, change: Change[v1.ResourceSlice]) -> Iterable[Request]:
        """The node whose slice has changed, unless it has changed to what it is to be."""
        there = change.new or change.old
        if there is None:
            return ()
        node = self._node_of(there.metadata)
        if node is None:
            return ()
        target, mark = self._targets.get(node), self._mark_of(there.metadata)
        if target is None:
            # One that is gone, or of a plugin, is nothing to this publisher.
            is_left = change.new is not None and mark is not None
            return (Request("", node),) if is_left else ()
        if change.new is not None and target.is_met_by(there.metadata, mark):
            return ()
        return (Request("", node),)

    def _node_of(self, metadata: ObjectMeta) -> str | None:
        owners = _owning_nodes_of(metadata)
        return owners[0] if owners else self._nodes.get(_common_name(metadata.name))

    def _mark_of(self, metadata: ObjectMeta) -> Mark | None:
        text = metadata.annotations.get(self._annotation)
        return None if text is None else Mark.read(text)

    async def _seen(self, node: str, names: Iterable[str]) -> Collection[SeenSlice]:
        """The slices of a node; those whose metadata does not say all have been read."""
        found = {one.metadata.name: one.metadata for one in self._slices.by_index(_INDEX, node)}
        for name in names:
            there = self._slices.get(NamespacedName("", name))
            if there is not None:
                found[name] = there.metadata
        seen = [SeenSlice(metadata, self._mark_of(metadata)) for _, metadata in sorted(found.items())]
        return [
            one if one.is_clear or (one.mark is not None and one.name not in names) else await self._read(one)
            for one in seen
        ]

    async def _read(self, one: SeenSlice) -> SeenSlice:
        key = NamespacedName("", one.name)
        try:
            there = await self._client.get(self._api.slices, key)
        except NotFoundError as error:
            # It was deleted: the watch is about to tell.
            raise RetryError(str(error)) from error
        except InvalidObjectError as error:
            if one.mark is None:
                raise
            log.warning("A ResourceSlice that cannot be read is deleted", slice=one.name, error=str(error))
            await self._writer.delete(one.metadata)
            raise RetryError(f"ResourceSlice {one.name} could not be read and was deleted") from error
        return SeenSlice(there.metadata, self._mark_of(there.metadata), there.spec)

    # --- what is done about it ---

    async def _write(self, node: str, offered: FleetPool, plan: FleetPlan, *, is_repair: bool) -> None:
        owner, written = _owner(node, offered), FleetWritten()
        try:
            with self._outage.noted():
                await self._writer.write(plan, owner, written)
        except InvalidError:
            self._is_counted_beside = None
            raise
        finally:
            self._tell(offered.pool.name, written, is_repair=is_repair)

    async def _withdraw(self, node: str) -> None:
        """Deletes what was published for a Node that lives on without being one of the fleet.

        The slices of one that is gone are the garbage collector's.
        """
        target = self._targets.pop(node, None)
        for name in () if target is None else target.digests:
            self._nodes.pop(_common_name(name), None)
        published = [
            one.metadata for one in self._slices.by_index(_INDEX, node) if self._mark_of(one.metadata) is not None
        ]
        if not published:
            return
        try:
            uid = (await self._client.get(Node, NamespacedName("", node))).uid
        except NotFoundError as error:
            log.debug("The Node is gone, and its slices go with it", error=str(error))
            return
        for metadata in published:
            if is_owned_by(metadata, uid):
                await self._writer.delete(metadata)
        log.info("ResourceSlices withdrawn", node=node, deleted=len(published))

    def _look_at_all(self) -> None:
        for node, target in self._targets.items():
            target.is_settled = False
            self.changed(node)

    # --- what is told about it ---

    def _tell(self, pool: str, written: FleetWritten, *, is_repair: bool) -> None:
        if not (written.deleted or written.updated or written.created):
            return
        log.debug(
            "ResourceSlices written",
            pool=pool,
            deleted=len(written.deleted),
            updated=len(written.updated),
            created=len(written.created),
        )
        if is_repair and written.deleted:
            self._observer.slices_removed(pool, written.deleted)
        if is_repair and written.corrected:
            self._observer.slices_corrected(pool, written.corrected)
        if is_repair and written.created:
            self._observer.slices_restored(pool, written.created)

    def _tell_dropped(self, dropped: DroppedFields) -> None:
        if not self._told.issuperset(dropped.fields):
            self._told.update(dropped.fields)
            log.warning("The API server drops fields of ResourceSlices", dropped=str(dropped))
            self._source.fields_dropped(dropped)


def _owner(node: str, offered: FleetPool) -> OwnerReference:
    return OwnerReference(api_version="v1", kind="Node", name=node, uid=offered.node_uid, controller=True)


def _common_name(name: str) -> str:
    """What the names of a pool's slices have in common (``pool.slices_of`` gives them)."""
    return name.partition("-")[2]


def _owning_nodes(one: v1.ResourceSlice) -> Sequence[str]:
    return _owning_nodes_of(one.metadata)


def _owning_nodes_of(metadata: ObjectMeta) -> Sequence[str]:
    return [owner.name for owner in metadata.owner_references if owner.kind == "Node"]
