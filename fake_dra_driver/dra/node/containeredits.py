"""What a container gets for a device: the edits of CDI (``containerEdits`` of cdi.cncf.io), with its field names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["ClaimFile", "ContainerEdits", "DeviceNode", "Hook", "Mount"]


class _Edit(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class DeviceNode(_Edit):
    """A device node, such as /dev/fpga0."""

    path: str
    """In the container."""
    host_path: str | None = None
    """On the node; None: the same."""
    permissions: str | None = None
    """Some of ``rwm``; None for all."""


class Mount(_Edit):
    """A file or folder of the node that the container sees."""

    host_path: str
    container_path: str
    options: tuple[str, ...] = ("ro", "nosuid", "nodev", "bind")


class Hook(_Edit):
    """A program that the container runtime runs on the node."""

    hook_name: Literal["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    path: str
    args: tuple[str, ...] = ()
    """With the program's own name first, as in execve."""
    env: tuple[str, ...] = ()
    timeout: int | None = Field(default=None, ge=1)
    """In seconds."""


class ContainerEdits(_Edit):
    """What is added to each container that uses a device. Where several devices set a variable, the last one wins."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """By name; in CDI a list of ``NAME=value``."""
    device_nodes: tuple[DeviceNode, ...] = ()
    mounts: tuple[Mount, ...] = ()
    hooks: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """A file on the node that is made for one claim, and mounted into its containers."""

    contents: bytes
    mode: int
