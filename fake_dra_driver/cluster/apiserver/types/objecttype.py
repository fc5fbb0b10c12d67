"""The types of objects, from their OpenAPI schemas: fields, elements, and how lists are merged.

Built-in kinds have a schema of a real API server (``schemas/``), custom ones that of their CRD; from here on both are
the same. Follows the schema part of sigs.k8s.io/structured-merge-diff: x-kubernetes-list-type, list-map-keys, map-type.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import cache, cached_property
from importlib import resources
from typing import Any

from fake_dra_driver.cel import Rule, compile_rule, of_schema
from fake_dra_driver.cluster.apiserver.heavywork import spend

__all__ = ["OBJECT_META", "Shape", "Type", "TypeRegistry"]

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_REFERENCE = "#/components/schemas/"
_COMPILE_STEPS = 4
"""How long it takes to compile a character of an expression."""


class Shape(Enum):
    """What kind of value a type has."""

    STRUCT = auto()
    """An object with known fields."""
    MAP = auto()
    """An object with arbitrary keys."""
    LIST = auto()
    SCALAR = auto()
    ANY = auto()
    """Any value."""


class Type:
    """One schema, with its references followed. Sub-types are made on demand: some types recurse."""

    def __init__(self, registry: "TypeRegistry", schema: Mapping[str, Any], *, is_root: bool = False) -> None:
        self._registry = registry
        self._is_root = is_root
        own = schema
        if "$ref" in schema:
            own = {**registry.definition(schema["$ref"].removeprefix(_REFERENCE)), **schema}
        self.schema: Mapping[str, Any] = own
        self.reference: str = schema.get("$ref", "").removeprefix(_REFERENCE)
        """Name of the definition; empty when the schema is written in place."""
        self.shape = _shape(own)
        self._junctors: dict[str, list[Type]] = {}

    @cached_property
    def fields(self) -> Mapping[str, "Type"]:
        """The known fields of an object."""
        return {name: self._registry.type_of(each) for name, each in self.schema.get("properties", {}).items()}

    @cached_property
    def element(self) -> "Type | None":
        """Type of the items of a list, or of the values of a map."""
        inner = self.schema.get("items") if self.shape is Shape.LIST else self.schema.get("additionalProperties")
        return self._registry.type_of(inner) if isinstance(inner, Mapping) else None

    def field(self, name: str) -> "Type | None":
        """Type of a field, or of the value of a key; None when nothing is known of it."""
        return self.fields.get(name) or (self.element if self.shape is not Shape.LIST else None)

    @cached_property
    def rules(self) -> Sequence[tuple[Mapping[str, Any], Rule]]:
        """The CEL rules of a custom kind's values, compiled. Raises CelCompileError."""
        return [(rule, self.compile(rule["rule"])) for rule in self.schema.get("x-kubernetes-validations") or ()]

    @cached_property
    def has_rules(self) -> bool:
        """Whether it has rules, or something in it has. Custom types do not recurse."""
        inner = [*self.fields.values(), *([self.element] if self.element is not None else [])]
        return bool(self.rules) or any(each.has_rules for each in inner if not each.reference)

    def compile(self, source: str) -> Rule:
        """A CEL expression about values of this type. Raises CelCompileError."""
        spend(_COMPILE_STEPS * len(source))
        return compile_rule(source, of_schema(self.schema, is_root=self._is_root))

    def alternatives(self, junctor: str) -> Sequence["Type"]:
        """The schemas under ``allOf``, ``anyOf``, ``oneOf`` or ``not``."""
        if junctor not in self._junctors:
            found = self.schema.get(junctor) or ()
            listed = (found,) if isinstance(found, Mapping) else found
            self._junctors[junctor] = [self._registry.type_of(each) for each in listed]
        return self._junctors[junctor]

    def allows(self, value: Any) -> bool:
        """Whether the value is one of its ``enum``."""
        if isinstance(value, dict | list):
            return value in self.schema["enum"]
        return value in self._scalars

    @cached_property
    def _scalars(self) -> frozenset[Any]:
        return frozenset(each for each in self.schema["enum"] if not isinstance(each, dict | list))

    @property
    def required(self) -> tuple[str, ...]:
        """Fields that must be there."""
        return tuple(self.schema.get("required", ()))

    @property
    def list_type(self) -> str:
        """``atomic``, ``set`` or ``map``."""
        return str(self.schema.get("x-kubernetes-list-type", "atomic"))

    @property
    def keys(self) -> tuple[str, ...]:
        """Fields that identify the items of a list of type ``map``."""
        return tuple(self.schema.get("x-kubernetes-list-map-keys", ()))

    @property
    def is_atomic(self) -> bool:
        """Whether the value has one owner as a whole."""
        if self.shape is Shape.LIST:
            return self.list_type == "atomic"
        return self.shape is Shape.SCALAR or self.schema.get("x-kubernetes-map-type") == "atomic"

    @property
    def merge_key(self) -> str | None:
        """The key by which a strategic merge patch merges this list; None: it replaces the list."""
        if "merge" not in str(self.schema.get("x-kubernetes-patch-strategy", "")).split(","):
            return None
        return str(self.schema.get("x-kubernetes-patch-merge-key", ""))

    @property
    def is_pointer(self) -> bool:
        """Whether Go distinguishes a zero from no value: a field of a built-in kind that is a pointer."""
        return bool(self.schema.get("x-go-pointer"))

    @property
    def is_nullable(self) -> bool:
        """Whether Go writes null where nothing is set: an optional list of a built-in kind without omitempty."""
        return bool(self.schema.get("x-go-null"))

    @property
    def is_omitted_when_zero(self) -> bool:
        """Whether Go leaves out a struct that is not set."""
        return bool(self.schema.get("x-go-omitzero"))

    @property
    def keeps_unknown(self) -> bool:
        """Whether fields that the schema does not name are kept."""
        return bool(self.schema.get("x-kubernetes-preserve-unknown-fields"))


class TypeRegistry:
    """All definitions of one release of Kubernetes, and the types made of them."""

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        self._definitions = definitions
        self._by_name: dict[str, Type] = {}

    @classmethod
    @cache
    def load(cls, release: str) -> "TypeRegistry":
        """The definitions that come with this package, read once in a process: that blocks for some milliseconds.

        Raises:
            ValueError: there are none for this release of Kubernetes.
        """
        file = resources.files("fake_dra_driver.cluster.apiserver.types") / "schemas" / f"{release}.json"
        if not file.is_file():
            raise ValueError(f"no types of Kubernetes {release} are known here")
        return cls(json.loads(file.read_text()))

    @property
    def definitions(self) -> Mapping[str, Mapping[str, Any]]:
        """The schemas by name, as in an OpenAPI document."""
        return self._definitions

    def definition(self, name: str) -> Mapping[str, Any]:
        """The schema of that name."""
        return self._definitions[name]

    def name_of(self, group: str, version: str, kind: str) -> str:
        """Name of the definition of a built-in kind. Raises KeyError when there is none."""
        wanted = {"group": group, "version": version, "kind": kind}
        for name, schema in self._definitions.items():
            if wanted in schema.get("x-kubernetes-group-version-kind", ()):
                return name
        raise KeyError(kind)

    def type_of(self, schema: Mapping[str, Any]) -> Type:
        """The type of a schema. Bare references share one type."""
        name = schema.get("$ref") if len(schema) == 1 else None
        if name is None:
            return Type(self, schema)
        if name not in self._by_name:
            self._by_name[name] = Type(self, schema)
        return self._by_name[name]

    def named(self, name: str) -> Type:
        """The type of a definition."""
        return self.type_of({"$ref": _REFERENCE + name})

    def root(self, schema: Mapping[str, Any]) -> Type:
        """The type of a schema by itself, with the metadata that every object has only for its rules."""
        return Type(self, schema, is_root=True)

    def custom(self, schema: Mapping[str, Any]) -> Type:
        """The type of a custom kind: as the CRD says, with the metadata that every kind has."""
        properties = {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            **schema.get("properties", {}),
            "metadata": {"$ref": _REFERENCE + OBJECT_META},
        }
        return Type(self, {**schema, "properties": properties}, is_root=True)


def _shape(schema: Mapping[str, Any]) -> Shape:
    match schema.get("type"):
        case "object" if schema.get("properties"):
            return Shape.STRUCT
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return Shape.MAP
        case "object":
            keeps = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")
            return Shape.ANY if keeps or "additionalProperties" in schema else Shape.STRUCT
        case "array":
            return Shape.LIST
        case None if not schema.get("x-kubernetes-int-or-string") and "oneOf" not in schema:
            return Shape.ANY
        case _:
            return Shape.SCALAR
