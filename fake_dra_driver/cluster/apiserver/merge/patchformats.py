"""The patch types: JSON merge patch, JSON patch, and strategic merge patch for the built-in kinds.

Follows k8s.io/apiserver/pkg/endpoints/handlers/patch.go and k8s.io/apimachinery/pkg/util/strategicpatch. A patch
is computed on the object as clients see it. Server-side apply is in ``managedfields``.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jsonpatch
import jsonpointer

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.objecttype import Shape, Type

__all__ = [
    "APPLY_PATCH",
    "JSON_PATCH",
    "MERGE_PATCH",
    "PATCH_TYPES",
    "STRATEGIC_PATCH",
    "json_patch",
    "merge_patch",
    "strategic_merge_patch",
]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
MAX_JSON_PATCH_OPERATIONS = 10_000
"""maxJSONPatchOperations."""
_DIRECTIVE = "$patch"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects are merged, anything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def json_patch(target: Object, operations: Any) -> Object:
    """RFC 6902, as the library of the API server does it: replacing a missing member of an object adds it.

    Raises:
        StatusError: 400, it is no list of operations; 422, an operation is not possible, or a test does not hold.
    """
    if not isinstance(operations, list):
        kind = "object" if isinstance(operations, Mapping) else type(operations).__name__
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > MAX_JSON_PATCH_OPERATIONS:
        raise StatusError(
            413,
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {MAX_JSON_PATCH_OPERATIONS}, got {len(operations)}",
        )
    result: Any = json.loads(json.dumps(target))
    try:
        for operation in operations:
            result = jsonpatch.apply_patch(result, [_lenient(result, operation)], in_place=True)
    except (
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        message = "the server rejected our request due to an error in our request"
        raise StatusError(422, "Invalid", message, {}) from error
    if not isinstance(result, dict):
        raise bad_request("the patch leaves no object")
    return result


def _lenient(target: Any, operation: Any) -> Any:
    """Go's evanphx/json-patch takes ``replace`` and ``test`` with null on members that are not there."""
    missing = object()
    if not isinstance(operation, Mapping) or operation.get("op") not in ("replace", "test"):
        return operation
    pointer = jsonpointer.JsonPointer(operation["path"])
    if not pointer.parts or pointer.resolve(target, missing) is not missing:
        return operation
    parent = jsonpointer.JsonPointer.from_parts(pointer.parts[:-1]).resolve(target, missing)
    if not isinstance(parent, Mapping):
        return operation
    if operation["op"] == "replace":
        return {**operation, "op": "add"}
    if operation.get("value") is None:
        return {"op": "test", "path": "", "value": target}
    return operation


def strategic_merge_patch(target: Any, patch: Any, type_: Type | None) -> Any:
    """A merge patch that merges the items of lists by their merge key, and follows ``$patch`` directives.

    Raises:
        StatusError: 400, an item lacks the merge key, or a directive is unknown.
    """
    if not isinstance(patch, Mapping):
        return patch
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type: {directive}")
    result = dict(target) if isinstance(target, Mapping) else {}
    if isinstance(patch.get(_RETAIN), Sequence):
        result = {name: value for name, value in result.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name.startswith(_DELETE_FROM):
            field = name.removeprefix(_DELETE_FROM)
            result[field] = [each for each in result.get(field) or () if each not in value]
        elif name in (_DIRECTIVE, _RETAIN) or name.startswith(_ORDER):
            continue
        elif value is None:
            result.pop(name, None)
        else:
            field_type = type_.field(name) if type_ is not None else None
            result[name] = _merge_value(result.get(name), value, field_type)
    for name, order in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            field_type = type_.field(field) if type_ is not None else None
            if isinstance(result.get(field), list):
                result[field] = _ordered(result[field], order, field_type.merge_key if field_type else None)
    return result


def _merge_value(target: Any, value: Any, type_: Type | None) -> Any:
    if isinstance(value, Mapping):
        return strategic_merge_patch(target, value, type_)
    if not isinstance(value, list) or type_ is None or type_.shape is not Shape.LIST or type_.merge_key is None:
        return value
    if not type_.merge_key:
        return list(dict.fromkeys((*(target or ()), *value)))
    return _merge_items(target or [], value, type_, type_.merge_key)


def _merge_items(target: Sequence[Any], patch: Sequence[Any], type_: Type, key: str) -> list[Any]:
    if any(each.get(_DIRECTIVE) == "replace" for each in patch):
        return [each for each in patch if _DIRECTIVE not in each]
    result = list(target)
    for each in patch:
        if key not in each:
            raise bad_request(f"map: {json.dumps(each)} does not contain declared merge key: {key}")
        at = next((at for at, item in enumerate(result) if item.get(key) == each[key]), None)
        if each.get(_DIRECTIVE) == "delete":
            result = [item for item in result if item.get(key) != each[key]]
        elif at is None:
            result.append(strategic_merge_patch({}, each, type_.element))
        else:
            result[at] = strategic_merge_patch(result[at], each, type_.element)
    return result


def _ordered(items: list[Any], order: Sequence[Any], key: str | None) -> list[Any]:
    """Items in the order that the patch asks for; the others stay behind their predecessors."""
    wanted = [each[key] if key and isinstance(each, Mapping) else each for each in order]

    def rank(item: Any) -> int:
        value = item.get(key) if key and isinstance(item, Mapping) else item
        return wanted.index(value) if value in wanted else -1

    listed = iter(sorted((item for item in items if rank(item) >= 0), key=rank))
    return [item if rank(item) < 0 else next(listed) for item in items]
