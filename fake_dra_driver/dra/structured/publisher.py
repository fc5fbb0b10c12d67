"""Keeps the ResourceSlices of a driver in line with its devices, whatever happens to them.

Follows the resource slice controller of k8s.io/dynamic-resource-allocation. Where it differs: what others do to the
slices is repaired at once and not after 30 s, since a kubelet deletes them when it starts and when a plugin was away;
and a fight with another writer is slowed down instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.structured.featuregates import dropped_fields
from fake_dra_driver.dra.structured.pool import Pool, WantedSlice, is_name_of_pool, slices_of
from fake_dra_driver.dra.structured.poollimits import check_pools
from fake_dra_driver.dra.structured.publishobserver import PublishObserver, SilentPublishObserver
from fake_dra_driver.dra.structured.slices import Accepted, Plan, SliceUpdate, is_owned_by, plan_pool
from fake_dra_driver.dra.structured.slicespec import says
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.clock import Clock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    InvalidObjectError,
    NotFoundError,
    RetryError,
    RuntimeLayerError,
)
from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter, TokenBucket
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["SliceClient", "SlicePublisher"]

_FIRST_BACKOFF_SECONDS: Final = 0.05
_MAX_BACKOFF_SECONDS: Final = 30.0
"""A node without slices gets no pods, so an API server that is back is noticed sooner than client-go's 1,000 s."""
_REPAIRS_AT_ONCE: Final = 10
_REPAIR_PAUSE_SECONDS: Final = 10.0
"""Pause between repairs beyond those: of two writers that undo each other's work, at least this one is slow."""
_RETRY_DROPPED_SECONDS: Final = 3600.0
"""How often fields that the API server dropped are sent again. A gate is switched on by a restart of the API server,
which nothing tells a driver; a restart of the driver sends them at once. Where it is still off, the write changes
nothing."""

log = logger.bind(component="slices")
K = TypeVar("K", bound=KubeObject)


class SliceClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads an object."""
        ...

    async def create(self, obj: K) -> K:
        """Creates an object."""
        ...

    async def update(self, obj: K) -> K:
        """Replaces an object."""
        ...

    async def delete(
        self, kind: type[KubeObject], key: NamespacedName, *, uid: UID | None, resource_version: str | None
    ) -> None:
        """Deletes an object, if it is still this one in this version."""
        ...


@dataclass(frozen=True, slots=True)
class _Work:
    """What a pass does about one pool."""

    name: str
    pool: Pool | None
    """None: it is not wanted, or not any more."""
    plan: Plan
    is_repair: bool
    """Whether all was as it should be before, so that the plan is about what others have changed."""


@dataclass(frozen=True, slots=True)
class _Dropping:
    """A slice of which the API server keeps a part only."""

    accepted: Accepted
    expires: float
    """When to find out whether that is still so."""


class SlicePublisher(Reconciler):
    """Publishes the pools of one node, or of the whole cluster.

    Nothing is deleted when it stops: during a rolling update the next plugin finds the slices as it wants them, and a
    node whose plugin restarts keeps its devices on offer. What is left behind when a driver is uninstalled, the kubelet
    deletes (Kubernetes 1.32 at once, later ones 30 s after the plugin is gone); with the Node, its slices go too.

    Args:
        api: the version of ``resource.k8s.io`` that the cluster serves.
        driver: the name of the driver.
        node_name: whose devices these are; None for pools without a node. All slices in the driver's name for that node
            are this publisher's: what others make there is deleted.
        cache: gets an informer for them.
        client: writes them.
        observer: is told of repairs, and of fields that the API server drops.
    """

    def __init__(
        self,
        api: ResourceApi,
        driver: str,
        node_name: str | None,
        cache: Cache,
        client: SliceClient,
        observer: PublishObserver | None = None,
        *,
        clock: Clock = loop_time,
    ) -> None:
        self._api = api
        self._driver = driver
        self._node_name = node_name
        self._client = client
        self._observer = observer or SilentPublishObserver()
        self._clock = clock
        self._slices = cache.informer(
            api.slices, field_selector=f"spec.driver={driver},spec.nodeName={node_name or ''}"
        )
        self._request = Request("", driver)
        # One for all pools: a node has one as a rule, and passes over a few dozen slices in memory are cheap.
        self._pools: Mapping[str, Pool] | None = None
        # None until the driver has said what it has: before that nothing may be deleted.
        self._settled: dict[str, Pool] = {}
        # The pools that have been seen or made as they were wanted.
        self._has_settled = False
        # Whether that was so of all of them once.
        self._dropping: dict[str, _Dropping] = {}
        # By name of the slice.
        self._told: dict[str, set[str]] = {}
        # By name of the pool: the dropped fields that the observer knows of.
        self._troubles: dict[str, str] = {}
        # By name of the pool: why the last pass could not settle it.
        self._repairs = TokenBucket(1 / _REPAIR_PAUSE_SECONDS, _REPAIRS_AT_ONCE)
        self._is_slow = False
        # Whether the last repair has to wait.
        self.controller = Controller(
            "resourceslice",
            self,
            rate_limiter=ExponentialRateLimiter(_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS),
        )
        self.controller.watch(self._slices, lambda _change: (self._request,))

    def publish(self, pools: Iterable[Pool]) -> None:
        """From now on these are the pools. Returns at once; nothing is written where nothing differs.

        Raises:
            PoolError: the API server, or a scheduler, would refuse what a pool says. The pools before are kept.
        """
        pools = tuple(pools)
        check_pools(self._driver, self._node_name, pools)
        self._pools = {pool.name: pool for pool in pools}
        self._troubles.clear()
        self.controller.enqueue(self._request)

    async def run(self) -> None:
        """Publishes until cancelled. Waits for nothing but the first list of the slices that exist."""
        await self._slices.wait_for_sync()
        await self.controller.run()

    def not_published_reason(self) -> str | None:
        """Why the devices cannot be allocated yet; None once all pools have been published as they are now wanted.

        What happens to the slices later is no reason: that is repaired, and a plugin that is not ready repairs nothing.
        """
        reason = self._reason()
        return None if reason is None else f"the ResourceSlices are not published yet: {reason}"

    def _reason(self) -> str | None:
        if self._pools is None:
            return "the devices are not known yet"
        if not self._slices.has_synced:
            return "the API server has not listed those that exist yet"
        for name, pool in sorted(self._pools.items()):
            if self._settled.get(name) != pool:
                return f"pool {name}: {self._troubles.get(name, 'they are being written')}"
        return None

    @override
    async def reconcile(self, request: Request) -> Result:
        if self._pools is None or not self._slices.has_synced:
            return Result()
        works = self._plan(self._pools)
        unreadable = self._slices.invalid()
        is_repair = bool(unreadable) or any(work.is_repair for work in works)
        may_repair = not is_repair or self._may_repair()
        failures: list[Exception] = []
        if may_repair:
            await self._delete_unreadable(unreadable, failures)
        for work in works:
            if may_repair or not work.is_repair:
                try:
                    await self._write(work)
                except RuntimeLayerError as error:
                    # The other pools do not wait for this one.
                    self._troubles[work.name] = str(error)
                    failures.append(error)
        if failures:
            raise ExceptionGroup("not all ResourceSlices could be written", failures)
        if not may_repair:
            return Result(requeue_after=_REPAIR_PAUSE_SECONDS)
        self._has_settled = True
        return self._look_again()

    def _may_repair(self) -> bool:
        if self._repairs.try_take(self._clock()):
            self._is_slow = False
            return True
        if not self._is_slow:
            self._is_slow = True
            log.warning("Another writer keeps changing the ResourceSlices", pause_seconds=_REPAIR_PAUSE_SECONDS)
        return False

    # --- what to do ---

    def _plan(self, pools: Mapping[str, Pool]) -> Sequence[_Work]:
        """For each pool that is wanted or exists, what is to be written."""
        existing: dict[str, list[v1.ResourceSlice]] = {name: [] for name in (*pools, *self._settled)}
        for one in self._slices.list():
            existing.setdefault(one.spec.pool.name, []).append(one)
        wanted = {name: slices_of(self._driver, pool) for name, pool in pools.items()}
        return [
            self._plan_pool(name, pools.get(name), wanted.get(name, ()), there)
            for name, there in sorted(existing.items())
        ]

    def _plan_pool(
        self, name: str, pool: Pool | None, wanted: Sequence[WantedSlice], existing: Sequence[v1.ResourceSlice]
    ) -> _Work:
        now = self._clock()
        accepted = {name: one.accepted for name, one in self._dropping.items() if one.expires > now}
        plan = plan_pool(wanted, existing, accepted, owner=self._node_name)
        is_asking_again = any(self._is_dropping(update.before.metadata.name) for update in plan.updates)
        # A pool that was wanted until now is removed by the driver itself.
        was_right = self._has_settled and name not in self._settled if pool is None else self._settled.get(name) == pool
        return _Work(name, pool, plan, is_repair=bool(plan) and was_right and not is_asking_again)

    def _is_dropping(self, name: str) -> bool:
        return name in self._dropping and self._dropping[name].expires <= self._clock()

    def _look_again(self) -> Result:
        """To be called when all is written: what has expired was sent again, or did not have to be."""
        now = self._clock()
        self._dropping = {name: one for name, one in self._dropping.items() if one.expires > now}
        if not self._dropping:
            return Result()
        return Result(requeue_after=min(one.expires for one in self._dropping.values()) - now)

    # --- doing it ---

    async def _write(self, work: _Work) -> None:
        if work.pool is not None and self._settled.get(work.name) != work.pool:
            # From here on it is neither what it was nor yet what it is to be.
            self._settled.pop(work.name, None)
        removed: list[str] = []
        corrected: list[str] = []
        restored: list[str] = []
        try:
            for obsolete in work.plan.deletes:
                await self._delete(obsolete.key, obsolete.uid, obsolete.metadata.resource_version)
                removed.append(obsolete.metadata.name)
            owners = await self._owners(work.plan)
            for update in work.plan.updates:
                await self._update(work.name, update, owners)
                if update.is_wrong:
                    corrected.append(update.before.metadata.name)
            for wanted in work.plan.creates:
                await self._create(work.name, wanted, owners)
                restored.append(wanted.name)
        finally:
            self._tell(work, removed, corrected, restored)
        if work.pool is None:
            self._settled.pop(work.name, None)
        else:
            self._settled[work.name] = work.pool
        self._troubles.pop(work.name, None)
        if work.plan:
            log.info(
                "ResourceSlices published",
                pool=work.name,
                deleted=len(removed),
                updated=len(work.plan.updates),
                created=len(restored),
            )

    async def _owners(self, plan: Plan) -> tuple[OwnerReference, ...]:
        """What makes slices go with their Node, if any of the plan needs to be told.

        Asked for each time: a Node may have been deleted and registered again.
        """
        node = self._node_name
        if node is None or not (plan.creates or any(not is_owned_by(one.before, node) for one in plan.updates)):
            return ()
        uid = (await self._client.get(Node, NamespacedName("", node))).uid
        return (OwnerReference(api_version="v1", kind="Node", name=node, uid=uid, controller=True),)

    async def _delete(self, key: NamespacedName, uid: UID, resource_version: str) -> None:
        try:
            await self._client.delete(self._api.slices, key, uid=uid, resource_version=resource_version)
        except NotFoundError as error:
            # It is gone, which is what was wanted; the watch is about to tell.
            log.debug("ResourceSlice was gone already", slice=key.name, error=str(error))

    async def _delete_unreadable(self, refused: Sequence[InvalidObjectError], failures: list[Exception]) -> None:
        """Deletes what the model refuses: it cannot be updated, and a scheduler may be able to read it."""
        for each in refused:
            log.warning("A ResourceSlice that cannot be read is deleted", slice=each.key.name, error=str(each))
            try:
                await self._delete(each.key, UID(each.metadata["uid"]), each.metadata["resourceVersion"])
            except RuntimeLayerError as error:
                failures.append(error)

    async def _update(self, pool: str, update: SliceUpdate, owners: tuple[OwnerReference, ...]) -> None:
        changes: dict[str, object] = {"spec": update.spec}
        if self._node_name is not None and not is_owned_by(update.before, self._node_name):
            changes["metadata"] = update.before.metadata.model_copy(update={"owner_references": owners})
        try:
            stored = await self._client.update(update.before.model_copy(update=changes))
        except NotFoundError as error:
            # It was deleted: the watch is about to tell.
            raise RetryError(str(error)) from error
        self._compare(pool, stored.metadata.name, update.spec, stored.spec)

    async def _create(self, pool: str, wanted: WantedSlice, owners: tuple[OwnerReference, ...]) -> None:
        metadata = ObjectMeta(name=wanted.name, owner_references=owners)
        try:
            stored = await self._client.create(self._api.slices(metadata=metadata, spec=wanted.spec))
        except AlreadyExistsError as error:
            # Its answer was lost, or another plugin of this node was faster: the watch is about to tell.
            raise RetryError(str(error)) from error
        self._compare(pool, wanted.name, wanted.spec, stored.spec)

    # --- what becomes of it ---

    def _compare(self, pool: str, name: str, sent: v1.ResourceSliceSpec, stored: v1.ResourceSliceSpec) -> None:
        """Takes what the API server has made of a slice for what is wanted, or the slice would be written for ever."""
        self._dropping.pop(name, None)
        if says(stored, sent):
            return
        self._dropping[name] = _Dropping(Accepted(sent, stored), self._clock() + _RETRY_DROPPED_SECONDS)
        dropped = dropped_fields(sent, stored)
        told = self._told.setdefault(pool, set())
        if dropped is not None and not told.issuperset(dropped.fields):
            told.update(dropped.fields)
            log.warning("The API server drops fields of ResourceSlices", pool=pool, dropped=str(dropped))
            self._observer.fields_dropped(pool, dropped)

    def _tell(self, work: _Work, removed: list[str], corrected: list[str], restored: list[str]) -> None:
        foreign = [name for name in removed if work.is_repair or not is_name_of_pool(name, self._driver, work.name)]
        if foreign:
            self._observer.slices_removed(work.name, foreign)
        if work.is_repair and corrected:
            self._observer.slices_corrected(work.name, corrected)
        if work.is_repair and restored:
            self._observer.slices_restored(work.name, restored)
