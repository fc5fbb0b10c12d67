"""A node's mock devices, as its profile describes them: one value, from which both modes of DRA are served. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.profile.containers import ConfigKind, EnvironmentVariable, MountedFile

__all__ = ["MockDevice", "MockNode", "ProfileName"]


@dataclass(frozen=True, slots=True)
class MockDevice:
    """A device of a node."""

    device: Device
    """What it is in classic DRA, in the node's NodeAllocationState and in the checkpoint."""
    published: v1.Device
    """What it is in ResourceSlices, its name included."""
    group: str = ""
    """The group of the profile that it belongs to."""
    index: int = 0
    """Its place in the group, from 0; that of the whole device for a partition."""
    parent: str = ""
    """Name of the device that it is a partition of; empty for a whole device."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """What templates about it can use."""
    environment: tuple[EnvironmentVariable, ...] | None = None
    """What containers get for it; None: the variables of the quickstart."""

    @property
    def name(self) -> str:
        """Unique on its node: that of the pool's device."""
        return self.published.name


@dataclass(frozen=True, slots=True)
class ProfileName:
    """Which profile describes a node, and why it is this one."""

    name: str = ""
    """Of the DeviceProfile; empty for what the program's own settings describe."""
    generation: int = 0
    reason: str = ""
    """For people, where several profiles match the node."""


@dataclass(frozen=True, slots=True)
class MockNode:
    """What a node has."""

    node: str
    profile: ProfileName
    devices: tuple[MockDevice, ...]
    """In the order in which they are to be allocated."""
    counter_sets: tuple[v1.CounterSet, ...] = ()
    """What devices use up in common."""
    environment: tuple[EnvironmentVariable, ...] = ()
    """What containers get whichever device they use."""
    files: tuple[MountedFile, ...] = ()
    """What containers find, whichever device they use."""
    configs: tuple[ConfigKind, ...] = ()
    """What claims and classes may configure."""
