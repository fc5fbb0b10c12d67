"""The protocol against everything that two controllers can do to each other: ``protocol_model`` says how.

Each search goes through all states within its bounds. In every one no device is in two claims, or in more than can
share it; and from every one a controller that starts with empty hands comes to an end at which the ledger says what the
claims say, nothing is left over, and no pod waits for what is free. ``python -m tests.unit.dra.classic.protocol_search
2 1 1`` searches further. By hand, with nothing found: one event, one stop and two versions of lag (654,236 states); two
events, no stop (459,256).
"""

import pytest

from tests.unit.dra.classic.protocol_model import Rule, Scenario
from tests.unit.dra.classic.protocol_search import search


@pytest.mark.parametrize(
    ("scenario", "least"),
    [
        pytest.param(Scenario(events=1, crashes=0, lag=1), 30_000, id="two claims, one device"),
        pytest.param(Scenario(events=1, crashes=0, lag=1, from_half_state=True), 10_000, id="from a half-state"),
        pytest.param(Scenario(claims=1, nodes=2, events=1, crashes=0, lag=1), 10_000, id="one claim, two nodes"),
        pytest.param(Scenario(claims=1, nodes=2, events=2, crashes=0, lag=0), 4_000, id="deleted while it is used"),
        pytest.param(Scenario(events=1, crashes=1, lag=0), 8_000, id="a stop at each step"),
        pytest.param(Scenario(claims=1, nodes=2, events=2, crashes=1, lag=0), 8_000, id="a stop, two nodes"),
        pytest.param(
            Scenario(events=1, crashes=1, lag=1, from_half_state=True), 60_000, id="a stop, from a half-state"
        ),
        pytest.param(Scenario(claims=3, seats=2, events=0, crashes=0, lag=1), 3_000, id="three claims, shared by two"),
        pytest.param(Scenario(claims=3, seats=2, events=0, crashes=1, lag=0), 3_000, id="shared by two, a stop"),
        pytest.param(Scenario(claims=3, seats=2, events=1, crashes=0, lag=0), 20_000, id="shared by two, one ends"),
    ],
)
def test_nothing_goes_wrong_in_any_order_of_events(scenario: Scenario, least: int) -> None:
    outcome = search(scenario)
    assert outcome.story is None, outcome.story
    assert outcome.states > least, "the search has become too easy"


@pytest.mark.parametrize(
    ("rule", "from_half_state"),
    [("revision", True), ("order", False), ("rewrite", True), ("fence", False), ("mark", True)],
)
def test_each_rule_is_needed(rule: Rule, from_half_state: bool) -> None:
    """Without it the search finds how a device comes to be given to two claims."""
    outcome = search(Scenario(events=1, crashes=0, lag=1, without=rule, from_half_state=from_half_state))
    assert outcome.story is not None
    assert outcome.story.endswith("a device is given to two claims")
