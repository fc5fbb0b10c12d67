"""What the claims of a pod ask for, read once for all nodes.

Follows validateDeviceRequest of k8s.io/dynamic-resource-allocation. What makes a claim impossible to handle, whichever
node it is for, is kept in its place as a ``Problem``: what comes before it is looked at first, as kube-scheduler does.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.capacity import CapacityRequest
from fake_dra_driver.allocation.obstacles import SelectorOrigin
from fake_dra_driver.allocation.selectorcache import SelectorCache
from fake_dra_driver.allocation.selectors import CelCompileError, Selector
from fake_dra_driver.api.resource.v1 import (
    MAX_RESULTS,
    CapacityRequirements,
    DeviceClass,
    DeviceConstraint,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
)
from fake_dra_driver.quantity import Quantity

__all__ = ["Ask", "Plan", "Problem", "Request", "RequestSelector", "read_claims"]

_MAX_INT: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the claims cannot be handled, in kube-scheduler's words."""

    text: str


@dataclass(frozen=True, slots=True)
class RequestSelector:
    """A selector that the devices of a request have to satisfy."""

    origin: SelectorOrigin
    compiled: Selector | CelCompileError
    """One that a newer API server has accepted may be too new for this release."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request, or one of the alternatives of a prioritized list."""

    claim: int
    """Which of the claims."""
    base: str
    """The name of the request."""
    name: str
    """The same, or ``request/subrequest``."""
    own_name: str
    """The same, or that of the subrequest alone: how errors name it."""
    spec: ExactDeviceRequest | DeviceSubRequest
    device_class: DeviceClass
    selectors: tuple[RequestSelector, ...]
    """The class's, then its own."""
    wants_all: bool
    count: int
    """How many devices, unless it wants all."""
    admin_access: bool
    tolerations: tuple[DeviceToleration, ...]
    capacity: CapacityRequest


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """What one claim asks for."""

    index: int
    claim: ResourceClaim
    requests: tuple[tuple[Request, ...] | Problem, ...]
    """For each request: itself, or its alternatives, the one to prefer first."""
    constraints: tuple[DeviceConstraint, ...] | Problem

    def has_alternatives(self, request: int) -> bool:
        """Whether the request is a prioritized list, even if of one entry."""
        return bool(self.claim.spec.devices.requests[request].first_available)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What all the claims ask for."""

    asks: tuple[Ask, ...]
    key: Hashable
    """Equal for claims that ask for the same, whatever their names; None: what is refused must not be remembered."""


def read_claims(
    claims: Sequence[ResourceClaim],
    classes: Mapping[str, DeviceClass],
    behaviour: Behaviour,
    selectors: SelectorCache,
) -> Plan:
    """What the claims ask for."""
    asks = tuple(_Reader(index, claim, classes, behaviour, selectors).read() for index, claim in enumerate(claims))
    # The names of the claims are in errors alone, and those are not remembered.
    key = tuple(claim.spec.model_dump_json() for claim in claims)
    return Plan(asks, None if any(map(_may_have_too_many, asks)) else key)


def _may_have_too_many(ask: Ask) -> bool:
    """Whether the search may leave out candidates because of the limit: then more use can show it others."""
    most = 0
    for alternatives in ask.requests:
        if not isinstance(alternatives, Problem):
            most += max(MAX_RESULTS + 1 if each.wants_all else each.count for each in alternatives)
    return any(map(ask.has_alternatives, range(len(ask.requests)))) and most > MAX_RESULTS


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one claim."""

    index: int
    claim: ResourceClaim
    classes: Mapping[str, DeviceClass]
    behaviour: Behaviour
    selectors: SelectorCache

    def read(self) -> Ask:
        devices = self.claim.spec.devices
        requests = tuple(self._alternatives(request) for request in devices.requests)
        return Ask(self.index, self.claim, requests, self._constraints(devices.constraints))

    def _constraints(self, constraints: tuple[DeviceConstraint, ...]) -> tuple[DeviceConstraint, ...] | Problem:
        for index, constraint in enumerate(constraints):
            if constraint.match_attribute is None and constraint.distinct_attribute is None:
                return Problem(
                    f"claim {self.claim.key}, constraint #{index}: empty constraint (unsupported constraint type?)"
                )
        return constraints

    def _alternatives(self, request: DeviceRequest) -> tuple[Request, ...] | Problem:
        where = f"claim {self.claim.key}, request {request.name}"
        if request.first_available and not self.behaviour.prioritized_list:
            return Problem(f"{where}: has subrequests, but the DRAPrioritizedList feature is disabled")
        if (problem := self._capacity_problem(request)) is not None:
            return problem
        if not request.first_available:
            if request.exactly is None:
                return Problem(f"{where}: missing device class name (unsupported request type?)")
            found = self._request(request.name, request.name, request.exactly)
            return found if isinstance(found, Problem) else (found,)
        alternatives: list[Request] = []
        for alternative in request.first_available:
            found = self._request(request.name, f"{request.name}/{alternative.name}", alternative)
            if isinstance(found, Problem):
                return found
            alternatives.append(found)
        return tuple(alternatives)

    def _capacity_problem(self, request: DeviceRequest) -> Problem | None:
        if self.behaviour.consumable_capacity:
            return None
        disabled = "has capacity requests, but the DRAConsumableCapacity feature is disabled"
        if request.exactly is not None and request.exactly.capacity is not None:
            return Problem(f"claim {self.claim.key}, request {request.name}: {disabled}")
        for alternative in request.first_available:
            if alternative.capacity is not None:
                return Problem(f"claim {self.claim.key}, subrequest {alternative.name}: {disabled}")
        return None

    def _request(self, base: str, name: str, spec: ExactDeviceRequest | DeviceSubRequest) -> Request | Problem:
        own_name = name.removeprefix(f"{base}/")
        if (text := self._find_problem(spec)) is not None:
            separator = "" if text.startswith(",") else ":"
            return Problem(f"claim {self.claim.key}, request {own_name}{separator}{text}")
        device_class = self.classes[spec.device_class_name]
        return Request(
            claim=self.index,
            base=base,
            name=name,
            own_name=own_name,
            spec=spec,
            device_class=device_class,
            selectors=(
                *self._selectors(device_class.metadata.name, name, device_class.spec.selectors),
                *self._selectors(None, name, spec.selectors),
            ),
            wants_all=spec.allocation_mode == "All",
            count=spec.count,
            admin_access=isinstance(spec, ExactDeviceRequest) and bool(spec.admin_access),
            tolerations=spec.tolerations,
            capacity=_amounts(spec.capacity),
        )

    def _find_problem(self, spec: ExactDeviceRequest | DeviceSubRequest) -> str | None:
        if spec.derived_attributes:
            return " cannot handle request with derived attributes, the feature is disabled"
        for index, selector in enumerate(spec.selectors):
            if selector.cel is None:
                return f", selector #{index}: CEL expression empty (unsupported selector type?)"
        if isinstance(spec, ExactDeviceRequest) and spec.admin_access is not None and not self.behaviour.admin_access:
            return " admin access is requested, but the feature is disabled"
        if not spec.device_class_name:
            return " missing device class name (unsupported request type?)"
        if spec.device_class_name not in self.classes:
            missing = f'deviceclass.resource.k8s.io "{spec.device_class_name}" not found'
            return f" could not retrieve device class {spec.device_class_name}: {missing}"
        if spec.allocation_mode not in ("ExactCount", "All"):
            return f" unsupported count mode {spec.allocation_mode}"
        if spec.count > _MAX_INT:
            return f" exact count {spec.count} is too large"
        return None

    def _selectors(
        self, class_name: str | None, request: str, selectors: Sequence[DeviceSelector]
    ) -> list[RequestSelector]:
        found = []
        for index, selector in enumerate(selectors):
            expression = "" if selector.cel is None else selector.cel.expression
            origin = SelectorOrigin(class_name, request, index, expression)
            found.append(RequestSelector(origin, self.selectors.compile(expression)))
        return found


def _amounts(capacity: CapacityRequirements | None) -> CapacityRequest:
    requests = {} if capacity is None else capacity.requests
    return frozenset((name, Quantity.parse(amount)) for name, amount in requests.items())
