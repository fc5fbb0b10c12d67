"""The devices of a node as their driver says them, and what becomes of an answer that cannot be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from typing_extensions import override

from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.device import Capacity, Device
from fake_dra_driver.dra.driver.inventory import DriverStartError, Inventory
from tests.unit.dra.driver.lamp import NODE, LampDriver, logged

pytestmark = pytest.mark.looptime


class SteeredDriver(LampDriver):
    """Says what the test says. In the loop, so that no test depends on a thread."""

    def __init__(self) -> None:
        self.answer: Callable[[], Iterable[Device]] = lambda: [Device("lamp-0")]
        self.changed: Callable[[], None] = lambda: None
        self.watches = 0
        self.watch_error: BaseException | None = None
        self.asked = 0

    @override
    async def devices(self, node: str) -> Iterable[Device]:
        self.asked += 1
        return self.answer()

    @override
    async def watch(self, node: str, changed: Callable[[], None]) -> None:
        self.watches += 1
        if self.watch_error is not None:
            raise self.watch_error
        self.changed = changed


class Story:
    """An inventory that runs, and what was said about it."""

    def __init__(self, driver: SteeredDriver) -> None:
        self.driver = driver
        self.told: list[str] = []
        self.changes = 0
        self.inventory = Inventory(AuthorCalls(driver, block_seconds=3600), NODE)
        self.inventory.report_to(lambda _reason, problem: self.told.append(problem))
        self.inventory.subscribe(self.note)

    def note(self) -> None:
        self.changes += 1

    @property
    def names(self) -> list[str]:
        return [device.name for device in self.inventory.devices]


@asynccontextmanager
async def running(driver: SteeredDriver) -> AsyncIterator[Story]:
    story = Story(driver)
    await story.inventory.start()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(story.inventory.run())
        await asyncio.sleep(0)
        yield story
        task.cancel()


async def test_the_first_answer_is_there_after_the_start() -> None:
    story = Story(SteeredDriver())
    await story.inventory.start()
    assert (story.names, story.changes, story.inventory.problem()) == (["lamp-0"], 0, None)
    assert story.inventory.get("lamp-0") == Device("lamp-0")
    assert story.inventory.get("lamp-1") is None


async def test_a_bad_answer_at_the_start_ends_the_program() -> None:
    driver = SteeredDriver()
    driver.answer = lambda: [Device("Lamp"), Device("Lamp")]
    with pytest.raises(DriverStartError) as found:
        await Story(driver).inventory.start()
    assert str(found.value) == (
        "SteeredDriver.devices(node-a) returned what no node can have: device Lamp: is there twice; device Lamp: name: "
        "must be a DNS label in lower case, is Lamp; device Lamp: name: must be a DNS label in lower case, is Lamp"
    )


async def test_it_is_asked_every_minute() -> None:
    async with running(SteeredDriver()) as story:
        story.driver.answer = lambda: [Device("lamp-0"), Device("lamp-1")]
        await asyncio.sleep(61)
        assert (story.names, story.changes) == (["lamp-0", "lamp-1"], 1)
        await asyncio.sleep(120)
        assert (story.changes, story.driver.asked) == (1, 4)


async def test_it_is_asked_at_once_when_something_has_changed() -> None:
    async with running(SteeredDriver()) as story:
        await asyncio.sleep(1)
        story.driver.answer = list
        for _ in range(5):
            story.driver.changed()
        await asyncio.sleep(1)
        assert (story.names, story.changes, story.driver.asked) == ([], 1, 2)


async def test_a_device_that_its_driver_changes_in_place_is_noticed() -> None:
    device = Device("lamp-0", attributes={"hours": 1})
    driver = SteeredDriver()
    driver.answer = lambda: [device]
    async with running(driver) as story:
        device.attributes["hours"] = 2  # type: ignore[index]  # a dict, whatever the type says
        await asyncio.sleep(61)
        assert story.changes == 1
        assert story.inventory.devices[0].attributes == {"hours": 2}


async def test_a_bad_answer_keeps_the_last_good_one() -> None:
    def fail() -> Iterable[Device]:
        raise OSError("the bus is gone")

    async with running(SteeredDriver()) as story:
        good = story.driver.answer
        with logged() as lines:
            story.driver.answer = fail
            await asyncio.sleep(180)
        words = "SteeredDriver.devices(node-a) raised OSError: the bus is gone; the node keeps the devices that it had"
        assert (story.names, story.changes, story.inventory.refusal()) == (["lamp-0"], 1, words)
        assert (story.told, story.inventory.problem()) == ([words], words)
        assert len([line for line in lines if "Driver cannot be used as it is" in line]) == 1
        story.driver.answer = lambda: [Device("lamp-0"), Device("lamp-0")]
        await asyncio.sleep(60)
        assert story.told[1].startswith(
            "SteeredDriver.devices(node-a) returned what no node can have: device lamp-0: is"
        )
        story.driver.answer = good
        await asyncio.sleep(60)
        assert (story.inventory.problem(), len(story.told)) == (None, 2)
        assert (story.changes, story.inventory.refusal()) == (3, "")


async def test_an_answer_that_does_not_come_is_a_problem() -> None:
    class Driver(SteeredDriver):
        @override
        async def devices(self, node: str) -> Iterable[Device]:
            if self.asked:
                await asyncio.Event().wait()
            return await super().devices(node)

    async with running(Driver()) as story:
        await asyncio.sleep(85)
        assert story.inventory.problem() is None
        await asyncio.sleep(10)
        assert story.inventory.problem() == "Driver.devices(node-a) has taken 35 s"


async def test_a_watch_that_fails_begins_again_and_is_told_of_once() -> None:
    driver = SteeredDriver()
    driver.watch_error = OSError("no udev")
    async with running(driver) as story:
        await asyncio.sleep(10)
        assert driver.watches == 4
        assert story.told == ["SteeredDriver.watch(node-a) raised OSError: no udev"]
        # Devices are asked for every minute all the same.
        assert story.inventory.problem() is None
        driver.watch_error = None
        await asyncio.sleep(10)
        assert driver.watches == 5


class FlakyDriver(SteeredDriver):
    """Watches for an hour, then fails."""

    @override
    async def watch(self, node: str, changed: Callable[[], None]) -> None:
        self.watches += 1
        await asyncio.sleep(3600)
        raise OSError("udev is gone")


async def test_a_watch_that_has_run_for_long_begins_again_at_once_and_is_told_of_each_time() -> None:
    async with running(FlakyDriver()) as story:
        await asyncio.sleep(3 * 3600 + 10)
        assert (story.driver.watches, len(story.told)) == (4, 3)


async def test_a_watch_that_cancels_itself_begins_again() -> None:
    driver = SteeredDriver()
    driver.watch_error = asyncio.CancelledError()
    async with running(driver) as story:
        await asyncio.sleep(2)
        assert driver.watches == 2
        assert story.told == ["SteeredDriver.watch(node-a) raised CancelledError"]


async def test_devices_that_cancel_themselves_are_a_bad_answer() -> None:
    def cancel() -> Iterable[Device]:
        raise asyncio.CancelledError

    async with running(SteeredDriver()) as story:
        story.driver.answer = cancel
        await asyncio.sleep(61)
        assert story.names == ["lamp-0"]
        assert story.told == [
            "SteeredDriver.devices(node-a) raised CancelledError; the node keeps the devices that it had"
        ]


async def test_capacity_has_the_shape_that_controllers_read() -> None:
    driver = SteeredDriver()
    bounded = Capacity(10, default=2, most=4)
    driver.answer = lambda: [
        Device("nic", capacity={"luts": 4000, "ports": Capacity(2), "speed": bounded}, shared=True)
    ]
    story = Story(driver)
    await story.inventory.start()
    (device,) = story.inventory.devices
    assert device.capacity == {"luts": "4000", "ports": "2", "speed": Capacity("10", default="2", most="4")}
