"""The Fake device behind the kubelet plugin: prepares claims from local data, and remembers what is prepared.

The order is CDI file, checkpoint, answer, each durable before the next. A stop in between leaves a file without a
record, which the start removes. When a claim ends the file goes first: a record without a file is made whole by the
start, and taken out by the kubelet's next call or by the clean-up of claims that are gone. The API server is asked only
where local data cannot know: an allocation of the Go driver says nothing about its devices, and a device that is
prepared for another claim is free when that claim is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.fake import DRIVER_NAME, AllocatedDevices, NodeAllocationState
from fake_dra_driver.api.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource_v1alpha2 import ResourceClaim
from fake_dra_driver.device.cdi import CdiFolder, CdiSpecError
from fake_dra_driver.device.checkpoint import Checkpoint, DamagedCheckpointError
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.prepared import (
    PreparedClaim,
    UnknownDeviceError,
    WantedDevice,
    find_holder,
    prepared_devices,
)
from fake_dra_driver.dra.driver import NodeClaim, PrepareError
from fake_dra_driver.driver.handle import ClaimHandle
from fake_dra_driver.runtime.errors import NotFoundError, RuntimeLayerError

__all__ = ["FakeNodeDriver", "NodeReader", "is_stale", "wanted_by_entry", "wanted_by_handle"]

TRY_PAUSES_SECONDS: Final = (0.1, 0.4, 1.0)
"""Between tries of what may heal by itself: the kubelet's own next try comes after 60 to 90 s."""
READ_TIMEOUT_SECONDS: Final = 1.5
"""For one of the rare reads: all tries together stay below the 10 s that kubelet 1.27 waits."""

log = logger.bind(component="node")
T = TypeVar("T")
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


class FakeNodeDriver:
    """Implements ``dra.driver.NodeDriver``. The caller never runs two calls for one claim at once.

    Args:
        state_key: of the node's NodeAllocationState.
        inventory: the devices of the node.
        changed: called after each change of what is prepared.
    """

    def __init__(
        self,
        state_key: NamespacedName,
        inventory: Sequence[Device],
        checkpoint: Checkpoint,
        cdi: CdiFolder,
        reader: NodeReader,
        changed: Callable[[], None],
    ) -> None:
        self._state_key = state_key
        self._inventory = {device.uuid: device for device in inventory}
        self._checkpoint = checkpoint
        self._cdi = cdi
        self._reader = reader
        self._changed = changed
        self.started = asyncio.Event()
        """Set once the checkpoint is read: before that, nobody knows what is prepared."""
        self._taking: dict[str, str] = {}
        """By device: the claim for which it is being prepared at this moment, so that no other one starts with it."""

    async def start(self) -> None:
        """Reads the checkpoint and brings the CDI folder in line with it. Needs no API server.

        Raises:
            OSError: a folder of ours cannot be used.
        """
        try:
            await self._checkpoint.load()
        except DamagedCheckpointError as error:
            log.warning("checkpoint is damaged, it will be rebuilt from what the API server has", error=str(error))
        await self._cdi.write_common()
        for claim in self._checkpoint.claims.values():
            await self._cdi.write(claim)
        await self.remove_orphans()
        self.started.set()
        log.info("checkpoint read", claims=len(self._checkpoint.claims), complete=self._checkpoint.is_complete)

    async def remove_orphans(self) -> None:
        """Removes CDI files of claims that are not prepared, once it is certain which those are. Raises OSError."""
        if self._checkpoint.is_complete:
            for uid in await self._cdi.remove_all_but({*self._checkpoint.claims, *self._taking.values()}):
                log.info("CDI file of a claim that is not prepared removed", claim_uid=uid)

    async def prepare(self, claim: NodeClaim) -> Sequence[str]:
        """As ``NodeDriver.prepare``."""
        try:
            devices = prepared_devices(self._inventory, await self._wanted(claim))
        except UnknownDeviceError as error:
            raise PrepareError(
                f"claim {claim.namespace}/{claim.name}: {error}; were the node's name or its number of devices changed?"
            ) from error
        wanted = PreparedClaim(claim.uid, claim.namespace, claim.name, devices)
        await self.adopt(wanted)
        return self._cdi.device_names(wanted)

    async def adopt(self, wanted: PreparedClaim) -> None:
        """Makes the claim prepared: CDI file, then checkpoint. Does nothing that is done already.

        Raises:
            PrepareError: another claim holds one of the devices, or nothing can be written.
        """
        await self._take(wanted)
        try:
            await _retried(lambda: self._cdi.write(wanted), f"write the CDI file of claim {wanted.uid}")
            if self._checkpoint.claims.get(wanted.uid) != wanted:
                await _retried(lambda: self._checkpoint.put(wanted), "write the checkpoint")
                self._changed()
        finally:
            for uuid in wanted.whole_uuids:
                if self._taking.get(uuid) == wanted.uid:
                    del self._taking[uuid]

    async def unprepare(self, claim: NodeClaim) -> None:
        """As ``NodeDriver.unprepare``: from local data alone."""
        await self.drop(claim.uid)

    async def drop(self, uid: str) -> None:
        """Ends a claim: CDI file, then checkpoint. Raises PrepareError."""
        try:
            await _retried(lambda: self._cdi.remove(uid), f"remove the CDI file of claim {uid}")
        except CdiSpecError as error:
            raise PrepareError(str(error)) from error
        if uid in self._checkpoint.claims:
            await _retried(lambda: self._checkpoint.remove(uid), "write the checkpoint")
            self._changed()

    async def _wanted(self, claim: NodeClaim) -> Sequence[WantedDevice]:
        if claim.resource_handle:
            try:
                return wanted_by_handle(claim.resource_handle)
            except ValueError as error:
                raise PrepareError(
                    f"claim {claim.namespace}/{claim.name} has a resource handle that this driver cannot read: {error}"
                ) from error
        state = await self._read(NodeAllocationState, self._state_key)
        entry = None if state is None else state.spec.allocated_claims.get(claim.uid)
        wanted = wanted_by_entry(entry)
        if not wanted:
            raise PrepareError(
                f"claim {claim.namespace}/{claim.name} ({claim.uid}) holds no devices on this node: its allocation has "
                f"no resource handle, and NodeAllocationState {self._state_key} does not list it"
            )
        return wanted

    async def _take(self, wanted: PreparedClaim) -> None:
        """Makes sure that nobody else has the devices. A claim that is gone, and was never unprepared, loses them."""
        while True:
            holder = find_holder(self._checkpoint.claims, wanted.uid, wanted.whole_uuids)
            busy = {self._taking[uuid] for uuid in wanted.whole_uuids if uuid in self._taking} - {wanted.uid}
            if busy:
                raise PrepareError(f"its devices are being prepared for claim {min(busy)} at this moment")
            if holder is None:
                self._taking.update(dict.fromkeys(wanted.whole_uuids, wanted.uid))
                return
            live = await self._read(ResourceClaim, NamespacedName(holder.namespace, holder.name))
            if not is_stale(holder.uid, live):
                shared = min(holder.whole_uuids & wanted.whole_uuids)
                raise PrepareError(
                    f"device {shared} is prepared for claim {holder.namespace}/{holder.name} ({holder.uid}), which "
                    "still holds it; nothing was prepared"
                )
            log.warning("claim that is gone was never unprepared, its devices are taken back", stale_uid=holder.uid)
            await self.drop(holder.uid)

    async def _read(self, kind: type[K], key: NamespacedName) -> K | None:
        async def read() -> K | None:
            try:
                return await self._reader.get(kind, key, timeout_seconds=READ_TIMEOUT_SECONDS)
            except NotFoundError:
                return None

        return await _retried(read, f"read {kind.__name__} {key}")


def wanted_by_handle(data: str) -> Sequence[WantedDevice]:
    """What a resource handle says. Raises ValueError, with what is wrong in one line."""
    try:
        handle = ClaimHandle.from_data(data)
    except ValueError as error:
        raise ValueError(" ".join(str(error).split())) from error
    if not handle.devices:
        raise ValueError("it names no devices")
    if len({device.uuid for device in handle.devices}) < len(handle.devices):
        raise ValueError("it names a device twice")
    return [WantedDevice(device.uuid, device.split) for device in handle.devices]


def wanted_by_entry(entry: AllocatedDevices | None) -> Sequence[WantedDevice]:
    """What an entry of the ledger says; nothing when there is none."""
    devices = entry.fake.devices if entry is not None and entry.fake is not None else ()
    return [WantedDevice(device.uuid, device.split or 0) for device in devices]


def is_stale(uid: UID | str, live: ResourceClaim | None) -> bool:
    """Whether a prepared claim no longer holds its devices, by what the API server has under its name."""
    return live is None or live.uid != uid or live.status.allocation is None or live.status.driver_name != DRIVER_NAME


async def _retried(call: Callable[[], Awaitable[T]], what: str) -> T:
    """The result of a call that may fail for a moment. Raises PrepareError when it keeps failing."""
    for pause in (*TRY_PAUSES_SECONDS, None):
        try:
            return await call()
        except CdiSpecError as error:
            raise PrepareError(f"cannot {what}: {error}") from error
        except (OSError, RuntimeLayerError) as error:
            if pause is None:
                raise PrepareError(f"cannot {what}: {error}") from error
            log.debug("trying again", what=what, error=str(error))
        await asyncio.sleep(pause)
    raise AssertionError("unreachable")
