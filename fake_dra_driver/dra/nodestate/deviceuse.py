"""What each device of a node is doing, as its NodeAllocationState has it: for metrics and for ``status``. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.nodestate.layout import EntryT, NodeStateLayout, StateT
from fake_dra_driver.dra.nodestate.state import closed_reason

__all__ = ["DEVICE_STATES", "DeviceState", "DeviceUse", "device_uses"]

DeviceState = Literal["free", "allocated", "prepared", "unavailable", "missing"]
"""
- free: the next claim can get it.
- allocated: a claim holds it, and the node has not prepared it (yet).
- prepared: ready for the containers of the claim that holds it.
- unavailable: no claim holds it, and none can get it: the node takes no claims, or something is wrong with the device.
- missing: a claim holds it, and the node does not have it (any more).
"""
DEVICE_STATES: Final[tuple[DeviceState, ...]] = get_args(DeviceState)


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A device, and which claim has it."""

    key: str
    model: str
    """Empty when it is missing."""
    state: DeviceState
    claim: UID | None = None
    """The claim that holds it by what is on record, else the one for which it is still prepared."""
    others: tuple[UID, ...] = ()
    """Further claims that hold it, because they share it or after an edit by hand."""
    parts: int = 0
    """Into how many parts it is divided; 0 for the whole device."""
    prepared_parts: tuple[str, ...] = ()
    """The parts that are ready for containers."""
    problem: str = ""
    """Why no claim can get it although it is there."""


@dataclass(slots=True)
class _Holder:
    claim: UID
    parts: int


@dataclass(slots=True)
class _Preparation:
    parts: Sequence[str]
    is_ready: bool


def device_uses(
    layout: NodeStateLayout[StateT, Any, EntryT, Any],
    state: StateT,
    entries: Mapping[str, EntryT] | None = None,
    *,
    is_usable: bool = True,
) -> Sequence[DeviceUse]:
    """Every device of the node in the order of its inventory, then those that claims hold and the node does not have.

    Of several claims that hold a device, the first by UID that has it prepared stands for all, else the first.

    Args:
        state: the node.
        entries: by UID, what claims hold, if another source knows better than the node's object.
        is_usable: whether pods can run on the node, as far as is known.
    """
    holders: dict[str, list[_Holder]] = {}
    for uid, entry in sorted((layout.entries_of(state) if entries is None else entries).items()):
        for key, parts in layout.parts_of(entry).items():
            holders.setdefault(key, []).append(_Holder(UID(uid), parts))
    prepared: dict[str, dict[UID, _Preparation]] = {}
    unready = layout.being_prepared_of(state)
    for uid, devices in sorted(layout.prepared_parts_of(state).items()):
        for key, ready in devices.items():
            prepared.setdefault(key, {})[UID(uid)] = _Preparation(ready, uid not in unready)
    is_closed = not is_usable or closed_reason(layout, state) is not None
    inventory = {layout.key_of(device): device for device in layout.inventory_of(state)}
    found = []
    for key, device in inventory.items():
        problem = layout.problem_of(device)
        unheld: DeviceState = "unavailable" if is_closed or problem else "free"
        model = layout.model_of(device)
        found.append(_use(key, model, holders.get(key, ()), prepared.get(key, {}), unheld, problem))
    for key, (first, *others) in holders.items():
        if key not in inventory:
            claims = tuple(other.claim for other in others)
            found.append(DeviceUse(key, "", "missing", first.claim, claims, parts=first.parts))
    return found


def _use(
    key: str,
    model: str,
    holders: Sequence[_Holder],
    prepared: Mapping[UID, _Preparation],
    unheld: DeviceState,
    problem: str,
) -> DeviceUse:
    ready = {claim: preparation.parts for claim, preparation in prepared.items() if preparation.is_ready}
    if holders:
        first = next((holder for holder in holders if holder.claim in ready), holders[0])
        others = tuple(holder.claim for holder in holders if holder is not first) if len(holders) > 1 else ()
        state: DeviceState = "prepared" if first.claim in ready else "allocated"
        return DeviceUse(
            key, model, state, first.claim, others, first.parts, tuple(ready.get(first.claim, ())), problem
        )
    for claim, parts in ready.items():
        return DeviceUse(key, model, "prepared", claim, (), len(parts), tuple(parts), problem)
    for claim in prepared:
        return DeviceUse(key, model, "allocated", claim, problem=problem)
    return DeviceUse(key, model, unheld, problem=problem)
