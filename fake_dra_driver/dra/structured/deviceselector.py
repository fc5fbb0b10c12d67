"""CEL selectors of devices, for a driver that looks for devices of its own as claims and classes do."""

from fake_dra_driver.allocation.selectors import CelCompileError, CelCostError, CelError, compile_selector
from fake_dra_driver.api.resource import v1

__all__ = ["DeviceSelector", "DeviceSelectorError"]


class DeviceSelectorError(ValueError):
    """An expression that is no selector, or that cannot be evaluated for a device; the message says why."""


class DeviceSelector:
    """A selector, compiled once.

    Args:
        expression: in CEL, as in ``selectors`` of a claim's request.

    Raises:
        DeviceSelectorError: it is no selector.
    """

    def __init__(self, expression: str) -> None:
        try:
            self._selector = compile_selector(expression)
        except CelCompileError as error:
            raise DeviceSelectorError(error.reason) from error

    def matches(self, driver: str, device: v1.Device) -> bool:
        """Whether the device of this driver fits. Raises DeviceSelectorError: that cannot be said of it."""
        try:
            return self._selector.matches(driver, device)
        except (CelError, CelCostError) as error:
            raise DeviceSelectorError(str(error)) from error
