"""The names of this driver in a cluster and on a node."""

from typing import Final

from fake_dra_driver.api.fake import CDI_CLASS, DRIVER_NAME
from fake_dra_driver.dra import DriverNames

__all__ = ["NAMES"]

NAMES: Final = DriverNames(DRIVER_NAME, "fake-dra", CDI_CLASS)
"""Those of released versions, and of the Go driver."""
