"""OpenAPI v2 as protobuf: the form that kubectl falls back to for kinds that it does not find in v3.

Follows gnostic's OpenAPIv2.proto, as far as kubectl reads it there: which kinds can be patched, and which parameters
that takes. Without it, a manifest of an unknown kind would be answered with "cannot parse invalid wire-format data".
Definitions are left out: those are in v3.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["PROTOBUF", "encode_document"]

PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""The media type; kubectl asks for it with ``@`` instead of the second dot."""
_KIND = "x-kubernetes-group-version-kind"
_ACTION = "x-kubernetes-action"


def encode_document(title: str, version: str, paths: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The document of these paths; of the operations only patches are included."""
    named = [
        _message((1, path), (2, _message((8, _operation(item["patch"])))))
        for path, item in paths.items()
        if "patch" in item
    ]
    info = _message((1, title), (2, version))
    return _message((1, "2.0"), (2, info), (8, _message(*((2, each) for each in named))))


def _operation(operation: Mapping[str, Any]) -> bytes:
    parameters = (_query_parameter(each["name"]) for each in operation.get("parameters") or ())
    extensions = (_extension(name, operation[name]) for name in (_ACTION, _KIND))
    identity = (5, operation["operationId"])
    return _message(identity, *((8, each) for each in parameters), *((13, each) for each in extensions))


def _query_parameter(name: str) -> bytes:
    """ParametersItem, of Parameter, of NonBodyParameter, of QueryParameterSubSchema."""
    parameter = _message((2, "query"), (4, name), (6, "string"))
    return _message((1, _message((2, _message((3, parameter))))))


def _extension(name: str, value: Any) -> bytes:
    """NamedAny; JSON is YAML, too."""
    return _message((1, name), (2, _message((2, json.dumps(value)))))


def _message(*fields: tuple[int, str | bytes]) -> bytes:
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    parts: list[int] = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
