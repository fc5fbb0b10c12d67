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
in by the API server, which alone checks ``cel_rules`` and ServerText. Crd carries what has no place on a field. Follows
apiextensions.k8s.io/v1; what a structural schema cannot say (KEP-1027) is refused by ``codegen``.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject

__all__ = [
    "CelRule",
    "Crd",
    "CustomResource",
    "PrinterColumn",
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
class Crd:
    """What a CustomResourceDefinition says beside its schema."""

    singular: str
    short_names: tuple[str, ...] = ()
    printer_columns: tuple[PrinterColumn, ...] = ()


class SchemaModel(ApiModel):
    """Base of the objects inside of a custom resource."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    cel_rules: ClassVar[tuple[CelRule, ...]] = ()


class CustomResource(KubeObject):
    """Base of every kind that has a CustomResourceDefinition."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    crd: ClassVar[Crd]
