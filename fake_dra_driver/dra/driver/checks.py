"""What is wrong with a driver's class, found before the program connects to anything, in the words of its author.

A mistake here would otherwise show when the first claim comes, on a node far away. Each sentence names the class and
the attribute or method, and says what would do.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from fake_dra_driver.codegen import SchemaError, definition
from fake_dra_driver.dra.driver.config import DeviceConfig, NoConfig
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.parameters import parameters_kind
from fake_dra_driver.dra.drivernames import driver_name_problems
from fake_dra_driver.dra.fieldlimits import version_problems

__all__ = ["DriverClassError", "check_driver"]

_METHODS: Final[Mapping[str, Sequence[str]]] = {
    "configure": ("settings",),
    "devices": ("node",),
    "watch": ("node", "changed"),
    "prepare": ("device",),
    "unprepare": ("device",),
    "fits": ("device", "config"),
    "demand": ("config",),
}
"""Every method that the library calls, with its arguments."""
_COMPUTED: Final = ("fits", "demand")
"""Those that are asked while devices are chosen, in between two steps of the controller."""


class DriverClassError(Exception):
    """A class that no driver can be made of."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        """A sentence for each thing that is wrong."""


def check_driver(driver: object) -> None:
    """Looks at all that can be known without a node. Calls none of the driver's methods.

    Raises:
        DriverClassError: with every problem that was found.
    """
    if isinstance(driver, type):
        raise DriverClassError([f"{driver.__name__} is a class, an object of it is needed: {driver.__name__}()"])
    if not isinstance(driver, Driver):
        raise DriverClassError([f"{type(driver).__name__} must be derived from Driver"])
    if problems := list(_problems(type(driver))):
        raise DriverClassError(problems)


def _problems(driver: type[Driver[Any]]) -> Iterator[str]:
    name = driver.__name__
    names = list(_name_problems(driver))
    yield from names
    for method, arguments in _METHODS.items():
        yield from (f"{name}.{method} {problem}" for problem in _method_problems(driver, method, arguments))
    version: object = driver.version
    if isinstance(version, str):
        yield from version_problems(f"{name}.version", version)
        if "+" in version:
            yield f"{name}.version: must have no +build, which no label and no tag of an image can have"
    else:
        yield f"{name}.version: must be a text such as '0.1.0', is {version!r}"
    chart: object = driver.chart
    if not isinstance(chart, Mapping):
        yield f"{name}.chart: must be a mapping of values, is {chart!r}"
    config = list(_config_problems(driver))
    yield from (f"{name}.config: {problem}" for problem in config)
    if not names and not config:
        yield from _schema_problems(driver)


def _name_problems(driver: type[Driver[Any]]) -> Iterator[str]:
    given = getattr(driver, "name", None)
    if given is None:
        yield f"{driver.__name__}.name: must be set, to a DNS subdomain such as 'lamp.example.com'"
    elif not isinstance(given, str):
        yield f"{driver.__name__}.name: must be a text such as 'lamp.example.com', is {given!r}"
    else:
        yield from driver_name_problems(f"{driver.__name__}.name", given)


def _method_problems(driver: type[Driver[Any]], method: str, arguments: Sequence[str]) -> Iterator[str]:
    found = inspect.getattr_static(driver, method)
    function = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
    if not callable(function):
        yield f"must be a method, is {type(found).__name__}"
        return
    given = [None] * len(arguments) if isinstance(found, staticmethod) else [None] * (len(arguments) + 1)
    try:
        inspect.signature(function).bind(*given)
    except TypeError as error:
        yield f"is called as {method}(self, {', '.join(arguments)}), which its arguments do not allow: {error}"
    is_generator = inspect.isgeneratorfunction(function)
    if inspect.isasyncgenfunction(function) or (is_generator and method != "devices"):
        yield "must not yield: it is called once, and what it returns counts"
    if method in _COMPUTED and inspect.iscoroutinefunction(function):
        yield "must not be a coroutine function (async def): it is asked for many devices, and has to be quick and pure"


def _config_problems(driver: type[Driver[Any]]) -> Iterator[str]:
    config: object = driver.config
    if not isinstance(config, type) or not issubclass(config, DeviceConfig):
        shown = config.__name__ if isinstance(config, type) else repr(config)
        yield f"must be a class derived from DeviceConfig, is {shown}"
        return
    stated = driver.stated_config()
    if stated is not None and stated is not config:
        yield f"must be {stated.__name__}, as the class is derived from Driver[{stated.__name__}], is {config.__name__}"
    if config is DeviceConfig:
        yield "must be a class derived from DeviceConfig, or NoConfig, is DeviceConfig itself"
    for name, field in config.model_fields.items():
        if field.is_required():
            yield f"{config.__name__}.{name} has no default, and a claim need not say anything"
            return
    try:
        default = config.model_validate({})
        text = default.model_dump_json(by_alias=True)
        again = config.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in first["loc"])
        yield f"{config.__name__}() refuses its own defaults: {place}{first['msg'].removeprefix('Value error, ')}"
        return
    if again != default:
        yield f"{config.__name__}: its validators do not take what they return: {text} is read as {again!r}"


def _schema_problems(driver: type[Driver[Any]]) -> Iterator[str]:
    """A CRD is made of the model, for classic DRA; what cannot be said in one, the same words say for both."""
    try:
        kind = parameters_kind(driver)
    except ValueError as error:
        yield f"{driver.__name__}.config: {error}"
        return
    if driver.config is NoConfig:
        return
    try:
        definition(kind)
    except SchemaError as error:
        yield f"{driver.__name__}.config: no CRD can be made of {driver.config.__name__}: {error}"
