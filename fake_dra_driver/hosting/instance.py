"""One program among several in a process: what it runs, and how it ends.

Its tasks know it through the context that they inherit (``process.shared_process``). It ends in one of three ways:

- its main task ends: what it has left behind is cancelled, as ``asyncio.run`` does;
- a signal for which it has a handler: up to the program, as in a process of its own;
- any other signal: it is cut off. None of its coroutines is ever resumed, not even to clean up, so that its files and
  sockets stay as they are. What the system would take back (connections, listening sockets, locks) is taken back.

What cutting off cannot do: a thread that works on a file goes on to the end of that one call, and nothing is taken back
before it has ended, so that who waits for a lock does not write at the same time; the memory of what was cut off is not
given back, since Python would run the clean-up with it: some megabytes a time.
"""

import asyncio
import contextvars
import inspect
import signal
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, TypeVar

from typing_extensions import override

from fake_dra_driver.hosting.process import Release, SharedProcess, SignalHandler, shared_process

__all__ = ["Instance", "InstanceThreads", "make_task"]

T = TypeVar("T")

_LEFTOVER_SECONDS: Final = 5.0
"""For tasks that a program leaves behind to end when they are cancelled."""
_RELEASE_SECONDS: Final = 5.0
"""For one thing to be given back, which should take no time."""
_LET_GO_SECONDS: Final = 20.0
"""For all of it, and for calls in threads to end before. Less than a client waits for the end of what it has killed."""
_WITHOUT_EFFECT: Final = frozenset({signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT})
"""What such a signal does to a process that does not expect it: nothing."""

_cut_off: Final[list[Coroutine[Any, Any, Any]]] = []
"""Suspended for ever. Python would resume each of them with GeneratorExit if nothing referred to it."""


class Instance(SharedProcess):
    """A program at work. Its ``run`` is to be called once.

    Args:
        environment: its variables.
        write: takes what it writes to its standard streams, and must not block.
    """

    def __init__(self, environment: Mapping[str, str], write: Callable[[str], None]) -> None:
        self.environment = environment
        self.handlers: dict[int, SignalHandler] = {}
        self.releases: dict[object, Release] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        """Those that have not ended."""
        self.calls: set[Future[Any]] = set()
        """In threads; those that have not ended."""
        self.is_cut_off = False
        self._write = write
        self._ended_by: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The signal that has cut it off."""
        self._letting_go: asyncio.Task[None] | None = None

    def write(self, text: str) -> None:
        """Writes to its standard streams. What comes after its end is lost."""
        if not self.is_cut_off:
            self._write(text)

    def signal(self, number: int) -> None:
        """Does what the signal does to a process."""
        if handler := self.handlers.get(number):
            handler(signal.Signals(number))
        elif number not in _WITHOUT_EFFECT:
            self._cut_off(number)

    async def run(self, program: Callable[[], Coroutine[Any, Any, int]]) -> int:
        """Runs the program to its end. Returns its exit code, or the negative number of the signal that ended it."""
        context = contextvars.copy_context()
        context.run(shared_process.set, self)
        main = asyncio.get_running_loop().create_task(self._call(program), name="instance", context=context)
        await asyncio.wait((main, self._ended_by), return_when=asyncio.FIRST_COMPLETED)
        if self.is_cut_off:
            await self._let_go()
            return -self._ended_by.result()
        await self._end_leftovers()
        self._cut_off(signal.SIGKILL)
        await self._let_go()
        return 1 if main.cancelled() else main.result()

    async def _call(self, program: Callable[[], Coroutine[Any, Any, int]]) -> int:
        """What Python does with a program in a process of its own."""
        try:
            return await program()
        except SystemExit as error:
            if isinstance(error.code, str):
                self.write(f"{error.code}\n")
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        except Exception:  # noqa: BLE001 - a defect of one program is not the others' end
            self.write(traceback.format_exc())
            return 1

    def _cut_off(self, number: int) -> None:
        if self.is_cut_off:
            return
        self.is_cut_off = True
        self._ended_by.set_result(number)
        for task in list(self.tasks):
            task.cancel()

    async def _end_leftovers(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=_LEFTOVER_SECONDS)

    async def _let_go(self) -> None:
        """Gives back what is left. Raises nothing, and does not last for ever: an instance that has ended has ended."""
        self._letting_go = asyncio.get_running_loop().create_task(self._release(), name="instance releases")
        _, pending = await asyncio.wait((self._letting_go,), timeout=_LET_GO_SECONDS)
        if pending:
            _report(TimeoutError(f"{len(self.calls)} calls in threads have not ended; it keeps what it has until then"))

    async def _release(self) -> None:
        """Gives back what is left once no thread works for the program, in the reverse order."""
        for call in list(self.calls):
            call.cancel()  # has no effect on one that has begun
        await asyncio.gather(*map(asyncio.wrap_future, list(self.calls)), return_exceptions=True)
        while self.releases:
            _, release = self.releases.popitem()
            # In a task of its own, which is not this program's: what it meets may have been cancelled with that.
            released = asyncio.get_running_loop().create_task(_give_back(release), name="instance release")
            await asyncio.wait((released,), timeout=_RELEASE_SECONDS)
            if released.done() and not released.cancelled() and (error := released.exception()):
                _report(error)


class InstanceThreads(ThreadPoolExecutor):
    """The default executor of a loop that runs instances: their calls are known, and run in the caller's context."""

    @override
    def submit(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        shared = shared_process.get()
        if not isinstance(shared, Instance):
            return super().submit(contextvars.copy_context().run, call, *args, **kwargs)
        if shared.is_cut_off:
            return Future()  # for a coroutine that is never resumed
        future = super().submit(contextvars.copy_context().run, call, *args, **kwargs)
        shared.calls.add(future)
        future.add_done_callback(shared.calls.discard)
        return future


def make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None = None
) -> "asyncio.Task[T]":
    """The task factory of a loop that runs instances: their tasks can be cut off."""
    shared = shared_process.get() if context is None else context.get(shared_process)
    if not isinstance(shared, Instance):
        return asyncio.Task(coroutine, loop=loop, context=context)
    task = asyncio.Task(_Mortal(coroutine, shared), loop=loop, context=context)
    shared.tasks.add(task)
    task.add_done_callback(shared.tasks.discard)
    if shared.is_cut_off:
        task.cancel()
    return task


class _Mortal(Coroutine[Any, Any, T]):
    """A coroutine that is not resumed once its instance has been cut off."""

    __slots__ = ("_coroutine", "_instance")

    def __init__(self, coroutine: Coroutine[Any, Any, T], instance: Instance) -> None:
        self._coroutine = coroutine
        self._instance = instance

    @override
    def send(self, value: Any, /) -> Any:
        if self._instance.is_cut_off:
            self._bury()
        return self._coroutine.send(value)

    @override
    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
        /,
    ) -> Any:
        if self._instance.is_cut_off:
            self._bury()
        return self._coroutine.throw(kind if isinstance(kind, BaseException) else kind(value))

    @override
    def close(self) -> None:
        if not self._instance.is_cut_off:
            self._coroutine.close()

    @override
    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    def _bury(self) -> None:
        if inspect.iscoroutine(self._coroutine) and inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CREATED:
            self._coroutine.close()  # there is nothing that it could do
        else:
            _cut_off.append(self._coroutine)
        raise asyncio.CancelledError


async def _give_back(release: Release) -> None:
    released = release()
    if isinstance(released, Awaitable):
        await released


def _report(error: BaseException) -> None:
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": "Not given back by an instance that has ended", "exception": error})
