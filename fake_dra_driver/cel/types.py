"""Types of CEL expressions, known before a rule is ever evaluated.

Follows k8s.io/apiserver/pkg/cel (SchemaDeclType): which type a schema has. ``DYN`` is only known when a value is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BOOL", "DOUBLE", "DYN", "INT", "NULL", "STRING", "Kind", "list_of", "map_of", "of_schema"]

_SCALARS = {"integer": "int", "number": "double", "boolean": "bool", "string": "string"}
_OPAQUE_FORMATS = {"date-time": "timestamp", "date": "timestamp", "duration": "duration", "byte": "bytes"}
_ESCAPED = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}
_KEYWORDS = (
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
    "loop", "package", "namespace", "return",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A type."""

    name: str
    """int, double, string, bool, null_type, list, map, object, dyn, or one without operations here."""
    element: "Kind | None" = None
    """Of the items of a list, the values of a map."""
    schema: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Of an object."""

    def __str__(self) -> str:
        if self.name == "list":
            return f"list({self.element or DYN})"
        if self.name == "map":
            return f"map(string, {self.element or DYN})"
        return "null" if self.name == "null_type" else self.name

    def has_field(self, name: str) -> bool:
        """Whether an object of this type may have the field."""
        return self.name != "object" or name in self.schema["properties"]

    def field_of(self, name: str) -> "Kind":
        """Type of a field, of the value of a key, of an item."""
        if self.name == "object":
            return of_schema(self.schema["properties"][name])
        return self.element or DYN

    def fits(self, other: "Kind") -> bool:
        """Whether values of the two types can be compared."""
        if "dyn" in (self.name, other.name):
            return True
        if "null_type" in (self.name, other.name):
            return self.name == other.name or {self.name, other.name} <= {"null_type", "object"}
        if {self.name, other.name} == {"object", "map"}:
            return True
        if self.name != other.name:
            return False
        return self.name not in ("list", "map") or (self.element or DYN).fits(other.element or DYN)


DYN, INT, DOUBLE, STRING, BOOL, NULL = (Kind(name) for name in ("dyn", "int", "double", "string", "bool", "null_type"))


def list_of(element: Kind) -> Kind:
    """The type of a list."""
    return Kind("list", element)


def map_of(element: Kind) -> Kind:
    """The type of a map from strings."""
    return Kind("map", element)


def of_schema(schema: Mapping[str, Any], *, is_root: bool = False) -> Kind:
    """The type that a structural schema has in CEL. A root also has apiVersion, kind and metadata."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    match schema.get("type"):
        case "array" if isinstance(schema.get("items"), Mapping):
            return list_of(of_schema(schema["items"]))
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return map_of(of_schema(schema["additionalProperties"]))
        case "object":
            properties = {**schema.get("properties", {}), **(_ROOT if is_root else {})}
            return Kind("object", schema={"properties": properties})
        case str(name) if name in _SCALARS:
            return Kind(_OPAQUE_FORMATS.get(str(schema.get("format")), _SCALARS[name]))
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
    if name.startswith("__") and name.endswith("__") and name[2:-2] in _KEYWORDS:
        return name[2:-2]
    for escaped, sign in _ESCAPED.items():
        name = name.replace(escaped, sign)
    return name
