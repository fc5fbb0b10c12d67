"""The queue between watches and workers: client-go's rate-limiting work queue for asyncio.

Invariants, for each key at each moment:

- it is in at most one of the three places ready, delayed, and dirty-while-processing: one entry a key;
- at most one worker has it; added again meanwhile, it is handed out again after ``done``, so no change is missed;
- added while delayed, the earlier of the two moments counts (as in controller-runtime's priority queue; client-go's
  delaying queue would hand the key out twice).

Keys are handed out in the order in which they became ready. Nothing here is thread-safe: all calls come from the loop.
What it refuses to do: hold objects, or any reason why a key was added. Follows k8s.io/client-go/util/workqueue.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.metrics import QueueMetrics
from fake_dra_driver.runtime.ratelimiter import RateLimiter, default_rate_limiter

__all__ = ["ShutDownError", "WorkQueue"]

K = TypeVar("K", bound=Hashable)

_SPARE_HEAP_ENTRIES = 64
"""Void entries that are not worth a rebuild of the heap."""


class ShutDownError(Exception):
    """The queue was shut down and holds nothing more to hand out: the worker is to end."""


class WorkQueue(Generic[K]):
    """Keys that wait for a worker."""

    def __init__(self, rate_limiter: RateLimiter[K] | None = None) -> None:
        self._rate_limiter: RateLimiter[K] = rate_limiter if rate_limiter is not None else default_rate_limiter()
        self._ready: deque[K] = deque()
        """Keys to hand out. Each is in ``_dirty`` and not in ``_processing``."""
        self._dirty: dict[K, float] = {}
        """Keys that need a worker's look, with the moment since when. Those being processed wait for their ``done``."""
        self._processing: dict[K, float] = {}
        """Keys that a worker has, with the moment since when."""
        self._delayed: dict[K, tuple[float, int]] = {}
        """Keys for later: moment and number of the heap entry that counts. Disjoint from ``_dirty``."""
        self._heap: list[tuple[float, int, K]] = []
        """Delayed keys by moment. Entries that ``_delayed`` does not confirm are void."""
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        """Fires when the first entry of the heap is due."""
        self._waiters: deque[asyncio.Future[None]] = deque()
        """Workers in ``get``, the longest waiting first. A cancelled one is in here until it notices."""
        self._shutting_down = False
        self._idle = asyncio.Event()
        """Set while nothing is ready and nothing is processed, once the queue is shutting down."""
        self._metrics: QueueMetrics | None = None

    def __len__(self) -> int:
        """How many keys are ready to be handed out."""
        return len(self._ready)

    @property
    def is_shutting_down(self) -> bool:
        """Whether ``shut_down`` or ``shut_down_with_drain`` was called."""
        return self._shutting_down

    # --- Adding ------------------------------------------------------------------------------------------------

    def add(self, key: K) -> None:
        """Hands the key to the next free worker, or again after ``done`` if one has it. Ignored after a shutdown."""
        if self._shutting_down or key in self._dirty:
            return
        self._delayed.pop(key, None)
        self._dirty[key] = loop_time()
        if self._metrics is not None:
            self._metrics.adds.inc()
            self._metrics.depth.inc()
        if key not in self._processing:
            self._make_ready(key)

    def add_after(self, key: K, delay_seconds: float) -> None:
        """Adds the key once ``delay_seconds`` have passed, unless it is due earlier anyway."""
        if self._shutting_down:
            return
        if self._metrics is not None:
            self._metrics.retries.inc()  # client-go counts every delayed add as a retry
        if delay_seconds <= 0:
            self.add(key)
            return
        at = loop_time() + delay_seconds
        earlier = self._delayed.get(key)
        if key in self._dirty or (earlier is not None and earlier[0] <= at):
            return
        number = next(self._numbers)
        self._delayed[key] = (at, number)
        heapq.heappush(self._heap, (at, number, key))
        if len(self._heap) > 2 * len(self._delayed) + _SPARE_HEAP_ENTRIES:
            self._heap = [(at, number, key) for key, (at, number) in self._delayed.items()]
            heapq.heapify(self._heap)
        self._arm_timer()

    def add_rate_limited(self, key: K, *, at_least_seconds: float = 0) -> None:
        """Adds the key once the rate limiter allows it, and not before ``at_least_seconds`` (as from Retry-After)."""
        self.add_after(key, max(self._rate_limiter.when(key), at_least_seconds))

    def forget(self, key: K) -> None:
        """Tells the rate limiter that the key is fine. The key itself stays where it is."""
        self._rate_limiter.forget(key)

    def num_requeues(self, key: K) -> int:
        """How often the key was added rate-limited since it was last forgotten."""
        return self._rate_limiter.num_requeues(key)

    # --- Working -----------------------------------------------------------------------------------------------

    async def get(self) -> K:
        """Waits for a key and hands it out; call ``done`` with it afterwards, whatever happens.

        Raises:
            ShutDownError: the queue was shut down and nothing is left.
        """
        while not self._ready:
            if self._shutting_down:
                raise ShutDownError
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                with suppress(ValueError):
                    self._waiters.remove(waiter)
                # Woken and cancelled in the same turn of the loop: the key is for another worker.
                if waiter.done() and not waiter.cancelled() and self._ready:
                    self._wake_one()
                raise
        key = self._ready.popleft()
        added = self._dirty.pop(key)
        self._processing[key] = now = loop_time()
        if self._metrics is not None:
            self._metrics.depth.dec()
            self._metrics.queue_duration.observe(now - added)
        return key

    def done(self, key: K) -> None:
        """The worker is finished with the key, which is ready again if it was added meanwhile.

        Raises:
            ValueError: no worker has the key.
        """
        began = self._processing.pop(key, None)
        if began is None:
            raise ValueError(f"done({key}): the key was not handed out")
        if self._metrics is not None:
            self._metrics.work_duration.observe(loop_time() - began)
        if key in self._dirty:
            self._make_ready(key)
        self._note_idle()

    # --- The end -----------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """Takes no more keys and drops the delayed ones. What is ready is still handed out; then ``get`` raises."""
        self._shutting_down = True
        self._delayed.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiters:
            self._wake_one()
        self._note_idle()

    async def shut_down_with_drain(self) -> None:
        """As ``shut_down``, and waits until workers have taken and finished everything that was ready."""
        self.shut_down()
        await self._idle.wait()

    # --- Metrics -----------------------------------------------------------------------------------------------

    def use_metrics(self, metrics: QueueMetrics) -> None:
        """Counts into ``metrics`` from now on, as if the keys that wait had just been added."""
        self._metrics = metrics
        metrics.adds.inc(len(self._dirty))
        metrics.depth.inc(len(self._dirty))

    def refresh_metrics(self) -> None:
        """Brings those metrics up to date that change by the mere passing of time; to be called before a scrape."""
        if self._metrics is not None:
            now = loop_time()
            ages = [now - began for began in self._processing.values()]
            self._metrics.unfinished_work.set(sum(ages))
            self._metrics.longest_running.set(max(ages, default=0))

    # --- Inside ------------------------------------------------------------------------------------------------

    def _make_ready(self, key: K) -> None:
        self._ready.append(key)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _note_idle(self) -> None:
        if self._shutting_down and not self._ready and not self._processing:
            self._idle.set()

    def _arm_timer(self) -> None:
        """Sets the timer for the first delayed key, and clears void entries in front of it."""
        while self._heap and self._delayed.get(self._heap[0][2], (0.0, -1))[1] != self._heap[0][1]:
            heapq.heappop(self._heap)
        due = self._heap[0][0] if self._heap else None
        if self._timer is not None:
            if due == self._timer.when():
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._add_due, due)

    def _add_due(self, due: float) -> None:
        self._timer = None
        # The loop may call a timer a little early (by its clock's resolution); what it was called for counts as due.
        now = max(loop_time(), due)
        while self._heap and self._heap[0][0] <= now:
            _, number, key = heapq.heappop(self._heap)
            if self._delayed.get(key, (0.0, -1))[1] == number:
                del self._delayed[key]
                self.add(key)
        self._arm_timer()
