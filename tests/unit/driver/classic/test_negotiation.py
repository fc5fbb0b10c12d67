"""The negotiation with the scheduler: which nodes are ruled out, for which claims, and when that is written."""

import pytest

from fake_dra_driver.api.fake import (
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import (
    ClaimSource,
    Node,
    Pod,
    PodResourceClaim,
    PodResourceClaimStatus,
    PodSpec,
    PodStatus,
)
from fake_dra_driver.api.kube.meta import ObjectMeta, OwnerReference
from fake_dra_driver.api.resource.v1alpha2 import (
    PodSchedulingContext,
    ResourceClaim,
    ResourceClass,
)
from fake_dra_driver.runtime.reconcile import Result
from tests.support.half_states import run
from tests.support.soundness import assert_sound, devices_of_claims
from tests.support.world import NAMESPACE, Brain, World
from tests.unit.driver.classic.negotiating import answers, messages, occupy

pytestmark = pytest.mark.looptime


# --- Answers ------------------------------------------------------------------------------------------------------


async def test_full_nodes_are_ruled_out_and_the_others_are_not() -> None:
    world = World()
    for node in ("a", "b", "c"):
        world.node(node)
    occupy(world, "b", "b-0")
    world.claim("c")
    world.pod("p", ["c"], selected="b", potential=["a", "b", "c"])
    brain = await run(world)
    assert answers(world) == {"c": ["b"]}
    assert devices_of_claims(world) == {}
    assert messages(brain, "p") == [], "two nodes are left, so no person has to act"


async def test_a_single_claim_that_fits_needs_no_answer() -> None:
    world = World()
    world.node("a")
    world.node("b")
    world.claim("c")
    world.pod("p", ["c"], potential=["a", "b"])
    await run(world)
    assert answers(world) == {}


async def test_each_of_several_claims_gets_an_answer_since_the_scheduler_waits_for_it() -> None:
    world = World()
    world.node("a", devices=2)
    world.claim("c")
    world.claim("d")
    world.pod("p", ["c", "d"], potential=["a"])
    await run(world)
    assert answers(world) == {"c": [], "d": []}


async def test_claims_of_a_pod_are_judged_together() -> None:
    """Each of the two would fit on a by itself."""
    world = World()
    world.node("a", devices=3)
    world.node("b", devices=4)
    world.claim("c", count=2)
    world.claim("d", count=2)
    world.pod("p", ["c", "d"], potential=["a", "b"])
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert answers(world) == {"c": ["a"], "d": ["a"]}
        world.select("p", "b", ["a", "b"])
        await brain.settle()
    assert sorted(devices_of_claims(world)["c"] + devices_of_claims(world)["d"]) == ["b-0", "b-1", "b-2", "b-3"]
    assert_sound(world)


async def test_a_node_that_gets_room_is_no_longer_ruled_out() -> None:
    world = World()
    world.node("a")
    occupy(world, "a", "a-0")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert answers(world) == {"c": ["a"]}
        world.api.update(ResourceClaim, "holder-of-a", "default", {"status": {"reservedFor": None}})
        world.api.update(ResourceClaim, "holder-of-a", "default", {"status": {"deallocationRequested": True}})
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["a-0"]}


async def test_pods_that_could_pick_a_node_learn_early_that_it_is_full() -> None:
    world = World()
    world.node("a")
    world.node("b")
    for name in ("first", "second"):
        world.claim(name)
    world.pod("p", ["first"], potential=["a", "b"])
    world.pod("q", ["second"], potential=["a", "b"])
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.select("p", "a", ["a", "b"])
        await brain.settle()
    assert answers(world, "q") == {"second": ["a"]}


async def test_nodes_without_a_usable_plugin_are_ruled_out_and_the_others_go_on() -> None:
    world = World()
    world.node("good")
    world.node("not-ready", status="NotReady")
    world.node("empty-status", status="")
    world.claim("c")
    world.claim("d")
    world.api.update(NodeAllocationState, "good", NAMESPACE, {"spec": {"allocatableDevice": _two("good")}})
    world.pod("p", ["c", "d"], potential=["good", "not-ready", "empty-status", "no-plugin"])
    await run(world)
    assert answers(world)["c"] == ["empty-status", "no-plugin", "not-ready"]


def _two(node: str) -> list[dict[str, dict[str, str]]]:
    return [{"fake": {"uuid": f"{node}-{number}", "name": "MODEL"}} for number in range(2)]


async def test_node_whose_object_goes_or_cannot_be_read_is_ruled_out_and_the_others_go_on() -> None:
    world = World()
    for name in ("good", "going", "nonsense"):
        world.node(name)
    world.api.update(NodeAllocationState, "going", NAMESPACE, {"metadata": {"finalizers": ["example.com/other"]}})
    world.api.delete(NodeAllocationState, "going", NAMESPACE)
    world.api.update(NodeAllocationState, "nonsense", NAMESPACE, {"spec": {"allocatableDevice": "many"}})
    for claim in ("c", "d"):
        world.claim(claim)
    world.pod("p", ["d"], potential=["going", "nonsense"])
    world.pod("q", ["c"], selected="good")
    await run(world)
    assert answers(world) == {"d": ["going", "nonsense"]}
    assert devices_of_claims(world) == {"c": ["good-0"]}


async def test_device_of_a_claim_that_went_is_given_to_the_next_one() -> None:
    world = World()
    world.node("a")
    world.claim("c")
    world.claim("d")
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert devices_of_claims(world) == {"c": ["a-0"]}
        world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()
        world.pod("q", ["d"], selected="a")
        await brain.settle()
    assert devices_of_claims(world) == {"d": ["a-0"]}


async def test_at_most_128_nodes_are_named_and_the_selected_one_is_among_them() -> None:
    world = World()
    world.claim("c")
    potential = [f"n{number:03}" for number in range(128)]
    world.pod("p", ["c"], selected="zzz", potential=potential)
    await run(world)
    named = answers(world)["c"]
    assert len(named) == 128
    assert "zzz" in named


async def test_answers_of_other_drivers_stay() -> None:
    world = World()
    world.node("a")
    world.node("b")
    occupy(world, "a", "a-0")
    world.claim("c")
    world.pod("p", ["c"], potential=["a", "b"])
    foreign = {"status": {"resourceClaims": [{"name": "other", "unsuitableNodes": ["x"]}]}}
    world.api.update(PodSchedulingContext, "p", "default", foreign)
    await run(world)
    assert answers(world) == {"other": ["x"], "c": ["a"]}


async def test_an_answer_is_written_once() -> None:
    world = World()
    world.node("a")
    occupy(world, "a", "a-0")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    brain = await run(world)
    assert brain.client.calls == [("merge_patch", "PodSchedulingContext")]


# --- Which claims -------------------------------------------------------------------------------------------------


def made_from_template(world: World, claim: str, owner: str) -> None:
    """The claim as the controller manager makes it for a pod."""
    world.claim(claim)
    reference = OwnerReference(api_version="v1", kind="Pod", name="p", uid=owner, controller=True)
    world.api.update(ResourceClaim, claim, "default", {"metadata": {"ownerReferences": [reference.to_wire()]}})


def pod_with_template(world: World, statuses: tuple[PodResourceClaimStatus, ...] | None) -> None:
    entry = PodResourceClaim(name="e", source=ClaimSource(resource_claim_template_name="t"))
    pod = Pod(metadata=ObjectMeta(name="p", namespace="default"), spec=PodSpec(resource_claims=(entry,)))
    if statuses is not None:
        pod = pod.model_copy(update={"status": PodStatus(resource_claim_statuses=statuses)})
    world.api.apply(pod)
    world.select("p", "a")


@pytest.mark.parametrize("version", ["1.27", "1.28"])
async def test_claim_of_a_template_is_found_by_its_name(version: str) -> None:
    world = World()
    world.node("a")
    name = "p-e" if version == "1.27" else "p-e-x7k2q"
    pod_with_template(
        world, None if version == "1.27" else (PodResourceClaimStatus(name="e", resource_claim_name=name),)
    )
    made_from_template(world, name, world.api.read(Pod, "p", "default").uid)
    await run(world)
    assert list(devices_of_claims(world)) == [name]


async def test_claim_with_merely_the_name_of_a_templates_claim_is_not_the_pods() -> None:
    world = World()
    world.node("a")
    pod_with_template(world, None)
    made_from_template(world, "p-e", "another pod of that name")
    await run(world)
    assert devices_of_claims(world) == {}


async def test_pod_that_is_being_deleted_gets_nothing() -> None:
    world = World()
    world.node("a")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    world.api.update(Pod, "p", "default", {"metadata": {"finalizers": ["example.com/other"]}})
    world.api.delete(Pod, "p", "default")
    assert world.api.read(Pod, "p", "default").is_deleting
    await run(world)
    assert devices_of_claims(world) == {}


async def test_scheduling_context_that_is_being_deleted_gets_nothing() -> None:
    """The scheduler has stopped negotiating, or the pod is bound already: the allocation would not be used."""
    world = World()
    world.node("a")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    world.api.update(PodSchedulingContext, "p", "default", {"metadata": {"finalizers": ["example.com/other"]}})
    world.api.delete(PodSchedulingContext, "p", "default")
    await run(world)
    assert devices_of_claims(world) == {}


@pytest.mark.parametrize("gone", [PodSchedulingContext, Pod])
async def test_an_object_that_is_gone_when_its_pass_begins_is_no_error(gone: type[PodSchedulingContext | Pod]) -> None:
    world = World()
    world.node("a")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    world.api.delete(gone, "p", "default")
    brain = Brain(world)
    brain.deliver()
    assert await brain.pass_over("podschedulingcontext", "p") == Result()
    assert devices_of_claims(world) == {}


async def test_scheduling_context_of_an_earlier_pod_of_that_name_is_ignored() -> None:
    world = World()
    world.node("a")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    world.api.update(Pod, "p", "default", {"metadata": {"uid": "a new pod"}})
    await run(world)
    assert devices_of_claims(world) == {}


async def test_classes_of_other_drivers_are_left_alone() -> None:
    world = World()
    world.api.apply(ResourceClass(metadata=ObjectMeta(name="fake"), driver_name="other.example.com"))
    world.node("a")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    brain = await run(world)
    assert brain.client.calls == []
    assert brain.events.events == []


# --- Immediate ----------------------------------------------------------------------------------------------------


async def test_immediate_claim_is_allocated_where_most_is_free_and_not_reserved() -> None:
    world = World()
    world.node("a", devices=2)
    world.node("b", devices=3)
    world.claim("c", mode="Immediate")
    await run(world)
    assert devices_of_claims(world) == {"c": ["b-0"]}
    assert world.read_claim("c").status.reserved_for == ()
    assert_sound(world)


async def test_immediate_claim_that_fits_nowhere_gets_the_reason_and_is_allocated_once_there_is_room() -> None:
    world = World()
    world.node("a", devices=2)
    world.claim("c", count=3, mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        (message,) = messages(brain, "c")
        assert "InsufficientDevices: asked for 3 devices on one node" in message
        assert "2 of 2 devices free" in message
        world.node("b", devices=3)
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["b-0", "b-1", "b-2"]}


async def test_immediate_claim_is_allocated_again_when_its_node_goes() -> None:
    world = World()
    world.node("a")
    world.claim("c", mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.node("b")
        world.api.delete(NodeAllocationState, "a", NAMESPACE)
        world.api.delete(Node, "a")
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["b-0"]}


async def test_split_is_on_record_and_in_the_handle() -> None:
    world = World()
    world.node("a", devices=2)
    world.claim("c", count=2, split=3)
    world.pod("p", ["c"], selected="a")
    await run(world)
    claim = world.read_claim("c")
    allocation = claim.status.allocation
    assert allocation is not None
    assert allocation.shareable
    assert allocation.resource_handles[0].data == (
        '{"version":"v1","devices":[{"uuid":"a-0","split":3},{"uuid":"a-1","split":3}]}'
    )
    entry = world.api.read(NodeAllocationState, "a", NAMESPACE).spec.allocated_claims[claim.uid]
    assert entry.to_wire() == {"fake": {"devices": [{"uuid": "a-0", "split": 3}, {"uuid": "a-1", "split": 3}]}}
