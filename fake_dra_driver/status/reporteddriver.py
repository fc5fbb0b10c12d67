"""Whose devices are reported: the seam between what is shown of any driver and what is known of a certain one."""

from typing import Any, Protocol

from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.layout import EntryT, NodeStateLayout, StateT
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.status.claimsource import ClaimSource
from fake_dra_driver.status.nodes import Nodes

__all__ = ["ReportedDriver"]


class ReportedDriver(Protocol[StateT, EntryT]):
    """What ``status`` knows of a driver."""

    names: DriverNames
    layout: NodeStateLayout[StateT, Any, EntryT, Any]
    """Of its NodeAllocationState objects."""
    has_faults: bool
    """Whether there may be DeviceFaults for its devices."""

    def includes(self, state: StateT) -> bool:  # noqa: ARG002 - a default
        """Whether a NodeAllocationState is one of this driver, and not of another that has the same kind."""
        return True

    def profile_of(self, state: StateT) -> str:  # noqa: ARG002 - a default
        """Which profile describes the node's devices, and why it is that one; empty where none does."""
        return ""

    def profile_problem_of(self, state: StateT) -> str:  # noqa: ARG002 - a default
        """Why that is not the latest state of its profile; empty where it is."""
        return ""

    def classic_claims(
        self, cache: Cache, states: Informer[StateT], client: Client, namespace: str, nodes: Nodes
    ) -> ClaimSource[StateT, EntryT]:
        """Claims in classic DRA, as far as it is known how the driver judges them.

        Args:
            cache: gives informers.
            states: the NodeAllocationState objects.
            client: not used to read; code that can also write wants one.
            namespace: of the objects; empty when there are none.
            nodes: which nodes can run pods.
        """
        ...

    def structured_claims(self, cache: Cache, api: ResourceApi) -> ClaimSource[StateT, EntryT]:
        """Claims in structured DRA, in the version that the cluster serves."""
        ...
