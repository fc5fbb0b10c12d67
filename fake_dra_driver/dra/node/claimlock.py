"""Whose turn it is to work on the devices of a claim, among the processes of one plugin.

During a rolling update both of them take calls. ``folderlock`` keeps them apart in the plugin's files, in turns of half
a second; what is done to a device may take minutes, and concerns one claim alone. So each claim has a lock of its own:
a byte of one file that stays empty. The lock (OFD, fcntl(2)) ends with the process, however that ends.
"""

import asyncio
import fcntl
import hashlib
import os
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fake_dra_driver.hosting.process import release_at_end
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.regularfile import make_folder

__all__ = ["ClaimLock"]

_FILE_NAME: Final = "claims.lock"
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o750
_FLOCK: Final = struct.Struct("hhqqi4x")
"""``struct flock`` of 64-bit Linux: type, whence, start, length, process."""
_FIRST_PAUSE_SECONDS: Final = 0.01
_LONGEST_PAUSE_SECONDS: Final = 0.5
"""Between two attempts of a process that waits. A thread that blocks in fcntl could not be cancelled."""


class ClaimLock:
    """Lets one process at a time work on the devices of a claim. Says nothing about the tasks of one process.

    Args:
        folder: of the plugin; is made if there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE_NAME

    @asynccontextmanager
    async def hold(self, uid: str) -> AsyncIterator[None]:
        """Keeps other processes from the claim while the block runs. Waits for as long as one of them has it.

        Raises:
            OSError: the file cannot be opened.
        """
        opened: list[int] = []  # also where this task is cancelled while the thread opens the file
        forget = release_at_end(lambda: _close(opened))
        try:
            await in_thread(lambda: opened.append(self._open()))
            pause_seconds = _FIRST_PAUSE_SECONDS
            while not _try_lock(opened[0], uid):
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            yield
        finally:
            forget()
            _close(opened)

    def _open(self) -> int:
        make_folder(self._path.parent, _FOLDER_MODE)
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _MODE)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _try_lock(descriptor: int, uid: str) -> bool:
    """Returns at once."""
    start = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:7])
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0))
    except BlockingIOError:
        return False
    return True
