"""What an Event says when no node can take a claim: what each node has, and what to wait for or to change. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.classic.driver import Unsuitable
from fake_dra_driver.naturalorder import natural_order

__all__ = [
    "Hopes",
    "Supply",
    "advise_on_numbers",
    "advise_to_open",
    "advise_to_wait",
    "count_devices",
    "describe_supplies",
    "list_names",
    "list_nodes",
]

MAX_REASONS: Final = 4
"""How many reasons an Event lists; the nodes with another one are counted."""
MAX_NAMES: Final = 3
"""How many nodes, or claims, an Event lists by name in one place; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hopes:
    """Where the devices that claims wait for may come from."""

    namespace: str
    """Of the claims that wait."""
    closed: Sequence[str]
    """Nodes that have as many, and take no claims at present."""
    in_use: Sequence[str]
    """Nodes that have as many, and have given them to other claims."""
    holders: Sequence[NamespacedName]
    """Those claims."""
    fewer_are_free: bool
    """Whether a node of ``in_use`` has any device left."""
    less_is_left: bool = False
    """Whether one has something left of a device that claims share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a node has of what one request asks for."""

    wanted: int
    free: int
    """Devices that could serve the request, and that no claim has."""
    matching: int
    """Devices that could serve it, if no claim had them."""
    is_selective: bool
    """Whether the request asks for some devices only."""


def describe_supplies(supplies: Sequence[Supply], free: int, devices: int) -> str:
    """What a node has of what the claims of a pod ask for, where that is too little.

    Args:
        supplies: for each of the requests.
        free: how many devices no claim has.
        devices: how many there are.
    """
    if not devices:
        return "no devices"
    parts = [_free_of(supply) for supply in supplies if supply.free < supply.wanted]
    if parts:
        return ", ".join(dict.fromkeys(parts))
    return f"{free} of {count_devices(devices)} free, too few for all claims of the pod together"


def count_devices(count: int, name: str = "device") -> str:
    """Such as ``2 devices``."""
    return f"{count} {name}{'' if count == 1 else 's'}"


def advise_on_numbers(wanted: Sequence[int], most: Sequence[int]) -> str:
    """What to do where there are devices of each sort that is asked for, and too few of them on each node.

    Args:
        wanted: by request: how many.
        most: by request: how many that could serve it the best node has.
    """
    for asked, there in zip(wanted, most, strict=True):
        if there < asked:
            return f"no node has more than {there}: ask for {there} at most, or add nodes that have more"
    return "nodes have enough for each claim of the pod, but none for all of them: ask for fewer, or add nodes"


def list_nodes(unsuitable: Mapping[str, Unsuitable]) -> str:
    """The nodes by why they cannot take the claims; those first that only have too few devices."""
    nodes: dict[Unsuitable, list[str]] = {}
    for node in sorted(unsuitable, key=natural_order):
        nodes.setdefault(unsuitable[node], []).append(node)
    reasons = sorted(nodes, key=lambda reason: reason.is_closed)
    listed = [f"{list_names(nodes[reason])}: {reason.reason}" for reason in reasons[:MAX_REASONS]]
    if left := sum(len(nodes[reason]) for reason in reasons[MAX_REASONS:]):
        listed.append(f"and {left} more")
    return "; ".join(listed)


def advise_to_wait(hopes: Hopes) -> str:
    """What to do where nodes have what the claims ask for, and cannot give it now."""
    events, remedies = list[str](), list[str]()
    if hopes.in_use:
        events.append(f"devices become free{_held_by(hopes.holders, hopes.namespace)}")
    if hopes.closed:
        events.append(f"{list_names(hopes.closed, 'or')} can be used")
    remedies.append(f"wait until {' or '.join(events)}")
    if hopes.fewer_are_free:
        remedies.append("ask for fewer")
    elif hopes.less_is_left:
        remedies.append("ask for less")
    return f"{', '.join(remedies)}, or add nodes"


def advise_to_open(able: Mapping[str, str | None]) -> str:
    """What to do where only nodes that the scheduler does not offer for the pod have what the claims ask for.

    Args:
        able: why they cannot be used, as far as that is known.
    """
    first = min(able, key=natural_order)
    them, have = ("it", "has") if len(able) == 1 else ("them", "have")
    why = able[first] or "the pod's other Events say why"
    return (
        f"{list_names(list(able))} {have} what is asked for, and the scheduler does not offer {them} for the pod: {why}"
    )


def list_names(names: Sequence[str], conjunction: str = "and") -> str:
    """Such as ``worker, worker2, worker3 and 5 more``."""
    ordered = sorted(names, key=natural_order)
    shown = ordered[:MAX_NAMES]
    if len(ordered) > MAX_NAMES:
        shown.append(f"{len(ordered) - MAX_NAMES} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {conjunction} {shown[-1]}"


def _free_of(supply: Supply) -> str:
    if not supply.is_selective:
        return f"{supply.free} of {count_devices(supply.matching)} free"
    if not supply.matching:
        return "no matching device"
    return f"{supply.free} of {count_devices(supply.matching, 'matching device')} free"


def _held_by(holders: Sequence[NamespacedName], namespace: str) -> str:
    """Names only claims of the reader's namespace: an Event must not tell what there is in others."""
    own = [key.name for key in holders if key.namespace == namespace]
    others = len(holders) - len(own)
    if not holders:
        return ""
    if not own:
        return f" (held by {others} claim{'s' if others > 1 else ''} of other namespaces)"
    also = f", and by {others} of other namespaces" if others else ""
    return f" (held by {list_names(own)}{also})"
