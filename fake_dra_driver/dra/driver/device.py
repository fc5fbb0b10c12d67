"""A device as its driver describes it, for both protocols: ``Device`` of resource.k8s.io, in the words of Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fake_dra_driver.dra.node.health import Health

__all__ = ["AttributeValue", "Capacity", "Device", "Taint", "Version"]


class Version(str):
    """An attribute that is a semantic version, such as ``Version("2.1.0")``, and compared as one."""

    __slots__ = ()


AttributeValue = bool | int | str | Version
"""What an attribute of a device may be."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much of something a device has, as quantities of Kubernetes: ``"100G"``, ``"8Gi"``, ``4000``.

    The three bounds are for devices that claims share (``Device.shared``): what one claim may take of it.
    """

    value: str | int
    default: str | int | None = None
    """What a claim takes that does not say how much; None: all of it."""
    least: str | int | None = None
    most: str | int | None = None
    step: str | int | None = None
    """What a claim takes is rounded up to ``least`` and a multiple of this."""


@dataclass(frozen=True, slots=True)
class Taint:
    """Keeps claims from a device unless they tolerate it (KEP-5055)."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "NoExecute"] = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a node. A value: a device that changes is described by another one of the same name."""

    name: str
    """Unique on its node, and the same after every restart; a DNS label of at most 63 characters."""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    """By C identifier, in the domain of the driver, or by ``domain/name``: what claims choose devices by."""
    capacity: Mapping[str, str | int | Capacity] = field(default_factory=dict)
    """By name, as attributes have them. A device that ``prepare``, ``unprepare`` and ``fits`` are given has texts for
    whole numbers: what ``fits`` compares is better an attribute."""
    shared: bool = False
    """Whether several claims may have it at a time, each with a part of its capacity."""
    health: Health = Health.HEALTHY
    """The kubelet is told; a device that is not healthy gets no new claims."""
    message: str = ""
    """What is wrong with it, for people: at most 1,024 characters, as much as a kubelet shows."""
    taints: Sequence[Taint] = ()
