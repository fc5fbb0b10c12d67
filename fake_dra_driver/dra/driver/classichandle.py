"""What the controller of any driver tells the kubelet plugin about a claim: ``resourceHandles[].data`` of classic DRA.

It carries all that preparing takes, so that no read from the API server is needed. The same is in the ledger, entry by
entry: one can be made of the other.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fake_dra_driver.api.fieldproblem import problems_of
from fake_dra_driver.dra.driver.parameters import MAX_COUNT
from fake_dra_driver.dra.nodestate.kind import ClaimedDevice, ClaimEntry

__all__ = ["claimed_device", "classic_entry", "entry_of_handle", "handle_of_entry"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class _HandleDevice(_Model):
    name: str = Field(min_length=1)
    shared: bool = False
    """Whether the claim has a share of it; what is in ``capacity``."""
    capacity: Mapping[str, str] = Field(default_factory=dict)


class _Handle(_Model):
    version: Literal["v1"]
    config: str = ""
    """What the claim says about all of its devices, as JSON: the same for each."""
    devices: tuple[_HandleDevice, ...] = Field(min_length=1, max_length=MAX_COUNT)


def handle_of_entry(entry: ClaimEntry) -> str:
    """The handle of a claim with this entry. Raises ValueError for an entry that no controller has written."""
    names = {device.name for device in entry.devices}
    if not names or len(names) < len(entry.devices) or any(device.config for device in entry.devices):
        raise ValueError("the entry names no devices, one of them twice, or configures them differently")
    devices = tuple(
        _HandleDevice(name=device.name, shared=device.shared, capacity=dict(sorted(device.capacity.items())))
        for device in entry.devices
    )
    handle = _Handle(version="v1", config=entry.config, devices=devices)
    return handle.model_dump_json(exclude_defaults=True)


def entry_of_handle(data: str) -> ClaimEntry:
    """The entry that ``handle_of_entry`` was given. Raises ValueError, with what is wrong in one line."""
    try:
        handle = _Handle.model_validate_json(data)
    except ValidationError as error:
        raise ValueError("; ".join(map(str, problems_of(error, _Handle)))) from error
    if len({device.name for device in handle.devices}) < len(handle.devices):
        raise ValueError("it names a device twice")
    return classic_entry(
        handle.config,
        (claimed_device(device.name, device.capacity if device.shared else None) for device in handle.devices),
    )


def classic_entry(config: str, devices: Iterable[ClaimedDevice]) -> ClaimEntry:
    """The entry of a claim that says this about all of its devices."""
    return ClaimEntry(devices=tuple(devices), **({"config": config} if config else {}))


def claimed_device(name: str, share: Mapping[str, str] | None) -> ClaimedDevice:
    """A device as an entry names it; ``share`` is what the claim has of it, None: all."""
    # What is as it mostly is, is left out: it is compared with what the API server has.
    fields: dict[str, Any] = {"shared": share is not None, "capacity": dict(share or {})}
    return ClaimedDevice(name=name, **{field: value for field, value in fields.items() if value})
