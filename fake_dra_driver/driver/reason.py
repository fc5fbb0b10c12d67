"""The reasons of Events that only this driver has, whose devices fail and change on demand."""

from fake_dra_driver.dra import Reason

__all__ = ["BINDING_FAILED", "MOCK_REASONS"]

BINDING_FAILED = Reason(
    "BindingFailed",
    "notice",
    "Warning",
    "ResourceClaim",
    "A device that was allocated does not become ready, so that the scheduler takes the allocation back.",
    "Nothing, if the DeviceProfile or DeviceFault that the message names is to do that; else change or delete it.",
)

MOCK_REASONS: tuple[Reason, ...] = (BINDING_FAILED,)
"""Beside those of any driver."""
