"""What a node has at this moment, while profiles, labels and faults change."""

from collections.abc import Callable, Sequence

from typing_extensions import override

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra import Reason
from fake_dra_driver.driver.fault.effects import NO_FAULTS, FaultEffects
from fake_dra_driver.driver.fault.offer import listed_devices, present_node
from fake_dra_driver.driver.live.source import MockNodeSource
from fake_dra_driver.driver.profile.mocknode import MockNode

__all__ = ["LiveNode"]


class LiveNode(MockNodeSource):
    """Is told what the node has, and tells those who serve it.

    Args:
        node: what it has until something else is found out.
    """

    def __init__(self, node: MockNode) -> None:
        self._current = node
        self._effects = NO_FAULTS
        self._is_classic = False
        self._has_parts = True
        """Whether devices that are parts of others can be offered."""
        self._subscribers: list[Callable[[], None]] = []
        self._report: Callable[[Reason, str], None] | None = None

    @property
    @override
    def current(self) -> MockNode:
        return self._current

    @property
    @override
    def effects(self) -> FaultEffects:
        return self._effects

    @property
    def devices(self) -> Sequence[Device]:
        """Those that are there, as classic DRA and the node's NodeAllocationState have them."""
        return listed_devices(self.present)

    @property
    def present(self) -> MockNode:
        """What is there: without the devices that a fault has made vanish, or that the mode of DRA cannot have."""
        return present_node(self._current, self._effects, with_parts=self._has_parts)

    def serve_classic(self) -> None:
        """Parts of devices are never there: without counters a device would be allocated together with its parts."""
        self._is_classic, self._has_parts = True, False

    @override
    def leave_out_parts(self) -> None:
        if self._has_parts:
            self._has_parts = False
            self.changed()

    @override
    def subscribe(self, changed: Callable[[], None]) -> None:
        self._subscribers.append(changed)

    def take(self, node: MockNode) -> None:
        """From now on the node has this. Tells nothing where it has it already."""
        if node != self._current:
            self._current = node
            self._has_parts = not self._is_classic
            self.changed()

    def apply(self, effects: FaultEffects) -> None:
        """From now on this is wrong with the node. Tells nothing where it was so already."""
        if effects != self._effects:
            self._effects = effects
            self.changed()

    def changed(self) -> None:
        """Tells those who have subscribed to look."""
        for tell in self._subscribers:
            tell()

    def report_to(self, tell: Callable[[Reason, str], None]) -> None:
        """``tell`` writes Events about the node."""
        self._report = tell

    def tell(self, reason: Reason, message: str) -> None:
        """Tells people something about the node, with an Event."""
        if self._report is not None:
            self._report(reason, message)
