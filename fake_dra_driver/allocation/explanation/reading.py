"""What a selector reads of a device, and what that is there: with which values it was false, or not to be evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from fake_dra_driver.allocation.constraints import attribute_of
from fake_dra_driver.allocation.obstacles import SelectorFailed, SelectorFalse
from fake_dra_driver.allocation.selectorparts import Reference, conditions_of, references_of
from fake_dra_driver.allocation.selectors import (
    CelCostError,
    CelError,
    CelSyntaxError,
    DeviceView,
    Selector,
    compile_selector,
)
from fake_dra_driver.api.resource.v1 import Device, DeviceAttribute

__all__ = ["FalsePart", "false_part", "guarded_expression", "names_of", "names_read", "value_text", "values_read"]

Values = Mapping[str, str | None]
"""By name, what a device has, as CEL writes it; None: it lacks it. What is in its driver's domain has no domain before
the name."""


class FalsePart(NamedTuple):
    """The part of a selector that is false for a device."""

    text: str
    """One of the conditions that the expression joins with ``&&``; the expression if it joins none."""
    values: Values
    """What it reads of the device."""


def false_part(obstacle: SelectorFalse) -> FalsePart:
    """Which part of a selector is false, and with which values."""
    device, driver = obstacle.spec, obstacle.device.driver
    conditions = conditions_of(obstacle.origin.expression)
    if len(conditions) > 1:
        view = DeviceView(driver, device)
        found = next((each for each in conditions if _is_false(each, view)), None)
        if found is not None:
            return FalsePart(found, _values_of(found, driver, device))
    expression = obstacle.origin.expression
    return FalsePart(expression, _values_of(expression, driver, device))


def _is_false(condition: str, view: DeviceView) -> bool:
    selector = _compiled(condition)
    try:
        return selector is not None and not selector.accepts(view)
    except (CelError, CelCostError):
        return False  # for && an error counts as true as long as something else is false


def values_read(obstacle: SelectorFalse | SelectorFailed) -> Values:
    """What the whole expression reads of the device."""
    return _values_of(obstacle.origin.expression, obstacle.device.driver, obstacle.spec)


def guarded_expression(failed: SelectorFailed) -> str | None:
    """The expression, with a question before it whether the device has the attributes that this one lacks.

    None: it lacks none of those that the expression names, so that something else must be wrong.
    """
    device, driver = failed.spec, failed.device.driver
    lacking = [
        each
        for each in _references(failed.origin.expression)
        if each.field == "attributes" and attribute_of(driver, device, f"{each.domain}/{each.name}") is None
    ]
    if not lacking:
        return None
    questions = [f'"{each.name}" in device.attributes["{each.domain}"]' for each in lacking]
    return " && ".join([*questions, f"({failed.origin.expression})"])


def names_of(driver: str, device: Device) -> frozenset[str]:
    """The full names of the attributes and capacities of a device."""
    return frozenset(name if "/" in name else f"{driver}/{name}" for name in (*device.attributes, *device.capacity))


def names_read(expression: str) -> Sequence[str]:
    """The full names of the attributes and capacities that an expression reads."""
    found = (f"{each.domain}/{each.name}" for each in _references(expression) if each.name)
    return list(dict.fromkeys(found))


def value_text(attribute: DeviceAttribute) -> str:
    """The value as CEL writes it: strings and versions in quotes."""
    if attribute.bool_value is not None:
        return str(attribute.bool_value).lower()
    if attribute.int_value is not None:
        return str(attribute.int_value)
    text = attribute.string if attribute.string is not None else attribute.version
    if text is not None:
        return _quoted(text)
    numbers = [*map(str, attribute.ints), *(str(each).lower() for each in attribute.bools)]
    return f"[{', '.join([*numbers, *map(_quoted, (*attribute.strings, *attribute.versions))])}]"


def _values_of(expression: str, driver: str, device: Device) -> Values:
    return dict(_values(expression, driver, device))


def _values(expression: str, driver: str, device: Device) -> Iterator[tuple[str, str | None]]:
    for each in _references(expression):
        shown = each.name if each.domain == driver else f"{each.domain}/{each.name}"
        match each.field:
            case "driver":
                yield "driver", _quoted(driver)
            case "allowMultipleAllocations":
                yield each.field, str(bool(device.allow_multiple_allocations)).lower()
            case "capacity":
                yield shown, _capacity(each, driver, device)
            case _:
                attribute = attribute_of(driver, device, f"{each.domain}/{each.name}")
                yield shown, None if attribute is None else value_text(attribute)


def _capacity(reference: Reference, driver: str, device: Device) -> str | None:
    names = [f"{reference.domain}/{reference.name}", *([reference.name] if reference.domain == driver else [])]
    return next((device.capacity[name].value for name in names if name in device.capacity), None)


def _references(expression: str) -> Sequence[Reference]:
    selector = _compiled(expression)
    return () if selector is None else _references_of(selector)


@lru_cache(maxsize=1024)
def _references_of(selector: Selector) -> Sequence[Reference]:
    return references_of(selector)


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Selector | None:
    """The selector; None: it is not valid."""
    try:
        return compile_selector(expression)
    except CelSyntaxError:
        return None


def _quoted(text: str) -> str:
    return f'"{text}"'
