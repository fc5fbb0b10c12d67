"""When devices fail at random."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.driver.fault.randomfailures import FailureTimes
from tests.unit.driver.fault.nodes import START

MINUTE = timedelta(minutes=1)
TIMES = FailureTimes(7, START, between_failures=4 * MINUTE, to_repair=MINUTE)


def test_devices_work_at_first_and_before() -> None:
    for now in (START - timedelta(days=1), START):
        assert not any(TIMES.state("node-0", f"gpu-{index}", now).failed for index in range(100))


@given(seconds=st.floats(0, 10**9))
def test_a_state_holds_until_it_says(seconds: float) -> None:
    now = START + timedelta(seconds=seconds)
    state = TIMES.state("node-0", "gpu-0", now)
    assert state.until > now
    just_before = state.until - timedelta(microseconds=2)
    if just_before > now:
        assert TIMES.state("node-0", "gpu-0", just_before).failed is state.failed


def test_devices_fail_as_long_as_the_means_say() -> None:
    moments = [START + MINUTE * number for number in range(20_000)]
    share = sum(TIMES.state("node-0", "gpu-0", now).failed for now in moments) / len(moments)
    assert 0.17 < share < 0.23
    failures, now = 0, START
    state = TIMES.state("node-0", "gpu-0", now)
    while now < START + 20_000 * MINUTE:
        now = state.until
        after = TIMES.state("node-0", "gpu-0", now)
        failures += after.failed and not state.failed
        state = after
    assert 3_600 < failures < 4_400


def test_each_device_has_times_of_its_own() -> None:
    now = START + timedelta(hours=3)
    states = {TIMES.state(node, f"gpu-{index}", now).until for node in ("node-0", "node-1") for index in range(50)}
    assert len(states) == 100


def test_a_year_later_costs_no_more() -> None:
    # Ten years after the start, with a change each second: if it were walked there, this would not end.
    times = FailureTimes(1, START, timedelta(seconds=1), timedelta(seconds=1))
    assert times.state("node-0", "gpu-0", datetime(2036, 1, 1, tzinfo=UTC)).until.year == 2036


def test_the_sequence_of_a_seed_stays_what_it_is() -> None:
    # From one release to the next: a test that failed under chaos is run again with its seed.
    now, changes = START, []
    for _ in range(4):
        now = TIMES.state("node-0", "gpu-0", now).until
        changes.append(round((now - START).total_seconds(), 3))
    assert changes == [12.706, 115.088, 208.807, 331.642]
