"""What the parts of a project are called, all after its driver."""

import keyword
import re
import sys
from dataclasses import dataclass
from typing import Final

__all__ = ["DRIVER_NAME_WORDS", "NAME_WORDS", "ProjectNames", "checked_driver_name", "checked_name"]

DRIVER_NAME_WORDS: Final = "DNS subdomain of at most 63 characters with a dot in it, such as lamp.example.com"
NAME_WORDS: Final = "lower-case letters, digits and dashes, a letter first, at most 40 of them, such as lamp-driver"

_DRIVER_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_MAX_DRIVER_NAME: Final = 63
"""As the API server has it (DriverNameMaxLength of resource.k8s.io)."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME: Final = 40
"""The chart puts names of components behind it, and objects may have 63 characters."""
_PROTECTED: Final = ("k8s.io", "kubernetes.io")
"""Groups of Kubernetes' own: the API server accepts CRDs in them only with an approval."""
_SUFFIX: Final = "-driver"
_TAKEN: Final = frozenset({"tests", "fake_dra_driver"})
"""Packages that the project has beside its own."""


@dataclass(frozen=True, slots=True)
class ProjectNames:
    """Of one project."""

    driver: str
    """Of the DRA driver, such as ``lamp.example.com``."""
    project: str
    """Of project, program, chart, image and namespace, such as ``lamp-driver``."""

    @classmethod
    def of(cls, driver: str, project: str = "") -> "ProjectNames":
        """The names of a project.

        Args:
            driver: of the DRA driver.
            project: empty: after the first label of the driver's name.

        Raises:
            ValueError: the names cannot be used; the text says why.
        """
        label = checked_driver_name(driver).partition(".")[0]
        name = project or (label if label.endswith(_SUFFIX) else f"{label}{_SUFFIX}")
        try:
            return cls(driver, checked_name(name))
        except ValueError as error:
            if project:
                raise
            raise ValueError(f"no project can be called {name}: {error}; give it another name with --name") from error

    @property
    def package(self) -> str:
        """The Python package, such as ``lamp_driver``."""
        return self.project.replace("-", "_")

    @property
    def device(self) -> str:
        """What a device is called, such as ``lamp``."""
        return self.project.removesuffix(_SUFFIX)

    @property
    def words(self) -> str:
        """The same in a sentence, such as ``desk lamp``."""
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
    if not _DRIVER_NAME.fullmatch(name) or len(name) > _MAX_DRIVER_NAME:
        raise ValueError("it is no domain name in lower-case letters, or too long")
    for group in _PROTECTED:
        if name.endswith(f".{group}"):
            raise ValueError(f"the names that end in .{group} are for Kubernetes itself; take a domain of your own")
    return name


def checked_name(name: str) -> str:
    """The name, if a project and its package can have it. Raises ValueError."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise ValueError("a package of Python and an image cannot both be called so")
    package, device = name.replace("-", "_"), name.removesuffix(_SUFFIX)
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in _TAKEN:
        raise ValueError(f"{package} would be a package that Python or the project has already")
    if device == "driver":
        raise ValueError("it says nothing about the device")
    return name
