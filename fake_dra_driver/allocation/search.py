"""The search: every way to serve all requests of all claims, depth first, until one is found.

Follows allocateOne of k8s.io/dynamic-resource-allocation. For each request the devices are tried in the order of
pools, slices and their lists; the next device of the same request comes after the one before, since the same devices
in another order are the same choice. A prioritized list tries its alternatives in turn. What leads nowhere is undone.

A device is not chosen where too few come after it for the rest of the request: that leads nowhere, and without this cut
nine devices would be looked for in every subset of eight. The devices after it are looked at all the same, since an
error of a selector ends the search wherever kube-scheduler would have met it.

Claims of a pod can want thousands of devices, so a device does not get a frame of Python's stack: each step of the
search is a generator, which yields the next step and is sent what became of it.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.candidate import Candidate
from fake_dra_driver.allocation.checks import CHECKS, CHECKS_OF_ALL, CHECKS_OF_KIND, Case, Check, Choice, Trial
from fake_dra_driver.allocation.errors import AllocationError, SearchTooLongError, SelectorFailedError
from fake_dra_driver.allocation.obstacles import (
    ConstraintBroken,
    FeatureOff,
    InUse,
    Obstacle,
    OnOtherNode,
    PoolIncomplete,
    PoolInvalid,
    SelectorFailed,
    SelectorFalse,
    Tainted,
)
from fake_dra_driver.allocation.pools import NodeView, Pool
from fake_dra_driver.allocation.requests import Ask, Plan, Problem, Request
from fake_dra_driver.api.resource.v1 import MAX_RESULTS

__all__ = ["Search"]

_HINT: Final = (
    ". consider using CEL optional chaining (.? followed by orValue())"
    " or guarding the check with has() for optional fields"
)
"""What EnhanceRuntimeError of k8s.io/dynamic-resource-allocation/cel adds to "no such key"."""


class _End(Enum):
    """What became of a step."""

    FOUND = auto()
    """All that comes after it was served too: the search is over."""
    DEAD_END = auto()
    TOO_MANY = auto()
    """The claim would get more devices than it may have; other devices in the same place make no difference."""


_LASTING: Final = (FeatureOff, InUse, OnOtherNode, SelectorFalse, Tainted)
"""Obstacles that are there whatever else is chosen for the pod."""

_Step = Generator["_Step", _End, _End]
_Place = tuple[Pool, Candidate]


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in the plan: a request of a claim."""

    claim: int
    request: int


class Search:
    """Looks for devices for the claims of a pod on one node."""

    def __init__(self, plan: Plan, view: NodeView, behaviour: Behaviour, *, node: str, max_steps: int) -> None:
        """Has looked at nothing yet.

        Args:
            plan: what is asked for.
            view: the pools of the node.
            behaviour: that of the release.
            node: its name, for errors.
            max_steps: how many candidates may be looked at.
        """
        self._plan = plan
        self._behaviour = behaviour
        self._node = node
        self._trial = Trial(plan, behaviour)
        self._pools = tuple(each for each in view.pools if not each.is_replaced)
        self._places = view.places
        self._all: dict[Request, tuple[_Place, ...]] = {}
        """What there is for each request that wants all."""
        self._unfit: dict[Request, set[int]] = {}
        """Places that a request cannot use, whatever else is chosen; as far as they were looked at."""
        self._fit_from: dict[Request, list[int]] = {}
        """How many places from each one on a request may use, once all were looked at."""
        self._max_steps = max_steps
        self._steps = 0

    def run(self) -> list[list[Choice]] | None:
        """The first choice, for each claim in the order of choosing; None: there is none.

        Raises:
            AllocationError: the claims cannot be handled.
        """
        for ask in self._plan.asks:
            self._prepare(ask)
        return self._trial.chosen if _run(self._serve(_Slot(0, 0))) is _End.FOUND else None

    # --- Before the search ---------------------------------------------------------------------------------------

    def _prepare(self, ask: Ask) -> None:
        """Finds out how many devices a claim needs at least, and whether it can be handled."""
        needed = 0
        for spec, alternatives in zip(ask.claim.spec.devices.requests, ask.requests, strict=True):
            if isinstance(alternatives, Problem):
                raise AllocationError(alternatives.text)
            for request in alternatives:
                if request.wants_all:
                    self._all[request] = tuple(self._find_all(ask, request))
            least = min(map(self._count_of, alternatives))
            if needed + least > MAX_RESULTS and self._behaviour.limit_names_request:
                raise AllocationError(
                    f"claim {ask.claim.key}, request {spec.name}: adding {least} devices exceeds the claim limit of"
                    f" {MAX_RESULTS}, with {needed} already accounted for"
                )
            needed += least
        if needed > MAX_RESULTS:
            raise AllocationError(
                f"claim {ask.claim.key}: number of requested devices {needed} exceeds the claim limit of {MAX_RESULTS}"
            )
        if isinstance(ask.constraints, Problem):
            raise AllocationError(ask.constraints.text)

    def _find_all(self, ask: Ask, request: Request) -> Generator[_Place, None, None]:
        checks = (*CHECKS_OF_KIND, Trial.capacity if self._behaviour.all_skips_used_up else Trial.size)
        where = f"claim {ask.claim.key}, request {request.own_name}: asks for all devices, but resource pool"
        for pool in self._pools:
            if pool.obstacle is not None:
                state = "being updated" if isinstance(pool.obstacle, PoolIncomplete) else "invalid"
                raise AllocationError(f"{where} {pool.id} is currently {state}")
            for candidate in pool.candidates:
                if self._find_obstacle(checks, Case(request, pool, candidate)) is None:
                    yield pool, candidate

    def _count_of(self, request: Request) -> int:
        return len(self._all[request]) if request.wants_all else request.count

    # --- The search ----------------------------------------------------------------------------------------------

    def _serve(self, slot: _Slot) -> _Step:
        """Serves a request of a claim, and all that comes after it."""
        if slot.claim >= len(self._plan.asks):
            return _End.FOUND
        ask = self._plan.asks[slot.claim]
        if slot.request >= len(ask.requests):
            end = yield self._serve(_Slot(slot.claim + 1, 0))
            # Another choice for this claim may leave an alternative to the next one that needs fewer devices.
            return _End.DEAD_END if end is _End.TOO_MANY else end
        alternatives = ask.requests[slot.request]
        if isinstance(alternatives, Problem):
            raise AllocationError(alternatives.text)
        if not ask.has_alternatives(slot.request):
            return (yield self._fill(slot, alternatives[0], 0, 0))
        last = _End.TOO_MANY
        for alternative in alternatives:
            end = yield self._fill(slot, alternative, 0, 0)
            if end is _End.FOUND:
                return end
            if end is _End.DEAD_END:
                last = end
        return last

    def _fill(self, slot: _Slot, request: Request, have: int, start: int) -> _Step:
        """Chooses one more device for a request, and goes on from there.

        Args:
            slot: the request's place.
            request: it, or one of its alternatives.
            have: how many devices it has.
            start: from where on to look for the next one.
        """
        count = self._count_of(request)
        if request.wants_all and count == 0 and self._behaviour.all_needs_one:
            return _End.DEAD_END
        if have >= count:
            return (yield self._serve(_Slot(slot.claim, slot.request + 1)))
        if count - have > MAX_RESULTS - len(self._trial.chosen[slot.claim]):
            return _End.TOO_MANY
        places = self._all[request][have : have + 1] if request.wants_all else self._places
        checks = CHECKS_OF_ALL if request.wants_all else CHECKS
        for index in range(0 if request.wants_all else start, len(places)):
            case = Case(request, *places[index])
            obstacle = self._find_obstacle(checks, case)
            if obstacle is not None:
                if request.wants_all:
                    self._refuse_broken_constraint(request, obstacle)
                elif isinstance(obstacle, _LASTING):
                    self._unfit.setdefault(request, set()).add(index)
                continue
            if not request.wants_all and self._left(request, index) < count - have:
                continue
            choice = self._trial.choose(case)
            end = yield self._fill(slot, request, have + 1, index + 1)
            if end is _End.FOUND:
                return end
            self._trial.undo(choice)
            if end is _End.TOO_MANY:
                return end
        if not request.wants_all and request not in self._fit_from:
            # Each place was looked at: here, or before the devices that the request has so far.
            self._fit_from[request] = self._count_fit(request)
        return _End.DEAD_END

    def _left(self, request: Request, index: int) -> int:
        """How many devices a request can get from this place on, at most."""
        fit_from = self._fit_from.get(request)
        return len(self._places) - index if fit_from is None else fit_from[index]

    def _count_fit(self, request: Request) -> list[int]:
        unfit, fit = self._unfit.get(request, ()), [0]
        for index in reversed(range(len(self._places))):
            fit.append(fit[-1] + (index not in unfit))
        return fit[:0:-1]

    def _find_obstacle(self, checks: tuple[Check, ...], case: Case) -> Obstacle | None:
        self._steps += 1
        if self._steps > self._max_steps:
            raise SearchTooLongError(self._node, self._max_steps)
        is_invalid = isinstance(case.pool.obstacle, PoolInvalid)
        for check in (Trial.use, *CHECKS_OF_KIND) if is_invalid else checks:
            found = check(self._trial, case)
            if found is not None:
                if isinstance(found, SelectorFailed):
                    raise self._selector_error(case.request, found)
                return found
        if isinstance(case.pool.obstacle, PoolInvalid):
            raise AllocationError(f"pool {case.pool.id.pool} is invalid: {case.pool.obstacle.reason}")
        return None

    def _refuse_broken_constraint(self, request: Request, obstacle: Obstacle) -> None:
        """Whoever wants all devices, and constraints that they do not satisfy, never gets them."""
        if isinstance(obstacle, ConstraintBroken):
            claim = self._plan.asks[request.claim].claim.key
            raise AllocationError(
                f"claim {claim}, request {request.own_name}: cannot add device {obstacle.device} because a claim"
                " constraint would not be satisfied"
            )

    def _selector_error(self, request: Request, found: SelectorFailed) -> SelectorFailedError:
        origin = found.origin
        owner = (
            f"claim {self._plan.asks[request.claim].claim.key}"
            if origin.class_name is None
            else f"class {origin.class_name}"
        )
        where = f"{owner}: selector #{origin.index}"
        if found.problem == "compile":
            return SelectorFailedError(f"{where}: CEL compile error: {found.message}", found)
        if not self._behaviour.errors_name_device:
            return SelectorFailedError(f"{where}: CEL runtime error: {found.message}", found)
        hint = _HINT if "no such key:" in found.message else ""
        return SelectorFailedError(f"{where} on device {found.device}: CEL runtime error: {found.message}{hint}", found)


def _run(step: _Step) -> _End:
    """Runs a step, and all those that it yields, without using Python's stack for them."""
    steps = [step]
    end: _End | None = None
    while steps:
        try:
            following = next(steps[-1]) if end is None else steps[-1].send(end)
        except StopIteration as stopped:
            steps.pop()
            end = stopped.value
        else:
            steps.append(following)
            end = None
    if end is None:
        raise AllocationError("nothing was searched")
    return end
