"""What is known of fields that an API server drops, and for how long."""

from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.fleet.keptfields import KeptFields

TAINTS = frozenset({"devices[].taints"})
COUNTERS = frozenset({"devices[].consumesCounters"})
BOTH = TAINTS | COUNTERS
DROPPED = DroppedFields(tuple(TAINTS))


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_is_asked_about_what_is_not_known() -> None:
    kept = KeptFields(Time())
    assert [kept.must_ask(fields) for fields in (frozenset[str](), COUNTERS)] == [False, True]
    kept.take(COUNTERS, None)
    assert [kept.must_ask(fields) for fields in (frozenset[str](), COUNTERS, BOTH)] == [False, False, True]
    kept.take(BOTH, DROPPED)
    assert [kept.must_ask(fields) for fields in (TAINTS, BOTH)] == [False, False]
    assert [kept.is_partial(fields) for fields in (COUNTERS, TAINTS, BOTH)] == [False, True, True]


def test_after_an_hour_it_may_be_otherwise() -> None:
    time = Time()
    kept = KeptFields(time)
    kept.take(BOTH, DROPPED)
    assert (kept.next_expiry_seconds(BOTH), kept.next_expiry_seconds(COUNTERS)) == (3600, None)
    time.now = 3600
    assert kept.must_ask(BOTH)
    assert kept.is_partial(BOTH), "until it is known better"
    assert kept.next_expiry_seconds(BOTH) is None, "there is nothing more to wait for"
    assert not kept.take(BOTH, DROPPED)
    assert kept.next_expiry_seconds(BOTH) == 3600
    assert kept.take(BOTH, None), "they are kept from now on"
    assert not kept.is_partial(BOTH)
    assert not kept.take(BOTH, None)
