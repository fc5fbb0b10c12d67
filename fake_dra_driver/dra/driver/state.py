"""What the NodeAllocationState of any driver says, in the words of its author: ``Device``, and who has it."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, ApiModel, ObjectMeta
from fake_dra_driver.dra.driver.device import AttributeValue, Capacity, Device, Taint, Version
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.nodestate.kind import (
    AllocatableDevice,
    ClaimedDevice,
    ClaimEntry,
    DeviceAttribute,
    DeviceCapacity,
    DeviceTaint,
    NodeState,
    NodeStateSpec,
    PreparedDeviceEntry,
    PreparedEntry,
    node_allocation_state,
)
from fake_dra_driver.dra.nodestate.layout import NodeStateLayout
from fake_dra_driver.dra.nodestate.sharing import Holding, Share
from fake_dra_driver.quantity import Quantity, QuantityError
from fake_dra_driver.untrustedtext import one_line

__all__ = ["DriverStateLayout", "claim_entry"]

MODEL: Final = "model"
"""The attribute that people are shown as the model of a device."""
MAX_REMEMBERED: Final = 10_000
"""Nodes whose inventories are remembered; more than a cluster has (Kubernetes: up to 5,000)."""
MAX_SHOWN_CONFIG: Final = 1024
"""Characters of what a claim says about a device that are shown where nothing is decided by it. In a claim there may be
32 times 10 KiB, and the object has room for 1.5 MiB, for all claims of its node."""
MAX_PROBLEM: Final = 1_000
"""Characters of what is wrong with the answers of an author's code, which may have put anything into them."""

_HEALTH: Final = {Health.UNHEALTHY: "Unhealthy", Health.UNKNOWN: "Unknown"}


@dataclass(frozen=True, slots=True)
class _Inventory:
    """The devices of a node as they were read."""

    published: Sequence[AllocatableDevice]
    devices: Sequence[Device]
    capacities: Mapping[Hashable, Share]
    """Of those that claims share."""


class DriverStateLayout(NodeStateLayout[NodeState, Device, ClaimEntry, DriverPreparedDevice]):
    """A device's key is its name. Devices have no parts.

    Args:
        driver: name of the driver.
    """

    path = ("spec", "allocatedClaims")
    plugin_fields = ("allocatableDevices", "devicesProblem", "preparedDevices")

    def __init__(self, driver: str) -> None:
        names = DriverNames.of(driver)
        self.kind = node_allocation_state(driver)
        self.revision_annotation = names.revision_annotation
        self.allocated_annotation = names.allocated_annotation
        self.models_annotation = names.models_annotation
        self.abandoned_annotation = names.abandoned_annotation
        self._qualified_model = f"{driver}/{MODEL}"
        self._inventories: dict[str, _Inventory] = {}
        """By node. Which devices it has is asked several times for each decision."""
        self._sizes: dict[str, tuple[Mapping[str, ClaimEntry], int]] = {}
        """By node: its entries, and how long they are."""

    @override
    def make(self, metadata: ObjectMeta, status: str) -> NodeState:
        return self.kind(metadata=metadata, spec=NodeStateSpec(), status=status)

    @override
    def spec_of(self, state: NodeState) -> NodeStateSpec:
        return state.spec

    @override
    def status_of(self, state: NodeState) -> str:
        return state.status

    @override
    def inventory_of(self, state: NodeState) -> Sequence[Device]:
        return self._inventory(state).devices

    @override
    def key_of(self, device: Device) -> str:
        return device.name

    @override
    def model_of(self, device: Device) -> str:
        model = device.attributes.get(MODEL, device.attributes.get(self._qualified_model))
        return model if isinstance(model, str) else ""

    @override
    def problem_of(self, device: Device) -> str:
        health = _HEALTH.get(device.health, "")
        return f"{health}: {device.message}" if health and device.message else health

    @override
    def spec_for(
        self, inventory: Sequence[Device], prepared: Mapping[str, PreparedClaim[DriverPreparedDevice]]
    ) -> NodeStateSpec:
        return NodeStateSpec(
            allocatable_devices=tuple(_published(device, self.model_of(device)) for device in inventory),
            prepared_devices={
                uid: PreparedEntry(devices=tuple(map(_prepared, devices)), **_progress(claim))
                for uid, claim in sorted(prepared.items())
                if (devices := claim.devices_in_use) or not claim.devices
            },
        )

    @override
    def with_problem(self, spec: ApiModel, problem: str) -> ApiModel:
        return spec.model_copy(update={"devices_problem": one_line(problem, MAX_PROBLEM)})

    @override
    def inventory_problem_of(self, state: NodeState) -> str:
        return state.spec.devices_problem

    # --- What claims have

    @override
    def entries_of(self, state: NodeState) -> Mapping[str, ClaimEntry]:
        return state.spec.allocated_claims

    def ledger_bytes(self, state: NodeState) -> int:
        """How much of the object tells what claims hold."""
        entries, node = state.spec.allocated_claims, state.metadata.name
        known = self._sizes.get(node)
        if known is None or known[0] is not entries:
            if len(self._sizes) >= MAX_REMEMBERED:
                self._sizes.clear()
            text = NodeStateSpec(allocated_claims=entries).model_dump_json(by_alias=True, exclude_unset=True)
            known = self._sizes[node] = (entries, len(text.encode()))
        return known[1]

    @override
    def devices_of(self, entry: ClaimEntry) -> Sequence[str]:
        return [device.name for device in entry.devices]

    @override
    def holding_of(self, entry: ClaimEntry) -> Holding:
        return _holding(entry.devices)

    @override
    def capacities_of(self, state: NodeState) -> Mapping[Hashable, Share]:
        return self._inventory(state).capacities

    @override
    def prepared_of(self, state: NodeState) -> Mapping[str, Sequence[str]]:
        return {uid: [device.name for device in entry.devices] for uid, entry in state.spec.prepared_devices.items()}

    @override
    def prepared_holdings_of(self, state: NodeState) -> Mapping[str, Holding]:
        return {uid: _holding(entry.devices) for uid, entry in state.spec.prepared_devices.items()}

    @override
    def being_prepared_of(self, state: NodeState) -> Collection[str]:
        return {uid for uid, entry in state.spec.prepared_devices.items() if entry.being_prepared}

    def restored(self, uid: UID, state: NodeState) -> Sequence[DriverPreparedDevice]:
        """What is prepared for a claim, as far as the object says it: not for which request, nor how configured."""
        entry, node = state.spec.prepared_devices.get(uid, PreparedEntry()), state.metadata.name
        return [
            DriverPreparedDevice(
                device.name,
                index,
                config="",
                capacity=tuple(sorted(device.capacity.items())),
                result=RequestResult("", node, device.name, share_id=uid) if device.shared else None,
            )
            for index, device in enumerate(entry.devices)
        ]

    def _inventory(self, state: NodeState) -> _Inventory:
        published = state.spec.allocatable_devices
        known = self._inventories.get(state.metadata.name)
        if known is None or known.published is not published:
            if len(self._inventories) >= MAX_REMEMBERED:
                self._inventories.clear()
            devices = tuple(map(_device, published))
            shared = [device for device in published if device.shared]
            known = _Inventory(published, devices, {device.name: _capacity(device) for device in shared})
            self._inventories[state.metadata.name] = known
        return known


def claim_entry(devices: Sequence[DriverPreparedDevice]) -> ClaimEntry:
    """The entry of a claim that holds these devices, for people: a long configuration is not repeated in it."""
    configs = [device.config if len(device.config) <= MAX_SHOWN_CONFIG else "" for device in devices]
    common = configs[0] if len(set(configs)) == 1 else ""
    return ClaimEntry(
        **({"config": common} if common else {}),
        devices=tuple(
            ClaimedDevice(
                **{"name": device.name, **({"config": config} if config != common else {}), **_shares(device)}
            )
            for device, config in zip(devices, configs, strict=True)
        ),
    )


# --- To the object


def _published(device: Device, model: str) -> AllocatableDevice:
    """A device as it is written. What is as it mostly is, is left out."""
    fields: dict[str, Any] = {
        "model": model,
        "attributes": {name: _attribute(value) for name, value in device.attributes.items()},
        "capacity": {name: _published_capacity(capacity) for name, capacity in device.capacity.items()},
        "shared": device.shared,
        "health": _HEALTH.get(device.health),
        "message": device.message,
        "taints": tuple(
            DeviceTaint(key=taint.key, value=taint.value, effect=taint.effect)
            if taint.value
            else DeviceTaint(key=taint.key, effect=taint.effect)
            for taint in device.taints
        ),
    }
    return AllocatableDevice(name=device.name, **{name: value for name, value in fields.items() if value})


def _attribute(value: AttributeValue) -> DeviceAttribute:
    match value:
        case bool():
            return DeviceAttribute(bool_value=value)
        case int():
            return DeviceAttribute(int_value=value)
        case Version():
            return DeviceAttribute(version=str(value))
        case _:
            return DeviceAttribute(string=value)


def _published_capacity(capacity: str | int | Capacity) -> DeviceCapacity:
    if not isinstance(capacity, Capacity):
        return DeviceCapacity(value=str(capacity))
    bounds = {"default": capacity.default, "least": capacity.least, "most": capacity.most, "step": capacity.step}
    return DeviceCapacity(
        value=str(capacity.value), **{name: str(bound) for name, bound in bounds.items() if bound is not None}
    )


def _prepared(device: DriverPreparedDevice) -> PreparedDeviceEntry:
    return PreparedDeviceEntry(**{"name": device.name, **_shares(device)})


def _progress(claim: PreparedClaim[DriverPreparedDevice]) -> Mapping[str, Any]:
    """What says that devices of the claim are not ready yet: nothing where they are."""
    return {} if all(device.is_ready for device in claim.devices) else {"being_prepared": True}


def _shares(device: DriverPreparedDevice) -> Mapping[str, Any]:
    """What says that a claim has a share of the device: nothing where it has all of it."""
    if device.result is None or device.result.share_id is None:
        return {}
    return {"shared": True, **({"capacity": dict(device.capacity)} if device.capacity else {})}


# --- From the object, in which other writers may have put anything


def _device(published: AllocatableDevice) -> Device:
    return Device(
        published.name,
        {
            name: value
            for name, attribute in published.attributes.items()
            if (value := _attribute_value(attribute)) is not None
        },
        {name: _device_capacity(capacity) for name, capacity in published.capacity.items()},
        published.shared,
        next((health for health, name in _HEALTH.items() if name == published.health), Health.HEALTHY),
        published.message,
        tuple(
            Taint(taint.key, taint.value, "NoExecute" if taint.effect == "NoExecute" else "NoSchedule")
            for taint in published.taints
        ),
    )


def _attribute_value(attribute: DeviceAttribute) -> AttributeValue | None:
    if attribute.version is not None:
        return Version(attribute.version)
    values = (attribute.bool_value, attribute.int_value, attribute.string)
    return next((value for value in values if value is not None), None)


def _device_capacity(capacity: DeviceCapacity) -> str | Capacity:
    bounds = (capacity.default, capacity.least, capacity.most, capacity.step)
    return capacity.value if bounds == (None,) * len(bounds) else Capacity(capacity.value, *bounds)


def _capacity(published: AllocatableDevice) -> Share:
    """What there is of each capacity; of one that cannot be read, nothing."""
    return {name: (_share({name: each.value}) or {}).get(name, 0) for name, each in published.capacity.items()}


def _holding(devices: Iterable[ClaimedDevice | PreparedDeviceEntry]) -> Holding:
    """Where it cannot be read how much of a device a claim has, it counts as all of it."""
    return {device.name: _share(device.capacity) if device.shared else None for device in devices}


def _share(capacity: Mapping[str, str]) -> Share | None:
    try:
        return {name: Quantity.parse(quantity).nanos for name, quantity in capacity.items()}
    except QuantityError:
        return None
