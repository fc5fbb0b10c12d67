"""Prepares claims on a node: makes a CDI file and a record in the checkpoint from the devices that a claim is to get.

The order is CDI file, checkpoint, answer, each durable before the next. A stop in between leaves a file without a
record, which ``recovery`` removes. When a claim ends the file goes first: a record without a file is completed at the
next start, and removed by the kubelet's next call or with the stale claims.

What is prepared stays so until the kubelet ends it, which knows what runs. That a claim is gone proves nothing: a pod
may still use what was prepared for it. Where the kubelet has missed the end of a pod, the controller says that no pod
on the node can use the claim; if it then holds nothing by what the API server says, it is stale.

Where a driver has to do something to its devices (``PreparedModel.has_effects``), a record that is not complete goes
before that, so that the end of a claim undoes also what was only begun; that comes between the file and the record.
Such work may take long, or hang. It is therefore done outside of the turns in which the files are used, and keeps
nothing from other claims.

Each claim has a lock, since not only the kubelet works on it: ``recovery`` ends stale claims, and adopts those that a
lost checkpoint does not list. No task waits for a second claim's lock while it holds one. Around it is the lock that
the processes of a rolling update have on the node's files (``NodeFiles.hold``), and around that, where there is work on
devices, one more lock for each claim, which keeps off other processes, too (``NodeFiles.hold_claim``).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.cdi import CdiSpecError
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import NodeLookup
from fake_dra_driver.dra.node.deviceerror import DeviceInUseError, NotEndedError
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT, disputed_devices, find_holder
from fake_dra_driver.dra.node.preparedmodel import PreparedModel
from fake_dra_driver.dra.node.retry import RetryBudget
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.keyedlock import KeyedLock

__all__ = ["Preparer"]

RIVAL_SECONDS: Final = 1.0
"""How long an attempt waits for another process that works on a claim in the way; there may be more attempts."""

log = logger.bind(component="preparer")

T = TypeVar("T")


class _StaleRivalError(NotEndedError):
    """The other claim can be ended, which takes more than files, and has to be done outside of a turn."""

    def __init__(self, claim: PreparedClaim[Any], rival: PreparedClaim[Any]) -> None:
        super().__init__(
            f"device {min(disputed_devices(claim, rival))} is still prepared for claim {rival.namespace}/{rival.name} "
            f"({rival.uid}), which does not hold it any more, and is yet to be ended; nothing was prepared"
        )
        self.claim = claim
        self.rival_uid = rival.uid


class Preparer(Generic[PreparedT]):
    """Prepares and unprepares. Every method may run at any time, also twice at once for one claim.

    Args:
        node: the name of the node.
        model: what its devices are.
        files: where claims are prepared; the checkpoint has been loaded before the first call.
        lookup: whether another claim still holds its devices, or a pod may use them.
        events: tells people about repairs.
        changed: called after each change of what is prepared.
    """

    def __init__(
        self,
        node: str,
        model: PreparedModel[PreparedT],
        files: NodeFiles[PreparedT],
        lookup: NodeLookup[PreparedT],
        events: NodeEvents,
        changed: Callable[[], None],
    ) -> None:
        self._node = node
        self._model = model
        self._files = files
        self._checkpoint, self._cdi = files.checkpoint, files.cdi
        self._lookup = lookup
        self._events = events
        self._changed = changed
        self._locks: KeyedLock[str] = KeyedLock()
        """By claim; held for every change of its file and its record."""
        self._work: KeyedLock[str] = KeyedLock()
        """By claim; held outside of ``_locks`` and of any turn, while something is done to its devices."""
        self._in_work: dict[str, PreparedClaim[PreparedT]] = {}
        """By claim: what is being written for it at this moment, so that no other claim gets its devices."""
        self._ended: set[str] = set()
        """Claims that the kubelet has ended since the start, as long as the checkpoint is not complete."""

    async def prepare(
        self,
        claim: NodeClaim,
        devices: Sequence[PreparedT],
        budget: RetryBudget,
        make_metadata: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
    ) -> Sequence[ReadyDevice]:
        """Prepares a claim, as ``NodeDriver.prepare`` does, with these devices.

        Args:
            claim: as the kubelet names it.
            devices: what containers are to get for it, in their order.
            budget: for all that is tried again.
            make_metadata: makes files about the devices, and returns by request the CDI name that brings one into a
                container; None: there are to be none. Raises OSError.

        Raises:
            DeviceInUseError: another claim holds one of them, or has not been ended.
            PrepareError: nothing can be written, it is unknown whether another claim still holds one of them, or one
                of them cannot be made ready.
        """
        planned = _planned(claim, devices)
        await self._model.before_prepare(planned)
        async with self._alone_with(claim.uid):
            prepared = await self._complete(planned, budget)

            async def attempt() -> Sequence[ReadyDevice]:
                await self._prepare(prepared, budget)
                if make_metadata is None:
                    return self._ready(prepared)
                async with self._locks.hold(claim.uid):
                    names = await budget.run(make_metadata, f"write the metadata of claim {claim.uid}")
                return _with_metadata(self._ready(prepared), names)

            return await self._in_turns(attempt, budget)

    async def prepare_as_before(self, claim: NodeClaim, budget: RetryBudget) -> Sequence[ReadyDevice] | None:
        """Prepares a claim with the devices that it is prepared with already; None when it is not.

        Raises:
            PrepareError: nothing can be written, or a device cannot be made ready.
        """
        if (before := self._checkpoint.claims.get(claim.uid)) is not None:
            await self._model.before_prepare(before)
        async with self._alone_with(claim.uid):
            complete: PreparedClaim[PreparedT] | None = None
            if self._model.has_effects:
                # In a turn: another process may have ended the claim just before.
                async with self._turn():
                    record = self._checkpoint.claims.get(claim.uid)
                if record is None:
                    return None
                complete = await self._complete(self._model.planned(record), budget)

            async def attempt() -> Sequence[ReadyDevice] | None:
                prepared = complete or self._checkpoint.claims.get(claim.uid)
                if prepared is None:
                    return None
                await self._prepare(prepared, budget)
                names = await budget.run(
                    lambda: self._files.metadata.prepared(claim), f"read the metadata of claim {claim.uid}"
                )
                return _with_metadata(self._ready(prepared), names)

            return await self._in_turns(attempt, budget)

    async def adopt(self, claim: NodeClaim, devices: Sequence[PreparedT]) -> None:
        """Prepares a claim that the kubelet has not asked for in this process, nor ended.

        For a checkpoint that is not complete: what the caller has read may be older than the kubelet's last call.
        What has to be done to devices is left to ``make_ready``. Raises as ``prepare``.
        """

        def is_known() -> bool:
            return claim.uid in self._ended or claim.uid in self._checkpoint.claims

        async with self._turn():
            await self._prepare(_planned(claim, devices), RetryBudget(), unless=is_known)

    async def make_ready(self, claim: NodeClaim) -> None:
        """Does to the devices of a claim that was adopted what has to be done. Raises PrepareError: it cannot be."""
        if self._model.has_effects:
            await self.prepare_as_before(claim, RetryBudget())

    async def complete(self) -> None:
        """Notes that every prepared claim is on record. Raises OSError; PrepareError: the files cannot be locked."""
        async with self._turn():
            await self._checkpoint.complete()
            self._ended.clear()

    async def unprepare(self, claim: NodeClaim) -> None:
        """Ends a claim, as ``NodeDriver.unprepare`` does.

        Raises:
            PrepareError: its file or record cannot be removed, or a device cannot be released.
        """
        if (record := self._checkpoint.claims.get(claim.uid)) is not None:
            await self._model.before_unprepare(record)
        async with self._alone_with(claim.uid):
            await self._end(claim)

    async def unprepare_if_stale(self, uid: str) -> bool:
        """Ends a claim that no pod can use, and that holds nothing here by what the API server says now.

        Returns:
            Whether it is ended, by this or another call.

        Raises:
            RuntimeLayerError: the API server cannot be asked.
            PrepareError: the claim is stale, and its file or record cannot be removed, or a device not be released.
        """
        budget = RetryBudget()
        async with self._alone_with(uid):
            async with self._turn(), self._locks.hold(uid):
                claim = self._checkpoint.claims.get(uid)
                if claim is None:
                    return True
                # The lock is held during the read: an earlier prepare shows in the answer, a later one starts from
                # nothing.
                if await self._lookup.still_held(claim) or not self._may_end(claim):
                    return False
                rest = await self._remove_stale(claim, budget)
            if rest is not None:
                await self._undo_stale(rest, budget)
            return True

    async def remove_orphan(self, uid: str) -> bool:
        """Removes the CDI file of a claim unless the claim is prepared; true when it is removed.

        Raises:
            OSError: the file cannot be removed.
            PrepareError: the files cannot be locked.
        """
        async with self._turn(), self._locks.hold(uid):
            if uid in self._checkpoint.claims:
                return False
            await self._cdi.remove(uid)
            return True

    @asynccontextmanager
    async def _alone_with(self, uid: str, patience_seconds: float | None = None) -> AsyncIterator[None]:
        """Nothing else is done to the devices of the claim while the block runs. To be entered outside of a turn.

        Args:
            uid: of the claim.
            patience_seconds: how long another process may take; None: for ever.

        Raises:
            NotEndedError: another process works on them for longer than that.
            PrepareError: other processes cannot be kept from them.
        """
        async with AsyncExitStack() as stack:
            if self._model.has_effects:
                await stack.enter_async_context(self._work.hold(uid))
                try:
                    async with asyncio.timeout(patience_seconds):
                        await stack.enter_async_context(self._files.hold_claim(uid))
                except TimeoutError as error:
                    raise NotEndedError(
                        f"another process of the plugin works on claim {uid}, which is in the way; nothing was prepared"
                    ) from error
                except OSError as error:
                    raise PrepareError(
                        f"cannot keep other processes from the devices of claim {uid}: {error}"
                    ) from error
            yield

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """No other process changes the node's files while the block runs. Raises PrepareError."""
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._files.hold())
            except (OSError, RuntimeLayerError) as error:
                raise PrepareError(f"cannot use the files of the node: {error}") from error
            yield

    async def _in_turns(self, attempt: Callable[[], Awaitable[T]], budget: RetryBudget) -> T:
        """The result of an attempt that is made again for as long as the kubelet may end the claim in its way."""
        while True:
            try:
                try:
                    async with self._turn():
                        return await attempt()
                except _StaleRivalError as error:
                    await self._end_rival(error.rival_uid, error.claim, budget)
            except NotEndedError:
                # Between turns: a call that ends the claim in the way may have to wait for the end of this one.
                if not await budget.wait():
                    raise

    def _ready(self, claim: PreparedClaim[PreparedT]) -> Sequence[ReadyDevice]:
        return self._model.ready_devices(self._node, claim)

    async def _prepare(
        self, claim: PreparedClaim[PreparedT], budget: RetryBudget, unless: Callable[[], bool] = lambda: False
    ) -> None:
        """CDI file, then checkpoint, once no other claim has the devices. Does nothing that is done already."""
        while True:
            async with self._locks.hold(claim.uid):
                if unless():
                    return
                rival = self._rival(claim)
                if rival is None:
                    await self._write(claim, budget)
                    return
            await self._clear_rival(rival.uid, claim, budget)

    def _rival(self, claim: PreparedClaim[PreparedT]) -> PreparedClaim[PreparedT] | None:
        """Another claim that has one of the devices on record, or is just getting it."""
        return find_holder(self._checkpoint.claims, claim) or find_holder(self._in_work, claim)

    async def _clear_rival(self, rival_uid: str, claim: PreparedClaim[PreparedT], budget: RetryBudget) -> None:
        """Ends the rival if it is stale. Raises as ``_stale_rival``."""
        async with self._locks.hold(rival_uid):
            rival = await self._stale_rival(rival_uid, claim, budget)
            if rival is None:
                return
            if self._model.has_effects:
                raise _StaleRivalError(claim, rival)
            await self._remove_stale(rival, budget)

    async def _end_rival(self, rival_uid: str, claim: PreparedClaim[PreparedT], budget: RetryBudget) -> None:
        """Does so outside of a turn, since it takes more than files."""
        if self._work.is_held(rival_uid):
            # That may take for ever, and until this claim gives up waiting, the kubelet cannot end it.
            raise NotEndedError(
                f"claim {rival_uid}, which has a device of claim {claim.uid}, is being worked on; nothing was prepared"
            )
        # The same holds for what another process does to it.
        async with self._alone_with(rival_uid, RIVAL_SECONDS):
            async with self._turn(), self._locks.hold(rival_uid):
                rival = await self._stale_rival(rival_uid, claim, budget)
                rest = None if rival is None else await self._remove_stale(rival, budget)
            if rest is not None:
                await self._undo_stale(rest, budget)

    async def _stale_rival(
        self, rival_uid: str, claim: PreparedClaim[PreparedT], budget: RetryBudget
    ) -> PreparedClaim[PreparedT] | None:
        """The rival if it is to be ended; None: it is not in the way any more. The caller has its lock.

        Raises:
            DeviceInUseError: it still holds one of the devices.
            NotEndedError: it does not, and a pod may still use them.
            PrepareError: it cannot be found out whether it does, or it cannot be ended.
        """
        rival = self._checkpoint.claims.get(rival_uid)
        if rival is None or not (disputed := disputed_devices(claim, rival)):
            return None
        name = f"{rival.namespace}/{rival.name}"
        held = await budget.run(
            lambda: self._lookup.still_held(rival), f"find out whether claim {name} still holds its devices"
        )
        if disputed := disputed.intersection(held):
            raise DeviceInUseError(
                f"device {min(disputed)} is prepared for claim {name} ({rival.uid}), which still holds it; "
                "nothing was prepared"
            )
        if not self._may_end(rival):
            raise NotEndedError(
                f"device {min(disputed_devices(claim, rival))} is still prepared for claim {name} ({rival.uid}), "
                "which does not hold it any more, but whose pod may still run; it is free as soon as the kubelet "
                "has unprepared that claim, or no pod on the node can use it; nothing was prepared"
            )
        return rival

    def _may_end(self, claim: PreparedClaim[PreparedT]) -> bool:
        """Whether a claim that holds nothing here may be ended without the kubelet."""
        only_looks = bool(claim.devices) and not claim.devices_in_use
        return only_looks or self._lookup.is_abandoned(claim.uid)

    async def _write(self, claim: PreparedClaim[PreparedT], budget: RetryBudget) -> None:
        """The caller has the lock. Raises PrepareError."""
        before = self._checkpoint.claims.get(claim.uid)
        self._in_work[claim.uid] = claim
        try:
            is_written = await budget.run(lambda: self._cdi.write(claim), f"write the CDI file of claim {claim.uid}")
            if before != claim:
                await budget.run(lambda: self._checkpoint.put(claim), "write the checkpoint")
                self._changed()
            elif is_written:
                log.info("CDI file of a prepared claim was missing or changed, and is written again")
                self._events.cdi_files_restored([claim.uid])
        except PrepareError:
            # A file without a record would stay, and define devices that another claim may get: container runtimes
            # use neither of two definitions. Where this fails too, the next start removes the file.
            with suppress(OSError, CdiSpecError):
                await (self._cdi.remove(claim.uid) if before is None else self._cdi.write(before))
            raise
        finally:
            del self._in_work[claim.uid]

    # --- what is done to devices

    async def _complete(self, planned: PreparedClaim[PreparedT], budget: RetryBudget) -> PreparedClaim[PreparedT]:
        """The claim once its devices are ready but for files. The caller is alone with it, outside of a turn."""
        if not self._model.has_effects:
            return planned
        begun, was_complete = await self._begin(planned, budget)
        try:
            return await self._model.complete(begun)
        except PrepareError:
            # What runs keeps what it has. Else the kubelet may never name the claim again, since it was not prepared.
            if not was_complete:
                await self._undo_if_possible(begun)
            raise

    async def _begin(
        self, planned: PreparedClaim[PreparedT], budget: RetryBudget
    ) -> tuple[PreparedClaim[PreparedT], bool]:
        """Puts the claim on record, without other devices that it had before.

        Returns:
            What is to be made ready, and whether it was on record and complete.
        """

        async def attempt() -> PreparedClaim[PreparedT] | None:
            record = self._checkpoint.claims.get(planned.uid)
            if record is None:
                await self._prepare(planned, budget)
            return record

        while True:
            record = await self._in_turns(attempt, budget)
            if record is None:
                return planned, False
            if self._model.is_complete(record) and _are_same_devices(record, planned):
                # What is said about them may read differently since an upgrade. It is what a container runs with.
                return self._model.planned(record), True
            if self._model.planned(record) == planned:
                return planned, False
            await self._end(_identity(record))

    async def _undo(self, claim: PreparedClaim[PreparedT], budget: RetryBudget) -> None:
        """Undoes what was done to the devices, then removes the record. The caller is alone with the claim."""
        await self._model.end(claim)
        async with self._turn(), self._locks.hold(claim.uid):
            await self._forget(claim.uid, budget)

    async def _undo_stale(self, claim: PreparedClaim[PreparedT], budget: RetryBudget) -> None:
        await self._undo(claim, budget)
        self._events.stale_claim_unprepared(claim)

    async def _undo_if_possible(self, claim: PreparedClaim[PreparedT]) -> None:
        try:
            await self._undo(claim, RetryBudget())
        except PrepareError as error:
            log.warning("What was begun cannot be undone, and stays on record", claim_uid=claim.uid, error=str(error))

    # --- the end of a claim

    async def _end(self, claim: NodeClaim) -> None:
        """Files, devices, record. The caller is alone with the claim. Raises PrepareError."""
        budget = RetryBudget()
        async with self._turn(), self._locks.hold(claim.uid):
            rest = await self._remove(claim, budget)
        if rest is not None:
            await self._undo(rest, budget)

    async def _remove_stale(
        self, claim: PreparedClaim[PreparedT], budget: RetryBudget
    ) -> PreparedClaim[PreparedT] | None:
        """As ``_remove``; people are told unless something is left to do."""
        log.info(
            "Claim holds nothing here any more and was never unprepared",
            stale_claim=f"{claim.namespace}/{claim.name}",
            stale_claim_uid=claim.uid,
        )
        rest = await self._remove(_identity(claim), budget)
        if rest is None:
            self._events.stale_claim_unprepared(claim)
        return rest

    async def _remove(self, claim: NodeClaim, budget: RetryBudget) -> PreparedClaim[PreparedT] | None:
        """CDI file and metadata, then checkpoint. The caller has the lock. Raises PrepareError.

        Returns:
            The record, which is left where something has been done to devices: ``_undo`` is to follow.
        """
        uid = claim.uid
        await budget.run(lambda: self._cdi.remove(uid), f"remove the CDI file of claim {uid}")
        await budget.run(lambda: self._files.metadata.unprepare(claim), f"remove the metadata of claim {uid}")
        if self._model.has_effects and (record := self._checkpoint.claims.get(uid)) is not None:
            return record
        await self._forget(uid, budget)
        return None

    async def _forget(self, uid: str, budget: RetryBudget) -> None:
        """Removes the record. The caller has the lock. Raises PrepareError."""
        is_known = uid in self._checkpoint.claims
        await budget.run(lambda: self._checkpoint.remove(uid), "write the checkpoint")
        if not self._checkpoint.is_complete:
            self._ended.add(uid)
        if is_known:
            self._changed()


def _are_same_devices(one: PreparedClaim[PreparedT], other: PreparedClaim[PreparedT]) -> bool:
    """Whether two claims have the same devices in the same order, each for the same request."""
    first, second = ([(device.key, device.result) for device in claim.devices] for claim in (one, other))
    return first == second


def _identity(claim: PreparedClaim[PreparedT]) -> NodeClaim:
    return NodeClaim(claim.namespace, claim.name, UID(claim.uid))


def _planned(claim: NodeClaim, devices: Sequence[PreparedT]) -> PreparedClaim[PreparedT]:
    """What the claim will be once it is prepared."""
    return PreparedClaim(claim.uid, claim.namespace, claim.name, tuple(devices))


def _with_metadata(devices: Sequence[ReadyDevice], names: Mapping[str, str]) -> Sequence[ReadyDevice]:
    """The devices, of which the first for each request brings the request's metadata into a container."""
    left = dict(names)
    found = []
    for device in devices:
        extra = tuple(left.pop(request) for request in device.request_names if request in left)
        found.append(replace(device, cdi_device_ids=device.cdi_device_ids + extra) if extra else device)
    return found
