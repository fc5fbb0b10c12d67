"""The Fake device behind the kubelet plugin: prepares claims from local data, and remembers what is prepared.

The order is CDI file, checkpoint, answer, each durable before the next. A stop in between leaves a file without a
record, which the start removes. When a claim ends the file goes first: a record without a file is made whole by the
start, and taken out by the kubelet's next call or by the clean-up of claims that are gone. The API server is asked only
where local data cannot know: an allocation of the Go driver says nothing about its devices, and a device that is
prepared for another claim is free when that claim is gone.

Each claim has a lock, since not only the kubelet works on it: the publisher ends claims that are gone, and rebuilds
what a damaged checkpoint has lost. Nobody waits for a second lock while holding one.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.cdi import CdiFolder, CdiSpecError
from fake_dra_driver.device.checkpoint import Checkpoint, DamagedCheckpointError
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.prepared import (
    PreparedClaim,
    PreparedDevice,
    UnknownDeviceError,
    WantedDevice,
    find_holder,
    prepared_devices,
)
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from fake_dra_driver.driver.classic.holdings import still_held, wanted_by_entry, wanted_by_handle
from fake_dra_driver.driver.node.events import NodeEvents
from fake_dra_driver.driver.node.retry import READ_TIMEOUT_SECONDS, RetryBudget
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.keyedlock import KeyedLock

__all__ = ["DeviceInUseError", "FakeNodeDriver", "NodeReader"]

log = logger.bind(component="node")
K = TypeVar("K", bound=KubeObject)


class NodeReader(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(
        self,
        kind: type[K],
        key: NamespacedName,
        *,
        timeout_seconds: float | None = None,
    ) -> K:
        """Reads an object from the API server."""
        ...


class DeviceInUseError(PrepareError):
    """A device of the claim is prepared for another claim, which still holds it."""


class FakeNodeDriver:
    """Implements ``dra.node.driver.NodeDriver``. Every method may run at any time, also twice at once for one claim.

    Args:
        state_key: of the node's NodeAllocationState; its name is the node's.
        inventory: the devices of the node.
        changed: called after each change of what is prepared.
        events: tells people about repairs.
    """

    def __init__(
        self,
        state_key: NamespacedName,
        inventory: Sequence[Device],
        checkpoint: Checkpoint,
        cdi: CdiFolder,
        reader: NodeReader,
        changed: Callable[[], None],
        events: NodeEvents,
    ) -> None:
        self._state_key = state_key
        self._inventory = {device.uuid: device for device in inventory}
        self._checkpoint = checkpoint
        self._cdi = cdi
        self._reader = reader
        self._changed = changed
        self._events = events
        self.damage = ""
        """Why the checkpoint could not be used at the start; empty when it could, or when there was none."""
        self.started = asyncio.Event()
        """Set once the checkpoint is read: before that, nobody knows what is prepared."""
        self._locks: KeyedLock[str] = KeyedLock()
        """By claim; held for every change of its file and its record."""
        self._in_work: dict[str, PreparedClaim] = {}
        """By claim: what is being written for it at this moment, so that nobody else starts with its devices."""
        self._ended: set[str] = set()
        """Claims that the kubelet has ended since the start, as long as the checkpoint is not complete."""

    async def start(self) -> None:
        """Reads the checkpoint and brings the CDI folder in line with it. Needs no API server.

        Raises:
            OSError: a folder of ours cannot be used.
        """
        try:
            await self._checkpoint.load()
        except DamagedCheckpointError as error:
            self.damage = str(error)
            log.warning("Checkpoint is damaged, it will be rebuilt from what the API server has", error=self.damage)
        await self._cdi.write_common()
        self._tell_restored([uid for uid, claim in self._checkpoint.claims.items() if await self._cdi.write(claim)])
        await self.remove_orphans()
        self.started.set()
        log.info("Checkpoint read", claims=len(self._checkpoint.claims), complete=self._checkpoint.is_complete)

    async def remove_orphans(self) -> None:
        """Removes CDI files of claims that are not prepared, once it is certain which those are. Raises OSError."""
        if not self._checkpoint.is_complete:
            return
        self._ended.clear()
        removed = []
        for uid in await self._cdi.uids():
            async with self._locks.hold(uid):
                if uid not in self._checkpoint.claims:
                    await self._cdi.remove(uid)
                    removed.append(uid)
                    log.info("CDI file of a claim that is not prepared removed", claim_uid=uid)
        if removed:
            self._events.cdi_files_removed(removed)

    async def prepare(self, claim: ClassicClaim) -> Sequence[ReadyDevice]:
        """As ``NodeDriver.prepare``."""
        budget = RetryBudget()
        wanted = PreparedClaim(claim.uid, claim.namespace, claim.name, await self._devices(claim, budget))
        await self._prepare(wanted, budget)
        return _ready_devices(self._state_key.name, wanted, self._cdi.device_names(wanted))

    async def adopt(self, claim: PreparedClaim) -> None:
        """Makes a claim prepared that the kubelet has not asked for in this process, nor ended.

        For a checkpoint that is not complete: what the caller has read may be older than the kubelet's last call.

        Raises:
            DeviceInUseError: another claim holds one of the devices.
            PrepareError: nothing can be written, or the API server cannot say whether that other claim still exists.
        """
        await self._prepare(claim, RetryBudget(), unless_in=self._ended)

    async def unprepare(self, claim: ClassicClaim) -> None:
        """As ``NodeDriver.unprepare``: from local data alone."""
        async with self._locks.hold(claim.uid):
            await self._drop(claim.uid, RetryBudget())
            if not self._checkpoint.is_complete:
                self._ended.add(claim.uid)

    async def unprepare_if_stale(self, uid: str) -> bool:
        """Ends a claim that holds nothing here any more, by what the API server says now; true when it is ended.

        Raises:
            RuntimeLayerError: the API server cannot be asked.
            PrepareError: the claim is stale, and its file or record cannot be taken away.
        """
        async with self._locks.hold(uid):
            prepared = self._checkpoint.claims.get(uid)
            if prepared is None:
                return True
            # The lock is held over the read: a prepare before it shows in the read, and one after it starts anew.
            if still_held(prepared, await self._live(prepared), self._state_key.name):
                return False
            log.info("Claim that is gone was never unprepared", claim_uid=uid, claim=_name(prepared))
            await self._drop(uid, RetryBudget())
            self._events.stale_claim_unprepared(prepared)
            return True

    async def _prepare(self, wanted: PreparedClaim, budget: RetryBudget, unless_in: Collection[str] = ()) -> None:
        """CDI file, then checkpoint, once nobody else has the devices. Does nothing that is done already."""
        while True:
            async with self._locks.hold(wanted.uid):
                if wanted.uid in unless_in:
                    return
                rival = self._rival(wanted)
                if rival is None:
                    await self._write(wanted, budget)
                    return
            await self._make_way(rival.uid, wanted, budget)

    def _rival(self, wanted: PreparedClaim) -> PreparedClaim | None:
        """A claim that has one of the devices on record, or is just getting it."""
        return find_holder(self._checkpoint.claims, wanted.uid, wanted.whole_uuids) or find_holder(
            self._in_work, wanted.uid, wanted.whole_uuids
        )

    async def _write(self, wanted: PreparedClaim, budget: RetryBudget) -> None:
        before = self._checkpoint.claims.get(wanted.uid)
        self._in_work[wanted.uid] = wanted
        try:
            is_written = await budget.run(lambda: self._cdi.write(wanted), f"write the CDI file of claim {wanted.uid}")
            if before == wanted:
                self._tell_restored([wanted.uid] if is_written else [])
            else:
                await budget.run(lambda: self._checkpoint.put(wanted), "write the checkpoint")
                self._changed()
        except PrepareError:
            # A file without a record would stay, and define devices that another claim may get: container runtimes
            # use neither of two definitions. Where this fails too, the next start removes the file.
            with suppress(OSError, CdiSpecError):
                await (self._cdi.remove(wanted.uid) if before is None else self._cdi.write(before))
            raise
        finally:
            del self._in_work[wanted.uid]

    async def _make_way(self, rival_uid: str, wanted: PreparedClaim, budget: RetryBudget) -> None:
        """Ends the rival if it is stale.

        Raises:
            DeviceInUseError: it still holds one of the devices.
            PrepareError: nobody can say whether it does, or it cannot be ended.
        """
        async with self._locks.hold(rival_uid):
            rival = self._checkpoint.claims.get(rival_uid)
            if rival is None or rival.whole_uuids.isdisjoint(wanted.whole_uuids):
                return
            live = await budget.run(lambda: self._live(rival), f"find out whether claim {_name(rival)} still exists")
            held = still_held(rival, live, self._state_key.name) & wanted.whole_uuids
            if held:
                raise DeviceInUseError(
                    f"device {min(held)} is prepared for claim {_name(rival)} ({rival.uid}), which still holds it; "
                    "nothing was prepared"
                )
            log.warning(
                "Claim that is gone was never unprepared, its devices are taken back",
                stale_claim=_name(rival),
                stale_claim_uid=rival.uid,
            )
            await self._drop(rival_uid, budget)
            self._events.stale_claim_unprepared(rival)

    def _tell_restored(self, uids: Sequence[str]) -> None:
        if uids:
            log.info("CDI files of prepared claims were missing or changed, and are written again", claim_uids=uids)
            self._events.cdi_files_restored(uids)

    async def _drop(self, uid: str, budget: RetryBudget) -> None:
        """CDI file, then checkpoint. The caller has the lock. Raises PrepareError."""
        await budget.run(lambda: self._cdi.remove(uid), f"remove the CDI file of claim {uid}")
        is_known = uid in self._checkpoint.claims
        await budget.run(lambda: self._checkpoint.remove(uid), "write the checkpoint")
        if is_known:
            self._changed()

    async def _devices(self, claim: ClassicClaim, budget: RetryBudget) -> tuple[PreparedDevice, ...]:
        """What containers get for the claim."""
        record = self._checkpoint.claims.get(claim.uid)
        # What a claim has stays its own, also when the node was given fewer devices since.
        own = {d.whole_uuid: Device(d.whole_uuid, d.model) for d in record.devices} if record is not None else {}
        try:
            return prepared_devices({**own, **self._inventory}, await self._wanted(claim, budget))
        except UnknownDeviceError as error:
            raise PrepareError(
                f"claim {claim.namespace}/{claim.name}: {error}; were the node's name or its number of devices changed?"
            ) from error

    async def _wanted(self, claim: ClassicClaim, budget: RetryBudget) -> Sequence[WantedDevice]:
        if claim.resource_handle:
            try:
                return wanted_by_handle(claim.resource_handle)
            except ValueError as error:
                raise PrepareError(
                    f"claim {claim.namespace}/{claim.name} has a resource handle that this driver cannot read: {error}"
                ) from error
        # Asked for live: a cache that lags might still have what the claim held before it was allocated anew.
        state = await budget.run(self._live_state, f"read NodeAllocationState {self._state_key}")
        wanted = wanted_by_entry(None if state is None else state.spec.allocated_claims.get(claim.uid))
        if not wanted:
            raise PrepareError(
                f"claim {claim.namespace}/{claim.name} ({claim.uid}) holds no devices on this node: its allocation has "
                f"no resource handle, and NodeAllocationState {self._state_key} does not list it"
            )
        return wanted

    async def _live(self, claim: PreparedClaim) -> ResourceClaim | None:
        return await self._get(ResourceClaim, NamespacedName(claim.namespace, claim.name))

    async def _live_state(self) -> NodeAllocationState | None:
        return await self._get(NodeAllocationState, self._state_key)

    async def _get(self, kind: type[K], key: NamespacedName) -> K | None:
        """The object as the API server has it now, or None when it is certain that there is none."""
        try:
            return await self._reader.get(kind, key, timeout_seconds=READ_TIMEOUT_SECONDS)
        except NotFoundError as error:
            if error.is_kind_missing:  # an API server that does not serve the kind says nothing about its objects
                raise
            return None


def _ready_devices(node: str, claim: PreparedClaim, cdi_names: Sequence[str]) -> list[ReadyDevice]:
    """One for each whole device, with the CDI names of its children if it is split.

    The variables about node and driver come first, and with each device: a container may use one of them alone.
    """
    common, *own = cdi_names
    names: dict[str, list[str]] = {}
    for device, name in zip(claim.devices, own, strict=True):
        names.setdefault(device.whole_uuid, [common]).append(name)
    return [ReadyDevice(node, uuid, tuple(found)) for uuid, found in names.items()]


def _name(claim: PreparedClaim) -> str:
    return f"{claim.namespace}/{claim.name}"
