"""Extended resources of containers that devices stand for (KEP-5004): what a pod asks for, and the claim that says so.

Follows extendeddynamicresources.go of kube-scheduler's dynamic resources plugin. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.core import ContainerExtendedResourceRequest
from fake_dra_driver.api.resource.v1 import DeviceClass, DeviceRequest, ExactDeviceRequest
from fake_dra_driver.cluster.kinds import Container, Node, Pod
from fake_dra_driver.cluster.podresources import amount, requests_of

__all__ = ["ANNOTATION", "Classes", "ExtendedRequests", "allocatable", "is_extended", "plan_requests", "requested"]

ANNOTATION: Final = "resource.kubernetes.io/extended-resource-claim"
"""``true`` on claims that were made for a pod's extended resources."""
_IMPLICIT: Final = "deviceclass.resource.kubernetes.io/"
"""Before the name of a class: a resource that each class stands for."""

Mappings = tuple[ContainerExtendedResourceRequest, ...]


class Classes:
    """Which class stands for a resource."""

    def __init__(self, classes: Iterable[DeviceClass]) -> None:
        self._explicit: dict[str, DeviceClass] = {}
        self._implicit: dict[str, DeviceClass] = {}
        for each in classes:
            self._implicit[f"{_IMPLICIT}{each.metadata.name}"] = each
            name = each.spec.extended_resource_name
            if name and (name not in self._explicit or _precedes(each, self._explicit[name])):
                self._explicit[name] = each

    def get(self, resource: str) -> DeviceClass | None:
        """The class; None: the resource is none of devices."""
        return self._explicit.get(resource) or self._implicit.get(resource)


def _precedes(one: DeviceClass, other: DeviceClass) -> bool:
    """Whether a class stands for a resource that another one names as well: the newer, else the first by name."""
    newer, older = one.metadata.creation_timestamp, other.metadata.creation_timestamp
    if newer is not None and older is not None and newer != older:
        return newer > older
    return one.metadata.name < other.metadata.name


def requested(pod: Pod) -> Mapping[str, int]:
    """How much of each extended resource the pod needs on its node; what it asks nothing of is left out."""
    return {name: count for name, count in requests_of(pod.spec).amounts if is_extended(name)}


def allocatable(node: Node, resource: str) -> int:
    """How much of a resource the node has by itself, from a device plugin."""
    return amount(resource, node.status.allocatable.get(resource, 0))


def is_extended(resource: str) -> bool:
    """Whether the resource is none of Kubernetes itself."""
    return "/" in resource and ("kubernetes.io/" not in resource or resource.startswith(_IMPLICIT))


def _asked_for(container: Container, resource: str) -> int:
    asked = {**container.resources.limits, **container.resources.requests}
    return amount(resource, asked.get(resource, 0))


# --- the claim -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExtendedRequests:
    """What is asked of devices on a node."""

    requests: tuple[DeviceRequest, ...]
    """Of the claim, by name."""
    mappings: Mappings
    """Which container gets the devices of which request."""


def plan_requests(pod: Pod, resources: Mapping[str, DeviceClass]) -> ExtendedRequests:
    """The requests of the claim that stands for a pod's extended resources.

    Args:
        pod: the pod.
        resources: those of its resources that are to come from devices, with the class of each.
    """
    requests: list[DeviceRequest] = []
    mappings: list[ContainerExtendedResourceRequest] = []
    for resource in sorted(resources):
        planned = _Plan(pod, resource, resources[resource].metadata.name)
        requests += planned.requests()
        mappings += planned.mappings()
    return ExtendedRequests(tuple(sorted(requests, key=lambda each: each.name)), tuple(mappings))


@dataclass(slots=True)
class _Asked:
    """What a container asks for, beyond what it may use of others."""

    name: str
    count: int


class _Plan:
    """The requests for one resource.

    Init containers that end before the others start may use the devices of containers that come after them, and share
    the one request that is made for what they need beyond that.
    """

    def __init__(self, pod: Pod, resource: str, class_name: str) -> None:
        self._resource = resource
        self._class_name = class_name
        containers = (*pod.spec.init_containers, *pod.spec.containers)
        short_lived = [at for at, each in enumerate(pod.spec.init_containers) if not each.is_sidecar]
        self._long: list[_Asked | None] = [
            None if at in short_lived else self._ask(at, each, 0) for at, each in enumerate(containers)
        ]
        self._uses = [(each.name, asked.name) for each, asked in zip(containers, self._long, strict=True) if asked]
        self._short: _Asked | None = None
        self._plan_short_lived(containers, short_lived)

    def _ask(self, at: int, container: Container, reusable: int) -> _Asked | None:
        """What the container asks for by itself; None: nothing."""
        count = _asked_for(container, self._resource) - reusable
        if count <= 0:
            return None
        names = sorted({**container.resources.limits, **container.resources.requests})
        return _Asked(f"container-{at}-request-{names.index(self._resource)}", count)

    def _plan_short_lived(self, containers: Sequence[Container], short_lived: Sequence[int]) -> None:
        own: list[tuple[str, _Asked]] = []
        for at in short_lived:
            container = containers[at]
            wanted, reused = _asked_for(container, self._resource), 0
            for later in self._long[at:]:
                if later is not None and reused < wanted:
                    reused += later.count
                    own.append((container.name, later))
            asked = self._ask(at, container, reused)
            if asked is not None:
                own.append((container.name, asked))
                if self._short is None or self._short.count < asked.count:
                    self._short = asked
        shared = [each for each in self._long if each is not None]
        for container_name, asked in own:
            is_shared = any(asked is each for each in shared)
            request = asked if is_shared or self._short is None else self._short
            self._uses.append((container_name, request.name))

    def requests(self) -> Sequence[DeviceRequest]:
        """The requests of the claim."""
        return [
            DeviceRequest(
                name=each.name,
                exactly=ExactDeviceRequest(
                    device_class_name=self._class_name, allocation_mode="ExactCount", count=each.count
                ),
            )
            for each in (self._short, *self._long)
            if each is not None
        ]

    def mappings(self) -> Sequence[ContainerExtendedResourceRequest]:
        """Which container uses which request."""
        return [
            ContainerExtendedResourceRequest(
                container_name=container, resource_name=self._resource, request_name=request
            )
            for container, request in self._uses
        ]
