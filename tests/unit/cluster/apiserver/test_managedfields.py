"""Field sets, and server-side apply as a function."""

from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.merge.fieldpaths import FieldSet
from fake_dra_driver.cluster.apiserver.merge.managedfields import Writer, apply_configuration, track_update
from fake_dra_driver.cluster.apiserver.types.objecttype import Type, TypeRegistry

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "color": {"type": "string"},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "items": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "v": {"type": "integer"}},
                    },
                },
            },
        }
    },
}


@pytest.fixture
def widget(types: TypeRegistry) -> Type:
    return types.custom(SCHEMA)


def writer(manager: str, operation: str = "Apply") -> Writer:
    return Writer(manager, operation, "x/v1", "", "2026-01-01T00:00:00Z")


def applied(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "x/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_field_sets_survive_the_way_to_the_wire() -> None:
    wire = {"f:spec": {".": {}, "f:items": {'k:{"name":"a"}': {".": {}, "f:v": {}}}, "f:tags": {'v:"x"': {}}}}
    assert FieldSet.from_wire(wire).to_wire() == wire


def test_applying_owns_what_is_named(widget: Type) -> None:
    live = {"apiVersion": "x/v1", "kind": "Widget", "metadata": {}}
    obj = apply_configuration(
        live, applied(color="red", items=[{"name": "a", "v": 1}]), widget, writer("m1"), force=False
    )
    assert obj["spec"] == {"color": "red", "items": [{"name": "a", "v": 1}]}
    assert owners(obj)["m1"] == {
        "f:spec": {"f:color": {}, "f:items": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:v": {}}}}
    }


def test_another_owner_is_a_conflict_until_it_is_forced(widget: Type) -> None:
    obj = apply_configuration({"metadata": {}}, applied(color="red"), widget, writer("m1"), force=False)
    with pytest.raises(StatusError) as caught:
        apply_configuration(obj, applied(color="blue"), widget, writer("m2"), force=False)
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "m1": .spec.color'
    assert caught.value.details is not None
    assert caught.value.details["causes"][0]["field"] == ".spec.color"
    forced = apply_configuration(obj, applied(color="blue"), widget, writer("m2"), force=True)
    assert forced["spec"]["color"] == "blue"
    assert set(owners(forced)) == {"m2"}


def test_the_same_value_is_shared(widget: Type) -> None:
    obj = apply_configuration({"metadata": {}}, applied(color="red"), widget, writer("m1"), force=False)
    shared = apply_configuration(obj, applied(color="red"), widget, writer("m2"), force=False)
    assert set(owners(shared)) == {"m1", "m2"}
    left = apply_configuration(shared, applied(), widget, writer("m1"), force=False)
    assert left["spec"] == {"color": "red"}


def test_what_is_named_no_more_goes_and_items_of_others_stay(widget: Type) -> None:
    obj = apply_configuration(
        {"metadata": {}},
        applied(color="red", items=[{"name": "a", "v": 1}], tags=["x"]),
        widget,
        writer("m1"),
        force=False,
    )
    obj = apply_configuration(
        obj, applied(items=[{"name": "b", "v": 2}], tags=["y"]), widget, writer("m2"), force=False
    )
    assert [item["name"] for item in obj["spec"]["items"]] == ["a", "b"]
    obj = apply_configuration(obj, applied(color="red"), widget, writer("m1"), force=False)
    assert obj["spec"] == {"color": "red", "items": [{"name": "b", "v": 2}], "tags": ["y"]}


def test_an_update_takes_over_what_it_changes(widget: Type) -> None:
    old = apply_configuration({"metadata": {}}, applied(color="red"), widget, writer("m1"), force=False)
    new = {**old, "metadata": {**old["metadata"]}, "spec": {"color": "blue"}}
    track_update(old, new, widget, writer("editor", "Update"))
    assert owners(new) == {"editor": {"f:spec": {"f:color": {}}}}
