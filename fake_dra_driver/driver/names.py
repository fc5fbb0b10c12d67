"""The names of this driver in a cluster and on a node.

It can run under several names at once, each of a release of the chart: what is named after the driver differs then, and
kinds, variables and metrics are the same.
"""

from dataclasses import replace
from typing import Final

from fake_dra_driver.api.fake import CDI_CLASS, DRIVER_NAME
from fake_dra_driver.dra import DriverNames

__all__ = ["NAMES", "names_of"]

NAMES: Final = DriverNames(DRIVER_NAME, "fake-dra", CDI_CLASS, kinds_of=DRIVER_NAME)
"""Those of released versions, and of the Go driver."""


def names_of(driver_name: str) -> DriverNames:
    """The names of the driver where it runs under this one."""
    return replace(NAMES, driver=driver_name)
