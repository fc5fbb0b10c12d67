"""The vocabulary in which a project writes down kinds of its own, so that ``codegen`` can make their CRDs.

A kind is a CustomResource, and the objects inside of it are SchemaModels::

    class BrushSpec(SchemaModel):
        \"\"\"What a brush looks like.\"\"\"

        cel_rules = (CelRule("self.width != 13", "13 is not made"),)

        width: Annotated[int, ServerDefault()] = Field(default=3, ge=1, le=20)
        \"\"\"Width in millimetres.\"\"\"


    class Brush(CustomResource):
        \"\"\"A brush.\"\"\"

        resource = ResourceKind("paint.example.com", "v1", "Brush", "brushes")
        crd = Crd(singular="brush", printer_columns=(PrinterColumn("Width", "integer", ".spec.width", "In mm."),))

        spec: Annotated[BrushSpec, ServerDefault()] = Field(default_factory=BrushSpec)
        \"\"\"What it looks like.\"\"\"

Docstrings become descriptions, a ``Field``'s bounds become the schema's, a default marked with ServerDefault is filled
in by the API server, which alone checks ``cel_rules``, CelRule and ServerText. Crd carries what has no place on a
field. What fields can be:

- texts, numbers, booleans, ``Literal`` and ``Enum`` of texts or whole numbers; ``datetime``, ``date``, ``UUID`` and
  addresses; Int32, Int64 and Double, where other programs rely on the size; ``int | str``, and ResourceQuantity;
- ``tuple[X, ...]``: a list, whose entries are unique with ListSet, or unique by some of their fields with ListMap;
- ``Mapping[str, X]``, other SchemaModels, and ``X | None`` for what may be left out, or be null with Nullable;
- unions of models: ``Annotated[Round | Flat, Field(discriminator="kind")]``, or a model derived from OneOf.

Follows apiextensions.k8s.io/v1; what a structural schema cannot say (KEP-1027) is refused by ``codegen``.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject
from fake_dra_driver.quantity import canonical

__all__ = [
    "CelRule",
    "Crd",
    "CustomResource",
    "Double",
    "Format",
    "Int32",
    "Int64",
    "ListMap",
    "ListSet",
    "Nullable",
    "OneOf",
    "PrinterColumn",
    "ResourceQuantity",
    "SchemaModel",
    "ServerDefault",
    "ServerText",
    "annotation_json_path",
]


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """A column of ``kubectl get`` (CustomResourceColumnDefinition)."""

    name: str
    type: Literal["string", "integer", "number", "boolean", "date"]
    json_path: str
    description: str
    priority: int = 0
    """0: always shown; more: only with ``-o wide``."""


def annotation_json_path(name: str) -> str:
    """The JSONPath of an annotation, for a PrinterColumn."""
    return ".metadata.annotations." + name.replace(".", "\\.")


@dataclass(frozen=True, slots=True)
class CelRule:
    """One entry of ``x-kubernetes-validations``, on the object or field that carries it."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class ServerDefault:
    """Marks a field whose default the API server fills in. Other defaults only say what an absent field reads as."""


@dataclass(frozen=True, slots=True)
class ServerText:
    """Marks a text that the API server checks when it is written, while what is stored already is read as it is."""

    pattern: str
    """A regular expression (RE2), with ``^`` and ``$``."""
    max_length: int
    """In characters."""


@dataclass(frozen=True, slots=True)
class Nullable:
    """Marks a field that may be ``null`` on the wire; it has to be one of ``X | None``."""


@dataclass(frozen=True, slots=True)
class Format:
    """Marks a text or a number with a ``format`` of OpenAPI."""

    name: str


@dataclass(frozen=True, slots=True)
class ListSet:
    """Marks a list whose entries are all different, and which several writers can add to (server-side apply)."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Has pydantic refuse an entry that is there twice."""
        return _unique(handler(source), lambda entry: entry)


@dataclass(frozen=True, slots=True, init=False)
class ListMap:
    """Marks a list of objects that are told from each other by some of their fields: no two have the same there."""

    keys: tuple[str, ...]
    """Names of these fields, as in Python."""

    def __init__(self, *keys: str) -> None:
        object.__setattr__(self, "keys", keys)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Has pydantic refuse two entries that are the same by their keys."""
        return _unique(handler(source), lambda entry: tuple(getattr(entry, key) for key in self.keys))


def _unique(schema: CoreSchema, identity: Callable[[Any], Hashable]) -> CoreSchema:
    def check(entries: Sequence[Any]) -> Sequence[Any]:
        seen = set()
        for entry in entries:
            if (found := identity(entry)) in seen:
                shown = ", ".join(map(str, found)) if isinstance(found, tuple) else found
                raise ValueError(f"{shown} is there twice")
            seen.add(found)
        return entries

    return core_schema.no_info_after_validator_function(check, schema)


def _within_64_bits(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("it does not fit into 64 bits")
    return value


def _quantity(value: int | str) -> int | str:
    if isinstance(value, str):
        canonical(value)
    return value


Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), Format("int32")]
"""A whole number of 32 bits."""
# Bounds of a schema are floating-point numbers, which the bounds of 64 bits are not.
Int64 = Annotated[int, AfterValidator(_within_64_bits), Format("int64")]
"""A whole number of 64 bits, as any that an API server reads."""
Double = Annotated[float, Field(allow_inf_nan=False), Format("double")]
"""A number with a fraction, of 64 bits."""

_QUANTITY: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$"
ResourceQuantity = Annotated[int | str, AfterValidator(_quantity), ServerText(_QUANTITY, 64)]
"""A quantity of Kubernetes: ``4``, ``"500m"`` or ``"8Gi"``."""


@dataclass(frozen=True, slots=True)
class Crd:
    """What a CustomResourceDefinition says beside its schema."""

    singular: str
    short_names: tuple[str, ...] = ()
    printer_columns: tuple[PrinterColumn, ...] = ()
    status_subresource: bool = False
    """Whether ``status`` is written on its own: a write of the object leaves it as it is, and counts no generation."""


class SchemaModel(ApiModel):
    """Base of the objects inside of a custom resource."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    cel_rules: ClassVar[tuple[CelRule, ...]] = ()


class OneOf(SchemaModel):
    """Base of objects of whose fields exactly one is set, as in ``source: {image: ...}``; each is ``X | None``."""

    @model_validator(mode="after")
    def _one_is_set(self) -> Self:
        wire_names = {name: field.alias or name for name, field in type(self).model_fields.items()}
        given = [wire for name, wire in wire_names.items() if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {_listed(wire_names.values())} has to be set, not {_listed(given) or 0}")
        return self


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


class CustomResource(KubeObject):
    """Base of every kind that has a CustomResourceDefinition."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    crd: ClassVar[Crd]
