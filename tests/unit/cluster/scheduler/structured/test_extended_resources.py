"""Pods that ask for devices by the resources of their containers, without a claim of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fake_dra_driver.api.resource.v1 import DeviceClass
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.extendedresources import Classes, plan_requests, requested
from fake_dra_driver.cluster.kinds import Node, Pod
from tests.support.control_plane import ref
from tests.unit.cluster.scheduler.structured.conftest import World

GPU = "example.com/gpu"


def container(name: str, count: int = 0, resource: str = GPU, **fields: Any) -> Any:
    """A container that asks for so much."""
    resources = {"requests": {"cpu": "1", resource: str(count)}, "limits": {resource: str(count)}} if count else {}
    return {"name": name, "image": "busybox", "resources": resources, **fields}


def pod_of(*containers: Any, init: Sequence[Any] = ()) -> Pod:
    """A pod that no API server has seen."""
    spec = {"containers": list(containers), "initContainers": list(init)}
    return Pod.from_wire({"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "spec": spec})


def device_class(name: str, **fields: Any) -> DeviceClass:
    """A class that no API server has seen."""
    metadata = {"name": name, "creationTimestamp": fields.pop("created", "2026-01-01T00:00:00Z")}
    return DeviceClass.from_wire({"metadata": metadata, "spec": fields})


SIDECAR: Mapping[str, Any] = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("init", "containers", "count"),
    [
        ((), (container("a", 1), container("b", 2)), 3),
        ((container("i", 5),), (container("a", 1), container("b", 2)), 5),
        ((container("s", 1, **SIDECAR), container("i", 3)), (container("a", 2),), 4),
        ((container("i", 1), container("s", 2, **SIDECAR)), (container("a", 2),), 4),
        ((), (container("a"),), 0),
    ],
)
def test_how_much_a_pod_needs(init: Sequence[Any], containers: Sequence[Any], count: int) -> None:
    assert requested(pod_of(*containers, init=init)) == ({GPU: count} if count else {})


def test_resources_of_kubernetes_itself_are_not_extended() -> None:
    assert requested(pod_of(container("a", 1, "hugepages-2Mi"), container("b", 1, "kubernetes.io/batteries"))) == {}
    implicit = "deviceclass.resource.kubernetes.io/gpus"
    assert requested(pod_of(container("a", 1, implicit))) == {implicit: 1}


def test_of_classes_with_one_name_the_newest_counts_and_then_the_first() -> None:
    old, new = device_class("a", extendedResourceName=GPU), device_class("b", extendedResourceName=GPU, created=LATER)
    assert Classes([old, new]).get(GPU) is new
    assert Classes([new, old]).get(GPU) is new
    twin = device_class("aa", extendedResourceName=GPU)
    assert Classes([twin, old]).get(GPU) is old
    assert Classes([old]).get("deviceclass.resource.kubernetes.io/a") is old
    assert Classes([old]).get("example.com/other") is None


LATER = "2026-01-01T00:00:01Z"


def planned(pod: Pod) -> tuple[Mapping[str, int], Sequence[tuple[str, str]]]:
    """Name and count of each request, and which container uses which."""
    plan = plan_requests(pod, {GPU: device_class("gpus")})
    counts = {each.name: each.exactly.count for each in plan.requests if each.exactly is not None}
    return counts, [(each.container_name, each.request_name) for each in plan.mappings]


def test_each_container_has_a_request_by_its_place_and_that_of_the_resource() -> None:
    counts, uses = planned(pod_of(container("a", 1), container("b"), container("c", 2)))
    assert counts == {"container-0-request-1": 1, "container-2-request-1": 2}
    assert uses == [("a", "container-0-request-1"), ("c", "container-2-request-1")]


def test_init_containers_use_what_comes_after_them_and_share_the_rest() -> None:
    init = (container("i", 1), container("j", 4), container("k", 3))
    counts, uses = planned(pod_of(container("a", 1), container("b", 1), init=init))
    assert counts == {"container-1-request-1": 2, "container-3-request-1": 1, "container-4-request-1": 1}
    assert [(name, request) for name, request in uses if name == "i"] == [("i", "container-3-request-1")]
    assert [request for name, request in uses if name == "k"] == [
        "container-3-request-1",
        "container-4-request-1",
        "container-1-request-1",
    ]


# --- in the cluster ---


async def pod_with(world: World, name: str, count: int = 1, **spec: Any) -> Pod:
    """A pod with one container."""
    return await world.pod(name, containers=[container("main", count)], **spec)


async def extended_class(world: World) -> None:
    """A class that stands for the resource."""
    await world.device_class("gpus", extendedResourceName=GPU)


@pytest.mark.looptime
async def test_a_claim_is_made_for_the_pod_and_named_in_its_status(world: World) -> None:
    await extended_class(world)
    await world.publish("node-a", "dev-0", "dev-1")
    pod = await pod_with(world, "p", 2)
    assert await world.until_bound("p") == "node-a"
    [claim] = world.plane.list(world.api.claims)
    assert claim.metadata.name.startswith("p-extended-resources-")
    assert claim.metadata.annotations == {"resource.kubernetes.io/extended-resource-claim": "true"}
    [owner] = claim.metadata.owner_references
    assert (owner.kind, owner.uid, owner.controller, owner.block_owner_deletion) == ("Pod", pod.uid, True, None)
    assert world.devices_of(claim.metadata.name) == [
        ("container-0-request-1", "dev-0"),
        ("container-0-request-1", "dev-1"),
    ]
    status = world.plane.get(Pod, ref("p")).status.extended_resource_claim_status
    assert status is not None
    assert status.resource_claim_name == claim.metadata.name
    [mapping] = status.request_mappings
    assert mapping.to_wire() == {
        "containerName": "main",
        "resourceName": GPU,
        "requestName": "container-0-request-1",
    }


@pytest.mark.looptime
async def test_a_node_with_a_device_plugin_gives_what_it_has(world: World) -> None:
    await extended_class(world)
    await world.plane.patch(Node, ref("node-a", ""), {"status": {"allocatable": {GPU: "2"}}}, "status")
    await pod_with(world, "one", 2)
    assert await world.until_bound("one") == "node-a"
    assert world.plane.list(world.api.claims) == []
    await pod_with(world, "two")
    condition = await world.until_refused("two")
    assert condition.message == (
        f"0/1 nodes are available: 1 Insufficient {GPU}. "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )
    await world.plane.finish("one")
    assert await world.until_bound("two") == "node-a"


@pytest.mark.looptime
async def test_without_devices_the_pod_waits_for_a_slice(world: World) -> None:
    await extended_class(world)
    await pod_with(world, "p")
    condition = await world.until_refused("p")
    assert condition.message.startswith("0/1 nodes are available: 1 cannot allocate all claims. ")
    await world.publish("node-a", "dev-0")
    await world.until_bound("p")


@pytest.mark.looptime
async def test_a_resource_that_nothing_stands_for_is_short(world: World) -> None:
    await pod_with(world, "p")
    condition = await world.until_refused("p")
    assert condition.message.startswith(f"0/1 nodes are available: 1 Insufficient {GPU}. ")
    await world.plane.patch(Node, ref("node-a", ""), {"status": {"allocatable": {GPU: "2"}}}, "status")
    assert await world.until_bound("p") == "node-a"


@pytest.mark.looptime
async def test_a_claim_of_an_attempt_that_failed_is_deleted(world: World) -> None:
    await extended_class(world)
    await world.publish("node-a", "dev-0")
    fault = on(Fault.answer(500), verb="create", resource="pods", subresource="binding", times=1)
    with world.plane.server.faults.injected(fault):
        await pod_with(world, "p")
        await world.until_refused("p")
    await world.until_bound("p")
    [claim] = world.plane.list(world.api.claims)
    status = world.plane.get(Pod, ref("p")).status.extended_resource_claim_status
    assert status is not None
    assert status.resource_claim_name == claim.metadata.name


@pytest.mark.looptime
async def test_a_claim_that_a_scheduler_has_left_over_is_deleted(world: World) -> None:
    pod = await pod_with(world, "p")
    await world.until_refused("p")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod.uid, "controller": True}
    annotations = {"resource.kubernetes.io/extended-resource-claim": "true"}
    metadata = {"ownerReferences": [owner], "annotations": annotations}
    spec = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpus"}}]}}
    await world.create(world.api.claims, "left-over", metadata=metadata, spec=spec)
    await extended_class(world)
    await world.publish("node-a", "dev-0")
    assert await world.until_bound("p") == "node-a"
    [claim] = world.plane.list(world.api.claims)
    assert claim.metadata.name != "left-over"
    said = [text for reason, text in world.plane.events("p") if "cannot schedule extended" in text]
    assert said[0].startswith("0/1 nodes are available: 1 cannot schedule extended resource claim. deletion of Resou")
