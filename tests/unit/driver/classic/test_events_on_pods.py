"""Why a claim waits is told to its pods as well, which is where people look, and not again with each pass."""

import asyncio

import pytest

from fake_dra_driver.api.fake import DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.dra.classic.waitingevents import PAUSE_SECONDS, REPEAT_SECONDS
from tests.support.half_states import run
from tests.support.soundness import devices_of_claims
from tests.support.world import NAMESPACE, Brain, World
from tests.unit.driver.classic.negotiating import class_selects, messages, occupy

pytestmark = pytest.mark.looptime

MISSING = "FakeClaimParameters default/c do not exist: create them, and the claim goes on by itself"


@pytest.fixture
def world() -> World:
    """The claim c, whose parameters do not exist, and a pod p that the scheduler has no context for yet."""
    world = World()
    world.node("a")
    world.claim("c")
    world.api.delete(FakeClaimParameters, "c", "default")
    pod(world, "p")
    return world


def pod(world: World, name: str) -> None:
    world.pod(name, ["c"])
    world.api.delete(PodSchedulingContext, name, "default")


def touch(world: World, number: int) -> None:
    """A change of the claim that leads to a pass, and says nothing new."""
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"labels": {"touched": str(number)}}})


def hold(world: World, node: str, uuids: list[str]) -> None:
    """What the claim that holds devices of the node has left."""
    (uid,) = world.api.read(NodeAllocationState, node, NAMESPACE).spec.allocated_claims
    entry = {uid: {"fake": {"devices": [{"uuid": uuid} for uuid in uuids]}}}
    world.api.update(NodeAllocationState, node, NAMESPACE, {"spec": {"allocatedClaims": entry}})


async def test_missing_parameters_of_a_claim_are_told_to_its_pod(world: World) -> None:
    brain = await run(world)
    assert messages(brain, "p") == [f"ParametersNotFound: claim c: {MISSING}"]
    assert messages(brain, "c") == [f"ParametersNotFound: {MISSING}"]


async def test_invalid_parameters_are_told_to_the_pod(world: World) -> None:
    world.claim("c")
    world.api.update(FakeClaimParameters, "c", "default", {"spec": {"count": 0}})
    brain = await run(world)
    (message,) = messages(brain, "p")
    assert message.startswith("InvalidParameters: claim c: ")
    assert "spec.count: Input should be greater than or equal to 1" in message


async def test_missing_parameters_of_a_class_are_told_to_the_pod(world: World) -> None:
    world.claim("c")
    class_selects(world, "*")
    world.api.delete(DeviceClassParameters, "dcp")
    brain = await run(world)
    assert messages(brain, "p") == [
        "ParametersNotFound: claim c: ResourceClass fake names DeviceClassParameters dcp, which do not exist: "
        "create them, or correct the name in parametersRef"
    ]


async def test_what_an_immediate_claim_waits_for_is_told_to_the_pod(world: World) -> None:
    world.claim("c", count=2, mode="Immediate")
    brain = await run(world)
    (message,) = messages(brain, "p")
    assert message.startswith("InsufficientDevices: claim c: asked for 2 devices on one node")


async def test_every_pod_that_waits_for_a_shared_claim_is_told_also_one_that_comes_later(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        pod(world, "q")
        await brain.settle()
    assert messages(brain, "q") == messages(brain, "p") == [f"ParametersNotFound: claim c: {MISSING}"]
    assert len(messages(brain, "c")) == 1


async def test_a_pod_whose_claim_is_named_in_its_status_later_is_told(world: World) -> None:
    owner = world.api.read(Pod, "p", "default")
    entry = {"name": "c", "source": {"resourceClaimTemplateName": "t"}}
    world.api.update(
        Pod, "p", "default", {"spec": {"resourceClaims": [entry]}, "status": {"resourceClaimStatuses": []}}
    )
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": owner.uid, "controller": True}]
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"ownerReferences": owners}})
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert messages(brain, "p") == []
        statuses = [{"name": "c", "resourceClaimName": "c"}]
        world.api.update(Pod, "p", "default", {"status": {"resourceClaimStatuses": statuses}})
        await brain.settle()
    assert messages(brain, "p") == [f"ParametersNotFound: claim c: {MISSING}"]


@pytest.mark.parametrize(
    "change",
    [{"status": {"phase": "Failed"}}, {"metadata": {"deletionTimestamp": "2026-01-01T00:10:00Z"}}],
    ids=["ended", "being deleted"],
)
async def test_a_pod_that_does_not_wait_any_more_is_left_alone(world: World, change: dict[str, object]) -> None:
    world.api.update(Pod, "p", "default", change)
    brain = await run(world)
    assert messages(brain, "p") == []


async def test_a_pod_is_not_told_about_the_claim_of_a_namesake(world: World) -> None:
    """Kubernetes 1.27 says only by the owner whose claim p-c is."""
    entry = {"name": "c", "source": {"resourceClaimTemplateName": "t"}}
    world.api.update(Pod, "p", "default", {"spec": {"resourceClaims": [entry]}})
    claim = world.api.read(ResourceClaim, "c", "default")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "of-before", "controller": True}
    metadata = ObjectMeta.model_validate({"name": "p-c", "namespace": "default", "ownerReferences": [owner]})
    world.api.apply(claim.model_copy(update={"metadata": metadata}))
    brain = await run(world)
    assert messages(brain, "p") == []
    assert len(messages(brain, "p-c")) == 1


async def test_passes_that_find_the_same_tell_it_once(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        for number in range(5):
            touch(world, number)
            await brain.settle()
    assert len(messages(brain, "p")) == len(messages(brain, "c")) == 1


async def test_it_is_told_again_before_the_api_server_forgets_it(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        for _ in range(2):
            await asyncio.sleep(REPEAT_SECONDS)
            await brain.settle()
    assert len(messages(brain, "p")) == len(messages(brain, "c")) == 3


async def test_what_is_wrong_again_after_it_was_right_is_told_again(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.claim("other")
        parameters = world.api.read(FakeClaimParameters, "other", "default")
        world.api.apply(parameters.model_copy(update={"metadata": ObjectMeta(name="c", namespace="default")}))
        await brain.settle()
        world.api.delete(FakeClaimParameters, "c", "default")
        await brain.settle()
    assert len(messages(brain, "p")) == 2


async def test_a_pod_whose_claim_is_allocated_is_told_nothing(world: World) -> None:
    world.claim("c", mode="Immediate")
    brain = await run(world)
    assert list(devices_of_claims(world)) == ["c"]
    assert brain.events.events == []


async def test_the_latest_shortage_is_told_after_a_pause_and_those_in_between_are_not(world: World) -> None:
    """Devices come and go one by one while a node is emptied: each change alone is no news for all that wait."""
    world.node("b", devices=4)
    occupy(world, "b", "b-0", "b-1", "b-2", "b-3")
    world.claim("c", count=5, mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        for left in (["b-1", "b-2", "b-3"], ["b-2", "b-3"], ["b-3"]):
            hold(world, "b", left)
            await brain.settle()
        (first,) = messages(brain, "p")
        assert "b: 0 of 4 devices free" in first
        await asyncio.sleep(PAUSE_SECONDS)
        await brain.settle()
        _, latest = messages(brain, "p")
    assert "b: 3 of 4 devices free" in latest
    assert len(messages(brain, "c")) == 2


async def test_a_pod_that_comes_during_the_pause_is_told_at_once(world: World) -> None:
    world.claim("c", count=5, mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        pod(world, "q")
        await brain.settle()
    assert len(messages(brain, "q")) == len(messages(brain, "p")) == 1


async def test_parameters_that_are_wrong_in_another_way_are_told_at_once(world: World) -> None:
    """People change those, and look at what comes of it."""
    world.claim("c")
    brain = Brain(world)
    async with brain.running():
        for count in (0, 129):
            world.api.update(FakeClaimParameters, "c", "default", {"spec": {"count": count}})
            await brain.settle()
    assert len(messages(brain, "p")) == 2
