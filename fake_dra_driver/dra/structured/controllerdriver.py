"""The controller's seam of a driver in structured DRA: what is shown of what the scheduler allocates, and checked."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.dra.nodestate.layout import NodeStateLayout
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.configcheck import ConfigCheck
from fake_dra_driver.dra.structured.waiting import DriverClaims

__all__ = ["EntryMaker", "StructuredDriver"]

StateT = TypeVar("StateT", bound=KubeObject)
DeviceT = TypeVar("DeviceT")
EntryT = TypeVar("EntryT")

EntryMaker = Callable[[AllocatedClaim], EntryT]
"""Shows what a claim holds of a node; devices that it has with adminAccess are left out."""


class StructuredDriver(Protocol[StateT, DeviceT, EntryT]):
    """What the controller asks about the devices of a driver, and about the parameters of its claims. Pure."""

    check: ConfigCheck
    """Finds what is wrong with the parameters of a claim or a class."""
    claims: DriverClaims
    """Which claims and classes are about the driver's devices."""
    layout: NodeStateLayout[StateT, DeviceT, EntryT, Any]
    """How the objects of nodes show what claims hold."""

    def entry_maker(self, inventory: Sequence[DeviceT]) -> EntryMaker[EntryT]:
        """Shows what claims hold of a node, whether or not their parameters can be used.

        Args:
            inventory: the devices of the node. One that is not there is shown by the name that the claim has for it.
        """
        ...

    def check_allocation(self, allocated: AllocatedClaim, inventory: Sequence[DeviceT]) -> None:
        """Compares the parameters of a claim with what it was allocated on a node with these devices.

        Raises:
            ConfigError: they do not suit it.
            PrepareError: that cannot be told.
        """
        ...
