"""Types of CEL expressions, known before an expression is ever evaluated.

Follows cel-go's common/types/types.go, and its checker/format.go in how types are named in messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "ANY",
    "BOOL",
    "BYTES",
    "DOUBLE",
    "DURATION",
    "DYN",
    "ERROR",
    "INT",
    "NULL",
    "STRING",
    "TIMESTAMP",
    "UINT",
    "Type",
    "abstract",
    "list_of",
    "map_of",
    "optional_of",
    "parameter",
    "structure",
    "type_of_types",
]


@dataclass(frozen=True, slots=True)
class Type:
    """A type."""

    kind: str
    """bool, bytes, double, int, string, uint, null, timestamp, duration, dyn, any, error, parameter, list, map, type,
    structure (with fields), or abstract (without)."""
    name: str
    parameters: tuple["Type", ...] = ()
    fields: Mapping[str, "Type"] | None = field(default=None, compare=False, repr=False)
    """Of a structure, by the names that expressions use; None: it has none."""

    def __str__(self) -> str:
        """As the messages of the type checker name it."""
        name = _SHORT_NAMES.get(self.kind, self.name)
        return f"{name}({', '.join(map(str, self.parameters))})" if self.parameters else name

    @property
    def long_name(self) -> str:
        """As ``type(value)`` and messages about results name it."""
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(each.long_name for each in self.parameters)})"

    @property
    def is_dynamic(self) -> bool:
        """Whether it is only known when a value is there."""
        return self.kind in ("dyn", "any")

    @property
    def is_optional(self) -> bool:
        """Whether it is that of a value that may not be there."""
        return self.kind == "abstract" and self.name == "optional_type"

    @property
    def item(self) -> "Type":
        """Of the items of a list, the values of a map."""
        return self.parameters[-1]


_SHORT_NAMES = {"any": "any", "duration": "duration", "error": "!error!", "null": "null", "timestamp": "timestamp"}

BOOL, BYTES, DOUBLE, DYN, INT, STRING, UINT = (
    Type(name, name) for name in ("bool", "bytes", "double", "dyn", "int", "string", "uint")
)
NULL = Type("null", "null_type")
ANY = Type("any", "google.protobuf.Any")
DURATION = Type("duration", "google.protobuf.Duration")
TIMESTAMP = Type("timestamp", "google.protobuf.Timestamp")
ERROR = Type("error", "*error*")


def list_of(item: Type) -> Type:
    """The type of a list."""
    return Type("list", "list", (item,))


def map_of(key: Type, value: Type) -> Type:
    """The type of a map."""
    return Type("map", "map", (key, value))


def optional_of(value: Type) -> Type:
    """The type of a value that may not be there."""
    return Type("abstract", "optional_type", (value,))


def type_of_types(of: Type | None = None) -> Type:
    """The type of a type."""
    return Type("type", "type", () if of is None else (of,))


def parameter(name: str) -> Type:
    """A type that a call decides, such as that of a list's items."""
    return Type("parameter", name)


def abstract(name: str) -> Type:
    """A type of which nothing is known but its name."""
    return Type("abstract", name)


def structure(name: str, fields: Mapping[str, Type] | None = None) -> Type:
    """The type of an object."""
    return Type("structure", name, (), fields)
