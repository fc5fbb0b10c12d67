"""How a program in a shared process ends, and what that leaves."""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.hosting import instance
from fake_dra_driver.hosting.process import environment, release_at_end, shared_process, stop_signals
from fake_dra_driver.inthread import in_thread
from tests.unit.hosting.stage import Stage, prepared_stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with prepared_stage() as stage:
        yield stage


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_a_program_ends_with_its_status_and_has_its_own_environment(stage: Stage) -> None:
    async def program() -> int:
        return len(environment()["NAME"]) + 1

    assert await stage.run(program) == 2
    assert shared_process.get() is None


async def test_tasks_of_a_program_know_it_and_are_cancelled_when_it_ends(stage: Stage) -> None:
    ended = []

    async def left_behind() -> None:
        try:
            await forever()
        finally:
            ended.append(environment()["NAME"])

    async def program() -> int:
        made.append(asyncio.create_task(left_behind(), name="left behind"))
        await asyncio.sleep(0)
        return 0

    made: list[asyncio.Task[None]] = []
    assert await stage.run(program) == 0
    assert ended == ["a"]


async def test_a_program_that_fails_says_why_and_leaves_the_process_alone(stage: Stage) -> None:
    async def program() -> int:
        raise ValueError("a defect")

    assert await stage.run(program) == 1
    assert stage.output.startswith("Traceback")
    assert "ValueError: a defect" in stage.output


@pytest.mark.parametrize(("given", "status"), [(3, 3), (None, 0), ("a sentence", 1)])
async def test_a_program_that_exits_ends_alone(stage: Stage, given: object, status: int) -> None:
    async def program() -> int:
        sys.exit(given)  # type: ignore[arg-type]  # as people write it

    assert await stage.run(program) == status
    assert stage.output == ("a sentence\n" if given == "a sentence" else "")


async def test_a_signal_that_is_handled_is_up_to_the_program_and_the_next_one_is_not(stage: Stage) -> None:
    seen: list[signal.Signals] = []

    async def program() -> int:
        with stop_signals((signal.SIGTERM, signal.SIGINT), seen.append):
            await forever()
        return 0

    async with stage.running(program) as task:
        stage.instance.signal(signal.SIGTERM)
        await asyncio.sleep(0)
        assert not task.done()
        stage.instance.signal(signal.SIGINT)
    assert seen == [signal.SIGTERM]
    assert task.result() == -signal.SIGINT


async def test_a_program_stops_in_order_on_a_signal(stage: Stage) -> None:
    async def program() -> int:
        asked = asyncio.Event()
        with stop_signals((signal.SIGTERM,), lambda _number: asked.set()):
            await asked.wait()
        return 5

    async with stage.running(program) as task:
        stage.instance.signal(signal.SIGTERM)
    assert task.result() == 5


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
async def test_a_program_that_is_cut_off_does_nothing_any_more(stage: Stage, number: signal.Signals) -> None:
    seen: list[str] = []

    async def child() -> None:
        try:
            await forever()
        finally:
            seen.append("child")

    async def program() -> int:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child(), name="child")
        finally:
            seen.append("program")
        return 0

    async with stage.running(program) as task:
        stage.instance.signal(number)
    assert task.result() == -number
    assert not seen
    stage.instance.write("too late")
    assert not stage.output
    assert not stage.instance.tasks


async def test_a_task_that_has_not_begun_never_does(stage: Stage) -> None:
    async def program() -> int:
        raise AssertionError

    task = asyncio.create_task(stage.run(program), name="instance under test")
    await asyncio.sleep(0)
    assert stage.instance.tasks
    stage.instance.signal(signal.SIGKILL)
    assert await task == -signal.SIGKILL
    assert not stage.output


async def test_a_signal_without_effect_has_none(stage: Stage) -> None:
    async def program() -> int:
        await asyncio.sleep(0)
        return 0

    async with stage.running(program) as task:
        stage.instance.signal(signal.SIGCONT)
    assert task.result() == 0


async def test_what_the_system_would_take_back_is_taken_back_in_reverse_order(stage: Stage) -> None:
    released: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0)
        released.append("second")

    def broken() -> None:
        raise OSError("this one cannot be released")

    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))

    async def program() -> int:
        release_at_end(lambda: released.append("third"))
        release_at_end(slow)
        release_at_end(broken)
        release_at_end(lambda: released.append("first"))
        forget = release_at_end(lambda: released.append("forgotten"))
        forget()
        await forever()
        return 0

    async with stage.running(program) as task:
        stage.instance.signal(signal.SIGKILL)
    assert task.result() == -signal.SIGKILL
    assert released == ["first", "second", "third"]
    assert [str(each["exception"]) for each in reported] == ["this one cannot be released"]


class Call:
    """Blocks in a thread until it may go on."""

    def __init__(self, seen: list[str]) -> None:
        self.begun = asyncio.Event()
        self.go_on = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._seen = seen

    def __call__(self) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        self.go_on.wait(5)
        self._seen.append("written")


async def rounds_of_the_loop() -> None:
    """More than the end of an instance takes that has nothing to wait for."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_nothing_is_taken_back_while_a_thread_still_works_for_the_program(stage: Stage) -> None:
    seen: list[str] = []
    call = Call(seen)

    async def program() -> int:
        release_at_end(lambda: seen.append("released"))
        await in_thread(call)
        return 0

    task = asyncio.create_task(stage.run(program), name="instance under test")
    await call.begun.wait()
    stage.instance.signal(signal.SIGKILL)
    await rounds_of_the_loop()
    assert (seen, task.done()) == ([], False)
    call.go_on.set()
    assert await task == -signal.SIGKILL
    assert seen == ["written", "released"]
    assert not stage.instance.calls


async def test_a_call_that_waits_for_a_thread_is_never_made() -> None:
    async with prepared_stage(threads=1) as stage:
        seen: list[str] = []
        call, never = Call([]), Call(seen)

        async def program() -> int:
            await asyncio.gather(in_thread(call), in_thread(never))
            return 0

        task = asyncio.create_task(stage.run(program), name="instance under test")
        await call.begun.wait()
        stage.instance.signal(signal.SIGKILL)
        never.go_on.set()
        await rounds_of_the_loop()
        call.go_on.set()
        assert await task == -signal.SIGKILL
        assert not seen


async def test_a_program_with_a_call_that_hangs_ends_and_keeps_what_it_has(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "_LET_GO_SECONDS", 0.01)
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    released = asyncio.Event()
    call = Call([])

    async def program() -> int:
        release_at_end(released.set)
        await in_thread(call)
        return 0

    task = asyncio.create_task(stage.run(program), name="instance under test")
    await call.begun.wait()
    stage.instance.signal(signal.SIGKILL)
    assert await task == -signal.SIGKILL
    assert not released.is_set()
    assert "1 calls in threads have not ended" in str(reported[0]["exception"])
    call.go_on.set()
    async with asyncio.timeout(10):
        await released.wait()


async def test_a_program_of_its_own_process_has_nothing_to_release_here() -> None:
    forget = release_at_end(lambda: None)
    forget()
    assert "PATH" in environment()
