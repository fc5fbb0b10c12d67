"""The checkpoint: which claims are prepared on this node, in one file that outlives restarts and reboots.

It is the truth about preparing; ``spec.preparedDevices`` of the node's object is a projection of it. What is in the
file, ``checkpointformat`` says. Writes are group commits; one that fails fails exactly those who waited for it, and
memory never holds what the disk does not.

Two processes may use one file in turn: each of them has to ``refresh`` at the beginning of its turn, since it writes
the whole file from what it knows.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, assert_never

from fake_dra_driver.dra.node.checkpointformat import CheckpointFormat, Contents, OtherVersionError
from fake_dra_driver.dra.node.files import Files, set_aside
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.preparedmodel import PreparedModel, StoredDevice
from fake_dra_driver.groupcommit import GroupCommit, Pending
from fake_dra_driver.inthread import ended, in_thread

__all__ = ["Checkpoint", "DamagedCheckpointError", "OtherReleaseError"]

_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o750
"""As the kubelet makes the folders of plugins."""


class DamagedCheckpointError(Exception):
    """The file could not be used and was set aside under another name; the checkpoint is empty now."""


class OtherReleaseError(OSError):
    """Another process uses the file with a version that this program does not read."""


@dataclass(frozen=True, slots=True)
class _Put(Generic[PreparedT]):
    claim: PreparedClaim[PreparedT]


@dataclass(frozen=True, slots=True)
class _Remove:
    uid: str


@dataclass(frozen=True, slots=True)
class _Complete:
    """Every prepared claim is in here."""


_Change = _Put[PreparedT] | _Remove | _Complete


class Checkpoint(Generic[PreparedT]):
    """The prepared claims of a node. Safe to use concurrently in one event loop; one instance for a file.

    Args:
        files: where to read and write.
        path: of the file; ``load`` makes its folder if there is none.
        model: how devices are kept in it.
    """

    def __init__(self, files: Files, path: Path, model: PreparedModel[PreparedT]) -> None:
        self._files = files
        self._path = path
        self._format = CheckpointFormat(model)
        self._contents = self._format.empty
        """As they are on disk."""
        self._claims = self._format.prepared(self._contents)
        self._is_loaded = False
        self._data: bytes | None = None
        """The file as it was last read or written here; None: there was none."""
        self._commits: GroupCommit[_Change[PreparedT]] = GroupCommit(self._write)
        self._is_unsure = False
        """Whether the disk may differ from what is known here, so that the next write must not be skipped.

        So it is after a write that failed: its contents may be there all the same.
        """

    @property
    def claims(self) -> Mapping[str, PreparedClaim[PreparedT]]:
        """What is prepared, by UID, as it is on disk. A snapshot: later changes do not show in it."""
        return self._claims

    @property
    def is_complete(self) -> bool:
        """Whether every prepared claim is in here; not after a start without a usable file, until ``complete``."""
        return self._contents.complete

    async def load(self) -> None:
        """Reads the file. Without one, or with a damaged one, the checkpoint is empty and not complete.

        Raises:
            DamagedCheckpointError: the file was damaged, or of another version, and was set aside.
            OSError: it cannot be read or set aside.
        """
        self._is_loaded = True
        await in_thread(self._files.make_folder, self._path.parent, _FOLDER_MODE)
        data = await in_thread(self._files.read, self._path)
        if data is None:
            return
        try:
            contents = self._format.decode(data)
        except ValueError as error:
            aside = await in_thread(set_aside, self._files, self._path)
            raise DamagedCheckpointError(f"checkpoint {self._path} was set aside as {aside.name}: {error}") from error
        self._contents, self._claims, self._data = contents, self._format.prepared(contents), data

    async def refresh(self) -> None:
        """Takes over what another process has written. To be called before work begins, with no change under way.

        Does nothing before ``load``, which alone may set a file aside. When the file is gone or damaged, which no
        process of ours leaves behind, what is known here stays, and the next change writes it; but the checkpoint is
        not complete any more.

        Raises:
            OtherReleaseError: a release has written the file that may only be used without this one.
            OSError: it cannot be read.
        """
        if not self._is_loaded:
            return
        data = await in_thread(self._files.read, self._path)
        if data == self._data:
            return
        try:
            contents = self._format.decode(data) if data is not None else None
        except OtherVersionError as error:
            raise OtherReleaseError(f"checkpoint {self._path} cannot be used: {error}") from error
        except ValueError:
            contents = None
        if contents is None:
            # Another process may have written the file after it was last read here: what it has prepared is in no
            # process' memory then, and its files must not be taken for those of claims that are not prepared.
            self._contents = self._format.changed(self._contents, self._claims, complete=False)
            self._is_unsure = True
        else:
            self._contents, self._claims, self._data = contents, self._format.prepared(contents), data

    async def put(self, claim: PreparedClaim[PreparedT]) -> None:
        """Adds the claim, or replaces it. Returns when that is durable. Raises OSError."""
        await self._commits.commit(_Put(claim))

    async def remove(self, uid: str) -> None:
        """Removes the claim. Returns when that is durable. Raises OSError."""
        if uid in self._claims or self._is_unsure or not self._commits.is_idle:
            await self._commits.commit(_Remove(uid))

    async def complete(self) -> None:
        """Notes that every prepared claim is in here. Returns when that is durable. Raises OSError."""
        if not self.is_complete:
            await self._commits.commit(_Complete())

    async def _write(self, batch: Sequence[Pending[_Change[PreparedT]]]) -> None:
        claims, complete = dict(self._claims), self.is_complete
        for pending in batch:
            match pending.change:
                case _Put(claim):
                    claims[claim.uid] = claim
                case _Remove(uid):
                    claims.pop(uid, None)
                case _Complete():
                    complete = True
                case _:
                    assert_never(pending.change)
        work = asyncio.get_running_loop().run_in_executor(None, self._store, claims, complete)
        try:
            await ended(work)
        finally:
            # Also when the caller was cancelled: the write was made all the same, so memory follows the disk, and the
            # other callers of the batch need not repeat it.
            error = work.exception()
            self._is_unsure = error is not None
            if error is None:
                (self._contents, self._data), self._claims = work.result(), claims
                for pending in batch:
                    pending.settle()

    def _store(
        self, claims: Mapping[str, PreparedClaim[PreparedT]], complete: bool
    ) -> tuple[Contents[StoredDevice[PreparedT]], bytes | None]:
        """What is on disk then."""
        if not self._is_unsure and (claims, complete) == (self._claims, self.is_complete):
            return self._contents, self._data
        contents = self._format.changed(self._contents, claims, complete=complete)
        data = self._format.encode(contents)
        self._files.write(self._path, data, _MODE)
        return contents, data
