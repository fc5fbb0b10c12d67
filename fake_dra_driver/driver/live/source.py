"""The seam between what a node has at each moment, and those who serve it."""

from collections.abc import Callable
from typing import Protocol

from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.profile.mocknode import MockNode

__all__ = ["MockNodeSource"]


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

    def subscribe(self, changed: Callable[[], None]) -> None:
        """``changed`` is called, in the event loop, after each change of either. It must not raise."""
        ...
