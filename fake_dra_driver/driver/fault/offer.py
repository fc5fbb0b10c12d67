"""What a node offers at a moment: the devices of its profile, as far as faults leave them, with their taints. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.profile.fakes import device_name
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode

if TYPE_CHECKING:
    from fake_dra_driver.api.resource import v1

__all__ = ["listed_devices", "offered_devices", "present_node"]

_EFFECTS: Final = ("NoExecute", "NoSchedule", "None")
"""Of taints, the worst first."""


def present_node(node: MockNode, effects: FaultEffects, *, with_parts: bool = True) -> MockNode:
    """The node without the devices that a fault has made vanish.

    Args:
        node: as its profile has it.
        effects: what is wrong with it.
        with_parts: whether devices that are parts of others can be there. In classic DRA, which knows no counters, a
            device would be allocated together with its parts.
    """
    vanished = effects.vanished
    if not vanished and with_parts:
        return node
    left = (each for each in node.devices if each.name not in vanished and (with_parts or not each.parent))
    return replace(node, devices=tuple(left))


def listed_devices(node: MockNode) -> tuple[Device, ...]:
    """The devices as classic DRA and the node's NodeAllocationState have them."""
    return tuple(_listed(place, device) for place, device in enumerate(node.devices))


def offered_devices(node: MockNode, effects: FaultEffects, *, with_counters: bool = True) -> "Sequence[v1.Device]":
    """The devices as ResourceSlices have them.

    Args:
        node: as its profile has it.
        effects: what is wrong with it.
        with_counters: whether the API server keeps what devices use up in common. Where it does not, devices that are
            parts of others are left out, or the scheduler would give away a device together with its parts.
    """
    if effects.slices_lost:
        return ()
    present = present_node(node, effects, with_parts=with_counters).devices
    tainted = (
        [_tainted(device, effects) for device in present] if effects.taints else [each.published for each in present]
    )
    return tainted if with_counters else [_uncounted(device) for device in tainted]


def _listed(place: int, device: MockDevice) -> Device:
    """With its name in ResourceSlices, unless its place says it: another device may have vanished before it."""
    return device.device if device.name == device_name(place) else replace(device.device, name=device.name)


def _tainted(device: MockDevice, effects: FaultEffects) -> "v1.Device":
    faults = effects.taints.get(device.name, ())
    if not faults:
        return device.published
    # In classic DRA a node does without what structured DRA needs.
    from fake_dra_driver.dra.structured import MAX_TAINTS

    # One key stands once with an effect, and with too many taints an API server refuses the whole slice.
    taints = {(taint.key, taint.effect): taint for taint in (*device.published.taints, *faults)}
    worst_first = sorted(taints.values(), key=lambda taint: _EFFECTS.index(taint.effect))
    kept = worst_first[:MAX_TAINTS]
    return device.published.model_copy(update={"taints": tuple(taint for taint in taints.values() if taint in kept)})


def _uncounted(device: "v1.Device") -> "v1.Device":
    """The device without what it takes from counters that are not kept."""
    if not device.consumes_counters:
        return device
    fields = device.model_fields_set - {"consumes_counters"}
    return type(device)(**{name: getattr(device, name) for name in fields})
