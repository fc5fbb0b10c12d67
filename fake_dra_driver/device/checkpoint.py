"""The checkpoint: which claims are prepared on this node, in one file that outlives restarts and reboots.

It is the truth about preparing; ``spec.preparedDevices`` of the node's object is a projection of it. What is in the
file, ``checkpointformat`` says. Writes are group commits: callers that come while a write is in flight share the next
one, and each returns once a write with its change in it is durable. A write that fails fails exactly those who waited
for it, and memory never holds what the disk does not. There is no background task: whoever gets the lock first writes
for all.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fake_dra_driver.device.checkpointformat import Contents, decode, encode
from fake_dra_driver.device.files import Files, ended, in_thread, set_aside
from fake_dra_driver.device.prepared import PreparedClaim

__all__ = ["Checkpoint", "DamagedCheckpointError"]

_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o750
"""As the kubelet makes the folders of plugins."""


class DamagedCheckpointError(Exception):
    """The file could not be used and was set aside under another name; the checkpoint is empty now."""


@dataclass(slots=True, eq=False)
class _Change:
    uid: str | None
    """None: only marks the checkpoint as complete."""
    claim: PreparedClaim | None
    """None: takes the claim out."""
    error: BaseException | None = None
    done: bool = False


class Checkpoint:
    """The prepared claims of a node. Safe to use concurrently in one event loop; one instance for a file.

    Args:
        files: where to read and write.
        path: of the file; ``load`` makes its folder if there is none.
    """

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self._path = path
        self._contents = Contents(complete=False, claims={})
        """As they are on disk."""
        self._claims = self._contents.prepared()
        self._lock = asyncio.Lock()
        self._waiting: list[_Change] = []
        self._is_unsure = False
        """Whether the last write failed: its contents may be on disk all the same, so the next one may not be saved."""

    @property
    def claims(self) -> Mapping[str, PreparedClaim]:
        """What is prepared, by UID, as it is on disk. A snapshot: later changes do not show in it."""
        return self._claims

    @property
    def is_complete(self) -> bool:
        """Whether every prepared claim is in here. Not so after a start without a usable file, until ``complete``."""
        return self._contents.complete

    async def load(self) -> None:
        """Reads the file. Without one, or with a damaged one, the checkpoint is empty and not complete.

        Raises:
            DamagedCheckpointError: the file was damaged, or of a later version, and was set aside.
            OSError: it cannot be read or set aside.
        """
        await in_thread(self._files.make_folder, self._path.parent, _FOLDER_MODE)
        data = await in_thread(self._files.read, self._path)
        if data is None:
            return
        try:
            contents = decode(data)
        except ValueError as error:
            aside = await in_thread(set_aside, self._files, self._path)
            raise DamagedCheckpointError(f"checkpoint {self._path} was set aside as {aside.name}: {error}") from error
        self._contents, self._claims = contents, contents.prepared()

    async def put(self, claim: PreparedClaim) -> None:
        """Adds the claim, or replaces it. Returns when that is durable. Raises OSError."""
        await self._commit(_Change(claim.uid, claim))

    async def remove(self, uid: str) -> None:
        """Takes the claim out. Returns when that is durable. Raises OSError."""
        if uid in self._claims or self._waiting or self._lock.locked() or self._is_unsure:
            await self._commit(_Change(uid, None))

    async def complete(self) -> None:
        """Notes that every prepared claim is in here. Returns when that is durable. Raises OSError."""
        if not self.is_complete:
            await self._commit(_Change(None, None))

    async def _commit(self, change: _Change) -> None:
        self._waiting.append(change)
        try:
            async with self._lock:
                if not change.done:
                    await asyncio.sleep(0)  # lets those join who are ready at this very moment
                    batch, self._waiting = self._waiting, []
                    await self._write(batch)
        finally:
            if change in self._waiting:  # cancelled before its turn
                self._waiting.remove(change)
        if change.error is not None:
            raise change.error

    async def _write(self, batch: Sequence[_Change]) -> None:
        claims, complete = dict(self._claims), self.is_complete
        for change in batch:
            if change.uid is None:
                complete = True
            elif change.claim is not None:
                claims[change.uid] = change.claim
            else:
                claims.pop(change.uid, None)
        work = asyncio.get_running_loop().run_in_executor(None, self._store, claims, complete)
        try:
            await ended(work)
        finally:
            # Also when the caller was cancelled: the others of the batch have to know, and memory follows the disk.
            error = work.exception()
            self._is_unsure = error is not None
            if error is None:
                self._contents, self._claims = work.result(), claims
            for change in batch:
                change.error, change.done = error, True

    def _store(self, claims: Mapping[str, PreparedClaim], complete: bool) -> Contents:
        if not self._is_unsure and (claims, complete) == (self._claims, self.is_complete):
            return self._contents
        contents = self._contents.changed(claims, complete=complete)
        self._files.write(self._path, encode(contents), _MODE)
        return contents
