"""A pod's claims that have no devices, and an allocator that can be asked what would be if something were different."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fake_dra_driver.allocation.allocator import Allocator
from fake_dra_driver.allocation.decision import Allocation, Refusal
from fake_dra_driver.allocation.errors import AllocationError, SearchTooLongError
from fake_dra_driver.allocation.explanation.finding import Requested
from fake_dra_driver.allocation.identity import ClaimIdentity, DeviceId, identity_of
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1 import (
    DeviceClaim,
    DeviceClass,
    DeviceConstraint,
    DeviceRequest,
    DeviceTaintRule,
    ResourceClaim,
    ResourceClaimSpec,
)

__all__ = ["Situation", "requested_by", "with_constraints", "with_requests"]

K = TypeVar("K", bound=KubeObject)

MAX_STEPS: Final = 50_000
"""Candidates that an attempt may look at: half a second or so, and there may be hundreds of nodes."""
MAX_STEPS_IF: Final = 5_000
"""The same, where something is changed, or after searches that were too long: there are many of those."""
MAX_LONG_SEARCHES: Final = 2


@dataclass(frozen=True, slots=True)
class Situation:
    """What is to be explained."""

    allocator: Allocator
    """Knows all that there is."""
    claims: tuple[ResourceClaim, ...]
    """Those of the pod that have no devices, in its order."""
    holders: Mapping[ClaimIdentity, ResourceClaim]
    """Every claim that has devices, by what it is known by."""
    classes: Mapping[str, DeviceClass]
    """All classes, by name."""
    taint_rules: Mapping[str, DeviceTaintRule]
    """All rules, by name."""
    long_searches: list[str] = field(default_factory=list)
    """Nodes on which the search had to be ended."""

    def attempt(
        self, node: Node, claims: Sequence[ResourceClaim] | None = None
    ) -> Allocation | Refusal | AllocationError:
        """What becomes of the claims, or of these instead, on a node."""
        is_short = claims is not None or len(self.long_searches) > MAX_LONG_SEARCHES
        steps = MAX_STEPS_IF if is_short else MAX_STEPS
        try:
            return self.allocator.allocate(self.claims if claims is None else claims, node, max_steps=steps)
        except SearchTooLongError as error:
            self.long_searches.append(error.node)
            return error
        except AllocationError as error:
            return error

    def fits(self, node: Node, claims: Sequence[ResourceClaim] | None = None) -> bool:
        """Whether the claims, or these instead, can be had on a node."""
        return isinstance(self.attempt(node, claims), Allocation)

    @contextmanager
    def without(self, holders: Iterable[ResourceClaim]) -> Iterator[None]:
        """While the block runs, these claims have no devices."""
        freed = list(holders)
        for claim in freed:
            self.allocator.drop_claim(claim)
        try:
            yield
        finally:
            for claim in freed:
                self.allocator.put_claim(claim)

    @contextmanager
    def with_class(self, device_class: DeviceClass) -> Iterator[None]:
        """While the block runs, a class is as this one."""
        self.allocator.put_class(device_class)
        try:
            yield
        finally:
            self.allocator.put_class(self.classes[device_class.metadata.name])

    @contextmanager
    def without_rule(self, name: str) -> Iterator[None]:
        """While the block runs, there is no DeviceTaintRule of this name."""
        self.allocator.drop_taint_rule(name)
        try:
            yield
        finally:
            self.allocator.put_taint_rule(self.taint_rules[name])

    def changed(self, index: int, claim: ResourceClaim) -> tuple[ResourceClaim, ...]:
        """The claims, with another one in this place."""
        return (*self.claims[:index], claim, *self.claims[index + 1 :])

    def holders_of(self, device: DeviceId) -> tuple[ResourceClaim, ...]:
        """The claims that have a device, or a share of it."""
        return tuple(
            claim
            for claim in self.holders.values()
            if claim.status.allocation is not None
            and any((each.driver, each.pool, each.device) == device for each in claim.status.allocation.devices.results)
        )

    @classmethod
    def of(
        cls,
        allocator: Allocator,
        claims: Sequence[ResourceClaim],
        known: Iterable[ResourceClaim],
        classes: Iterable[DeviceClass],
        taint_rules: Iterable[DeviceTaintRule],
    ) -> "Situation":
        """The situation of these claims, among all that are known."""
        holders = {identity_of(claim): claim for claim in known if claim.status.allocation is not None}
        return cls(allocator, tuple(claims), holders, _by_name(classes), _by_name(taint_rules))


def _by_name(objects: Iterable[K]) -> Mapping[str, K]:
    return {each.metadata.name: each for each in objects}


def requested_by(claims: Sequence[ResourceClaim]) -> Iterator[Requested]:
    """Every request of the claims, alternatives one by one."""
    for index, claim in enumerate(claims):
        for request in claim.spec.devices.requests:
            if request.exactly is not None:
                yield Requested(index, request.name, request.exactly)
            for alternative in request.first_available:
                yield Requested(index, f"{request.name}/{alternative.name}", alternative)


def with_requests(
    claim: ResourceClaim, requests: Sequence[DeviceRequest], constraints: Sequence[DeviceConstraint] = ()
) -> ResourceClaim:
    """The claim, if it asked for this instead."""
    devices = DeviceClaim(requests=tuple(requests), constraints=tuple(constraints), config=claim.spec.devices.config)
    return claim.model_copy(update={"spec": ResourceClaimSpec(devices=devices)})


def with_constraints(claim: ResourceClaim, constraints: Sequence[DeviceConstraint]) -> ResourceClaim:
    """The claim, if it had these constraints instead."""
    return with_requests(claim, claim.spec.devices.requests, constraints)
