"""Cleans up after a cluster whose process was killed: ends the processes of its containers and removes its folder.

A process that gets SIGKILL can do nothing more, and its children live on. So a small process waits for the cluster's
end: it holds the reading end of a pipe, which closes with the cluster's process however that ends, and learns through
it which process groups there are. (Linux can signal children when their parent dies, PR_SET_PDEATHSIG. But that is the
death of the thread that started them, it does not reach their own children, and no other system has it.) A process is
unknown for a few milliseconds after its start.

This file is also that process's program, which is why it imports nothing of the package.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["Warden"]

_BEGUN, _ENDED = "+", "-"
_REMOVAL_SECONDS = 5.0
"""For killed processes to release the folder."""


class Warden:
    """The cluster's end of the pipe. ``start`` it before the first container, ``close`` it after the last."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, folder: Path | None) -> None:
        """Starts the process that waits. Raises OSError when it cannot be started.

        Args:
            folder: what it removes when the cluster did not do so itself.
        """
        self._process = await asyncio.to_thread(_start, folder)

    def begun(self, group: int) -> None:
        """Adds a process group, to be killed with the cluster. May be called from any thread."""
        self._tell(_BEGUN, group)

    def ended(self, group: int) -> None:
        """Removes one that has ended: its number may be reused from now on."""
        self._tell(_ENDED, group)

    async def close(self) -> None:
        """The cluster has ended normally: kills groups that are left, and removes the folder if it is there."""
        if self._process is not None:
            process, self._process = self._process, None
            await asyncio.to_thread(_close, process)

    def _tell(self, what: str, group: int) -> None:
        if self._process is not None and self._process.stdin is not None:
            # Lines this short are written whole or not at all. The process that reads them may have been killed.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._process.stdin.fileno(), f"{what}{group}\n".encode())


def _start(folder: Path | None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - this very file
        [sys.executable, "-I", "-S", __file__, str(folder or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        # Ctrl-C in a terminal is for the cluster alone.
        start_new_session=True,
    )
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)  # the writer must not block
    return process


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


def _wait(folder: str) -> None:
    """What the process does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line.startswith(_BEGUN) else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while folder and Path(folder).exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _wait(sys.argv[1])
