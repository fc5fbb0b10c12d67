"""Tables and metadata-only forms of objects: what ``kubectl get`` and metadata informers ask for.

Follows k8s.io/apiserver/pkg/endpoints/handlers/response.go and, for custom kinds, apiextensions' tableconvertor.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fake_dra_driver.cluster.apiserver.heavywork import spend
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.tables.humanduration import age
from fake_dra_driver.cluster.apiserver.tables.jsonpath import JsonPathError, parse_path
from fake_dra_driver.cluster.apiserver.types.resource import Column, Resource

__all__ = ["columns_of_crd", "partial_metadata", "table"]

_NAME_COLUMN = Column("Name", format="name", description="Name must be unique within a namespace.")
_AGE: Mapping[str, Any] = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": "Time since the object was created.",
}
"""The column of a custom kind whose CRD names none."""
_META = "meta.k8s.io/v1"
_MAX_ROW_STEPS = 10_000
"""How many values the columns of one row look at."""


def partial_metadata(obj: Object) -> Object:
    """PartialObjectMetadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def _cells(resource: Resource, obj: Object, now: datetime) -> list[Any]:
    if not obj["metadata"].get("name"):
        # A bookmark, whose row has nothing to show.
        return [0 if each.type in ("integer", "number") else "" for each in resource.columns]
    return _custom_cells(resource, obj, now) if resource.cells is None else resource.cells(obj, now)


def table(
    resource: Resource,
    objects: Sequence[Object],
    metadata: Object,
    include: str,
    now: datetime,
    *,
    headers: bool = True,
) -> Object:
    """A Table of stored objects. ``include``: what a row carries of its object: None, Metadata or Object."""
    columns = resource.columns
    rows = []
    for obj in objects:
        row: Object = {"cells": _cells(resource, obj, now)}
        if include == "Object":
            row["object"] = {"kind": resource.kind, "apiVersion": resource.api_version, **resource.from_stored(obj)}
        elif include != "None":
            row["object"] = partial_metadata(obj)
        rows.append(row)
    definitions = [
        {
            "name": each.name,
            "type": each.type,
            "format": each.format,
            "description": each.description,
            "priority": each.priority,
        }
        for each in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": _META,
        "metadata": metadata,
        "columnDefinitions": definitions if headers else None,
        "rows": rows,
    }


def _custom_cells(resource: Resource, obj: Object, now: datetime) -> list[Any]:
    steps = _RowSteps()
    cells = [_custom_cell(steps.find(column.path, obj), column, now) for column in resource.columns[1:]]
    if steps.made:
        spend(steps.made)
    return [obj["metadata"]["name"], *cells]


_path = lru_cache(maxsize=1000)(parse_path)


class _RowSteps:
    """Finds what the paths of one row lead to, until they have looked at too much."""

    def __init__(self) -> None:
        self.made = 0

    def find(self, path: str, obj: Object) -> list[Any]:
        """The values there; none where that takes too long."""
        if self.made >= _MAX_ROW_STEPS:
            return []
        return _path(path)(obj, self._spend)

    def _spend(self, steps: int) -> None:
        self.made += steps
        if self.made > _MAX_ROW_STEPS:
            raise JsonPathError("the paths look at too many values")


def _custom_cell(found: list[Any], column: Column, now: datetime) -> Any:
    """Of several values the first, if it is what the column wants."""
    value = found[0] if found else None
    if column.type == "string":
        return _text(value) if found else None
    match column.type, value:
        case (("integer" | "number" | "boolean"), bool()):
            return value if column.type == "boolean" else None
        case "integer", int() | float():
            return int(value)
        case "number", int() | float():
            return value
        case "date", str():
            return _age(value, now)
    return None


def _age(value: str, now: datetime) -> str:
    try:
        return age(value, now)
    except ValueError:
        return "<invalid>"


def _text(value: Any) -> str:
    """A value as Go prints it."""
    match value:
        case None:
            return "<no value>"
        case str():
            return value
        case float():
            return _float(value)
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _float(value: float) -> str:
    """A number as Go's %v prints it: with an exponent from a million on."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    if -5 < power < 6:
        return str(int(value)) if value.is_integer() else repr(value)
    mantissa = f"{digits[0]}.{''.join(map(str, digits[1:]))}".rstrip(".")
    return f"{'-' if sign else ''}{mantissa}e{power:+03d}"


def columns_of_crd(declared: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The columns of a CRD. As on a real API server, one with an invalid path is the end of the list."""
    columns = [_NAME_COLUMN]
    for each in declared or (_AGE,):
        try:
            _path(each["jsonPath"])
        except JsonPathError:
            break
        default = f"Custom resource definition column (in JSONPath format): {each['jsonPath']}"
        column = Column(
            each["name"],
            each["type"],
            each.get("format", ""),
            each.get("priority", 0),
            each["jsonPath"],
            each.get("description") or default,
        )
        columns.append(column)
    return tuple(columns)
