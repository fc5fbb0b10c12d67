"""Which devices a claim holds on a node: by its resource handle, by the ledger, by what the API server has. Pure."""

from collections.abc import Sequence

from pydantic import ValidationError

from fake_dra_driver.api.fake import DRIVER_NAME, AllocatedDevices
from fake_dra_driver.api.fieldproblem import problems_of
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceClaim
from fake_dra_driver.dra.classic import allocationresult
from fake_dra_driver.dra.classic.allocationresult import node_of
from fake_dra_driver.driver.classic.handle import ClaimHandle
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, WantedDevice

__all__ = ["handle_of", "node_of", "still_held", "wanted_by_entry", "wanted_by_handle"]


def handle_of(allocation: AllocationResult) -> str:
    """The resource handle of this driver; empty when there is none, as in allocations of the Go driver."""
    return allocationresult.handle_of(allocation, DRIVER_NAME)


def wanted_by_handle(data: str) -> Sequence[WantedDevice]:
    """What a resource handle says. Raises ValueError, with what is wrong in one line."""
    try:
        handle = ClaimHandle.from_data(data)
    except ValidationError as error:
        raise ValueError("; ".join(map(str, problems_of(error, ClaimHandle)))) from error
    if not handle.devices:
        raise ValueError("it names no devices")
    if len({device.uuid for device in handle.devices}) < len(handle.devices):
        raise ValueError("it names a device twice")
    return [WantedDevice(device.uuid, device.split) for device in handle.devices]


def wanted_by_entry(entry: AllocatedDevices | None) -> Sequence[WantedDevice]:
    """What an entry of the ledger says; nothing when there is none."""
    devices = entry.fake.devices if entry is not None and entry.fake is not None else ()
    return [WantedDevice(device.uuid, device.split or 0) for device in devices]


def still_held(prepared: FakePreparedClaim, live: ResourceClaim | None, node: str) -> frozenset[str]:
    """Those of the devices prepared for a claim that it still holds; none: it is stale, and can be unprepared.

    A UID survives a deallocation: the claim may be allocated once more, on another node or with other devices, without
    ever having been unprepared here. An allocation that does not say which devices it means counts for all of them.

    Args:
        prepared: what the node has on record.
        live: what the API server has under the claim's name at this moment; None when there is no such object.
        node: whose record it is.
    """
    if live is None or live.uid != prepared.uid or live.status.driver_name != DRIVER_NAME:
        return frozenset()
    allocation = live.status.allocation
    if allocation is None or (node_of(allocation) or node) != node:
        return frozenset()
    try:
        return prepared.keys & {device.uuid for device in wanted_by_handle(handle_of(allocation))}
    except ValueError:
        return prepared.keys
