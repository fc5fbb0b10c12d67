"""Finds the overload of a call, as far as that is not known before there are values."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.overload import Overload
from fake_dra_driver.cel.types import Type
from fake_dra_driver.cel.value import Duration, Extension, Optional, Timestamp, Uint, type_of

__all__ = ["Choose", "chooser"]

Choose = Callable[[Sequence[Any]], Overload]
"""The overload for these arguments. Raises CelError."""

_CLASSES: Mapping[str, type] = {
    "bool": bool,
    "int": int,
    "uint": Uint,
    "double": float,
    "string": str,
    "bytes": bytes,
    "timestamp": Timestamp,
    "duration": Duration,
    "null": type(None),
    "type": Type,
}


def chooser(function: str, overloads: Sequence[Overload], types: Sequence[Type]) -> Overload | Choose:
    """The overload for arguments of these types, or what finds it once they are there."""
    if all(each.call is overloads[0].call for each in overloads) and overloads[0].is_checked:
        return overloads[0]
    guarded = [(overload, _guards(overload, types)) for overload in overloads]
    if len(overloads) == 1 and not guarded[0][1]:
        return overloads[0]

    def choose(arguments: Sequence[Any]) -> Overload:
        for overload, guards in guarded:
            if all(guard(arguments[at]) for at, guard in guards):
                return overload
        shown = ", ".join(type_of(each).name for each in arguments)
        raise CelError(f"no such overload: {function}({shown})")

    return choose


def _guards(overload: Overload, types: Sequence[Type]) -> Sequence[tuple[int, Callable[[Any], bool]]]:
    """What must hold for which arguments."""
    found = []
    for at, (wanted, given) in enumerate(zip(overload.takes, types, strict=True)):
        guard = _guard(wanted)
        if guard is not None and not _is_sure(wanted, given):
            found.append((at, guard))
    return found


def _is_sure(wanted: Type, given: Type) -> bool:
    """Whether a value of the given type is always one of the wanted type."""
    if wanted.kind in ("parameter", "dyn", "any"):
        return True
    if wanted.kind != given.kind or wanted.name != given.name:
        return False
    return all(map(_is_sure, wanted.parameters, given.parameters))


def _guard(wanted: Type) -> Callable[[Any], bool] | None:
    """Whether a value is one of a type; None: any is. A list or map is judged by its first item, as in cel-go."""
    match wanted.kind:
        case "parameter" | "dyn" | "any":
            return None
        case "list":
            item = _guard(wanted.item)
            return lambda value: isinstance(value, list) and (item is None or not value or item(value[0]))
        case "map":
            key, item = _guard(wanted.parameters[0]), _guard(wanted.item)
            return lambda value: (
                isinstance(value, Mapping)
                and all((key is None or key(name)) and (item is None or item(value[name])) for name in tuple(value)[:1])
            )
        case "abstract" | "structure":
            if wanted.is_optional:
                return lambda value: isinstance(value, Optional)
            return lambda value: isinstance(value, Extension) and value.kind == wanted
        case kind:
            class_ = _CLASSES[kind]
            return lambda value: type(value) is class_
