"""Connects a client's streams with a command in a container, or with the container itself.

Where this differs from a real node: a command whose client goes away is killed, while containerd lets it run on; and an
attached client gets both outputs of the container as one.
"""

import asyncio
import errno
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from fake_dra_driver.cluster.kubelet.containerruntime.container import Container, Job
from fake_dra_driver.cluster.kubelet.containerruntime.process import Process
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import NotRunningError, ProcessRuntime
from fake_dra_driver.cluster.kubelet.containerruntime.stdio import Stdio, StdioEnds
from fake_dra_driver.cluster.remotecommand.inputbuffer import InputBuffer
from fake_dra_driver.cluster.remotecommand.outcome import ended, failed
from fake_dra_driver.cluster.remotecommand.streams import Output, RemoteStreams, TerminalSizes

__all__ = ["attach", "run_command"]

_READ_BYTES: Final = 32 * 1024
_DRAIN_SECONDS: Final = 2.0
"""How long output is waited for after the command's end, when only a process that has escaped can still write it."""


async def run_command(
    runtime: ProcessRuntime, container: Container, argv: Sequence[str], shown: Sequence[str], streams: RemoteStreams
) -> Mapping[str, Any]:
    """Runs a command for a client, and returns the Status of its end. When cancelled, the command is killed.

    Args:
        runtime: the container's.
        container: where it runs.
        argv: the command.
        shown: the command as the client knows it.
        streams: the client's.

    Raises:
        ConnectionError: the client has gone.
    """
    stdio = Stdio(stdin=streams.options.stdin, tty=streams.options.tty, apart=not streams.options.tty)
    try:
        job = await runtime.open(container, argv, stdio)
    except NotRunningError as error:
        return failed(f"error executing command in container: {error}")
    except (OSError, ValueError) as error:
        return failed(f"error executing command in container: failed to exec in container: {_why_not(shown, error)}")
    try:
        await _accompany(job, streams)
        return ended(shown, job.exit_code)
    finally:
        job.abandon()


async def attach(container: Container, streams: RemoteStreams, *, ends_input: bool) -> Mapping[str, Any]:
    """Gives a client what a container writes from now on, and the container what the client sends.

    Args:
        container: it runs.
        streams: the client's.
        ends_input: whether the container's input ends with the client's (``stdinOnce``).

    Returns:
        The Status of the container's end.

    Raises:
        ConnectionError: the client has gone.
    """
    output = InputBuffer()
    container.attached.add(output)
    to = container.process.stdio if isinstance(container.process, Process) else None
    try:
        async with _Helpers() as helpers:
            if to is not None:
                helpers.start(_feed(streams, to, ends_input=ends_input))
                helpers.start(_resize(streams, to))
            while data := await output.get():
                await streams.write("stdout", data)
    finally:
        container.attached.discard(output)
    return ended((), 0)


async def _accompany(job: Job, streams: RemoteStreams) -> None:
    """Carries everything between a client and a command, until that has ended and all that it wrote is sent."""
    process = job.process
    if not isinstance(process, Process):
        raise TypeError("a command with input and two outputs is a process")
    async with _Helpers() as helpers:
        helpers.start(_feed(streams, process.stdio, ends_input=True))
        helpers.start(_resize(streams, process.stdio))
        pumps = [_Pump(process.output, streams, "stdout")]
        if process.stdio.errors is not None:
            pumps.append(_Pump(process.stdio.errors, streams, "stderr"))
        tasks = [helpers.start(pump.run()) for pump in pumps]
        ending = helpers.start(_wait(job.ended))
        # A client that has gone is noticed by whichever writes first.
        waiting = {*tasks, ending}
        while not ending.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            _raise_first(done)
        streams.discard_input()
        rest = {task for task in tasks if not task.done()}
        while rest:
            moved = [pump.moved for pump in pumps]
            done, rest = await asyncio.wait(rest, timeout=_DRAIN_SECONDS)
            _raise_first(done)
            if not done and moved == [pump.moved for pump in pumps] and not any(pump.is_sending for pump in pumps):
                return


class _Pump:
    """Sends an output of a command to the client."""

    def __init__(self, reader: asyncio.StreamReader, streams: RemoteStreams, to: Output) -> None:
        self._reader = reader
        self._streams = streams
        self._to = to
        self.moved = 0
        """Bytes that were sent."""
        self.is_sending = False

    async def run(self) -> None:
        """Until the output ends. Raises ConnectionError when the client has gone."""
        while data := await self._reader.read(_READ_BYTES):
            self.is_sending = True
            await self._streams.write(self._to, data)
            self.is_sending = False
            self.moved += len(data)


class _Helpers:
    """Tasks that end with a block."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "_Helpers":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts one."""
        task = asyncio.create_task(work, name="session stream")
        self._tasks.append(task)
        return task


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _raise_first(done: set[asyncio.Task[None]]) -> None:
    for task in done:
        task.result()


async def _feed(streams: RemoteStreams, to: StdioEnds, *, ends_input: bool) -> None:
    while data := await streams.input.get():
        await to.write(data)
    if ends_input:
        to.end_input()


async def _resize(streams: RemoteStreams, to: StdioEnds) -> None:
    if not streams.options.tty:
        streams.resizes.discard()
        return
    sizes = TerminalSizes(streams.resizes)
    while (size := await sizes.latest()) is not None:
        to.resize(size)


def _why_not(command: Sequence[str], error: OSError | ValueError) -> str:
    """Why a command could not be started, in the words of containerd and runc."""
    program = command[0] if command else ""
    if isinstance(error, FileNotFoundError):
        said = (
            f'exec: "{program}": stat {program}: no such file or directory'
            if "/" in program
            else f'exec: "{program}": executable file not found in $PATH'
        )
    elif isinstance(error, OSError) and error.errno is not None:
        said = f'exec: "{program}": {_GO_ERRORS.get(error.errno, error.strerror or str(error))}'
    else:
        said = f'exec: "{program}": {error}'
    return (
        f'failed to start exec "{secrets.token_hex(32)}": OCI runtime exec failed: exec failed: unable to start '
        f"container process: {said}: unknown"
    )


_GO_ERRORS: Final = {
    errno.EACCES: "permission denied",
    errno.EISDIR: "is a directory",
    errno.ENOEXEC: "exec format error",
}
