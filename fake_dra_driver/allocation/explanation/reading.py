"""What a selector reads of a device, and what that is there: with which values it was false."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from fake_dra_driver.allocation.obstacles import SelectorFailed, SelectorFalse
from fake_dra_driver.api.resource.v1 import Device, DeviceAttribute

__all__ = ["guarded_expression", "value_text", "values_read"]

_READ: Final = re.compile(
    r"""device\.(attributes|capacity)\s*\[\s*(["'])(?P<domain>[^"']*)\2\s*\]\s*"""
    r"""(?:\.\??\s*(?P<field>[A-Za-z_]\w*)|\[\??\s*(["'])(?P<key>[^"']*)\5\s*\])"""
)


class _Name(NamedTuple):
    is_capacity: bool
    domain: str
    identifier: str

    @property
    def full(self) -> str:
        return f"{self.domain}/{self.identifier}"

    def keys_at(self, driver: str) -> tuple[str, ...]:
        """Under which a device of the driver may have it."""
        return (self.identifier, self.full) if self.domain == driver else (self.full,)


def values_read(obstacle: SelectorFalse | SelectorFailed) -> Mapping[str, str | None]:
    """By name, the attributes and capacities that the expression names, in its order; None: the device lacks it.

    Those of the driver's own domain have no domain before them.
    """
    device, driver = obstacle.spec, obstacle.device.driver
    return dict(_values(obstacle.origin.expression, driver, device))


def _values(expression: str, driver: str, device: Device) -> Iterator[tuple[str, str | None]]:
    if "device.driver" in expression:
        yield "driver", _quoted(driver)
    for name in _names(expression):
        shown = name.identifier if name.domain == driver else name.full
        if name.is_capacity:
            capacity = next((device.capacity[each] for each in name.keys_at(driver) if each in device.capacity), None)
            yield shown, None if capacity is None else capacity.value
        else:
            attribute = _attribute(device, driver, name)
            yield shown, None if attribute is None else value_text(attribute)


def _attribute(device: Device, driver: str, name: _Name) -> DeviceAttribute | None:
    return next((device.attributes[each] for each in name.keys_at(driver) if each in device.attributes), None)


def guarded_expression(failed: SelectorFailed) -> str | None:
    """The expression, with a question before it whether the device has the attributes that this one lacks.

    None: it lacks none of those that the expression names, so that something else must be wrong.
    """
    device, driver = failed.spec, failed.device.driver
    lacking = [
        name
        for name in _names(failed.origin.expression)
        if not name.is_capacity and _attribute(device, driver, name) is None
    ]
    if not lacking:
        return None
    questions = [f'"{name.identifier}" in device.attributes["{name.domain}"]' for name in lacking]
    return " && ".join([*questions, f"({failed.origin.expression})"])


@lru_cache(maxsize=256)
def _names(expression: str) -> tuple[_Name, ...]:
    found = (
        _Name(match[1] == "capacity", match["domain"], match["field"] or match["key"])
        for match in _READ.finditer(expression)
    )
    return tuple(dict.fromkeys(name for name in found if name.identifier))


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


def _quoted(text: str) -> str:
    return f'"{text}"'
