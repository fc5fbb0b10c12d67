"""What each device of a node is doing, as its NodeAllocationState has it: for metrics and for ``status``. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState, PreparedDevices
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.nodestate import closed_reason, devices_of

__all__ = ["DEVICE_STATES", "DeviceState", "DeviceUse", "device_uses"]

DeviceState = Literal["free", "allocated", "prepared", "unavailable", "missing"]
"""
- free: the next claim can get it.
- allocated: a claim holds it, and the node has not prepared it (yet).
- prepared: ready for the containers of the claim that holds it.
- unavailable: no claim holds it, and the node takes no claims.
- missing: a claim holds it, and the node does not have it (any more).
"""
DEVICE_STATES: Final[tuple[DeviceState, ...]] = get_args(DeviceState)


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A device, and which claim has it."""

    device: Device
    """Without a model when it is missing."""
    state: DeviceState
    claim: UID | None = None
    """The claim that holds it according to the ledger, else the one for which it is still prepared."""
    split: int = 0
    """Number of children; 0 for the whole device."""
    prepared_children: tuple[str, ...] = ()
    """The children that are ready for containers."""


@dataclass(slots=True)
class _Holder:
    claim: UID
    split: int


def device_uses(
    nas: NodeAllocationState, entries: Mapping[str, AllocatedDevices] | None = None, *, is_usable: bool = True
) -> Sequence[DeviceUse]:
    """Every device of the node in the order of its inventory, then those that claims hold and the node does not have.

    A device that two claims hold, because they share it or after an edit by hand, is shown with the first of them by
    UID that has it prepared, else with the first.

    Args:
        nas: the node.
        entries: by UID, what claims hold, if another source knows better than ``nas.spec.allocatedClaims``.
        is_usable: whether pods can run on the node, as far as is known.
    """
    holders: dict[str, list[_Holder]] = {}
    for uid, entry in sorted((nas.spec.allocated_claims if entries is None else entries).items()):
        for uuid, split in _allocated(entry):
            holders.setdefault(uuid, []).append(_Holder(UID(uid), split))
    prepared: dict[str, dict[UID, list[str]]] = {}
    for uid, ready in sorted(nas.spec.prepared_devices.items()):
        for whole, child in _prepared(ready):
            children = prepared.setdefault(whole, {}).setdefault(UID(uid), [])
            if child:
                children.append(child)
    unheld: DeviceState = "free" if is_usable and closed_reason(nas) is None else "unavailable"
    known = {device.uuid: device for device in devices_of(nas)}
    found = [_use(device, holders.get(uuid, ()), prepared.get(uuid, {}), unheld) for uuid, device in known.items()]
    for uuid, (first, *_) in holders.items():
        if uuid not in known:
            found.append(DeviceUse(Device(uuid, ""), "missing", first.claim, first.split))
    return found


def _use(
    device: Device, holders: Sequence[_Holder], ready: Mapping[UID, Sequence[str]], unheld: DeviceState
) -> DeviceUse:
    for holder in holders:
        if holder.claim in ready:
            return DeviceUse(device, "prepared", holder.claim, holder.split, tuple(ready[holder.claim]))
    if holders:
        return DeviceUse(device, "allocated", holders[0].claim, holders[0].split)
    for claim, children in ready.items():
        return DeviceUse(device, "prepared", claim, len(children), tuple(children))
    return DeviceUse(device, unheld)


def _allocated(entry: AllocatedDevices) -> Sequence[tuple[str, int]]:
    return [(device.uuid, device.split or 0) for device in entry.fake.devices] if entry.fake is not None else []


def _prepared(entry: PreparedDevices) -> Sequence[tuple[str, str]]:
    """Whole device and child; no child for a whole device."""
    if entry.fake is None:
        return []
    return [
        (device.parent_uuid, device.uuid) if device.parent_uuid is not None else (device.uuid, "")
        for device in entry.fake.devices
    ]
