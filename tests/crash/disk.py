"""A node's folders, which forget in a power cut what was not synced.

The files are real ones; what is counted, and can be the last thing that happens, is each system call that changes them.
What a power cut leaves is the worst that POSIX allows, in two ways: nothing that was not synced has reached the disk;
or the names have, and the data has not, which is how empty files come about.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import pytest
from typing_extensions import override

from tests.crash.process import Life

__all__ = ["Disk", "PatientExecutor", "PowerCut"]

P = ParamSpec("P")
T = TypeVar("T")

PowerCut = Literal["nothing unsynced is there", "names are there without their data"]


class DeadError(BaseException):
    """The process that made the call has ended. No Exception: nothing may catch it and go on."""


class PatientExecutor(ThreadPoolExecutor):
    """An executor whose work is done when it is handed in, so that simulated time does not run ahead of threads."""

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = super().submit(fn, *args, **kwargs)
        wait((future,))
        return future


class Disk:
    """The folders below ``root``: one that outlives a reboot, and one that is empty after it, as /var/run is."""

    def __init__(self, root: Path) -> None:
        self.plugin = root / "plugin"
        self.run = root / "run"
        self.life: Life | None = None
        """The process that uses it."""
        self._root = root
        self._names: dict[Path, int] = {}
        """The files that a power cut cannot take: by path, their inode."""
        self._data: dict[int, bytes] = {}
        """By inode: the contents that a power cut cannot take."""
        self._gone = 0
        self._is_off = False
        """While the power is cut, and the test alone has the files in its hands."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block, system calls on the folders are steps of the process."""
        real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in _CALLS}

        def open_(path: Any, flags: int, *args: Any, **kwargs: Any) -> Any:
            if not flags & os.O_CREAT or not self._is_ours(path):
                return real["open"](path, flags, *args, **kwargs)
            is_new = not Path(path).exists()
            what = f"create {Path(path).name}"
            opened = self._step(what, lambda: real["open"](path, flags, *args, **kwargs), undo=os.close)
            if is_new:
                self._note_new(os.fstat(opened).st_ino)
            return opened

        def fsync(descriptor: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 - of a descriptor
            if not self._is_ours(path):
                real["fsync"](descriptor)
                return
            # The disk of this machine need not do it.
            self._step(f"fsync {path.name}", lambda: self._note_synced(path))

        def other(name: str) -> Callable[..., Any]:
            def call(path: Any, *args: Any, **kwargs: Any) -> Any:
                if not self._is_ours(path):
                    return real[name](path, *args, **kwargs)
                return self._step(f"{name} {Path(path).name}", lambda: real[name](path, *args, **kwargs))

            return call

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", open_)
            patch.setattr(os, "fsync", fsync)
            for name in ("replace", "rename", "unlink", "mkdir"):
                patch.setattr(os, name, other(name))
            yield

    def cut_power(self, how: PowerCut) -> None:
        """Leaves of the files what a power cut would."""
        self._is_off = True
        live = {path: path.stat().st_ino for path in self.plugin.glob("*")} if self.plugin.exists() else {}
        kept = self._names if how == "nothing unsynced is there" else live
        contents = {path: self._data.get(inode, b"") for path, inode in kept.items() if path.parent == self.plugin}
        for path in live:
            path.unlink()
        for path, data in contents.items():
            path.write_bytes(data)
        for path in self.run.glob("*"):
            path.unlink()
        if self.run.exists():
            self.run.rmdir()
        self._names = {path: path.stat().st_ino for path in contents}
        self._data = {self._names[path]: data for path, data in contents.items()}
        self._is_off = False

    def _is_ours(self, path: Any) -> bool:
        return not self._is_off and isinstance(path, str | os.PathLike) and self._root in Path(path).parents

    def _step(self, what: str, act: Callable[[], T], undo: Callable[[T], None] = lambda _: None) -> T:
        life = self.life
        if life is None or life.is_over:
            raise DeadError(what)
        is_end = life.steps.take(what)
        if is_end("before"):
            life.end()
            raise DeadError(what)
        result = act()
        if is_end("after"):
            life.end()
            undo(result)
            raise DeadError(what)
        return result

    def _note_new(self, inode: int) -> None:
        """A file that is gone, but could come back after a power cut, may have had the number of the new one."""
        if inode in self._data:
            self._gone += 1
            self._data[-self._gone] = self._data.pop(inode)
            self._names = {path: -self._gone if each == inode else each for path, each in self._names.items()}

    def _note_synced(self, path: Path) -> None:
        if path.is_dir():
            there = {each: each.stat().st_ino for each in path.iterdir() if each.is_file()}
            self._names = {each: inode for each, inode in self._names.items() if each.parent != path} | there
        else:
            self._data[path.stat().st_ino] = path.read_bytes()


_CALLS = ("open", "fsync", "replace", "rename", "unlink", "mkdir")
