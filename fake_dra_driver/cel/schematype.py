"""The types that the values of structural schemas (OpenAPI) have in expressions.

Follows k8s.io/apiserver/pkg/cel (SchemaDeclType, escaping.go).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from fake_dra_driver.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    structure,
)

__all__ = ["of_schema", "unescaped"]

_SCALARS = {"integer": INT, "number": DOUBLE, "boolean": BOOL, "string": STRING}
_FORMATS = {"date-time": TIMESTAMP, "date": TIMESTAMP, "duration": DURATION, "byte": BYTES}
_ESCAPED = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}
_KEYWORDS = (
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
    "loop", "package", "namespace", "return",
)  # fmt: skip


class _Fields(Mapping[str, Type]):
    """The types of an object's fields, made when they are asked for: schemas are large, and rules small."""

    def __init__(self, properties: Mapping[str, Any], name: str) -> None:
        self._properties = properties
        self._name = name

    @override
    def __getitem__(self, name: str) -> Type:
        return _type_of(self._properties[unescaped(name)], f"{self._name}.{name}")

    @override
    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and unescaped(name) in self._properties

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._properties)

    @override
    def __len__(self) -> int:
        return len(self._properties)


def of_schema(schema: Mapping[str, Any], *, is_root: bool = False) -> Type:
    """The type that a structural schema has in CEL. A root also has apiVersion, kind and metadata."""
    if is_root and schema.get("type") == "object" and not isinstance(schema.get("additionalProperties"), Mapping):
        schema = {**schema, "properties": {**(schema.get("properties") or {}), **_ROOT}}
    return _type_of(schema, "object")


def _type_of(schema: Mapping[str, Any], name: str) -> Type:
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    match schema.get("type"):
        case "array" if isinstance(schema.get("items"), Mapping):
            return list_of(_type_of(schema["items"], f"{name}.@idx"))
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return map_of(STRING, _type_of(schema["additionalProperties"], f"{name}.@elem"))
        case "object":
            return structure(name, _Fields(schema.get("properties") or {}, name))
        case "string":
            return _FORMATS.get(str(schema.get("format")), STRING)
        case str(kind) if kind in _SCALARS:
            return _SCALARS[kind]
        case _:
            return DYN


_TEXT = {"type": "string"}
_ROOT = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "metadata": {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}},
}


def unescaped(name: str) -> str:
    """The JSON name of a field, from its escaped name in CEL."""
    if "__" not in name:
        return name
    if name.startswith("__") and name.endswith("__") and name[2:-2] in _KEYWORDS:
        return name[2:-2]
    for escaped, sign in _ESCAPED.items():
        name = name.replace(escaped, sign)
    return name
