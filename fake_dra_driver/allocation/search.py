"""The search: every way to serve all requests of all claims, depth first, until one is found.

Follows allocateOne of k8s.io/dynamic-resource-allocation. For each request the devices are tried in the order of
pools, slices and their lists; the next device of the same request comes after the one before, since the same devices
in another order are the same choice. A prioritized list tries its alternatives in turn. What leads nowhere is undone.

A device is not chosen where too few come after it for the rest of the request. The devices after it are looked at all
the same, since an error of a selector ends the search wherever kube-scheduler would have met it. After a few dead ends
more is left out, see ``pruning``: without that, nine devices would be looked for in every order of eight.

Claims of a pod can want thousands of devices, so a device does not get a frame of Python's stack: each step of the
search is a generator, which yields the next step and is sent what became of it.
"""

from collections.abc import Generator, Hashable, Mapping, Sequence
from enum import Enum, auto
from typing import Final

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.checks import CHECKS, CHECKS_OF_ALL, CHECKS_OF_KIND, Case, Check, Choice, Trial
from fake_dra_driver.allocation.errors import AllocationError, SearchTooLongError, SelectorFailedError
from fake_dra_driver.allocation.obstacles import (
    ConstraintBroken,
    Obstacle,
    PoolIncomplete,
    PoolInvalid,
    SelectorFailed,
)
from fake_dra_driver.allocation.pools import NodeView
from fake_dra_driver.allocation.pruning import Place, Pruning, Slot, Verdict
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


_MAX_DEAD_ENDS: Final = 8
"""Most searches end before; the others are worth what it costs to know how to prune them."""

_COST_OF_STEP: Final = 2
"""So much of CEL's cost takes as long as to look at a candidate."""

_Step = Generator["_Step", _End, _End]


class Search:
    """Looks for devices for the claims of a pod on one node."""

    def __init__(
        self,
        plan: Plan,
        view: NodeView,
        behaviour: Behaviour,
        *,
        node: str,
        max_steps: int,
        max_dead_ends: int = _MAX_DEAD_ENDS,
    ) -> None:
        """Has looked at nothing yet.

        Args:
            plan: what is asked for.
            view: the pools of the node.
            behaviour: that of the release.
            node: its name, for errors.
            max_steps: how many candidates may be looked at.
            max_dead_ends: how many dead ends there may be before every device is looked at for every request.
        """
        self._plan = plan
        self._behaviour = behaviour
        self._node = node
        self._trial = Trial(plan, behaviour)
        self._pools = tuple(each for each in view.pools if not each.is_replaced)
        self._places = view.places
        self._all: dict[Request, tuple[Place, ...]] = {}
        """What there is for each request that wants all."""
        self._pruning: Pruning | None = None
        """None: too few dead ends so far."""
        self._max_dead_ends = max_dead_ends
        self._dead_ends = 0
        self._max_steps = max_steps
        self.steps = 0
        """How many candidates were looked at; a costly expression counts as several."""

    def run(self) -> list[list[Choice]] | None:
        """The first choice, for each claim in the order of choosing; None: there is none.

        Raises:
            AllocationError: the claims cannot be handled.
        """
        for ask in self._plan.asks:
            self._prepare(ask)
        return self._trial.chosen if _run(self._serve(Slot(0, 0))) is _End.FOUND else None

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

    def _find_all(self, ask: Ask, request: Request) -> Generator[Place, None, None]:
        checks = (*CHECKS_OF_KIND, Trial.capacity if self._behaviour.all_skips_used_up else Trial.size)
        where = f"claim {ask.claim.key}, request {request.own_name}: asks for all devices, but resource pool"
        for pool in self._pools:
            if pool.obstacle is not None:
                state = "being updated" if isinstance(pool.obstacle, PoolIncomplete) else "invalid"
                raise AllocationError(f"{where} {pool.id} is currently {state}")
            for candidate in pool.candidates:
                if self._find_obstacle(self._trial, checks, Case(request, pool, candidate)) is None:
                    yield pool, candidate

    def _count_of(self, request: Request) -> int:
        return len(self._all[request]) if request.wants_all else request.count

    # --- The search ----------------------------------------------------------------------------------------------

    def _serve(self, slot: Slot) -> _Step:
        """Serves a request of a claim, and all that comes after it."""
        if slot.claim >= len(self._plan.asks):
            return _End.FOUND
        ask = self._plan.asks[slot.claim]
        if slot.request >= len(ask.requests):
            end = yield self._serve(Slot(slot.claim + 1, 0))
            # Another choice for this claim may leave an alternative to the next one that needs fewer devices.
            return _End.DEAD_END if end is _End.TOO_MANY else end
        alternatives = ask.requests[slot.request]
        if isinstance(alternatives, Problem):
            raise AllocationError(alternatives.text)
        if self._pruning is not None and self._pruning.is_dead_end(slot):
            return _End.DEAD_END
        end = yield self._try(slot, alternatives)
        if end is _End.DEAD_END and self._pruning is not None:
            self._pruning.note_dead_end(slot)
        return end

    def _try(self, slot: Slot, alternatives: Sequence[Request]) -> _Step:
        """Serves a request with one of its alternatives."""
        if not self._plan.asks[slot.claim].has_alternatives(slot.request):
            return (yield self._fill(slot, alternatives[0], 0, 0))
        last = _End.TOO_MANY
        for alternative in alternatives:
            end = yield self._fill(slot, alternative, 0, 0)
            if end is _End.FOUND:
                return end
            if end is _End.DEAD_END:
                last = end
        return last

    def _fill(self, slot: Slot, request: Request, have: int, start: int) -> _Step:
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
            return (yield self._serve(Slot(slot.claim, slot.request + 1)))
        if count - have > MAX_RESULTS - len(self._trial.chosen[slot.claim]):
            return _End.TOO_MANY
        if request.wants_all:
            return (yield self._take_next(slot, request, have))
        if self._is_hopeless(slot, request, have):
            return _End.DEAD_END
        tried: set[Hashable] = set()
        for index in range(start, len(self._places)):
            case = Case(request, *self._places[index])
            if self._find_obstacle(self._trial, CHECKS, case) is not None:
                continue
            if self._left(request, index) < count - have:
                continue
            if self._pruning is not None and self._pruning.likeness(index) in tried:
                continue
            end = yield self._choose(case, self._fill(slot, request, have + 1, index + 1))
            if end is not _End.DEAD_END:
                return end
            if self._is_hopeless(slot, request, have):
                return _End.DEAD_END
            if self._pruning is not None:
                tried.add(self._pruning.likeness(index))
        return _End.DEAD_END

    def _take_next(self, slot: Slot, request: Request, have: int) -> _Step:
        """Chooses the next device for a request that wants all, and goes on from there."""
        if self._is_hopeless(slot, request, have):
            return _End.DEAD_END
        case = Case(request, *self._all[request][have])
        obstacle = self._find_obstacle(self._trial, CHECKS_OF_ALL, case)
        if obstacle is not None:
            self._refuse_broken_constraint(request, obstacle)
            return _End.DEAD_END
        return (yield self._choose(case, self._fill(slot, request, have + 1, 0)))

    def _choose(self, case: Case, then: _Step) -> _Step:
        """Chooses a device, and undoes that if what comes then leads nowhere."""
        choice = self._trial.choose(case)
        end = yield then
        if end is not _End.FOUND:
            self._trial.undo(choice)
            self._dead_ends += 1
            if self._pruning is None and self._dead_ends > self._max_dead_ends:
                self._pruning = self._look_at_everything()
        return end

    # --- What is left out ----------------------------------------------------------------------------------------

    def _look_at_everything(self) -> Pruning:
        blank = Trial(self._plan, self._behaviour)
        whole = {request: frozenset(places) for request, places in self._all.items()}
        return Pruning(
            self._plan,
            self._places,
            self._trial,
            self._behaviour,
            whole=whole,
            judge=lambda request, place: self._judge(blank, whole, request, place),
        )

    def _judge(
        self, blank: Trial, whole: Mapping[Request, frozenset[Place]], request: Request, place: Place
    ) -> Verdict:
        """What becomes of a device that is looked at for a request while nothing is chosen."""
        if request.wants_all and place not in whole[request]:
            return Verdict.UNFIT
        try:
            checks = CHECKS_OF_ALL if request.wants_all else CHECKS
            obstacle = self._find_obstacle(blank, checks, Case(request, *place))
        except SearchTooLongError:
            raise
        except AllocationError:
            return Verdict.FAILS
        return Verdict.FITS if obstacle is None else Verdict.UNFIT

    def _is_hopeless(self, slot: Slot, request: Request, have: int) -> bool:
        return self._pruning is not None and self._pruning.is_hopeless(slot, request, have)

    def _left(self, request: Request, index: int) -> int:
        """How many devices a request can get from this place on, at most."""
        return len(self._places) - index if self._pruning is None else self._pruning.left(request, index)

    # --- One device ----------------------------------------------------------------------------------------------

    def _find_obstacle(self, trial: Trial, checks: tuple[Check, ...], case: Case) -> Obstacle | None:
        self._count_step(trial)
        is_invalid = isinstance(case.pool.obstacle, PoolInvalid)
        for check in (Trial.use, *CHECKS_OF_KIND) if is_invalid else checks:
            found = check(trial, case)
            if found is not None:
                if isinstance(found, SelectorFailed):
                    raise self._selector_error(case.request, found)
                return found
        if isinstance(case.pool.obstacle, PoolInvalid):
            raise AllocationError(f"pool {case.pool.id.pool} is invalid: {case.pool.obstacle.reason}")
        return None

    def _count_step(self, trial: Trial) -> None:
        self.steps += 1 + trial.evaluation_cost // _COST_OF_STEP
        trial.evaluation_cost %= _COST_OF_STEP
        if self.steps > self._max_steps:
            raise SearchTooLongError(self._node, self._max_steps)

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
