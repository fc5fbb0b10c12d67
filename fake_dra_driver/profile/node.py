"""What a node gets of a profile, release by release: slices, NodeAllocationState, and what containers see. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra import NodeClaim, PreparedClaim, PrepareError, RequestResult
from fake_dra_driver.dra.structured import Pool
from fake_dra_driver.dra.structured.pool import slices_of
from fake_dra_driver.driver.names import names_of
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import PreparedFile, WantedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode
from fake_dra_driver.driver.profile.rendering import render_profile
from fake_dra_driver.driver.statelayout import FakeStateLayout

__all__ = ["ContainerView", "RenderedNode", "rendered_node"]

SAMPLE_CLAIM: Final = NodeClaim("default", "sample", UID("00000000-0000-4000-8000-000000000001"))
"""The claim for which the variables of containers are shown."""
SAMPLE_SHARE: Final = UID("00000000-0000-4000-8000-000000000002")
"""Its share of a device that several claims can have."""
_STRUCTURED: Final = 32
_COUNTED_APART: Final = 35
"""Where counter sets are in slices of their own."""
_PARTITIONS: Final = 33
_VERSIONS: Final = {32: "v1beta1", 33: "v1beta2"}
_SINCE: Final[Mapping[str, int]] = {
    "consumes_counters": _PARTITIONS,
    "taints": 33,
    "binds_to_node": 34,
    "binding_conditions": 34,
    "binding_failure_conditions": 34,
    "allow_multiple_allocations": 34,
    "node_allocatable_resources": 37,
}
"""By field of a device: the first release that has it, with its feature gate."""
_LISTS: Final = ("ints", "bools", "strings", "versions")
_LISTS_SINCE: Final = 36


@dataclass(frozen=True, slots=True)
class ContainerView:
    """What a container sees that has a device of a sample claim."""

    device: MockDevice
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[PreparedFile] = ()
    problem: str = ""
    """Why the claim would not be prepared."""


@dataclass(frozen=True, slots=True)
class RenderedNode:
    """What a node has."""

    node: MockNode
    devices: Sequence[MockDevice]
    """Those that the release can have."""
    slices: Sequence[v1.ResourceSlice]
    """As the release has them."""
    state: NodeAllocationState
    containers: Sequence[ContainerView]
    """For the first device of each sort."""
    left_out: Sequence[str]
    """What the profile says and the release cannot have."""


def rendered_node(profile: DeviceProfile, node_name: str, minor: int) -> RenderedNode:
    """What the profile makes of a node.

    Args:
        profile: that is for the node.
        node_name: of a node that has the labels by which the profile selects it, and no others.
        minor: release of Kubernetes: 34 for 1.34.

    Raises:
        ProfileError: the profile cannot be used.
        PoolError: the release cannot have what it describes.
    """
    selector = profile.spec.node_selector
    node = render_profile(profile, node_name, {} if selector is None else selector.match_labels)
    left_out: set[str] = set()
    devices = [device for device in node.devices if minor >= _PARTITIONS or not device.parent]
    if len(devices) < len(node.devices):
        left_out.add("partitions")
    return RenderedNode(
        node,
        devices,
        tuple(_slices(profile, node, devices, minor, left_out)),
        NodeAllocationState(
            metadata=ObjectMeta(name=node_name),
            spec=FakeStateLayout().spec_for([device.device for device in devices], {}),
            status="Ready",
        ),
        tuple(_containers(profile.spec.driver_name, node, devices, minor)),
        tuple(sorted(left_out)),
    )


def _slices(
    profile: DeviceProfile, node: MockNode, devices: Sequence[MockDevice], minor: int, left_out: set[str]
) -> Iterator[v1.ResourceSlice]:
    if minor < _STRUCTURED:
        return
    pool = Pool(
        node.node,
        tuple(_known(device.published, minor, left_out) for device in devices),
        node_name=node.node,
        shared_counters=node.counter_sets if minor >= _PARTITIONS else (),
    )
    api = RESOURCE_APIS[_VERSIONS.get(minor, "v1")].slices
    for wanted in slices_of(profile.spec.driver_name, pool, is_counted_beside=minor < _COUNTED_APART):
        yield api(metadata=ObjectMeta(name=wanted.name), spec=wanted.spec)


def _known(device: v1.Device, minor: int, left_out: set[str]) -> v1.Device:
    """The device with what a release has of it."""
    fields = {name: getattr(device, name) for name in device.model_fields_set}
    for name in [name for name in fields if _SINCE.get(name, minor) > minor]:
        left_out.add(type(device).model_fields[name].alias or name)
        del fields[name]
    if minor < _LISTS_SINCE:
        lists = {name for name, value in device.attributes.items() if any(getattr(value, each) for each in _LISTS)}
        left_out |= {f"attribute {name}" for name in lists}
        fields["attributes"] = {name: value for name, value in device.attributes.items() if name not in lists}
    return v1.Device(**fields)


def _containers(driver: str, node: MockNode, devices: Sequence[MockDevice], minor: int) -> Iterator[ContainerView]:
    planner = FakePlanner(lambda: node, dict)
    model = FakePreparedModel(node.node, names_of(driver))
    shown = set()
    for device in devices:
        sort = (device.group, device.variables.get("partition", ""))
        if sort in shown:
            continue
        shown.add(sort)
        try:
            prepared = planner.devices(SAMPLE_CLAIM, [_wanted(device, node.node, minor)])
        except PrepareError as error:
            # The claim is ours, and the profile is named already.
            about = f"claim {SAMPLE_CLAIM}: DeviceProfile {node.profile.name}: "
            yield ContainerView(device, problem=str(error).removeprefix(about))
            continue
        claim = PreparedClaim(SAMPLE_CLAIM.uid, SAMPLE_CLAIM.namespace, SAMPLE_CLAIM.name, tuple(prepared))
        own = [edits.env for edits in (model.cdi_devices(claim) or {}).values()]
        yield ContainerView(device, {**model.common.env, **(own[0] if own else {})}, prepared[0].files)


def _wanted(device: MockDevice, node_name: str, minor: int) -> WantedDevice:
    """The device as the sample claim asks for it: of one that claims share, what a request gets that says no more."""
    uuid, published = device.device.uuid, device.published
    if minor < _STRUCTURED:
        return WantedDevice(uuid)
    if not published.allow_multiple_allocations or minor < _SINCE["allow_multiple_allocations"]:
        return WantedDevice(uuid, result=RequestResult("req-0", node_name, device.name))
    consumed = {
        name: each.value if each.request_policy is None else each.request_policy.default or each.value
        for name, each in published.capacity.items()
    }
    return WantedDevice(
        uuid, result=RequestResult("req-0", node_name, device.name, share_id=SAMPLE_SHARE), capacity=consumed
    )
