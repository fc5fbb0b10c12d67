"""CEL selectors of DeviceClasses and requests: which devices fit (KEP-4381).

Follows k8s.io/dynamic-resource-allocation/cel. A selector is compiled once, and is asked about many devices; a device
is brought into the form that expressions see once as well (``DeviceView``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fake_dra_driver.api.resource.v1 import Device
from fake_dra_driver.cel import CelCostError, CelError, CelSyntaxError, Program, compile_rule

__all__ = ["CelCostError", "CelError", "CelSyntaxError", "DeviceView", "Selector", "compile_selector"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


class _Domains(dict[str, dict[str, Any]]):
    """Values by domain and name; a domain that is not there is empty."""

    def __missing__(self, domain: str) -> Mapping[str, Any]:
        return _EMPTY


class DeviceView:
    """A device as the expressions of selectors see it."""

    __slots__ = ("value",)

    def __init__(self, driver: str, device: Device) -> None:
        self.value = {
            "driver": driver,
            "allowMultipleAllocations": bool(device.allow_multiple_allocations),
            "attributes": _by_domain(
                driver, {name: _value_of(attribute) for name, attribute in device.attributes.items()}
            ),
            "capacity": _by_domain(driver, {name: each.value for name, each in device.capacity.items()}),
        }


def _by_domain(driver: str, values: Mapping[str, Any]) -> _Domains:
    result = _Domains()
    for name, value in values.items():
        domain, slash, identifier = name.partition("/")
        result.setdefault(domain if slash else driver, {})[identifier if slash else domain] = value
    return result


def _value_of(attribute: Any) -> Any:
    for value in (attribute.int_value, attribute.bool_value, attribute.string, attribute.version):
        if value is not None:
            return value
    raise CelError("unsupported attribute value")


@dataclass(frozen=True, slots=True)
class Selector:
    """A compiled selector."""

    expression: str
    _program: Program

    def matches(self, driver: str, device: Device) -> bool:
        """Whether a device fits. Raises what ``accepts`` raises."""
        return self.accepts(DeviceView(driver, device))

    def accepts(self, device: DeviceView) -> bool:
        """Whether a device fits.

        Raises:
            CelError: the expression cannot be evaluated for this device.
            CelCostError: that costs more than it may.
        """
        return self._program.holds(device.value)


def compile_selector(expression: str) -> Selector:
    """Compiles a selector. Raises CelSyntaxError."""
    return Selector(expression, compile_rule(expression))
