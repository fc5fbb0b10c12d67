"""What is wrong with the devices of a node at a moment, by the DeviceFaults that hit them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra import Health

__all__ = ["NO_FAULTS", "CallFault", "FaultEffects", "HealthFault"]


@dataclass(frozen=True, slots=True)
class HealthFault:
    """How unhealthy a device is."""

    health: Health
    message: str = ""


@dataclass(frozen=True, slots=True)
class CallFault:
    """What happens to a call for a device: to prepare it, or to unprepare it."""

    fault: str
    """Name of the DeviceFault."""
    message: str = ""
    """The call fails with it; empty: it does not fail."""
    delay_seconds: float = 0.0
    """How much longer it takes."""


@dataclass(frozen=True, slots=True)
class FaultEffects:
    """By name of the device, what is wrong with it; and what is wrong with the node's plugin."""

    health: Mapping[str, HealthFault] = field(default_factory=dict)
    taints: Mapping[str, tuple[v1.DeviceTaint, ...]] = field(default_factory=dict)
    vanished: frozenset[str] = frozenset()
    prepare: Mapping[str, CallFault] = field(default_factory=dict)
    unprepare: Mapping[str, CallFault] = field(default_factory=dict)
    slices_lost: bool = False
    """Whether the node's ResourceSlices are to be gone."""
    deregistered: bool = False
    """Whether the plugin is to be unknown to its kubelet."""


NO_FAULTS = FaultEffects()
