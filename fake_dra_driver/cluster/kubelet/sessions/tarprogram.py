"""Writes an archive of one path to standard output, or extracts one from standard input, within given folders.

Does what ``kubectl cp`` needs of tar, with GNU tar's exit codes. What leads out of the folders is refused, be it the
path, a link on the way, or an entry of an archive. This file is a program of its own, which is why it imports nothing
of the package.
"""

import io
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

__all__: list[str] = []

_FATAL = 2
_BLOCK_BYTES = 64 * 1024


class _Rest(io.RawIOBase):
    """Standard output from a certain byte on, the first being 1."""

    def __init__(self, file: IO[bytes], first: int) -> None:
        super().__init__()
        self._file = file
        self._skipped = max(first - 1, 0)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Writes what is not skipped."""
        skipped = min(self._skipped, len(data))
        self._skipped -= skipped
        self._file.write(data[skipped:])
        return len(data)


def _create(name: str, path: Path, first: int) -> int:
    try:
        path.lstat()
    except OSError as error:
        return _complain(f"{name}: Cannot stat: {error.strerror}")
    with tarfile.open(None, fileobj=_Rest(sys.stdout.buffer, first), mode="w|", format=tarfile.GNU_FORMAT) as archive:
        archive.add(path, arcname=name.lstrip("/") or ".")
    sys.stdout.buffer.flush()
    return 0


def _extract(name: str, folder: Path) -> int:
    if not folder.is_dir():
        return _complain(
            f"{name}: Cannot open: {'Not a directory' if folder.exists() else 'No such file or directory'}"
        )
    code = 0
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for entry in archive:
            try:
                entry.mtime = time.time()
                archive.extract(entry, folder, filter="data")
            except (OSError, tarfile.FilterError) as error:
                code = _complain(f"{entry.name}: {error}")
    for _ in _blocks(sys.stdin.buffer):
        pass
    return code


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of the padding: whoever writes it must not meet a closed pipe."""
    while block := file.read(_BLOCK_BYTES):
        yield block


def _is_inside(path: Path, roots: Sequence[str]) -> bool:
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return False
    return any(real.is_relative_to(Path(root).resolve()) for root in roots)


def _complain(message: str) -> int:
    sys.stderr.write(f"tar: {message}\n")
    return _FATAL


def _main(what: str, name: str, real: str, first: str, *roots: str) -> int:
    path = Path(real)
    if not real or not _is_inside(path, roots):
        return _complain(
            f"{name}: is not copied: a container of this cluster has its own folder (a relative path) and its volumes; "
            "all other paths are those of the machine that runs it"
        )
    try:
        return _create(name, path, int(first)) if what == "create" else _extract(name, path)
    except BrokenPipeError:
        return _FATAL
    except (OSError, tarfile.TarError) as error:
        return _complain(str(error))


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
