"""Disks that stop and forget: one behind the ``Files`` seam, and one that watches what ``DiskFiles`` really does.

``MemoryFiles`` keeps the promise of ``Files``, that each operation is atomic and durable, and can stop before or after
any of them: what the parts above make of a stop is tested with it. ``ForgetfulDisk`` tests the promise itself. It
watches the system calls on a real folder, and tells what could be there after a power cut at that moment: the contents
of a file that was not synced may be lost, and so may a name in a folder that was not synced.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from fake_dra_driver.dra.node.files import Files

__all__ = ["Crash", "ForgetfulDisk", "MemoryFiles"]


class Crash(BaseException):
    """The machine stops here. No Exception: nothing may catch it and go on."""


class _Steps:
    """Counts steps, and stops at one of them and at every later one: a dead machine does nothing any more."""

    def __init__(self) -> None:
        self.stop_at: int | None = None
        """Number of the step at which it stops, counted from 0; None: never."""
        self.taken = 0

    def step(self) -> None:
        if self.stop_at is not None and self.taken >= self.stop_at:
            raise Crash(f"stopped at step {self.stop_at}")
        self.taken += 1


class MemoryFiles(Files):
    """``Files`` in memory. Each operation is two steps at which it can stop: before anything happened, and after all.

    Two operations on one file at once are an error of the test's subject, and raised as AssertionError.
    """

    def __init__(self, contents: Mapping[Path, bytes] | None = None) -> None:
        self.contents: dict[Path, bytes] = dict(contents or {})
        self.modes: dict[Path, int] = {}
        self.folders: set[Path] = {path.parent for path in self.contents}
        self.operations: list[tuple[str, Path]] = []
        """What was begun, in order."""
        self.errors: dict[str, list[OSError | None]] = {}
        """By operation: what its next calls raise, before they do anything; None: nothing."""
        self.full: set[Path] = set()
        """Folders in which there is no room for what is written."""
        self.gates: dict[str, threading.Event] = {}
        """By operation: its calls wait for this, in their thread, before they do anything."""
        self.begun = threading.Event()
        """Set when an operation waits at its gate."""
        self.steps = _Steps()
        self._busy: set[Path] = set()

    @override
    def make_folder(self, path: Path, mode: int) -> None:
        with self._operation("make_folder", path):
            self.folders.add(path)
            self.modes.setdefault(path, mode)

    @override
    def names(self, folder: Path) -> Sequence[str]:
        with self._operation("names", folder):
            if folder not in self.folders:
                raise FileNotFoundError(f"no folder {folder}")
            return sorted(path.name for path in self.contents if path.parent == folder)

    @override
    def read(self, path: Path) -> bytes | None:
        with self._operation("read", path):
            return self.contents.get(path)

    @override
    def write(self, path: Path, data: bytes, mode: int) -> None:
        with self._operation("write", path):
            if path.parent not in self.folders:
                raise FileNotFoundError(f"no folder {path.parent}")
            if path.parent in self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.contents[path] = data
            self.modes[path] = mode

    @override
    def rename(self, path: Path, target: Path) -> None:
        with self._operation("rename", path):
            self.contents[target] = self.contents.pop(path)

    @override
    def remove(self, path: Path) -> None:
        with self._operation("remove", path):
            self.contents.pop(path, None)

    def after_stop(self, *emptied: Path) -> "MemoryFiles":
        """What the next process finds: a disk that works, without what was in the folders that the stop emptied."""
        files = MemoryFiles({path: data for path, data in self.contents.items() if path.parent not in emptied})
        files.folders = self.folders - set(emptied)
        return files

    def count(self, operation: str) -> int:
        """How often an operation was begun."""
        return sum(name == operation for name, _ in self.operations)

    @contextmanager
    def _operation(self, name: str, path: Path) -> Iterator[None]:
        self.operations.append((name, path))
        assert path not in self._busy, f"{name} of {path} while something else is done with it"
        self._busy.add(path)
        try:
            if name in self.gates:
                self.begun.set()
                assert self.gates[name].wait(10), f"the test never lets {name} go on"
            if (planned := self.errors.get(name)) and (error := planned.pop(0)) is not None:
                raise error
            self.steps.step()
            yield
            self.steps.step()
        finally:
            self._busy.remove(path)


class ForgetfulDisk:
    """What could be in one folder after a power cut, by the system calls that were made while ``watching``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, set[int | None]] = {}
        """By name: the files (inodes) that it may lead to; None: it may be gone."""
        self._data: dict[int, set[bytes]] = {}
        """By inode: what the file may contain."""
        self.steps = _Steps()
        for path in folder.iterdir():
            inode = path.stat().st_ino
            self._names[path.name] = {inode}
            self._data[inode] = {path.read_bytes()}

    def possible(self, path: Path) -> set[bytes | None]:
        """Each of the contents that the file could have now, after a power cut; None: no such file."""
        found: set[bytes | None] = set()
        for inode in self._names.get(path.name, {None}):
            found |= {None} if inode is None else self._data[inode]
        return found

    @contextmanager
    def watching(self, *, stop_at: int | None = None) -> Iterator[None]:
        """Watches the system calls that change files; raises Crash at that step. There are two for each call."""
        self.steps.stop_at, self.steps.taken = stop_at, 0
        real = {name: getattr(os, name) for name in ("open", "fsync", "replace", "rename", "unlink")}

        def call(function: Callable[..., Any], note: Callable[[], None]) -> None:
            self._note_contents()
            self.steps.step()
            function()
            note()
            self.steps.step()

        def open_(path: Path, flags: int, mode: int = 0o777, **rest: Any) -> int:
            if not flags & os.O_CREAT:
                return int(real["open"](path, flags, mode, **rest))
            self.steps.step()
            is_new = not Path(path).exists()
            descriptor = int(real["open"](path, flags, mode, **rest))
            self._note_opened(Path(path), os.fstat(descriptor).st_ino, is_new=is_new)
            try:
                self.steps.step()
            except Crash:
                os.close(descriptor)
                raise
            return descriptor

        def fsync(descriptor: int) -> None:
            call(lambda: real["fsync"](descriptor), lambda: self._note_synced(descriptor))

        def move(name: str) -> Callable[[Path, Path], None]:
            def function(source: Path, target: Path) -> None:
                inode = Path(source).stat().st_ino
                call(lambda: real[name](source, target), lambda: self._note_moved(Path(source), Path(target), inode))

            return function

        def unlink(path: Path) -> None:
            call(lambda: real["unlink"](path), lambda: self._names.setdefault(Path(path).name, set()).add(None))

        with pytest.MonkeyPatch.context() as patch:
            for name, function in (("open", open_), ("fsync", fsync), ("unlink", unlink)):
                patch.setattr(os, name, function)
            for name in ("replace", "rename"):
                patch.setattr(os, name, move(name))
            yield

    def _note_contents(self) -> None:
        """What was written may have reached the disk by itself."""
        for path in self._folder.iterdir():
            self._data.setdefault(path.stat().st_ino, set()).add(path.read_bytes())

    def _note_opened(self, path: Path, inode: int, *, is_new: bool) -> None:
        if is_new:
            self._names.setdefault(path.name, {None}).add(inode)
            self._data[inode] = set()  # a number that a file that is gone had before
        self._data[inode].add(path.read_bytes())

    def _note_moved(self, source: Path, target: Path, inode: int) -> None:
        self._names.setdefault(target.name, {None}).add(inode)
        self._names.setdefault(source.name, set()).add(None)

    def _note_synced(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        there = {path.name: path for path in self._folder.iterdir()}
        if inode == self._folder.stat().st_ino:
            self._names = {name: {path.stat().st_ino} for name, path in there.items()}
            return
        for path in there.values():
            if path.stat().st_ino == inode:
                self._data[inode] = {path.read_bytes()}
