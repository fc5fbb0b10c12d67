"""Which claims wait, and why."""

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, EVENT_COMPONENT, FakeClaimParameters
from fake_dra_driver.api.kube.core import Event, EventSource, ObjectReference
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import (
    PodSchedulingContext,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceClaimTemplateSpec,
    ResourceClass,
)
from fake_dra_driver.status.report import WaitingClaim, WaitReason
from tests.support.half_states import run
from tests.support.world import NOW, World
from tests.unit.status.conftest import report_of, waiting_of

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """Node n with two devices, node m with one, and a claim c for one device."""
    world = World()
    world.node("n", devices=2)
    world.node("m")
    world.claim("c")
    return world


def only(world: World) -> WaitingClaim:
    """The only claim that waits."""
    (claim,) = report_of(world.api).waiting
    return claim


def judged(world: World, name: str = "c") -> tuple[WaitReason, str]:
    claim = waiting_of(report_of(world.api), name)
    return claim.reason, claim.message


def test_a_claim_that_no_pod_uses_does_not_wait(world: World) -> None:
    report = report_of(world.api)
    assert (report.waiting, report.summary.waiting, report.summary.unused) == ((), 0, 1)


def test_claims_of_other_drivers_are_not_shown(world: World) -> None:
    world.api.apply(ResourceClass(metadata=ObjectMeta(name="other"), driver_name="example.com"))
    world.api.update(ResourceClaim, "c", "default", {"spec": {"resourceClassName": "other"}})
    world.pod("p", ["c"], selected="n")
    report = report_of(world.api)
    assert (report.waiting, report.summary.unused) == ((), 0)


async def test_an_allocated_claim_does_not_wait(world: World) -> None:
    world.pod("p", ["c"], selected="n")
    await run(world)
    report = report_of(world.api)
    assert (report.waiting, report.summary.unused, report.summary.claims) == ((), 0, 1)


def test_parameters_that_do_not_exist(world: World) -> None:
    world.api.delete(FakeClaimParameters, "c", "default")
    reason, message = judged(world)
    assert reason == "ParametersNotFound"
    assert message.startswith("FakeClaimParameters default/c do not exist: create them")


def test_parameters_that_cannot_be_used(world: World) -> None:
    world.api.update(FakeClaimParameters, "c", "default", {"spec": {"count": "two"}})
    reason, message = judged(world)
    assert reason == "InvalidParameters"
    assert "spec.count" in message


def test_a_class_that_does_not_exist(world: World) -> None:
    world.api.update(ResourceClaim, "c", "default", {"spec": {"resourceClassName": "typo"}})
    message = "ResourceClass typo does not exist, or cannot be read: create it, or make the claim again with class fake"
    assert judged(world) == ("ClassNotFound", message)


def test_a_class_that_does_not_exist_could_be_anyones(world: World) -> None:
    world.api.update(ResourceClaim, "c", "default", {"spec": {"resourceClassName": "typo", "parametersRef": None}})
    assert judged(world)[0] == "ClassNotFound"


def test_a_claim_that_is_being_released(world: World) -> None:
    world.api.update(ResourceClaim, "c", "default", {"status": {"deallocationRequested": True}})
    assert judged(world)[0] == "BeingDeallocated"


def test_a_pod_that_the_scheduler_does_not_look_at(world: World) -> None:
    world.pod("p", ["c"])
    world.api.delete(PodSchedulingContext, "p", "default")
    reason, message = judged(world)
    assert reason == "NotBeingScheduled"
    assert "for pod p" in message
    assert only(world).pods == ("p",)


def test_no_node_has_what_is_asked_for(world: World) -> None:
    world.claim("big", count=3)
    world.pod("p", ["big"], potential=["m", "n"])
    reason, message = judged(world, "big")
    assert reason == "InsufficientDevices"
    assert message.startswith("asked for 3 devices on one node, which no node can give now: no node has more than 2:")
    assert message.endswith(" (m: 1 of 1 device free; n: 2 of 2 devices free)")


def test_claims_of_one_pod_are_judged_together(world: World) -> None:
    world.claim("d", count=2)
    world.pod("p", ["c", "d"], potential=["n"])
    for name in ("c", "d"):
        reason, message = judged(world, name)
        assert reason == "InsufficientDevices"
        assert "1 device and 2 devices on one node" in message


def test_a_claim_whose_pod_waits_for_another_claim(world: World) -> None:
    world.claim("wrong")
    world.api.delete(FakeClaimParameters, "wrong", "default")
    world.claim("first", mode="Immediate", count=9)
    world.pod("p", ["c", "wrong"], potential=["n"])
    reason, message = judged(world)
    assert reason == "BlockedByAnotherClaim"
    assert "FakeClaimParameters default/wrong do not exist" in message
    world.pod("p", ["c", "first"], potential=["n"])
    assert judged(world)[1] == "pod p also needs a claim that waits: claim first, which is to be allocated first"


def test_how_far_the_scheduler_is(world: World) -> None:
    world.claim("two", count=2)
    world.pod("p", ["two"], potential=["m", "n"])
    message = "1 of 2 nodes that the scheduler considers has what the pod's claims ask for"
    assert judged(world, "two") == ("BeingScheduled", message)
    world.pod("p", ["two"], potential=["n"])
    assert judged(world, "two")[1].startswith("1 of 1 node that the scheduler considers has what")
    world.api.update(PodSchedulingContext, "p", "default", {"spec": {"potentialNodes": None}})
    assert judged(world, "two")[1] == "the scheduler has not said yet which nodes it considers"
    world.select("p", "m", ["m", "n"])
    assert judged(world, "two")[0] == "BeingScheduled", "the selected node does not fit"
    world.select("p", "n", ["m", "n"])
    reason, message = judged(world, "two")
    assert reason == "BeingAllocated"
    assert "selected node n" in message
    assert waiting_of(report_of(world.api), "two").selected_node == "n"


def test_immediate_claims(world: World) -> None:
    world.claim("big", count=3, mode="Immediate")
    world.claim("small", mode="Immediate")
    assert judged(world, "big")[0] == "InsufficientDevices"
    reason, message = judged(world, "small")
    assert (reason, message.split(":")[0]) == ("BeingAllocated", "2 nodes have what it asks for")


def test_immediate_claims_wait_for_nodes_that_can_run_pods(world: World) -> None:
    world.claim("small", mode="Immediate")
    world.stop_reporting("n")
    assert judged(world, "small")[1].startswith("node m has what it asks for")
    world.cordon("m")
    reason, message = judged(world, "small")
    assert reason == "InsufficientDevices"
    assert "its node is cordoned (SchedulingDisabled)" in message
    assert "its node is NotReady (NodeStatusUnknown)" in message


async def test_what_the_driver_has_told_the_scheduler_and_the_owner(world: World) -> None:
    world.claim("big", count=3)
    world.pod("p", ["big"], potential=["m", "n"])
    await run(world)
    about = ObjectReference(kind="ResourceClaim", namespace="default", name="big", uid=world.read_claim("big").uid)
    for name, component, minute in (("old", EVENT_COMPONENT, 1), ("new", EVENT_COMPONENT, 2), ("foreign", "x", 3)):
        event = Event(
            metadata=ObjectMeta(name=name, namespace="default"),
            involved_object=about,
            reason="InsufficientDevices",
            message=f"the {name} one",
            type="Warning",
            source=EventSource(component=component),
            count=minute,
            last_timestamp=NOW.replace(minute=minute),
        )
        world.api.apply(event)
    claim = waiting_of(report_of(world.api), "big")
    assert claim.unsuitable_nodes == ("m", "n")
    assert claim.told is not None
    assert (claim.told.message, claim.told.count) == ("the new one", 2)


def test_a_template_s_claim_of_another_pod_of_that_name_is_not_this_pods(world: World) -> None:
    """The claim p-x was made by a person, and pod p waits for one that is yet to be made."""
    world.api.apply(template_of(world, "t"))
    world.claim("p-x")
    world.pod("p", [])
    source = {"name": "x", "source": {"resourceClaimTemplateName": "t"}}
    world.api.objects["Pod"][next(iter(world.api.objects["Pod"]))]["spec"] = {"resourceClaims": [source]}
    claim = only(world)
    assert (claim.name, claim.uid, claim.reason, claim.pods) == ("p-x", "", "ClaimNotMade", ("p",))
    assert claim.message == (
        "the claim of template t for pod p has not been made yet: if it stays so, the pod's Events say why"
    )


def template_of(world: World, name: str) -> ResourceClaimTemplate:
    """A template of claims like c."""
    spec = world.read_claim("c").spec
    metadata = ObjectMeta(name=name, namespace="default")
    return ResourceClaimTemplate(metadata=metadata, spec=ResourceClaimTemplateSpec(spec=spec))


def test_names_of_the_driver_are_those_of_the_api() -> None:
    assert DRIVER_NAME in EVENT_COMPONENT
