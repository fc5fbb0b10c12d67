"""The resource claim controller of structured DRA: claims from templates, reservations, deallocation."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.cluster.controllers.claimreservations import claim_reservation_controller
from fake_dra_driver.cluster.controllers.claimtemplates import claims_of_pod_controller
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.releases import RELEASES, Release
from tests.support.control_plane import ControlPlane, Make, control_plane, ref

pytestmark = pytest.mark.looptime

REQUESTS = [{"name": "req", "exactly": {"deviceClassName": "class"}}]
RESULT = {"request": "req", "driver": "driver.example.com", "pool": "n1", "device": "dev-0"}


def making(release: Release) -> Make:
    return lambda _, client, cache, events: (
        claims_of_pod_controller(client, cache, events, release),
        claim_reservation_controller(client, cache, release),
    )


@pytest.fixture(params=[each.name for each in RELEASES.values() if each.structured_version])
def release(request: pytest.FixtureRequest) -> Release:
    return RELEASES[request.param]


@pytest.fixture
def api(release: Release) -> ResourceApi:
    return RESOURCE_APIS[release.structured_version]


@pytest.fixture
async def plane(release: Release, api: ResourceApi) -> AsyncIterator[ControlPlane]:
    kinds = (Pod, api.claims, api.templates)
    making_all = {"kube-controller-manager": making(release)}
    async with control_plane(making_all, kinds, kubernetes_version=release.name) as plane:
        yield plane


async def templated(plane: ControlPlane, api: ResourceApi, name: str = "p") -> Pod:
    """A pod with a claim from a template, which is there."""
    template = v1.ResourceClaimTemplate.from_wire(
        {
            "metadata": {"name": "template", "namespace": "default"},
            "spec": {"metadata": {"labels": {"l": "1"}}, "spec": {"devices": {"requests": REQUESTS}}},
        }
    )
    await plane.client.create(api.templates.model_validate(template.model_dump(exclude_unset=True)))
    entries = [{"name": "entry", "resourceClaimTemplateName": "template"}]
    return await plane.pod(name, resourceClaims=entries)


async def made(plane: ControlPlane, api: ResourceApi, pod: str = "p") -> v1.ResourceClaim:
    """The claim that the pod's status names."""
    await plane.until(lambda: plane.get(Pod, ref(pod)).status.resource_claim_statuses)
    [status] = plane.get(Pod, ref(pod)).status.resource_claim_statuses or ()
    name = str(status.resource_claim_name)
    await plane.until(lambda: plane.find(api.claims, ref(name)))
    return plane.get(api.claims, ref(name))


async def allocated(plane: ControlPlane, api: ResourceApi, name: str, *pods: Pod) -> None:
    """A claim as the scheduler leaves it: with its finalizer, an allocation, and reserved for these pods."""
    claim = v1.ResourceClaim.from_wire(
        {
            "metadata": {"name": name, "namespace": "default", "finalizers": [v1.CLAIM_FINALIZER]},
            "spec": {"devices": {"requests": REQUESTS}},
        }
    )
    await plane.client.create(api.claims.model_validate(claim.model_dump(exclude_unset=True)))
    reserved = [{"resource": "pods", "name": pod.metadata.name, "uid": pod.uid} for pod in pods]
    status: dict[str, Any] = {"allocation": {"devices": {"results": [RESULT]}}, "reservedFor": reserved or None}
    await plane.patch(api.claims, ref(name), {"status": status}, "status")


async def using(plane: ControlPlane, name: str) -> Pod:
    """A pod on a node that uses the claim ``c``."""
    return await plane.pod(name, nodeName="n1", resourceClaims=[{"name": "entry", "resourceClaimName": "c"}])


def consumers(plane: ControlPlane, api: ResourceApi, claim: str) -> Sequence[str]:
    return [each.name for each in plane.get(api.claims, ref(claim)).status.reserved_for]


async def test_a_template_becomes_a_claim_of_the_pod(plane: ControlPlane, api: ResourceApi, release: Release) -> None:
    pod = await templated(plane, api)
    claim = await made(plane, api)
    assert claim.metadata.name.startswith("p-entry-")
    assert claim.metadata.labels == {"l": "1"}
    assert claim.metadata.annotations == {v1.POD_CLAIM_ANNOTATION: "entry"}
    [owner] = claim.metadata.owner_references
    assert (owner.uid, owner.controller) == (pod.uid, True)
    assert owner.block_owner_deletion is (True if release.claims_block_their_pods else None)
    [request] = claim.spec.devices.requests
    assert request.exactly is not None
    assert (request.name, request.exactly.device_class_name, request.exactly.count) == ("req", "class", 1)


async def test_the_last_pod_takes_the_allocation_with_it(plane: ControlPlane, api: ResourceApi) -> None:
    first, second = await using(plane, "p"), await using(plane, "q")
    await allocated(plane, api, "c", first, second)
    await plane.finish("p")
    await plane.until(lambda: consumers(plane, api, "c") == ["q"])
    assert plane.get(api.claims, ref("c")).status.allocation is not None
    await plane.delete(Pod, ref("q"), grace_period_seconds=0)
    await plane.until(lambda: plane.get(api.claims, ref("c")).metadata.finalizers == ())
    claim = plane.get(api.claims, ref("c"))
    assert (claim.status.allocation, claim.status.reserved_for) == (None, ())


async def test_a_claim_that_is_deleted_goes_once_no_pod_uses_it(plane: ControlPlane, api: ResourceApi) -> None:
    pod = await using(plane, "p")
    await allocated(plane, api, "c", pod)
    await plane.delete(api.claims, ref("c"))
    await plane.pass_time(60)
    claim = plane.get(api.claims, ref("c"))
    assert claim.is_deleting
    assert claim.status.allocation is not None
    await plane.finish("p")
    await plane.until_gone(api.claims, ref("c"))


async def test_an_allocated_claim_that_no_pod_has_used_is_deallocated_when_it_is_deleted(
    plane: ControlPlane, api: ResourceApi
) -> None:
    await allocated(plane, api, "c")
    await plane.pass_time(60)
    assert plane.get(api.claims, ref("c")).status.allocation is not None
    await plane.delete(api.claims, ref("c"))
    await plane.until_gone(api.claims, ref("c"))


async def test_the_claim_of_a_finished_pod_is_deleted(plane: ControlPlane, api: ResourceApi) -> None:
    await templated(plane, api)
    claim = await made(plane, api)
    await plane.finish("p")
    await plane.until_gone(api.claims, claim.key)


async def test_a_pod_that_was_bound_by_hand_gets_an_allocated_claim_reserved(
    plane: ControlPlane, api: ResourceApi
) -> None:
    await allocated(plane, api, "c")
    await using(plane, "p")
    await plane.until(lambda: consumers(plane, api, "c") == ["p"])


async def test_a_claim_that_is_not_allocated_stays_so_for_a_pod_that_was_bound_by_hand(
    plane: ControlPlane, api: ResourceApi
) -> None:
    pod = await templated(plane, api)
    await plane.patch(Pod, pod.key, {"metadata": {"labels": {"a": "b"}}})
    claim = await made(plane, api)
    await plane.pass_time(60)
    assert plane.get(api.claims, claim.key).status.allocation is None


async def test_a_claim_of_another_owner_is_reserved_for_a_pod_that_names_it(
    plane: ControlPlane, api: ResourceApi
) -> None:
    """Only of a claim that was made for a pod it matters for which."""
    other = await plane.pod("other")
    await allocated(plane, api, "c", other)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "other", "uid": other.uid, "controller": True}
    await plane.patch(api.claims, ref("c"), {"metadata": {"ownerReferences": [owner]}})
    await using(plane, "p")
    await plane.until(lambda: consumers(plane, api, "c") == ["other", "p"])


async def test_what_stands_in_the_way_is_told_again_and_again(plane: ControlPlane, api: ResourceApi) -> None:
    entries = [{"name": "entry", "resourceClaimTemplateName": "template"}]
    await plane.pod("p", resourceClaims=entries)
    await plane.pass_time(10)
    words = 'resource claim template "template": resourceclaimtemplate.resource.k8s.io "template" not found'
    assert plane.events("p") == [("FailedResourceClaimCreation", f"PodResourceClaim entry: {words}")]
    [event] = [each for each in plane.list(Event) if each.involved_object.name == "p"]
    assert 8 <= event.count <= 12


async def test_the_claims_of_a_pod_are_recorded_in_the_order_of_their_names(
    plane: ControlPlane, api: ResourceApi
) -> None:
    await templated(plane, api, "other")
    entries = [{"name": name, "resourceClaimTemplateName": "template"} for name in ("c", "a", "b")]
    await plane.pod("p", resourceClaims=entries)
    await plane.until(lambda: plane.get(Pod, ref("p")).status.resource_claim_statuses)
    statuses = plane.get(Pod, ref("p")).status.resource_claim_statuses or ()
    assert [each.name for each in statuses] == ["a", "b", "c"]


async def test_the_claim_for_extended_resources_goes_with_its_pod(
    plane: ControlPlane, api: ResourceApi, release: Release
) -> None:
    pod = await plane.pod("p", nodeName="n1")
    await allocated(plane, api, "extended", pod)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod.uid, "controller": True}
    await plane.patch(api.claims, ref("extended"), {"metadata": {"ownerReferences": [owner]}})
    status = {"extendedResourceClaimStatus": {"resourceClaimName": "extended", "requestMappings": []}}
    await plane.patch(Pod, pod.key, {"status": status}, "status")
    await plane.finish("p")
    if release.releases_extended_claims:
        await plane.until_gone(api.claims, ref("extended"))
    else:
        await plane.pass_time(60)
        assert consumers(plane, api, "extended") == ["p"]


async def test_other_consumers_than_pods_keep_a_claim(plane: ControlPlane, api: ResourceApi) -> None:
    pod = await using(plane, "p")
    await allocated(plane, api, "c", pod)
    group = {"apiGroup": "scheduling.k8s.io", "resource": "podgroups", "name": "g", "uid": "uid-g"}
    entries = [{"resource": "pods", "name": "p", "uid": pod.uid}, group]
    await plane.patch(api.claims, ref("c"), {"status": {"reservedFor": entries}}, "status")
    await plane.finish("p")
    await plane.until(lambda: consumers(plane, api, "c") == ["g"])
    await plane.pass_time(60)
    claim = plane.get(api.claims, ref("c"))
    assert claim.status.allocation is not None
    assert claim.metadata.finalizers == (v1.CLAIM_FINALIZER,)


async def test_a_pod_of_the_same_name_has_no_right_to_the_claim(plane: ControlPlane, api: ResourceApi) -> None:
    pod = await using(plane, "p")
    await allocated(plane, api, "c", pod)
    await plane.delete(Pod, ref("p"), grace_period_seconds=0)
    await plane.pod("p", schedulerName="none")
    await plane.until(lambda: plane.get(api.claims, ref("c")).metadata.finalizers == ())
    assert plane.get(api.claims, ref("c")).status.allocation is None


async def test_a_pod_that_was_deleted_before_it_got_a_node_needs_no_claim(
    plane: ControlPlane, api: ResourceApi
) -> None:
    entries = [{"name": "entry", "resourceClaimName": "c"}]
    pod = await plane.pod("p", resourceClaims=entries, metadata={"finalizers": ["example.com/stays"]})
    await allocated(plane, api, "c", pod)
    await plane.delete(Pod, ref("p"))
    await plane.until(lambda: plane.get(api.claims, ref("c")).metadata.finalizers == ())
    assert plane.get(Pod, ref("p")).is_deleting
    await plane.patch(Pod, ref("p"), {"metadata": {"finalizers": None}})


async def test_a_claim_without_the_schedulers_finalizer_stays_allocated(plane: ControlPlane, api: ResourceApi) -> None:
    pod = await using(plane, "p")
    await allocated(plane, api, "c", pod)
    await plane.patch(api.claims, ref("c"), {"metadata": {"finalizers": None}})
    await plane.finish("p")
    await plane.until(lambda: consumers(plane, api, "c") == [])
    await plane.pass_time(60)
    assert plane.get(api.claims, ref("c")).status.allocation is not None


async def test_the_claims_of_a_pod_that_has_ended_are_not_made_again(plane: ControlPlane, api: ResourceApi) -> None:
    await templated(plane, api)
    claim = await made(plane, api)
    await plane.finish("p")
    await plane.until_gone(api.claims, claim.key)
    await plane.patch(Pod, ref("p"), {"metadata": {"labels": {"a": "b"}}})
    await plane.pass_time(60)
    assert not plane.list(api.claims)
