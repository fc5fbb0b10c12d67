"""The negotiation with drivers: what is asked, when a node is selected, and what becomes of the pod."""

from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName, OwnerReference
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.kinds import Node, Pod
from tests.support.control_plane import ControlPlane, ref

pytestmark = pytest.mark.looptime

UNHELPFUL = "preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."


def context(plane: ControlPlane, pod: str = "p") -> PodSchedulingContext:
    return plane.get(PodSchedulingContext, ref(pod))


async def asked(plane: ControlPlane, pod: str = "p") -> PodSchedulingContext:
    """The context, once there is one."""
    await plane.until(lambda: plane.find(PodSchedulingContext, ref(pod)))
    await plane.pass_time(0.1)
    return context(plane, pod)


async def bound(plane: ControlPlane, pod: str = "p") -> str:
    await plane.until(lambda: plane.get(Pod, ref(pod)).spec.node_name)
    return plane.get(Pod, ref(pod)).spec.node_name


async def nodes(plane: ControlPlane, *names: str) -> None:
    for name in names:
        await plane.node(name)
    await plane.resource_class()
    await plane.pass_time(1)


def consumers(plane: ControlPlane, claim: str) -> list[str]:
    return [each.name for each in plane.get(ResourceClaim, ref(claim)).status.reserved_for]


def messages(plane: ControlPlane, pod: str = "p") -> list[str]:
    return [message for reason, message in plane.events(pod) if reason == "FailedScheduling"]


async def test_one_claim_selects_a_node_in_the_first_write(plane: ControlPlane) -> None:
    await nodes(plane, "node-b", "node-a")
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"entry": "claim"})
    found = await asked(plane)
    assert found.spec.selected_node == "node-a"
    assert found.spec.potential_nodes == ("node-a", "node-b")
    assert found.metadata.owner_references == (
        OwnerReference(api_version="v1", kind="Pod", name="p", uid=pod.uid, controller=True, block_owner_deletion=True),
    )
    assert messages(plane) == ["waiting for resource driver"]


async def test_neither_its_own_writes_nor_a_finalizer_wake_the_pod(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    await plane.patch(ResourceClaim, ref("claim"), {"metadata": {"finalizers": ["driver.example.com/protection"]}})
    await plane.pass_time(60)
    assert plane.attempts("p") == 1


async def test_a_node_that_is_selected_though_it_is_unsuitable_is_left_at_once(plane: ControlPlane) -> None:
    """An answer and a selection that cross: the scheduler's own write is what makes the contradiction."""
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    await plane.answer("p", {"entry": ["node-b"]})
    await plane.pass_time(60)
    assert context(plane).spec.selected_node == "node-a"
    await plane.patch(PodSchedulingContext, ref("p"), {"spec": {"selectedNode": "node-b"}})
    await plane.until(lambda: context(plane).spec.selected_node == "node-a", within=1)


async def test_a_node_that_was_selected_stays_so_while_it_fits(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    assert (await asked(plane)).spec.selected_node == "node-a"
    for name in ("other", "another"):
        await plane.pod(name, nodeName="node-a")
    await plane.answer("p", {"entry": []})
    await plane.until(lambda: plane.attempts("p") == 2 or len(messages(plane)) == 2)
    assert context(plane).spec.selected_node == "node-a"


async def test_a_pod_is_bound_where_its_claim_was_allocated_and_the_context_goes(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    began = plane.seconds()
    await plane.allocate("claim", "node-b", pod)
    assert await bound(plane) == "node-b"
    assert plane.seconds() - began < 0.1, "a driver's answer is not to be met with a backoff"
    await plane.until_gone(PodSchedulingContext, ref("p"))
    assert consumers(plane, "claim") == ["p"]


async def test_the_scheduler_reserves_what_the_driver_did_not(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    await plane.allocate("claim", "node-a")
    assert await bound(plane) == "node-a"
    [consumer] = plane.get(ResourceClaim, ref("claim")).status.reserved_for
    assert (consumer.api_group, consumer.resource, consumer.name, consumer.uid) == ("", "pods", "p", pod.uid)


async def test_a_node_that_a_driver_rules_out_is_not_selected_again(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    assert (await asked(plane)).spec.selected_node == "node-a"
    began = plane.seconds()
    await plane.answer("p", {"entry": ["node-a"]})
    await plane.until(lambda: context(plane).spec.selected_node == "node-b")
    assert plane.seconds() - began < 0.1
    await plane.answer("p", {"entry": ["node-a", "node-b"]})
    wanted = (
        "0/2 nodes are available: 2 resourceclaim cannot be allocated for the node (unsuitable). "
        f"still not schedulable, {UNHELPFUL.format(n=2)}"
    )
    await plane.until(lambda: wanted in messages(plane))
    assert not plane.get(Pod, ref("p")).spec.node_name


async def test_a_pod_for_which_devices_become_free_goes_on(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    await plane.answer("p", {"entry": ["node-a"]})
    await plane.until(lambda: any("unsuitable" in each for each in messages(plane)))
    await plane.pass_time(20)
    await plane.answer("p", {"entry": []})
    await plane.pass_time(20)
    assert context(plane).spec.selected_node == "node-a"
    assert messages(plane)[-1] != messages(plane)[-2]


async def test_several_claims_wait_until_each_has_an_answer(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("one")
    await plane.claim("two")
    pod = await plane.pod("p", claims={"first": "one", "second": "two"})
    found = await asked(plane)
    assert (found.spec.selected_node, found.spec.potential_nodes) == ("", ("node-a", "node-b"))
    await plane.answer("p", {"first": []})
    await plane.pass_time(60)
    assert context(plane).spec.selected_node == ""
    began = plane.seconds()
    await plane.answer("p", {"first": [], "second": ["node-a"]})
    await plane.until(lambda: context(plane).spec.selected_node == "node-b")
    assert plane.seconds() - began < 0.1
    await plane.allocate("one", "node-b", pod)
    await plane.pass_time(60)
    assert not plane.get(Pod, ref("p")).spec.node_name
    await plane.allocate("two", "node-b", pod)
    assert await bound(plane) == "node-b"
    assert (consumers(plane, "one"), consumers(plane, "two")) == (["p"], ["p"])


async def test_a_claim_is_not_held_by_a_pod_that_cannot_use_it_yet(plane: ControlPlane) -> None:
    """Unreserve: another pod may use a shared claim while this one waits for its second."""
    await nodes(plane, "node-a")
    await plane.claim("one")
    await plane.claim("two")
    pod = await plane.pod("p", claims={"first": "one", "second": "two"})
    await asked(plane)
    await plane.answer("p", {"first": [], "second": []})
    await plane.until(lambda: context(plane).spec.selected_node)
    await plane.allocate("one", "node-a", pod)
    await plane.until(lambda: consumers(plane, "one") == [])
    await plane.allocate("two", "node-a", pod)
    assert await bound(plane) == "node-a"
    assert consumers(plane, "one") == ["p"]


async def test_a_claim_is_not_held_by_a_pod_whose_binding_failed(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    await plane.allocate("claim", "node-a", shareable=True)
    held: list[list[str]] = []
    plane.cache.informer(ResourceClaim).subscribe(lambda _: held.append(consumers(plane, "claim")))
    refuse = on(Fault.answer(500), verb="create", resource="pods", subresource="binding", times=1)
    with plane.server.faults.injected(refuse):
        await plane.pod("p", claims={"entry": "claim"})
        assert await bound(plane) == "node-a"
    assert held[-3:] == [["p"], [], ["p"]]


async def test_the_second_of_two_claims_selects_at_once(plane: ControlPlane) -> None:
    """One that is allocated is no longer negotiated: it restricts the nodes."""
    await nodes(plane, "node-a", "node-b", "node-c")
    await plane.claim("one")
    await plane.claim("two")
    await plane.allocate("one", "node-b")
    await plane.pod("p", claims={"first": "one", "second": "two"})
    found = await asked(plane)
    assert (found.spec.selected_node, found.spec.potential_nodes) == ("node-b", ("node-b",))


async def test_at_most_128_nodes_come_into_question(plane: ControlPlane) -> None:
    await nodes(plane, *(f"node-{at:03}" for at in range(130)))
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    found = await asked(plane)
    assert len(found.spec.potential_nodes) == 128
    assert found.spec.selected_node in found.spec.potential_nodes
    assert list(found.spec.potential_nodes) == sorted(found.spec.potential_nodes)
    await plane.answer("p", {"entry": found.spec.potential_nodes})
    await plane.until(lambda: context(plane).spec.selected_node == "node-128")
    assert context(plane).spec.potential_nodes == ("node-128", "node-129")


async def test_a_new_node_is_put_to_the_drivers(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    await plane.answer("p", {"entry": ["node-a"]})
    await plane.until(lambda: any("unsuitable" in each for each in messages(plane)))
    await plane.node("node-b")
    await plane.until(lambda: context(plane).spec.selected_node == "node-b")
    assert context(plane).spec.potential_nodes == ("node-b",)


async def test_a_claim_that_is_allocated_elsewhere_is_given_back(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    await plane.allocate("claim", "node-b")
    await plane.patch(Node, ref("node-b", ""), {"spec": {"unschedulable": True}})
    await plane.pass_time(1)
    await plane.pod("p", claims={"entry": "claim"})
    await plane.until(lambda: plane.get(ResourceClaim, ref("claim")).status.deallocation_requested)
    await plane.pass_time(60)
    assert messages(plane) == [
        "0/2 nodes are available: 1 node(s) were unschedulable, 1 resourceclaim not available on the node.",
        "0/2 nodes are available: resourceclaim must be reallocated. "
        f"no new claims to deallocate, {UNHELPFUL.format(n=2)}",
    ]
    await plane.deallocate("claim")
    await plane.until(lambda: plane.find(PodSchedulingContext, ref("p")))
    assert context(plane).spec.selected_node == "node-a"


async def test_before_a_deallocation_the_drivers_are_told_to_stop_allocating(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    await plane.patch(Node, ref("node-a", ""), {"spec": {"unschedulable": True}})
    selected: list[tuple[str, bool]] = []

    def note(_: Any) -> None:
        found = plane.find(PodSchedulingContext, ref("p"))
        claim = plane.find(ResourceClaim, ref("claim"))
        if found is not None and claim is not None:
            selected.append((found.spec.selected_node, claim.status.deallocation_requested))

    plane.cache.informer(PodSchedulingContext).subscribe(note)
    plane.cache.informer(ResourceClaim).subscribe(note)
    await plane.allocate("claim", "node-a", pod)
    await plane.until(lambda: plane.get(ResourceClaim, ref("claim")).status.deallocation_requested)
    assert consumers(plane, "claim") == []
    await plane.until(lambda: selected[-1] == ("", True))
    assert ("", False) in selected, "the selection goes before the request"


async def test_a_claim_that_another_pod_uses_is_not_deallocated(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    other = await plane.pod("other", schedulerName="none")
    await plane.allocate("claim", "node-b", other, shareable=True)
    await plane.patch(Node, ref("node-b", ""), {"spec": {"unschedulable": True}})
    await plane.pass_time(1)
    await plane.pod("p", claims={"entry": "claim"})
    wanted = (
        "0/2 nodes are available: 1 node(s) were unschedulable, 1 resourceclaim not available on the node. "
        f"still not schedulable, {UNHELPFUL.format(n=2)}"
    )
    await plane.until(lambda: messages(plane) == [wanted])
    await plane.pass_time(600)
    assert not plane.get(ResourceClaim, ref("claim")).status.deallocation_requested


async def test_an_immediate_claim_elsewhere_is_not_given_back(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim", mode="Immediate")
    await plane.allocate("claim", "node-b")
    await plane.patch(Node, ref("node-b", ""), {"spec": {"unschedulable": True}})
    await plane.pass_time(1)
    await plane.pod("p", claims={"entry": "claim"})
    await plane.pass_time(600)
    assert not plane.get(ResourceClaim, ref("claim")).status.deallocation_requested


async def test_an_immediate_claim_is_waited_for(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim", mode="Immediate")
    await plane.pod("p", claims={"entry": "claim"})
    wanted = (
        "0/2 nodes are available: unallocated immediate resourceclaim. "
        f"no new claims to deallocate, {UNHELPFUL.format(n=2)}"
    )
    await plane.until(lambda: messages(plane) == [wanted])
    assert plane.find(PodSchedulingContext, ref("p")) is None
    await plane.allocate("claim", "node-b")
    assert await bound(plane) == "node-b"
    assert consumers(plane, "claim") == ["p"]


async def test_a_missing_class_is_waited_for(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.claim("claim")
    await plane.pod("p", claims={"entry": "claim"})
    wanted = (
        "0/1 nodes are available: resource class class does not exist. "
        f"no new claims to deallocate, {UNHELPFUL.format(n=1)}"
    )
    await plane.until(lambda: messages(plane) == [wanted])
    await plane.resource_class()
    assert (await asked(plane)).spec.selected_node == "node-a"


async def test_a_class_may_name_its_nodes(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.node("node-b", labels={"devices": "yes"})
    expressions = [{"key": "devices", "operator": "Exists"}]
    await plane.resource_class(suitableNodes={"nodeSelectorTerms": [{"matchExpressions": expressions}]})
    await plane.claim("claim")
    await plane.pass_time(1)
    await plane.pod("p", claims={"entry": "claim"})
    found = await asked(plane)
    assert (found.spec.selected_node, found.spec.potential_nodes) == ("node-b", ("node-b",))


async def test_a_claim_in_use_is_waited_for(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    other = await plane.pod("other", schedulerName="none")
    await plane.allocate("claim", "node-a", other)
    await plane.pod("p", claims={"entry": "claim"})
    await plane.until(lambda: messages(plane))
    assert messages(plane)[0].startswith("0/1 nodes are available: resourceclaim in use. ")
    await plane.patch(ResourceClaim, ref("claim"), {"status": {"reservedFor": None}}, "status")
    assert await bound(plane) == "node-a"


async def test_pods_share_a_claim(plane: ControlPlane) -> None:
    await nodes(plane, "node-a", "node-b")
    await plane.claim("claim")
    pods = [await plane.pod(name, claims={"entry": "claim"}) for name in ("p", "q", "r")]
    await asked(plane)
    await plane.allocate("claim", "node-b", pods[0], shareable=True)
    assert [await bound(plane, name) for name in ("p", "q", "r")] == ["node-b"] * 3
    assert sorted(consumers(plane, "claim")) == ["p", "q", "r"]
    await plane.until(lambda: not plane.list(PodSchedulingContext))


async def test_of_two_pods_only_one_gets_a_claim_that_cannot_be_shared(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    for name in ("p", "q"):
        await plane.pod(name, claims={"entry": "claim"})
        await asked(plane, name)
    await plane.allocate("claim", "node-a")
    await plane.pass_time(60)
    assert [plane.get(Pod, ref(name)).spec.node_name for name in ("p", "q")].count("node-a") == 1
    assert len(consumers(plane, "claim")) == 1


async def test_a_claim_that_does_not_exist_yet_costs_no_attempt(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.pod("p", claims={"entry": "claim"})
    await plane.pass_time(60)
    assert plane.events("p") == []
    assert plane.get(Pod, ref("p")).condition("PodScheduled") is None
    await plane.claim("claim")
    assert (await asked(plane)).spec.selected_node == "node-a"


async def test_a_claim_that_is_being_deleted_is_not_used(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim", metadata={"finalizers": ["example.com/stay"]})
    await plane.delete(ResourceClaim, ref("claim"))
    await plane.pod("p", claims={"entry": "claim"})
    await plane.pass_time(60)
    assert plane.find(PodSchedulingContext, ref("p")) is None
    await plane.patch(ResourceClaim, ref("claim"), {"metadata": {"finalizers": None}})
    await plane.claim("claim")
    assert (await asked(plane)).spec.selected_node == "node-a"


async def pod_with_template(plane: ControlPlane) -> Pod:
    entries = [{"name": "entry", "source": {"resourceClaimTemplateName": "template"}}]
    return await plane.pod("p", resourceClaims=entries)


def owned_by(pod: Pod, uid: str | None = None) -> dict[str, Any]:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": uid or pod.uid, "controller": True}
    return {"ownerReferences": [owner]}


async def name_claim(plane: ControlPlane, name: str | None) -> None:
    status = {"name": "entry", **({"resourceClaimName": name} if name else {})}
    await plane.patch(Pod, ref("p"), {"status": {"resourceClaimStatuses": [status]}}, "status")


async def test_the_claim_of_a_template_is_the_one_that_the_status_names(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    pod = await pod_with_template(plane)
    await plane.claim("p-entry-abcde", metadata=owned_by(pod))
    await plane.pass_time(10)
    assert plane.find(PodSchedulingContext, ref("p")) is None
    await name_claim(plane, "p-entry-abcde")
    assert (await asked(plane)).spec.selected_node == "node-a"


async def test_a_claim_that_belongs_to_another_pod_is_not_used(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    pod = await pod_with_template(plane)
    await plane.claim("p-entry-abcde", metadata=owned_by(pod, uid="another-pod"))
    await name_claim(plane, "p-entry-abcde")
    await plane.pass_time(60)
    assert plane.find(PodSchedulingContext, ref("p")) is None


async def test_an_entry_that_turned_out_not_to_be_needed_is_skipped(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await pod_with_template(plane)
    await name_claim(plane, None)
    assert await bound(plane) == "node-a"


async def test_the_context_of_a_predecessor_is_not_used(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    await plane.claim("claim")
    first = await plane.pod("p", claims={"entry": "claim"})
    await asked(plane)
    await plane.delete(Pod, ref("p"))
    await plane.until_gone(Pod, ref("p"))
    second = await plane.pod("p", claims={"entry": "claim"})
    assert first.uid != second.uid
    await plane.pass_time(60)
    assert plane.get(Pod, ref("p")).condition("PodScheduled") is None, "nothing is decided with it"
    await plane.delete(PodSchedulingContext, ref("p"))
    await plane.until(
        lambda: (
            (found := plane.find(PodSchedulingContext, ref("p")))
            and found.metadata.owner_references[0].uid == second.uid
        )
    )


async def test_a_context_that_outlived_its_purpose_goes(plane: ControlPlane) -> None:
    """The scheduler ended between binding a pod and deleting its context."""
    await nodes(plane, "node-a")
    await plane.claim("claim")
    pod = await plane.pod("p", claims={"entry": "claim"}, nodeName="node-a")
    await plane.create(PodSchedulingContext, "p", metadata=owned_by(pod), spec={"selectedNode": "node-a"})
    await plane.patch(Pod, ref("p"), {"metadata": {"labels": {"touched": "once"}}})
    await plane.pass_time(60)
    assert plane.find(PodSchedulingContext, ref("p")) is not None, "a pod bound past the scheduler still needs it"
    await plane.allocate("claim", "node-a", pod)
    await plane.pass_time(1)
    await plane.patch(Pod, ref("p"), {"metadata": {"labels": {"touched": "twice"}}})
    await plane.until_gone(PodSchedulingContext, NamespacedName("default", "p"))


async def test_a_context_that_is_another_pods_is_let_be(plane: ControlPlane) -> None:
    await nodes(plane, "node-a")
    pod = await plane.pod("p", nodeName="node-a")
    await plane.create(PodSchedulingContext, "p", metadata=owned_by(pod, uid="another-pod"))
    await plane.patch(Pod, ref("p"), {"metadata": {"labels": {"touched": "once"}}})
    await plane.pass_time(60)
    assert plane.find(PodSchedulingContext, ref("p")) is not None
