"""What is remembered of kinds of devices, and what that costs."""

import gc
from types import FrameType

import pytest

from fake_dra_driver.allocation import Allocation, Behaviour, Budget, SearchTooLongError
from fake_dra_driver.allocation.candidate import Candidate, CandidateReader, Kind
from fake_dra_driver.allocation.selectors import CelError, compile_selector
from fake_dra_driver.quantity import Quantity
from tests.unit.allocation.gpus import allocator, claim, node, request, slice_of


def candidate() -> Candidate:
    return CandidateReader().read(slice_of("a"), ())[0]


def free(_: int) -> None: ...


def remembered(kind: Kind) -> int:
    return sum(len(each) for each in gc.get_referents(kind) if isinstance(each, dict))


def test_not_every_expression_is_remembered_for_ever() -> None:
    kind = candidate().kind
    for number in range(1_000):
        assert kind.verdict_of(compile_selector(f"{number} == 7"), free) is (number == 7)
        kind.demand_of(frozenset({("memory", Quantity.parse(str(number)))}), Behaviour())
    assert remembered(kind) <= 200


def test_an_error_is_remembered_without_the_frames_of_the_evaluation() -> None:
    error = candidate().kind.verdict_of(compile_selector('device.attributes["x"].y'), free)
    assert isinstance(error, CelError)
    frames = [each for each in gc.get_referents(error.__traceback__) if isinstance(each, FrameType)]
    assert frames == []


SLOW = "lists.range(100).all(a, lists.range(50).all(b, a + b >= 0)) && false"


def test_what_expressions_cost_counts() -> None:
    devices = slice_of(*({"name": f"gpu-{at}", "attributes": {"at": {"int": at}}} for at in range(8)))
    with pytest.raises(SearchTooLongError):
        allocator(devices).allocate([claim(request("r", SLOW))], node(), max_steps=1_000)


def test_all_searches_of_a_cycle_share_a_budget() -> None:
    found, budget = allocator(slice_of("a", "b", pool="n1"), slice_of("c", pool="n2")), Budget(4)
    assert isinstance(found.allocate([claim()], node("n1"), budget=budget), Allocation)
    assert budget.steps == 3
    found.allocate([claim(request(count=2))], node("n1"), budget=budget)
    with pytest.raises(SearchTooLongError):
        found.allocate([claim(request(count=2))], node("n1"), budget=budget)
    assert budget.steps == 0
