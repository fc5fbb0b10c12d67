"""CEL selectors of DeviceClasses and requests: which devices fit (KEP-4381).

Follows k8s.io/dynamic-resource-allocation/cel. A selector is compiled once, and is asked about many devices; a device
is brought into the form that expressions see once as well (``DeviceView``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from typing_extensions import override

from fake_dra_driver.api.resource.v1 import Device, DeviceAttribute
from fake_dra_driver.cel import (
    ALL_FEATURES,
    MAX_COST,
    CelCompileError,
    CelCostError,
    CelError,
    CelProgramError,
    CelSyntaxError,
    Environment,
    Features,
    Meter,
    Program,
    compile_expression,
)
from fake_dra_driver.cel.bounds import Bounds
from fake_dra_driver.cel.library.quantities import QUANTITY, QuantityValue
from fake_dra_driver.cel.library.semvers import parse_semver
from fake_dra_driver.cel.overload import free
from fake_dra_driver.cel.syntaxtree import Node
from fake_dra_driver.cel.types import ANY, BOOL, DYN, STRING, Type, map_of, structure
from fake_dra_driver.cel.value import type_of

__all__ = [
    "STORED",
    "CelCompileError",
    "CelCostError",
    "CelError",
    "CelSyntaxError",
    "DeviceView",
    "Selector",
    "SelectorLanguage",
    "SelectorProblem",
    "SelectorTypeError",
    "check_selector",
    "compile_selector",
]

_MAX_ENTRIES = 32
"""ResourceSliceMaxAttributesAndCapacitiesPerDevice."""
_MAX_DOMAIN, _MAX_NAME, _MAX_VALUE = 63, 32, 64
"""DeviceMaxDomainLength, DeviceMaxIDLength, DeviceAttributeMaxValueLength."""
_MAX_DRIVER = 63
"""DriverNameMaxLength."""
_EMPTY: Mapping[str, Any] = MappingProxyType({})


# --- the language ---


@dataclass(frozen=True)
class SelectorLanguage:
    """What selectors can use: with which version of the libraries, and which gates, they are compiled."""

    features: Features = ALL_FEATURES
    multiple_allocations: bool = True
    """Whether there is ``device.allowMultipleAllocations`` (DRAConsumableCapacity)."""
    list_attributes: bool = False
    """Whether attributes may be lists (DRAListTypeAttributes)."""
    sizes_are_known: bool = True
    """Whether the estimate of costs knows how large what a device has may be. In Kubernetes 1.32 it did not, and most
    selectors with a loop cost too much."""

    @cached_property
    def environment(self) -> Environment:
        """Where they are compiled."""
        fields = {"driver": STRING, "attributes": _by_domain(self.attribute), "capacity": _by_domain(QUANTITY)}
        if self.multiple_allocations:
            fields["allowMultipleAllocations"] = BOOL
        features = Features(**{**vars(self.features), "includes": self.features.includes or self.list_attributes})
        return Environment(
            features.library(has_bindings=True, has_early_semvers=True),
            {"device": structure("kubernetes.DRADevice", fields)},
            checks_literals=self.features.texts_and_sets,
        )

    @property
    def attribute(self) -> Type:
        """The type of an attribute, which is only known when there is a device."""
        return DYN if self.list_attributes else ANY

    def size_of(self, path: Sequence[str]) -> Bounds | None:
        """How large what an expression reaches from ``device`` may be."""
        if not self.sizes_are_known:
            return None
        match tuple(path):
            case ("device", "driver"):
                most = _MAX_DRIVER
            case ("device", "allowMultipleAllocations"):
                most = 1
            case ("device", "attributes" | "capacity") | ("device", "attributes" | "capacity", "@values"):
                most = _MAX_ENTRIES
            case ("device", "attributes" | "capacity", "@keys"):
                most = _MAX_DOMAIN
            case ("device", "attributes" | "capacity", "@values", "@keys"):
                most = _MAX_NAME
            case ("device", "attributes", "@values", _):
                most = _MAX_VALUE
            case ("device",) | ("device", "capacity", "@values", "@values"):
                most = 0
            case _:
                return None
        return Bounds(0, most)


def _by_domain(value: Type) -> Type:
    return map_of(STRING, map_of(STRING, value))


STORED = SelectorLanguage()
"""For what is stored: a scheduler knows all that any API server may have taken."""


# --- devices ---


class _Domains(dict[str, Mapping[str, Any]]):
    """Values by domain and name. A domain that is not there is empty, unless it is asked for with ``in``."""

    def __missing__(self, domain: str) -> Mapping[str, Any]:
        return _EMPTY

    @override
    def get(self, domain: str, default: Any = None) -> Any:
        return self[domain]


class DeviceView:
    """A device as the expressions of selectors see it. To be made once for a device."""

    __slots__ = ("_failure", "_values")

    def __init__(self, driver: str, device: Device) -> None:
        self._failure: CelError | None = None
        self._values: Sequence[Any] = ()
        try:
            self._values = (
                {
                    "driver": driver,
                    "allowMultipleAllocations": bool(device.allow_multiple_allocations),
                    "attributes": _domains(driver, device.attributes, _attribute),
                    "capacity": _domains(driver, device.capacity, lambda each: QuantityValue.parse(each.value)),
                },
            )
        except CelError as error:
            self._failure = error

    @property
    def values(self) -> Sequence[Any]:
        """Of the variables. Raises CelError if an attribute of the device is none that selectors can look at."""
        if self._failure is not None:
            raise self._failure
        return self._values


def _domains(driver: str, values: Mapping[str, Any], read: Callable[[Any], Any]) -> _Domains:
    result = _Domains()
    for name, value in values.items():
        domain, slash, identifier = name.partition("/")
        if not slash:
            domain, identifier = driver, name
        try:
            result.setdefault(domain, {})[identifier] = read(value)  # type: ignore[index]  # made here
        except CelError as error:
            raise CelError(f"attribute {name}: {error}") from error
    return result


def _attribute(attribute: DeviceAttribute) -> Any:
    for values in (attribute.ints, attribute.bools, attribute.strings):
        if values:
            return list(values)
    if attribute.versions:
        return [_version(each) for each in attribute.versions]
    for value in (attribute.int_value, attribute.bool_value, attribute.string):
        if value is not None:
            return value
    if attribute.version is not None:
        return _version(attribute.version)
    raise CelError("unsupported attribute value")


def _version(text: str) -> Any:
    try:
        return parse_semver(text)
    except CelError as error:
        raise CelError(f"parse semantic version: {error}") from error


# --- selectors ---


class SelectorTypeError(CelCompileError):
    """The expression is not about whether a device fits: its result can be no bool."""


@dataclass(frozen=True, slots=True, eq=False)
class Selector:
    """A compiled selector."""

    expression: str
    _program: Program

    @property
    def root(self) -> Node:
        """What the expression is made of; see ``selectorparts``."""
        return self._program.root

    def matches(self, driver: str, device: Device) -> bool:
        """Whether a device fits. Raises what ``accepts`` raises."""
        return self.accepts(DeviceView(driver, device))

    def accepts(self, device: DeviceView, report: Callable[[int], None] = free) -> bool:
        """Whether a device fits.

        Args:
            device: the device.
            report: is told what the evaluation of an expression has cost that may cost much.

        Raises:
            CelError: the expression cannot be evaluated for this device.
            CelCostError: that costs more than it may.
        """
        if not self._program.is_metered:
            result = self._program.evaluate(device.values, free)
        else:
            meter = Meter(MAX_COST)
            try:
                result = self._program.evaluate(device.values, meter.spend)
            finally:
                report(meter.spent)
        if result is True or result is False:
            return result
        raise CelError(_no_truth(result))


def _no_truth(result: Any) -> str:
    """What is wrong with a result that is no bool, in Go's words."""
    name = type_of(result).name
    match result:
        case str():
            problem = "unsupported native conversion from string to 'bool'"
        case int():
            problem = f"unsupported type conversion from '{name}' to bool"
        case list():
            problem = "type conversion error from list to 'bool'"
        case _:
            problem = f"type conversion error from '{name.rpartition('.')[2]}' to 'bool'"
    return f"CEL result of type {name} could not be converted to bool: {problem}"


class SelectorProblem(NamedTuple):
    """What an API server finds wrong with a selector."""

    reason: str
    """``Invalid``, ``Forbidden`` or ``InternalError``."""
    message: str


def compile_selector(expression: str, language: SelectorLanguage = STORED) -> Selector:
    """Compiles a selector. Raises CelCompileError."""
    return Selector(expression, _compiled(expression, language))


def check_selector(expression: str, language: SelectorLanguage) -> SelectorProblem | None:
    """What an API server finds wrong with a selector of a new object."""
    try:
        program = _compiled(expression, language)
    except CelProgramError as error:
        return SelectorProblem("InternalError", error.reason)
    except CelCompileError as error:
        return SelectorProblem("Invalid", error.reason)
    return SelectorProblem("Forbidden", "too complex, exceeds cost limit") if program.max_cost > MAX_COST else None


def _compiled(expression: str, language: SelectorLanguage) -> Program:
    program = compile_expression(expression, language.environment, language.size_of)
    if program.type not in (BOOL, language.attribute):
        raise SelectorTypeError(f"must evaluate to bool or the unknown type, not {program.type.long_name}")
    return program
