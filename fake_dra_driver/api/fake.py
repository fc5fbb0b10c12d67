"""This driver's own kinds, and its names in the cluster: what CRDs, chart, RBAC and documentation are rendered from.

Groups, kinds, plurals and JSON names are those of the Go driver (toVersus/fake-dra-driver v0.1.0 to v0.1.3).
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self, cast

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)

from fake_dra_driver.api.devicecolumns import DeviceColumns, DeviceRow
from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.schema import (
    CelRule,
    Crd,
    CustomResource,
    PrinterColumn,
    SchemaModel,
    ServerDefault,
    ServerText,
    annotation_json_path,
)

__all__ = [
    "ABANDONED_ANNOTATION",
    "ALLOCATED_ANNOTATION",
    "CDI_CLASS",
    "CDI_KIND",
    "CDI_VENDOR",
    "CLAIM_FINALIZER",
    "DRIVER_ANNOTATION",
    "DRIVER_NAME",
    "EVENT_COMPONENT",
    "LEDGER_REVISION_ANNOTATION",
    "MAX_CHILDREN",
    "MAX_COUNT",
    "MAX_DEVICES_PER_NODE",
    "MAX_SPLIT",
    "MODELS_ANNOTATION",
    "MODEL_PATTERN",
    "PROFILE_ANNOTATION",
    "PROFILE_PROBLEM_ANNOTATION",
    "RESOURCE_CLASS_NAME",
    "SIMULATED_LABEL",
    "VERSION",
    "AllocatableDevice",
    "AllocatedDevices",
    "AllocatedFake",
    "AllocatedFakes",
    "DeviceClassParameters",
    "DeviceClassParametersSpec",
    "DeviceSelector",
    "FakeClaimConfig",
    "FakeClaimConfigSpec",
    "FakeClaimParameters",
    "FakeClaimParametersSpec",
    "FakeDevice",
    "FakeSelector",
    "NodeAllocationState",
    "NodeAllocationStateSpec",
    "PreparedDevices",
    "PreparedFake",
    "PreparedFakes",
    "allocatable_devices",
]

DRIVER_NAME = "fake.resource.3-shake.com"
"""Name of the DRA driver, and API group of its parameters."""
NAS_GROUP = f"nas.{DRIVER_NAME}"
VERSION = "v1alpha1"
RESOURCE_CLASS_NAME = "fake.3-shake.com"
CLAIM_FINALIZER = f"{DRIVER_NAME}/deletion-protection"
EVENT_COMPONENT = f"resource driver {DRIVER_NAME}"
"""``source.component`` of our Events: the name that Kubernetes' library for classic controllers would use."""
CDI_VENDOR = f"k8s.{DRIVER_NAME}"
CDI_CLASS = "fake"
CDI_KIND = f"{CDI_VENDOR}/{CDI_CLASS}"
LEDGER_REVISION_ANNOTATION = f"{NAS_GROUP}/ledger-revision"
"""Decimal number, raised by each write to ``spec.allocatedClaims``. An annotation, so that ``spec`` keeps its shape."""

ALLOCATED_ANNOTATION = f"{NAS_GROUP}/allocated-devices"
"""Such as ``5/8``: devices that claims hold, of those that the node has. Written with what it counts, for ``kubectl
get`` alone, which cannot count."""
ABANDONED_ANNOTATION = f"{NAS_GROUP}/abandoned-claims"
"""UIDs with commas between them: claims that are prepared on the node and hold nothing there any more, and that no pod
on the node can use. Written by the controller, for the plugin, which unprepares them."""
DRIVER_ANNOTATION = f"{NAS_GROUP}/driver"
"""Name of the driver whose devices these are, where it does not run under its own: releases share the kind."""
PROFILE_ANNOTATION = f"{NAS_GROUP}/profile"
"""Such as ``a100: no other DeviceProfile is for this node``: what describes the node, and why."""
PROFILE_PROBLEM_ANNOTATION = f"{NAS_GROUP}/profile-problem"
"""Why the DeviceProfile that is for the node is not in force; absent where it is."""
MODELS_ANNOTATION = f"{NAS_GROUP}/models"
"""Such as ``4 A100, 4 H100``: how many devices of which model the node has. For ``kubectl get`` alone, which of a path
through a list shows the first result."""
SIMULATED_LABEL = f"{RESOURCE_CLASS_NAME}/simulated"
"""Label of a NodeAllocationState. ``true``: of a node without a kubelet plugin, whose part of the object the controller
writes. ``false``: a plugin that was started there has taken it over from the controller; it goes with that plugin."""

MAX_COUNT = 128
"""Most devices one claim can ask for: as many as a node can have."""
MAX_SPLIT = 64
MAX_CHILDREN = 1024
"""Most children, ``count`` times ``split``, of one claim: keeps CDI files and NodeAllocationState objects small."""
MAX_DEVICES_PER_NODE = 128
MODEL_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
"""Of a device's model. No comma, which separates models, and no character that means something in a glob or an
environment variable."""

NAME = ServerText(r"^[!-~]*$", 512)
"""Of the devices of a node and their models, which people look at with kubectl: ASCII without blanks forges no row.
What claims hold and what is prepared has no such bound: a write of one claim would be refused for the text of another,
which came with a resource handle, say."""
GLOB = ServerText(r"^[ -~]*$", 253)


# --- NodeAllocationState -----------------------------------------------------------------------------------------


class FakeDevice(SchemaModel):
    """A mock device of a node."""

    uuid: Annotated[str, NAME]
    """``FAKE-`` and a UUID that is a function of the node's name and the device's index, where no DeviceProfile says
    otherwise."""
    name: Annotated[str, NAME]
    """The device's model, such as LATEST-FAKE-MODEL."""
    type: Annotated[str, NAME] = ""
    """The device's type, where it is not fake."""
    device: Annotated[str, NAME] = ""
    """The device's name in ResourceSlices, where it is not named after its place in the list."""


class AllocatableDevice(SchemaModel):
    """A device that claims can get. A union over device types; ``fake`` is its only member."""

    fake: FakeDevice | None = None
    """Set for devices of type fake."""


def _allocatable(row: DeviceRow) -> AllocatableDevice:
    return AllocatableDevice.model_validate(row.to_wire())


def allocatable_devices(rows: Iterable[DeviceRow]) -> tuple[AllocatableDevice, ...]:
    """The devices of a node, as they are kept in a NodeAllocationState: in little memory."""
    # What is kept is not a tuple, but a sequence that is read like one, and equal to one of the same entries.
    return cast("tuple[AllocatableDevice, ...]", DeviceColumns(rows, _allocatable))


class AllocatedFake(SchemaModel):
    """A device that a claim holds."""

    uuid: str = ""
    """UUID of the whole device."""
    split: int | None = Field(default=None, ge=0)
    """Number of children that the device is split into; left out when the claim gets the whole device."""


class AllocatedFakes(SchemaModel):
    """The fake devices that a claim holds."""

    devices: tuple[AllocatedFake, ...] = ()
    """In the order in which containers see them."""


class AllocatedDevices(SchemaModel):
    """What a claim holds. A union over device types; ``fake`` is its only member."""

    fake: AllocatedFakes | None = None
    """Set for devices of type fake."""


class PreparedFake(SchemaModel):
    """A device, or a child of one, that is ready for containers."""

    uuid: str = ""
    """UUID of the whole device, or of the child."""
    parent_uuid: str | None = Field(default=None, alias="parentUUID")
    """UUID of the device that this child is a part of; left out for a whole device."""


class PreparedFakes(SchemaModel):
    """The fake devices that are prepared for a claim."""

    devices: tuple[PreparedFake, ...] = ()
    """In the order in which containers see them."""


class PreparedDevices(SchemaModel):
    """What is prepared for a claim. A union over device types; ``fake`` is its only member."""

    fake: PreparedFakes | None = None
    """Set for devices of type fake."""


class NodeAllocationStateSpec(SchemaModel):
    """A node's devices, and which claims hold them."""

    allocatable_device: tuple[AllocatableDevice, ...] = ()
    """The devices of the node, written by its kubelet plugin."""
    allocated_claims: Mapping[str, AllocatedDevices] = Field(default_factory=dict)
    """By the UID of the claim: the devices that it holds, written by the controller. This is the ledger."""
    prepared_devices: Mapping[str, PreparedDevices] = Field(default_factory=dict)
    """By the UID of the claim: what the kubelet plugin has prepared for it."""

    @field_validator("allocatable_device", mode="wrap")
    @classmethod
    def _in_columns(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        if isinstance(value, DeviceColumns):
            return value
        return DeviceColumns.of_wire(value, _allocatable) or handler(value)

    @field_serializer("allocatable_device", mode="wrap")
    def _from_columns(self, value: object, handler: SerializerFunctionWrapHandler) -> Any:
        return value.to_wire() if isinstance(value, DeviceColumns) else handler(value)


class NodeAllocationState(CustomResource):
    """The devices of one node, who holds them and what is prepared; named after the node, in the driver's namespace."""

    resource = ResourceKind(NAS_GROUP, VERSION, "NodeAllocationState", "nodeallocationstates")
    crd = Crd(
        singular="nas",
        printer_columns=(
            PrinterColumn("Status", "string", ".status", "Whether the node's kubelet plugin serves its devices."),
            PrinterColumn(
                "Models",
                "string",
                annotation_json_path(MODELS_ANNOTATION),
                "Models of the node's devices, with their numbers where there are several.",
            ),
            PrinterColumn(
                "Allocated",
                "string",
                annotation_json_path(ALLOCATED_ANNOTATION),
                "Devices that claims hold, of those that the node has.",
            ),
            PrinterColumn(
                "Revision",
                "string",
                annotation_json_path(LEDGER_REVISION_ANNOTATION),
                "How often the record of which claim holds which devices was written.",
                priority=1,
            ),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
        ),
    )

    spec: NodeAllocationStateSpec = Field(default_factory=NodeAllocationStateSpec)
    """The node's devices, and which claims hold them."""
    status: Annotated[str, ServerText(r"^[A-Za-z]*$", 63)] = ""
    """Ready, or NotReady while the kubelet plugin of the node does not serve. Only Ready nodes are allocated from."""


# --- DeviceClassParameters ---------------------------------------------------------------------------------------


class DeviceSelector(SchemaModel):
    """Matches devices by type and model."""

    type: Annotated[str, GLOB]
    """Glob on the device's type; the devices of this driver have the type fake."""
    name: Annotated[str, GLOB]
    """Glob on the device's model, such as LATEST-*."""


class DeviceClassParametersSpec(SchemaModel):
    """Which devices the claims of a class may get."""

    device_selector: tuple[DeviceSelector, ...] = Field(min_length=1, max_length=64)
    """A device belongs to the class when at least one entry matches it."""


class DeviceClassParameters(CustomResource):
    """Parameters of a ResourceClass: which devices its claims may get."""

    resource = ResourceKind(DRIVER_NAME, VERSION, "DeviceClassParameters", "deviceclassparameters", namespaced=False)
    crd = Crd(
        singular="deviceclassparameters",
        short_names=("dcp",),
        printer_columns=(
            # The whole list, which kubectl shows as JSON: of a path with [*] it shows the first result alone.
            PrinterColumn("Selector", "string", ".spec.deviceSelector", "Globs on type and model; one has to match."),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
        ),
    )

    spec: DeviceClassParametersSpec
    """Which devices the claims of a class may get."""


# --- FakeClaimParameters -----------------------------------------------------------------------------------------


class FakeSelector(SchemaModel):
    """Restricts which devices a claim gets."""

    model: str = Field(min_length=1, max_length=63, pattern=MODEL_PATTERN)
    """The model that every device of the claim must have, exactly."""


class FakeClaimParametersSpec(SchemaModel):
    """How many devices a claim asks for, of which model, split into how many parts."""

    cel_rules = (
        CelRule(
            f"self.count * self.split <= {MAX_CHILDREN}",
            f"count times split must be at most {MAX_CHILDREN}",
        ),
    )

    count: Annotated[int, ServerDefault()] = Field(default=1, ge=1, le=MAX_COUNT)
    """Number of devices, all of one node."""
    split: Annotated[int, ServerDefault()] = Field(default=0, ge=0, le=MAX_SPLIT)
    """Number of children that each device is split into, as MIG does with a GPU. 0 gives the whole device."""
    selector: FakeSelector | None = None
    """Restricts which devices the claim gets; every device fits when it is left out."""


class FakeClaimParameters(CustomResource):
    """Parameters of a ResourceClaim: how many devices, of which model, split into how many parts."""

    resource = ResourceKind(DRIVER_NAME, VERSION, "FakeClaimParameters", "fakeclaimparameters")
    crd = Crd(
        singular="fakeclaimparameters",
        short_names=("fcp",),
        printer_columns=(
            PrinterColumn("Count", "integer", ".spec.count", "Number of devices."),
            PrinterColumn("Split", "integer", ".spec.split", "Number of children of each device; 0: the whole device."),
            PrinterColumn("Model", "string", ".spec.selector.model", "Model of the devices."),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
        ),
    )

    spec: Annotated[FakeClaimParametersSpec, ServerDefault()] = Field(default_factory=FakeClaimParametersSpec)
    """How many devices a claim asks for, of which model, split into how many parts."""


# --- FakeClaimParameters as opaque configuration -------------------------------------------------------------------


class FakeClaimConfigSpec(SchemaModel):
    """What FakeClaimParameters say in structured DRA, where a claim's request says how many devices, and which.

    What is left out is not checked: no default stands for it.
    """

    count: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    """How many devices the requests that this is for get together: the claim is refused if they get another number."""
    split: int = Field(default=0, ge=0, le=MAX_SPLIT)
    """Number of children that each device is split into. 0 gives the whole device."""
    selector: FakeSelector | None = None
    """What the devices are like: the claim is refused if one of them is not."""

    @model_validator(mode="after")
    def _has_few_children(self) -> Self:
        if self.count is not None and self.count * self.split > MAX_CHILDREN:
            raise ValueError(f"count times split must be at most {MAX_CHILDREN}, is {self.count * self.split}")
        return self


class FakeClaimConfig(SchemaModel):
    """FakeClaimParameters as the opaque configuration of a claim, or of a DeviceClass, in structured DRA."""

    spec: FakeClaimConfigSpec = Field(default_factory=FakeClaimConfigSpec)
    """What the devices are to be like."""
