"""The protobuf that kubectl sends for the kinds that its ``create`` sub-commands and ``auth can-i`` know.

The wire format is that of k8s.io/apimachinery/pkg/runtime/serializer/protobuf: four bytes of magic, then an Unknown
message with the type and the encoded object. Field numbers are those of the generated.proto files of Kubernetes, as far
as these kinds need them. Any other kind gets 415, and so does a body with a field that is not known here: nothing is
lost silently.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import bad_request, unsupported_media_type
from fake_dra_driver.cluster.apiserver.http.jsonbody import MAX_VALUES, too_many_values
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["decode_protobuf"]

_MAGIC = b"k8s\x00"
_OTHERS = ("application/json", "application/yaml")
_STRING, _BYTES, _INT, _BOOL, _MAP, _BYTES_MAP = "string", "bytes", "int", "bool", "map", "bytes map"

_Schema = Mapping[int, tuple[str, Any]]
"""By field number: the JSON name, and what it is: one of the words above, a schema, or ``[...]`` of one: repeated."""

_META: _Schema = {
    1: ("name", _STRING),
    2: ("generateName", _STRING),
    3: ("namespace", _STRING),
    5: ("uid", _STRING),
    6: ("resourceVersion", _STRING),
    11: ("labels", _MAP),
    12: ("annotations", _MAP),
    14: ("finalizers", [_STRING]),
}
_RESOURCE_ATTRIBUTES: _Schema = {
    1: ("namespace", _STRING),
    2: ("verb", _STRING),
    3: ("group", _STRING),
    4: ("version", _STRING),
    5: ("resource", _STRING),
    6: ("subresource", _STRING),
    7: ("name", _STRING),
}
_POLICY_RULE: _Schema = {
    1: ("verbs", [_STRING]),
    2: ("apiGroups", [_STRING]),
    3: ("resources", [_STRING]),
    4: ("resourceNames", [_STRING]),
    5: ("nonResourceURLs", [_STRING]),
}
_SUBJECT: _Schema = {1: ("kind", _STRING), 2: ("apiGroup", _STRING), 3: ("name", _STRING), 4: ("namespace", _STRING)}
_ROLE_REFERENCE: _Schema = {1: ("apiGroup", _STRING), 2: ("kind", _STRING), 3: ("name", _STRING)}
_BINDING: _Schema = {1: ("metadata", _META), 2: ("subjects", [_SUBJECT]), 3: ("roleRef", _ROLE_REFERENCE)}
_ROLE: _Schema = {1: ("metadata", _META), 2: ("rules", [_POLICY_RULE])}
_BOUND_OBJECT: _Schema = {1: ("kind", _STRING), 2: ("apiVersion", _STRING), 3: ("name", _STRING), 4: ("uid", _STRING)}
_NON_RESOURCE_ATTRIBUTES: _Schema = {1: ("path", _STRING), 2: ("verb", _STRING)}
_SCHEMAS: Mapping[tuple[str, str], _Schema] = {
    ("v1", "ConfigMap"): {
        1: ("metadata", _META),
        2: ("data", _MAP),
        3: ("binaryData", _BYTES_MAP),
        4: ("immutable", _BOOL),
    },
    ("v1", "Namespace"): {1: ("metadata", _META)},
    ("v1", "Secret"): {
        1: ("metadata", _META),
        2: ("data", _BYTES_MAP),
        3: ("type", _STRING),
        4: ("stringData", _MAP),
        5: ("immutable", _BOOL),
    },
    ("v1", "ServiceAccount"): {1: ("metadata", _META)},
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {
        1: ("metadata", _META),
        2: (
            "spec",
            {1: ("resourceAttributes", _RESOURCE_ATTRIBUTES), 2: ("nonResourceAttributes", _NON_RESOURCE_ATTRIBUTES)},
        ),
    },
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): {
        1: ("metadata", _META),
        2: ("spec", {1: ("namespace", _STRING)}),
    },
    ("authentication.k8s.io/v1", "SelfSubjectReview"): {1: ("metadata", _META)},
    ("authentication.k8s.io/v1", "TokenRequest"): {
        1: ("metadata", _META),
        2: (
            "spec",
            {1: ("audiences", [_STRING]), 3: ("boundObjectRef", _BOUND_OBJECT), 4: ("expirationSeconds", _INT)},
        ),
    },
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io/v1", "Role"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _BINDING,
    ("scheduling.k8s.io/v1", "PriorityClass"): {
        1: ("metadata", _META),
        2: ("value", _INT),
        3: ("globalDefault", _BOOL),
        4: ("description", _STRING),
        5: ("preemptionPolicy", _STRING),
    },
    ("v1", "DeleteOptions"): {
        1: ("gracePeriodSeconds", _INT),
        4: ("propagationPolicy", _STRING),
        5: ("dryRun", [_STRING]),
    },
}
_VARINT_BYTES = 10
"""Longest varint: 64 bits."""
_MAX_DEPTH = 20
"""Of messages that are not known here."""
_TYPE_META: _Schema = {1: ("apiVersion", _STRING), 2: ("kind", _STRING)}


def decode_protobuf(raw: bytes, wanted: str) -> Object:
    """The object of a protobuf body. Raises StatusError: 400, it is not one; 415, the kind is not known here."""
    if not raw.startswith(_MAGIC):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {wanted}): provided data does not appear to be a "
            f"protobuf message, expected prefix [107 56 115 0] ({raw[:30].hex()})"
        )
    try:
        unknown = dict(_fields(raw[len(_MAGIC) :]))
        type_meta = _decode(unknown.get(1, b""), _TYPE_META)
        api_version, kind = type_meta.get("apiVersion", ""), type_meta.get("kind", "")
        schema = _SCHEMAS.get((api_version, kind)) or (_SCHEMAS["v1", kind] if kind == "DeleteOptions" else None)
        if schema is None:
            raise unsupported_media_type(_OTHERS)
        body = unknown.get(2, b"")
        return {"apiVersion": api_version, "kind": kind, **_decode(body, schema)}
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error


def _fields(raw: bytes, *, strict: bool = False) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: int for varints, bytes for what has a length; others only when not ``strict``.

    Raises:
        ValueError, IndexError: these are no fields.
        StatusError: 413, there are too many.
    """
    at = count = 0
    while at < len(raw):
        count += 1
        if count > MAX_VALUES:
            raise too_many_values()
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(raw, at)
            yield number, value
        elif wire == 2:
            size, at = _varint(raw, at)
            if at + size > len(raw):
                raise ValueError("a field is cut short")
            yield number, raw[at : at + size]
            at += size
        elif wire in (1, 5) and not strict:
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count in range(_VARINT_BYTES):
        byte = raw[at + count]
        value |= (byte & 0x7F) << 7 * count
        if not byte & 0x80:
            return value & (1 << 64) - 1, at + count + 1
    raise ValueError("integer overflow")


def _decode(raw: bytes, schema: _Schema) -> Object:
    result: Object = {}
    for number, value in _fields(raw):
        if number not in schema:
            if not _is_empty(value):
                raise unsupported_media_type(_OTHERS)
            continue
        name, kind = schema[number]
        if isinstance(kind, list):
            result.setdefault(name, []).append(_value(value, kind[0]))
        elif kind in (_MAP, _BYTES_MAP):
            entry = dict(_fields(value))
            inner = entry.get(2, b"")
            text = base64.b64encode(inner).decode() if kind == _BYTES_MAP else inner.decode()
            result.setdefault(name, {})[entry.get(1, b"").decode()] = text
        else:
            decoded = _value(value, kind)
            if decoded != "":
                result[name] = decoded
    return result


def _is_empty(value: Any, depth: int = 0) -> bool:
    """Whether it is a zero, or a message of zeros: Go writes them for fields that are not pointers."""
    if not isinstance(value, bytes) or not value:
        return not value
    if depth > _MAX_DEPTH:
        return False
    try:
        # A text is not such a message: its characters are not tags of numbers and messages.
        return value[0] & 7 in (0, 2) and all(_is_empty(each, depth + 1) for _, each in _fields(value, strict=True))
    except (IndexError, ValueError):
        return False


def _value(value: Any, kind: Any) -> Any:
    if isinstance(kind, Mapping):
        return _decode(value, kind)
    if kind == _STRING:
        return value.decode()
    if kind == _INT:
        # Two's complement, in 64 bits.
        return value - (1 << 64) if value >= 1 << 63 else value
    return bool(value)
