"""A stand-in for kube-scheduler where claims are those of structured DRA: first fit, and no more than tests need.

It writes what kube-scheduler writes, in that order: a claim's finalizer, allocation and reservation in one write of its
status, the binding. Configurations are collected as by that of 1.34 and later, those of claims without their repeats.
Of requests it knows counts, All, adminAccess and the first of several alternatives. Selectors are not evaluated but
recognised: conjunctions of ``device.driver == "d"`` and ``device.attributes["d"].name == "text"``; a pod with any other
is refused with a message that says so. Constraints, counters, taints, shares, binding conditions and extended resources
are not looked at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.kube.core import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.cluster.component import MakeControllers
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import named_nodes
from fake_dra_driver.cluster.scheduler.nodefilter import reason_against
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.cluster.scheduler.waiting import is_waiting
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["CannotAllocate", "allocate", "stand_in_scheduler"]

_WAITING: Final = "waiting"
"""Index of the pod cache: pods that have no node yet."""
_DRIVER = re.compile(r"""device\.driver\s*==\s*(["'])(.+)\1""")
_ATTRIBUTE = re.compile(r"""device\.attributes\[(["'])(.+?)\1\]\.(\w+)\s*==\s*(["'])(.*)\4""")

DeviceId = tuple[str, str, str]
"""Driver, pool and name."""


class CannotAllocate(Exception):  # noqa: N818 - a state of the cluster
    """The pod's claims cannot be allocated on that node, or not by this scheduler; the text says why."""


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


def taken_by(claims: Sequence[v1.ResourceClaim]) -> set[DeviceId]:
    """The devices that claims hold; adminAccess holds nothing."""
    return {
        (each.driver, each.pool, each.device)
        for claim in claims
        if claim.status.allocation is not None
        for each in claim.status.allocation.devices.results
        if not each.admin_access
    }


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
            raise CannotAllocate(f"the stand-in scheduler does not understand the selector {expression!r}")
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


# --- the scheduler ---


@dataclass(frozen=True, slots=True)
class _Caches:
    pods: Informer[Pod]
    nodes: Informer[Node]
    claims: Informer[v1.ResourceClaim]
    classes: Informer[v1.DeviceClass]
    slices: Informer[v1.ResourceSlice]


@dataclass(slots=True)
class _Placement:
    """Where a pod goes, and what its claims get there."""

    node: str
    allocations: dict[NamespacedName, v1.AllocationResult] = field(default_factory=dict)


class _StandInScheduler(Reconciler):
    """Places one pod at a time, so that no two claims get one device."""

    def __init__(self, caches: _Caches, client: Client, pods: PodWriter) -> None:
        self._caches = caches
        self._client = client
        self._pods = pods

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._caches.pods.get(request)
        if pod is None or not is_waiting(pod, "default-scheduler"):
            return Result()
        claims = self._claims(pod)
        if claims is None:
            return Result()  # the claim's arrival, or its name in the pod's status, leads back here
        placement = self._place(pod, claims)
        if isinstance(placement, str):
            await self._pods.report_failure(pod, placement)
            return Result()
        for claim in claims:
            await self._reserve(claim, pod, placement)
        await self._pods.bind(pod, placement.node)
        return Result()

    def _claims(self, pod: Pod) -> Sequence[v1.ResourceClaim] | None:
        """The pod's claims; None: one is not there yet, or another pod's."""
        found = []
        for entry in pod.spec.resource_claims:
            key = claim_key(pod, entry)
            claim = self._caches.claims.get(key) if key is not None else None
            if claim is None or claim.is_deleting or (entry.claim_name is None and not is_made_for(claim, pod)):
                return None
            found.append(claim)
        return found

    def _place(self, pod: Pod, claims: Sequence[v1.ResourceClaim]) -> _Placement | str:
        """The first node that takes the pod with all its claims, or why there is none."""
        nodes, names, reasons = self._caches.nodes.list(), named_nodes(pod.spec), []
        for node in nodes:
            reason = reason_against(node, pod, names)
            if not reason:
                try:
                    return self._place_on(node.metadata.name, claims)
                except CannotAllocate as error:
                    reason = f"cannot allocate all claims ({error})"
            reasons.append(f"1 {reason}")
        return f"0/{len(nodes)} nodes are available: {', '.join(reasons)}."

    def _place_on(self, node: str, claims: Sequence[v1.ResourceClaim]) -> _Placement:
        classes = {each.metadata.name: each for each in self._caches.classes.list()}
        taken = taken_by(self._caches.claims.list())
        offer = Offer(node, list(offered(node, self._caches.slices.list())), classes, taken)
        placement = _Placement(node)
        for claim in claims:
            if claim.status.allocation is None:
                placement.allocations[claim.key] = allocate(claim, offer)
            elif claim.status.allocation.node_selector not in (None, _only(node)):
                raise CannotAllocate("resourceclaim not available on the node")
        return placement

    async def _reserve(self, claim: v1.ResourceClaim, pod: Pod, placement: _Placement) -> None:
        changes = {}
        allocation = placement.allocations.get(claim.key)
        if allocation is not None:
            changes["allocation"] = allocation
            if v1.CLAIM_FINALIZER not in claim.metadata.finalizers:
                finalizers = (*claim.metadata.finalizers, v1.CLAIM_FINALIZER)
                metadata = claim.metadata.model_copy(update={"finalizers": finalizers})
                claim = await self._client.update(claim.model_copy(update={"metadata": metadata}))
        if any(each.uid == pod.uid for each in claim.status.reserved_for):
            return
        consumer = v1.ConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.uid)
        reserved_for = (*claim.status.reserved_for, consumer)
        status = claim.status.model_copy(update={**changes, "reserved_for": reserved_for})
        await self._client.update_status(claim.model_copy(update={"status": status}))


def stand_in_scheduler(api: ResourceApi) -> MakeControllers:
    """For ``Cluster(scheduler=...)``: a scheduler that speaks that version of resource.k8s.io."""

    def make(client: Client, cache: Cache, events: EventRecorder) -> Sequence[Controller]:
        caches = _Caches(
            cache.informer(Pod),
            cache.informer(Node),
            cache.informer(api.claims),
            cache.informer(api.classes),
            cache.informer(api.slices),
        )
        caches.pods.add_index(_WAITING, lambda pod: ("yes",) if is_waiting(pod, "default-scheduler") else ())
        scheduler = _StandInScheduler(caches, client, PodWriter(client, events))
        controller = Controller("scheduler", scheduler, workers=1)

        def all_waiting(_: object) -> Sequence[NamespacedName]:
            return [pod.key for pod in caches.pods.by_index(_WAITING, "yes")]

        controller.watch(caches.pods)
        controller.watch(caches.nodes, all_waiting)
        controller.watch(caches.claims, all_waiting)
        controller.watch(caches.classes, all_waiting)
        controller.watch(caches.slices, all_waiting)
        return (controller,)

    return make
