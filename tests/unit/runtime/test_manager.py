import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.leaderelection import LeaseLostError
from fake_dra_driver.runtime.listening import ListenError
from fake_dra_driver.runtime.manager import Manager
from fake_dra_driver.runtime.metrics import Metrics
from tests.unit.runtime.fakes import FakeReconciler, at_least, logged, request, sample

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


class Diary:
    """What the parts of a program did, and when."""

    def __init__(self) -> None:
        self.entries: list[tuple[float, str]] = []

    def note(self, text: str) -> None:
        self.entries.append((now(), text))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.entries]

    def part(self, name: str, *, cleanup_seconds: float = 0) -> Callable[[], Coroutine[Any, Any, None]]:
        """Runs until it is cancelled, and then cleans up for a while."""

        async def run() -> None:
            self.note(f"{name} starts")
            try:
                await asyncio.Event().wait()
            finally:
                try:
                    await asyncio.sleep(cleanup_seconds)
                finally:
                    self.note(f"{name} ends")

        return run


class FakeClient:
    def __init__(self, diary: Diary, *, close_seconds: float = 0) -> None:
        self._diary = diary
        self._close_seconds = close_seconds

    async def close(self) -> None:
        await asyncio.sleep(self._close_seconds)
        self._diary.note("client closed")


class FakeCache:
    def __init__(self, diary: Diary, *, sync_seconds: float = 0, error: Exception | None = None) -> None:
        self._run = diary.part("cache")
        self._sync_seconds = sync_seconds
        self._error = error
        self._synced = asyncio.Event()

    async def run(self) -> None:
        asyncio.get_running_loop().call_later(self._sync_seconds, self._synced.set)
        if self._error is not None:
            raise self._error
        await self._run()

    async def wait_for_sync(self) -> None:
        await self._synced.wait()

    def unsynced(self) -> Sequence[str]:
        return [] if self._synced.is_set() else ["nodes.v1", "pods.v1"]


class FakeRecorder:
    def __init__(self, diary: Diary, *, flush_seconds: float = 0, error: Exception | None = None) -> None:
        self._run = diary.part("events")
        self._diary = diary
        self._flush_seconds = flush_seconds
        self._error = error

    async def run(self) -> None:
        if self._error is not None:
            raise self._error
        await self._run()

    async def flush(self) -> None:
        await asyncio.sleep(self._flush_seconds)
        self._diary.note("events flushed")


class FakeElection:
    """Leads after a while, and loses the lease after another."""

    def __init__(
        self, diary: Diary, *, acquire_seconds: float = 0, lost_after: float = 1e9, release_seconds: float = 0
    ):
        self._diary = diary
        self._acquire_seconds = acquire_seconds
        self._lost_after = lost_after
        self._release_seconds = release_seconds

    async def acquire(self) -> None:
        await asyncio.sleep(self._acquire_seconds)
        self._diary.note("leads")

    async def renew(self) -> None:
        try:
            await asyncio.sleep(self._lost_after)
        finally:
            self._diary.note("renews no more")
        raise LeaseLostError("lost")

    async def release(self) -> None:
        await asyncio.sleep(self._release_seconds)
        self._diary.note("released")


class Program:
    """A manager of stand-ins, with one controller and the runnables a test adds."""

    def __init__(
        self, *, grace_period_seconds: float = 20, signals: Sequence[signal.Signals] = (), **parts: Any
    ) -> None:
        self.diary = diary = Diary()
        self.reconciler = FakeReconciler()
        self.controller = Controller("pod", self.reconciler)
        self.metrics = Metrics()
        self.manager = Manager(
            parts.get("client") or FakeClient(diary, close_seconds=parts.get("close_seconds", 0)),
            FakeCache(diary, sync_seconds=parts.get("sync_seconds", 0), error=parts.get("cache_error")),
            healthz=parts.get("healthz"),
            events=FakeRecorder(diary, flush_seconds=parts.get("flush_seconds", 0), error=parts.get("recorder_error")),
            metrics=self.metrics,
            election=FakeElection(diary, **parts["election"]) if "election" in parts else None,
            grace_period_seconds=grace_period_seconds,
            signals=signals,
        )
        self.manager.add_controller(self.controller)

    async def run(self, *, stop_after: float) -> None:
        asyncio.get_running_loop().call_later(stop_after, self.manager.stop)
        await self.manager.run()
        assert len(asyncio.all_tasks()) == 1, "no task is left"


# --- Order ---


async def test_parts_start_and_stop_in_order() -> None:
    program = Program(sync_seconds=5)
    for name in ("plugin", "janitor"):
        program.manager.add_runnable(name, program.diary.part(name))
    program.reconciler.durations = {"a": 10}
    program.controller.enqueue(request("a"))
    await program.run(stop_after=8)
    assert program.diary.entries == [
        (0, "events starts"),
        (0, "cache starts"),
        (5, "plugin starts"),
        (5, "janitor starts"),
        (15, "janitor ends"),
        (15, "plugin ends"),
        (15, "cache ends"),
        (15, "events flushed"),
        (15, "events ends"),
        (15, "client closed"),
    ]
    assert program.reconciler.passes == [(5, "a")], "controllers wait for the caches"
    assert program.reconciler.finished == ["a"], "a pass in work gets to finish"


async def test_a_runnable_that_needs_no_cache_works_while_the_api_server_is_away() -> None:
    program = Program(sync_seconds=1000)
    for name, needs_caches in (("reader", True), ("plugin", False)):
        program.manager.add_runnable(name, program.diary.part(name), needs_caches=needs_caches)
    await program.run(stop_after=8)
    assert program.diary.entries[:3] == [(0, "events starts"), (0, "cache starts"), (0, "plugin starts")]
    assert program.diary.entries[3:5] == [(8, "plugin ends"), (8, "cache ends")]
    assert "reader starts" not in program.diary.texts


async def test_what_a_program_consists_of_may_be_found_out_once_it_runs() -> None:
    program = Program(sync_seconds=6)
    late = FakeReconciler()
    passes = Controller("late", late)
    passes.enqueue(request("a"))

    async def set_up() -> None:
        program.diary.note("asks")
        await asyncio.sleep(4)
        program.diary.note("knows")
        program.manager.add_controller(passes)
        program.manager.add_runnable("reader", program.diary.part("reader"))
        with pytest.raises(RuntimeError, match="started already"):
            program.manager.add_runnable("plugin", program.diary.part("plugin"), needs_caches=False)

    program.manager.use_setup(set_up)
    program.manager.add_runnable("plugin", program.diary.part("plugin"), needs_caches=False)
    await program.run(stop_after=20)

    begun = [entry for entry in program.diary.entries if entry[0] < 20]
    assert set(begun[:4]) == {(0, "events starts"), (0, "cache starts"), (0, "plugin starts"), (0, "asks")}
    assert begun[4:] == [(4, "knows"), (6, "reader starts")]
    assert late.passes == [(6, "a")], "controllers wait for the caches"


async def test_a_stop_ends_what_is_being_found_out() -> None:
    program = Program()

    async def ask_for_ever() -> None:
        await asyncio.Event().wait()

    program.manager.use_setup(ask_for_ever)
    program.manager.add_runnable("reader", program.diary.part("reader"))
    await program.run(stop_after=8)
    assert program.diary.entries[-1:] == [(8, "client closed")]
    assert "reader starts" not in program.diary.texts
    with pytest.raises(RuntimeError, match="started already"):
        program.manager.add_controller(Controller("node", FakeReconciler()))


async def test_a_program_that_cannot_be_set_up_ends_with_the_reason() -> None:
    program = Program()

    async def fail() -> None:
        raise OSError("no such thing")

    program.manager.use_setup(fail)
    with pytest.raises(OSError, match="no such thing"):
        await program.run(stop_after=8)


async def test_controllers_count_into_the_managers_metrics() -> None:
    program = Program()
    program.controller.enqueue(request("a"))
    await program.run(stop_after=1)
    labels = {"controller": "pod", "result": "success"}
    assert sample(program.metrics.registry, "controller_runtime_reconcile_total", **labels) == 1


async def test_it_says_every_ten_seconds_what_it_waits_for() -> None:
    program = Program(sync_seconds=25)
    with logged() as records:
        await program.run(stop_after=30)
    found = [record["extra"]["kinds"] for record in records if record["level"].name == "WARNING"]
    assert found == [["nodes.v1", "pods.v1"]] * 2


async def test_a_stop_while_caches_sync_starts_nothing_more() -> None:
    program = Program(sync_seconds=1000)
    program.manager.add_runnable("plugin", program.diary.part("plugin"))
    await program.run(stop_after=3)
    assert now() == 3
    assert "plugin starts" not in program.diary.texts
    assert program.diary.texts[-1] == "client closed"


# --- Grace period ---


async def test_passes_that_do_not_finish_in_time_are_cancelled() -> None:
    program = Program(grace_period_seconds=20)
    program.reconciler.durations = {"a": 1000}
    program.controller.enqueue(request("a"))
    await program.run(stop_after=1)
    assert program.reconciler.passes == [(0, "a")]
    assert program.reconciler.finished == []
    assert now() == 1 + 10, "half of the grace period"
    assert "events flushed" in program.diary.texts, "for which the rest is kept"


async def test_a_runnable_that_takes_long_to_clean_up_is_cancelled_again() -> None:
    program = Program(grace_period_seconds=20)
    program.manager.add_runnable("stubborn", program.diary.part("stubborn", cleanup_seconds=1000))
    with logged() as records:
        await program.run(stop_after=1)
    assert now() == 1 + 17
    assert "stubborn ends" in program.diary.texts
    assert at_least("WARNING", records) == [("WARNING", "Task does not end, cancelling it again")]


async def test_runnables_have_time_to_clean_up_after_passes_that_took_all_of_theirs() -> None:
    program = Program(grace_period_seconds=20)
    program.manager.add_runnable("plugin", program.diary.part("plugin", cleanup_seconds=5))
    program.reconciler.durations = {"a": 1000}
    program.controller.enqueue(request("a"))
    with logged() as records:
        await program.run(stop_after=1)
    assert now() == 1 + 10 + 5
    assert at_least("WARNING", records) == [], "nothing was cut short"


async def test_events_that_cannot_be_written_do_not_hold_up_the_end() -> None:
    program = Program(grace_period_seconds=20, flush_seconds=1000)
    with logged() as records:
        await program.run(stop_after=1)
    assert now() == 1 + 20
    assert program.diary.texts[-2:] == ["events ends", "client closed"]
    assert at_least("WARNING", records) == [("WARNING", "The grace period is over before all events were written")]


async def test_a_client_that_does_not_close_does_not_hold_up_the_end() -> None:
    program = Program(close_seconds=1000)
    await program.run(stop_after=1)
    assert now() == 1 + 2


async def test_no_grace_cancels_at_once() -> None:
    program = Program(grace_period_seconds=0)
    program.reconciler.durations = {"a": 1000}
    program.controller.enqueue(request("a"))
    await program.run(stop_after=1)
    assert now() == 1


# --- Leader election ---


async def test_controllers_start_once_it_leads_and_the_rest_before() -> None:
    program = Program(sync_seconds=5, election={"acquire_seconds": 30})
    program.manager.add_runnable("plugin", program.diary.part("plugin"))
    program.controller.enqueue(request("a"))
    await program.run(stop_after=100)
    assert program.diary.entries[:4] == [
        (0, "events starts"),
        (0, "cache starts"),
        (5, "plugin starts"),
        (35, "leads"),
    ]
    assert program.reconciler.passes == [(35, "a")]


async def test_events_and_election_may_come_after_the_manager() -> None:
    diary = Diary()
    manager = Manager(FakeClient(diary), FakeCache(diary), signals=())
    manager.use_events(FakeRecorder(diary))
    manager.use_election(FakeElection(diary))
    asyncio.get_running_loop().call_later(1, manager.stop)
    await manager.run()
    assert diary.texts[:3] == ["events starts", "cache starts", "leads"]
    assert diary.texts[-4:] == ["cache ends", "events flushed", "events ends", "client closed"]
    with pytest.raises(RuntimeError, match="was started already"):
        manager.use_election(FakeElection(diary))


async def test_the_lease_is_kept_until_the_last_pass_has_ended_and_then_released() -> None:
    program = Program(election={})
    program.manager.add_runnable("plugin", program.diary.part("plugin", cleanup_seconds=1))
    program.reconciler.durations = {"a": 8}
    program.controller.enqueue(request("a"))
    await program.run(stop_after=3)
    assert program.reconciler.finished == ["a"]
    assert program.diary.entries[4:7] == [(8, "renews no more"), (8, "released"), (9, "plugin ends")]


async def test_the_lease_is_kept_until_passes_that_are_cut_short_have_ended() -> None:
    program = Program(grace_period_seconds=20, election={})
    program.reconciler.durations = {"a": 1000}
    program.controller.enqueue(request("a"))
    await program.run(stop_after=1)
    assert (11, "released") in program.diary.entries


async def test_a_release_that_hangs_does_not_hold_up_the_end() -> None:
    program = Program(election={"release_seconds": 1000})
    await program.run(stop_after=1)
    assert now() == 1 + 2
    assert "events flushed" in program.diary.texts


async def test_who_stands_by_is_ready_and_stops_at_once() -> None:
    healthz = HealthServer("127.0.0.1:0")
    program = Program(healthz=healthz, election={"acquire_seconds": 1000})
    problems: list[str] = []
    asyncio.get_running_loop().call_later(
        50, lambda: problems.extend(why for why in healthz.problems("/readyz").values() if why)
    )
    await program.run(stop_after=100)
    assert problems == []
    assert now() == 100
    assert "leads" not in program.diary.texts


async def test_a_lost_lease_ends_everything_at_once() -> None:
    program = Program(election={"lost_after": 10}, flush_seconds=5)
    program.manager.add_runnable("plugin", program.diary.part("plugin"))
    program.reconciler.durations = {"a": 1000}
    program.controller.enqueue(request("a"))
    with pytest.raises(LeaseLostError, match="lost"):
        await program.run(stop_after=1000)
    assert program.reconciler.passes == [(0, "a")]
    assert program.reconciler.finished == []
    assert now() == 10
    assert "events flushed" not in program.diary.texts


async def test_a_lease_lost_during_an_orderly_stop_cuts_the_passes_short() -> None:
    program = Program(election={"lost_after": 5})
    program.reconciler.durations = {"a": 8}
    program.controller.enqueue(request("a"))
    with pytest.raises(LeaseLostError, match="lost"):
        await program.run(stop_after=3)
    assert program.reconciler.finished == []
    assert now() == 5


# --- Failures ---


async def test_a_failing_runnable_stops_everything_in_order_and_its_error_is_raised() -> None:
    program = Program()
    error = OSError("socket is gone")

    async def fail() -> None:
        await asyncio.sleep(3)
        raise error

    program.manager.add_runnable("plugin", fail)
    program.reconciler.durations = {"a": 5}
    program.controller.enqueue(request("a"))
    with logged() as records, pytest.raises(OSError, match="socket is gone") as raised:
        await program.run(stop_after=1000)
    assert raised.value is error
    assert now() == 5
    assert program.reconciler.finished == ["a"], "others still stop in order"
    assert program.diary.texts[-4:] == ["cache ends", "events flushed", "events ends", "client closed"]
    assert at_least("WARNING", records) == [], "raised, so not logged as well"
    assert len(asyncio.all_tasks()) == 1


async def test_a_failing_cache_ends_the_program_before_it_is_synced() -> None:
    program = Program(sync_seconds=1000, cache_error=ValueError("bug"))
    with pytest.raises(ValueError, match="bug"):
        await program.run(stop_after=5000)
    assert now() == 0


async def test_a_failing_recorder_ends_the_program_and_is_not_waited_for() -> None:
    program = Program(recorder_error=ValueError("bug"), flush_seconds=1000)
    with pytest.raises(ValueError, match="bug"):
        await program.run(stop_after=5000)
    assert now() == 0


async def test_the_first_failure_is_raised_and_a_second_one_logged() -> None:
    program = Program()

    async def fail() -> None:
        raise ValueError("first")

    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("second")

    program.manager.add_runnable("late", fail_at_the_end)
    program.manager.add_runnable("early", fail)
    with logged() as records, pytest.raises(ValueError, match="first"):
        await program.run(stop_after=1000)
    assert at_least("WARNING", records) == [("ERROR", "Another part has failed")]


async def test_a_runnable_cancelled_by_others_is_a_failure_and_not_a_silent_end() -> None:
    program = Program()

    async def wait_for_a_cancelled_future() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    program.manager.add_runnable("plugin", wait_for_a_cancelled_future)
    with pytest.raises(asyncio.CancelledError):
        await program.run(stop_after=1000)
    assert now() == 0


async def test_a_runnable_may_end_by_itself() -> None:
    program = Program()

    async def once() -> None:
        program.diary.note("done")

    program.manager.add_runnable("once", once)
    await program.run(stop_after=10)
    assert (0, "done") in program.diary.entries
    assert now() == 10


async def test_cancelling_run_stops_in_order_too() -> None:
    program = Program()
    program.reconciler.durations = {"a": 5}
    program.controller.enqueue(request("a"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(program.manager.run(), name="manager")
        await asyncio.sleep(1)
        task.cancel()
    assert task.cancelled()
    assert program.reconciler.finished == ["a"]
    assert program.diary.texts[-3:] == ["events flushed", "events ends", "client closed"]


async def test_nothing_is_added_and_nothing_started_again_once_it_runs() -> None:
    program = Program()
    await program.run(stop_after=1)
    with pytest.raises(RuntimeError, match="started already"):
        program.manager.add_controller(Controller("node", FakeReconciler()))
    with pytest.raises(RuntimeError, match="started already"):
        program.manager.add_runnable("late", program.diary.part("late"))
    with pytest.raises(RuntimeError, match="started already"):
        await program.manager.run()


# --- Signals ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_in_order_and_the_handlers_are_restored(number: signal.Signals) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    program = Program(signals=(signal.SIGTERM, signal.SIGINT))
    program.reconciler.durations = {"a": 5}
    program.controller.enqueue(request("a"))
    during: list[Any] = []

    async def send() -> None:
        await asyncio.sleep(1)
        os.kill(os.getpid(), number)

    async def look() -> None:
        await asyncio.sleep(3)
        during.extend(signal.getsignal(one) for one in before)

    program.manager.add_runnable("send", send)
    program.manager.add_runnable("look", look)
    await program.manager.run()
    assert program.reconciler.finished == ["a"]
    assert during == [signal.SIG_DFL] * 2, "a second signal ends the process at once"
    assert {one: signal.getsignal(one) for one in before} == before


# --- Probes ---


async def test_readiness_tells_what_is_missing_and_that_it_stops() -> None:
    healthz = HealthServer("127.0.0.1:0")
    program = Program(sync_seconds=5, healthz=healthz)
    found: list[tuple[float, dict[str, str | None]]] = []

    def look() -> None:
        found.append((now(), {name: why for name, why in healthz.problems("/readyz").items() if why}))

    loop = asyncio.get_running_loop()
    program.reconciler.durations = {"a": 10}
    program.controller.enqueue(request("a"))
    for at in (1, 6, 9):
        loop.call_later(at, look)
    await program.run(stop_after=8)
    assert found == [
        (1, {"informer-sync": "not synced yet: nodes.v1, pods.v1"}),
        (6, {}),
        (9, {"shutdown": "the program is stopping"}),
    ]
    assert healthz.port == 0, "it listens no more"


async def test_an_address_that_is_taken_ends_the_program_before_anything_else() -> None:
    first = HealthServer("127.0.0.1:0")
    await first.listen()
    program = Program(healthz=HealthServer(f"127.0.0.1:{first.port}"))
    with pytest.raises(ListenError, match="another process listens there"):
        await program.run(stop_after=1000)
    await first.close()
    assert program.diary.texts == ["client closed"]
