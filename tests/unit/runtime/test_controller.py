import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from loguru import logger

from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    DeadlineError,
    ForbiddenError,
    InvalidObjectError,
    NotFoundError,
    RetryError,
    ServerError,
    Status,
    TerminalError,
    TooManyRequestsError,
    TransportError,
    as_runtime_error,
)
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.ratelimiter import ExponentialRateLimiter
from fake_dra_driver.runtime.reconcile import Request, Result
from fake_dra_driver.runtime.source import Source
from fake_dra_driver.runtime.store import Change
from tests.unit.runtime.fakes import FakeInformer, FakeReconciler, at_least, logged, pod, request, sample, settle

pytestmark = pytest.mark.looptime

KEY = NamespacedName("default", "a")


def api_error(kind: type[ApiError], code: int, retry_after: float | None = None) -> ApiError:
    return kind(Status(code, retry_after_seconds=retry_after), "update", Pod.resource, KEY)


class Bench:
    """A controller with a backoff of 1, 2, 4 ... seconds, its reconciler and its metrics."""

    def __init__(self, workers: int = 1) -> None:
        self.reconciler = FakeReconciler()
        self.metrics = Metrics()
        self.controller = Controller(
            "pod", self.reconciler, workers=workers, rate_limiter=ExponentialRateLimiter(1, 1000)
        )
        self.controller.use_metrics(self.metrics)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.controller.run(), name="controller")
            yield
            self.controller.stop()
            async with asyncio.timeout(3600):
                await task

    def count(self, name: str, **labels: str) -> float:
        return sample(self.metrics.registry, f"controller_runtime_{name}", controller="pod", **labels)

    def results(self) -> dict[str, float]:
        names = ("success", "error", "requeue", "requeue_after")
        return {name: found for name in names if (found := self.count("reconcile_total", result=name))}


# --- The table of outcomes ---


async def test_success_is_one_pass() -> None:
    bench = Bench()
    async with bench.running():
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(10_000)
    assert bench.reconciler.times("a") == [0]
    assert bench.results() == {"success": 1}
    assert bench.count("reconcile_errors_total") == 0


async def test_requeue_after_looks_again_and_forgets_failures() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [ValueError("x"), Result(requeue_after=30), ValueError("x"), Result()]
    async with bench.running():
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(10_000)
    assert bench.reconciler.times("a") == [0, 1, 31, 32], "the failure after the success waits the first backoff again"
    assert bench.results() == {"success": 1, "error": 2, "requeue_after": 1}


async def test_requeue_after_nothing_is_at_once() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [Result(requeue_after=0), Result(requeue_after=-5)]
    async with bench.running():
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(10_000)
    assert bench.reconciler.times("a") == [0, 0, 0]


async def test_success_forgets_failures() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [ValueError("x"), ValueError("x"), Result(), ValueError("x")]
    async with bench.running():
        bench.controller.enqueue(request("a"))
        bench.controller.enqueue(request("a"), after=100)
        await asyncio.sleep(50)
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(10_000)
    assert bench.reconciler.times("a") == [0, 1, 3, 50, 51]


@pytest.mark.parametrize(
    "error",
    [
        api_error(ConflictError, 409),
        RetryError("outdated"),
        ExceptionGroup("two writes", [api_error(ConflictError, 409), RetryError("x")]),
    ],
)
async def test_a_conflict_is_tried_again_with_backoff_and_quietly(error: Exception) -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [error, error]
    with logged() as records:
        async with bench.running():
            bench.controller.enqueue(request("a"))
            await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1, 3]
    assert bench.results() == {"success": 1, "requeue": 2}
    assert bench.count("reconcile_errors_total") == 0
    assert at_least("WARNING", records) == []


@pytest.mark.parametrize(
    "error",
    [
        DeadlineError("update", Pod.resource, KEY, 10),
        TransportError("update", Pod.resource, KEY, "connection refused"),
        api_error(TooManyRequestsError, 429),
        api_error(ServerError, 503),
        api_error(NotFoundError, 404),
        api_error(AlreadyExistsError, 409),
        ExceptionGroup("two writes", [api_error(ConflictError, 409), api_error(ServerError, 500)]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_heals_by_itself_is_tried_again_with_a_warning(error: Exception) -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [error]
    with logged() as records:
        async with bench.running():
            bench.controller.enqueue(request("a"))
            await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1]
    assert bench.results() == {"success": 1, "error": 1}
    assert bench.count("reconcile_errors_total") == 1
    assert bench.count("reconcile_panics_total") == 0
    assert at_least("WARNING", records) == [("WARNING", "Reconciler error")]


async def test_a_terminal_error_beside_one_that_heals_is_tried_again() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [ExceptionGroup("two", [TerminalError("x"), api_error(ServerError, 500)])]
    with logged() as records:
        async with bench.running():
            bench.controller.enqueue(request("a"))
            await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1]
    assert bench.count("terminal_reconcile_errors_total") == 0
    assert at_least("WARNING", records) == [("ERROR", "Reconciler error")]


async def test_retry_after_makes_the_wait_longer() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [api_error(TooManyRequestsError, 429, 17), api_error(ServerError, 503, 0.5)]
    async with bench.running():
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 17, 19], "and never shorter than the backoff"


@pytest.mark.parametrize(
    "error",
    [
        TerminalError("no such thing"),
        InvalidObjectError(Pod.resource, KEY, {}, ["spec.nodeName: not a string"]),
        ExceptionGroup("two", [TerminalError("x"), TerminalError("y")]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_terminal_error_waits_for_a_change(error: Exception) -> None:
    bench = Bench()
    informer = FakeInformer(Pod, [pod("a")])
    bench.reconciler.outcomes["a"] = [error]
    bench.controller.watch(informer)
    with logged() as records:
        async with bench.running():
            await asyncio.sleep(10_000)
            assert bench.reconciler.times("a") == [0]
            informer.put(pod("a"))
            await settle()
    assert bench.reconciler.times("a") == [0, 10_000]
    assert bench.count("terminal_reconcile_errors_total") == 1
    assert bench.count("reconcile_errors_total") == 1
    assert bench.count("reconcile_panics_total") == 0
    assert bench.results() == {"success": 1, "error": 1}
    assert at_least("WARNING", records) == [("ERROR", "Reconciler error")]
    assert [record["exception"] for record in records if record["level"].name == "ERROR"] == [None], "no traceback"


async def test_a_terminal_error_forgets_failures() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [RetryError("x"), RetryError("x"), TerminalError("hopeless"), RetryError("x")]
    async with bench.running():
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(100)
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1, 3, 100, 101]


class ForeignError(Exception):
    """What another library says when an object was changed."""


as_runtime_error.register(ForeignError, lambda error: RetryError(f"in our words: {error}"))


async def test_an_exception_of_another_library_counts_as_what_it_says() -> None:
    bench = Bench()
    conflict = ForeignError("changed")
    bench.reconciler.outcomes["a"] = [conflict, ExceptionGroup("several", [conflict, RetryError("outdated")])]
    with logged() as records:
        async with bench.running():
            bench.controller.enqueue(request("a"))
            await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1, 3]
    assert bench.results() == {"requeue": 2, "success": 1}
    assert at_least("WARNING", records) == []
    texts = [record["extra"]["error"] for record in records if record["message"].startswith("Outdated")]
    assert texts == ["in our words: changed", "several (2 sub-exceptions)"]


async def test_another_error_of_the_api_server_is_for_a_person_and_tried_again() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [api_error(ForbiddenError, 403)]
    with logged() as records:
        async with bench.running():
            bench.controller.enqueue(request("a"))
            await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1]
    assert bench.count("reconcile_panics_total") == 0
    assert at_least("WARNING", records) == [("ERROR", "Reconciler error")]
    assert [record["exception"] for record in records if record["level"].name == "ERROR"] == [None], "no traceback"


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("bug"), ExceptionGroup("g", [RetryError("x"), KeyError("y")])], ids=["one", "group"]
)
async def test_an_unexpected_exception_is_a_panic_and_the_others_go_on(error: Exception) -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [error]
    with logged() as records:
        async with bench.running():
            bench.controller.enqueue(request("a"))
            bench.controller.enqueue(request("b"))
            await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1]
    assert bench.reconciler.times("b") == [0]
    assert bench.count("reconcile_panics_total") == 1
    assert bench.count("reconcile_errors_total") == 1
    assert at_least("WARNING", records) == [("ERROR", "Reconciler error")], "logged once"
    [found] = [record["exception"] for record in records if record["level"].name == "ERROR"]
    assert found is not None, "with its traceback"
    assert found.value is error


async def test_a_cancellation_by_others_is_a_panic_and_does_not_end_the_worker() -> None:
    bench = Bench()
    bench.reconciler.outcomes["a"] = [asyncio.CancelledError()]
    async with bench.running():
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 1]
    assert bench.count("reconcile_panics_total") == 1


# --- The queue's rules, seen from here ---


async def test_never_two_passes_of_one_object_and_none_is_lost() -> None:
    bench = Bench(workers=3)
    bench.reconciler.durations = {"a": 10, "b": 10}
    async with bench.running():
        bench.controller.enqueue(request("a"))
        await asyncio.sleep(1)
        for _ in range(3):
            bench.controller.enqueue(request("a"))
            bench.controller.enqueue(request("b"))
        await asyncio.sleep(100)
    assert bench.reconciler.times("a") == [0, 10], "again, once, after the first pass"
    assert bench.reconciler.times("b") == [1], "others are not held up"
    assert bench.reconciler.most_busy == 2


async def test_no_more_passes_at_once_than_workers() -> None:
    bench = Bench(workers=2)
    names = [f"pod-{number}" for number in range(5)]
    bench.reconciler.durations = dict.fromkeys(names, 10)
    assert bench.count("max_concurrent_reconciles") == 2
    async with bench.running():
        for name in names:
            bench.controller.enqueue(request(name))
        await asyncio.sleep(5)
        assert bench.count("active_workers") == 2
        await asyncio.sleep(100)
    assert bench.reconciler.most_busy == 2
    assert [at for at, _ in bench.reconciler.passes] == [0, 0, 10, 10, 20]
    assert bench.count("active_workers") == 0
    assert bench.count("reconcile_time_seconds_count") == 5
    assert bench.count("reconcile_time_seconds_sum") == 50
    assert sample(bench.metrics.registry, "workqueue_adds_total", name="pod", controller="pod") == 5


async def test_each_scrape_tells_how_long_work_has_been_going_on() -> None:
    bench = Bench()
    bench.reconciler.durations = {KEY.name: 10}
    async with bench.running():
        bench.controller.enqueue(KEY)
        for passed, wait in ((3, 3), (7, 4)):
            await asyncio.sleep(wait)
            for refresh in bench.metrics._refreshers:  # as before each rendering, which takes a thread and so real time
                refresh()
            name = "workqueue_longest_running_processor_seconds"
            assert sample(bench.metrics.registry, name, name="pod", controller="pod") == passed


# --- Watches ---


async def test_a_watch_leads_to_passes_for_what_is_there_and_for_changes() -> None:
    bench = Bench()
    informer = FakeInformer(Pod, [pod("a"), pod("b")])
    bench.controller.watch(informer)
    async with bench.running():
        await asyncio.sleep(10)
        informer.put(pod("c"))
        await asyncio.sleep(10)
    assert bench.reconciler.passes == [(0, "a"), (0, "b"), (10, "c")]


async def test_a_mapper_leads_to_other_objects_and_a_predicate_leaves_changes_out() -> None:
    bench = Bench()
    informer = FakeInformer(Node)

    def pods_of(change: Change[Node]) -> Iterable[Request]:
        yield request(f"on-{change.key.name}")
        yield request("everywhere")

    bench.controller.watch(informer, pods_of, lambda change: change.key.name != "ignored")
    async with bench.running():
        for name in ("node-0", "ignored"):
            informer.put(Node(metadata=ObjectMeta(name=name)))
        await asyncio.sleep(10)
    assert [name for _, name in bench.reconciler.passes] == ["on-node-0", "everywhere"]


@pytest.mark.parametrize("faulty", ["mapper", "predicate"])
async def test_a_faulty_mapper_loses_that_change_alone(faulty: str) -> None:
    bench = Bench()
    informer = FakeInformer(Pod)

    def fail(change: Change[Pod]) -> bool:
        if change.key.name == "bad":
            raise KeyError("bug")
        return True

    def own(change: Change[Pod]) -> Iterable[Request]:
        yield change.key
        if faulty == "mapper":
            fail(change)

    bench.controller.watch(informer, own, fail if faulty == "predicate" else None)
    with logged() as records:
        async with bench.running():
            for name in ("bad", "good"):
                informer.put(pod(name))
            await asyncio.sleep(10)
    expected = ["bad", "good"] if faulty == "mapper" else ["good"]
    assert [name for _, name in bench.reconciler.passes] == expected, "keys from before the failure count"
    assert sample(bench.metrics.registry, "controller_mapper_errors_total", controller="pod") == 1
    assert at_least("WARNING", records) == [("ERROR", "Mapping a change failed")]


def test_a_fake_informer_is_a_source() -> None:
    source: Source[Pod] = FakeInformer(Pod)
    assert source.kind is Pod


# --- Logs ---


async def test_each_pass_has_its_controller_object_and_id_in_every_line() -> None:
    class Talker:
        async def reconcile(self, request: Request) -> Result:
            await asyncio.sleep(1)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.talk(), name="child")
            return Result()

        async def talk(self) -> None:
            logger.info("Hello")

    controller = Controller("pod", Talker(), workers=2)
    with logged() as records:
        async with asyncio.TaskGroup() as group:
            group.create_task(controller.run(), name="controller")
            for name in ("a", "b"):
                controller.enqueue(request(name))
            await asyncio.sleep(10)
            controller.stop()
    said = [record["extra"] for record in records if record["message"] == "Hello"]
    assert sorted((line["controller"], line["object"]) for line in said) == [("pod", "default/a"), ("pod", "default/b")]
    assert len({line["reconcile_id"] for line in said}) == 2


# --- Life ---


async def test_stop_lets_passes_finish_and_begins_no_other() -> None:
    bench = Bench(workers=2)
    bench.reconciler.durations = dict.fromkeys("abcd", 10)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.controller.run(), name="controller")
        for name in "abcd":
            bench.controller.enqueue(request(name))
        await asyncio.sleep(1)
        bench.controller.stop()
        await task
        assert asyncio.get_running_loop().time() == 10
    assert sorted(bench.reconciler.finished) == ["a", "b"]
    assert len(bench.reconciler.passes) == 2


async def test_cancelling_ends_passes_where_they_are() -> None:
    bench = Bench()
    bench.reconciler.durations = {"a": 10}
    with logged() as records:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bench.controller.run(), name="controller")
            bench.controller.enqueue(request("a"))
            await asyncio.sleep(1)
            task.cancel()
        assert task.cancelled()
    assert asyncio.get_running_loop().time() == 1
    assert bench.reconciler.finished == []
    assert bench.results() == {}
    assert at_least("WARNING", records) == []
    assert len(asyncio.all_tasks()) == 1
    bench.controller.enqueue(request("b"))
    depth = sample(bench.metrics.registry, "workqueue_depth", name="pod", controller="pod")
    assert depth == 0, "nothing piles up in a queue without workers"


async def test_a_controller_runs_once() -> None:
    bench = Bench()
    async with bench.running():
        await settle()
        with pytest.raises(RuntimeError, match="twice"):
            await bench.controller.run()


def test_a_controller_needs_workers() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Controller("pod", FakeReconciler(), workers=0)
