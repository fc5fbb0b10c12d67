"""Which devices a claim holds on a node: by its resource handle, and by the ledger. Pure."""

from collections.abc import Sequence

from pydantic import ValidationError

from fake_dra_driver.api.fake import AllocatedDevices
from fake_dra_driver.dra import problems_of
from fake_dra_driver.driver.classic.handle import ClaimHandle
from fake_dra_driver.driver.node.prepared import WantedDevice

__all__ = ["wanted_by_entry", "wanted_by_handle"]


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
