"""Calls of the methods that a driver's author has written: the door at which everything that they may do wrong stops.

- A method that is no coroutine function runs in a thread of its own, for as long as it likes. A pool would be full
  after a few calls that hang, and whatever else waits for a thread in it, such as the checkpoint, would wait for ever.
- A coroutine runs in the event loop, and is reported when it blocks that (``blocking``).
- A call that takes long is reported once, and ``doing`` says so to the kubelet, whose patience ends. It goes on: the
  kubelet's next attempt gets its result (``dra.node.calls``).
- Whatever is raised, and whatever is returned that is none of the types that the class asks for, is an error that names
  class, method and device. Its traceback is in the log, once for each place that raises.

Errors::

    PrepareError
    └── DriverFaultError    a defect of the author's code
"""

import asyncio
import contextvars
import inspect
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic

from loguru import logger
from pydantic import ValidationError

from fake_dra_driver.dra.driver.allocated import AllocatedDevice, ConfigT
from fake_dra_driver.dra.driver.blocking import BlockWatch
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.hosting.process import release_at_end
from fake_dra_driver.quantity import QuantityError, canonical
from fake_dra_driver.runtime.task import is_being_cancelled
from fake_dra_driver.settings import Settings
from fake_dra_driver.untrustedtext import one_line

__all__ = ["AuthorCalls", "DriverFaultError"]

log = logger.bind(component="driver")

SLOW_SECONDS: Final = 30.0
"""Below the 45 s for which kubelets since 1.28 wait, so that the log says it before the kubelet does."""
KUBELET_SECONDS: Final = 45
BLOCK_SECONDS: Final = 1.0
"""The kubelet's watch of the plugin's socket and the renewal of a lease get along with that."""
END_SECONDS: Final = 5.0
"""For a thread that still runs when the plugin stops: it cannot be ended."""
MAX_SHOWN: Final = 200
"""Characters of what the author's code has raised or returned, in a message."""


class DriverFaultError(PrepareError):
    """A driver's class raised what it must not, or returned what it must not; the message names class and method."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One call of a method."""

    name: str
    """Such as ``LampDriver.prepare(lamp-0)``."""
    started: float
    """In the loop's time."""

    def __str__(self) -> str:
        return self.name

    def lasts(self) -> str:
        """The call, and how long it has taken so far."""
        return f"{self.name} has taken {asyncio.get_running_loop().time() - self.started:.0f} s"


class AuthorCalls(Generic[ConfigT]):
    """The methods of one driver, safe to call. For one event loop.

    Args:
        driver: of the author.
        slow_seconds: a call that takes longer is reported.
        block_seconds: a coroutine that keeps the loop for longer is reported.
    """

    def __init__(
        self, driver: Driver[ConfigT], *, slow_seconds: float = SLOW_SECONDS, block_seconds: float = BLOCK_SECONDS
    ) -> None:
        self.driver = driver
        self._slow_seconds = slow_seconds
        self._blocks = BlockWatch(block_seconds)
        self._running: dict[str, list[_Call]] = {}
        """By UID of the claim that they are for."""
        self._told: set[tuple[str, ...]] = set()
        """Places that have raised: their traceback is in the log."""

    def doing(self, claim_uid: str) -> str:
        """What is done for a claim at this moment, and for how long: ``LampDriver.prepare(lamp-0) has taken 31 s``.

        Empty when nothing is.
        """
        running = self._running.get(claim_uid)
        return running[0].lasts() if running else ""

    # --- The node

    async def configure(self, settings: Settings) -> None:
        """Hands the values of the driver's own settings to it. Raises DriverFaultError."""
        await self._run(self._call("configure"), partial(self.driver.configure, settings))

    async def devices(self, node: str) -> tuple[Device, ...]:
        """What the node has, as far as its type can tell: ``devicechecks`` looks at names and values.

        Raises:
            DriverFaultError: the method raised, or something that it returned is no Device.
        """
        call = self._call("devices", node)
        # A generator does its work when it is gone through, which may block as well as the method itself.
        found = await self._run(call, partial(self.driver.devices, node), _gone_through)
        if not isinstance(found, tuple):
            raise _returned(call, found, "a list of Device")
        for number, device in enumerate(found):
            if not isinstance(device, Device):
                raise _returned(call, device, "a Device", f" at index {number}")
        return found

    async def watch(self, node: str, changed: Callable[[], None]) -> None:
        """Runs the driver's watch to its end; ``changed`` is called in the event loop.

        Raises:
            DriverFaultError: the method raised.
        """
        loop = asyncio.get_running_loop()

        def tell() -> None:
            # The author may call it from any thread, also one that outlives the loop.
            if not loop.is_closed():
                loop.call_soon_threadsafe(changed)

        call = self._call("watch", node)
        await self._run(call, partial(self.driver.watch, node, tell), is_endless=True)

    async def prepare(self, device: AllocatedDevice[ConfigT]) -> ContainerEdits:
        """Has a device made ready, and returns what containers get.

        Raises:
            PrepareError: the driver says that it cannot be, and why.
            DriverFaultError: the method raised anything else, or returned no ContainerEdits.
        """
        with self._for_claim(device, "prepare") as call:
            edits = await self._run(call, partial(self.driver.prepare, device))
        if not isinstance(edits, ContainerEdits):
            raise _returned(call, edits, "ContainerEdits")
        return edits

    async def unprepare(self, device: AllocatedDevice[ConfigT]) -> None:
        """Has undone what ``prepare`` did. Raises PrepareError and DriverFaultError, as that does."""
        with self._for_claim(device, "unprepare") as call:
            await self._run(call, partial(self.driver.unprepare, device))

    # --- Allocation

    def fits(self, device: Device, config: ConfigT) -> bool:
        """Whether a device is what a configuration asks for. Raises DriverFaultError."""
        name = self._name("fits", device.name)
        answer = self._compute(name, partial(self.driver.fits, device, config))
        if not isinstance(answer, bool):
            raise _returned(name, answer, "True or False")
        return answer

    def demand(self, config: ConfigT) -> Mapping[str, str]:
        """How much a claim takes of a shared device, as quantities. Raises DriverFaultError."""
        name = self._name("demand")
        answer = self._compute(name, partial(self.driver.demand, config))
        if not isinstance(answer, Mapping):
            raise _returned(name, answer, "a mapping, such as {'bandwidth': '5G'}")
        try:
            return {str(key): canonical(str(value)) for key, value in answer.items()}
        except QuantityError as error:
            raise _returned(name, answer, "quantities such as '5G' and 4000") from error

    # --- The calls themselves

    def _name(self, method: str, about: str = "") -> str:
        return f"{type(self.driver).__name__}.{method}({about})"

    def _call(self, method: str, about: str = "") -> _Call:
        return _Call(self._name(method, about), asyncio.get_running_loop().time())

    @contextmanager
    def _for_claim(self, device: AllocatedDevice[ConfigT], method: str) -> Iterator[_Call]:
        call, uid = self._call(method, device.name), device.claim.uid
        running = self._running.setdefault(uid, [])
        running.append(call)
        try:
            yield call
        except DriverFaultError:
            raise
        except PrepareError as error:
            raise PrepareError(
                f"device {device.name}: {str(error) or f'{call} refuses it and does not say why'}"
            ) from error
        finally:
            running.remove(call)
            if not running:
                self._running.pop(uid, None)

    def _compute(self, name: str, method: Callable[[], Any]) -> Any:
        """What a method returns that is to be quick and pure."""
        try:
            with self._blocks.step(name):
                return method()
        except (Exception, asyncio.CancelledError) as error:
            raise self._fault(name, error) from error

    async def _run(
        self,
        call: _Call,
        method: Callable[[], Any],
        finish: Callable[[Any], Any] = lambda answer: answer,
        *,
        is_endless: bool = False,
    ) -> Any:
        """What a method returns, however it is written.

        Args:
            call: what messages name.
            method: without arguments.
            finish: the rest of the work on what it returns, where that is no coroutine.
            is_endless: whether it is to run for ever.
        """
        slow = None
        if not is_endless:
            slow = asyncio.get_running_loop().call_later(self._slow_seconds, _report_slow, call)
        try:
            if inspect.iscoroutinefunction(_function(method)):
                return finish(await self._blocks.watched(call.name, method()))
            answer = (await _in_thread(call, lambda: _unless_awaitable(method(), finish), is_endless=is_endless))()
            if inspect.isawaitable(answer):
                return finish(await self._blocks.watched(call.name, answer))
            return answer
        except PrepareError:
            raise
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            # Of something that the author's code has cancelled by itself, and waited for.
            raise self._fault(call.name, error) from error
        except (Exception, SystemExit) as error:
            raise self._fault(call.name, error) from error
        finally:
            if slow is not None:
                slow.cancel()

    def _fault(self, name: str, error: BaseException) -> DriverFaultError:
        """What is told of a defect; the log gets its traceback, unless it has it."""
        place = tuple(f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:])
        if place not in self._told:
            self._told.add(place)
            log.opt(exception=error).error("Driver raised an exception", call=name)
        if isinstance(error, ValidationError):
            return DriverFaultError(f"{name} made {error.title} of what it cannot be: {_sentences(error)}")
        said = one_line(f"{type(error).__name__}: {error}".removesuffix(": "), MAX_SHOWN)
        return DriverFaultError(f"{name} raised {said}")


def _sentences(error: ValidationError) -> str:
    """What is wrong with values of a model, such as ContainerEdits, each in one line."""
    problems = [(".".join(map(str, problem["loc"])), problem["msg"], problem["input"]) for problem in error.errors()]
    return one_line("; ".join(f"{place}: {words}, is {given!r}" for place, words, given in problems), MAX_SHOWN)


def _report_slow(call: _Call) -> None:
    log.error(
        "Driver takes long, and the kubelet does not wait for ever", call=call.lasts(), kubelet=f"{KUBELET_SECONDS} s"
    )


def _returned(call: object, answer: object, wanted: str, where: str = "") -> DriverFaultError:
    shown = one_line(f"{type(answer).__name__} {answer!r}", MAX_SHOWN) if answer is not None else "None"
    hint = "; is there a return statement?" if answer is None else ""
    return DriverFaultError(f"{call} returned {shown}{where}; it must be {wanted}{hint}")


def _function(method: Callable[[], Any]) -> Callable[..., Any]:
    return method.func if isinstance(method, partial) else method


def _unless_awaitable(answer: Any, finish: Callable[[Any], Any]) -> Any:
    """An awaitable is for the event loop: a method may return one without being a coroutine function."""
    return answer if inspect.isawaitable(answer) else finish(answer)


def _gone_through(answer: Any) -> Any:
    """A tuple of what there is to iterate over; other answers as they are, for a message."""
    return tuple(answer) if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes)) else answer


async def _in_thread(call: _Call, work: Callable[[], Any], *, is_endless: bool) -> Callable[[], Any]:
    """Runs blocking work in a thread of its own, with the context, so that log lines name the claim.

    What it returns has the result, or raises what the work has raised: a coroutine cannot raise every exception.
    When cancelled, it waits for the thread's end for a while, as otherwise the next process might do the same at once.
    So does the end of a program that shares its process, before it gives back the claim's lock.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Callable[[], Any]] = loop.create_future()

    def run() -> None:
        outcome = _attempt(work)
        if not loop.is_closed():  # else the program has ended without it
            loop.call_soon_threadsafe(_deliver, done, outcome)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name=call.name, daemon=True).start()
    forget = _nothing if is_endless else release_at_end(lambda: asyncio.wait((done,), timeout=END_SECONDS))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        if not done.done() and not is_endless:
            await asyncio.wait((done,), timeout=END_SECONDS)
            if not done.done():
                log.error("Driver still works while the plugin ends: it is left alone", call=call.lasts())
        raise
    finally:
        forget()


def _nothing() -> None:
    pass


def _attempt(work: Callable[[], Any]) -> Callable[[], Any]:
    """Does the work. What it returns has the result, or raises the error: a future takes no StopIteration, for one."""
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
        return partial(_raise, error)
    return lambda: result


def _raise(error: BaseException) -> Any:
    raise error


def _deliver(done: "asyncio.Future[Callable[[], Any]]", outcome: Callable[[], Any]) -> None:
    if not done.done():
        done.set_result(outcome)
