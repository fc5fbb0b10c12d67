"""Which claims wait for devices of this driver, as far as that can be told without evaluating CEL. Pure.

A DeviceClass does not say whose devices it is about: its selectors do, such as ``device.driver == "D"`` or
``device.attributes["D"].model``. A claim that asks for such a class, or has such a selector or configuration itself,
counts as one of this driver.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from fake_dra_driver.api.resource import v1

__all__ = ["asks_for_this_driver", "class_names", "is_about_this_driver"]

_NAMED: Final = re.compile(rf"""["']{re.escape(DRIVER_NAME)}["']""")
"""The driver's name as a string of CEL."""

ClassLookup = Callable[[str], v1.DeviceClass | None]


def class_names(spec: v1.ResourceClaimSpec) -> Sequence[str]:
    """The DeviceClasses that a claim asks for, each once, in its order."""
    return tuple(dict.fromkeys(asked.device_class_name for asked in _asked(spec)))


def asks_for_this_driver(spec: v1.ResourceClaimSpec, class_of: ClassLookup) -> bool:
    """Whether a claim asks for devices of this driver.

    Args:
        spec: of a claim without an allocation, which would say it.
        class_of: the DeviceClass of a name; None when there is none.
    """
    if _configures(spec.devices.config) or any(_select(asked.selectors) for asked in _asked(spec)):
        return True
    for name in class_names(spec):
        device_class = class_of(name)
        # The chart's own class counts by its name, so that a claim is not forgotten while that does not exist.
        if name == RESOURCE_CLASS_NAME or (device_class is not None and is_about_this_driver(device_class)):
            return True
    return False


def _asked(spec: v1.ResourceClaimSpec) -> Iterator[v1.ExactDeviceRequest | v1.DeviceSubRequest]:
    for request in spec.devices.requests:
        if request.exactly is not None:
            yield request.exactly
        yield from request.first_available


def is_about_this_driver(device_class: v1.DeviceClass) -> bool:
    """Whether a class is for devices of this driver."""
    return _select(device_class.spec.selectors) or _configures(device_class.spec.config)


def _select(selectors: Iterable[v1.DeviceSelector]) -> bool:
    return any(selector.cel is not None and _NAMED.search(selector.cel.expression) for selector in selectors)


def _configures(configs: Iterable[v1.DeviceClassConfiguration]) -> bool:
    return any(config.opaque is not None and config.opaque.driver == DRIVER_NAME for config in configs)
