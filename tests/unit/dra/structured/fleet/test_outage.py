"""When nothing is tried since the API server is away, and what ends that."""

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.fleet.outage import Outage
from fake_dra_driver.runtime.errors import (
    ConflictError,
    DeadlineError,
    RuntimeLayerError,
    Status,
    TransportError,
    UnusableAnswerError,
)

CALL = ("create", v1.ResourceSlice.resource, NamespacedName("", "slice"))
AWAY = TransportError(*CALL, "connection refused")


class Calls:
    def __init__(self) -> None:
        self.now = 0.0
        self.outage = Outage(lambda: self.now)

    def end_with(self, error: RuntimeLayerError) -> None:
        with pytest.raises(type(error)), self.outage.noted():
            raise error

    def fail_until_slow(self) -> float:
        pause = 0.0
        for _ in range(8):
            self.now += pause
            self.end_with(AWAY)
            pause = self.outage.left_seconds()
        return pause


def test_pauses_grow_up_to_a_few_seconds_and_failures_within_one_do_not_count() -> None:
    calls = Calls()
    assert calls.outage.left_seconds() == 0
    calls.end_with(AWAY)
    first = calls.outage.left_seconds()
    assert 0.25 <= first <= 0.5
    calls.end_with(AWAY)
    assert calls.outage.left_seconds() == first, "another worker, which had begun before"
    assert 5 <= calls.fail_until_slow() <= 10


@pytest.mark.parametrize(
    "answer",
    [ConflictError(Status(409, "Conflict", "changed"), *CALL), UnusableAnswerError(*CALL, "another object"), None],
    ids=["an error", "nonsense", "success"],
)
def test_any_answer_ends_it(answer: RuntimeLayerError | None) -> None:
    calls = Calls()
    calls.fail_until_slow()
    if answer is None:
        with calls.outage.noted():
            pass
    else:
        calls.end_with(answer)
    assert calls.outage.left_seconds() == 0
    calls.end_with(AWAY)
    assert calls.outage.left_seconds() <= 0.5, "pauses are short again"


def test_a_server_that_is_slow_for_one_node_is_not_away() -> None:
    calls = Calls()
    calls.end_with(DeadlineError(*CALL, 10))
    assert calls.outage.left_seconds() == 0
