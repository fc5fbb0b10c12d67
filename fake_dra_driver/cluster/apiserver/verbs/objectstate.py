"""What a write asks about whole objects: is it unchanged, is it finished, what counts for its generation."""

from typing import Any

from fake_dra_driver.cluster.apiserver.errors import Problem, required, unsupported_value
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Record, encode
from fake_dra_driver.cluster.apiserver.types.objecttype import Shape, Type
from fake_dra_driver.cluster.apiserver.types.resource import Resource

__all__ = ["desired", "is_finished", "is_same", "shape_problems", "unstored", "with_nulls"]


def with_nulls(value: Object, type_: Type) -> Object:
    """The object with the lists and maps that Go would write as null although they were not set."""
    for name, field in type_.fields.items():
        if name in value and isinstance(value[name], dict) and field.fields:
            value[name] = with_nulls(value[name], field)
        elif name not in value and name in type_.required and field.shape in (Shape.LIST, Shape.MAP):
            value[name] = None
    return value


def shape_problems(value: Any, type_: Type | None, path: str) -> list[Problem]:
    """Problems with required fields and enumerations of a built-in kind's spec that its own rules do not check."""
    if type_ is None or value is None:
        return []
    problems: list[Problem] = []
    if isinstance(value, dict):
        for name in type_.required:
            field = type_.fields.get(name)
            if field is not None and value.get(name) in (None, "") and field.shape is not Shape.STRUCT:
                problems.append(required(f"{path}.{name}"))
        for name, each in value.items():
            problems += shape_problems(each, type_.field(name), f"{path}.{name}")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            problems += shape_problems(each, type_.element, f"{path}[{at}]")
    elif "enum" in type_.schema and value not in type_.schema["enum"] and value != "":
        problems.append(unsupported_value(path, value, sorted(type_.schema["enum"])))
    return problems


def unstored(key: Key, obj: Object) -> Record:
    """The answer of a dry run."""
    body = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion")}
    return Record(key, 0, encode(body))


def is_same(obj: Object, old: Object) -> bool:
    """Whether a write changes nothing; times in managedFields alone do not count."""

    def comparable(each: Object) -> Object:
        managed = [
            {k: v for k, v in entry.items() if k != "time"} for entry in each["metadata"].get("managedFields") or ()
        ]
        return {**each, "metadata": {**each["metadata"], "managedFields": managed}}

    return comparable(obj) == comparable(old)


def is_finished(obj: Object) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    metadata = obj["metadata"]
    return (
        bool(metadata.get("deletionTimestamp"))
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not (obj.get("spec") or {}).get("finalizers")
    )


def desired(resource: Resource, obj: Object) -> Object:
    """What counts for the generation: all but (most of) the metadata and, where it is a subresource, the status."""
    ignored = (
        ("metadata", "status", "kind", "apiVersion") if resource.has_status else ("metadata", "kind", "apiVersion")
    )
    counted = {name: value for name, value in obj.items() if name not in ignored}
    if resource.rules.counts_annotations:
        counted["annotations"] = obj["metadata"].get("annotations") or {}
    return counted
