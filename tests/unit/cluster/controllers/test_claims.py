"""The resource claim controller: claims from templates, reservations, and what becomes of unused claims."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import PodResourceClaimStatus
from fake_dra_driver.api.kube.meta import OwnerReference
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.controllers.claimreservations import claim_reservation_controller
from fake_dra_driver.cluster.controllers.claimtemplates import claims_of_pod_controller
from fake_dra_driver.cluster.kinds import Pod, ResourceClaimTemplate
from fake_dra_driver.cluster.releases import RELEASES
from tests.support.control_plane import ControlPlane, Make, control_plane, ref

pytestmark = pytest.mark.looptime

KINDS = (Pod, PodSchedulingContext, ResourceClaim, ResourceClaimTemplate)


def making(release: str = "1.30") -> Make:
    return lambda _, client, cache, events: (
        claims_of_pod_controller(client, cache, events, RELEASES[release]),
        claim_reservation_controller(client, cache, RELEASES[release]),
    )


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    async with control_plane({"kube-controller-manager": making()}, KINDS) as plane:
        yield plane


async def template(plane: ControlPlane, name: str = "template", **metadata: Any) -> None:
    spec = {"metadata": metadata, "spec": {"resourceClassName": "class", "allocationMode": "Immediate"}}
    await plane.create(ResourceClaimTemplate, name, spec=spec)


async def templated(plane: ControlPlane, name: str = "p", **more: Any) -> Pod:
    entries = [{"name": "entry", "source": {"resourceClaimTemplateName": "template"}}]
    return await plane.pod(name, resourceClaims=entries, **more)


async def made(plane: ControlPlane, pod: str = "p") -> ResourceClaim:
    """The claim that the pod's status names."""
    await plane.until(lambda: plane.get(Pod, ref(pod)).status.resource_claim_statuses)
    [status] = plane.get(Pod, ref(pod)).status.resource_claim_statuses or ()
    assert status.name == "entry"
    assert status.resource_claim_name is not None
    await plane.until(lambda: plane.find(ResourceClaim, ref(str(status.resource_claim_name))))
    return plane.get(ResourceClaim, ref(status.resource_claim_name))


def consumers(plane: ControlPlane, claim: str) -> list[str]:
    return [each.name for each in plane.get(ResourceClaim, ref(claim)).status.reserved_for]


async def test_a_template_becomes_a_claim_of_the_pod(plane: ControlPlane) -> None:
    await template(plane, labels={"l": "1"}, annotations={"a": "2"})
    pod = await templated(plane)
    claim = await made(plane)
    assert claim.metadata.name.startswith("p-entry-")
    assert len(claim.metadata.name) == len("p-entry-12345")
    assert claim.metadata.labels == {"l": "1"}
    assert claim.metadata.annotations == {"a": "2", "resource.kubernetes.io/pod-claim-name": "entry"}
    owner = OwnerReference(
        api_version="v1", kind="Pod", name="p", uid=pod.uid, controller=True, block_owner_deletion=True
    )
    assert claim.metadata.owner_references == (owner,)
    assert (claim.spec.resource_class_name, claim.spec.allocation_mode) == ("class", "Immediate")


async def test_in_kubernetes_1_27_the_name_is_that_of_pod_and_entry() -> None:
    async with control_plane({"kube-controller-manager": making("1.27")}, KINDS) as plane:
        await template(plane)
        pod = await templated(plane)
        await plane.until(lambda: plane.find(ResourceClaim, ref("p-entry")))
        await plane.pass_time(60)
        assert plane.get(Pod, ref("p")).status.resource_claim_statuses is None
        await plane.delete(ResourceClaim, ref("p-entry"))
        await plane.until(lambda: plane.find(ResourceClaim, ref("p-entry")))
        assert plane.get(ResourceClaim, ref("p-entry")).metadata.owner_references[0].uid == pod.uid


async def test_in_kubernetes_1_27_a_claim_of_that_name_with_another_owner_stands_in_the_way() -> None:
    async with control_plane({"kube-controller-manager": making("1.27")}, KINDS) as plane:
        await template(plane)
        await plane.claim("p-entry")
        await templated(plane)
        await plane.until(lambda: plane.events("p"))
        [(reason, message)] = plane.events("p")
        assert reason == "FailedResourceClaimCreation"
        assert "was not created for pod default/p" in message
        await plane.delete(ResourceClaim, ref("p-entry"))
        await plane.until(
            lambda: (found := plane.find(ResourceClaim, ref("p-entry"))) and found.metadata.owner_references
        )


async def test_names_that_are_too_long_are_shortened_in_proportion(plane: ControlPlane) -> None:
    await template(plane)
    await templated(plane, "p" * 60)
    claim = await made(plane, "p" * 60)
    assert claim.metadata.name.startswith("p" * 51 + "-entr")
    assert len(claim.metadata.name) <= 63


async def test_two_templates_and_a_claim_of_its_own(plane: ControlPlane) -> None:
    await template(plane)
    await plane.claim("shared")
    source = {"resourceClaimTemplateName": "template"}
    entries = [
        {"name": "one", "source": source},
        {"name": "shared", "source": {"resourceClaimName": "shared"}},
        {"name": "two", "source": source},
    ]
    await plane.pod("p", resourceClaims=entries)
    await plane.until(lambda: plane.get(Pod, ref("p")).status.resource_claim_statuses)
    await plane.pass_time(10)
    statuses = plane.get(Pod, ref("p")).status.resource_claim_statuses or ()
    assert sorted(each.name for each in statuses) == ["one", "two"]
    assert len(plane.list(ResourceClaim)) == 3


async def test_a_template_that_comes_late_is_waited_for(plane: ControlPlane) -> None:
    await templated(plane)
    await plane.until(lambda: plane.events("p"))
    assert plane.events("p") == [
        (
            "FailedResourceClaimCreation",
            'PodResourceClaim entry: resource claim template "template": '
            'resourceclaimtemplate.resource.k8s.io "template" not found',
        )
    ]
    began = plane.seconds()
    await template(plane)
    await made(plane)
    assert plane.seconds() - began < 1


async def test_a_claim_whose_name_was_not_recorded_is_found_again(plane: ControlPlane) -> None:
    """The controller ended between making the claim and writing its name down."""
    await template(plane)
    pod = await templated(plane, schedulerName="none")
    claim = await made(plane)
    await plane.patch(Pod, pod.key, {"status": {"resourceClaimStatuses": None}}, "status")
    await plane.pass_time(1)
    assert (await made(plane)).uid == claim.uid
    assert len(plane.list(ResourceClaim)) == 1


async def test_a_claim_that_was_deleted_by_accident_is_made_again(plane: ControlPlane) -> None:
    await template(plane)
    await templated(plane)
    first = await made(plane)
    await plane.delete(ResourceClaim, first.key)
    await plane.until(lambda: [each for each in plane.list(ResourceClaim) if each.uid != first.uid])
    [second] = plane.list(ResourceClaim)
    await plane.until(
        lambda: (
            plane.get(Pod, ref("p")).status.resource_claim_statuses
            == (PodResourceClaimStatus(name="entry", resource_claim_name=second.metadata.name),)
        )
    )


async def test_the_name_of_one_claim_is_not_lost_with_that_of_another(plane: ControlPlane) -> None:
    await template(plane)
    source = {"resourceClaimTemplateName": "template"}
    await plane.pod("p", resourceClaims=[{"name": name, "source": source} for name in ("one", "two")])

    def names() -> dict[str, str | None]:
        found = plane.get(Pod, ref("p")).status.resource_claim_statuses or ()
        return {each.name: each.resource_claim_name for each in found}

    await plane.until(lambda: len(names()) == 2)
    before = names()
    await plane.delete(ResourceClaim, ref(str(before["one"])))
    await plane.until(lambda: names()["one"] != before["one"])
    assert names()["two"] == before["two"]


async def test_what_the_api_server_refuses_is_told(plane: ControlPlane) -> None:
    """Claims of a template are checked when they are made: here, an annotation that is too long for one."""
    await template(plane, annotations={"a": "x" * 262_120})
    await templated(plane)
    await plane.until(lambda: plane.events("p"))
    assert plane.events("p")[0][0] == "FailedResourceClaimCreation"
    assert "Too long" in plane.events("p")[0][1]


async def test_a_finished_pod_gives_its_reservation_back(plane: ControlPlane) -> None:
    await plane.claim("claim")
    pods = [await plane.pod(name, claims={"e": "claim"}, nodeName="node-a") for name in ("p", "q")]
    await plane.allocate("claim", "node-a", *pods, shareable=True)
    await plane.pass_time(1)
    await plane.finish("p")
    await plane.until(lambda: consumers(plane, "claim") == ["q"])
    assert not plane.get(ResourceClaim, ref("claim")).status.deallocation_requested
    await plane.finish("q", "Failed")
    await plane.until(lambda: plane.get(ResourceClaim, ref("claim")).status.deallocation_requested)
    assert consumers(plane, "claim") == []


@pytest.mark.parametrize("mode", ["WaitForFirstConsumer", "Immediate"])
async def test_the_last_pod_that_goes_leaves_a_delayed_claim_to_be_deallocated(plane: ControlPlane, mode: str) -> None:
    await plane.claim("claim", mode=mode)
    pod = await plane.pod("p", claims={"e": "claim"})
    await plane.allocate("claim", "node-a", pod)
    await plane.pass_time(1)
    assert consumers(plane, "claim") == ["p"]
    await plane.delete(Pod, ref("p"))
    await plane.until(lambda: consumers(plane, "claim") == [])
    await plane.pass_time(60)
    requested = plane.get(ResourceClaim, ref("claim")).status.deallocation_requested
    assert requested is (mode == "WaitForFirstConsumer")


async def test_a_claim_that_no_pod_has_used_yet_stays_allocated(plane: ControlPlane) -> None:
    await plane.claim("claim")
    await plane.allocate("claim", "node-a")
    await plane.pass_time(60)
    assert not plane.get(ResourceClaim, ref("claim")).status.deallocation_requested


async def test_a_pod_that_was_deleted_before_it_had_a_node_gives_its_reservation_back(plane: ControlPlane) -> None:
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"e": "claim"}, metadata={"finalizers": ["example.com/stay"]})
    await plane.allocate("claim", "node-a", pod)
    await plane.delete(Pod, ref("p"))
    await plane.until(lambda: consumers(plane, "claim") == [])
    assert plane.get(Pod, ref("p")).is_deleting


async def test_a_running_pod_that_is_being_deleted_keeps_its_reservation(plane: ControlPlane) -> None:
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
    await plane.allocate("claim", "node-a", pod)
    await plane.delete(Pod, ref("p"))
    await plane.pass_time(600)
    assert consumers(plane, "claim") == ["p"]


async def test_a_reservation_for_a_pod_that_never_was_goes(plane: ControlPlane) -> None:
    await plane.claim("claim")
    pod = await plane.pod("p")
    ghost = pod.model_copy(update={"metadata": pod.metadata.model_copy(update={"uid": "other"})})
    await plane.allocate("claim", "node-a", ghost)
    await plane.until(lambda: plane.get(ResourceClaim, ref("claim")).status.deallocation_requested)


async def test_a_reservation_for_what_is_no_pod_stays(plane: ControlPlane) -> None:
    await plane.claim("claim")
    await plane.allocate("claim", "node-a")
    consumer = {"apiGroup": "example.com", "resource": "pods", "name": "something", "uid": "u"}
    await plane.patch(ResourceClaim, ref("claim"), {"status": {"reservedFor": [consumer]}}, "status")
    await plane.pass_time(60)
    assert consumers(plane, "claim") == ["something"]


async def test_a_claim_of_an_earlier_pod_of_the_name_is_deleted(plane: ControlPlane) -> None:
    await plane.pod("p")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "earlier", "controller": True}
    await plane.claim("claim", metadata={"ownerReferences": [owner]})
    await plane.until_gone(ResourceClaim, ref("claim"))


async def test_the_successor_of_a_claim_that_is_left_over_stays(plane: ControlPlane) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "earlier", "controller": True}
    await plane.claim("claim", metadata={"ownerReferences": [owner]})
    await plane.pass_time(1)
    with plane.server.late_events("resource.k8s.io", "resourceclaims"):
        await plane.delete(ResourceClaim, ref("claim"))
        await plane.claim("claim")
        await plane.pod("p", claims={"e": "claim"})
        await plane.finish("p")
        await plane.pass_time(5)
        assert not (await plane.client.get(ResourceClaim, ref("claim"))).is_deleting


async def test_a_claim_is_not_recorded_for_the_successor_of_its_pod(plane: ControlPlane) -> None:
    await templated(plane)
    await plane.until(lambda: plane.events("p"))
    with plane.server.late_events("", "pods"):
        await plane.delete(Pod, ref("p"), grace_period_seconds=0)
        successor = await templated(plane)
        await template(plane)
        await plane.pass_time(5)
        assert (await plane.client.get(Pod, ref("p"))).status.resource_claim_statuses is None
    claim = await made(plane)
    assert claim.metadata.owner_references[0].uid == successor.uid


async def test_a_pod_that_the_cache_does_not_know_yet_keeps_its_reservation(plane: ControlPlane) -> None:
    await plane.claim("claim")
    with plane.server.late_events("", "pods"):
        pod = await plane.pod("p", claims={"e": "claim"})
        await plane.allocate("claim", "node-a", pod)
        await plane.pass_time(10)
        assert consumers(plane, "claim") == ["p"]


async def test_the_claims_of_a_finished_pod_are_deleted(plane: ControlPlane) -> None:
    await template(plane)
    pod = await templated(plane, nodeName="node-a")
    claim = await made(plane)
    await plane.allocate(claim.metadata.name, "node-a", pod)
    await plane.finish("p")
    await plane.until_gone(ResourceClaim, claim.key)
    await plane.pass_time(60)
    assert plane.list(ResourceClaim) == [], "and not made again"


async def test_a_claim_of_its_own_is_not_deleted_with_a_pod(plane: ControlPlane) -> None:
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
    await plane.allocate("claim", "node-a", pod)
    await plane.finish("p")
    await plane.until(lambda: consumers(plane, "claim") == [])
    await plane.pass_time(60)
    assert not plane.get(ResourceClaim, ref("claim")).is_deleting


async def test_a_bound_pod_gets_the_reservation_that_it_lacks(plane: ControlPlane) -> None:
    await plane.claim("claim")
    await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
    await plane.allocate("claim", "node-a")
    await plane.until(lambda: consumers(plane, "claim") == ["p"])


async def test_a_bound_pod_does_not_get_what_only_one_pod_can_have(plane: ControlPlane) -> None:
    await plane.claim("claim")
    other = await plane.pod("other", claims={"e": "claim"}, nodeName="node-a")
    await plane.allocate("claim", "node-a", other)
    writes: list[str] = []

    def note(target: Target, _: Request) -> None:
        if target.subresource == "status" and target.name == "claim":
            writes.append(target.verb)

    with plane.server.faults.injected(note):
        await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
        await plane.pass_time(60)
    assert (consumers(plane, "claim"), writes) == (["other"], [])


async def test_nothing_is_asked_for_a_claim_that_is_being_deleted(plane: ControlPlane) -> None:
    await plane.claim("claim", metadata={"finalizers": ["example.com/stay"]})
    await plane.delete(ResourceClaim, ref("claim"))
    await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
    await plane.pass_time(60)
    assert plane.list(PodSchedulingContext) == []


async def test_the_context_of_an_earlier_pod_is_left_alone(plane: ControlPlane) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "earlier", "controller": True}
    await plane.create(PodSchedulingContext, "p", metadata={"ownerReferences": [owner]}, spec={"selectedNode": "b"})
    await plane.claim("claim")
    await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
    await plane.pass_time(60)
    assert plane.get(PodSchedulingContext, ref("p")).spec.selected_node == "b"


async def test_a_pod_without_a_node_is_left_to_the_scheduler(plane: ControlPlane) -> None:
    await plane.claim("claim")
    await plane.pod("p", claims={"e": "claim"})
    await plane.allocate("claim", "node-a")
    await plane.pass_time(60)
    assert consumers(plane, "claim") == []
    assert plane.list(PodSchedulingContext) == []


async def test_a_pod_that_was_bound_past_the_scheduler_gets_a_context(plane: ControlPlane) -> None:
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
    await plane.until(lambda: plane.find(PodSchedulingContext, ref("p")))
    context = plane.get(PodSchedulingContext, ref("p"))
    assert (context.spec.selected_node, context.spec.potential_nodes) == ("node-a", ())
    assert context.metadata.owner_references[0].uid == pod.uid
    await plane.allocate("claim", "node-a")
    await plane.until(lambda: consumers(plane, "claim") == ["p"])


async def test_the_context_of_such_a_pod_selects_its_node(plane: ControlPlane) -> None:
    pod = await plane.pod("p", claims={"e": "claim"}, nodeName="node-a")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod.uid, "controller": True}
    await plane.create(PodSchedulingContext, "p", metadata={"ownerReferences": [owner]}, spec={"selectedNode": "b"})
    await plane.claim("claim")
    await plane.until(lambda: plane.get(PodSchedulingContext, ref("p")).spec.selected_node == "node-a")
