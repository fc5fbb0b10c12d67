"""The settings of a driver's programs: under its own names, with those that its author has added."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.driversettings import DriverSettings, added_problems
from fake_dra_driver.flags import UsageError, help_text, parse
from fake_dra_driver.settings import Flag, Settings, settings_of

NODE = ["--namespace=lamps", "--node-name=node-a"]


class LampSettings(Settings):
    """What an author writes."""

    lamps: int = Field(default=2, ge=0)
    """How many lamps a node has."""
    color: str = "white"
    """Color of each."""
    bus: Path = Path("/dev/bus")
    """Where they are."""
    speed: Literal["slow", "fast"] = "slow"
    """How quickly they shine."""
    dim: Annotated[bool, Flag("This component")] = False
    """Whether they begin dark."""


MODELS = DriverSettings.of(DriverNames.of("lamp.example.com"), LampSettings)


def test_variables_have_the_name_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMP_LAMPS", "5")
    settings: Settings = parse(MODELS.kubelet_plugin, [*NODE, "--color=red", "--dim"])
    assert isinstance(settings, LampSettings)
    assert (settings.lamps, settings.color, settings.dim) == (5, "red", True)
    for model in (MODELS.controller, MODELS.kubelet_plugin, MODELS.webhook, MODELS.set_nas_status, MODELS.generate):
        assert all(setting.variables[0].startswith("LAMP_") for setting in settings_of(model))
        assert model.__doc__


def test_the_plugin_has_the_folder_and_sockets_of_its_driver() -> None:
    settings = parse(MODELS.kubelet_plugin, [*NODE, "--kubelet-plugins-dir=/p", "--kubelet-registry-dir=/r"])
    assert settings.checkpoint == Path("/p/lamp.example.com/checkpoint.json")
    assert settings.sockets.registration == Path("/r/lamp.example.com.sock")


def test_what_is_added_is_in_help_without_more_words() -> None:
    printed = " ".join(help_text(MODELS.kubelet_plugin, "lamp-driver kubelet-plugin").split())
    assert (
        "Devices of the node: --lamps N How many lamps a node has. Default: 2. Allowed: a whole number, at least 0. "
        "Environment: LAMP_LAMPS --color TEXT Color of each. Default: white. Allowed: any text. Environment: "
        "LAMP_COLOR --bus PATH Where they are. Default: /dev/bus. Allowed: a path. Environment: LAMP_BUS --speed "
        "slow|fast How quickly they shine. Default: slow. Allowed: slow or fast. Environment: LAMP_SPEED "
        "--device-metadata"
    ) in printed


def test_what_is_wrong_with_an_added_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMP_LAMPS", "many")
    with pytest.raises(UsageError) as found:
        parse(MODELS.kubelet_plugin, NODE)
    assert found.value.problems == (
        '--lamps (LAMP_LAMPS): "many", from LAMP_LAMPS, is not allowed. Allowed: a whole number, at least 0.',
    )


def test_drivers_do_not_get_in_each_others_way() -> None:
    other = DriverSettings.of(DriverNames.of("fpga.example.com"))
    assert other.kubelet_plugin.driver_name == "fpga.example.com"
    assert "lamps" not in other.kubelet_plugin.model_fields
    assert MODELS.kubelet_plugin.driver_name == "lamp.example.com"


class Taken(Settings):
    """Settings with names that are taken, without defaults, and of types that no flag has."""

    namespace: str = "lamps"
    """Taken."""
    color: str
    """Without a default."""
    colors: tuple[str, ...] = ()
    """No flag."""


def test_what_is_wrong_with_what_an_author_adds() -> None:
    assert list(added_problems(None)) == []
    assert list(added_problems(LampSettings)) == []
    assert list(added_problems(dict)) == ["must be a class derived from Settings, is <class 'dict'>"]
    assert list(added_problems(Taken)) == [
        "Taken.namespace: the kubelet plugin has a setting of that name already",
        "Taken.color has no default, and the chart could not set it",
        "Taken.colors: must be a bool, an int, a float, a str, a Path or a Literal, is tuple[str, ...]",
    ]


def test_what_an_author_adds_can_be_made_in_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPS", "7")
    assert LampSettings(color="red") == LampSettings(lamps=2, color="red")
