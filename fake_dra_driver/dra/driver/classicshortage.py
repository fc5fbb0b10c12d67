"""What people are told when nodes have too little of what a claim asks for, whatever the devices are. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from fake_dra_driver.api.fieldproblem import shown
from fake_dra_driver.dra.classic.driver import NodeDevices
from fake_dra_driver.dra.classic.shortage import (
    Supply,
    advise_on_numbers,
    count_devices,
    describe_supplies,
    list_names,
)
from fake_dra_driver.dra.driver.config import DeviceConfig

__all__ = ["RequestSupply", "advise", "describe_request", "describe_supply"]

MAX_FIELDS: Final = 4
"""How many fields of a claim's configuration a message repeats."""
MAX_REMAINS: Final = 3
"""Of how many devices a message says what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSupply(Supply):
    """What a node has of what one request asks for, and what went wrong when it was looked for."""

    fitting: int
    """Devices that fit its configuration, whether or not their capacity is large enough."""
    remains: Sequence[str] = ()
    """What is left of those devices that claims share, where it is too little."""
    faults: Sequence[str] = ()
    """What the driver's own code did wrong, with the name of the method."""


def describe_request(count: int, config: DeviceConfig) -> str:
    """What a claim asks for, after "asked for"."""
    fields = [f"{name} {shown(value)}" for name, value in config.to_wire().items()]
    if not fields:
        return count_devices(count)
    if len(fields) > MAX_FIELDS:
        fields = [*fields[: MAX_FIELDS - 1], f"{len(fields) - MAX_FIELDS + 1} more"]
    *most, last = fields
    return f"{count_devices(count)} with {', '.join(most)}{' and ' if most else ''}{last}"


def describe_supply(node: NodeDevices[Any], supplies: Sequence[RequestSupply], free: Sequence[object]) -> str:
    """What a node has of what the claims of a pod ask for, where that is too little."""
    there = describe_supplies(supplies, len(free), len(node.devices)) if node.devices or not node.withheld else ""
    remains = list(dict.fromkeys(chain.from_iterable(supply.remains for supply in supplies)))
    if len(remains) > MAX_REMAINS:
        remains = [*remains[: MAX_REMAINS - 1], f"{len(remains) - MAX_REMAINS + 1} more have too little left as well"]
    faults = list(dict.fromkeys(chain.from_iterable(supply.faults for supply in supplies)))
    return "; ".join(filter(None, [there, *remains, _describe_withheld(node.withheld), *faults[:1]]))


def advise(supplies: Sequence[Sequence[RequestSupply]], nodes: Sequence[NodeDevices[Any]], kind: str) -> str:
    """What to do about requests that no node can serve, whatever other claims hold.

    Args:
        supplies: by request, and by node: what there is when no claim holds anything.
        nodes: what they have.
        kind: of the parameters in which a claim says what it asks for.
    """
    faults = [fault for each in chain.from_iterable(supplies) for fault in each.faults]
    if faults:
        return f"{faults[0]}: correct the driver"
    withheld = dict(chain.from_iterable(node.withheld.items() for node in nodes))
    if not any(node.devices for node in nodes):
        if withheld:
            return f"no device can be used, {_describe_withheld(withheld)}: repair them, or add nodes"
        return "no node has devices: the logs of the kubelet plugins say which they have found"
    or_repair = f"; {_describe_withheld(withheld)}" if withheld else ""
    for request in supplies:
        if not any(supply.fitting for supply in request):
            return f"no device fits that: correct the claim's {kind}, or add nodes that have such devices{or_repair}"
        if not any(supply.matching for supply in request):
            return f"no device has as much capacity: ask for less in the claim's {kind}, or add nodes{or_repair}"
    most = [max(supply.matching for supply in request) for request in supplies]
    return advise_on_numbers([request[0].wanted for request in supplies], most) + or_repair


def _describe_withheld(withheld: Mapping[Any, str]) -> str:
    if not withheld:
        return ""
    if len(withheld) == 1:
        [(name, why)] = withheld.items()
        return f"{name} is {why}"
    return f"{list_names([str(name) for name in withheld])} are not healthy or tainted"
