"""What a program reads from and writes to: pipes, or a terminal.

A terminal has one end for the program, which is its input and both of its outputs, and one for those who use it. The
program that gets one is started by ``terminal``, which makes it the program's controlling terminal.
"""

import asyncio
import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from typing_extensions import override

from fake_dra_driver.cluster.kubelet.containerruntime import terminal
from fake_dra_driver.cluster.remotecommand.streams import TerminalSize

__all__ = ["PipeEnds", "Stdio", "StdioEnds"]

_BUFFER_BYTES: Final = 64 * 1024
"""How much output may wait for its reader; at twice that the program blocks."""


@dataclass(frozen=True, slots=True)
class Stdio:
    """What a program gets."""

    stdin: bool = False
    """Whether it has input; else it reads nothing."""
    tty: bool = False
    """Whether it has a terminal."""
    apart: bool = False
    """Whether its two outputs are kept apart; with a terminal they never are."""


class PipeEnds:
    """The ends that are used here of what one program has got, before they are connected to the event loop."""

    def __init__(self, popen: "subprocess.Popen[bytes]", master: int | None, stdio: Stdio) -> None:
        self._popen = popen
        self._master = master
        self._stdio = stdio

    @classmethod
    def spawn(
        cls, argv: Sequence[str], stdio: Stdio, stdin: int = subprocess.DEVNULL, **options: Any
    ) -> tuple["subprocess.Popen[bytes]", "PipeEnds"]:
        """Starts a program in a session of its own. Blocks.

        Args:
            argv: the program and its arguments.
            stdio: what it gets.
            stdin: what it reads without a terminal and input of its own.
            options: of Popen: ``env``, ``cwd``.

        Raises:
            OSError, ValueError: as Popen does.
        """
        if not stdio.tty:
            popen = subprocess.Popen(  # noqa: S603 - running what the pod says is what this is for
                argv,
                stdin=subprocess.PIPE if stdio.stdin else stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if stdio.apart else subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
            return popen, cls(popen, None, stdio)
        master, slave = os.openpty()
        try:
            terminal.check(argv, options["env"], options["cwd"])
            popen = subprocess.Popen(  # noqa: S603 - as above
                [sys.executable, "-I", "-S", str(Path(terminal.__file__)), *argv],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                **options,
            )
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        return popen, cls(popen, master, stdio)

    async def connect(self) -> "StdioEnds":
        """Connects them to the event loop."""
        if self._master is None:
            output, reading = await _reader(self._popen.stdout)
            errors, more = await _reader(self._popen.stderr) if self._popen.stderr is not None else (None, None)
            writer = await _Writer.connect(self._popen.stdin) if self._popen.stdin is not None else None
            return StdioEnds(output, errors, writer, [each for each in (reading, more) if each is not None])
        output, reading = await _reader(os.fdopen(self._master, "rb", buffering=0))
        # Without input it has a terminal on which nobody types.
        writer = (
            await _Writer.connect(os.fdopen(os.dup(self._master), "wb", buffering=0)) if self._stdio.stdin else None
        )
        return StdioEnds(output, None, writer, [reading], master=self._master)


class StdioEnds:
    """What is written to a program, and what it writes."""

    def __init__(
        self,
        output: asyncio.StreamReader,
        errors: asyncio.StreamReader | None,
        writer: "_Writer | None",
        reading: Sequence[asyncio.ReadTransport],
        *,
        master: int | None = None,
    ) -> None:
        self.output = output
        """Standard output, and standard error unless that is kept apart. Ends when nobody holds its other end."""
        self.errors = errors
        """Standard error, where it is kept apart."""
        self._writer = writer
        self._reading = reading
        self._master = master

    async def write(self, data: bytes) -> None:
        """Gives the program input, and waits while it does not read. Dropped once it reads no more."""
        if self._writer is not None:
            await self._writer.write(data)

    def end_input(self) -> None:
        """The program's input ends, unless it is a terminal: that stays, as on a real node."""
        if self._writer is not None and self._master is None:
            self._writer.close()

    def resize(self, size: TerminalSize) -> None:
        """Changes the size of the terminal, of which the program is told. Nothing happens if it has none."""
        if self._master is not None and not self._reading[0].is_closing():
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))

    def close(self) -> None:
        """Closes all of it: the outputs end, even if somebody could still write to them."""
        if self._writer is not None:
            self._writer.abort()
        for transport in self._reading:
            transport.close()


async def _reader(file: IO[bytes] | None) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = _TerminalReader(limit=_BUFFER_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    return reader, transport


class _Writer(asyncio.BaseProtocol):
    """Writes to a pipe or a terminal, and waits where it is full."""

    def __init__(self) -> None:
        self.transport: asyncio.WriteTransport
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_lost = False

    @classmethod
    async def connect(cls, file: IO[bytes]) -> "_Writer":
        """Connects one to the event loop."""
        transport, writer = await asyncio.get_running_loop().connect_write_pipe(cls, file)
        writer.transport = transport
        return writer

    async def write(self, data: bytes) -> None:
        """Writes, and waits for room for more. Nothing happens once the other end is closed."""
        if not self.transport.is_closing():
            self.transport.write(data)
            await self._has_room.wait()

    def close(self) -> None:
        """Closes it once all is written."""
        if not self._is_lost:
            self.transport.close()

    def abort(self) -> None:
        """Closes it at once."""
        if not self._is_lost:  # or asyncio's transport would fail
            self.transport.abort()

    @override
    def pause_writing(self) -> None:
        self._has_room.clear()

    @override
    def resume_writing(self) -> None:
        self._has_room.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._has_room.set()


class _TerminalReader(asyncio.StreamReader):
    """Ends when the other end of a terminal is closed, which Linux reports as an error (EIO)."""

    @override
    def set_exception(self, exc: BaseException) -> None:
        self.feed_eof()
