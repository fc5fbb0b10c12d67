"""Settings of ``new``."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from fake_dra_driver.dra.program.settings import OUTPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.newproject.names import DRIVER_NAME_WORDS, checked_driver_name
from fake_dra_driver.settings import Allowed, Flag

__all__ = ["NewSettings"]


class NewSettings(CommandSettings):
    """Writes the project of a DRA driver of your own, with tests, a demo, a chart and an image. It needs no cluster."""

    folder: Annotated[
        Path,
        Allowed("a folder that is not there yet, or is empty"),
        Flag(OUTPUT, "DIR", variable="PROJECT_DIR", positional=True),
    ]
    """Where to write it."""
    driver_name: Annotated[
        str,
        AfterValidator(checked_driver_name),
        Allowed(DRIVER_NAME_WORDS),
        # The name of a driver that other commands mean is there already.
        Flag(OUTPUT, "NAME", variable="NEW_DRIVER_NAME"),
    ]
    """Name of the DRA driver, which is also the API group of its kinds. A domain of your own keeps it unique; the first
    part becomes the name of devices, program, chart and image."""
