"""Settings of ``preset list`` and ``preset show``."""

from typing import Annotated

from pydantic import Field

from fake_dra_driver.dra.program.settings import INPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.settings import Allowed, Flag

__all__ = ["PresetListSettings", "PresetShowSettings"]


class PresetListSettings(CommandSettings):
    """Lists the presets: which driver each mocks, and what devices."""


class PresetShowSettings(CommandSettings):
    """Prints a preset: what it mocks, from which sources and what is not known, and the values for the chart."""

    preset: Annotated[
        str,
        Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        Allowed("name of a preset, as `preset list` has it"),
        Flag(INPUT, "NAME", positional=True),
    ]
    """The preset to print."""
