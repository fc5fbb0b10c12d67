"""Which devices of a node a CEL expression means. Pure, and remembered: what is published of a device never changes.

An expression is evaluated for each device once, however often faults are looked at, and has one budget for all devices
of a node: a claim's selector may cost as much for a few of them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from typing_extensions import override

from fake_dra_driver.driver.profile.mocknode import MockNode

__all__ = ["Selection", "select_devices"]

_MAX_NODE_COST: Final = 2_000_000
"""Most steps that an expression may take for all devices of a node, in a few seconds. For one it may take half."""
_REMEMBERED: Final = 256
"""Expressions on nodes. A plugin has one node, a controller looks at those where claims wait for their bindings."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The devices for which an expression is true."""

    names: frozenset[str] = frozenset()
    failures: tuple[tuple[str, str], ...] = ()
    """Name of each device for which it cannot be evaluated, and why."""
    problem: str = ""
    """Why the expression means no device at all."""


def select_devices(expression: str, driver: str, node: MockNode) -> Selection:
    """The devices of a driver's node that an expression means. May run in any thread."""
    return _selected(expression, driver, _Same(node))


class _Same:
    """A node that equals itself alone: to compare all of its devices would cost as much as to select them."""

    __slots__ = ("node",)

    def __init__(self, node: MockNode) -> None:
        self.node = node

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.node is other.node

    @override
    def __hash__(self) -> int:
        return id(self.node)


@lru_cache(maxsize=_REMEMBERED)
def _selected(expression: str, driver: str, same: _Same) -> Selection:
    # A node in classic DRA pays for expressions only where there is one.
    from fake_dra_driver.dra.structured import DeviceSelector, DeviceSelectorError

    try:
        selector = DeviceSelector(expression)
    except DeviceSelectorError as error:
        return Selection(problem=f"spec.target.cel: {error}")
    devices = same.node.devices
    names, failures, costs = [], [], list[int]()
    for device in devices:
        try:
            if selector.matches(driver, device.published, costs.append):
                names.append(device.name)
        except DeviceSelectorError as error:
            failures.append((device.name, str(error)))
        if sum(costs) > _MAX_NODE_COST:
            return Selection(problem=f"spec.target.cel costs too much for {len(devices)} devices")
    return Selection(frozenset(names), tuple(failures))
