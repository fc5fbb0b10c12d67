"""The door of this package: what is known of a cluster, and decisions about the claims of a pod.

Follows k8s.io/dynamic-resource-allocation/structured. Knows no clock, and no randomness: share IDs come from outside.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.decision import Allocation, Refusal
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1 import AllocationResult, DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice

__all__ = ["DEFAULT_MAX_STEPS", "Allocator"]

DEFAULT_MAX_STEPS: Final = 200_000
"""Candidates that a search may look at: a second or so. A real scheduler's limit is 10 s (DynamicResourcesArgs)."""


class Allocator:
    """Decides as kube-scheduler does.

    It is told what there is, in full (``replace``) or change by change, and keeps what it has worked out as long as
    that holds: compiled selectors, which devices they match, which nodes see which pools. Not thread-safe.
    """

    def __init__(self, behaviour: Behaviour, *, new_share_id: Callable[[], str]) -> None:
        """Knows of nothing yet.

        Args:
            behaviour: that of the release.
            new_share_id: makes the UUID for a share of a device that several claims may have.
        """
        self.behaviour = behaviour
        self._new_share_id = new_share_id

    # --- What there is -------------------------------------------------------------------------------------------

    def replace(
        self,
        *,
        slices: Iterable[ResourceSlice] = (),
        classes: Iterable[DeviceClass] = (),
        claims: Iterable[ResourceClaim] = (),
        taint_rules: Iterable[DeviceTaintRule] = (),
    ) -> None:
        """Takes these for all there is. What is the same object as before costs next to nothing."""

    def put_slice(self, resource_slice: ResourceSlice) -> None:
        """A slice was added or changed."""

    def drop_slice(self, name: str) -> None:
        """A slice was deleted; nothing happens if it is not known."""

    def put_class(self, device_class: DeviceClass) -> None:
        """A class was added or changed."""

    def drop_class(self, name: str) -> None:
        """A class was deleted; nothing happens if it is not known."""

    def put_taint_rule(self, rule: DeviceTaintRule) -> None:
        """A rule was added or changed."""

    def drop_taint_rule(self, name: str) -> None:
        """A rule was deleted; nothing happens if it is not known."""

    def put_claim(self, claim: ResourceClaim) -> None:
        """A claim was added or changed. Its devices are in use if it is allocated."""

    def drop_claim(self, claim: ResourceClaim) -> None:
        """A claim was deleted; nothing happens if it is not known."""

    def assume(self, claim: ResourceClaim, allocation: AllocationResult) -> None:
        """The scheduler has decided so, and is about to write it: the devices are in use until ``forget``.

        It counts instead of what ``put_claim`` says about this claim, which may be older.
        """

    def forget(self, claim: ResourceClaim) -> None:
        """Ends ``assume``; what ``put_claim`` said last counts again. Nothing happens if nothing was assumed."""

    # --- Decisions -----------------------------------------------------------------------------------------------

    def allocate(
        self, claims: Sequence[ResourceClaim], node: Node, *, max_steps: int = DEFAULT_MAX_STEPS
    ) -> Allocation | Refusal:
        """Chooses devices on the node for all these claims together, none of which is allocated.

        Args:
            claims: of one pod, in the order in which the pod has them; what is to be written for extended resources
                comes last.
            node: its labels count, and its name.
            max_steps: the most candidates to look at.

        Raises:
            AllocationError: the claims cannot be handled; the cycle of the pod ends, whatever other nodes have.
        """
        raise NotImplementedError
