"""The log file of a container, in the format of the CRI: ``<time> stdout <F or P> <text>`` a line.

``F`` ends a line of the container, ``P`` does not: the line was too long, or the container ended in the middle of it.
Everything is marked as ``stdout``: both outputs share one pipe, which keeps them in the order in which they were
written. The file is opened for each write (30 µs): a cluster with hundreds of containers would otherwise exceed the
usual limit of 1,024 open files. At ten megabytes the file is renamed to ``<name>.1`` and a new one is begun, as the
kubelet rotates logs; readers get what the newest holds.

Follows k8s.io/kubernetes/pkg/kubelet/logs and containerd's internal/cri/io/logger.go.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from fake_dra_driver.regularfile import open_file
from fake_dra_driver.runtime.clock import WallClock, utc_now

__all__ = ["ContainerLog", "LogOptions"]

MAX_LINE_BYTES = 16 * 1024
"""Longest text of one line of the file (maxLogLineSize of containerd)."""
MAX_FILE_BYTES = 10 * 1024 * 1024
"""containerLogMaxSize of the kubelet."""
_MODE = 0o640
"""As containerd makes its logs."""
_BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The part of v1.PodLogOptions that concerns one file."""

    follow: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


class ContainerLog:
    """The log of one container: one writer, any number of readers."""

    def __init__(self, path: Path, *, now: WallClock = utc_now, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self.path = path
        self._now = now
        self._max_file_bytes = max_file_bytes
        self._rest = b""
        # The unfinished line.
        self._generation = 0
        # How often a new file has been begun.
        self._is_open = True
        self._lock = asyncio.Lock()
        # Keeps a file from being rotated while it is read.
        self._changed = asyncio.Event()

    async def append(self, data: bytes) -> None:
        """Writes output of the container. Raises OSError."""
        lines, self._rest = _split(self._rest + data)
        if lines:
            await self._write([(b"F" if line.endswith(b"\n") else b"P", line.removesuffix(b"\n")) for line in lines])

    async def close(self) -> None:
        """Writes the unfinished line, and ends the readers that follow. Raises OSError."""
        try:
            if self._rest:
                rest, self._rest = self._rest, b""
                await self._write([(b"P", rest)])
        finally:
            self._is_open = False
            self._wake()

    async def read(self, options: LogOptions) -> AsyncGenerator[bytes, None]:
        """The container's own text from the newest file, as far as the options ask; with ``follow`` until it ends.

        Raises:
            OSError: the file cannot be read. A missing file counts as empty.
        """
        limit = options.limit_bytes
        async with self._lock:
            generation = self._generation
            position = await asyncio.to_thread(_start_of_tail, self.path, options.tail_lines)
        while True:
            changed, is_open = self._changed, self._is_open
            async with self._lock:
                is_newest = generation == self._generation
                path = self.path if is_newest else self._rotated
                block, position = await asyncio.to_thread(_read_lines, path, position)
            text = b"".join(_texts(block, options))
            if limit is not None:
                text, limit = text[:limit], limit - len(text)
            if text:
                yield text
            if limit is not None and limit <= 0:
                return
            if block:
                continue
            if not is_newest:
                # A reader this slow loses what came in between, as with a real kubelet.
                generation, position = self._generation, 0
            elif options.follow and is_open:
                await changed.wait()
            else:
                return

    @property
    def _rotated(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")

    async def _write(self, lines: list[tuple[bytes, bytes]]) -> None:
        stamp = _stamp(self._now())
        data = b"".join(b"%b stdout %b %b\n" % (stamp, tag, text) for tag, text in lines)
        async with self._lock:
            if await asyncio.to_thread(_append, self.path, self._rotated, data, self._max_file_bytes):
                self._generation += 1
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _stamp(at: datetime) -> bytes:
    """RFC 3339 with nanoseconds, always of the same length, so that texts compare as times."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z".encode()


def _split(data: bytes) -> tuple[list[bytes], bytes]:
    """Splits output into whole lines, with their ends, pieces of lines that are too long, and the rest."""
    *lines, rest = data.split(b"\n")
    found: list[bytes] = []
    for line in lines:
        *pieces, last = _pieces(line)
        found += [*pieces, last + b"\n"]
    *pieces, rest = _pieces(rest)
    return found + pieces, rest


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + MAX_LINE_BYTES] for at in range(0, len(line), MAX_LINE_BYTES)] or [b""]


def _append(path: Path, rotated: Path, data: bytes, max_file_bytes: int) -> bool:
    """Writes to the end of the file. Returns whether a new one was begun for it."""
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size or size + len(data) <= max_file_bytes:
            file.write(data)
            return False
    path.replace(rotated)
    with _opened(path) as file:
        file.write(data)
    return True


def _opened(path: Path) -> BinaryIO:
    """The file, for writing to its end; made with its folder if it is missing."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    # Not through a link: a container may have the folder of logs as its volume.
    try:
        return os.fdopen(open_file(path, flags, _MODE), "ab")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(open_file(path, flags, _MODE), "ab")


def _start_of_tail(path: Path, lines: int | None) -> int:
    """Where the last lines of the container begin, as many as asked for; an unfinished one counts."""
    if lines is None:
        return 0
    try:
        with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
            start = end = file.seek(0, 2)
            tail, ends = b"", list[int]()
            # Two more than needed: the first may be cut off, so that its kind is unknown.
            while start and len(ends) < lines + 2:
                size = min(_BLOCK_BYTES, start)
                start = file.seek(start - size)
                tail = file.read(size) + tail
                ends = _ends(tail)
    except FileNotFoundError:
        return 0
    if lines <= 0:
        return end
    has_rest = bool(tail) and (not ends or ends[-1] != len(tail))
    skipped = len(ends) + has_rest - lines
    return start + ends[skipped - 1] if skipped > 0 else start


def _ends(data: bytes) -> list[int]:
    """Where each line of the container that ends in the data does."""
    ends, at = [], 0
    for line in data.split(b"\n")[:-1]:
        at += len(line) + 1
        if line.split(b" ", 3)[2:3] != [b"P"]:
            ends.append(at)
    return ends


def _read_lines(path: Path, position: int) -> tuple[bytes, int]:
    """Whole lines of the file from a position on, and the position behind them."""
    try:
        with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
            file.seek(position)
            data = file.read(_BLOCK_BYTES)
    except FileNotFoundError:
        return b"", position
    data = data[: data.rfind(b"\n") + 1]
    return data, position + len(data)


def _texts(block: bytes, options: LogOptions) -> list[bytes]:
    """The container's own text of each line that is not too old."""
    since = b"" if options.since is None else _stamp(options.since)
    texts = []
    for line in block.split(b"\n")[:-1]:
        stamp, _, tag, text = line.split(b" ", 3)
        if stamp >= since:
            start = stamp + b" " if options.timestamps else b""
            texts.append(start + text + (b"\n" if tag == b"F" else b""))
    return texts
