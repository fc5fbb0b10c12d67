"""The few file operations that durability depends on, behind a seam, so that tests can lose what was not synced.

They block: call them through ``inthread.in_thread``. A write is atomic and durable: a temporary file in the same
folder, fsync, rename, fsync of the folder. After a stop at any moment the old or the new contents are there, never a
part of them. Links, FIFOs and devices of their names are neither followed nor waited for: see ``regularfile``.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from fake_dra_driver import regularfile

__all__ = ["DiskFiles", "Files", "set_aside"]


class Files(Protocol):
    """Files in the driver's own folders. Every method raises OSError."""

    def make_folder(self, path: Path, mode: int) -> None:
        """Creates the folder and its parents where they are missing; an existing folder is left as it is.

        Args:
            path: of the folder.
            mode: of all that are created.
        """
        ...

    def names(self, folder: Path) -> Sequence[str]:
        """The names in the folder, sorted."""
        ...

    def read(self, path: Path) -> bytes | None:
        """The contents, or None when there is no such file. What is no regular file is an error."""
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
        regularfile.make_folder(path, mode)

    @override
    def names(self, folder: Path) -> Sequence[str]:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths

    @override
    def read(self, path: Path) -> bytes | None:
        try:
            return regularfile.read_bytes(path)
        except FileNotFoundError:
            return None

    @override
    def write(self, path: Path, data: bytes, mode: int) -> None:
        regularfile.replace(path, data, mode, os.fsync)
        _sync_folder(path.parent)

    @override
    def rename(self, path: Path, target: Path) -> None:
        path.replace(target)
        _sync_folder(target.parent)

    @override
    def remove(self, path: Path) -> None:
        found = False
        for each in (path, regularfile.temporary_of(path)):
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


def set_aside(files: Files, path: Path) -> Path:
    """Gives a damaged file a new name, under which no program reads it, and returns that. Raises OSError."""
    taken = set(files.names(path.parent))
    number = next(n for n in range(len(taken) + 1) if f"{path.name}.damaged-{n}" not in taken)
    target = path.with_name(f"{path.name}.damaged-{number}")
    files.rename(path, target)
    return target


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
