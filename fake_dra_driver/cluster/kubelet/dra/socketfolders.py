"""Which sockets there are in the folders where plugins announce themselves, as far as kubelets look.

One thread looks through the folders of all nodes twice a second. The real kubelet is woken by inotify, but acts in a
loop of one second all the same; a look takes 15 µs for each folder, works on every system, and cannot miss anything. A
kubelet is woken when there is something new in its own.
"""

import asyncio
import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from loguru import logger

__all__ = ["POLL_SECONDS", "Identity", "SocketFolder", "SocketFolders"]

log = logger.bind(component="plugins")

POLL_SECONDS: Final = 0.5

Identity = tuple[int, int, int]
"""Device, inode and time of last change of a socket: they differ when it was made again."""


@dataclass(slots=True, eq=False)
class SocketFolder:
    """One folder."""

    path: Path
    changed: asyncio.Event
    """Set when there are other sockets than before; for the kubelet to clear."""
    sockets: Mapping[str, Identity] = field(default_factory=dict)
    """By path: those in the folder and the folders below, but for those whose names begin with a dot."""
    problem: str = ""
    """Why it could not be read the last time."""


class SocketFolders:
    """The folders of some nodes. An async context manager: they are looked through until it is left.

    Args:
        poll_seconds: between two looks.
    """

    def __init__(self, poll_seconds: float = POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._followed: list[SocketFolder] = []
        self._group = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins to look."""
        await self._group.__aenter__()
        self._task = self._group.create_task(self._run(), name="plugin folders")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Looks no longer."""
        if self._task is not None:
            self._task.cancel()
        await self._group.__aexit__(kind, error, traceback)

    @contextlib.contextmanager
    def following(self, path: Path, changed: asyncio.Event) -> Iterator[SocketFolder]:
        """Looks through a folder while the block runs. It is made if it is missing."""
        folder = SocketFolder(path, changed)
        self._followed.append(folder)
        try:
            yield folder
        finally:
            self._followed.remove(folder)

    async def _run(self) -> None:
        while True:
            folders = tuple(self._followed)
            for folder, found in zip(folders, await asyncio.to_thread(_look, folders), strict=True):
                _note(folder, found)
            await asyncio.sleep(self._poll_seconds)


def _look(folders: Sequence[SocketFolder]) -> Sequence[Mapping[str, Identity] | OSError]:
    return [_sockets_of(folder.path) for folder in folders]


def _note(folder: SocketFolder, found: Mapping[str, Identity] | OSError) -> None:
    problem = str(found) if isinstance(found, OSError) else ""
    if problem and problem != folder.problem:
        log.warning("Plugin folder cannot be read", folder=str(folder.path), error=problem)
    folder.problem = problem
    if not isinstance(found, OSError) and found != folder.sockets:
        folder.sockets = found
        folder.changed.set()


def _sockets_of(folder: Path) -> Mapping[str, Identity] | OSError:
    try:
        return dict(_sockets(str(folder)))
    except FileNotFoundError:
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            return error
        return {}
    except OSError as error:
        return error


def _sockets(folder: str) -> Iterator[tuple[str, Identity]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    yield from _sockets(entry.path)
                continue
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISSOCK(status.st_mode):
                    yield entry.path, (status.st_dev, status.st_ino, status.st_mtime_ns)
