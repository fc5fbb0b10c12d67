"""Standard streams that are closed, full, or no longer read: a command then ends as other command-line tools do.

- Closed (``>&-``): what is written is lost, as with kubectl.
- No longer read (``| head``): ReaderGoneError, for which a program ends quietly, as SIGPIPE ends others.
- Anything else, such as a full disk: StandardOutputError, for which a program says what was wrong.

Standard output has errors of its own, since an OSError of a write names no file: it could be of any other.
"""

import asyncio
import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from typing_extensions import Buffer, override

__all__ = ["ReaderGoneError", "StandardOutputError", "standard_streams", "until_reader_gone"]


class StandardOutputError(OSError):
    """Standard output cannot be written."""


class ReaderGoneError(StandardOutputError):
    """The program at the other end of the pipe has ended."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Gives the process all of its standard streams, and standard output errors of its own, while the block runs.

    Raises:
        StandardOutputError: as whatever writes to standard output in the block: what was still buffered at its end.
    """
    _open_the_closed()
    before = sys.stdout
    if isinstance(before, io.TextIOWrapper) and before is sys.__stdout__:  # not what a test reads in its place
        sys.stdout = _guarded(before)
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout = before


async def until_reader_gone(stream: TextIO) -> None:
    """Waits until the program that reads a pipe has ended, while there is nothing to write to it.

    Raises:
        ReaderGoneError: it has; never, where the stream is not a pipe.
    """
    gone = asyncio.Event()
    try:
        number = stream.fileno()
    except io.UnsupportedOperation:
        number = None
    if number is None or not stat.S_ISFIFO(os.fstat(number).st_mode):
        await gone.wait()
        return
    loop = asyncio.get_running_loop()
    loop.add_reader(number, gone.set)  # there is never anything to read at this end but that the other one is closed
    try:
        await gone.wait()
    finally:
        loop.remove_reader(number)
    raise ReaderGoneError(errno.EPIPE, os.strerror(errno.EPIPE))


def _open_the_closed() -> None:
    # In the place of a stream that is closed the next file or socket would be opened, and written to as the stream.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 # as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _guarded(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same stream, with errors of its own; a character that it does not have does not end the program."""
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="replace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    """Standard output below Python's buffers."""

    @override
    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # What is in the buffers above has to go somewhere when the program ends, and must not fail again.
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self.fileno())
            kind = ReaderGoneError if isinstance(error, BrokenPipeError) else StandardOutputError
            raise kind(error.errno, error.strerror) from error
