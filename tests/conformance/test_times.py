"""Times in bodies: which there are, and what becomes of them."""

import pytest

from tests.conformance.api import Api
from tests.conformance.objects import core, event


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2024-02-29T23:30:00.5-01:00", "2024-03-01T00:30:00Z"),
        ("2024-01-01T00:00:00+24:00", "2023-12-31T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "0000-12-31T10:00:00Z"),
        ("0000-01-01T00:00:00+01:00", "-0001-12-31T23:00:00Z"),
        ("9999-12-31T23:59:59-05:00", "10000-01-01T04:59:59Z"),
        ("0001-01-01T01:00:00+01:00", None),
    ],
)
def test_a_time(api: Api, namespace: str, written: str, kept: str | None) -> None:
    path = core(namespace, "events")
    body = {**event("e", namespace, "pod"), "firstTimestamp": written}
    assert api.post(path, body)["firstTimestamp"] == kept
    assert api.get(f"{path}/e")["firstTimestamp"] == kept


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("2024-13-01T00:00:00Z", "month"),
        ("2023-02-29T00:00:00Z", "day"),
        ("2024-01-00T00:00:00+01:00", "day"),
        ("2024-01-01T24:00:00Z", "hour"),
        ("2024-01-01T23:60:00Z", "minute"),
        ("2024-01-01T23:59:60Z", "second"),
        ("2024-01-01T00:00:00+25:00", "time zone offset hour"),
        ("2024-01-01T00:00:00+23:61", "time zone offset minute"),
    ],
)
def test_a_time_that_there_is_not(api: Api, namespace: str, written: str, wrong: str) -> None:
    body = {**event("e", namespace, "pod"), "firstTimestamp": written}
    says = f'parsing time "{written}": {wrong} out of range'
    api.refused(400, "BadRequest", "POST", core(namespace, "events"), body, says=says)


@pytest.mark.parametrize(
    ("time", "age"), [("0000-01-01T00:00:00Z", "292y"), ("9999-12-31T23:59:59-05:00", "<invalid>")]
)
def test_the_age_of_what_is_far_away(api: Api, namespace: str, time: str, age: str) -> None:
    path = core(namespace, "events")
    api.post(path, {**event("e", namespace, "pod"), "lastTimestamp": time})
    table = api.call("GET", path, accept="application/json;as=Table;v=v1;g=meta.k8s.io").json()
    assert table["rows"][0]["cells"][0] == age
