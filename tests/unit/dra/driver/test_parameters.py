"""The kind that is made of what an author says claims may say, and the way back to the author's own class."""

from collections.abc import Iterable
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from fake_dra_driver.api.schema import SchemaModel, ServerDefault
from fake_dra_driver.codegen import definition
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.config import DeviceConfig, NoConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.parameters import config_document, config_of, parameters_kind
from fake_dra_driver.dra.node.containeredits import ContainerEdits


class Dimmer(SchemaModel):
    """How a lamp is dimmed."""

    steps: int = Field(default=3, ge=1)
    """How many there are."""


class LampConfig(DeviceConfig):
    """How a lamp shines."""

    colour: str = Field(default="white", pattern="^[a-z]+$")
    """Its colour."""
    max_watts: Annotated[int, ServerDefault()] = Field(default=5, ge=1)
    """At most so many."""
    dimmer: Dimmer | None = None
    """Left out: it is not dimmed."""


class LampDriver(Driver[LampConfig]):
    """A driver as its author writes it."""

    name = "lamp.example.com"
    config = LampConfig

    def devices(self, node: str) -> Iterable[Device]:
        return (Device(f"{node}-lamp"),)

    def prepare(self, device: AllocatedDevice[LampConfig]) -> ContainerEdits:
        return ContainerEdits(env={"LAMP": device.name})


class PlainDriver(Driver[NoConfig]):
    """A driver whose devices cannot be configured."""

    name = "plain.example.com"

    def devices(self, node: str) -> Iterable[Device]:
        return (Device(f"{node}-plain"),)

    def prepare(self, device: AllocatedDevice[NoConfig]) -> ContainerEdits:
        return ContainerEdits(env={"PLAIN": device.name})


def test_the_kind_has_the_name_of_the_model_and_the_group_of_the_driver() -> None:
    kind = parameters_kind(LampDriver)
    assert (kind.resource.api_version, kind.resource.kind) == ("lamp.example.com/v1alpha1", "LampConfig")
    assert (kind.resource.plural, kind.resource.namespaced) == ("lampconfigs", True)
    assert kind.__module__ == __name__
    assert parameters_kind(LampDriver) is kind


def test_without_a_model_of_the_author_the_kind_has_a_name_of_its_own() -> None:
    kind = parameters_kind(PlainDriver)
    assert str(kind.resource) == "claimparameters.v1alpha1.plain.example.com"
    assert kind.from_wire({"spec": {"count": 3}}).spec.count == 3


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("LampSettings", "lampsettings"),
        ("Switch", "switches"),
        ("Entry", "entries"),
        ("Relay", "relays"),
        ("Glass", "glasses"),
    ],
)
def test_the_plural_is_one_of_english(name: str, plural: str) -> None:
    model = type(name, (DeviceConfig,), {})
    driver = type("SomeDriver", (PlainDriver,), {"config": model})
    assert parameters_kind(driver).resource.plural == plural


def test_the_spec_has_the_fields_of_the_model_and_the_count() -> None:
    crd = definition(parameters_kind(LampDriver))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec = schema["properties"]["spec"]
    assert list(spec["properties"]) == ["colour", "maxWatts", "dimmer", "count"]
    assert spec["properties"]["count"] == {
        "description": "Number of devices, all of one node.",
        "type": "integer",
        "minimum": 1,
        "maximum": 128,
        "default": 1,
    }
    assert spec["default"] == {"maxWatts": 5, "count": 1}
    assert schema["description"] == "Parameters of a ResourceClaim: how a lamp shines."


def test_the_author_gets_the_own_class_back() -> None:
    parameters = parameters_kind(LampDriver).from_wire({"spec": {"colour": "red", "dimmer": {"steps": 2}, "count": 4}})
    config = config_of(parameters.spec, LampConfig)
    assert type(config) is LampConfig
    assert config == LampConfig(colour="red", dimmer=Dimmer(steps=2))
    assert config.to_wire() == {"colour": "red", "dimmer": {"steps": 2}}
    assert parameters.spec.count == 4


def test_what_is_left_out_is_the_default() -> None:
    spec = parameters_kind(LampDriver).from_wire({}).spec
    assert (spec.count, config_of(spec, LampConfig)) == (1, LampConfig())


@pytest.mark.parametrize("count", [0, 129, "two"])
def test_the_count_is_bounded(count: Any) -> None:
    with pytest.raises(ValidationError):
        parameters_kind(LampDriver).from_wire({"spec": {"count": count}})
    with pytest.raises(ValidationError):
        config_document(LampDriver).model_validate({"spec": {"count": count}})


def test_in_a_document_the_count_may_be_left_out() -> None:
    document = config_document(LampDriver)
    assert document.model_validate({"spec": {"colour": "red"}}).spec.count is None
    assert document.model_validate({"spec": {"count": 2}}).spec.count == 2
    assert config_of(document.model_validate({"spec": {"colour": "red"}}).spec, LampConfig) == LampConfig(colour="red")


class Counted(DeviceConfig):
    """Says how many blinks there are."""

    blinks: int = Field(default=1, alias="count")
    """How often it blinks."""


def test_a_model_with_a_count_is_refused() -> None:
    driver = type("BlinkDriver", (PlainDriver,), {"config": Counted})
    with pytest.raises(ValueError, match="Counted, the config of BlinkDriver, has a field count"):
        parameters_kind(driver)
