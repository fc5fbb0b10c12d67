"""An author's model of configuration: whatever its validators raise, what is checked is refused, and nothing else."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Self
from uuid import UUID

import pytest
from pydantic import AfterValidator, Field, PlainSerializer, ValidationError, field_validator, model_validator

from fake_dra_driver.api.schema import ListSet, SchemaModel
from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.classic import parameters_problem
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.parameters import config_document, config_of, parameters_kind
from fake_dra_driver.dra.driver.structuredconfig import DriverConfigs
from fake_dra_driver.dra.structured.config import ConfigEntry
from tests.unit.dra.driver.lamp import LampDriver, logged


def _after_colon(name: str) -> str:
    return name.split(":")[1]


def _inverse(volts: int) -> float:
    return 1 / volts


class Shade(SchemaModel):
    """Part of a lamp."""

    name: Annotated[str, AfterValidator(_after_colon)] = Field(default="a:b", validate_default=False)
    """With a colon."""


class Lamp(DeviceConfig):
    """A lamp with validators that have defects."""

    color: str = "red"
    """Its color."""
    hours: int = 1
    """How long it shines."""
    volts: Annotated[int, PlainSerializer(_inverse, when_used="json")] = 1
    """How strong it is."""
    shade: Shade = Shade()
    """Around it."""

    @field_validator("color")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return {"red": "red", "blue": "blue"}[value]

    @model_validator(mode="after")
    def _shines(self) -> Self:
        if self.hours > 100:
            raise ValueError("at most 100 hours")
        if self.hours == 13:
            raise SystemExit("unlucky")
        assert 1 / self.hours
        return self


class LampsDriver(LampDriver):
    """Of such lamps."""

    config = Lamp


DEFECTS = [
    ({"color": "green"}, "cannot be checked: Lamp._is_known raised KeyError: 'green'"),
    ({"hours": 0}, "cannot be checked: Lamp._shines raised ZeroDivisionError: division by zero"),
    ({"hours": 13}, "cannot be checked: Lamp._shines raised SystemExit: unlucky"),
    ({"shade": {"name": "plain"}}, "cannot be checked: _after_colon raised IndexError: list index out of range"),
    ({"volts": 0}, "cannot be written as JSON: .*_inverse.*ZeroDivisionError: division by zero"),
]


@pytest.mark.parametrize(("spec", "problem"), DEFECTS)
def test_a_defect_of_a_validator_refuses_what_is_checked(spec: dict[str, object], problem: str) -> None:
    kind, document = parameters_kind(LampsDriver), config_document(LampsDriver)
    with logged() as lines:
        for check in (
            lambda: Lamp.model_validate(spec),
            lambda: Lamp.model_validate_json(json.dumps(spec)),
            lambda: kind.model_validate({"metadata": {"name": "a"}, "spec": spec}),
            lambda: document.model_validate({"spec": spec}),
        ):
            with pytest.raises(ValidationError, match=problem):
                check()
    assert "Model of a driver's config has a defect" in lines[0]


def test_a_refusal_is_that_of_the_field() -> None:
    with pytest.raises(ValidationError) as found:
        Lamp.model_validate({"hours": "many"})
    assert [problem["loc"] for problem in found.value.errors()] == [("hours",)]
    with pytest.raises(ValidationError, match="at most 100 hours"):
        Lamp.model_validate({"hours": 101})


def test_what_is_right_is_taken() -> None:
    assert Lamp.model_validate_json('{"color": "blue"}').color == "blue"
    assert Lamp.model_validate(Lamp(color="blue")).hours == 1
    assert Lamp().model_dump() == {"color": "red", "hours": 1, "volts": 1, "shade": {"name": "a:b"}}
    assert Driver.config.model_validate({}) == Driver.config()


class Strict(DeviceConfig):
    """Fields that strict JSON spells in other types than Python."""

    names: tuple[str, ...] = ()
    """A list."""
    when: datetime | None = None
    """A text."""


def test_strict_json_stays_json() -> None:
    text = '{"names": ["a"], "when": "2026-01-01T00:00:00Z"}'
    assert Strict.model_validate_json(text, strict=True).names == ("a",)

    class Driver(LampDriver):
        config = Strict

    document = config_document(Driver).model_validate_json(f'{{"spec": {text}}}', strict=True)
    assert document.spec.model_dump(exclude_unset=True)["names"] == ("a",)
    with pytest.raises(ValidationError, match="names"):
        Strict.model_validate_json('{"names": [1]}', strict=True)


class Mood(Enum):
    """Of a lamp."""

    CALM = "calm"
    WILD = "wild"


class Lantern(SchemaModel):
    """In the garden."""

    candles: tuple[int, ...] = ()
    """How long each of them is."""


class Evening(DeviceConfig):
    """What JSON has no types of its own for."""

    guests: tuple[str, ...] = ()
    """In the order in which they come."""
    colors: Annotated[tuple[str, ...], ListSet()] = ()
    """Each once."""
    lanterns: tuple[Lantern, ...] = ()
    """From the door on."""
    begins: datetime | None = None
    """When."""
    id: UUID | None = None
    """Which."""
    mood: Mood = Mood.CALM
    """How."""
    chairs: Mapping[str, int] = Field(default_factory=dict)
    """By room."""


class EveningDriver(LampDriver):
    """For such evenings."""

    config = Evening


def test_json_of_every_type_is_taken_as_strictly_as_by_an_api_server() -> None:
    spec: dict[str, Any] = {
        "guests": ["b", "a"],
        "colors": ["red"],
        "lanterns": [{"candles": [7, 8]}],
        "begins": "2026-01-01T18:00:00Z",
        "id": "12345678-1234-5678-1234-567812345678",
        "mood": "wild",
        "chairs": {"hall": 3},
    }
    kind = parameters_kind(EveningDriver)
    parameters = kind.from_wire({"metadata": {"name": "a"}, "spec": spec})
    assert parameters_problem(parameters) is None
    document = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind, "spec": spec}
    (config,) = DriverConfigs(AuthorCalls(EveningDriver())).check.decode([ConfigEntry("p", (), document)])
    assert isinstance(config.parameters, config_document(EveningDriver))
    taken = config_of(config.parameters.spec, Evening)
    assert (taken.guests, taken.mood) == (("b", "a"), Mood.WILD)
    assert taken == config_of(parameters.spec, Evening)
