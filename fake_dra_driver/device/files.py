"""The few file operations that durability depends on, behind a seam, so that tests can lose what was not synced.

They block: call them through ``inthread.in_thread``. A write is atomic and durable: a temporary file in the same
folder, fsync, rename, fsync of the folder. After a stop at any moment the old or the new contents are there, never a
part of them.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar

from typing_extensions import override

__all__ = ["DiskFiles", "Files", "set_aside", "target_of"]

P = ParamSpec("P")
T = TypeVar("T")

_TEMPORARY_SUFFIX: Final = ".tmp"
"""Not one that a container runtime takes for a CDI file (.json, .yaml)."""


class Files(Protocol):
    """Files in the driver's own folders. Every method raises OSError."""

    def make_folder(self, path: Path, mode: int) -> None:
        """Creates the folder and its parents where they are missing; an existing folder is left as it is."""
        ...

    def names(self, folder: Path) -> Sequence[str]:
        """The names in the folder, sorted."""
        ...

    def read(self, path: Path) -> bytes | None:
        """The contents, or None when there is no such file."""
        ...

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Replaces the contents, atomically and durably. A failure leaves no temporary file."""
        ...

    def rename(self, path: Path, target: Path) -> None:
        """Gives the file another name in its folder, durably; a file of that name is replaced."""
        ...

    def remove(self, path: Path) -> None:
        """Removes the file, and the temporary file that a stop may have left, durably; no file is fine."""
        ...


class DiskFiles(Files):
    """``Files`` on a disk."""

    @override
    def make_folder(self, path: Path, mode: int) -> None:
        path.mkdir(mode=mode, parents=True, exist_ok=True)

    @override
    def names(self, folder: Path) -> Sequence[str]:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths

    @override
    def read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    @override
    def write(self, path: Path, data: bytes, mode: int) -> None:
        temporary = _temporary(path)
        # Overwrites the temporary file that a stop may have left.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)

    @override
    def rename(self, path: Path, target: Path) -> None:
        path.replace(target)
        _sync_folder(target.parent)

    @override
    def remove(self, path: Path) -> None:
        found = False
        for each in (path, _temporary(path)):
            with suppress(FileNotFoundError):
                each.unlink()
                found = True
        if found:
            _sync_folder(path.parent)

    def remove_folder(self, path: Path) -> None:
        """Removes the folder with what is in it, durably; no folder is fine. Raises OSError."""
        with suppress(FileNotFoundError, NotADirectoryError):
            shutil.rmtree(path)
            _sync_folder(path.parent)


def target_of(name: str) -> str:
    """The name of the file that a folder's entry is, or was about to become when a stop came."""
    is_temporary = name.startswith(".") and name.endswith(_TEMPORARY_SUFFIX)
    return name[1 : -len(_TEMPORARY_SUFFIX)] if is_temporary else name


def set_aside(files: Files, path: Path) -> Path:
    """Gives a damaged file a new name, under which no program reads it, and returns that. Raises OSError."""
    taken = set(files.names(path.parent))
    number = next(n for n in range(len(taken) + 1) if f"{path.name}.damaged-{n}" not in taken)
    target = path.with_name(f"{path.name}.damaged-{number}")
    files.rename(path, target)
    return target


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}{_TEMPORARY_SUFFIX}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
