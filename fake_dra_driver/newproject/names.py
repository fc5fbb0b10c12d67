"""What the parts of a project are called, all after its driver, as the driver's programs and its chart are."""

import re
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.dra.drivernames import DriverNames

__all__ = ["DRIVER_NAME_WORDS", "ProjectNames", "checked_driver_name"]

DRIVER_NAME_WORDS: Final = (
    "DNS subdomain of at most 63 characters with a dot in it, such as lamp.example.com, whose first part has at most 40"
)

_DRIVER_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_MAX_DRIVER_NAME: Final = 63
"""As the API server has it (DriverNameMaxLength of resource.k8s.io)."""
_MAX_LABEL: Final = 40
"""Names of objects begin with it, and have 63 characters at most."""
_PROTECTED: Final = ("k8s.io", "kubernetes.io")
"""Groups of Kubernetes' own: the API server accepts CRDs in them only with an approval."""


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
    """The name, if a DRA driver and the group of its kinds can have it. Raises ValueError."""
    label = name.partition(".")[0]
    if not _DRIVER_NAME.fullmatch(name) or len(name) > _MAX_DRIVER_NAME or len(label) > _MAX_LABEL:
        raise ValueError("it is no domain name in lower-case letters, or too long")
    for group in _PROTECTED:
        if name.endswith(f".{group}"):
            raise ValueError(f"the names that end in .{group} are for Kubernetes itself; take a domain of your own")
    return name
