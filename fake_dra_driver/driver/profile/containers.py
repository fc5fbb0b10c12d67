"""What a profile says about the containers that get its devices: variables, files, and what claims may configure.

Texts that are templates stand here as they were written. They are rendered when a claim is prepared, since only then
its configuration is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.fake import FakeClaimParameters

__all__ = ["FAKE_CLAIM_PARAMETERS", "ConfigKind", "EnvironmentVariable", "MountedFile"]


@dataclass(frozen=True, slots=True)
class EnvironmentVariable:
    """A variable that containers get."""

    name: str
    """A template."""
    value: str
    """A template."""
    when: str = ""
    """An expression: containers get the variable where it is true. Empty: always."""
    source: str = ""
    """Where the profile says it: ``spec.groups[0].environment[2]``."""


@dataclass(frozen=True, slots=True)
class MountedFile:
    """A small file that containers find."""

    path: str
    """In the container."""
    content: str
    """A template over the devices of the claim."""
    mode: int = 0o644
    source: str = ""
    """Where the profile says it: ``spec.files[0]``."""


@dataclass(frozen=True, slots=True)
class ConfigKind:
    """A kind of opaque configuration that claims and classes may have."""

    api_version: str
    kind: str
    schema: Mapping[str, Any] | None = None
    """Of the fields beside ``apiVersion`` and ``kind``, as in a CRD; None: they may be any."""
    default: Mapping[str, Any] | None = None
    """What applies where neither claim nor class says anything, with the defaults of the schema; None: nothing."""
    types: tuple[str, ...] = ()
    """Of the devices that it is for; none: all."""

    def is_for(self, device_type: str) -> bool:
        """Whether devices of a type can be configured with it."""
        return not self.types or device_type in self.types


FAKE_CLAIM_PARAMETERS: Final = ConfigKind(FakeClaimParameters.resource.api_version, FakeClaimParameters.resource.kind)
"""What claims of the quickstart have. It needs no schema: the driver knows the kind."""
