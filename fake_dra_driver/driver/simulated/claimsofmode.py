"""What either mode of DRA has to say about the claims of simulated nodes."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.dra import NodeClaim
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.mocknode import MockNode

__all__ = ["ClaimInUse", "ClaimsOfMode", "NodeClaims", "UsedT"]


class ClaimInUse(Protocol):
    """A claim that is allocated on a node, and that a pod may use. What else there is to it, its mode knows."""

    @property
    def identity(self) -> NodeClaim:
        """The claim, as a kubelet names it."""
        ...

    @property
    def holding(self) -> object:
        """What it was allocated, with its configuration: equal as long as it is the same allocation."""
        ...


UsedT = TypeVar("UsedT", bound=ClaimInUse)
AnyUsedT = TypeVar("AnyUsedT", bound=ClaimInUse, contravariant=True)


class NodeClaims(Protocol[AnyUsedT]):
    """The claims of one node, for one look at it."""

    def devices(self, used: AnyUsedT) -> Sequence[FakePreparedDevice]:
        """What a claim gets that is not prepared.

        Raises:
            PrepareError: it cannot get anything, or not what its configuration says.
        """
        ...

    def report(self, used: AnyUsedT, prepared: FakePreparedClaim) -> None:
        """Has the claim say what it has; costs nothing where it says so already. Returns at once."""
        ...


class ClaimsOfMode(Protocol[UsedT]):
    """What the caches of a mode of DRA have of claims."""

    kind: ResourceKind
    """Of claims."""

    def in_use(self, state: NodeAllocationState) -> Sequence[UsedT]:
        """The claims that are to be prepared on a node."""
        ...

    def is_current(self, used: UsedT, prepared: FakePreparedClaim) -> bool:
        """Whether a claim is prepared with what it holds now: it may have been deallocated, and allocated again.

        Asked of what was restored, of which it is not known what it held.
        """
        ...

    def restored(self, used: UsedT, state: NodeAllocationState) -> Sequence[FakePreparedDevice]:
        """What a claim that the node's object lists as prepared has got; nothing where that cannot be told."""
        ...

    def on_node(
        self, mock: MockNode, effects: FaultEffects, prepared: Mapping[str, FakePreparedClaim]
    ) -> NodeClaims[UsedT]:
        """The claims of a node.

        Args:
            mock: its devices, as ``SimulatedNode.mock``.
            effects: what is wrong with them.
            prepared: by UID, what is prepared there.
        """
        ...

    def withdraw(self, prepared: FakePreparedClaim) -> None:
        """The claim is not prepared any more: what it says of its devices is to go. Returns at once."""
        ...

    def withdraw_unused(self, state: NodeAllocationState) -> None:
        """The same of all claims of a node that no pod may use; an earlier process may not have come to it."""
        ...

    def forget(self, node: str) -> None:
        """Another speaks for the node, or it is gone: from now on claims say nothing by this of its devices."""
        ...
