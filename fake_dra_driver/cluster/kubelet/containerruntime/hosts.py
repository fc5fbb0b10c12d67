"""Containers whose programs are instances in one process: with many nodes, a process for each would be too much.

An image may name a ``Host``: a command that runs some of the image's programs as instances (``hosting``), any number
at once. One process of it is started for the whole cluster, when the first container wants it, and again when it has
died. To the runtime an instance is a ``Program`` like any other: it writes, gets signals, and ends. When the host dies,
all of its instances have been killed (137), and the kubelets start them again, in a new one.

What an instance is not: a process that ``ps`` shows, in a folder of its own, that SIGSTOP holds. A host that does not
react to SIGKILL of an instance for a while hangs, and is killed; so is one that says what makes no sense.
"""

import asyncio
import errno
import itertools
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from loguru import logger
from typing_extensions import override

from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.kubelet.containerruntime.process import Process
from fake_dra_driver.cluster.kubelet.containerruntime.program import Program
from fake_dra_driver.cluster.warden import Warden
from fake_dra_driver.hosting.protocol import MAX_LINE_BYTES, Exited, Output, SendSignal, Start, decode, encode

__all__ = ["Host", "Hosts"]

log = logger.bind(component="container-host")

_KILL_SECONDS: Final = 30.0
"""On a busy machine the loop of a host may be seconds behind."""
_CANNOT_HOLD: Final = (signal.SIGSTOP, signal.SIGTSTP)
_LAST_LINES: Final = 20
"""Of a host's own output, said when it ends."""
_LAST_BYTES: Final = 16 * 1024
"""At most, of these lines."""


@dataclass(frozen=True, slots=True)
class Host:
    """A command that runs programs of an image as instances."""

    command: tuple[str, ...]
    """Its standard input is the socket of ``hosting.protocol``."""
    programs: Mapping[str, Sequence[str]] = field(hash=False)
    """By name in the image: what it is for the host, before the arguments of the container."""
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Its environment; instances have that of their container."""

    def argv_of(self, argv: Sequence[str]) -> Sequence[str] | None:
        """What runs a container's command in the host; None: the host cannot."""
        program = self.programs.get(argv[0]) if argv else None
        return None if program is None else (*program, *argv[1:])


class Instance(Program):
    """A program that runs in a host."""

    def __init__(self, number: int, process: "_HostProcess") -> None:
        self._number = number
        self._process = process
        self.output = asyncio.StreamReader()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._kill_timer: asyncio.TimerHandle | None = None

    @override
    def signal(self, number: int) -> None:
        if self._code.done():
            return
        self._process.send(SendSignal(self._number, number))
        if number == signal.SIGKILL and self._kill_timer is None:
            self._kill_timer = asyncio.get_running_loop().call_later(self._process.kill_seconds, self._process.give_up)

    @override
    def signal_group(self, number: int) -> bool:
        if number in _CANNOT_HOLD:
            raise ClusterError(
                f"{signal.Signals(number).name} would hold the containers of all nodes, which share a process here: "
                "use a cluster of fewer nodes"
            )
        is_running = not self._code.done()
        self.signal(number)
        return is_running

    @override
    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    @override
    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    @override
    def close(self) -> None:
        if not self.output.at_eof():
            self.output.feed_eof()

    def wrote(self, text: str) -> None:
        """It has written something. What is no character is written as Python's standard error has it."""
        if not self._code.done():
            self.output.feed_data(text.encode(errors="backslashreplace"))

    def ended(self, code: int) -> None:
        """It has ended."""
        if not self._code.done():
            self._code.set_result(code)
            self.output.feed_eof()
        if self._kill_timer is not None:
            self._kill_timer.cancel()


class Hosts:
    """The hosts of one cluster. An async context manager: on leaving it, all of them are killed.

    Args:
        folder: their working directory.
        warden: kills them when this process is killed.
        are_wanted: whether a container that starts now is to run in one, if there is one for it.
        kill_seconds: for a host to say that an instance has ended that was killed; one that does not hangs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        warden: Warden | None = None,
        are_wanted: Callable[[], bool] = lambda: True,
        kill_seconds: float = _KILL_SECONDS,
    ) -> None:
        self._kill_seconds = kill_seconds
        self.are_wanted = are_wanted
        self._folder = folder
        self._warden = warden
        self._processes: dict[tuple[str, ...], asyncio.Task[_HostProcess | OSError]] = {}
        """By command; those that start or run."""
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Starts nothing yet."""
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kills the hosts, and waits for their end."""
        for starting in list(self._processes.values()):
            if isinstance(process := await asyncio.shield(starting), _HostProcess):
                process.give_up()
        await self._group.__aexit__(kind, error, traceback)

    @property
    def pids(self) -> Sequence[int]:
        """The processes that run."""
        return [
            process.pid
            for starting in self._processes.values()
            if starting.done() and isinstance(process := starting.result(), _HostProcess)
        ]

    async def start(self, host: Host, argv: Sequence[str], env: Mapping[str, str]) -> Instance:
        """Runs a program in a host, which is started if it does not run.

        Args:
            host: which.
            argv: as the host knows the program.
            env: of the instance.

        Raises:
            OSError: the host cannot be started, or the program has too many arguments and variables.
        """
        starting = self._processes.get(host.command)
        if starting is None:
            starting = self._group.create_task(self._start(host), name="container host start")
            self._processes[host.command] = starting
        # Not cancelled with one of those that wait for it.
        process = await asyncio.shield(starting)
        if isinstance(process, OSError):
            raise ChildProcessError(errno.ECHILD, f"the process for it cannot be started ({process})") from process
        return process.run(argv, env)

    async def _start(self, host: Host) -> "_HostProcess | OSError":
        """Raises nothing, since several wait for it."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await Process.start(
                    host.command, env=host.env, folder=self._folder, warden=self._warden, stdin=theirs.fileno()
                )
            reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE_BYTES)
        except OSError as error:
            ours.close()
            del self._processes[host.command]
            return error
        found = _HostProcess(process, writer, self._kill_seconds)
        self._group.create_task(self._accompany(host, found, reader), name="container host")
        log.info("Container host has started", command=host.command[0], pid=process.pid)
        return found

    async def _accompany(self, host: Host, process: "_HostProcess", reader: asyncio.StreamReader) -> None:
        try:
            await process.accompany(reader)
        finally:
            del self._processes[host.command]
            process.lost()


class _HostProcess:
    """A host that runs, and its instances."""

    def __init__(self, process: Process, writer: asyncio.StreamWriter, kill_seconds: float) -> None:
        self.kill_seconds = kill_seconds
        self._process = process
        self._writer = writer
        self._instances: dict[int, Instance] = {}
        self._numbers = itertools.count(1)
        self._is_given_up = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, argv: Sequence[str], env: Mapping[str, str]) -> Instance:
        number = next(self._numbers)
        line = encode(Start(number, list(argv), dict(env)))
        if len(line) > MAX_LINE_BYTES:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        self._instances[number] = instance = Instance(number, self)
        self._writer.write(line)
        return instance

    def send(self, message: SendSignal) -> None:
        """What a host that is just dying does not read has no effect: its instances end with it."""
        self._writer.write(encode(message))

    def give_up(self) -> None:
        """Kills it, with all of its instances."""
        self._is_given_up = True
        self._process.kill()

    async def accompany(self, reader: asyncio.StreamReader) -> None:
        """Does what it says, until its end."""
        async with asyncio.TaskGroup() as group:
            said = group.create_task(self._last_lines(), name="container host output")
            try:
                await self._listen(reader)
            finally:
                self._process.kill()
                code = await self._process.wait()
                self._writer.close()
                self._process.close()
            if not self._is_given_up:
                log.error("Container host has ended", code=code, instances=len(self._instances), said=await said)

    def lost(self) -> None:
        """It has ended: so have its instances."""
        for instance in self._instances.values():
            instance.ended(-signal.SIGKILL)
        self._instances.clear()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                match decode(line):
                    case Output(id=number, text=text) if number in self._instances:
                        self._instances[number].wrote(text)
                    case Exited(id=number, code=code) if number in self._instances:
                        self._instances.pop(number).ended(code)
        except ConnectionError:
            pass
        except ValueError as error:  # also of a line without an end
            log.error("Container host makes no sense, and is killed", pid=self.pid, error=str(error))

    async def _last_lines(self) -> str:
        last = b""
        while block := await self._process.output.read(_LAST_BYTES):
            last = (last + block)[-_LAST_BYTES:]
        return "\n".join(last.decode(errors="replace").splitlines()[-_LAST_LINES:])
