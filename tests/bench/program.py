"""A process under measurement: started, asked whether it is ready, weighed, stopped."""

import asyncio
import os
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Program", "cpu_seconds", "free_port"]

_READY_SECONDS = 60
_STOP_SECONDS = 30
_POLL_SECONDS = 0.01
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Program:
    """One running process."""

    name: str
    pid: int
    started_at: float
    """Loop time right before it was started."""
    log: Path
    _may_end: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @asynccontextmanager
    async def run(
        cls, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator["Program"]:
        """Runs a command until the block ends, then stops it with SIGTERM. Its output is in ``folder/name.log``.

        Raises RuntimeError, in an ExceptionGroup, as soon as it ends by itself.
        """
        log = folder / f"{name}.log"
        with log.open("ab") as output:
            started_at = asyncio.get_running_loop().time()
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
            )
        program = cls(name, process.pid, started_at, log)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(program._fail_at_end(process))
                yield program
                watch.cancel()
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), _STOP_SECONDS)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def _fail_at_end(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        if self._may_end.is_set():
            return
        raise RuntimeError(f"{self.name} ended by itself, with status {status}; its log: {self.log}")

    async def wait_ready(self, url: str) -> float:
        """Waits until the URL answers with 200. Returns the seconds since the start.

        Raises:
            RuntimeError: it ended, or took too long.
        """
        loop = asyncio.get_running_loop()
        while not await asyncio.to_thread(_answers, url):
            if loop.time() - self.started_at > _READY_SECONDS or self.cpu_seconds() is None:
                raise RuntimeError(f"{self.name} did not become ready; its log: {self.log}")
            await asyncio.sleep(_POLL_SECONDS)
        return loop.time() - self.started_at

    def kill(self) -> None:
        """Ends it with SIGKILL, without a chance to clean up."""
        self._may_end.set()
        os.kill(self.pid, signal.SIGKILL)

    def resident_mib(self) -> float:
        """Resident memory now."""
        return self._status("VmRSS") / 1024

    def greatest_resident_mib(self) -> float:
        """The most that was ever resident."""
        return self._status("VmHWM") / 1024

    def cpu_seconds(self) -> float | None:
        """CPU time so far, in user mode and in the kernel; None when the process has ended."""
        return cpu_seconds(self.pid)

    def _status(self, field: str) -> int:
        found = re.search(rf"^{field}:\s+(\d+) kB$", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        if found is None:
            raise RuntimeError(f"{self.name} has ended; its log: {self.log}")
        return int(found[1])


def cpu_seconds(pid: int) -> float | None:
    """CPU time of a process; None when there is none of that number, or it has ended."""
    try:
        # The name of the program, in parentheses, may hold anything. State, ten more, then utime and stime.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def free_port() -> int:
    """A port of the loopback device that no process uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
