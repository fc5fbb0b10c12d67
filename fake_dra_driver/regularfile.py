"""Files in folders that other programs write to as well: only regular files, none through a link, none without end.

A name there may lead anywhere. Opened as usual, a symbolic link makes a program write over another file with its own
rights, a FIFO lets it wait for ever, and a device gives data without end. Here each of them is an OSError that names
the path. A file that is written never has more permissions than asked for, whatever was there before it; what the
umask is does not matter.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["MAX_SIZE_BYTES", "make_folder", "open_file", "read_bytes", "replace", "target_of", "temporary_of"]

MAX_SIZE_BYTES: Final = 64 * 1024**2
"""Of a file that is read; far above what a checkpoint of a node or a list of certificates can have."""

_TEMPORARY_SUFFIX: Final = ".tmp"
"""Not one that a container runtime takes for a CDI file (.json, .yaml)."""


def open_file(path: Path, flags: int, mode: int = 0o600, *, follow_link: bool = False) -> int:
    """A descriptor of a regular file, opened without waiting for another process.

    Args:
        path: of the file.
        flags: as for ``os.open``.
        mode: the permissions of a file that is made, but for those that the umask takes.
        follow_link: whether it may be a symbolic link to a regular file.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no regular file, or cannot be opened.
    """
    # Not blocking: the open of a FIFO would wait for its other end.
    flags |= os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow_link else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "It is a symbolic link, which is not followed", str(path)) from error
        raise
    found = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(found):
        os.close(descriptor)
        if stat.S_ISDIR(found):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "It is not a regular file", str(path))
    return descriptor


def read_bytes(path: Path, *, limit_bytes: int = MAX_SIZE_BYTES, follow_link: bool = False) -> bytes:
    """The contents of a regular file. Blocks, but never for another process.

    Args:
        path: of the file.
        limit_bytes: what it may have.
        follow_link: whether it may be a symbolic link to a regular file, as in the volumes that a kubelet fills.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no regular file, is too large, or cannot be read.
    """
    descriptor = open_file(path, os.O_RDONLY, follow_link=follow_link)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(errno.EFBIG, f"It has more than {limit_bytes} bytes", str(path))
    return data


def replace(path: Path, data: bytes, mode: int, sync: Callable[[int], None] = lambda _: None) -> None:
    """Replaces the contents, or makes the file, in one step: other processes see the old or the new file.

    A symbolic link of that name is replaced, and not followed.

    Args:
        path: of the file.
        data: its contents.
        mode: its permissions.
        sync: called with the descriptor of what is written, before it gets the file's name.

    Raises:
        OSError: it cannot be written, or a folder has its name; no temporary file is left then.
    """
    temporary = temporary_of(path)
    descriptor = _created(temporary)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            sync(descriptor)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def temporary_of(path: Path) -> Path:
    """Where ``replace`` writes the contents first. A stop may leave it; the next ``replace`` removes it."""
    return path.with_name(f".{path.name}{_TEMPORARY_SUFFIX}")


def target_of(name: str) -> str:
    """The name of the file that a folder's entry is, or was about to become when a stop came."""
    is_temporary = name.startswith(".") and name.endswith(_TEMPORARY_SUFFIX)
    return name[1 : -len(_TEMPORARY_SUFFIX)] if is_temporary else name


def make_folder(path: Path, mode: int) -> None:
    """Makes the folder and its parents where they are missing, all with this mode; one that is there is left as it is.

    Raises:
        OSError: it cannot be made, or what has its name is no folder.
    """
    try:
        path.mkdir(mode)
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_folder(path.parent, mode)
        make_folder(path, mode)
    except FileExistsError:
        if not path.is_dir():
            raise


def _created(path: Path) -> int:
    """A descriptor of a new file that only its owner can open. What had the name is removed, unless it is a folder."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        path.unlink()
        return os.open(path, flags, 0o600)
