"""The life of claims on a device that is not Fake: allocated, released, told, and with which writes."""

import pytest

from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from tests.unit.dra.classic.lockers import FINALIZER, NAMESPACE, LockerProcess, LockerWorld, Rack, assert_sound

pytestmark = pytest.mark.looptime

ALLOCATION = [("merge_patch", "ResourceClaim"), ("json_patch", "Rack"), ("merge_patch", "ResourceClaim")]


@pytest.fixture
def world() -> LockerWorld:
    """Nodes n and m with two lockers each, and a claim c."""
    world = LockerWorld()
    world.node("n", lockers=2)
    world.node("m", lockers=2)
    world.claim("c")
    return world


async def run(world: LockerWorld) -> LockerProcess:
    """A fresh process, until nothing happens any more."""
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
    return process


async def test_a_claim_is_allocated_where_its_pod_is_to_run(world: LockerWorld) -> None:
    world.pod("p", ["c"], selected="m")
    process = await run(world)
    assert world.lockers_of_claims() == {"c": ["m-0"]}
    claim = world.read_claim("c")
    assert claim.metadata.finalizers == (FINALIZER,)
    assert [consumer.name for consumer in claim.status.reserved_for] == ["p"]
    assert process.client.calls == ALLOCATION
    assert_sound(world)


async def test_a_claim_in_mode_immediate_is_allocated_where_most_is_free(world: LockerWorld) -> None:
    world.pod("p", ["c"], selected="m")
    await run(world)
    world.claim("d", mode="Immediate")
    await run(world)
    assert world.lockers_of_claims() == {"c": ["m-0"], "d": ["n-0"]}


async def test_a_node_without_room_is_ruled_out_until_it_has_some(world: LockerWorld) -> None:
    world.claim("big", lockers=2)
    world.pod("q", ["big"], selected="n")
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
        world.pod("p", ["c"], selected="n", potential=["n", "m"])
        await process.settle()
        [answer] = world.api.read(PodSchedulingContext, "p", "default").status.resource_claims
        assert answer.unsuitable_nodes == ("n",)
        world.api.delete(Pod, "q", "default")
        world.api.delete(PodSchedulingContext, "q", "default")
        world.api.update(ResourceClaim, "big", "default", {"status": {"reservedFor": None}})
        world.api.delete(ResourceClaim, "big", "default")
        await process.settle()
    assert world.lockers_of_claims() == {"c": ["n-0"]}
    assert_sound(world)


async def test_a_deleted_claim_gives_its_devices_back(world: LockerWorld) -> None:
    world.pod("p", ["c"], selected="n")
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
        process.client.calls.clear()
        world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
        world.api.delete(ResourceClaim, "c", "default")
        await process.settle()
    assert process.client.calls == [("merge_patch", "ResourceClaim"), ("json_patch", "Rack")]
    assert world.api.wire(ResourceClaim, "c", "default") is None
    assert world.ledger("n") == {}


async def test_a_record_that_no_pod_wants_is_dropped(world: LockerWorld) -> None:
    world.update_rack("n", status={"held": {world.read_claim("c").uid: ["n-1"]}})
    process = await run(world)
    assert world.ledger("n") == {}
    assert process.events.messages("RecordDropped") == [
        "devices on node n were on record for the claim, and are free again: no pod that uses it wants to run there"
    ]


async def test_of_two_records_of_an_immediate_claim_one_remains(world: LockerWorld) -> None:
    uid = world.claim("d", mode="Immediate").uid
    for node in ("n", "m"):
        world.update_rack(node, status={"held": {uid: [f"{node}-0"]}})
    await run(world)
    assert len(world.ledger("n")) + len(world.ledger("m")) == 1
    assert_sound(world)


async def test_a_claim_is_released_from_a_node_that_is_gone(world: LockerWorld) -> None:
    world.pod("p", ["c"], selected="n")
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
        world.api.delete(Node, "n")
        world.api.delete(Rack, "n", NAMESPACE)
        world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
        await process.settle()
    assert world.read_claim("c").status.allocation is None
    assert process.events.messages("ReleasedFromGoneNode") == [
        "node n, on which the claim was allocated, no longer exists: it can be allocated elsewhere"
    ]


async def test_unusable_parameters_are_reported(world: LockerWorld) -> None:
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"labels": {"lockers": "few"}}})
    process = await run(world)
    assert set(process.events.messages("InvalidParameters")) == {"few is no number of lockers"}
