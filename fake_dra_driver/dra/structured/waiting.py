"""Which claims wait for devices of a driver, as far as that can be told without evaluating CEL. Pure.

A DeviceClass does not say whose devices it is about: its selectors do, such as ``device.driver == "D"`` or
``device.attributes["D"].model``. A claim that asks for such a class, or has such a selector or configuration itself,
counts as one of the driver.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from fake_dra_driver.api.resource import v1

__all__ = ["DriverClaims", "class_names"]

ClassLookup = Callable[[str], v1.DeviceClass | None]


def class_names(spec: v1.ResourceClaimSpec) -> Sequence[str]:
    """The DeviceClasses that a claim asks for, each once, in its order."""
    return tuple(dict.fromkeys(asked.device_class_name for asked in _asked(spec)))


class DriverClaims:
    """The claims and classes that are about devices of one driver.

    Args:
        driver: its name.
        own_classes: DeviceClasses that count by their names, so that a claim is not forgotten while they do not exist.
    """

    def __init__(self, driver: str, own_classes: Collection[str] = ()) -> None:
        self._driver = driver
        self._own_classes = own_classes
        self._named = re.compile(rf"""["']{re.escape(driver)}["']""")
        """The driver's name as a string of CEL."""

    def include(self, spec: v1.ResourceClaimSpec, class_of: ClassLookup) -> bool:
        """Whether a claim asks for devices of the driver.

        Args:
            spec: of a claim without an allocation, which would say it.
            class_of: the DeviceClass of a name; None when there is none.
        """
        if self._configures(spec.devices.config) or any(self._selects(asked.selectors) for asked in _asked(spec)):
            return True
        for name in class_names(spec):
            device_class = class_of(name)
            if name in self._own_classes or (device_class is not None and self.include_class(device_class)):
                return True
        return False

    def include_class(self, device_class: v1.DeviceClass) -> bool:
        """Whether a class is for devices of the driver."""
        return self._selects(device_class.spec.selectors) or self._configures(device_class.spec.config)

    def _selects(self, selectors: Iterable[v1.DeviceSelector]) -> bool:
        return any(
            selector.cel is not None and self._named.search(selector.cel.expression) is not None
            for selector in selectors
        )

    def _configures(self, configs: Iterable[v1.DeviceClassConfiguration]) -> bool:
        return any(config.opaque is not None and config.opaque.driver == self._driver for config in configs)


def _asked(spec: v1.ResourceClaimSpec) -> Iterator[v1.ExactDeviceRequest | v1.DeviceSubRequest]:
    for request in spec.devices.requests:
        if request.exactly is not None:
            yield request.exactly
        yield from request.first_available
