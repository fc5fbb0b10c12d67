"""Reads an object the way the Go types do: field by field, with the messages of Go's decoder for what does not fit.

For built-in kinds: values of a wrong type are refused (400), unknown fields are dropped and named, nulls mean "not
set", and what Go writes although it was not set (structs, fields without omitempty) is filled in. For custom kinds:
unknown fields are pruned and named, apiextensions' structural pruning. Follows encoding/json and
k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning.
"""

import base64
import json
import re
from collections.abc import Callable, Sized
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request
from fake_dra_driver.cluster.apiserver.heavywork import spend
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.objecttype import Shape, Type
from fake_dra_driver.cluster.apiserver.types.timestamp import utc_text
from fake_dra_driver.quantity import QuantityError, canonical

__all__ = [
    "cannot_handle",
    "decode_builtin",
    "decode_foreign",
    "json_kind",
    "prune_custom",
    "whole_numbers",
    "zero_value",
]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_NO_TIMES = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z")
"""Go's zero time, which it writes as null."""
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=\r\n]|=(?!=?$)")
_JSON_KINDS = {bool: "bool", int: "number", float: "number", str: "string", dict: "object", list: "array"}
_GO_TYPES = {"string": "string", "boolean": "bool", "integer": "int32", "number": "float64"}
_EXPONENT = 1e21
_LONG_PATH = 1000
"""No path of a kind is as long; with a key of a client's it may be, and then each member below it repeats that key."""
_INTEGER_BITS = {"int32": 32, "int64": 64}


class _Mismatch(Exception):  # noqa: N818 - an answer, turned into an error at the door
    """A value has the wrong type."""


def decode_builtin(
    value: Object, type_: Type, kind: str, version: str, known: Object | None = None
) -> tuple[Object, list[str]]:
    """The object as Go reads and writes it, and the paths of the fields that it does not know.

    Args:
        value: the object as it was sent.
        type_: its type.
        kind: for messages.
        version: for messages.
        known: the object as it is stored. Parts of it that are in ``value``, the very same, are not looked at again.

    Raises:
        StatusError: 400, a value has the wrong type; 504, the paths of its fields are too long.
    """
    unknown: list[str] = []
    try:
        decoded: Object = _decode(value, type_, "", kind, unknown, known)
    except _Mismatch as error:
        raise cannot_handle(kind, version, str(error)) from error
    return decoded, unknown


def decode_foreign(value: Object, type_: Type, kind: str) -> Object:
    """An object that another server has sent, without the fields that its type does not know.

    Raises:
        ValueError: a value has the wrong type; the message is that of Go's decoder.
        StatusError: 504, the paths of its fields are too long.
    """
    try:
        decoded: Object = _decode(value, type_, "", kind, [])
    except _Mismatch as error:
        raise ValueError(str(error)) from error
    return decoded


def cannot_handle(kind: str, version: str, problem: str) -> StatusError:
    """400: the body is not an object of that kind."""
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {problem}')


def _decode(value: Any, type_: Type, path: str, owner: str, unknown: list[str], known: Any = None) -> Any:
    match type_.shape:
        case Shape.STRUCT:
            return _decode_struct(value, type_, path, owner, unknown, known)
        case Shape.MAP:
            _expect(value, dict, path, owner, _go_type(type_))
            _spend_on_paths(path, value)
            element = type_.element
            inner: Callable[[str, Any], Any] = lambda key, each: (  # noqa: E731
                _decode(each, element, f"{path}.{key}", owner, unknown) if element else each
            )
            if element is not None and element.shape is Shape.SCALAR:
                return {key: _element(each, element, path, owner) for key, each in value.items()}
            return {key: inner(key, each) for key, each in value.items()}
        case Shape.LIST:
            _expect(value, list, path, owner, _go_type(type_))
            _spend_on_paths(path, value)
            items = type_.element
            if items is None:
                return value
            if items.shape is Shape.SCALAR:
                return [_element(each, items, path, owner) for each in value]
            return [
                _decode(
                    {} if each is None and items.shape is Shape.STRUCT else each, items, f"{path}[{at}]", owner, unknown
                )
                for at, each in enumerate(value)
            ]
        case Shape.SCALAR:
            return _scalar(value, type_, path, owner)
        case Shape.ANY:
            return value


def _spend_on_paths(path: str, members: Sized) -> None:
    """Counts the paths of all members. Raises StatusError (504)."""
    if len(path) > _LONG_PATH:
        spend(len(path) * len(members))


def _element(value: Any, type_: Type, path: str, owner: str) -> Any:
    """A value in a map or a list. A null there is the zero value of Go, unlike a null in a struct."""
    if value is None:
        return {"Quantity": "0"}.get(_short(type_), "" if type_.schema.get("type") == "string" else 0)
    return _scalar(value, type_, path, owner)


def _decode_struct(value: Any, type_: Type, path: str, owner: str, unknown: list[str], known: Any) -> Any:
    name = _short(type_)
    if name == "FieldsV1" or not type_.fields:
        return value
    _expect(value, dict, path, owner, _go_type(type_))
    _spend_on_paths(path, value)
    result: Object = {}
    for key, each in value.items():
        field = type_.fields.get(key)
        where = f"{path}.{key}" if path else key
        if field is None:
            unknown.append(where)
        elif each is not None:
            before = known.get(key) if isinstance(known, dict) else None
            if each is before:
                result[key] = each
                continue
            decoded = _decode(each, field, where, name or owner, unknown, before)
            if not _is_omitted(key, decoded, field, type_):
                # An empty list or map is nil once it has been in etcd.
                is_nil = field.shape in (Shape.LIST, Shape.MAP) and not decoded
                result[key] = None if is_nil else decoded
    _fill(result, type_)
    return result


def _is_omitted(key: str, value: Any, field: Type, owner: Type) -> bool:
    """Whether ``omitempty`` leaves this value out."""
    if value == "" and field.shape is Shape.SCALAR and field.schema.get("default"):
        return True  # and gets the default
    if key in owner.required or "default" in field.schema or field.is_nullable:
        return False
    if field.shape is Shape.SCALAR:
        # Go does not leave out structs, of which IntOrString is one.
        return not value and not field.is_pointer and _short(field) != "IntOrString"
    return field.shape in (Shape.LIST, Shape.MAP) and not value


def _fill(value: Object, type_: Type) -> None:
    """Adds what Go writes though it was not set: structs that are no pointers, and fields without omitempty."""
    for key, field in type_.fields.items():
        if key in value:
            continue
        default = field.schema.get("default")
        if default == {} and field.shape is Shape.STRUCT and field.fields:
            value[key] = zero_value(field)
        elif (default is not None and default != {} and not isinstance(default, str)) or isinstance(default, str):
            value[key] = default
        elif field.is_nullable or (field.reference.endswith("Time") and not _can_be_left_out(field)):
            # Times are structs, which omitempty does not leave out.
            value[key] = None


def _can_be_left_out(time: Type) -> bool:
    return time.is_pointer or time.is_omitted_when_zero


def zero_value(type_: Type) -> Object:
    """The object without any field set; lists that Go would write as null are null."""
    value: Object = {}
    _fill(value, type_)
    return value


def _scalar(value: Any, type_: Type, path: str, owner: str) -> Any:
    reference = _short(type_)
    if reference in ("Time", "MicroTime"):
        _expect(value, str, path, owner, "string")
        if not (_MICRO_TIME if reference == "MicroTime" else _TIME).fullmatch(value):
            raise _Mismatch(_time_problem(value, reference))
        return _in_utc(value, reference)
    if reference == "Quantity":
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise _Mismatch(
                "unmarshalerDecoder: quantities must match the regular expression "
                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        try:
            return canonical(str(value).strip())
        except QuantityError as error:
            raise _Mismatch(str(error)) from error
    if reference == "IntOrString":
        if isinstance(value, float) or (isinstance(value, int) and not _fits(value, 32)):
            raise _mismatch(value, path, owner, "int32")
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise _Mismatch(f"json: cannot unmarshal {json_kind(value)} into Go value of type int32")
        return value
    wanted = str(type_.schema.get("type", ""))
    bits = _INTEGER_BITS.get(str(type_.schema.get("format")), 64)
    fits = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool) and _fits(value, bits),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not fits.get(wanted, True):
        raise _mismatch(value, path, owner, _go_type(type_))
    if type_.schema.get("format") == "byte":
        return _base64(value)
    return value


def _fits(value: int, bits: int) -> bool:
    return -(1 << bits - 1) <= value < 1 << bits - 1


def _go_type(type_: Type | None) -> str:
    """Go's name of the type. OpenAPI does not have the names of Go's own string and map types."""
    if type_ is None:
        return ""
    match type_.shape:
        case Shape.LIST:
            return f"[]{_go_type(type_.element)}"
        case Shape.MAP:
            return "v1.ResourceList" if _short(type_.element) == "Quantity" else f"map[string]{_go_type(type_.element)}"
        case Shape.SCALAR if not type_.reference:
            wanted, form = str(type_.schema.get("type")), str(type_.schema.get("format"))
            if form == "byte":
                return "[]uint8"
            return form if wanted == "integer" and form in _INTEGER_BITS else _GO_TYPES.get(wanted, "string")
    return ".".join(type_.reference.split(".")[-2:])


def _base64(text: str) -> str:
    """Bytes, as Go writes them. Line breaks are allowed, other foreign characters are not."""
    plain = text.replace("\n", "").replace("\r", "")
    try:
        return base64.b64encode(base64.b64decode(plain, validate=True)).decode()
    except ValueError as error:
        found = _NO_BASE64.search(text)
        at = found.start() if found else len(text) - len(text) % 4
        raise _Mismatch(f"illegal base64 data at input byte {at}") from error


def _in_utc(value: str, reference: str) -> str | None:
    """A time as Go writes it: in UTC, with whole seconds or six digits of them; None: it is Go's zero time."""
    try:
        text = utc_text(value, "microseconds" if reference == "MicroTime" else "seconds")
    except ValueError as error:
        raise _Mismatch(str(error)) from error
    return None if text in _NO_TIMES else text


def _time_problem(value: str, reference: str) -> str:
    layout = "2006-01-02T15:04:05.000000Z07:00" if reference == "MicroTime" else "2006-01-02T15:04:05Z07:00"
    if reference == "MicroTime" and _TIME.fullmatch(value):
        return f'parsing time "{value}" as "{layout}": cannot parse "{value[19:]}" as ".000000"'
    return f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"'


def _expect(value: Any, kind: type, path: str, owner: str, go_type: str) -> None:
    if not isinstance(value, kind):
        raise _mismatch(value, path, owner, go_type)


def _mismatch(value: Any, path: str, owner: str, go_type: str) -> _Mismatch:
    plain = re.sub(r"\[\d+\]", "", path)
    found = json_kind(value)
    if found == "number" and go_type in _INTEGER_BITS:
        found = f"number {json.dumps(value)}"
    return _Mismatch(f"json: cannot unmarshal {found} into Go struct field {owner}.{plain} of type {go_type}")


def json_kind(value: Any) -> str:
    """What Go's decoder calls a value."""
    return _JSON_KINDS[type(value)] if value is not None else "null"


def _short(type_: Type | None) -> str:
    return "" if type_ is None else type_.reference.rpartition(".")[2]


# --- custom kinds ---


def whole_numbers(value: Any) -> Any:
    """The value as Go reads it without a type: a number without a fraction is an integer, however it was written."""
    if isinstance(value, dict):
        return {key: whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole_numbers(each) for each in value]
    # From 1e21 on Go writes an exponent. (As an integer 1e308 would be sixty times as long as it was sent.)
    return int(value) if isinstance(value, float) and abs(value) < _EXPONENT and value.is_integer() else value


def prune_custom(value: Any, type_: Type, path: str = "") -> list[str]:
    """Removes from ``value`` what the schema does not name, and returns the paths removed. Raises StatusError (504)."""
    pruned: list[str] = []
    if isinstance(value, dict):
        if type_.shape is Shape.SCALAR or (type_.shape is Shape.ANY and not type_.fields):
            return pruned
        _spend_on_paths(path, value)
        for key in list(value):
            where = f"{path}.{key}" if path else key
            if not path and key in ("metadata", "apiVersion", "kind"):
                continue
            field = type_.field(key)
            if field is not None:
                pruned += prune_custom(value[key], field, where)
            elif not type_.keeps_unknown and not type_.schema.get("additionalProperties"):
                del value[key]
                pruned.append(where)
    elif isinstance(value, list) and type_.shape is Shape.LIST and type_.element is not None:
        _spend_on_paths(path, value)
        for at, each in enumerate(value):
            pruned += prune_custom(each, type_.element, f"{path}[{at}]")
    return pruned
