"""What is wrong with the devices of a node at a moment, by the DeviceFaults that hit them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.dra import Health

if TYPE_CHECKING:
    from fake_dra_driver.api.resource import v1

__all__ = ["NO_FAULTS", "BindingFault", "CallFault", "FaultEffects", "HealthFault", "in_classic"]


@dataclass(frozen=True, slots=True)
class HealthFault:
    """How unhealthy a device is."""

    health: Health
    message: str = ""


@dataclass(frozen=True, slots=True)
class CallFault:
    """What happens to calls for claims with a device: to prepare them, or to unprepare them."""

    fault: str
    """Name of the DeviceFault."""
    uid: UID
    """Of the DeviceFault: the calls of another one of the same name are counted from 0."""
    message: str = ""
    """A call fails with it; empty: it does not fail."""
    times: int | None = None
    """How many calls fail on the node; None: all."""
    delay_seconds: float = 0.0
    """How much longer a call takes."""
    claim: NamespacedName | None = None
    """The only claim whose calls are meant; None: all claims."""


@dataclass(frozen=True, slots=True)
class BindingFault:
    """What happens to the binding conditions of claims with a device."""

    fault: str
    """Name of the DeviceFault."""
    delay_seconds: float = 0.0
    """How much later they come true, or the failure comes."""
    failure: str = ""
    """The binding fails with it; empty: it does not fail."""


@dataclass(frozen=True, slots=True)
class FaultEffects:
    """By name of the device, what is wrong with it; and what is wrong with the node's plugin."""

    health: Mapping[str, HealthFault] = field(default_factory=dict)
    taints: "Mapping[str, tuple[v1.DeviceTaint, ...]]" = field(default_factory=dict)
    vanished: frozenset[str] = frozenset()
    prepare: Mapping[str, tuple[CallFault, ...]] = field(default_factory=dict)
    unprepare: Mapping[str, tuple[CallFault, ...]] = field(default_factory=dict)
    binding: Mapping[str, BindingFault] = field(default_factory=dict)
    slices_lost: bool = False
    """Whether the node's ResourceSlices are to be gone."""
    deregistered: bool = False
    """Whether the plugin is to be unknown to its kubelet."""

    @property
    def digest(self) -> bytes:
        """The same for the same effects, and next to impossible for others; empty where nothing is wrong."""
        if self == NO_FAULTS:
            return b""
        by_device = (self.health, self.taints, self.prepare, self.unprepare, self.binding)
        said = [sorted(each.items(), key=lambda item: item[0]) for each in by_device]
        return sha256(repr((said, sorted(self.vanished), self.slices_lost, self.deregistered)).encode()).digest()


NO_FAULTS: Final = FaultEffects()
_REPELLING: Final = frozenset({"NoSchedule", "NoExecute"})


def in_classic(effects: FaultEffects, devices: Iterable[str]) -> FaultEffects:
    """What these come to in classic DRA, which has neither slices nor taints: such devices are not offered.

    Args:
        effects: of faults.
        devices: names of all devices of the node.
    """
    tainted = {name for name, taints in effects.taints.items() if any(taint.effect in _REPELLING for taint in taints)}
    return replace(effects, vanished=effects.vanished | (set(devices) if effects.slices_lost else tainted))
