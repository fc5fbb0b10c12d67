"""The seam between what a node has at each moment, and those who serve it."""

from collections.abc import Callable
from typing import Protocol

from typing_extensions import override

from fake_dra_driver.driver.fault.effects import NO_FAULTS, FaultEffects
from fake_dra_driver.driver.profile.mocknode import MockNode

__all__ = ["MockNodeSource", "SteadyNode"]


class MockNodeSource(Protocol):
    """The devices of one node. What is asked at one time is answered for that time."""

    @property
    def current(self) -> MockNode:
        """As the profile has it, the devices that a fault has made vanish included."""
        ...

    @property
    def effects(self) -> FaultEffects:
        """What is wrong with them."""
        ...

    def leave_out_parts(self) -> None:
        """Devices that are parts of others cannot be offered, nor listed, until the node has other devices."""
        ...

    def subscribe(self, changed: Callable[[], None]) -> None:
        """``changed`` is called, in the event loop, after each change of either. It must not raise."""
        ...


class SteadyNode(MockNodeSource):
    """A node whose devices never change.

    Args:
        node: what it has.
        effects: what is wrong with them.
    """

    def __init__(self, node: MockNode, effects: FaultEffects = NO_FAULTS) -> None:
        self._node = node
        self._effects = effects

    @property
    @override
    def current(self) -> MockNode:
        return self._node

    @property
    @override
    def effects(self) -> FaultEffects:
        return self._effects

    @override
    def leave_out_parts(self) -> None:
        return

    @override
    def subscribe(self, changed: Callable[[], None]) -> None:
        return
