"""The search that leaves nothing out: every combination is tried, until one fits or an error comes up."""

from collections.abc import Iterator
from typing import Final

from fake_dra_driver.allocation import AllocationError, Behaviour, SelectorFailedError
from fake_dra_driver.allocation.checks import CHECKS, CHECKS_OF_ALL, CHECKS_OF_KIND, Case, Check, Choice, Trial
from fake_dra_driver.allocation.obstacles import ConstraintBroken, Obstacle, SelectorFailed
from fake_dra_driver.allocation.pools import NodeView
from fake_dra_driver.allocation.pruning import Place
from fake_dra_driver.allocation.requests import Plan, Problem, Request
from fake_dra_driver.api.resource.v1 import MAX_RESULTS

__all__ = ["MAX_STEPS", "PlainSearch", "TooLong"]

MAX_STEPS: Final = 20_000


class TooLong(Exception):  # noqa: N818 - nothing is wrong
    """There are too many combinations for a test."""


class PlainSearch:
    """For claims without problems of their own, and pools that are complete and valid."""

    def __init__(self, plan: Plan, view: NodeView, behaviour: Behaviour) -> None:
        self._plan = plan
        self._behaviour = behaviour
        self._places = view.places
        self._trial = Trial(plan, behaviour)
        self._steps = 0
        self._all = {
            request: [
                place for place in view.places if self._obstacle((*CHECKS_OF_KIND, Trial.size), request, place) is None
            ]
            for ask in plan.asks
            for alternatives in ask.requests
            for request in alternatives_of(alternatives)
            if request.wants_all
        }

    def run(self) -> list[list[Choice]] | None:
        """The first choice; None: there is none. Raises AllocationError."""
        return self._trial.chosen if self._serve(0, 0) == "found" else None

    def _serve(self, claim: int, at: int) -> str:
        if claim == len(self._plan.asks):
            return "found"
        ask = self._plan.asks[claim]
        if at == len(ask.requests):
            end = self._serve(claim + 1, 0)
            return "dead end" if end == "too many" else end
        ends = set()
        for request in alternatives_of(ask.requests[at]):
            end = self._fill(claim, at, request, 0, 0)
            if end == "found":
                return end
            ends.add(end)
        return "too many" if ends == {"too many"} else "dead end"

    def _fill(self, claim: int, at: int, request: Request, have: int, start: int) -> str:
        count = len(self._all[request]) if request.wants_all else request.count
        if request.wants_all and not count:
            return "dead end"
        if have == count:
            return self._serve(claim, at + 1)
        if count - have > MAX_RESULTS - len(self._trial.chosen[claim]):
            return "too many"
        for index, place in self._next_places(request, have, start):
            obstacle = self._obstacle(CHECKS_OF_ALL if request.wants_all else CHECKS, request, place)
            if obstacle is not None:
                if request.wants_all and isinstance(obstacle, ConstraintBroken):
                    raise AllocationError(
                        f"claim {self._plan.asks[claim].claim.key}, request {request.own_name}: cannot add device"
                        f" {place[1].id} because a claim constraint would not be satisfied"
                    )
                continue
            choice = self._trial.choose(Case(request, *place))
            end = self._fill(claim, at, request, have + 1, index + 1)
            if end == "found":
                return end
            self._trial.undo(choice)
            if end == "too many":
                return end
        return "dead end"

    def _next_places(self, request: Request, have: int, start: int) -> Iterator[tuple[int, Place]]:
        if request.wants_all:
            yield have, self._all[request][have]
        else:
            yield from enumerate(self._places[start:], start)

    def _obstacle(self, checks: tuple[Check, ...], request: Request, place: Place) -> Obstacle | None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooLong
        for check in checks:
            found = check(self._trial, Case(request, *place))
            if isinstance(found, SelectorFailed):
                raise SelectorFailedError(found.message, found)
            if found is not None:
                return found
        return None


def alternatives_of(alternatives: tuple[Request, ...] | Problem) -> tuple[Request, ...]:
    assert not isinstance(alternatives, Problem)
    return alternatives
