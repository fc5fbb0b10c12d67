"""CEL selectors of devices, for a driver that looks for devices of its own as claims and classes do."""

from collections.abc import Callable

from fake_dra_driver.allocation.selectors import CelCompileError, CelCostError, CelError, DeviceView, compile_selector
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

    def matches(self, driver: str, device: v1.Device, report: Callable[[int], None] | None = None) -> bool:
        """Whether a device fits.

        Args:
            driver: whose device it is.
            device: the device.
            report: is told how many steps the evaluation took, of an expression that may take many.

        Raises:
            DeviceSelectorError: that cannot be said of the device.
        """
        view = DeviceView(driver, device)
        try:
            return self._selector.accepts(view) if report is None else self._selector.accepts(view, report)
        except (CelError, CelCostError) as error:
            raise DeviceSelectorError(str(error)) from error
