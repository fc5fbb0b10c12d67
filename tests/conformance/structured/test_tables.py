"""What ``kubectl get`` shows of structured DRA."""

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.structured.objects import (
    DRIVER,
    allocation,
    claim,
    device_class,
    path,
    slice_of,
    taint_rule,
    template,
)
from tests.conformance.test_tables import columns, rows


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_columns(api: Api, namespace: str, version: str) -> None:
    shown = {
        "deviceclasses": "Age",
        "resourceclaims": "State, Age",
        "resourceclaimtemplates": "Age",
        "resourceslices": "Node, Driver, Pool, Age",
    }
    for plural, names in shown.items():
        space = namespace if plural.startswith("resourceclaim") else ""
        assert columns(api, path(plural, namespace=space, version=version)) == names


@pytest.mark.parametrize(
    ("status", "deleted", "state"),
    [
        ({}, False, "pending"),
        ({}, True, "deleted"),
        (allocation(), False, "allocated"),
        (allocation(pods=("p",)), False, "allocated,reserved"),
        (allocation(), True, "deleted,allocated"),
        (allocation(pods=("p",)), True, "deleted,allocated,reserved"),
    ],
)
def test_the_state_of_a_claim(api: Api, claims: str, status: Json, deleted: bool, state: str) -> None:
    api.post(claims, claim("a"))
    api.patch(f"{claims}/a/status", {"status": status})
    if deleted:
        api.add_finalizer(f"{claims}/a")
        api.delete(f"{claims}/a")
    assert rows(api, claims)["a"][0] == state


def test_a_slice(api: Api, slices: str, namespace: str) -> None:
    api.post(slices, slice_of(namespace))
    assert rows(api, f"{slices}/{namespace}")[namespace][:-1] == [namespace, DRIVER, namespace]
    everywhere = slice_of(f"{namespace}-all", nodeName=None, allNodes=True)
    api.post(slices, everywhere)
    assert rows(api, f"{slices}/{namespace}-all")[f"{namespace}-all"][0] == ""


def test_a_taint_rule(api: Api, namespace: str) -> None:
    rules = path("devicetaintrules")
    assert columns(api, rules) == "Key, Value, Effect, TimeAdded, Age"
    api.post(rules, taint_rule(namespace, taint={"key": "a", "effect": "NoSchedule"}))
    assert rows(api, rules)[namespace][:-2] == ["a", "", "NoSchedule"]


def test_templates_and_classes_have_an_age_alone(api: Api, namespace: str) -> None:
    templates = path("resourceclaimtemplates", namespace=namespace)
    api.post(templates, template("t"))
    api.post(path("deviceclasses"), device_class(namespace))
    assert len(rows(api, templates)["t"]) == 1
    assert len(rows(api, path("deviceclasses"))[namespace]) == 1
