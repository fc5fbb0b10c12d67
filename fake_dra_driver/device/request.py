"""What one claim asks for, and whether a device can serve it."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from fake_dra_driver.device.inventory import Device

__all__ = ["DeviceRequest", "Selector"]

_MAX_GLOB = 253
"""The longest glob: Python's translation of one into an expression is quadratic in its length."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Matches devices by globs (``*``, ``?``, ``[...]``; case matters) on both their type and their model."""

    type: str
    name: str
    """Glob on the model."""

    def matches(self, device: Device) -> bool:
        """Whether both globs match. One longer than any model, which takes long to be read, matches nothing."""
        if max(len(self.type), len(self.name)) > _MAX_GLOB:
            return False
        return fnmatchcase(device.type, self.type) and fnmatchcase(device.model, self.name)


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What one claim asks for: a number of devices of one node."""

    count: int
    split: int = 0
    """Children of each device; 0 for the whole device. It does not matter for the choice of devices."""
    model: str | None = None
    """The exact model of every device; None for any."""
    selectors: tuple[Selector, ...] = ()
    """At least one of them must match; without any, every device does."""

    def matches(self, device: Device) -> bool:
        """Whether the device can serve the request."""
        if self.model is not None and device.model != self.model:
            return False
        return not self.selectors or any(selector.matches(device) for selector in self.selectors)
