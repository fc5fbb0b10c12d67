"""Which devices of a node a DeviceFault means. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256

from fake_dra_driver.api.devicefault import FaultTarget
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.driver.fault.selection import select_devices
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode

__all__ = ["Found", "Holders", "Place", "find_devices", "is_about_node"]

Holders = Mapping[str, Collection[NamespacedName]]
"""By name of the device: the claims that it is prepared for, or, where only that is known, allocated to."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node that faults may hit."""

    node: MockNode
    driver: str
    """Whose devices these are."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the Node."""
    holders: Holders = field(default_factory=dict)
    callers: Holders = field(default_factory=dict)
    """The claims that are about to be prepared, as far as faults about their calls have met them."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a target is on a node."""

    devices: tuple[str, ...]
    """In the order of the node's devices."""
    any_claim: tuple[str, ...]
    """The same, for whichever claim: what a claim might get, before it is prepared."""
    called: tuple[str, ...] = ()
    """Those of a claim that is about to be prepared."""
    problem: str = ""
    """Why devices are left out that may have been meant, for people."""


def is_about_node(target: FaultTarget, node: str, labels: Mapping[str, str]) -> bool:
    """Whether the node of that name, with these labels, is one of those that are meant."""
    return _is_like(node, target.nodes) and (target.node_selector is None or target.node_selector.matches(labels))


def find_devices(target: FaultTarget, place: Place) -> Found:
    """The devices of a node that are meant; whether the node is, is not asked. Those that have vanished are, too."""
    named = [device for device in place.node.devices if _is_named(device, target)]
    selected, problem = _selected(named, target.cel, place)
    any_claim = tuple(device.name for device in selected)
    called: tuple[str, ...] = ()
    if target.claim is not None:
        claim = NamespacedName(target.claim.namespace, target.claim.name)
        called = tuple(name for name in any_claim if claim in place.callers.get(name, ()))
        selected = [device for device in selected if claim in place.holders.get(device.name, ())]
    return Found(_counted([device.name for device in selected], target, place), any_claim, called, problem)


def _is_named(device: MockDevice, target: FaultTarget) -> bool:
    # What happens to a device happens to its partitions.
    names = [device.name, device.device.uuid, *([device.parent] if device.parent else ())]
    return any(_is_like(name, target.devices) for name in names) and _is_like(device.device.model, target.models)


def _is_like(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _selected(devices: Sequence[MockDevice], expression: str | None, place: Place) -> tuple[list[MockDevice], str]:
    if expression is None:
        return list(devices), ""
    selection = select_devices(expression, place.driver, place.node)
    if selection.problem:
        return [], selection.problem
    named = {device.name for device in devices}
    failures = [f"{name}: {why}" for name, why in selection.failures if name in named]
    others = f", and {len(failures) - 1} others" if len(failures) > 1 else ""
    problem = f"spec.target.cel fails for {failures[0]}{others}" if failures else ""
    return [device for device in devices if device.name in selection.names], problem


def _counted(names: Sequence[str], target: FaultTarget, place: Place) -> tuple[str, ...]:
    if target.count is None or target.count >= len(names):
        return tuple(names)
    if target.seed is None:
        return tuple(names[: target.count])
    chosen = set(_drawn(names, target.seed, place.node.node)[: target.count])
    return tuple(name for name in names if name in chosen)


def _drawn(names: Iterable[str], seed: int, node: str) -> Sequence[str]:
    """In an order of which each name's place depends on nothing but names: another device more moves none of them."""
    return sorted(names, key=lambda name: sha256(f"{seed}/{node}/{name}".encode()).digest())
