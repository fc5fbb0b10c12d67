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
- unavailable: no claim holds it, and the node takes no claims.
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
    parts: int = 0
    """Into how many parts it is divided; 0 for the whole device."""
    prepared_parts: tuple[str, ...] = ()
    """The parts that are ready for containers."""


@dataclass(slots=True)
class _Holder:
    claim: UID
    parts: int


def device_uses(
    layout: NodeStateLayout[StateT, Any, EntryT, Any],
    state: StateT,
    entries: Mapping[str, EntryT] | None = None,
    *,
    is_usable: bool = True,
) -> Sequence[DeviceUse]:
    """Every device of the node in the order of its inventory, then those that claims hold and the node does not have.

    A device that two claims hold, because they share it or after an edit by hand, is shown with the first of them by
    UID that has it prepared, else with the first.

    Args:
        state: the node.
        entries: by UID, what claims hold, if another source knows better than the node's object.
        is_usable: whether pods can run on the node, as far as is known.
    """
    holders: dict[str, list[_Holder]] = {}
    for uid, entry in sorted((layout.entries_of(state) if entries is None else entries).items()):
        parts = layout.parts_of(entry)
        for key in layout.devices_of(entry):
            holders.setdefault(key, []).append(_Holder(UID(uid), parts.get(key, 0)))
    prepared: dict[str, dict[UID, Sequence[str]]] = {}
    ready_parts = layout.prepared_parts_of(state)
    for uid, keys in sorted(layout.prepared_of(state).items()):
        for key in keys:
            prepared.setdefault(key, {})[UID(uid)] = ready_parts.get(uid, {}).get(key, ())
    unheld: DeviceState = "free" if is_usable and closed_reason(layout, state) is None else "unavailable"
    models = {layout.key_of(device): layout.model_of(device) for device in layout.inventory_of(state)}
    found = [_use(key, model, holders.get(key, ()), prepared.get(key, {}), unheld) for key, model in models.items()]
    for key, (first, *_) in holders.items():
        if key not in models:
            found.append(DeviceUse(key, "", "missing", first.claim, first.parts))
    return found


def _use(
    key: str, model: str, holders: Sequence[_Holder], ready: Mapping[UID, Sequence[str]], unheld: DeviceState
) -> DeviceUse:
    for holder in holders:
        if holder.claim in ready:
            return DeviceUse(key, model, "prepared", holder.claim, holder.parts, tuple(ready[holder.claim]))
    if holders:
        return DeviceUse(key, model, "allocated", holders[0].claim, holders[0].parts)
    for claim, parts in ready.items():
        return DeviceUse(key, model, "prepared", claim, len(parts), tuple(parts))
    return DeviceUse(key, model, unheld)
