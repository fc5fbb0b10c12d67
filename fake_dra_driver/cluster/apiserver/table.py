"""Tables and metadata-only forms of objects: what ``kubectl get`` and metadata informers ask for.

Follows k8s.io/apiserver/pkg/endpoints/handlers/response.go and, for custom kinds, apiextensions' tableconvertor.
JSONPath in printer columns: fields, indexes and ``[*]``; a filter expression gives an empty cell.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fake_dra_driver.cluster.apiserver.printers import age, print_cells
from fake_dra_driver.cluster.apiserver.resource import Column, Resource
from fake_dra_driver.cluster.apiserver.store import Object

__all__ = ["CUSTOM_COLUMNS", "NAME_COLUMN", "partial_metadata", "table"]

NAME_COLUMN = Column("Name", format="name", description="Name must be unique within a namespace.")
CUSTOM_COLUMNS = (
    Column("Age", "date", path=".metadata.creationTimestamp", description="Time since the object was created."),
)
"""Columns of a custom kind whose CRD names none, behind the name."""
_STEP = re.compile(r"\.?(?:\[(\*|-?\d+|'[^']*')\]|\.?((?:\\.|[^.\[\]])+))")
_META = "meta.k8s.io/v1"


def partial_metadata(obj: Object) -> Object:
    """PartialObjectMetadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}


def table(
    resource: Resource,
    objects: Sequence[Object],
    metadata: Object,
    include: str,
    now: datetime,
    *,
    headers: bool = True,
) -> Object:
    """A Table of objects. ``include``: what a row carries of its object: None, Metadata or Object."""
    columns = resource.columns
    rows = []
    for obj in objects:
        cells = _custom_cells(resource, obj, now) if resource.custom else print_cells(resource.kind, obj, now)
        row: Object = {"cells": cells}
        if include == "Object":
            row["object"] = {"kind": resource.kind, "apiVersion": resource.api_version, **obj}
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
    cells: list[Any] = [obj["metadata"]["name"]]
    for column in resource.columns[1:]:
        found = find(obj, column.path)
        cells.append(_custom_cell(found, column, now))
    return cells


def _custom_cell(found: list[Any], column: Column, now: datetime) -> Any:
    if not found:
        return None
    value = found[0]
    if column.type == "date":
        return age(value, now)
    if column.type == "string":
        if len(found) > 1 or isinstance(value, dict | list):
            texts = [each if isinstance(each, str) else json.dumps(each, separators=(",", ":")) for each in found]
            return ",".join(texts) if "*" in column.path else texts[0]
        return value if isinstance(value, str) else json.dumps(value)
    if column.type == "integer":
        return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return value


def find(obj: Any, path: str) -> list[Any]:
    """Values at a JSONPath; none when it leads nowhere."""
    values = [obj]
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or step.end() == at:
            return []
        at = step.end()
        index: str | None = step[1]
        name: str | None = step[2]
        if index is not None and index.startswith("'"):
            name = index[1:-1]
        if name is not None:
            key = re.sub(r"\\(.)", r"\1", name)
            values = [each[key] for each in values if isinstance(each, dict) and key in each]
        elif index == "*":
            values = [item for each in values for item in (each.values() if isinstance(each, dict) else each or ())]
        elif index is not None:
            values = [
                each[int(index)] for each in values if isinstance(each, list) and -len(each) <= int(index) < len(each)
            ]
    return values
