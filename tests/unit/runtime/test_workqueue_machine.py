"""The work queue against a model of it, and against workers that race, in random orders of calls."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter
from fake_dra_driver.runtime.workqueue import ShutDownError, WorkQueue

T = TypeVar("T")

KEYS = st.sampled_from("abcd")
DELAYS = st.integers(0, 8)


class QueueMachine(RuleBasedStateMachine):
    """Each rule does the same to the queue and to the model; their answers have to be the same."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop(start=0, _enabled=True)
        self.queue: WorkQueue[str] = WorkQueue(ExponentialRateLimiter(1, 8))
        self.now = 0
        self.ready: list[str] = []
        self.dirty: set[str] = set()
        self.processing: set[str] = set()
        self.delayed: dict[str, tuple[int, int]] = {}
        self.failures: dict[str, int] = {}
        self.number = 0

    def teardown(self) -> None:
        self.call(self.drain())
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def do(self, name: str, *args: Any) -> None:
        getattr(self.queue, name)(*args)

    # --- The model ---

    def model_add(self, key: str) -> None:
        self.delayed.pop(key, None)
        if key not in self.dirty:
            self.dirty.add(key)
            if key not in self.processing:
                self.ready.append(key)

    def model_add_after(self, key: str, delay: int) -> None:
        if delay == 0:
            self.model_add(key)
        elif key not in self.dirty and self.now + delay < self.delayed.get(key, (1 << 60, 0))[0]:
            self.number += 1
            self.delayed[key] = (self.now + delay, self.number)

    # --- Rules ---

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.call(self.do("add", key))
        self.model_add(key)

    @rule(key=KEYS, delay=DELAYS)
    def add_after(self, key: str, delay: int) -> None:
        self.call(self.do("add_after", key, delay))
        self.model_add_after(key, delay)

    @rule(key=KEYS)
    def add_rate_limited(self, key: str) -> None:
        self.call(self.do("add_rate_limited", key))
        failures = self.failures.get(key, 0)
        self.failures[key] = failures + 1
        self.model_add_after(key, min(2**failures, 8))

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.call(self.do("forget", key))
        self.failures.pop(key, None)

    @rule(seconds=st.integers(1, 10))
    def let_time_pass(self, seconds: int) -> None:
        self.call(self.sleep(seconds))
        self.now += seconds
        for key, (at, _) in sorted(self.delayed.items(), key=lambda item: item[1]):
            if at <= self.now:
                self.model_add(key)

    @precondition(lambda self: self.ready)
    @rule()
    def get(self) -> None:
        key = self.call(self.queue.get())
        assert key not in self.processing, "two workers on one key"
        assert key == self.ready.pop(0)
        self.dirty.remove(key)
        self.processing.add(key)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.processing)))
        self.call(self.do("done", key))
        self.processing.remove(key)
        if key in self.dirty:
            self.ready.append(key)

    @invariant()
    def one_entry_a_key(self) -> None:
        assert len(self.queue) == len(self.ready) == len(set(self.ready))
        assert not self.delayed.keys() & self.dirty
        for key in "abcd":
            assert self.queue.num_requeues(key) == self.failures.get(key, 0)

    # --- The end ---

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await asyncio.sleep(0)  # timers of this very moment that are behind ours

    async def drain(self) -> None:
        """Nothing is lost: whatever the model still owes comes out of the queue."""
        for key in sorted(self.processing):
            self.queue.done(key)
        await self.sleep(100)
        owed = {*self.ready, *self.dirty, *self.delayed}
        found = [await self.queue.get() for _ in range(len(self.queue))]
        assert sorted(found) == sorted(owed)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@settings(max_examples=100, deadline=None)
@given(
    adds=st.lists(st.tuples(st.integers(0, 20), KEYS, st.integers(0, 6)), max_size=30),
    durations=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    workers=st.integers(1, 4),
)
def test_racing_workers_lose_nothing_and_never_share_a_key(
    adds: list[tuple[int, str, int]], durations: list[int], workers: int
) -> None:
    loop = looptime.new_event_loop(start=0, _enabled=True)
    queue: WorkQueue[str] = WorkQueue()
    busy: set[str] = set()
    began: dict[str, float] = {}
    due: dict[str, float] = {}
    passes = 0

    async def work() -> None:
        nonlocal passes
        while True:
            try:
                key = await queue.get()
            except ShutDownError:
                return
            assert key not in busy, "two workers on one key"
            busy.add(key)
            began[key] = loop.time()
            passes += 1
            await asyncio.sleep(durations[passes % len(durations)])
            busy.remove(key)
            queue.done(key)

    async def add() -> None:
        for at, key, delay in sorted(adds):
            await asyncio.sleep(at - loop.time())
            queue.add_after(key, delay)
            # Merged with an earlier wish, it has to be served at that wish's moment or later, but not before now.
            due[key] = max(due.get(key, 0), loop.time())
        await asyncio.sleep(1000)
        queue.shut_down()

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(work(), name=f"worker-{number}")
            group.create_task(add(), name="adds")

    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
    assert {key: at for key, at in due.items() if began.get(key, -1) < at} == {}, "keys whose last add was never served"
    assert passes <= len(adds)
