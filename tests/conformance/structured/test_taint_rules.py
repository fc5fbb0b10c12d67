"""DeviceTaintRules, as administrators write them and the eviction of pods reports on them."""

import pytest

from tests.conformance.api import MERGE_PATCH, Api, Json, causes
from tests.conformance.structured.objects import path, taint_rule

LONG_AGO = "2024-05-01T10:00:00Z"
TAINT: Json = {"key": "example.com/broken", "effect": "NoExecute"}
CONDITION: Json = {
    "type": "EvictionInProgress",
    "status": "True",
    "reason": "PodsPendingEviction",
    "message": "",
    "lastTransitionTime": LONG_AGO,
}


@pytest.fixture
def rules() -> str:
    """The path of all rules."""
    return path("devicetaintrules")


def test_what_is_written_is_read(api: Api, rules: str, namespace: str) -> None:
    body = taint_rule(namespace, deviceSelector={"driver": "d.example.com", "pool": "a/b", "device": "dev-0"})
    answer = api.post(rules, {**body, "status": {"conditions": [CONDITION]}})
    assert (answer["spec"], answer["status"], answer["metadata"]["generation"]) == (body["spec"], {}, 1)
    assert api.get(f"{rules}/{namespace}") == answer
    assert api.delete(f"{rules}/{namespace}")["kind"] == "Status"


def test_both_versions_show_the_same_rule(api: Api, rules: str, namespace: str) -> None:
    created = api.post(rules, taint_rule(namespace, deviceSelector={}))
    found = api.get(path("devicetaintrules", namespace, version="v1beta2"))
    assert found["apiVersion"] == "resource.k8s.io/v1beta2"
    assert found["spec"] == created["spec"]


def test_a_taint_is_dated_each_time_it_comes_without_a_time(api: Api, rules: str, namespace: str) -> None:
    created = api.post(rules, taint_rule(namespace, taint=TAINT))
    assert created["spec"]["taint"]["timeAdded"] >= created["metadata"]["creationTimestamp"]
    api.put(f"{rules}/{namespace}", taint_rule(namespace) | {"metadata": created["metadata"]})
    body = taint_rule(namespace, taint=TAINT) | {"metadata": api.get(f"{rules}/{namespace}")["metadata"]}
    assert api.put(f"{rules}/{namespace}", body)["spec"]["taint"]["timeAdded"] > LONG_AGO


def test_a_new_effect_is_dated(api: Api, rules: str, namespace: str) -> None:
    """Unless the client dates it itself. Another key or value is no reason."""
    api.post(rules, taint_rule(namespace))
    target = f"{rules}/{namespace}"
    assert api.patch(target, {"spec": {"taint": {"value": "v"}}})["spec"]["taint"]["timeAdded"] == LONG_AGO
    changed = api.patch(target, {"spec": {"taint": {"effect": "None"}}})
    assert changed["spec"]["taint"]["timeAdded"] > LONG_AGO
    assert changed["metadata"]["generation"] == 3
    given = {"effect": "NoSchedule", "timeAdded": LONG_AGO}
    assert api.patch(target, {"spec": {"taint": given}})["spec"]["taint"]["timeAdded"] == LONG_AGO


def test_only_older_versions_can_be_replaced_without_a_version(api: Api, rules: str, namespace: str) -> None:
    api.post(rules, taint_rule(namespace))
    words = "must be specified for an update"
    api.refused(422, "Invalid", "PUT", f"{rules}/{namespace}", taint_rule(namespace), says=words)
    api.put(path("devicetaintrules", namespace, version="v1beta2"), taint_rule(namespace, "v1beta2"))


def test_the_status_is_written_by_itself(api: Api, rules: str, namespace: str) -> None:
    before = api.post(rules, taint_rule(namespace))
    change = {"metadata": {"labels": {"a": "b"}}, "spec": {"deviceSelector": {}}, "status": {"conditions": [CONDITION]}}
    after = api.patch(f"{rules}/{namespace}/status", change)
    assert after["status"] == {"conditions": [CONDITION]}
    assert after["spec"] == before["spec"]
    assert "labels" not in after["metadata"]
    assert after["metadata"]["generation"] == 1
    again = api.patch(f"{rules}/{namespace}", {"spec": {"deviceSelector": {}}, "status": None})
    assert again["status"] == {"conditions": [CONDITION]}
    assert again["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (
            {"taint": {}},
            {"spec.taint.key": "FieldValueInvalid", "spec.taint.effect": "FieldValueRequired"},
        ),
        (
            {"taint": {"key": "a b", "value": "ü", "effect": "Never"}},
            {
                "spec.taint.key": "FieldValueInvalid",
                "spec.taint.value": "FieldValueInvalid",
                "spec.taint.effect": "FieldValueNotSupported",
            },
        ),
        (
            {"deviceSelector": {"driver": "", "pool": "", "device": ""}},
            {
                "spec.deviceSelector.driver": "FieldValueRequired",
                "spec.deviceSelector.pool": "FieldValueRequired",
                "spec.deviceSelector.device": "FieldValueInvalid",
            },
        ),
        (
            {"deviceSelector": {"driver": "d" * 64, "pool": "a b", "device": "A_b"}},
            {
                "spec.deviceSelector.driver": "FieldValueTooLong",
                "spec.deviceSelector.pool": "FieldValueInvalid",
                "spec.deviceSelector.device": "FieldValueInvalid",
            },
        ),
    ],
    ids=["no taint", "taint", "empty selection", "selection"],
)
def test_what_is_wrong_with_a_rule(api: Api, rules: str, namespace: str, spec: Json, found: Json) -> None:
    assert causes(api.refused(422, "Invalid", "POST", rules, taint_rule(namespace, **spec))) == found


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([{"type": "X"}], "status.conditions[0].lastTransitionTime: Required value"),
        ([{**CONDITION, "type": ""}], "status.conditions[0].type: Required value: is required"),
        ([{**CONDITION, "type": "a b"}], 'status.conditions[0].type: Invalid value: "a b": name part must consist of'),
        (
            [{**CONDITION, "status": "Maybe"}],
            'status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
        ),
        (
            [{**CONDITION, "reason": "a b"}],
            'status.conditions[0].reason: Invalid value: "a b": a condition reason must',
        ),
        (
            [{**CONDITION, "reason": "R" * 1025}],
            "status.conditions[0].reason: Too long: may not be more than 1024 bytes",
        ),
        (
            [{**CONDITION, "message": "m" * 32769}],
            "status.conditions[0].message: Too long: may not be more than 32768 bytes",
        ),
        (
            [{**CONDITION, "observedGeneration": -1}],
            "status.conditions[0].observedGeneration: Invalid value: -1: must be greater than or equal to zero",
        ),
        ([CONDITION, CONDITION], 'status.conditions[1]: Duplicate value: "EvictionInProgress"'),
        (
            [{**CONDITION, "type": f"X{number}"} for number in range(9)],
            "status.conditions: Too many: 9: must have at most 8 items",
        ),
    ],
)
def test_what_is_wrong_with_a_condition(
    api: Api, rules: str, namespace: str, conditions: list[Json], words: str
) -> None:
    api.post(rules, taint_rule(namespace))
    body = {"status": {"conditions": conditions}}
    target = f"{rules}/{namespace}/status"
    api.refused(422, "Invalid", "PATCH", target, body, says=words, content_type=MERGE_PATCH)
