"""The patch types: JSON merge patch, JSON patch, and strategic merge patch for the built-in kinds.

Follows k8s.io/apiserver/pkg/endpoints/handlers/patch.go and k8s.io/apimachinery/pkg/util/strategicpatch. A patch
is computed on the object as clients see it. Server-side apply is in ``managedfields``. The time that a patch takes
grows with its size and that of the object, and not with their product.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jsonpatch
import jsonpointer

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, go_quoted, invalid_value
from fake_dra_driver.cluster.apiserver.store.store import Object, encode
from fake_dra_driver.cluster.apiserver.types.decode import json_kind
from fake_dra_driver.cluster.apiserver.types.objecttype import Shape, Type

__all__ = [
    "APPLY_PATCH",
    "JSON_PATCH",
    "MERGE_PATCH",
    "PATCH_TYPES",
    "STRATEGIC_PATCH",
    "json_patch",
    "merge_patch",
    "patched",
    "strategic_merge_patch",
    "unfit",
]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
MAX_JSON_PATCH_OPERATIONS = 10_000
"""maxJSONPatchOperations."""
MAX_COPIED_BYTES = 3 * 1024 * 1024
"""What all copies of a JSON patch together may come to: the longest body (AccumulatedCopySizeLimit)."""
_DIRECTIVE = "$patch"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"
_GONE = object()
"""In the place of an item that was deleted."""


def patched(present: Object, content_type: str, patch: Any, type_: Type | None) -> Object:
    """The object that a patch, which is not an apply, makes of the present one. Raises StatusError."""
    if content_type == JSON_PATCH:
        return json_patch(present, patch)
    if patch is None and content_type == MERGE_PATCH:
        raise bad_request("Invalid JSON Patch")
    if patch is not None and not isinstance(patch, dict):
        problem = f"json: cannot unmarshal {json_kind(patch)} into Go value of type map[string]interface {{}}"
        raise bad_request(problem if content_type == STRATEGIC_PATCH else f"error decoding patch: {problem}")
    merge = merge_patch if content_type == MERGE_PATCH else partial(strategic_merge_patch, type_=type_)
    result: Object = merge(present, patch or {})
    return result


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


# --- JSON patch ---


def json_patch(target: Object, operations: Any) -> Object:
    """RFC 6902, as the library of the API server does it: replacing a missing member of an object adds it.

    Raises:
        StatusError: 400, it is no list of operations; 413, there are too many; 422, an operation is not possible, or a
            test does not hold.
    """
    for operation in _operations(operations):
        _check_operation(operation)
    result: Any = json.loads(json.dumps(target))
    copied = 0
    try:
        for operation in operations or ():
            wanted = _lenient(result, operation)
            if wanted is None:
                continue
            if wanted.get("op") == "copy":
                copied += len(encode(jsonpointer.resolve_pointer(result, wanted["from"])))
                if copied > MAX_COPIED_BYTES:
                    raise _refused()
            result = jsonpatch.apply_patch(result, [wanted], in_place=True)
    except (
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise _refused() from error
    if not isinstance(result, dict):
        problem = f"json: cannot unmarshal {json_kind(result)} into Go value of type map[string]interface {{}}"
        raise unfit(result, problem)
    return result


def _operations(patch: Any) -> Sequence[Any]:
    if patch is None:
        return ()
    if not isinstance(patch, list):
        problem = f"json: cannot unmarshal {json_kind(patch)} into Go value of type []handlers.jsonPatchOp"
        raise bad_request(f"error decoding patch: {problem}")
    if len(patch) > MAX_JSON_PATCH_OPERATIONS:
        most = f"The allowed maximum operations in a JSON patch is {MAX_JSON_PATCH_OPERATIONS}, got {len(patch)}"
        raise StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {most}")
    return patch


def _check_operation(operation: Any) -> None:
    """Its members must have the right types. Raises StatusError (400)."""
    problem = ""
    if operation is not None and not isinstance(operation, dict):
        problem = f"{json_kind(operation)} into Go value of type handlers.jsonPatchOp"
    else:
        for name in ("op", "path", "from"):
            value = (operation or {}).get(name)
            if not isinstance(value, str | None):
                problem = f"{json_kind(value)} into Go struct field jsonPatchOp.{name} of type string"
    if problem:
        raise bad_request(f"error decoding patch: json: cannot unmarshal {problem}")


def _lenient(target: Any, operation: Any) -> Any:
    """What Go's evanphx/json-patch makes of an operation: it may miss its value, and members may be missing.

    None: it does nothing.
    """
    operation = {"value": None, **(operation or {})}
    if operation.get("op") not in ("add", "replace", "test"):
        return operation
    *parents, last = jsonpointer.JsonPointer(operation["path"]).parts or [""]
    if operation["op"] == "add" or not operation["path"]:
        return operation
    parent = target
    for part in parents:
        parent = _inner(parent, part)
    if not isinstance(parent, Mapping) or last in parent:
        return operation
    if operation["op"] == "replace":
        return {**operation, "op": "add"}
    return None if operation["value"] is None else operation


def _inner(value: Any, part: str) -> Any:
    """A part of a value; None: there is none. (The errors of the library print the whole value.)"""
    if isinstance(value, Mapping):
        return value.get(part)
    is_index = isinstance(value, list) and part.isdecimal() and len(part) < len("1000000")
    return value[int(part)] if is_index and int(part) < len(value) else None


def _refused() -> StatusError:
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {})


# --- strategic merge patch ---


def strategic_merge_patch(target: Any, patch: Any, type_: Type | None) -> Any:
    """A merge patch that merges the items of lists by their merge key, and follows ``$patch`` directives.

    Raises:
        StatusError: 400, an item lacks the merge key, or a directive is unknown; 422, a value is not of its type.
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
    if _RETAIN in patch:
        retained = _identities(patch[_RETAIN], "invalid patch format of retainKeys")
        result = {name: value for name, value in result.items() if _identity(name) in retained}
    for name, value in patch.items():
        if name.startswith(_DELETE_FROM):
            _delete_from(result, name.removeprefix(_DELETE_FROM), value)
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
            if not isinstance(order, list):
                raise bad_request(f"expected a []interface {{}}, but received a {json_kind(order)}")
            if isinstance(result.get(field), list):
                result[field] = _ordered(result[field], order, field_type.merge_key if field_type else None)
    return result


def _delete_from(target: Object, field: str, values: Any) -> None:
    present = target.get(field)
    if isinstance(present, list) and isinstance(values, list):
        doomed = {_identity(each) for each in values}
        target[field] = [each for each in present if _identity(each) not in doomed]


def _merge_value(target: Any, value: Any, type_: Type | None) -> Any:
    if isinstance(value, Mapping):
        return strategic_merge_patch(target, value, type_)
    if not isinstance(value, list) or type_ is None or type_.shape is not Shape.LIST or type_.merge_key is None:
        return value
    present = target if isinstance(target, list) else []
    if not type_.merge_key:
        for each in value:
            if isinstance(each, list | dict):
                raise unfit(value, f"json: cannot unmarshal {json_kind(each)} into a primitive")
        united: dict[str, Any] = {}
        for each in (*present, *value):
            united.setdefault(_identity(each), each)
        return list(united.values())
    return _merge_items(present, value, type_, type_.merge_key)


def _merge_items(target: Sequence[Any], patch: Sequence[Any], type_: Type, key: str) -> list[Any]:
    items = [{} if each is None else each for each in patch]
    for each in items:
        if not isinstance(each, dict):
            raise unfit(list(patch), f"cannot restore struct from: {json_kind(each)}")
    if any(each.get(_DIRECTIVE) == "replace" for each in items):
        return [each for each in items if _DIRECTIVE not in each]
    result: list[Any] = list(target)
    places: dict[str, list[int]] = {}
    for at, item in enumerate(result):
        if isinstance(item, dict):
            places.setdefault(_identity(item.get(key)), []).append(at)
    for each in items:
        if key not in each:
            raise bad_request(f"map: {json.dumps(each)} does not contain declared merge key: {key}")
        identity = _identity(each[key])
        if each.get(_DIRECTIVE) == "delete":
            for at in places.pop(identity, ()):
                result[at] = _GONE
        elif found := places.get(identity):
            result[found[0]] = strategic_merge_patch(result[found[0]], each, type_.element)
        else:
            places[identity] = [len(result)]
            result.append(strategic_merge_patch({}, each, type_.element))
    return [item for item in result if item is not _GONE]


def _ordered(items: list[Any], order: Sequence[Any], key: str | None) -> list[Any]:
    """Items in the order that the patch asks for; the others stay behind their predecessors."""

    def identity(item: Any) -> str:
        return _identity(item.get(key) if key and isinstance(item, Mapping) else item)

    ranks: dict[str, int] = {}
    for rank, each in enumerate(order):
        ranks.setdefault(identity(each), rank)
    ranked = [(ranks.get(identity(item), -1), item) for item in items]
    listed = iter(sorted((each for each in ranked if each[0] >= 0), key=lambda each: each[0]))
    return [item if rank < 0 else next(listed)[1] for rank, item in ranked]


def _identity(value: Any) -> str:
    """The same text for equal values."""
    return json.dumps(value, sort_keys=True)


def _identities(values: Any, problem: str) -> set[str]:
    if not isinstance(values, list):
        raise bad_request(problem)
    return {_identity(each) for each in values}


def unfit(value: Any, detail: str) -> StatusError:
    """422: what the patch makes is no object of the kind."""
    problem = invalid_value("patch", go_quoted(encode(value).decode()), detail)
    cause = {"reason": problem.reason, "message": problem.message, "field": problem.field}
    return StatusError(422, "Invalid", f' "" is invalid: {problem}', {"causes": [cause]})
