"""What is read from an audit log, and how it is added up."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.bench.audit import AuditedRequest, Traffic, read_audit_log
from tests.bench.classic.reaction import reaction_times

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
DRIVER, SCHEDULER = "fake-dra-controller", "kube-scheduler"


def event(
    agent: str, verb: str, resource: str, *, name: str = "", code: int = 200, at_ms: float = 0, took_ms: float = 1
) -> dict[str, Any]:
    """An event as the API server writes it."""
    plural, _, subresource = resource.partition("/")
    received = BEGUN + timedelta(milliseconds=at_ms)
    answered = received + timedelta(milliseconds=took_ms)
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "stage": "ResponseComplete",
        "verb": verb,
        "userAgent": f"{agent}/v1 (linux/amd64)",
        "objectRef": {"resource": plural, "name": name, **({"subresource": subresource} if subresource else {})},
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": received.isoformat().replace("+00:00", "Z"),
        "stageTimestamp": answered.isoformat().replace("+00:00", "Z"),
    }


def requests(*events: dict[str, Any]) -> list[AuditedRequest]:
    return [AuditedRequest.of(raw) for raw in events]


def test_reads_an_event() -> None:
    (found,) = requests(event(DRIVER, "patch", "resourceclaims/status", name="a", code=409, at_ms=5, took_ms=2))

    assert found == AuditedRequest(
        agent=DRIVER,
        verb="patch",
        resource="resourceclaims/status",
        name="a",
        code=409,
        received=BEGUN + timedelta(milliseconds=5),
        answered=BEGUN + timedelta(milliseconds=7),
    )


def test_reads_an_event_about_no_object_and_without_an_answer() -> None:
    raw = event(DRIVER, "get", "")
    del raw["objectRef"], raw["responseStatus"], raw["userAgent"]

    (found,) = requests(raw)

    assert (found.agent, found.resource, found.name, found.code) == ("", "", "", 0)


def test_reads_all_logs_from_a_moment_on(tmp_path: Path) -> None:
    rotated = [event(DRIVER, "get", "nodes", name=name, at_ms=at) for name, at in (("old", 1), ("last", 2))]
    (tmp_path / "audit-2026-01-01.log").write_text("".join(json.dumps(raw) + "\n" for raw in rotated))
    (tmp_path / "audit.log").write_text(json.dumps(event(DRIVER, "get", "nodes", name="new", at_ms=3)) + "\n")
    (tmp_path / "kube-apiserver.log").write_text("no JSON\n")

    found = [request.name for request in read_audit_log(tmp_path, BEGUN + timedelta(milliseconds=2))]

    assert found == ["last", "new"]


def test_adds_up_the_requests_of_one_client() -> None:
    found = Traffic.of(
        requests(
            event(DRIVER, "watch", "pods"),
            event(DRIVER, "patch", "resourceclaims"),
            event(DRIVER, "patch", "resourceclaims"),
            event(DRIVER, "patch", "resourceclaims", code=409),
            event(DRIVER, "patch", "nodeallocationstates", code=422),
            event(DRIVER, "get", "nodes", code=404),
            event(SCHEDULER, "create", "pods/binding", code=409),
        ),
        DRIVER,
    )

    assert (found.total, found.writes, found.lost) == (6, 4, 2)
    assert found.by_kind == {
        "patch resourceclaims": 2,
        "watch pods": 1,
        "patch resourceclaims 409": 1,
        "patch nodeallocationstates 422": 1,
        "get nodes": 1,
    }


def test_reaction_is_from_the_last_selection_to_the_first_allocation() -> None:
    found = reaction_times(
        requests(
            event(SCHEDULER, "create", "podschedulingcontexts", name="a", at_ms=0, took_ms=2),
            event(SCHEDULER, "patch", "podschedulingcontexts", name="a", at_ms=10, took_ms=2),
            event(DRIVER, "patch", "resourceclaims/status", name="a", code=409, at_ms=13),
            event(DRIVER, "patch", "resourceclaims/status", name="a", at_ms=20, took_ms=5),
            event(SCHEDULER, "delete", "podschedulingcontexts", name="a", at_ms=30),
            event(DRIVER, "patch", "resourceclaims/status", name="a", at_ms=40),
            event(SCHEDULER, "create", "podschedulingcontexts", name="b", at_ms=1),
            event(DRIVER, "patch", "resourceclaims/status", name="b", at_ms=3, took_ms=4),
        ),
        DRIVER,
        ["a", "b"],
    )

    assert list(found) == [13, 5]


@pytest.mark.parametrize("missing", ["podschedulingcontexts", "resourceclaims/status"])
def test_reaction_of_a_claim_that_the_log_does_not_tell(missing: str) -> None:
    events = [
        event(SCHEDULER, "create", "podschedulingcontexts", name="a"),
        event(DRIVER, "patch", "resourceclaims/status", name="a", at_ms=5),
    ]
    found = [request for request in requests(*events) if request.resource != missing]

    with pytest.raises(ValueError, match="claim a"):
        list(reaction_times(found, DRIVER, ["a"]))
