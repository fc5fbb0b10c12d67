"""Each field that an API server drops is named, with the gate that brings it back."""

from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.featuregates import FEATURE_GATES, dropped_fields

POOL = {"name": "p", "generation": 1, "resourceSliceCount": 1}

WHOLE: dict[str, Any] = {
    "driver": "d",
    "pool": POOL,
    "perDeviceNodeSelection": True,
    "sharedCounters": [{"name": "s", "counters": {"c": {"value": "1"}}}],
    "partitionTypeAttribute": "d/x",
    "skipNodeOperations": ["*"],
    "devices": [
        {
            "name": "dev-0",
            "attributes": {
                "one": {"ints": [1]},
                "two": {"bools": [True]},
                "three": {"strings": ["a"]},
                "d.example.com/four": {"versions": ["1.0.0"]},
                "kept": {"string": "a"},
            },
            "capacity": {"memory": {"value": "1Gi", "requestPolicy": {"default": "1Gi"}}},
            "consumesCounters": [
                {"counterSet": "s", "counters": {"c": {"value": "1"}}, "compatibilityGroups": ["g"]},
            ],
            "nodeName": "n",
            "nodeSelector": {"nodeSelectorTerms": [{}]},
            "allNodes": True,
            "taints": [{"key": "k", "effect": "NoSchedule"}],
            "bindsToNode": True,
            "bindingConditions": ["A"],
            "bindingFailureConditions": ["B"],
            "allowMultipleAllocations": False,
            "nodeAllocatableResources": {"cpu": {}, "memory": {"mapping": {}}},
            "nodeAllocatableResourceMappings": {"cpu": {"capacityKey": "memory"}},
        }
    ],
}
"""Everything at once, which no API server would take."""


def read(wire: dict[str, Any]) -> v1.ResourceSliceSpec:
    return v1.ResourceSliceSpec.model_validate(wire)


def dropping(value: Any, path: str) -> Any:
    """The spec without the field of that path."""
    head, _, rest = path.partition(".")
    name = head.removesuffix("[]")
    if not rest:
        return {key: inner for key, inner in value.items() if key != name}
    inner = value[name]
    if isinstance(inner, list):
        return {**value, name: [dropping(each, rest) for each in inner]}
    return {**value, name: {key: dropping(each, rest) for key, each in inner.items()}}


@pytest.mark.parametrize(("field", "gate"), [(field, gate) for gate in FEATURE_GATES for field in gate.fields])
def test_each_field_is_found_with_its_gate(field: str, gate: Any) -> None:
    found = dropped_fields(read(WHOLE), read(dropping(WHOLE, field)))
    assert found is not None
    assert found.fields == (field,)
    assert found.gates == (gate,)


def test_nothing_is_dropped_where_only_words_and_empty_fields_differ() -> None:
    sent = {
        "driver": "d",
        "pool": POOL,
        "devices": [{"name": "dev-0", "taints": [], "capacity": {"m": {"value": "1024Mi"}}}],
    }
    stored = {
        **sent,
        "pool": {**POOL, "generation": 2},
        "devices": [{"name": "dev-0", "capacity": {"m": {"value": "1Gi"}}}],
    }
    assert dropped_fields(read(sent), read(stored)) is None


def test_the_sentence_says_what_to_do() -> None:
    stored = WHOLE
    for field in ("devices[].taints", "devices[].bindsToNode"):
        stored = dropping(stored, field)
    assert str(dropped_fields(read(WHOLE), read(stored))) == (
        "the API server does not keep devices[].bindsToNode, devices[].taints of ResourceSlices; switch on the feature "
        "gates DRADeviceTaints (Kubernetes 1.33 and later, on by default since 1.36), DRADeviceBindingConditions and "
        "DRAResourceClaimDeviceStatus (Kubernetes 1.34 and later, on by default since 1.36) in kube-apiserver"
    )


def test_what_no_gate_explains_is_named_too() -> None:
    stored = dropping(WHOLE, "devices[].attributes")
    assert str(dropped_fields(read(WHOLE), read(stored))) == (
        "the API server does not keep devices[].attributes of ResourceSlices; no feature gate is known for "
        "devices[].attributes: an admission webhook may be the cause"
    )
    changed = {**WHOLE, "devices": [{**WHOLE["devices"][0], "name": "another"}]}
    found = dropped_fields(read(WHOLE), read(changed))
    assert found is not None
    assert found.fields == ("devices[].name",)
    fewer = dropped_fields(read(WHOLE), read({**WHOLE, "devices": []}))
    assert fewer is not None
    assert fewer.fields == ("devices",)
