"""Merge, JSON and strategic merge patches."""

from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.merge.patchformats import json_patch, merge_patch, strategic_merge_patch
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry


def test_a_merge_patch_sets_removes_and_replaces_lists() -> None:
    assert merge_patch({"a": 1, "b": {"c": 1, "d": 2}, "l": [1, 2]}, {"a": None, "b": {"c": 3}, "l": [3]}) == {
        "b": {"c": 3, "d": 2},
        "l": [3],
    }


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "replace", "path": "/new", "value": 1}, {"a": [1, 2], "new": 1}),
        ({"op": "test", "path": "/absent", "value": None}, {"a": [1, 2]}),
        ({"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}),
    ],
)
def test_a_json_patch_is_as_lenient_as_a_real_server(operation: Any, expected: Any) -> None:
    assert json_patch({"a": [1, 2]}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/b"},
        {"op": "bogus", "path": "/a"},
        {"op": "replace", "path": "/x/y", "value": 1},
        {"op": "test", "path": "/b", "value": 1},
    ],
)
def test_an_operation_that_is_not_possible_is_422(operation: Any) -> None:
    target = {"a": 1}
    with pytest.raises(StatusError) as caught:
        json_patch(target, [{"op": "add", "path": "/c", "value": 1}, operation])
    assert (caught.value.code, caught.value.details) == (422, {})
    assert target == {"a": 1}


def containers(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "image": f"{name}:1"} for name in names]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"containers": [{"name": "a", "image": "a:2"}]}, [{"name": "a", "image": "a:2"}, *containers("b")]),
        ({"containers": containers("c")}, containers("a", "b", "c")),
        ({"containers": [{"name": "a", "$patch": "delete"}]}, containers("b")),
        ({"containers": [{"$patch": "replace"}, *containers("c")]}, containers("c")),
        ({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}, containers("b", "a")),
    ],
)
def test_a_strategic_merge_patch_merges_lists_by_key(types: TypeRegistry, patch: Any, expected: Any) -> None:
    spec = types.named("io.k8s.api.core.v1.PodSpec")
    assert strategic_merge_patch({"containers": containers("a", "b")}, patch, spec)["containers"] == expected


def test_an_item_without_its_merge_key_is_refused(types: TypeRegistry) -> None:
    with pytest.raises(StatusError, match="does not contain declared merge key: name"):
        strategic_merge_patch({}, {"containers": [{"image": "x"}]}, types.named("io.k8s.api.core.v1.PodSpec"))


def test_lists_of_scalars_are_united_and_emptied_by_directives(types: TypeRegistry) -> None:
    meta = types.named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    merged = strategic_merge_patch({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, meta)
    assert merged["finalizers"] == ["a", "b"]
    assert strategic_merge_patch(merged, {"$deleteFromPrimitiveList/finalizers": ["a"]}, meta)["finalizers"] == ["b"]
