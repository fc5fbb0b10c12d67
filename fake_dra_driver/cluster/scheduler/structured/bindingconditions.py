"""Devices that are not ready as soon as they are allocated (KEP-5007): what a pod has to wait for before it is bound.

Follows isClaimReadyForBinding and isClaimTimeout of kube-scheduler's dynamic resources plugin. Pure.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from fake_dra_driver.api.resource.v1 import AllocatedDeviceStatus, DeviceRequestAllocationResult, ResourceClaim

__all__ = ["BINDING_TIMEOUT", "BindingFailedError", "deadline", "has_conditions", "is_ready"]

BINDING_TIMEOUT: Final = timedelta(seconds=600)
"""How long a pod waits: BindingTimeout of DynamicResourcesArgs."""


class BindingFailedError(Exception):
    """A device cannot become ready."""

    def __init__(self, claim: str, reason: str, message: str) -> None:
        super().__init__(f"{claim}: {reason}: {message}")
        self.claim = claim
        self.reason = reason
        self.message = message


def has_conditions(claim: ResourceClaim) -> bool:
    """Whether the claim has a device that has to become ready."""
    return any(each.binding_conditions for each in _results(claim))


def is_ready(claim: ResourceClaim) -> bool:
    """Whether all devices of the claim are ready; without an allocation they are not.

    Raises:
        BindingFailedError: one of them has failed.
    """
    if claim.status.allocation is None:
        return False
    for result in _results(claim):
        status = _status(claim, result)
        if result.binding_conditions and (status is None or not _is_ready(claim, result, status)):
            return False
    return True


def deadline(claim: ResourceClaim) -> datetime | None:
    """Until when the claim's devices may become ready; None: nothing is to be waited for."""
    allocation = claim.status.allocation
    if allocation is None or allocation.allocation_timestamp is None or not has_conditions(claim):
        return None
    return allocation.allocation_timestamp + BINDING_TIMEOUT


def _results(claim: ResourceClaim) -> Iterable[DeviceRequestAllocationResult]:
    return claim.status.allocation.devices.results if claim.status.allocation is not None else ()


def _status(claim: ResourceClaim, result: DeviceRequestAllocationResult) -> AllocatedDeviceStatus | None:
    """What is reported about a device. Which of its shares it is makes no difference, as for kube-scheduler."""
    wanted = (result.driver, result.pool, result.device)
    return next((each for each in claim.status.devices if (each.driver, each.pool, each.device) == wanted), None)


def _is_ready(claim: ResourceClaim, result: DeviceRequestAllocationResult, status: AllocatedDeviceStatus) -> bool:
    conditions = {each.type: each for each in status.conditions or ()}
    for name in result.binding_failure_conditions:
        failed = conditions.get(name)
        if failed is not None and failed.status == "True":
            raise BindingFailedError(claim.metadata.name, failed.reason, failed.message)
    return all(name in conditions and conditions[name].status == "True" for name in result.binding_conditions)
