"""A node without a kubelet plugin, as those see it who publish what it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.fault.offer import listed_devices, present_node
from fake_dra_driver.driver.profile.mocknode import MockNode

__all__ = ["SimulatedNode"]


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """What a node has at a moment."""

    name: str
    uid: UID
    """Of the Node, which owns what is published of it."""
    mock: MockNode | None
    """As its profile has it, the devices that a fault has made vanish included; in classic DRA without those that are
    parts of others. None: that is not known, because its profile could not be used in the time that this program has
    run; what is published of the node stays as it is."""
    effects: FaultEffects
    """What is wrong with the devices, as the mode of DRA has it."""
    problem: str = ""
    """Why the profile that is for the node is not in force; empty where it is."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """What the node's NodeAllocationState says of its driver and its profile; an empty text removes one."""

    @property
    def present(self) -> MockNode | None:
        """``mock`` without the devices that have vanished."""
        return None if self.mock is None else present_node(self.mock, self.effects)

    @property
    def devices(self) -> Sequence[Device]:
        """Those that are there, as classic DRA and the node's NodeAllocationState have them."""
        present = self.present
        return () if present is None else listed_devices(present)
