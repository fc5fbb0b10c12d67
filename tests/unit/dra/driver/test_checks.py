"""Mistakes in a driver's class, told before anything is connected to."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Self

import pytest
from pydantic import AfterValidator, Field, model_validator

from fake_dra_driver.dra.driver.checks import DriverClassError, check_driver
from fake_dra_driver.dra.driver.config import DeviceConfig, NoConfig
from fake_dra_driver.dra.driver.driver import Driver
from tests.unit.dra.driver.lamp import LampConfig, LampDriver


def problems(driver: object) -> tuple[str, ...]:
    with pytest.raises(DriverClassError) as found:
        check_driver(driver)
    return found.value.problems


def driver_with(**attributes: Any) -> Driver[Any]:
    """A lamp's driver in which these are others."""
    made: Driver[Any] = type("BadDriver", (LampDriver,), attributes)()
    return made


def test_nothing_is_wrong_with_a_driver_of_a_few_lines() -> None:
    check_driver(LampDriver())


def test_what_claims_may_say_is_known_from_the_base() -> None:
    class Plain(Driver[NoConfig]):
        pass

    class Configured(Driver[LampConfig]):
        pass

    class Derived(Configured):
        config = NoConfig

    assert (Plain.config, Configured.config, Derived.config) == (NoConfig, LampConfig, NoConfig)
    assert Driver.config is NoConfig


def test_what_is_no_driver() -> None:
    assert problems(LampDriver) == ("LampDriver is a class, an object of it is needed: LampDriver()",)
    assert problems("lamp") == ("str must be derived from Driver",)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (None, "BadDriver.name: must be set, to a DNS subdomain such as 'lamp.example.com'"),
        (3, "BadDriver.name: must be a text such as 'lamp.example.com', is 3"),
        ("lamp", "BadDriver.name: must be a domain in lower case, such as 'lamp.example.com', is 'lamp'"),
        ("Lamp.example.com", "BadDriver.name: must be a domain in lower case, such as 'lamp.example.com', is 'Lamp."),
        ("lamp_1.example.com", "BadDriver.name: must be a DNS subdomain, is lamp_1.example.com"),
        (f"lamp.{'a' * 60}.com", "BadDriver.name: at most 63 characters, has 69"),
        (f"{'a' * 41}.com", "BadDriver.name: at most 40 characters before the first dot, has 41"),
        (
            "lamp.k8s.io",
            "BadDriver.name: must not be in a domain of Kubernetes, k8s.io and kubernetes.io, is lamp.k8s.io",
        ),
        (
            "gpu.kubernetes.io",
            "BadDriver.name: must not be in a domain of Kubernetes, k8s.io and kubernetes.io, is gpu.",
        ),
    ],
)
def test_names(name: object, problem: str) -> None:
    found = problems(driver_with(name=name))
    assert len(found) == 1
    assert found[0].startswith(problem)


async def _async(self: object, *_: object) -> None: ...


async def _async_generator(self: object, _: object) -> AsyncIterator[object]:
    yield None


def _generator(self: object, _: object) -> Iterator[object]:
    yield None


@pytest.mark.parametrize(
    ("method", "function", "problem"),
    [
        (
            "prepare",
            lambda self: None,
            "BadDriver.prepare is called as prepare(self, device), which its arguments do not allow: too many "
            "positional arguments",
        ),
        (
            "fits",
            lambda self, device, config, more: True,
            "BadDriver.fits is called as fits(self, device, config), which its arguments do not allow: missing a "
            "required argument: 'more'",
        ),
        ("prepare", _generator, "BadDriver.prepare must not yield: it is called once, and what it returns counts"),
        (
            "devices",
            _async_generator,
            "BadDriver.devices must not yield: it is called once, and what it returns counts",
        ),
        (
            "fits",
            _async,
            "BadDriver.fits must not be a coroutine function (async def): it is asked for many devices, and has to be "
            "quick and pure",
        ),
        ("unprepare", 3, "BadDriver.unprepare must be a method, is int"),
    ],
)
def test_methods(method: str, function: object, problem: str) -> None:
    assert problems(driver_with(**{method: function})) == (problem,)


@pytest.mark.parametrize(
    ("method", "function"),
    [("devices", _generator), ("prepare", _async), ("unprepare", staticmethod(lambda device: None))],
)
def test_methods_that_may_be(method: str, function: object) -> None:
    check_driver(driver_with(**{method: function}))


class Unset(DeviceConfig):
    """A model whose field claims would have to set."""

    color: str
    """Its color."""


class Counted(DeviceConfig):
    """A model that says how many."""

    count: int = 1
    """How many."""


class OutOfBounds(DeviceConfig):
    """A model whose default its own bounds refuse."""

    rate: int = Field(default=24, ge=250_000)
    """Its rate."""


class Contradictory(DeviceConfig):
    """A model that refuses its own defaults."""

    dim: int = -1
    """How dark."""

    @model_validator(mode="after")
    def _is_not_negative(self) -> Self:
        if self.dim < 0:
            raise ValueError("dim must not be negative")
        return self


def _doubled(watts: int) -> int:
    return 2 * watts


class Doubling(DeviceConfig):
    """A model that makes something else of what it has made."""

    watts: Annotated[int, AfterValidator(_doubled)] = Field(default=5, validate_default=True)
    """How bright it is."""


class Broken(DeviceConfig):
    """A model whose validator has a defect."""

    color: Annotated[str, AfterValidator({"red": "r"}.__getitem__)] = Field(default="green", validate_default=True)
    """Its color."""


class Odd(DeviceConfig):
    """A model that no schema has words for."""

    color: complex = 1j
    """Its color."""


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (dict, "BadDriver.config: must be a class derived from DeviceConfig, is dict"),
        (LampConfig(), "BadDriver.config: must be a class derived from DeviceConfig, is LampConfig(color='white')"),
        (DeviceConfig, "BadDriver.config: must be a class derived from DeviceConfig, or NoConfig, is DeviceConfig its"),
        (Unset, "BadDriver.config: Unset.color has no default, and a claim need not say anything"),
        (Counted, "BadDriver.config: Counted, the config of BadDriver, has a field count: that name is taken by the "),
        (
            OutOfBounds,
            "BadDriver.config: OutOfBounds() refuses its own defaults: rate: Input should be ",
        ),
        (Contradictory, "BadDriver.config: Contradictory() refuses its own defaults: dim must not be negative"),
        (Broken, "BadDriver.config: Broken() refuses its own defaults: cannot be checked: KeyError: 'green'"),
        (
            Doubling,
            'BadDriver.config: Doubling: its validators do not take what they return: {"watts":10} is read as D',
        ),
        (Odd, "BadDriver.config: no CRD can be made of Odd: "),
    ],
)
def test_what_claims_may_say(config: object, problem: str) -> None:
    found = problems(driver_with(config=config))
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_the_config_is_that_of_the_base() -> None:
    class OtherConfig(DeviceConfig):
        """Another."""

    class Driver_(Driver[LampConfig]):  # noqa: N801 - the name Driver is taken
        name = "lamp.example.com"
        config = OtherConfig
        devices = LampDriver.devices
        prepare = LampDriver.prepare

    assert problems(Driver_()) == (
        "Driver_.config: must be LampConfig, as the class is derived from Driver[LampConfig], is OtherConfig",
    )


def test_version_and_chart() -> None:
    assert problems(driver_with(version="1.0", chart=[])) == (
        "BadDriver.version: must be a semantic version such as 1.2.3, is 1.0",
        "BadDriver.chart: must be a mapping of values, is []",
    )
    assert problems(driver_with(version="1.0.0+build")) == (
        "BadDriver.version: must have no +build, which no label and no tag of an image can have",
    )
    assert problems(driver_with(version=1)) == ("BadDriver.version: must be a text such as '0.1.0', is 1",)


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(problems(driver_with(name="lamp", fits=_async, config=Unset, version="1"))) == 4
