"""DeviceFaults with anything in them that the model takes, at any time: a node is never without an answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.devicefault import DeviceFault, duration_of
from fake_dra_driver.driver.fault.evaluation import effects_of
from tests.unit.driver.fault.nodes import DRIVER, START, device, place

WORDS = st.sampled_from(["gpu-0", "gpu-*", "*" * 200, "[", "[!a-z", "\\", "node-0", "A?00", "é", ""]) | st.text(
    max_size=20
)
NAMES = st.lists(WORDS, max_size=3, unique=True)
DURATIONS = st.sampled_from(["1s", "0s", "999999999h", "999999999h999999999h", "0.001ms", "1h30m"])
EXPRESSIONS = st.sampled_from(["true", "device", "1 +", "device.attributes['x'].y", "[1,2].all(x, [1].all(y, x > y))"])
CALLS = st.fixed_dictionaries(
    {},
    optional={"fail": st.fixed_dictionaries({}, optional={"times": st.integers(1, 9)}), "delaySeconds": st.just(3600)},
)
TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "nodes": NAMES,
        "devices": NAMES,
        "models": NAMES,
        "cel": EXPRESSIONS,
        "count": st.integers(1, 4096),
        "seed": st.integers(0, 2**53),
        "claim": st.fixed_dictionaries({"namespace": WORDS, "name": WORDS}),
        "nodeSelector": st.fixed_dictionaries({"matchLabels": st.dictionaries(WORDS, WORDS, max_size=2)}),
    },
)
EFFECTS = st.fixed_dictionaries(
    {},
    optional={
        "health": st.fixed_dictionaries({"state": st.sampled_from(["Unhealthy", "Unknown"]), "message": WORDS}),
        "taint": st.fixed_dictionaries({"key": WORDS, "effect": st.sampled_from(["NoSchedule", "None"])}),
        "vanish": st.booleans(),
        "prepare": CALLS,
        "unprepare": CALLS,
        "binding": st.fixed_dictionaries({"failure": WORDS}),
        "slicesLost": st.booleans(),
        "deregister": st.booleans(),
    },
)
RANDOM = st.fixed_dictionaries(
    {"seed": st.integers(0, 2**53), "meanTimeBetweenFailures": DURATIONS, "meanTimeToRepair": DURATIONS}
)
SPECS = st.fixed_dictionaries(
    {"driverName": st.sampled_from([DRIVER, "other"]), "effects": EFFECTS},
    optional={"target": TARGETS, "duration": DURATIONS, "random": RANDOM},
)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as it asks for


@given(specs=st.lists(SPECS, max_size=4), created=TIMES, now=TIMES)
def test_a_node_always_has_an_answer(specs: list[dict[str, Any]], created: datetime, now: datetime) -> None:
    faults = [
        DeviceFault.from_wire(
            {"metadata": {"name": f"f{number}", "uid": f"u{number}", "creationTimestamp": created}, "spec": spec}
        )
        for number, spec in enumerate(specs)
    ]
    where = place(device(0), device(1, "H100"), device(0, "1g", parent="gpu-0"))
    found = effects_of(faults, where, now)
    names = {each.name for each in where.node.devices}
    assert found.effects.vanished <= names
    assert found.hits.keys() <= {fault.metadata.name for fault in faults}
    assert found.next_change is None or found.next_change > now
    assert found == effects_of(reversed(faults), where, now)


def test_durations_that_no_server_takes_are_as_the_nearest_that_it_does() -> None:
    assert duration_of("0s") == timedelta(seconds=1)
    assert START + duration_of("999999999h999999999h") < datetime(2040, 1, 1, tzinfo=UTC)
