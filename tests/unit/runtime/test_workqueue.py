import asyncio

import pytest

from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter
from fake_dra_driver.runtime.workqueue import ShutDownError, WorkQueue
from tests.unit.runtime.fakes import sample, settle

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def take(queue: WorkQueue[str]) -> str:
    key = await queue.get()
    queue.done(key)
    return key


# --- One entry a key, one worker a key ---


async def test_keys_come_out_in_order_and_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("b", "a", "b", "c", "a"):
        queue.add(key)
    assert len(queue) == 3
    assert [await take(queue) for _ in range(3)] == ["b", "a", "c"]
    assert len(queue) == 0


async def test_a_key_added_while_worked_on_is_handed_out_again_after_done_and_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0, "another worker must not get it"
    queue.done("a")
    assert len(queue) == 1
    assert await take(queue) == "a"
    assert len(queue) == 0


async def test_done_of_a_key_that_no_worker_has_is_an_error() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    with pytest.raises(ValueError, match="not handed out"):
        queue.done("a")


async def test_get_waits_and_the_longest_waiting_worker_gets_the_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    got: list[tuple[str, str]] = []

    async def work(name: str) -> None:
        got.append((name, await queue.get()))

    async with asyncio.TaskGroup() as group:
        for name in ("first", "second"):
            group.create_task(work(name), name=name)
        await settle()
        queue.add("a")
        queue.add("b")
    assert got == [("first", "a"), ("second", "b")]


async def test_a_worker_cancelled_in_the_moment_it_is_woken_leaves_the_key_to_another() -> None:
    queue: WorkQueue[str] = WorkQueue()
    got: list[str] = []

    async def work() -> None:
        got.append(await queue.get())

    async with asyncio.TaskGroup() as group:
        first = group.create_task(work(), name="first")
        group.create_task(work(), name="second")
        await settle()
        queue.add("a")
        first.cancel()
    assert got == ["a"]


async def test_a_cancelled_worker_is_not_woken() -> None:
    queue: WorkQueue[str] = WorkQueue()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(queue.get(), name="waiting")
        await settle()
        waiting.cancel()
    queue.add("a")
    assert await take(queue) == "a"


# --- Later ---


async def test_add_after_waits() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 5)
    assert len(queue) == 0
    assert await take(queue) == "a"
    assert now() == 5


@pytest.mark.parametrize("delays", [(5, 9), (9, 5)])
async def test_of_two_moments_the_earlier_counts_and_there_is_one_entry(delays: tuple[float, float]) -> None:
    queue: WorkQueue[str] = WorkQueue()
    for delay in delays:
        queue.add_after("a", delay)
    await take(queue)
    assert now() == 5
    await asyncio.sleep(100)
    assert len(queue) == 0


async def test_adding_now_takes_the_place_of_adding_later() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 5)
    queue.add("a")
    queue.add_after("a", 3)
    await take(queue)
    await asyncio.sleep(100)
    assert len(queue) == 0


async def test_a_delayed_key_that_comes_due_while_worked_on_waits_for_done() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.get()
    queue.add_after("a", 5)
    await asyncio.sleep(10)
    assert len(queue) == 0
    queue.done("a")
    assert await take(queue) == "a"


@pytest.mark.parametrize("delay", [0, -1])
async def test_no_delay_is_now(delay: float) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", delay)
    assert len(queue) == 1


async def test_delayed_keys_come_in_the_order_of_their_moments() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key, delay in (("c", 3), ("a", 1), ("b", 2), ("d", 3)):
        queue.add_after(key, delay)
    assert [(await take(queue), now()) for _ in range(4)] == [("a", 1), ("b", 2), ("c", 3), ("d", 3)]


@pytest.mark.parametrize("often", [50, 5000])
async def test_many_waits_that_a_change_cuts_short_leave_nothing_behind(often: float) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("rare", 1000)
    for _ in range(1000):
        queue.add_after("often", often)
        queue.add("often")
        await take(queue)
    assert len(queue._heap) < 200
    await asyncio.sleep(900)
    assert len(queue) == 0, "the other wait is not over"
    assert await take(queue) == "rare"
    assert now() == 1000
    await asyncio.sleep(10_000)
    assert len(queue) == 0


@pytest.mark.parametrize("moves", range(60, 80))
async def test_a_moment_that_moves_often_comes_before_a_later_one(moves: int) -> None:
    """Each move leaves a void entry behind; when these are cleared away, the others stay in their order."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("late", 1000)
    for move in range(moves):
        queue.add_after("moved", 900 - move)
    assert (await take(queue), now()) == ("moved", 900 - moves + 1)
    assert (await take(queue), now()) == ("late", 1000)


# --- Rate limit ---


async def test_rate_limited_keys_wait_longer_each_time_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue(ExponentialRateLimiter(1, 60))
    moments = []
    for _ in range(4):
        queue.add_rate_limited("a")
        await take(queue)
        moments.append(now())
    assert moments == [1, 3, 7, 15]
    assert queue.num_requeues("a") == 4
    queue.forget("a")
    assert queue.num_requeues("a") == 0
    queue.add_rate_limited("a")
    await take(queue)
    assert now() == 16


async def test_a_servers_wish_can_make_the_wait_longer_and_never_shorter() -> None:
    queue: WorkQueue[str] = WorkQueue(ExponentialRateLimiter(4, 60))
    queue.add_rate_limited("a", at_least_seconds=1)
    await take(queue)
    assert now() == 4
    queue.add_rate_limited("a", at_least_seconds=30)
    await take(queue)
    assert now() == 34


async def test_the_default_limit_is_client_gos() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_rate_limited("a")
    await take(queue)
    assert now() == pytest.approx(0.005)


# --- The end ---


async def test_after_shut_down_what_is_ready_is_handed_out_and_nothing_else() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add_after("later", 1)
    queue.shut_down()
    assert queue.is_shutting_down
    for add in (queue.add, queue.add_rate_limited):
        add("new")
    queue.add_after("new", 1)
    assert await take(queue) == "a"
    await asyncio.sleep(10)
    with pytest.raises(ShutDownError):
        await queue.get()


async def test_shut_down_wakes_all_waiting_workers() -> None:
    queue: WorkQueue[str] = WorkQueue()

    async def work() -> None:
        with pytest.raises(ShutDownError):
            await queue.get()

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(work(), name=f"worker-{number}")
        await settle()
        queue.shut_down()


async def test_drain_waits_until_the_ready_and_the_worked_on_are_done() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b"):
        queue.add(key)
    await queue.get()
    queue.add("a")
    async with asyncio.TaskGroup() as group:
        drain = group.create_task(queue.shut_down_with_drain(), name="drain")
        for key in ("b", "a"):
            await settle()
            assert not drain.done()
            queue.done("a") if key == "b" else None
            assert await queue.get() == key
            await settle()
            assert not drain.done()
            queue.done(key)
    assert drain.done()


async def test_drain_waits_for_a_key_that_is_only_worked_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await queue.get()
    async with asyncio.TaskGroup() as group:
        drain = group.create_task(queue.shut_down_with_drain(), name="drain")
        await asyncio.sleep(10)
        assert not drain.done()
        queue.done("a")


async def test_drain_of_an_empty_queue_ends_at_once() -> None:
    async with asyncio.timeout(1):
        await WorkQueue[str]().shut_down_with_drain()


# --- Metrics ---


async def test_metrics() -> None:
    metrics = Metrics()
    queue: WorkQueue[str] = WorkQueue(ExponentialRateLimiter(4, 60))
    await asyncio.sleep(1)
    queue.add("early")
    queue.use_metrics(metrics.for_queue("pod"))

    def value(name: str) -> float:
        queue.refresh_metrics()
        return sample(metrics.registry, f"workqueue_{name}", name="pod", controller="pod")

    assert (value("depth"), value("adds_total")) == (1, 1), "as if the key had been added after the metrics were"
    queue.add("a")
    queue.add("a")
    assert (value("depth"), value("adds_total")) == (2, 2)
    await asyncio.sleep(2)
    await queue.get()
    await asyncio.sleep(3)
    await queue.get()
    assert (value("queue_duration_seconds_count"), value("queue_duration_seconds_sum")) == (2, 2 + 5)
    await asyncio.sleep(4)
    assert (value("unfinished_work_seconds"), value("longest_running_processor_seconds")) == (7 + 4, 7)
    queue.add("a")
    assert value("depth") == 1, "dirty keys count, as in client-go"
    queue.done("early")
    queue.done("a")
    assert (value("work_duration_seconds_count"), value("work_duration_seconds_sum")) == (2, 7 + 4)
    assert (value("unfinished_work_seconds"), value("longest_running_processor_seconds")) == (0, 0)
    assert value("retries_total") == 0
    queue.add_rate_limited("b")
    queue.add_after("c", 1)
    assert value("retries_total") == 2
