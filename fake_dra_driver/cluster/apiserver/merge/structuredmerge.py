"""Typed values: the fields of an object, the difference between two objects, and their merge.

Follows sigs.k8s.io/structured-merge-diff/typed (ToFieldSet, Compare, Merge, RemoveItems). Lists of type map and set are
merged item by item, atomic ones as one value; what the schema does not know is treated as the value itself suggests.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request
from fake_dra_driver.cluster.apiserver.merge.fieldpaths import FieldSet, Path, field_element, key_element, value_element
from fake_dra_driver.cluster.apiserver.types.objecttype import Shape, Type

__all__ = ["Comparison", "compare", "field_set", "merge", "remove"]


class _Missing:
    """Marks a field that a side does not have, which is not the same as null."""


_MISSING = _Missing()


@dataclass(slots=True)
class Comparison:
    """The paths that only the new object has, only the old one had, and whose values differ."""

    added: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)


def _children(value: Any, type_: Type | None) -> dict[str, tuple[Any, Type | None]] | None:
    """Elements of a value with their values and types; None when the value has one owner as a whole."""
    if isinstance(value, dict):
        if type_ is not None and type_.shape is not Shape.LIST and type_.is_atomic and type_.shape is not Shape.SCALAR:
            return None
        return {
            field_element(name): (each, type_.field(name) if type_ is not None else None)
            for name, each in value.items()
        }
    if isinstance(value, list) and type_ is not None and type_.shape is Shape.LIST and not type_.is_atomic:
        return {_item_element(each, type_): (each, type_.element) for each in value}
    return None


def _item_element(item: Any, type_: Type) -> str:
    if type_.list_type == "set":
        return value_element(item)
    keys = {}
    for name in type_.keys:
        if isinstance(item, dict) and name in item:
            keys[name] = item[name]
        elif type_.element is not None and (inner := type_.element.fields.get(name)) is not None:
            default = inner.schema.get("default")
            if default is not None:
                keys[name] = default
    if not keys:
        raise _no_key(type_)
    return key_element(keys)


def _no_key(type_: Type) -> StatusError:
    names = ", ".join(f'"{name}"' for name in type_.keys)
    return bad_request(f"associative list with keys has an element that omits key field {names}")


def field_set(value: Any, type_: Type | None) -> FieldSet:
    """The fields that an applied configuration names, and thus claims."""
    return FieldSet(_fields(value, type_, ()))


def _fields(value: Any, type_: Type | None, path: Path) -> Iterator[Path]:
    children = _children(value, type_)
    if children is None:
        if path:
            yield path
        return
    for element, (inner, inner_type) in children.items():
        below = (*path, element)
        is_user_key = element.startswith("f:") and (type_ is None or element[2:] not in type_.fields)
        if not element.startswith("f:") or is_user_key or inner in ({}, None):
            yield below
        yield from _fields(inner, inner_type, below)


def compare(old: Any, new: Any, type_: Type | None) -> Comparison:
    """What an update changes."""
    result = Comparison()
    _compare(old, new, type_, (), result)
    return result


def _compare(old: Any, new: Any, type_: Type | None, path: Path, result: Comparison) -> None:
    if type(old) is type(new) and old == new:
        return  # most of an object, at each write of its status
    if path:
        if old is _MISSING:
            result.added.add(path)
        elif new is _MISSING:
            result.removed.add(path)
    before = {} if old is _MISSING or old is None else _children(old, type_)
    after = {} if new is _MISSING or new is None else _children(new, type_)
    if before is None or after is None or not (before or after):
        if _MISSING not in (old, new) and old != new:
            result.modified.add(path)
        return
    for element in dict.fromkeys((*before, *after)):
        one, one_type = before.get(element, (_MISSING, None))
        two, two_type = after.get(element, (_MISSING, None))
        _compare(one, two, two_type or one_type, (*path, element), result)


def merge(live: Any, applied: Any, type_: Type | None) -> Any:
    """``applied`` laid over ``live``."""
    before, after = _children(live, type_), _children(applied, type_)
    if before is None or after is None:
        return applied
    merged = {
        element: merge(before[element][0], after[element][0], after[element][1] or before[element][1])
        if element in before and element in after
        else (after.get(element) or before[element])[0]
        for element in _merged_order(before, after, is_list=isinstance(applied, list))
    }
    if isinstance(applied, list):
        return list(merged.values())
    return {element[2:]: value for element, value in merged.items()}


def _merged_order(before: Any, after: Any, *, is_list: bool) -> list[str]:
    """Items keep the order of ``after``; those only in ``before`` keep their place among the others."""
    if not is_list:
        return list(dict.fromkeys((*before, *after)))
    order: list[str] = []
    rest = iter(before)
    # The first of the rest that is neither passed nor taken; None: there is none.
    first = next(rest, None)
    taken: set[str] = set()
    for element in after:
        while first is not None and (first in taken or first not in after):
            if first not in taken:
                order.append(first)
            first = next(rest, None)
        taken.add(element)
        order.append(element)
    last = () if first is None else (first, *rest)
    return order + [element for element in last if element not in after]


def remove(value: Any, type_: Type | None, doomed: FieldSet, kept: FieldSet) -> Any:
    """``value`` without the fields of ``doomed``, except those of ``kept`` and their parents."""
    return _remove(value, type_, (), doomed.paths, doomed.with_ancestors(), kept.with_ancestors())


def _remove(
    value: Any,
    type_: Type | None,
    path: Path,
    doomed: frozenset[Path],
    leads_to_doomed: frozenset[Path],
    kept: frozenset[Path],
) -> Any:
    children = _children(value, type_)
    if children is None:
        return value
    result = {}
    for element, (inner, inner_type) in children.items():
        below = (*path, element)
        if below not in leads_to_doomed:
            result[element] = inner
            continue
        if below in doomed and below not in kept:
            continue
        left = _remove(inner, inner_type, below, doomed, leads_to_doomed, kept)
        if left in ({}, []) and inner not in ({}, []) and below not in kept:
            continue
        result[element] = left
    if isinstance(value, list):
        return list(result.values())
    return {element[2:]: each for element, each in result.items()}
