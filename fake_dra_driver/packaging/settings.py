"""Settings of ``generate``."""

from pathlib import Path
from typing import Annotated

from fake_dra_driver.driver.commandline import OUTPUT, CommandSettings
from fake_dra_driver.settings import Flag, Folder

__all__ = ["GenerateSettings"]


class GenerateSettings(CommandSettings):
    """Writes everything that is rendered from the schema and the settings: CRDs, chart, documentation."""

    check: Annotated[bool, Flag(OUTPUT)] = False
    """Write nothing, and fail when a file is not up to date."""
    output: Annotated[Folder, Flag(OUTPUT, "DIR", variable="OUTPUT_DIR", unset="the current folder")] = Path()
    """Folder to write to: the root of the source tree."""
