"""A program of this machine in a session and process group of its own, which is what a container is here.

asyncio's own subprocesses need a thread for each child before Python 3.12, and reap a child before its end can be acted
upon. Here a pidfd reports the end (or a thread, where the system has no pidfds); then the whole group is killed while
the dead leader still keeps its number from being reused, and only then the leader is reaped. A start takes some
milliseconds, so it is done in a thread.

A program that makes another session (setsid, a daemon) escapes from its group: there is no PID namespace.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from fake_dra_driver.cluster.kubelet.containerruntime.program import Program
from fake_dra_driver.cluster.kubelet.containerruntime.stdio import PipeEnds, Stdio, StdioEnds
from fake_dra_driver.cluster.warden import Warden

__all__ = ["Process"]

_NO_INPUT = Stdio()


class Process(Program):
    """A running process. ``wait`` has to be awaited once."""

    def __init__(self, popen: subprocess.Popen[bytes], stdio: StdioEnds, warden: Warden | None = None) -> None:
        self._popen = popen
        self._warden = warden
        self._is_reaped = False
        self.stdio = stdio
        self.output = stdio.output
        """What it writes to standard output, and to standard error unless that is kept apart, in the order in which it
        does. Ends when no process holds the pipe: a child that escaped from the group may hold it beyond the program's
        end."""

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        warden: Warden | None = None,
        stdin: int = subprocess.DEVNULL,
        stdio: Stdio = _NO_INPUT,
    ) -> "Process":
        """Starts a program; a name without a slash is looked for in ``env["PATH"]``.

        With a ``warden``, it and all of its group end when this process does. ``stdin`` may be a descriptor.

        Must not be cancelled, or a program may run that is not known here.

        Raises:
            OSError: there is no such program or folder, or it may not be run.
            ValueError: an argument or a variable holds a NUL.
        """
        popen, ends = await asyncio.to_thread(_spawn, argv, env, folder, warden, stdin, stdio)
        return cls(popen, await ends.connect(), warden)

    @property
    def pid(self) -> int:
        """Number of the process, and of its group."""
        return self._popen.pid

    @override
    def signal(self, number: int) -> None:
        """Sends a signal to the program alone, as a runtime does: its children are up to the program.

        Nothing happens once it has ended.
        """
        if not self._is_reaped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @override
    def kill(self) -> None:
        """Sends SIGKILL to the whole group. Nothing happens once the program has ended."""
        self.signal_group(signal.SIGKILL)

    @override
    def signal_group(self, number: int) -> bool:
        """Sends a signal to the program and all of its group. Returns whether a process got it."""
        if self._is_reaped:
            return False
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # The latter is what macOS says when only the dead leader is left in the group.
            return False
        return True

    @override
    async def wait(self) -> int:
        """Waits for the end of the program, and kills what is left of its group then.

        Returns:
            Its exit code, or the negative number of the signal that ended it.
        """
        await _wait_for_end(self._popen)
        self.kill()
        if self._warden is not None:
            self._warden.ended(self.pid)
        code = self._popen.wait()
        self._is_reaped = True
        return code

    @override
    def close(self) -> None:
        """Closes its pipes: ``output`` ends, even if a process could still write to it."""
        self.stdio.close()


def _spawn(
    argv: Sequence[str], env: Mapping[str, str], folder: Path, warden: Warden | None, stdin: int, stdio: Stdio
) -> tuple[subprocess.Popen[bytes], PipeEnds]:
    popen, ends = PipeEnds.spawn(argv, stdio, stdin, env=env, cwd=folder)
    if warden is not None:
        warden.begun(popen.pid)
    return popen, ends


async def _wait_for_end(popen: subprocess.Popen[bytes]) -> None:
    """Waits until the program has ended; where it can, without reaping it."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ended.done():
            ended.set_result(None)

    descriptor = _open_pidfd(popen.pid)
    if descriptor is None:
        threading.Thread(target=_wait_in_thread, args=(popen, loop, tell), daemon=True).start()
        await ended
        return
    loop.add_reader(descriptor, tell)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system cannot."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # a kernel before 5.3, or a sandbox that does not know the call
        return None


def _wait_in_thread(popen: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> None:
    popen.wait()
    with contextlib.suppress(RuntimeError):  # the loop is closed: the result is no longer of interest
        loop.call_soon_threadsafe(tell)
