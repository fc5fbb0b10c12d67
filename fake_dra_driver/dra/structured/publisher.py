"""Keeps the ResourceSlices of a driver in line with its devices, whatever happens to them.

Follows the resource slice controller of k8s.io/dynamic-resource-allocation. Where it differs: what others do to the
slices is repaired at once and not after 30 s, since a kubelet deletes them when it starts and when a plugin was away;
and a fight with another writer is slowed down instead.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.structured.acceptedslices import AcceptedSlices
from fake_dra_driver.dra.structured.featuregates import DroppedFields, dropped_fields
from fake_dra_driver.dra.structured.pool import Pool, PoolError, is_name_of_pool, must_count_beside, slices_of
from fake_dra_driver.dra.structured.poollimits import check_pools
from fake_dra_driver.dra.structured.publishobserver import PublishObserver, SilentPublishObserver
from fake_dra_driver.dra.structured.slices import Plan, plan_pool
from fake_dra_driver.dra.structured.slicewriter import SliceClient, SliceWriter, Written
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.clock import Clock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidError, InvalidObjectError, RuntimeLayerError
from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter, TokenBucket
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["SlicePublisher"]

_FIRST_BACKOFF_SECONDS: Final = 0.05
_MAX_BACKOFF_SECONDS: Final = 30.0
"""A node without slices gets no pods, so an API server that is back is noticed sooner than client-go's 1,000 s."""
_REPAIRS_AT_ONCE: Final = 10
_REPAIR_PAUSE_SECONDS: Final = 10.0
"""Pause between repairs beyond those: of two writers that undo each other's work, at least this one is slow."""

_SUPERSEDED_PAUSE_SECONDS: Final = 1.0
"""Until it is looked whether the newer publisher is still there. For as long as a rolling update takes on a node."""

_COUNTERS: Final = frozenset({"sharedCounters", "devices[].consumesCounters"})
"""The fields without which a device and its parts are independent of each other."""

log = logger.bind(component="slices")


async def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Work:
    """What a pass does about one pool."""

    name: str
    pool: Pool | None
    """None: it is not wanted, or not any more."""
    plan: Plan
    is_repair: bool
    """Whether all was as it should be before, so that the plan is about what others have changed."""


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
        is_superseded: whether a newer publisher of the same slices is at work, as that of the next release in a rolling
            update. What it has changed is then not changed again: it has the last word.
        server_version: the release of the API server, such as ``v1.37.2``, on which it depends where the counter sets
            of devices have to be. None: it is taken for one of the present.
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
        is_superseded: Callable[[], Awaitable[bool]] = _never,
        server_version: Callable[[], Awaitable[str]] | None = None,
        clock: Clock = loop_time,
    ) -> None:
        self._driver = driver
        self._node_name = node_name
        self._writer = SliceWriter(api, client, node_name)
        self._observer = observer or SilentPublishObserver()
        self._is_superseded = is_superseded
        self._server_version = server_version
        self._is_counted_beside: bool | None = None
        # None until it is asked for, and after each refusal: an API server may have been upgraded.
        self._are_counters_kept = False
        # Whether it is known that the API server keeps what devices use up in common.
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
        self._accepted = AcceptedSlices(clock)
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

        What others do to the slices later is no reason: it is repaired, and no person has to look into it.
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
        if self._is_counted_beside is None and any(pool.shared_counters for pool in self._pools.values()):
            self._is_counted_beside = await self._must_count_beside()
        try:
            works = self._plan(self._pools)
        except PoolError as error:
            self._troubles.update(dict.fromkeys(self._pools, str(error)))
            raise
        if await self._find_out(works):
            # The driver may offer something else, now that it has been told.
            return await self.reconcile(request)
        unreadable = self._slices.invalid()
        is_repair = bool(unreadable) or any(work.is_repair for work in works)
        if is_repair and await self._is_superseded():
            log.debug("Left to the newer publisher")
            return Result(requeue_after=_SUPERSEDED_PAUSE_SECONDS)
        may_repair = not is_repair or self._may_repair()
        failures: list[Exception] = []
        if may_repair:
            await self._delete_unreadable(unreadable, failures)
        for work in works:
            if may_repair or not work.is_repair:
                try:
                    await self._write(work)
                except RuntimeLayerError as error:
                    if isinstance(error, InvalidError):
                        self._is_counted_beside = None
                    # The other pools do not wait for this one.
                    self._troubles[work.name] = str(error)
                    failures.append(error)
        if failures:
            raise ExceptionGroup("not all ResourceSlices could be written", failures)
        if not may_repair:
            return Result(requeue_after=_REPAIR_PAUSE_SECONDS)
        self._has_settled = True
        return Result(requeue_after=self._accepted.next_expiry_seconds())

    async def _must_count_beside(self) -> bool:
        return self._server_version is not None and must_count_beside(await self._server_version())

    async def _find_out(self, works: Sequence[_Work]) -> bool:
        """Asks whether counters are kept, before devices are offered that use them up: without them, a scheduler could
        allocate a device and its parts. Returns whether the driver was told something new.
        """
        is_news = False
        for work in works:
            if self._are_counters_kept or not work.plan or (spec := self._counted(work.pool)) is None:
                continue
            dropped = await self._writer.dropped_of(spec)
            self._are_counters_kept = dropped is None or _COUNTERS.isdisjoint(dropped.fields)
            is_news = self._tell_dropped(work.name, dropped) or is_news
        return is_news

    def _counted(self, pool: Pool | None) -> v1.ResourceSliceSpec | None:
        """A slice of a pool whose devices use up counters."""
        wanted = () if pool is None else slices_of(self._driver, pool, is_counted_beside=bool(self._is_counted_beside))
        counted = (one.spec for one in wanted if any(device.consumes_counters for device in one.spec.devices))
        return next(counted, None)

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
        return [self._plan_pool(name, pools.get(name), there) for name, there in sorted(existing.items())]

    def _plan_pool(self, name: str, pool: Pool | None, existing: Sequence[v1.ResourceSlice]) -> _Work:
        is_counted_beside = bool(self._is_counted_beside)
        wanted = () if pool is None else slices_of(self._driver, pool, is_counted_beside=is_counted_beside)
        plan = plan_pool(wanted, existing, self._accepted.current(), owner=self._node_name)
        is_asking_again = any(self._accepted.is_expired(update.before.metadata.name) for update in plan.updates)
        # A pool that was wanted until now is removed by the driver itself.
        was_right = self._has_settled and name not in self._settled if pool is None else self._settled.get(name) == pool
        return _Work(name, pool, plan, is_repair=bool(plan) and was_right and not is_asking_again)

    # --- doing it ---

    async def _write(self, work: _Work) -> None:
        if work.pool is not None and self._settled.get(work.name) != work.pool:
            # From here on it is neither what it was nor yet what it is to be.
            self._settled.pop(work.name, None)
        written = Written()
        try:
            await self._writer.write(work.plan, written)
        finally:
            self._take_note(work, written)
        if work.pool is None:
            self._settled.pop(work.name, None)
        else:
            self._settled[work.name] = work.pool
        self._troubles.pop(work.name, None)

    async def _delete_unreadable(self, refused: Sequence[InvalidObjectError], failures: list[Exception]) -> None:
        """Deletes what the model refuses: it cannot be updated, and a scheduler may be able to read it."""
        for each in refused:
            log.warning("A ResourceSlice that cannot be read is deleted", slice=each.key.name, error=str(each))
            try:
                await self._writer.delete(each.key, UID(each.metadata["uid"]), each.metadata["resourceVersion"])
            except RuntimeLayerError as error:
                failures.append(error)

    # --- what becomes of it ---

    def _take_note(self, work: _Work, written: Written) -> None:
        """Takes over what has been written, and tells what there is to tell about it."""
        for name, accepted in written.answers.items():
            if self._accepted.take(name, accepted):
                self._tell_dropped(work.name, dropped_fields(accepted.sent, accepted.stored))
        if written.deleted or written.answers:
            log.info(
                "ResourceSlices written",
                pool=work.name,
                deleted=len(written.deleted),
                updated=len(written.answers) - len(written.created),
                created=len(written.created),
            )
        foreign = [
            name for name in written.deleted if work.is_repair or not is_name_of_pool(name, self._driver, work.name)
        ]
        if foreign:
            self._observer.slices_removed(work.name, foreign)
        if work.is_repair and written.corrected:
            self._observer.slices_corrected(work.name, written.corrected)
        if work.is_repair and written.created:
            self._observer.slices_restored(work.name, written.created)

    def _tell_dropped(self, pool: str, dropped: DroppedFields | None) -> bool:
        """Returns whether there is something that was not known."""
        told = self._told.setdefault(pool, set())
        if dropped is None or told.issuperset(dropped.fields):
            return False
        told.update(dropped.fields)
        log.warning("The API server drops fields of ResourceSlices", pool=pool, dropped=str(dropped))
        self._observer.fields_dropped(pool, dropped)
        return True
