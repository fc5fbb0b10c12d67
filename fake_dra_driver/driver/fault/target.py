"""Which devices of a node a DeviceFault means. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from fake_dra_driver.api.devicefault import FaultTarget
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode

if TYPE_CHECKING:
    from fake_dra_driver.dra.structured import DeviceSelector

__all__ = ["Found", "Holders", "Place", "find_devices", "is_about_node"]

Holders = Mapping[str, Collection[NamespacedName]]
"""By name of the device: the claims that it is prepared for, or, where only that is known, allocated to."""

_REMEMBERED_EXPRESSIONS: Final = 128


@dataclass(frozen=True, slots=True)
class Place:
    """A node that faults may hit."""

    node: MockNode
    driver: str
    """Whose devices these are."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the Node."""
    holders: Holders = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a target is on a node."""

    devices: tuple[str, ...]
    """In the order of the node's devices."""
    any_claim: tuple[str, ...]
    """The same, for whichever claim: what a claim might get, before it is prepared."""
    problem: str = ""
    """Why devices are left out that may have been meant, for people."""


def is_about_node(target: FaultTarget, place: Place) -> bool:
    """Whether the node is one of those that are meant."""
    return _is_like(place.node.node, target.nodes) and (
        target.node_selector is None or target.node_selector.matches(place.labels)
    )


def find_devices(target: FaultTarget, place: Place) -> Found:
    """The devices of a node that are meant; whether the node is, is not asked. Those that have vanished are, too."""
    named = [device for device in place.node.devices if _is_named(device, target)]
    selected, problem = _selected(named, target.cel, place)
    any_claim = tuple(device.name for device in selected)
    if target.claim is not None:
        claim = NamespacedName(target.claim.namespace, target.claim.name)
        selected = [device for device in selected if claim in place.holders.get(device.name, ())]
    return Found(_counted([device.name for device in selected], target, place), any_claim, problem)


def _is_named(device: MockDevice, target: FaultTarget) -> bool:
    # What happens to a device happens to its partitions.
    names = [device.name, device.device.uuid, *([device.parent] if device.parent else ())]
    return any(_is_like(name, target.devices) for name in names) and _is_like(device.device.model, target.models)


def _is_like(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _selected(devices: Sequence[MockDevice], expression: str | None, place: Place) -> tuple[list[MockDevice], str]:
    if expression is None:
        return list(devices), ""
    # A node in classic DRA pays for expressions only where there is one.
    from fake_dra_driver.dra.structured import DeviceSelectorError

    try:
        selector = _compiled(expression)
    except DeviceSelectorError as error:
        return [], f"spec.target.cel: {error}"
    found, problems = [], []
    for device in devices:
        try:
            if selector.matches(place.driver, device.published):
                found.append(device)
        except DeviceSelectorError as error:
            problems.append(f"{device.name}: {error}")
    others = f", and {len(problems) - 1} others" if len(problems) > 1 else ""
    return found, f"spec.target.cel fails for {problems[0]}{others}" if problems else ""


@lru_cache(maxsize=_REMEMBERED_EXPRESSIONS)
def _compiled(expression: str) -> "DeviceSelector":
    from fake_dra_driver.dra.structured import DeviceSelector

    return DeviceSelector(expression)


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
