"""What the parts of a project are called, all after its driver, as the driver's programs and its chart are."""

from dataclasses import dataclass
from typing import Final

from fake_dra_driver.dra.drivernames import DriverNames, driver_name_problems

__all__ = ["DRIVER_NAME_WORDS", "ProjectNames", "checked_driver_name"]

DRIVER_NAME_WORDS: Final = "domain in lower case, such as lamp.example.com"
_TAKEN: Final = ("device",)
"""A class ``DeviceConfig`` is the library's."""


@dataclass(frozen=True, slots=True)
class ProjectNames:
    """Of one project."""

    driver: str
    """Of the DRA driver, such as ``lamp.example.com``."""
    project: str
    """Of project, program, chart, image and namespace, such as ``lamp-driver``."""
    device: str
    """What a device is called, such as ``lamp``."""

    @classmethod
    def of(cls, driver: str) -> "ProjectNames":
        """The names of the project of a driver. Raises ValueError, which says why, when no driver can be called so."""
        names = DriverNames.of(checked_driver_name(driver))
        return cls(driver, names.program, names.short)

    @property
    def package(self) -> str:
        """The Python package, such as ``lamp_driver``."""
        return self.project.replace("-", "_")

    @property
    def words(self) -> str:
        """A device in a sentence, such as ``desk lamp``."""
        return self.device.replace("-", " ")

    @property
    def class_prefix(self) -> str:
        """What classes begin with, such as ``Lamp``."""
        return "".join(word.capitalize() for word in self.device.split("-"))

    @property
    def variable(self) -> str:
        """What the variables of containers begin with, such as ``LAMP``."""
        return self.device.replace("-", "_").upper()


def checked_driver_name(name: str) -> str:
    """The name, if a driver and the classes of its project can have it. Raises ValueError."""
    for problem in driver_name_problems("name", name):
        raise ValueError(problem.removeprefix("name: "))
    label = name.partition(".")[0]
    if label in _TAKEN:
        raise ValueError(f"must begin with what the devices are, and not with {label}")
    return name
