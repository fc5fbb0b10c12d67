"""The fields of a report, for the page that documents it: every path in its JSON, with type and meaning."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from fake_dra_driver.codegen import description_of

__all__ = ["DocumentedField", "fields_of"]


@dataclass(frozen=True, slots=True)
class DocumentedField:
    """A field, as a page shows it."""

    path: str
    type: str
    description: str


_SIMPLE: Final = {str: "string", int: "integer", bool: "boolean", datetime: "time (RFC 3339)"}


def fields_of(model: type[BaseModel], path: str = "") -> Iterator[DocumentedField]:
    """Every field of the report, by its name in JSON; a list's entries are below ``name[]``."""
    for field in model.model_fields.values():
        name, inner, where = _type(field.annotation)
        here = f"{path}{field.alias}"
        yield DocumentedField(here, name, description_of(field.description))
        if inner is not None:
            yield from fields_of(inner, f"{here}{where}.")


def _type(annotation: Any) -> tuple[str, type[BaseModel] | None, str]:
    """The type in words; the model of an object or of a list's entries; what its fields' paths have behind the name."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        (other,) = (argument for argument in arguments if argument is not types.NoneType)
        name, inner, where = _type(other)
        return f"{name} or null", inner, where
    if origin is tuple:
        name, inner, _ = _type(arguments[0])
        return f"list of {name}s", inner, "[]"
    if origin is Literal:
        return "string", None, ""
    if origin is Mapping:
        return f"map of {_type(arguments[1])[0]}", None, ""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation], None, ""
    return "object", annotation, ""
