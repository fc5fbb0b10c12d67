"""The door of this package: what is known of a cluster, and decisions about the claims of a pod.

Follows k8s.io/dynamic-resource-allocation/structured. Knows no clock, and no randomness: share IDs come from outside.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Final

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.decision import CANNOT_ALLOCATE, INVALID_POOLS, Allocation, Refusal, score_of
from fake_dra_driver.allocation.identity import identity_of
from fake_dra_driver.allocation.pools import NodeView, PoolIndex
from fake_dra_driver.allocation.requests import Plan, read_claims
from fake_dra_driver.allocation.results import allocation_of
from fake_dra_driver.allocation.search import Search
from fake_dra_driver.allocation.selectorcache import SelectorCache
from fake_dra_driver.allocation.survey import Survey
from fake_dra_driver.allocation.usage import Usage
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1 import AllocationResult, DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice

__all__ = ["DEFAULT_MAX_STEPS", "Allocator", "Budget"]

DEFAULT_MAX_STEPS: Final = 200_000
"""Candidates that a search may look at: a second or so. A real scheduler's limit is 10 s (DynamicResourcesArgs)."""


@dataclass(slots=True)
class Budget:
    """What the searches of one cycle may cost together, whichever nodes they are about."""

    steps: int
    """Candidates that may still be looked at."""


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
        self._usage = Usage(shares=behaviour.consumable_capacity)
        self._pools = PoolIndex(behaviour, self._usage)
        self._classes: dict[str, DeviceClass] = {}
        self._claims: dict[str, ResourceClaim] = {}
        self._selectors = SelectorCache(behaviour)
        self._plan: tuple[tuple[ResourceClaim, ...], Plan] | None = None
        """What was read last: a pod's claims are asked about for one node after the other."""

    # --- What there is -------------------------------------------------------------------------------------------

    def replace(
        self,
        *,
        slices: Iterable[ResourceSlice] = (),
        classes: Iterable[DeviceClass] = (),
        claims: Iterable[ResourceClaim] = (),
        taint_rules: Iterable[DeviceTaintRule] = (),
    ) -> None:
        """Takes these for all there is; what is assumed stays. What is the same object as before costs next to nothing.

        The order does not matter.
        """
        wanted_slices = {each.metadata.name: each for each in slices}
        wanted_classes = {each.metadata.name: each for each in classes}
        wanted_claims = {identity_of(each): each for each in claims}
        wanted_rules = {each.metadata.name: each for each in taint_rules}
        for name in self._pools.slices.keys() - wanted_slices.keys():
            self.drop_slice(name)
        for name in self._classes.keys() - wanted_classes.keys():
            self.drop_class(name)
        for name in self._claims.keys() - wanted_claims.keys():
            self.drop_claim(self._claims[name])
        for name in self._pools.rules.keys() - wanted_rules.keys():
            self.drop_taint_rule(name)
        for resource_slice in wanted_slices.values():
            self.put_slice(resource_slice)
        for device_class in wanted_classes.values():
            self.put_class(device_class)
        for claim in wanted_claims.values():
            self.put_claim(claim)
        for rule in wanted_rules.values():
            self.put_taint_rule(rule)

    def put_slice(self, resource_slice: ResourceSlice) -> None:
        """A slice was added or changed."""
        self._pools.put(resource_slice)

    def drop_slice(self, name: str) -> None:
        """A slice was deleted; nothing happens if it is not known."""
        self._pools.drop(name)

    def put_class(self, device_class: DeviceClass) -> None:
        """A class was added or changed."""
        if self._classes.get(device_class.metadata.name) is not device_class:
            self._classes[device_class.metadata.name] = device_class
            self._forget_plans()

    def drop_class(self, name: str) -> None:
        """A class was deleted; nothing happens if it is not known."""
        if self._classes.pop(name, None) is not None:
            self._forget_plans()

    def put_taint_rule(self, rule: DeviceTaintRule) -> None:
        """A rule was added or changed."""
        self._pools.put_rule(rule)

    def drop_taint_rule(self, name: str) -> None:
        """A rule was deleted; nothing happens if it is not known."""
        self._pools.drop_rule(name)

    def put_claim(self, claim: ResourceClaim) -> None:
        """A claim was added or changed. Its devices are in use if it is allocated."""
        if self._claims.get(identity_of(claim)) is not claim:
            self._claims[identity_of(claim)] = claim
            self._usage.observe(claim)

    def drop_claim(self, claim: ResourceClaim) -> None:
        """A claim was deleted; nothing happens if it is not known."""
        if self._claims.pop(identity_of(claim), None) is not None:
            self._usage.remove(claim)

    def assume(self, claim: ResourceClaim, allocation: AllocationResult) -> None:
        """The scheduler has decided so, and is about to write it: the devices are in use until ``forget``.

        It counts instead of what ``put_claim`` says about this claim, which may be older.
        """
        self._usage.assume(claim, allocation)

    def forget(self, claim: ResourceClaim) -> None:
        """Ends ``assume``; what ``put_claim`` said last counts again. Nothing happens if nothing was assumed."""
        self._usage.forget(claim)

    # --- Decisions -----------------------------------------------------------------------------------------------

    def allocate(
        self,
        claims: Sequence[ResourceClaim],
        node: Node,
        *,
        max_steps: int = DEFAULT_MAX_STEPS,
        budget: Budget | None = None,
    ) -> Allocation | Refusal:
        """Chooses devices on the node for all these claims together, none of which is allocated.

        Args:
            claims: of one pod, in the order in which the pod has them; what is to be written for extended resources
                comes last.
            node: its labels count, and its name.
            max_steps: the most candidates to look at.
            budget: what is left for this node and others; what is spent is taken from it.

        Raises:
            SearchTooLongError: there was no decision within these limits.
            AllocationError: the claims cannot be handled; the cycle of the pod ends, whatever other nodes have.
        """
        plan, view, name = self._plan_of(claims), self._pools.view_of(node), node.metadata.name
        if view.was_refused(plan.key):
            return self._refusal(view, name)
        limit = max_steps if budget is None else min(max_steps, budget.steps)
        search = Search(plan, view, self.behaviour, node=name, max_steps=limit)
        try:
            chosen = search.run()
        finally:
            if budget is not None:
                budget.steps = max(0, budget.steps - search.steps)
        if chosen is None:
            view.remember_refusal(plan.key)
            return self._refusal(view, name)
        results = tuple(
            allocation_of(ask, choices, name, self.behaviour, self._new_share_id)
            for ask, choices in zip(plan.asks, chosen, strict=True)
        )
        return Allocation(name, results, score_of(zip(claims, results, strict=True)))

    def survey(self, claims: Sequence[ResourceClaim], node: Node) -> Survey:
        """What there is on a node for these claims, and what is in the way of each device, without choosing any."""
        return Survey(self._plan_of(claims), self._pools.view_of(node), self.behaviour)

    def _plan_of(self, claims: Sequence[ResourceClaim]) -> Plan:
        if self._plan is None or not _are_same(self._plan[0], claims):
            self._plan = (tuple(claims), read_claims(claims, self._classes, self.behaviour, self._selectors))
        return self._plan[1]

    def _forget_plans(self) -> None:
        self._plan = None
        self._pools.forget_refusals()

    def _refusal(self, view: NodeView, node: str) -> Refusal:
        names_invalid = view.has_invalid_pools and not self.behaviour.invalid_pools_abort
        return Refusal(node, INVALID_POOLS if names_invalid else CANNOT_ALLOCATE)


def _are_same(known: Sequence[ResourceClaim], claims: Sequence[ResourceClaim]) -> bool:
    return len(known) == len(claims) and all(map(is_, known, claims))
