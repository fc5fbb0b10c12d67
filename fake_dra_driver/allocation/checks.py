"""Whether a device can be had for a request: one function for each thing that may be in the way.

The search asks them one after the other, until one objects; an explanation asks them all. ``CHECKS`` has their order,
which is kube-scheduler's: it decides which expressions are evaluated, and so which errors a user gets to see.

What has been chosen for the same pod so far is in a ``Trial``; the checks read it, and only ``choose`` and ``undo``
change it.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.candidate import Candidate, CounterName
from fake_dra_driver.allocation.capacity import CapacityError, Demand
from fake_dra_driver.allocation.constraints import Constraint, LastDistinctAttribute, Values, constraint_of
from fake_dra_driver.allocation.counters import Counters
from fake_dra_driver.allocation.errors import AllocationError
from fake_dra_driver.allocation.identity import DeviceId
from fake_dra_driver.allocation.obstacles import (
    CapacityShort,
    CapacityUnknown,
    ChosenAlready,
    FeatureOff,
    InUse,
    Obstacle,
    OnOtherNode,
    PolicyRefused,
    SelectorFailed,
    SelectorFalse,
)
from fake_dra_driver.allocation.pools import Pool
from fake_dra_driver.allocation.requests import Ask, Plan, Problem, Request
from fake_dra_driver.allocation.selectors import CelCompileError
from fake_dra_driver.allocation.taints import find_untolerated
from fake_dra_driver.quantity import Quantity

__all__ = ["CHECKS", "CHECKS_OF_ALL", "CHECKS_OF_KIND", "Case", "Check", "Choice", "Trial"]


T = TypeVar("T")


class Case(NamedTuple):
    """A device that is considered for a request."""

    request: Request
    pool: Pool
    candidate: Candidate


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A device that was chosen for a request."""

    request: Request
    pool: Pool
    candidate: Candidate
    share: Demand | None
    """What a share of it consumes; None: the claim has the device for itself."""
    spends_counters: bool
    """Whether its counters were not consumed already, by another share of it."""


@dataclass(slots=True)
class _Spending:
    """What has been chosen consumes of some counters."""

    amounts: dict[CounterName, int] = field(default_factory=dict)
    """In billionths."""
    consumers: list[Candidate] = field(default_factory=list)


class Trial:
    """What has been chosen for the claims of a pod so far, on one node."""

    def __init__(self, plan: Plan, behaviour: Behaviour) -> None:
        """Nothing has been chosen."""
        self.chosen: list[list[Choice]] = [[] for _ in plan.asks]
        """For each claim, in the order of choosing."""
        self.evaluation_cost = 0
        """What the evaluation of selectors has cost so far, in CEL's units; the plain ones are not counted."""
        self._plan = plan
        self._behaviour = behaviour
        self._exclusive: dict[DeviceId, list[int]] = {}
        """The claims that have a device for themselves."""
        self._shares: dict[DeviceId, list[Demand]] = {}
        self._spending: dict[Counters, _Spending] = {}
        self._constraints: dict[Request, tuple[Constraint, ...]] = {}
        self._of_claims: list[tuple[Constraint, ...]] = []
        for ask in plan.asks:
            self._add_constraints(ask)

    # --- Checks: what is in the way of a device, or None ---------------------------------------------------------

    def use(self, case: Case) -> Obstacle | None:
        """Whether it is in use. With admin access, only the same claim must not have it twice."""
        claims = self._exclusive.get(case.candidate.id)
        if case.request.admin_access:
            is_chosen = claims is not None and case.request.claim in claims and self._behaviour.admin_devices_distinct
            return ChosenAlready(case.candidate.id, case.request.claim) if is_chosen else None
        holders = case.pool.usage.exclusive.get(case.candidate.id.device)
        if holders:
            return InUse(case.candidate.id, tuple(holders))
        return ChosenAlready(case.candidate.id, claims[0]) if claims else None

    def binding(self, case: Case) -> Obstacle | None:
        """Whether what it has to wait for can be waited for."""
        if case.candidate.device.binding_conditions and not self._behaviour.binding_conditions:
            return FeatureOff(case.candidate.id, "DRADeviceBindingConditions")
        return None

    def selectors(self, case: Case) -> Obstacle | None:
        """Whether the selectors of class and request hold, up to the first that does not."""
        for selector in case.request.selectors:
            compiled = selector.compiled
            if isinstance(compiled, CelCompileError):
                return SelectorFailed(
                    case.candidate.id, selector.origin, case.candidate.device, "compile", compiled.reason
                )
            verdict = case.candidate.kind.verdict_of(compiled, self._note_evaluation)
            if verdict is True:
                continue
            if verdict is False:
                return SelectorFalse(case.candidate.id, selector.origin, case.candidate.device)
            return SelectorFailed(case.candidate.id, selector.origin, case.candidate.device, "runtime", str(verdict))
        return None

    def node(self, case: Case) -> Obstacle | None:
        """Whether it is on the node, where its slice says so for each device."""
        return OnOtherNode(case.candidate.id) if case.candidate.id in case.pool.elsewhere else None

    def size(self, case: Case) -> Obstacle | None:
        """Whether its capacities are enough while no other claim has a share of it. Raises AllocationError."""
        return self._capacity_obstacle(case, (), case.candidate.id.device)

    def capacity(self, case: Case) -> Obstacle | None:
        """Whether enough is left of its capacities. Raises AllocationError."""
        used = [share.consumed for share in case.pool.usage.shares.get(case.candidate.id.device, ())]
        chosen = [_nanos_of(demand) for demand in self._shares.get(case.candidate.id, ())]
        return self._capacity_obstacle(case, (*used, *chosen), str(case.candidate.id))

    def operations(self, case: Case) -> Obstacle | None:
        """Whether the kubelet would have to leave out calls, which it can from some release on only."""
        if case.candidate.resource_slice.spec.skip_node_operations:
            return FeatureOff(case.candidate.id, "DRAOptionalNodeOperations")
        return None

    def counters(self, case: Case) -> Obstacle | None:
        """Whether enough is left of the counters that it consumes. Another share of a device consumes nothing."""
        if not case.candidate.consumes:
            return None
        if not self._behaviour.partitionable_devices:
            return FeatureOff(case.candidate.id, "DRAPartitionableDevices")
        if self._is_shared_already(case.pool, case.candidate):
            return None
        counters = _counters_of(case.pool, case.candidate)
        spending = self._spending.get(counters) or _Spending()
        return counters.find_shortage(case.candidate, spending.amounts, spending.consumers)

    def taints(self, case: Case) -> Obstacle | None:
        """Whether the request tolerates its taints."""
        if not case.candidate.taints or not self._behaviour.device_taints:
            return None
        return find_untolerated(case.candidate, case.request.tolerations)

    def constraints(self, case: Case) -> Obstacle | None:
        """Whether the claim's constraints are satisfied with what has been chosen for it before."""
        for constraint in self._constraints[case.request]:
            found = constraint.find_violation(case.candidate)
            if found is not None:
                return found
        return None

    # --- Changes -------------------------------------------------------------------------------------------------

    def choose(self, case: Case) -> Choice:
        """Takes a device that nothing is in the way of."""
        request, pool, candidate = case
        share = self._demand(request, candidate, str(candidate.id)) if self._is_shareable(candidate) else None
        spends = bool(candidate.consumes) and not self._is_shared_already(pool, candidate)
        choice = Choice(request, pool, candidate, share, spends)
        if spends:
            spending = self._spending.setdefault(_counters_of(pool, candidate), _Spending())
            spending.consumers.append(candidate)
            for name, amount in candidate.consumes.items():
                spending.amounts[name] = spending.amounts.get(name, 0) + amount.nanos
        if share is None:
            self._exclusive.setdefault(candidate.id, []).append(request.claim)
        else:
            self._shares.setdefault(candidate.id, []).append(share)
        for constraint in self._constraints[request]:
            constraint.add(candidate, request.base)
        self.chosen[request.claim].append(choice)
        return choice

    def undo(self, choice: Choice) -> None:
        """Gives back the device that was chosen last."""
        self.chosen[choice.request.claim].pop()
        for constraint in self._constraints[choice.request]:
            constraint.remove()
        if choice.share is None:
            _pop(self._exclusive, choice.candidate.id)
        else:
            _pop(self._shares, choice.candidate.id)
        if choice.spends_counters:
            spending = self._spending[_counters_of(choice.pool, choice.candidate)]
            spending.consumers.pop()
            for name, amount in choice.candidate.consumes.items():
                spending.amounts[name] -= amount.nanos

    # --- Constraints ---------------------------------------------------------------------------------------------

    @property
    def forgets(self) -> bool:
        """Whether a constraint forgets more, when a device is given back, than what it learned with that device."""
        return any(isinstance(each, LastDistinctAttribute) for found in self._of_claims for each in found)

    def is_constrained(self, request: Request) -> bool:
        """Whether constraints are about the request."""
        return bool(self._constraints[request])

    def constraint_state(self, claim: int) -> Hashable:
        """Equal where the claim's constraints admit the same devices, now and later."""
        return tuple(constraint.state for constraint in self._of_claims[claim])

    def values_under_constraints(self, candidate: Candidate) -> tuple[Values | None, ...]:
        """What each constraint, of whichever claim, compares of a device; None: it lacks the attribute."""
        return tuple(each.values_on(candidate) for found in self._of_claims for each in found)

    # --- What both need ------------------------------------------------------------------------------------------

    def _add_constraints(self, ask: Ask) -> None:
        found = [
            (spec, constraint_of(index, spec, self._behaviour))
            for index, spec in enumerate(() if isinstance(ask.constraints, Problem) else ask.constraints)
        ]
        self._of_claims.append(tuple(constraint for _, constraint in found))
        for alternatives in ask.requests:
            for request in () if isinstance(alternatives, Problem) else alternatives:
                self._constraints[request] = tuple(
                    constraint
                    for spec, constraint in found
                    if not spec.requests or request.base in spec.requests or request.name in spec.requests
                )

    def _note_evaluation(self, cost: int) -> None:
        self.evaluation_cost += cost

    def _is_shareable(self, candidate: Candidate) -> bool:
        return self._behaviour.consumable_capacity and candidate.is_shareable

    def _is_shared_already(self, pool: Pool, candidate: Candidate) -> bool:
        return self._is_shareable(candidate) and (
            candidate.id.device in pool.usage.shares or bool(self._shares.get(candidate.id))
        )

    def _demand(self, request: Request, candidate: Candidate, device: str) -> Demand:
        demand = candidate.kind.demand_of(request.capacity, self._behaviour)
        if isinstance(demand, CapacityError):
            where = f"claim {self._plan.asks[request.claim].claim.key}, request {request.own_name}"
            raise AllocationError(f"{where}: checking capacity for device {device}: {demand}")
        return demand

    def _capacity_obstacle(self, case: Case, consumed: Sequence[Mapping[str, int]], device: str) -> Obstacle | None:
        """What is in the way after others have consumed so much; an error calls the device by this name."""
        if not self._behaviour.consumable_capacity:
            return None
        demand = self._demand(case.request, case.candidate, device)
        asked = dict(case.request.capacity)
        if demand.unknown is not None:
            return CapacityUnknown(case.candidate.id, demand.unknown)
        if (name := demand.refused) is not None:
            return PolicyRefused(case.candidate.id, name, asked.get(name), demand.consumed[name])
        if not consumed and demand.fits_alone:
            return None
        name = demand.find_short(consumed)
        if name is None:
            return None
        total = demand.totals[name]
        left = total.nanos - sum(each.get(name, 0) for each in consumed)
        return CapacityShort(
            case.candidate.id,
            name,
            asked=asked.get(name),
            consumed=demand.consumed[name],
            left=Quantity(left, total.form),
            total=total,
            holders=tuple(
                (share.holder, Quantity(share.consumed[name], total.form))
                for share in case.pool.usage.shares.get(case.candidate.id.device, ())
                if name in share.consumed
            ),
        )


def _counters_of(pool: Pool, candidate: Candidate) -> Counters:
    return pool.counters[candidate.resource_slice.metadata.name]


def _nanos_of(demand: Demand) -> Mapping[str, int]:
    return {name: amount.nanos for name, amount in demand.consumed.items()}


def _pop(found: dict[DeviceId, list[T]], device: DeviceId) -> None:
    found[device].pop()
    if not found[device]:
        del found[device]


Check = Callable[[Trial, Case], Obstacle | None]

CHECKS_OF_KIND: Final[tuple[Check, ...]] = (Trial.binding, Trial.selectors, Trial.node)
"""Whether a device is one of those that a request means, whatever has happened to it."""
CHECKS_OF_ALL: Final[tuple[Check, ...]] = (
    Trial.use,
    Trial.operations,
    Trial.counters,
    Trial.taints,
    Trial.constraints,
    Trial.capacity,
)
"""Whether a device can be had that a request means which wants all of them."""
CHECKS: Final[tuple[Check, ...]] = (
    Trial.use,
    *CHECKS_OF_KIND,
    Trial.capacity,
    Trial.operations,
    Trial.counters,
    Trial.taints,
    Trial.constraints,
)
"""Whether a device can be had, for a request that wants a number of them."""
