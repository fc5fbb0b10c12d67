"""A search of all that can happen in ``protocol_model``, nearest first.

``python -m tests.unit.dra.classic.protocol_search EVENTS CRASHES LAG`` searches as far as one has patience, 8,000
states a second: that much happens, controllers crash that often, and caches are that many versions behind.
"""

import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

from tests.unit.dra.classic.protocol_model import Model, Scenario, State


@dataclass(frozen=True)
class Outcome:
    states: int
    story: str | None
    """How it came to what must not be; None when that was not found."""


def search(scenario: Scenario, most: int = 10_000_000) -> Outcome:
    """Goes through all states, nearest first, until one is wrong. Raises RuntimeError when there are more than that."""
    model = Model(scenario)
    start = model.canonical(scenario.start())
    came_from: dict[State, State | None] = {start: None}
    waiting = deque([start])
    settled: dict[tuple[Any, ...], str | None] = {}
    while waiting:
        state = waiting.popleft()
        problem = "a device is given to two claims" if model.given_twice(state) else None
        if scenario.without is None and problem is None:
            heads = model.heads(state)
            if heads not in settled:
                end = model.settle(heads)
                settled[heads] = end if isinstance(end, str) else model.complaint(end)
            problem = settled[heads]
        if problem is not None:
            return Outcome(len(came_from), _story(model, came_from, state, problem))
        for _, after in model.steps(state):
            following = model.canonical(after)
            if following not in came_from:
                if len(came_from) >= most:
                    raise RuntimeError(f"more than {most} states")
                came_from[following] = state
                waiting.append(following)
    return Outcome(len(came_from), None)


def _story(model: Model, came_from: dict[State, State | None], state: State, end: str) -> str:
    """The way to a state, walked once more so that each controller keeps its name."""
    way: list[State] = []
    before: State | None = state
    while before is not None:
        way.append(before)
        before = came_from[before]
    labels, present = [], model.simplified(model.scenario.start())
    for following in way[-2::-1]:
        for label, after in model.steps(present):
            if model.canonical(after) == following:
                labels.append(label)
                present = model.simplified(after)
                break
    return "\n".join(f"{number}. {label}" for number, label in enumerate([*labels, end], 1))


if __name__ == "__main__":
    bounds = [int(argument) for argument in sys.argv[1:4]] or [2, 1, 1]
    found = search(Scenario(events=bounds[0], crashes=bounds[1], lag=bounds[2]))
    sys.stdout.write(f"{found.states} states\n{found.story or 'nothing found'}\n")
