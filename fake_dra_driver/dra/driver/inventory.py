"""Which devices a node has, as its driver says it: at the start, whenever it calls ``changed``, and every minute.

A bad answer after a good one changes nothing: what was good stays on offer, pods keep what they have, and people are
told. At the start there is nothing to fall back on, so the program ends with what is wrong.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from loguru import logger

from fake_dra_driver.dra.driver.calls import SLOW_SECONDS, AuthorCalls, DriverFaultError
from fake_dra_driver.dra.driver.device import Capacity, Device
from fake_dra_driver.dra.driver.devicechecks import device_problems
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.reason import BAD_DEVICES
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["DriverStartError", "Inventory"]

log = logger.bind(component="inventory")

PERIOD_SECONDS: Final = 60.0
"""Between two questions where nothing has changed, for drivers that do not watch."""
SETTLE_SECONDS: Final = 0.1
"""After a change, so that a card with a hundred functions is asked about once."""
MIN_BACKOFF_SECONDS: Final = 1.0
"""Before a watch that has failed begins again; twice as long each time, up to PERIOD_SECONDS."""
MAX_LISTED: Final = 5
"""How many problems a message lists; the rest are counted."""


class DriverStartError(RuntimeLayerError):
    """The code of a driver keeps its plugin from starting: the message names class, method and what is wrong."""


class Inventory:
    """The devices of one node, as they were last said rightly.

    Args:
        calls: of the driver.
        node: its name.
        period_seconds: between two questions.
    """

    def __init__(
        self,
        calls: AuthorCalls[Any],
        node: str,
        *,
        period_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self._calls = calls
        self._node = node
        self._report: Callable[[Reason, str], None] = lambda _reason, _problem: None
        self._period_seconds = period_seconds
        self._by_name: dict[str, Device] = {}
        self._subscribers: list[Callable[[], None]] = []
        self._asked = asyncio.Event()
        """Set when ``devices`` has news."""
        self._problem = ""
        """What is wrong with the last answer."""
        self._asked_at: float | None = None
        """Since when an answer has been waited for."""

    @property
    def devices(self) -> tuple[Device, ...]:
        """In the order in which they are to be taken."""
        return tuple(self._by_name.values())

    def get(self, name: str) -> Device | None:
        """The device of that name; None when the node does not have it."""
        return self._by_name.get(name)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """``changed`` is called, in the event loop, after each change, also of ``refusal``. It must not raise."""
        self._subscribers.append(changed)

    def report_to(self, tell: Callable[[Reason, str], None]) -> None:
        """``tell`` tells people of a bad answer, once for each that is wrong in another way. It must not raise."""
        self._report = tell

    def refusal(self) -> str:
        """What is wrong with the last answer, so that the one before it still counts; empty when nothing is."""
        return self._problem

    def problem(self) -> str | None:
        """What is wrong, for the readiness of the program; None when nothing is."""
        if self._problem:
            return self._problem
        if self._asked_at is not None:
            waited_seconds = asyncio.get_running_loop().time() - self._asked_at
            if waited_seconds > SLOW_SECONDS:
                return f"{type(self._calls.driver).__name__}.devices({self._node}) has taken {waited_seconds:.0f} s"
        return None

    async def start(self) -> None:
        """Asks for the first time.

        Raises:
            DriverStartError: the answer cannot be used.
        """
        try:
            devices = await self._ask()
        except PrepareError as error:
            raise DriverStartError(str(error)) from error
        self._by_name = {device.name: device for device in devices}
        log.info("Devices found", devices=len(devices))

    async def run(self) -> None:
        """Keeps asking, for as long as the plugin runs. ``start`` comes first."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name="watch of the driver")
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._period_seconds):
                        await self._asked.wait()
                        await asyncio.sleep(SETTLE_SECONDS)
                self._asked.clear()
                await self._refresh()

    async def _watch(self) -> None:
        """The driver's watch, begun again when it fails.

        It is no matter of readiness: devices are asked for every minute without it.
        """
        loop = asyncio.get_running_loop()
        pause_seconds, told = MIN_BACKOFF_SECONDS, ""
        while True:
            begun = loop.time()
            try:
                await self._calls.watch(self._node, self._asked.set)
            except PrepareError as error:
                problem = str(error)
            else:
                return
            if loop.time() - begun >= PERIOD_SECONDS:
                pause_seconds, told = MIN_BACKOFF_SECONDS, ""
            if problem != told:
                log.error("Driver's watch has failed, and begins again", error=problem)
                self._report(BAD_DEVICES, problem)
                told = problem
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, PERIOD_SECONDS)
            # What has changed meanwhile, the driver may never say.
            self._asked.set()

    async def _ask(self) -> tuple[Device, ...]:
        """Raises PrepareError."""
        self._asked_at = asyncio.get_running_loop().time()
        try:
            devices = await self._calls.devices(self._node)
        finally:
            self._asked_at = None
        if problems := list(device_problems(devices)):
            more = len(problems) - MAX_LISTED
            listed = "; ".join(problems[:MAX_LISTED]) + (f"; and {more} more" if more > 0 else "")
            name = type(self._calls.driver).__name__
            raise DriverFaultError(f"{name}.devices({self._node}) returned what no node can have: {listed}")
        return tuple(map(_kept, devices))

    async def _refresh(self) -> None:
        try:
            devices = await self._ask()
        except PrepareError as error:
            self._note(f"{error}; the node keeps the devices that it had")
            return
        self._note("")
        found = {device.name: device for device in devices}
        # As lists: also the order counts, in which they are to be taken.
        if list(found.items()) == list(self._by_name.items()):
            return
        gone, new = self._by_name.keys() - found.keys(), found.keys() - self._by_name.keys()
        log.info("Devices have changed", devices=len(found), gone=sorted(gone), new=sorted(new))
        self._by_name = found
        for changed in self._subscribers:
            changed()

    def _note(self, problem: str) -> None:
        """Keeps what is wrong with the last answer, and tells of it when it is news."""
        before, self._problem = self._problem, problem
        if problem and problem != before:
            log.error("Driver cannot be used as it is", error=problem)
            self._report(BAD_DEVICES, problem)
        elif before and not problem:
            log.info("Driver can be used again")
        if problem != before:
            for changed in self._subscribers:
                changed()


def _kept(device: Device) -> Device:
    """A copy: a driver may change what its devices hold, and a change has to be noticed."""
    capacity = {name: _as_read(amount) for name, amount in device.capacity.items()}
    return replace(device, attributes=dict(device.attributes), capacity=capacity, taints=tuple(device.taints))


def _as_read(capacity: str | int | Capacity) -> str | Capacity:
    """A capacity in the shape in which a controller has it, which reads the devices from the node's object."""
    if not isinstance(capacity, Capacity):
        return str(capacity)
    bounds = (capacity.default, capacity.least, capacity.most, capacity.step)
    if all(bound is None for bound in bounds):
        return str(capacity.value)
    return Capacity(str(capacity.value), *(None if bound is None else str(bound) for bound in bounds))
