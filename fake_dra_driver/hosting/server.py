"""The process: runs instances of programs for a client, which speaks ``protocol`` on a socket, until that is gone.

All of them are tasks of one event loop. What writes to a standard stream, or starts a thread, is served according to
the instance that it runs in.
"""

import asyncio
import contextlib
import io
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TextIO

from typing_extensions import override

from fake_dra_driver.hosting.instance import Instance, InstanceThreads, make_task
from fake_dra_driver.hosting.process import shared_process
from fake_dra_driver.hosting.protocol import (
    MAX_LINE_BYTES,
    MAX_TEXT,
    Exited,
    Message,
    Output,
    SendSignal,
    Start,
    decode,
    encode,
)

__all__ = ["HostedProgram", "serve_instances", "streams_of_instances"]

HostedProgram = Callable[[Sequence[str]], Coroutine[Any, Any, int]]
"""Runs with these arguments; returns the exit status. What goes wrong it has said on standard error."""

_THREADS: Final = 16
"""For blocking calls of all instances, which wait for the disk at most."""
_NOT_FOUND: Final = 127
"""As a shell has it."""


async def serve_instances(programs: Mapping[str, HostedProgram], control: socket.socket) -> None:
    """Runs instances until the other end of the socket is closed. Instances that still run are left as they are.

    The process must end then, and without Python's clean-up (``os._exit``): that would resume what was cut off.

    Args:
        programs: by name.
        control: is connected to the client.

    Raises:
        ValueError: the client speaks another protocol.
    """
    loop = asyncio.get_running_loop()
    loop.set_task_factory(make_task)  # type: ignore[arg-type]  # typeshed has no generic factories
    loop.set_default_executor(InstanceThreads(_THREADS, thread_name_prefix="instances"))
    reader, writer = await asyncio.open_connection(sock=control, limit=MAX_LINE_BYTES)
    server = _Server(programs, writer)
    with streams_of_instances(), contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            server.obey(decode(line))


class _Server:
    def __init__(self, programs: Mapping[str, HostedProgram], writer: asyncio.StreamWriter) -> None:
        self._programs = programs
        self._writer = writer
        self._instances: dict[int, Instance] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def obey(self, message: Message) -> None:
        match message:
            case Start():
                task = asyncio.get_running_loop().create_task(self._run(message), name=f"instance {message.id}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case SendSignal(id=number) if number in self._instances:
                self._instances[number].signal(message.number)
            case _:
                pass

    async def _run(self, start: Start) -> None:
        write = partial(self._write, start.id)
        name, *arguments = start.argv or [""]
        program = self._programs.get(name)
        if program is None:
            write(f"{name}: no program of this process\n")
            self._say(Exited(start.id, _NOT_FOUND))
            return
        self._instances[start.id] = instance = Instance(start.env, write)
        try:
            code = await instance.run(lambda: program(arguments))
        finally:
            del self._instances[start.id]
        self._say(Exited(start.id, code))

    def _write(self, number: int, text: str) -> None:
        for start in range(0, len(text), MAX_TEXT):
            self._say(Output(number, text[start : start + MAX_TEXT]))

    def _say(self, message: Message) -> None:
        # Does not wait for the client to read: one instance must not stop the others.
        self._writer.write(encode(message))


class _Stream(io.TextIOBase):
    """A standard stream: what an instance writes is its own, the rest is the process's."""

    def __init__(self, of_process: TextIO, loop: asyncio.AbstractEventLoop) -> None:
        self._of_process = of_process
        self._loop = loop
        self._thread = threading.get_ident()

    @override
    def write(self, text: str, /) -> int:
        shared = shared_process.get()
        if not isinstance(shared, Instance):
            return self._of_process.write(text)
        if threading.get_ident() == self._thread:
            shared.write(text)
        else:
            self._loop.call_soon_threadsafe(shared.write, text)
        return len(text)

    @override
    def flush(self) -> None:
        if shared_process.get() is None:
            self._of_process.flush()

    @override
    def fileno(self) -> int:
        return self._of_process.fileno()


@contextlib.contextmanager
def streams_of_instances() -> Iterator[None]:
    """Standard streams that know whose they are, while the block runs in the loop of the instances."""
    loop = asyncio.get_running_loop()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Stream(sys.stdout, loop), _Stream(sys.stderr, loop)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
