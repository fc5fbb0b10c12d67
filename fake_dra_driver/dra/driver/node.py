"""The devices of any ``Driver`` on a node: what its author's code is asked, what is kept of it, what containers get.

A device is on record before ``prepare`` is called for it, and with the edits that this has returned afterwards. What is
needed to call ``unprepare`` stands there, too: it needs neither the API server, nor the claim, nor the device.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

from loguru import logger
from pydantic import Field, JsonValue, ValidationError
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.calls import AuthorCalls, DriverFaultError
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.cdi import problems_of
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.node.preparedmodel import (
    ADMIN_ACCESS,
    CdiNames,
    PreparedModel,
    StoredDevice,
    StoredResult,
    unique_name,
)

__all__ = ["DriverPreparedModel", "StoredDriverDevice"]

_MODEL: Final = "model"
"""The attribute by which metrics count devices, if they have it."""

DriverPreparedClaim = PreparedClaim[DriverPreparedDevice]

log = logger.bind(component="driver")


class StoredDriverDevice(StoredDevice[DriverPreparedDevice]):
    """A device in the checkpoint."""

    name: str
    index: int = 0
    config: str = ""
    capacity: dict[str, str] = Field(default_factory=dict)
    result: StoredResult | None = None
    edits: dict[str, JsonValue] | None = None
    """In the words of CDI; a later release may know more of them."""

    @override
    def prepared(self) -> DriverPreparedDevice:
        return DriverPreparedDevice(
            self.name,
            self.index,
            self.config,
            tuple(self.capacity.items()),
            None if self.result is None else self.result.prepared(),
            None if self.edits is None else ContainerEdits.model_validate(self.edits, extra="ignore"),
        )

    @classmethod
    @override
    def of(cls, device: DriverPreparedDevice) -> Self:
        edits = None
        if device.edits is not None:
            fields = device.edits.model_dump(mode="json", by_alias=True, exclude_none=True)
            edits = {name: entries for name, entries in fields.items() if entries}
        return cls(
            name=device.name,
            index=device.index,
            config=device.config,
            capacity=dict(device.capacity),
            result=StoredResult.of(device.result),
            edits=edits,
        )


class DriverPreparedModel(PreparedModel[DriverPreparedDevice]):
    """The devices of one driver on one node.

    Args:
        calls: of the driver.
        names: of the driver.
        device: the device of a name as the node has it now; None where it has none.
    """

    common = None
    stored = StoredDriverDevice
    has_effects = True

    def __init__(self, calls: AuthorCalls[Any], names: DriverNames, device: Callable[[str], Device | None]) -> None:
        self.cdi = CdiNames(names.cdi_vendor, names.cdi_class)
        self._calls = calls
        self._device = device

    # --- What containers get

    @override
    def cdi_devices(self, claim: DriverPreparedClaim) -> Mapping[str, ContainerEdits] | None:
        return {name: edits for _, name, edits in _named(claim) if edits != ContainerEdits()} or None

    @override
    def ready_devices(self, node: str, claim: DriverPreparedClaim) -> Sequence[ReadyDevice]:
        return [
            _ready_device(node, device, () if edits == ContainerEdits() else (self.cdi.qualified(name),))
            for device, name, edits in _named(claim)
        ]

    @override
    def label_of(self, device: DriverPreparedDevice) -> str:
        known = self._device(device.name)
        return str(known.attributes.get(_MODEL, "")) if known is not None else ""

    # --- What is done to devices

    @override
    def is_complete(self, claim: DriverPreparedClaim) -> bool:
        return all(device.is_ready for device in claim.devices)

    @override
    def planned(self, claim: DriverPreparedClaim) -> DriverPreparedClaim:
        return replace(claim, devices=tuple(replace(device, edits=None) for device in claim.devices))

    @override
    async def complete(self, claim: DriverPreparedClaim) -> DriverPreparedClaim:
        devices = []
        for device in claim.devices:
            edits = await self._calls.prepare(self._allocated(claim, device))
            for problem in problems_of(edits):
                method = f"{type(self._calls.driver).__name__}.prepare({device.name})"
                raise DriverFaultError(f"{method} returned what no container can get: {problem}")
            devices.append(replace(device, edits=edits))
        return replace(claim, devices=tuple(devices))

    @override
    async def end(self, claim: DriverPreparedClaim) -> None:
        problems = []
        # The last one first, as one leaves what one has entered; one that cannot be released keeps none of the others.
        for device in reversed(claim.devices):
            try:
                await self._calls.unprepare(self._allocated(claim, device))
            except PrepareError as error:
                problems.append(str(error))
        if problems:
            raise PrepareError("; ".join(problems))

    def _allocated(self, claim: DriverPreparedClaim, device: DriverPreparedDevice) -> AllocatedDevice[Any]:
        result = device.result
        return AllocatedDevice(
            device=self._device(device.name) or Device(device.name),
            config=_config_of(self._calls.driver.config, device.config),
            claim=NodeClaim(claim.namespace, claim.name, UID(claim.uid)),
            index=device.index,
            request="" if result is None else result.request,
            capacity=dict(device.capacity),
            share_id=None if result is None else result.share_id,
            admin_access=result is not None and result.admin_access,
        )


def _named(claim: DriverPreparedClaim) -> Iterator[tuple[DriverPreparedDevice, str, ContainerEdits]]:
    """Each device with the name that no other of the node has in CDI, and with what a container gets for it."""
    taken: set[str] = set()
    for device in claim.devices:
        result = device.result
        name = unique_name(device.name, claim.uid, None if result is None else result.share_id)
        if name in taken:
            # Two requests may look at one device, and the author's code may want other edits for each of them.
            name = unique_name(name, str(device.index))
        taken.add(name)
        edits = device.edits or ContainerEdits()
        if result is not None and result.admin_access:
            edits = edits.model_copy(update={"env": {**edits.env, **ADMIN_ACCESS}})
        yield device, name, edits


def _ready_device(node: str, device: DriverPreparedDevice, cdi_ids: tuple[str, ...]) -> ReadyDevice:
    result = device.result
    if result is None:
        return ReadyDevice(node, device.name, cdi_ids)
    requests = (result.request,) if result.request else ()
    return ReadyDevice(result.pool, result.device, cdi_ids, requests, result.share_id)


def _config_of(model: type[DeviceConfig], text: str) -> DeviceConfig:
    """What was stored, as far as this release of the driver takes it: a claim must end that an earlier one prepared."""
    try:
        return model.model_validate_json(text or "{}")
    except ValidationError as error:
        fields: dict[str, JsonValue] = json.loads(text)
        places = [problem["loc"] for problem in error.errors()]
        # What is wrong with several fields together names none of them.
        refused = {str(place[0]) for place in places} if all(places) else fields.keys()
        log.warning("Stored configuration has fields that are not taken any more", config=text, fields=sorted(refused))
        return model.model_validate({name: value for name, value in fields.items() if name not in refused})
