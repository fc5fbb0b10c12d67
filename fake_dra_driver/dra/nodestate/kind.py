"""The NodeAllocationState of any driver: a kind of its own for each driver's name, with the same fields for all.

A driver that has had a kind of its own before this one keeps it, by a ``NodeStateLayout`` of its own.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.schema import (
    Crd,
    CustomResource,
    PrinterColumn,
    SchemaModel,
    ServerText,
    annotation_json_path,
)
from fake_dra_driver.dra.drivernames import DriverNames

__all__ = [
    "AllocatableDevice",
    "ClaimEntry",
    "ClaimedDevice",
    "DeviceAttribute",
    "DeviceCapacity",
    "DeviceTaint",
    "NodeState",
    "NodeStateSpec",
    "PreparedDeviceEntry",
    "PreparedEntry",
    "node_allocation_state",
]

VERSION = "v1alpha1"
NAME = ServerText(r"^[!-~]*$", 253)
"""Of devices, which people look at with kubectl: ASCII without blanks forges no row."""
TEXT = ServerText(r"^[ -~]*$", 253)


class DeviceAttribute(SchemaModel):
    """The value of an attribute: exactly one of the fields is set."""

    bool_value: bool | None = Field(default=None, alias="bool")
    """true or false."""
    int_value: int | None = Field(default=None, alias="int")
    """A whole number."""
    string: str | None = None
    """A text."""
    version: str | None = None
    """A semantic version, such as 2.1.0."""


class DeviceCapacity(SchemaModel):
    """How much of something a device has, in quantities such as 8Gi."""

    value: str
    """All that there is."""
    default: str | None = None
    """What a claim takes that does not say how much; left out: all of it."""
    least: str | None = None
    """The least that a claim can take."""
    most: str | None = None
    """The most that a claim can take."""
    step: str | None = None
    """What a claim takes is rounded up to the least and a multiple of this."""


class DeviceTaint(SchemaModel):
    """Keeps claims from a device."""

    key: str
    """Name of the taint."""
    value: str = ""
    """More about it."""
    effect: str = "NoSchedule"
    """NoSchedule or NoExecute."""


class AllocatableDevice(SchemaModel):
    """A device of a node."""

    name: Annotated[str, NAME]
    """Name of the device, unique on its node."""
    model: Annotated[str, TEXT] = ""
    """Its attribute model, for people; left out where it has none."""
    attributes: Mapping[str, DeviceAttribute] = Field(default_factory=dict)
    """What claims choose devices by."""
    capacity: Mapping[str, DeviceCapacity] = Field(default_factory=dict)
    """How much of what it has."""
    shared: bool = False
    """Whether several claims may have it at a time, each with a part of its capacity."""
    health: Annotated[str, TEXT] = ""
    """Unhealthy or Unknown; left out while it is healthy."""
    message: str = ""
    """What is wrong with it, for people."""
    taints: tuple[DeviceTaint, ...] = ()
    """What keeps claims from it."""


class ClaimedDevice(SchemaModel):
    """A device that a claim holds."""

    name: str = ""
    """Name of the device."""
    config: str = ""
    """What claim and class say about it, as JSON, where they do not say the same about all devices of the claim."""
    shared: bool = False
    """Whether other claims may have it at the same time."""
    capacity: Mapping[str, str] = Field(default_factory=dict)
    """How much of a shared device the claim has."""


class ClaimEntry(SchemaModel):
    """What a claim holds."""

    # Once, and not for each of up to 128 devices: an object of the API server has room for 1.5 MiB.
    config: str = ""
    """What claim and class say about all of its devices, as JSON; left out where they say nothing."""
    devices: tuple[ClaimedDevice, ...] = ()
    """In the order in which containers see them."""


class PreparedDeviceEntry(SchemaModel):
    """A device that is ready for containers, or being made so."""

    name: str = ""
    """Name of the device."""
    shared: bool = False
    """Whether other claims may have it at the same time."""
    capacity: Mapping[str, str] = Field(default_factory=dict)
    """How much of a shared device the claim has."""


class PreparedEntry(SchemaModel):
    """What is prepared for a claim."""

    devices: tuple[PreparedDeviceEntry, ...] = ()
    """In the order in which containers see them."""
    being_prepared: bool = False
    """Whether the driver is still making them ready; left out once containers can use them."""


class NodeStateSpec(SchemaModel):
    """A node's devices, and which claims hold them."""

    allocatable_devices: tuple[AllocatableDevice, ...] = ()
    """The devices of the node, written by its kubelet plugin."""
    devices_problem: str = ""
    """Why these may not be the devices of the node any more: the driver fails to say which it has."""
    allocated_claims: Mapping[str, ClaimEntry] = Field(default_factory=dict)
    """By the UID of the claim: the devices that it holds, written by the controller."""
    prepared_devices: Mapping[str, PreparedEntry] = Field(default_factory=dict)
    """By the UID of the claim: what the kubelet plugin has prepared for it."""


class NodeState(CustomResource):
    """The devices of one node, who holds them and what is prepared; named after the node, in the driver's namespace."""

    spec: NodeStateSpec = Field(default_factory=NodeStateSpec)
    """The node's devices, and which claims hold them."""
    status: Annotated[str, ServerText(r"^[A-Za-z]*$", 63)] = ""
    """Ready, or NotReady while the kubelet plugin of the node does not serve. Only Ready nodes are allocated from."""


@lru_cache(maxsize=16)
def node_allocation_state(driver: str) -> type[NodeState]:
    """The kind NodeAllocationState of a driver; always the same class for the same name."""
    names = DriverNames.of(driver)
    namespace: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": NodeState.__doc__,
        # No file is read for docstrings of its fields, which it has none of: that may block.
        "model_config": ConfigDict(use_attribute_docstrings=False),
        "resource": ResourceKind(names.state_group, VERSION, "NodeAllocationState", "nodeallocationstates"),
        "crd": Crd(
            singular="nas",
            printer_columns=(
                PrinterColumn("Status", "string", ".status", "Whether the node's kubelet plugin serves its devices."),
                PrinterColumn(
                    "Models",
                    "string",
                    annotation_json_path(names.models_annotation),
                    "Models of the node's devices, with their numbers where there are several.",
                ),
                PrinterColumn(
                    "Allocated",
                    "string",
                    annotation_json_path(names.allocated_annotation),
                    "Devices that claims hold, of those that the node has.",
                ),
                PrinterColumn(
                    "Revision",
                    "string",
                    annotation_json_path(names.revision_annotation),
                    "How often the record of which claim holds which devices was written.",
                    priority=1,
                ),
                PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
            ),
        ),
    }
    return type("NodeAllocationState", (NodeState,), namespace)
