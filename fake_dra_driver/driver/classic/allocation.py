"""The Fake device behind classic DRA: what a node has, which devices a claim gets, and what its allocation says."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.fake import (
    AllocatedDevices,
    AllocatedFake,
    AllocatedFakes,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.request import DeviceRequest
from fake_dra_driver.dra.classic import ControllerDriver, NodeDevices, Unsuitable, Wish, assign, closed_reason
from fake_dra_driver.driver.classic import shortage
from fake_dra_driver.driver.classic.handle import ClaimHandle, HandleDevice
from fake_dra_driver.driver.classic.holdings import wanted_by_entry, wanted_by_handle
from fake_dra_driver.driver.classic.parameters import ParametersResolver
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.statelayout import FakeStateLayout

__all__ = ["FakeControllerDriver"]

_LAYOUT: Final = FakeStateLayout()


class FakeControllerDriver(ControllerDriver[DeviceRequest, NodeAllocationState, Device, AllocatedDevices]):
    """Chooses devices for claims.

    Args:
        parameters: turns claims into requests.
        name: of the driver.
    """

    def __init__(self, parameters: ParametersResolver, name: str = NAMES.driver) -> None:
        self.name = name
        self._parameters = parameters

    @override
    def check_class(self, resource_class: ResourceClass) -> None:
        self._parameters.selectors_of(resource_class)

    @override
    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> DeviceRequest:
        return self._parameters.request_of(claim, resource_class)

    @override
    def devices_of(self, state: NodeAllocationState) -> NodeDevices[Device]:
        inventory = _LAYOUT.inventory_of(state)
        return NodeDevices({device.uuid: device for device in inventory}, closed_reason(_LAYOUT, state))

    @override
    def choose(
        self, node: NodeDevices[Device], free: Sequence[Device], requests: Sequence[DeviceRequest]
    ) -> Sequence[AllocatedDevices] | Unsuitable:
        chosen = assign([_wish(request, free) for request in requests], {})
        if chosen is None:
            return Unsuitable(shortage.describe_rest(node, free, requests))
        return [
            _entry_of([_device(free[place].uuid, request.split) for place in places])
            for request, places in zip(requests, chosen, strict=True)
        ]

    @override
    def advise(self, requests: Sequence[DeviceRequest], nodes: Sequence[NodeDevices[Device]]) -> str:
        return shortage.advise(requests, nodes)

    @override
    def handle_of(self, entry: AllocatedDevices) -> str:
        devices = (HandleDevice(uuid=device.uuid, split=device.split) for device in wanted_by_entry(entry))
        return ClaimHandle(devices=tuple(devices)).to_data()

    @override
    def entry_of(self, handle: str) -> AllocatedDevices:
        return _entry_of([_device(device.uuid, device.split) for device in wanted_by_handle(handle)])

    @override
    def entry_without_handle(self, uid: UID, state: NodeAllocationState) -> AllocatedDevices | None:
        # The Go driver writes no handles; what the plugin has prepared tells what was on record.
        devices = _LAYOUT.prepared_parts_of(state).get(uid, {})
        return _entry_of([_device(uuid, len(children)) for uuid, children in devices.items()]) if devices else None

    @override
    def describe_request(self, request: DeviceRequest) -> str:
        return shortage.describe_request(request)

    @override
    def describe_entry(self, entry: AllocatedDevices) -> str:
        devices = wanted_by_entry(entry)
        texts = [f"{device.uuid} split into {device.split}" if device.split else device.uuid for device in devices]
        return ", ".join(texts) or "no devices"


def _wish(request: DeviceRequest, free: Sequence[Device]) -> Wish:
    return Wish(request.count, {place: None for place, device in enumerate(free) if request.matches(device)})


def _entry_of(devices: Sequence[AllocatedFake]) -> AllocatedDevices:
    return AllocatedDevices(fake=AllocatedFakes(devices=tuple(devices)))


def _device(uuid: str, split: int) -> AllocatedFake:
    return AllocatedFake(uuid=uuid, split=split) if split else AllocatedFake(uuid=uuid)
