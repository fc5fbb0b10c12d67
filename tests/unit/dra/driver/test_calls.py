"""Calls of an author's methods: however they are written, and whatever they do wrong."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import pytest
from typing_extensions import override

from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.blocking import BlockWatch
from fake_dra_driver.dra.driver.calls import AuthorCalls, DriverFaultError
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.hosting.process import release_at_end
from tests.unit.dra.driver.lamp import CLAIM, NODE, LampConfig, LampDriver, allocated, logged
from tests.unit.hosting.stage import prepared_stage

EDITS = ContainerEdits(env={"LAMP": "lamp-0"})


def calls_of(prepare: Callable[[AllocatedDevice[LampConfig]], Any], **options: float) -> AuthorCalls[LampConfig]:
    """Of a driver that prepares like this."""

    class Driver(LampDriver):
        @override
        def prepare(self, device: AllocatedDevice[LampConfig]) -> Any:
            return prepare(device)

    Driver.__name__ = "LampDriver"
    return AuthorCalls(Driver(), **options)


class AsyncLampDriver(LampDriver):
    """The same with coroutines, in the same thread as the loop."""

    def __init__(self) -> None:
        self.thread = 0
        self.seen: list[str] = []

    @override
    async def devices(self, node: str) -> Iterable[Device]:
        return [Device("lamp-0")]

    @override
    async def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        self.thread = threading.get_ident()
        await asyncio.sleep(0)
        self.seen.append(device.name)
        return EDITS

    @override
    async def unprepare(self, device: AllocatedDevice[LampConfig]) -> None:
        self.seen.remove(device.name)


# --- However a method is written


async def test_one_that_may_block_runs_in_a_thread_of_its_own() -> None:
    threads: list[int] = []

    def prepare(device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        threads.append(threading.get_ident())
        return EDITS

    assert await calls_of(prepare).prepare(allocated()) == EDITS
    assert threads != [threading.get_ident()]


async def test_a_coroutine_runs_in_the_loop() -> None:
    driver = AsyncLampDriver()
    calls = AuthorCalls(driver)
    assert await calls.devices(NODE) == (Device("lamp-0"),)
    assert await calls.prepare(allocated()) == EDITS
    assert (driver.thread, driver.seen) == (threading.get_ident(), ["lamp-0"])
    await calls.unprepare(allocated())
    assert driver.seen == []


async def test_a_function_that_returns_an_awaitable() -> None:
    async def later() -> ContainerEdits:
        return EDITS

    assert await calls_of(lambda _: later()).prepare(allocated()) == EDITS


async def test_a_generator_of_devices_does_its_work_in_the_thread() -> None:
    threads: list[int] = []

    class Driver(LampDriver):
        @override
        def devices(self, node: str) -> Iterator[Device]:
            threads.append(threading.get_ident())
            yield Device("lamp-7")

    assert await AuthorCalls(Driver()).devices(NODE) == (Device("lamp-7"),)
    assert threads != [threading.get_ident()]


async def test_a_coroutine_that_is_cancelled_cleans_up() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    class Driver(LampDriver):
        @override
        async def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return EDITS

    task = asyncio.create_task(AuthorCalls(Driver()).prepare(allocated()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_watch_in_a_thread_tells_the_loop() -> None:
    changes = asyncio.Queue[int]()

    class Driver(LampDriver):
        @override
        def watch(self, node: str, changed: Callable[[], None]) -> Any:
            changed()

    await AuthorCalls(Driver()).watch(NODE, lambda: changes.put_nowait(threading.get_ident()))
    assert await changes.get() == threading.get_ident()


async def test_a_thread_that_still_runs_is_waited_for_when_its_call_is_cancelled() -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[bool] = []

    def prepare(device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        begun.set()
        go_on.wait()
        ended.append(True)
        return EDITS

    task = asyncio.create_task(calls_of(prepare).prepare(allocated()))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


# --- Whatever it does wrong


async def test_the_driver_says_no_in_its_own_words() -> None:
    def prepare(device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        raise PrepareError("the bulb is broken")

    with pytest.raises(PrepareError, match=r"^device lamp-0: the bulb is broken$") as found:
        await calls_of(prepare).prepare(allocated())
    assert not isinstance(found.value, DriverFaultError)


@pytest.mark.parametrize("error", [ValueError("no socket"), StopIteration("no socket"), SystemExit("no socket")])
async def test_any_other_exception_is_a_fault_with_its_traceback_in_the_log_once(error: BaseException) -> None:
    def prepare(device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        raise error

    calls = calls_of(prepare)
    with logged() as lines:
        for _ in range(2):
            with pytest.raises(DriverFaultError, match=rf"^LampDriver.prepare\(lamp-0\) raised {type(error).__name__}"):
                await calls.prepare(allocated())
    assert len([line for line in lines if "Driver raised an exception" in line]) == 1
    assert "in prepare" in lines[0]


async def test_edits_that_cannot_be_made_are_told_in_a_line() -> None:
    def prepare(_: object) -> ContainerEdits:
        return ContainerEdits.model_validate({"env": {"LAMP_0": 5}})

    with pytest.raises(DriverFaultError) as found:
        await calls_of(prepare).prepare(allocated())
    assert str(found.value) == (
        "LampDriver.prepare(lamp-0) made ContainerEdits of what it cannot be: env.LAMP_0: Input should be a valid "
        "string, is 5"
    )


async def test_an_exception_of_a_coroutine() -> None:
    class Driver(LampDriver):
        @override
        async def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits:
            await asyncio.sleep(0)
            raise OSError("no socket")

    with pytest.raises(DriverFaultError, match=r"^Driver.prepare\(lamp-0\) raised OSError: no socket$"):
        await AuthorCalls(Driver()).prepare(allocated())


async def cancels_itself(_: object) -> ContainerEdits:
    """As one that waits for a task that it has cancelled."""
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await task
    return EDITS


def raises_cancelled(_: object) -> ContainerEdits:
    """As one that runs a loop of its own in its thread."""
    raise asyncio.CancelledError


@pytest.mark.parametrize("prepare", [cancels_itself, raises_cancelled])
async def test_a_cancellation_that_is_not_ours_is_a_fault(prepare: Callable[[object], Any]) -> None:
    with pytest.raises(DriverFaultError, match=r"^LampDriver.prepare\(lamp-0\) raised CancelledError$"):
        await calls_of(prepare).prepare(allocated())


def test_a_computation_may_not_cancel_either() -> None:
    def fits() -> bool:
        raise asyncio.CancelledError

    with pytest.raises(DriverFaultError, match=r"^LampDriver.fits\(lamp-0\) raised CancelledError$"):
        allocating(fits).fits(Device("lamp-0"), LampConfig())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "returned None; it must be ContainerEdits; is there a return statement?"),
        ({"env": {}}, "returned dict {'env': {}}; it must be ContainerEdits"),
    ],
)
async def test_what_prepare_returns(answer: object, words: str) -> None:
    with pytest.raises(DriverFaultError) as found:
        await calls_of(lambda _: answer).prepare(allocated())
    assert str(found.value) == f"LampDriver.prepare(lamp-0) {words}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "returned None; it must be a list of Device"),
        (["lamp-0"], "returned str 'lamp-0' at index 0; it must be a Device"),
        ("lamp-0", "returned str 'lamp-0'; it must be a list of Device"),
    ],
)
async def test_what_devices_returns(answer: Any, words: str) -> None:
    class Driver(LampDriver):
        @override
        def devices(self, node: str) -> Iterable[Device]:
            return cast("Iterable[Device]", answer)

    with pytest.raises(DriverFaultError) as found:
        await AuthorCalls(Driver()).devices(NODE)
    assert str(found.value).startswith(f"Driver.devices(node-a) {words}")


def allocating(fits: Any = None, demand: Any = None) -> AuthorCalls[LampConfig]:
    class Driver(LampDriver):
        @override
        def fits(self, device: Device, config: LampConfig) -> bool:
            return cast("bool", fits())

        @override
        def demand(self, config: LampConfig) -> Mapping[str, str | int]:
            return cast("Mapping[str, str | int]", demand())

    Driver.__name__ = "LampDriver"
    return AuthorCalls(Driver())


def test_fits_and_demand() -> None:
    calls = allocating(lambda: True, lambda: {"bandwidth": "1000M", "ports": 2})
    assert calls.fits(Device("lamp-0"), LampConfig()) is True
    assert calls.demand(LampConfig()) == {"bandwidth": "1G", "ports": "2"}


def test_what_fits_and_demand_may_not_return() -> None:
    calls = allocating(lambda: None, lambda: {"bandwidth": "much"})
    with pytest.raises(DriverFaultError, match=r"^LampDriver.fits\(lamp-0\) returned None; it must be True or False"):
        calls.fits(Device("lamp-0"), LampConfig())
    with pytest.raises(DriverFaultError, match=r"^LampDriver.demand\(\) returned dict .*; it must be quantities"):
        calls.demand(LampConfig())
    with pytest.raises(DriverFaultError, match=r"LampDriver.demand\(\) returned int 3; it must be a mapping"):
        allocating(demand=lambda: 3).demand(LampConfig())
    with pytest.raises(DriverFaultError, match=r"LampDriver.fits\(lamp-0\) raised ZeroDivisionError"):
        allocating(lambda: 1 / 0).fits(Device("lamp-0"), LampConfig())


# --- How long it takes


async def test_what_takes_long_is_told_and_goes_on() -> None:
    go_on = threading.Event()

    def prepare(device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        go_on.wait()
        return EDITS

    # The line about it is what lets it go on.
    calls = calls_of(prepare, slow_seconds=0)
    with logged(lambda _line: go_on.set()) as lines:
        work = asyncio.create_task(calls.prepare(allocated()))
        await asyncio.sleep(0)
        assert calls.doing(CLAIM.uid) == "LampDriver.prepare(lamp-0) has taken 0 s"
        assert await work == EDITS
    assert "Driver takes long" in lines[0]
    assert "LampDriver.prepare(lamp-0) has taken 0 s" in lines[0]
    assert calls.doing(CLAIM.uid) == ""


async def test_a_coroutine_that_blocks_the_loop_is_told_of_while_it_does() -> None:
    told = threading.Event()

    class Driver(LampDriver):
        @override
        async def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits:
            await asyncio.sleep(0)
            told.wait()
            return EDITS

    with logged(lambda _line: told.set()) as lines:
        assert await AuthorCalls(Driver(), block_seconds=0.01).prepare(allocated()) == EDITS
    assert "Driver blocks the event loop" in lines[0]
    assert "Driver.prepare(lamp-0)" in lines[0]
    assert "test_calls.py" in lines[0]
    assert "Driver blocks the event loop no longer" in lines[1]


async def test_a_coroutine_that_waits_does_not_block() -> None:
    watch, go_on = BlockWatch(3600), asyncio.Event()

    async def work() -> str:
        await go_on.wait()
        return "done"

    async def watched() -> str:
        return await watch.watched("LampDriver.prepare(lamp-0)", work())

    task = asyncio.create_task(watched())
    await asyncio.sleep(0)
    with logged() as lines:
        watch.look()
    go_on.set()
    assert (await task, lines) == ("done", [])


async def test_a_program_that_shares_its_process_keeps_its_locks_until_the_call_has_ended() -> None:
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    seen: list[str] = []

    def prepare(device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(5)
        seen.append("prepared")
        return EDITS

    async def plugin() -> int:
        release_at_end(lambda: seen.append("lock released"))
        await calls_of(prepare).prepare(allocated())
        return 0

    async with prepared_stage() as stage:
        killed = asyncio.create_task(stage.run(plugin), name="plugin")
        await begun.wait()
        stage.instance.signal(signal.SIGKILL)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not seen
        go_on.set()
        assert await killed == -signal.SIGKILL
    assert seen == ["prepared", "lock released"]
