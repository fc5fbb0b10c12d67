"""Extended resources of a pod that devices stand for (KEP-5004): the claim that the scheduler would make for them."""

from collections.abc import Mapping, Sequence

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource.podclaims import extended_claim_key
from fake_dra_driver.api.resource.v1 import DeviceClaim, DeviceClass, ResourceClaim, ResourceClaimSpec
from fake_dra_driver.cluster.extendedresources import (
    Classes,
    allocatable,
    plan_requests,
    requested,
)
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.why.snapshot import Snapshot

__all__ = ["extended_claim", "from_device_plugin", "resources_with_class", "resources_without_class"]


def extended_claim(pod: Pod, snapshot: Snapshot) -> ResourceClaim | None:
    """The claim for the extended resources of the pod, as it is or as it would be made; None: it asks for none."""
    key = extended_claim_key(pod)
    if key is not None:
        return next((each for each in snapshot.claims if each.key == key), None)
    resources = resources_with_class(pod, snapshot)
    if not resources:
        return None
    name = f"{pod.metadata.name}-extended-resources"
    metadata = ObjectMeta(name=name, namespace=pod.metadata.namespace, uid=UID(f"of-{pod.uid}"))
    devices = DeviceClaim(requests=plan_requests(pod, resources).requests)
    return ResourceClaim(metadata=metadata, spec=ResourceClaimSpec(devices=devices))


def from_device_plugin(pod: Pod, node: Node, snapshot: Snapshot) -> Mapping[str, int]:
    """How much the node has, without any claim, of the pod's resources that devices stand for elsewhere."""
    there = {name: allocatable(node, name) for name in resources_with_class(pod, snapshot)}
    return {name: amount for name, amount in there.items() if amount}


def resources_without_class(pod: Pod, snapshot: Snapshot) -> Sequence[str]:
    """The extended resources of the pod that no class stands for, and no node has."""
    known = resources_with_class(pod, snapshot)
    return [
        name
        for name in requested(pod)
        if name not in known and not any(allocatable(node, name) for node in snapshot.nodes)
    ]


def resources_with_class(pod: Pod, snapshot: Snapshot) -> Mapping[str, DeviceClass]:
    """The extended resources of the pod that devices stand for, with the class of each."""
    classes = Classes(snapshot.classes)
    found = {name: classes.get(name) for name in requested(pod)}
    return {name: each for name, each in found.items() if each is not None}
