"""Why a DeviceFault means none of the devices that there are: which field, what it says, and what there is. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from fake_dra_driver.api.devicefault import DeviceFaultSpec, FaultTarget
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.profile.fakes import device_name

__all__ = ["KnownNode", "is_about_calls", "why_nothing_matches"]

_MAX_LISTED: Final = 6
"""How many of what there is a message lists; the rest are counted."""


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A node of the driver, as its NodeAllocationState shows it."""

    name: str
    devices: Sequence[Device]
    labels: Mapping[str, str] = field(default_factory=dict)


def why_nothing_matches(target: FaultTarget, driver: str, nodes: Sequence[KnownNode]) -> str:
    """What keeps the target from all devices, told by the first field that leaves nothing of them."""
    if not nodes:
        return f"driver {driver} has no nodes yet"
    left = [node for node in nodes if _is_like(node.name, target.nodes)]
    if not left:
        return f"spec.target.nodes: {_none('node', target.nodes, (node.name for node in nodes))}"
    selector = target.node_selector
    if selector is not None:
        left = [node for node in left if selector.matches(node.labels)]
        if not left:
            which = " that nodes names" if target.nodes else f" of driver {driver}"
            return f"spec.target.nodeSelector: no node{which} has these labels"
    devices = [(device, _name_of(device, place)) for node in left for place, device in enumerate(node.devices)]
    if not devices:
        return f"{_listed(node.name for node in left)}: no devices"
    named = [
        device for device, name in devices if _is_like(name, target.devices) or _is_like(device.uuid, target.devices)
    ]
    if not named:
        return f"spec.target.devices: {_none('device', target.devices, (name for _, name in devices))}"
    if not any(_is_like(device.model, target.models) for device in named):
        return f"spec.target.models: {_none('model', target.models, (device.model for device in named))}"
    if target.claim is not None:
        claim = f"{target.claim.namespace}/{target.claim.name}"
        return f"spec.target.claim: none of these devices is prepared for claim {claim}"
    if target.cel is not None:
        return "spec.target.cel: it is true of none of these devices"
    return "no node has said yet that it is hit: is the driver's kubelet plugin running?"


def is_about_calls(spec: DeviceFaultSpec) -> bool:
    """Whether the fault waits for calls for one claim, which may not be there yet."""
    effects = spec.effects
    return spec.target.claim is not None and (effects.prepare is not None or effects.unprepare is not None)


def _name_of(device: Device, place: int) -> str:
    """The name in ResourceSlices: a NodeAllocationState leaves out that of the default profile's devices."""
    return device.name or device_name(place)


def _is_like(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _none(what: str, wanted: Iterable[str], there: Iterable[str]) -> str:
    return f"no {what} is like {_listed(wanted)}; there are {_listed(there)}"


def _listed(names: Iterable[str]) -> str:
    found = sorted(set(names))
    more = len(found) - _MAX_LISTED
    return ", ".join(found[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
