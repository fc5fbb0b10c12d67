"""First fit, until the allocator is here: the same face, and as much of its work as the first tests need."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.kube.core import Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.v1 import AllocationResult, DeviceClass, ResourceClaim, ResourceSlice

__all__ = ["Allocation", "AllocationError", "Allocator", "Refusal"]

_DRIVER = re.compile(r"""device\.driver\s*==\s*(["'])(.+)\1""")
_ATTRIBUTE = re.compile(r"""device\.attributes\[(["'])(.+?)\1\]\.(\w+)\s*==\s*(["'])(.*)\4""")

DeviceId = tuple[str, str, str]
"""Driver, pool and name."""


class AllocationError(Exception):
    """Allocation was aborted; the text is that of kube-scheduler."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """All the claims can be had on the node."""

    node: str
    results: tuple[AllocationResult, ...]
    score: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """They cannot. Other nodes may have them."""

    node: str
    text: str


class CannotAllocate(Exception):  # noqa: N818 - a state of the cluster
    """The pod's claims cannot be allocated on that node."""


@dataclass(frozen=True, slots=True)
class OfferedDevice:
    """A device that a node may use."""

    driver: str
    pool: str
    device: v1.Device
    is_local: bool
    """Whether no other node may use it."""

    @property
    def id(self) -> DeviceId:
        """What identifies it in the cluster."""
        return self.driver, self.pool, self.device.name


@dataclass(slots=True)
class Offer:
    """What there is for a pod on one node."""

    node: str
    devices: Sequence[OfferedDevice]
    classes: Mapping[str, v1.DeviceClass]
    taken: set[DeviceId]
    """Devices of other claims; those that are allocated from this offer are added."""


class Allocator:
    """Takes the first devices that suit."""

    def __init__(self) -> None:
        self._slices: dict[str, ResourceSlice] = {}
        self._classes: dict[str, DeviceClass] = {}
        self._claims: dict[UID, ResourceClaim] = {}
        self._assumed: dict[UID, AllocationResult] = {}

    def put_slice(self, resource_slice: ResourceSlice) -> None:
        """A slice was added or changed."""
        self._slices[resource_slice.metadata.name] = resource_slice

    def drop_slice(self, name: str) -> None:
        """A slice was deleted; nothing happens if it is not known."""
        self._slices.pop(name, None)

    def put_class(self, device_class: DeviceClass) -> None:
        """A class was added or changed."""
        self._classes[device_class.metadata.name] = device_class

    def drop_class(self, name: str) -> None:
        """A class was deleted; nothing happens if it is not known."""
        self._classes.pop(name, None)

    def put_claim(self, claim: ResourceClaim) -> None:
        """A claim was added or changed. Its devices are in use if it is allocated."""
        self._claims[claim.uid] = claim

    def drop_claim(self, claim: ResourceClaim) -> None:
        """A claim was deleted; nothing happens if it is not known."""
        self._claims.pop(claim.uid, None)

    def assume(self, claim: ResourceClaim, allocation: AllocationResult) -> None:
        """The scheduler has decided so, and is about to write it: the devices are in use until ``forget``."""
        self._assumed[claim.uid] = allocation

    def forget(self, claim: ResourceClaim) -> None:
        """Ends ``assume``; what ``put_claim`` said last counts again. Nothing happens if nothing was assumed."""
        self._assumed.pop(claim.uid, None)

    def allocate(self, claims: Sequence[ResourceClaim], node: Node) -> Allocation | Refusal:
        """Chooses devices on the node for all these claims together, none of which is allocated."""
        name = node.metadata.name
        known = {uid: claim.status.allocation for uid, claim in self._claims.items()} | self._assumed
        taken = {
            (each.driver, each.pool, each.device)
            for allocation in known.values()
            if allocation is not None
            for each in allocation.devices.results
            if not each.admin_access
        }
        offer = Offer(name, list(offered(name, list(self._slices.values()))), self._classes, taken)
        try:
            return Allocation(name, tuple(allocate(claim, offer) for claim in claims))
        except CannotAllocate:
            return Refusal(name, "cannot allocate all claims")


# --- what nodes offer ---


def offered(node: str, slices: Sequence[v1.ResourceSlice]) -> Iterator[OfferedDevice]:
    """The devices of all complete pools that the node can use, sorted by the names of their slices."""
    pools: dict[tuple[str, str], list[v1.ResourceSlice]] = {}
    for each in slices:
        pools.setdefault((each.spec.driver, each.spec.pool.name), []).append(each)
    for (driver, pool), members in sorted(pools.items()):
        newest = max(each.spec.pool.generation for each in members)
        current = [each for each in members if each.spec.pool.generation == newest]
        if len(current) != current[0].spec.pool.resource_slice_count:
            continue
        for each in sorted(current, key=lambda one: one.metadata.name):
            if each.spec.node_name == node or each.spec.all_nodes:
                for device in each.spec.devices:
                    yield OfferedDevice(driver, pool, device, is_local=not each.spec.all_nodes)


# --- allocation ---


def allocate(claim: v1.ResourceClaim, offer: Offer) -> v1.AllocationResult:
    """Takes devices for a claim from the offer. Raises CannotAllocate."""
    chosen: list[tuple[v1.DeviceRequestAllocationResult, OfferedDevice]] = []
    users: dict[str, list[str]] = {}
    # The requests of each class, by its name.
    for request in claim.spec.devices.requests:
        name, wanted = _wanted(request)
        users.setdefault(wanted.device_class_name, []).append(name)
        device_class = offer.classes.get(wanted.device_class_name)
        if device_class is None:
            raise CannotAllocate(f"request {name}: device class {wanted.device_class_name} does not exist")
        for device in _choose(name, wanted, device_class, offer):
            chosen.append((_result(name, wanted, device), device))
            if not wanted.admin_access:
                offer.taken.add(device.id)
    names = [name for requests in users.values() for name in requests]
    class_configs = [
        _collected(each, "FromClass", requests)
        for class_name, requests in users.items()
        for each in offer.classes[class_name].spec.config
    ]
    claim_configs = [
        _collected(each, "FromClaim", each.requests)
        for each in claim.spec.devices.config
        if not each.requests or any(_covers(reference, name) for reference in each.requests for name in names)
    ]
    devices = v1.DeviceAllocationResult(
        results=tuple(result for result, _ in chosen), config=(*class_configs, *claim_configs)
    )
    is_local = any(device.is_local for _, device in chosen)
    return v1.AllocationResult(devices=devices, node_selector=_only(offer.node) if is_local else None)


def _wanted(request: v1.DeviceRequest) -> tuple[str, v1.ExactDeviceRequest]:
    """What is asked for, and the name that results carry: that of the first alternative, where there are several."""
    if request.exactly is not None:
        return request.name, request.exactly
    first = request.first_available[0]
    fields = {name: value for name, value in first.to_wire().items() if name != "name"}
    return f"{request.name}/{first.name}", v1.ExactDeviceRequest.model_validate(fields)


def _choose(
    name: str, wanted: v1.ExactDeviceRequest, device_class: v1.DeviceClass, offer: Offer
) -> Sequence[OfferedDevice]:
    selectors = (*device_class.spec.selectors, *wanted.selectors)
    suitable = [each for each in offer.devices if all(_is_selected(each, selector) for selector in selectors)]
    free = suitable if wanted.admin_access else [each for each in suitable if each.id not in offer.taken]
    if wanted.allocation_mode == "All":
        if not suitable or len(free) < len(suitable):
            raise CannotAllocate(f"request {name}: not all devices are free")
        return suitable
    if len(free) < wanted.count:
        raise CannotAllocate(f"request {name}: {len(free)} of {wanted.count} devices are free")
    return free[: wanted.count]


def _is_selected(offered_device: OfferedDevice, selector: v1.DeviceSelector) -> bool:
    expression = selector.cel.expression if selector.cel is not None else ""
    for term in expression.split("&&"):
        by_driver, by_attribute = _DRIVER.fullmatch(term.strip()), _ATTRIBUTE.fullmatch(term.strip())
        found: str | None
        if by_driver is not None:
            found, wanted = offered_device.driver, by_driver[2]
        elif by_attribute is not None:
            found, wanted = _attribute(offered_device, by_attribute[2], by_attribute[3]), by_attribute[5]
        else:
            raise AllocationError(f"the selector {expression!r} is not understood")
        if found != wanted:
            return False
    return True


def _attribute(offered_device: OfferedDevice, domain: str, name: str) -> str | None:
    attributes = offered_device.device.attributes
    found = attributes.get(f"{domain}/{name}")
    if found is None and domain == offered_device.driver:
        found = attributes.get(name)
    return found.string if found is not None else None


def _result(name: str, wanted: v1.ExactDeviceRequest, device: OfferedDevice) -> v1.DeviceRequestAllocationResult:
    fields = {"request": name, "driver": device.driver, "pool": device.pool, "device": device.device.name}
    if wanted.admin_access:
        return v1.DeviceRequestAllocationResult.model_validate({**fields, "adminAccess": True})
    return v1.DeviceRequestAllocationResult.model_validate(fields)


def _collected(
    config: v1.DeviceClassConfiguration | v1.DeviceClaimConfiguration, source: str, requests: Sequence[str]
) -> v1.DeviceAllocationConfiguration:
    return v1.DeviceAllocationConfiguration.model_validate(
        {**config.to_wire(), "source": source, "requests": list(requests)}
    )


def _covers(reference: str, name: str) -> bool:
    """Whether a reference to a request, or to one of its alternatives, is about the chosen name."""
    return reference in (name, name.partition("/")[0])


def _only(node: str) -> NodeSelector:
    name = NodeSelectorRequirement(key="metadata.name", operator="In", values=(node,))
    return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(name,)),))
