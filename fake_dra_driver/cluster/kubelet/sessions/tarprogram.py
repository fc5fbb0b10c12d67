"""Writes an archive of one path to standard output, or extracts one from standard input, within given folders.

Does what ``kubectl cp`` needs of tar, with GNU tar's exit codes. What leads out of the folders is refused, be it the
path, a link on the way, or an entry of an archive. This file is a program of its own, which is why it imports nothing
of the package.

``tarfile`` reads the entries, and does not extract them: its filters are missing before Python 3.11.4, and for years
judged a path that was not the one the kernel took (CVE-2025-4517).
"""

import errno
import io
import os
import shutil
import stat
import sys
import tarfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any

__all__: list[str] = []

_FATAL = 2
_BLOCK_BYTES = 64 * 1024
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MISSING = -1
"""In place of the descriptor of a folder that is not there."""
_MOST_LINKS = 40
"""On the way to one entry, as in Linux (MAXSYMLINKS)."""
_MOST_DIGITS = 18
"""Of the number of a byte: no archive has more bytes."""
_OUTSIDE = "leads out of the container's folder, or of the volume"


class _RefusedError(Exception):
    """What an entry of an archive asks for is not done."""


_NONSENSE: tuple[type[Exception], ...] = (
    tarfile.TarError,
    ValueError,
    LookupError,
    ArithmeticError,
    RecursionError,
)
"""What tarfile raises where an archive makes no sense."""
_FAILURES: tuple[type[Exception], ...] = (OSError, _RefusedError, *_NONSENSE)


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


class _Way:
    """From a root to a folder in it, by folders of which each is opened in the one before.

    The kernel follows no link here: links are read, and their targets gone to in the same way. So no step leads out of
    the root, however long the names are and whatever is exchanged meanwhile.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._opened = [os.open(root, _FOLDER)]

    @property
    def folder(self) -> int:
        """The descriptor of where it ends. Raises FileNotFoundError."""
        if self._opened[-1] == _MISSING:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._opened[-1]

    def close(self) -> None:
        """Closes the folders."""
        while self._opened:
            self._leave()

    def go(self, path: PurePosixPath, *, makes: bool = False) -> None:
        """Goes on from where it is.

        Args:
            path: where to. If it is absolute, it has to begin with the root's own path.
            makes: whether folders are made that are missing.

        Raises:
            _RefusedError: a step leads out of the root.
            OSError: a folder cannot be made or entered.
        """
        rest, links = deque(self._relative(path).parts), 0
        while rest:
            step = rest.popleft()
            if step == "..":
                if len(self._opened) == 1:
                    raise _RefusedError(_OUTSIDE)
                self._leave()
            elif (target := self._link(step)) is None:
                self._enter(step, makes=makes)
            else:
                links += 1
                if links > _MOST_LINKS:
                    raise _RefusedError(os.strerror(errno.ELOOP))
                rest.extendleft(reversed(self._relative(target).parts))

    def _relative(self, path: PurePosixPath) -> PurePosixPath:
        """The path from where it is, which is the root if the path was absolute."""
        if not path.is_absolute():
            return path
        if not path.is_relative_to(self._root):
            raise _RefusedError(_OUTSIDE)
        while len(self._opened) > 1:
            self._leave()
        return path.relative_to(self._root)

    def _link(self, step: str) -> PurePosixPath | None:
        """The target of a link; None: it is none, or is not there."""
        if self._opened[-1] == _MISSING:
            return None
        try:
            return PurePosixPath(os.readlink(step, dir_fd=self._opened[-1]))
        except OSError:  # if there is more to it, entering it fails as well
            return None

    def _enter(self, step: str, *, makes: bool) -> None:
        if self._opened[-1] == _MISSING:
            self._opened.append(_MISSING)
            return
        if makes:
            with suppress(FileExistsError):
                os.mkdir(step, dir_fd=self._opened[-1])
        try:
            self._opened.append(os.open(step, _FOLDER, dir_fd=self._opened[-1]))
        except (FileNotFoundError, NotADirectoryError):
            if makes:
                raise
            self._opened.append(_MISSING)

    def _leave(self) -> None:
        if (folder := self._opened.pop()) != _MISSING:
            os.close(folder)


class _Extraction:
    """Extracts the entries of an archive.

    Args:
        archive: where they are from.
        root: the container's folder, or the volume, which no entry leaves.
        start: the folder in it to which names of entries are relative.
    """

    def __init__(self, archive: tarfile.TarFile, root: Path, start: PurePosixPath) -> None:
        self._archive = archive
        self._root = root
        self._start = start

    def extract(self, entry: tarfile.TarInfo) -> None:
        """Extracts one, in place of what had its name, unless that was a folder.

        Raises:
            _RefusedError: it would lead out of the root, or is something else than a file, folder or link.
            OSError: it cannot be made.
        """
        path = _path(entry.name)
        if entry.isdir():
            with self._way(path, makes=True):
                return
        if not (entry.isreg() or entry.issym() or entry.islnk()):
            raise _RefusedError("is neither a file nor a folder nor a link")
        if not path.name:
            raise _RefusedError("has no name")
        with self._way(path.parent, makes=True) as way:
            if entry.issym():
                self._link_to(entry.linkname, way.folder, path)
            elif entry.islnk():
                self._join(_path(entry.linkname), way.folder, path.name)
            else:
                self._write(entry, way.folder, path.name)

    @contextmanager
    def _way(self, *paths: PurePosixPath, makes: bool = False) -> Iterator[_Way]:
        """The way that these paths lead to, one after the other."""
        way = _Way(self._root)
        try:
            way.go(self._start)
            for path in paths:
                way.go(path, makes=makes)
            yield way
        finally:
            way.close()

    def _link_to(self, target: str, folder: int, path: PurePosixPath) -> None:
        with self._way(path.parent, PurePosixPath(target)):
            _remove(path.name, folder)
            os.symlink(target, path.name, dir_fd=folder)

    def _join(self, source: PurePosixPath, folder: int, name: str) -> None:
        """Makes a hard link."""
        with self._way(source.parent) as way:
            try:
                found = os.stat(source.name, dir_fd=way.folder, follow_symlinks=False)
            except FileNotFoundError as error:
                raise _RefusedError(f"Cannot hard link to '{source}': {error.strerror}") from error
            if not stat.S_ISREG(found.st_mode):
                raise _RefusedError(f"Cannot hard link to '{source}': it is no file")
            with suppress(FileNotFoundError):
                if os.path.samestat(found, os.stat(name, dir_fd=folder, follow_symlinks=False)):
                    return
            _remove(name, folder)
            os.link(source.name, name, src_dir_fd=way.folder, dst_dir_fd=folder, follow_symlinks=False)

    def _write(self, entry: tarfile.TarInfo, folder: int, name: str) -> None:
        source = self._archive.extractfile(entry)
        if source is None:
            raise _RefusedError("has no content")
        _remove(name, folder)
        # The mask of the process applies as well; that the owner cannot read or write it is not taken over.
        mode = entry.mode & 0o755 | 0o600
        with source, os.fdopen(os.open(name, _NEW_FILE, mode, dir_fd=folder), "wb") as file:
            shutil.copyfileobj(source, file, _BLOCK_BYTES)


def _path(name: str) -> PurePosixPath:
    """The path of an entry; as with GNU tar, one from the root is relative all the same. Raises _RefusedError."""
    path = PurePosixPath(name.lstrip("/"))
    if ".." in path.parts:
        raise _RefusedError("Member name contains '..'")
    return path


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _create(name: str, path: Path, first: int) -> int:
    try:
        path.lstat()
    except OSError as error:
        return _complain(f"{name}: Cannot stat: {error.strerror}")
    with tarfile.open(None, fileobj=_Rest(sys.stdout.buffer, first), mode="w|", format=tarfile.GNU_FORMAT) as archive:
        archive.add(path, arcname=name.lstrip("/") or ".")
    sys.stdout.buffer.flush()
    return 0


def _extract(name: str, folder: Path, root: Path) -> int:
    if not folder.is_dir():
        return _complain(
            f"{name}: Cannot open: {'Not a directory' if folder.exists() else 'No such file or directory'}"
        )
    code = 0
    try:
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            extraction = _Extraction(archive, root, PurePosixPath(folder.relative_to(root)))
            for entry in archive:
                try:
                    extraction.extract(entry)
                except _FAILURES as error:
                    code = _complain(f"{entry.name}: {_reason(error)}")
    except _NONSENSE as error:
        code = _complain(_reason(error))
    finally:
        for _ in _blocks(sys.stdin.buffer):
            pass
    return code


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of the archive: whoever writes it must not meet a closed pipe."""
    while block := file.read(_BLOCK_BYTES):
        yield block


def _find(path: Path, roots: Sequence[str]) -> tuple[Path, Path] | None:
    """The real path, and the root that it is in; None: it is in none of them."""
    try:
        try:
            real = path.resolve(strict=True)
        except FileNotFoundError:  # there is nothing to be reached, but something to be said
            real = path.resolve()
    except (OSError, RuntimeError, ValueError):  # too long, links in a circle, a NUL byte
        return None
    return next(((real, root) for root in (Path(each).resolve() for each in roots) if real.is_relative_to(root)), None)


def _reason(error: Exception) -> str:
    """In tar's words, without the path of this machine that an OSError has."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _complain(message: str) -> int:
    sys.stderr.write(f"tar: {message}\n")
    return _FATAL


def _main(what: str, name: str, path: str, first: str, *roots: str) -> int:
    found = _find(Path(path), roots) if path else None
    if found is None:
        return _complain(
            f"{name}: is not copied: a container of this cluster has its own folder (a relative path) and its volumes; "
            "all other paths are those of the machine that runs it"
        )
    try:
        if what == "create":
            return _create(name, Path(path), int(first) if len(first) <= _MOST_DIGITS else sys.maxsize)
        return _extract(name, *found)
    except BrokenPipeError:
        return _FATAL
    except _FAILURES as error:
        return _complain(str(error))


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
