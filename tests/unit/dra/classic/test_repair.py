"""The ledger's repair on a device that is not Fake: what is lost is restored, what is left over is taken out."""

from dataclasses import replace

import pytest

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.runtime.client import ListResult
from tests.unit.dra.classic.lockers import DRIVER, NAMESPACE, LockerProcess, LockerWorld, Rack, assert_sound

pytestmark = pytest.mark.looptime


@pytest.fixture
async def world() -> LockerWorld:
    """Claim c of pod p has the first of two lockers of node n."""
    world = LockerWorld()
    world.node("n", lockers=2)
    world.claim("c")
    world.pod("p", ["c"], selected="n")
    await run(world)
    world.api.delete(PodSchedulingContext, "p", "default")
    assert world.lockers_of_claims() == {"c": ["n-0"]}
    return world


async def run(world: LockerWorld) -> LockerProcess:
    """A fresh process, until nothing happens any more."""
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
    return process


def without_handle(world: LockerWorld) -> None:
    """The claim's allocation is one of an implementation that writes no handles."""
    world.api.update(ResourceClaim, "c", "default", {"status": {"allocation": {"resourceHandles": []}}})


async def test_an_entry_that_was_lost_is_restored(world: LockerWorld) -> None:
    world.update_rack("n", status={"held": None})
    process = await run(world)
    assert world.ledger("n") == {world.read_claim("c").uid: ("n-0",)}
    assert process.events.messages("LedgerEntryRestored") == [
        "claim default/c is allocated on node n and was missing from the node's record; its devices are reserved "
        "again: n-0"
    ]
    assert_sound(world)


async def test_an_edited_entry_is_corrected_to_the_claims_devices(world: LockerWorld) -> None:
    uid = world.read_claim("c").uid
    world.update_rack("n", status={"held": {uid: ["n-1"]}})
    process = await run(world)
    assert world.ledger("n") == {uid: ("n-0",)}
    assert process.events.messages("LedgerEntryRestored") == [
        "claim default/c is allocated on node n and had n-1 on the node's record; its devices are reserved again: n-0"
    ]


async def test_an_entry_of_a_claim_without_handle_is_restored_once_the_node_reports_its_devices(
    world: LockerWorld,
) -> None:
    without_handle(world)
    world.update_rack("n", status={"held": None})
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
        assert process.events.messages("DevicesUnknown")
        world.update_rack("n", status={"seen": {world.read_claim("c").uid: ["n-1"]}})
        await process.settle()
    assert world.ledger("n") == {world.read_claim("c").uid: ("n-1",)}


async def test_what_the_node_reports_during_a_pass_is_not_missed(
    world: LockerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_handle(world)
    uid = world.read_claim("c").uid
    world.update_rack("n", status={"held": None})
    world.update_rack("n", status={"held": {"newer than the cache": ["n-1"]}})
    process = LockerProcess(world)
    list_all = process.client.list

    async def list_and_change(kind: type[ResourceClaim]) -> ListResult[ResourceClaim]:
        """The pass has read the node's object, and waits for this answer when the node says what the claim has."""
        found = await list_all(kind)
        if not world.api.read(Rack, "n", NAMESPACE).status.seen:
            world.update_rack("n", status={"seen": {uid: ["n-0"]}})
            process.deliver()
        newer = ResourceClaim(metadata=ObjectMeta(name="newer", namespace="default", uid=UID("newer than the cache")))
        return replace(found, items=(*found.items, newer))

    monkeypatch.setattr(process.client, "list", list_and_change)
    async with process.running():
        await process.settle()
    assert world.ledger("n") == {"newer than the cache": ("n-1",), uid: ("n-0",)}


async def test_an_entry_of_a_claim_without_handle_is_believed(world: LockerWorld) -> None:
    without_handle(world)
    process = await run(world)
    assert world.ledger("n") == {world.read_claim("c").uid: ("n-0",)}
    assert process.events.events == []


async def test_an_unreadable_handle_is_reported(world: LockerWorld) -> None:
    handles = [{"driverName": DRIVER, "data": " "}]
    world.api.update(ResourceClaim, "c", "default", {"status": {"allocation": {"resourceHandles": handles}}})
    world.update_rack("n", status={"held": None})
    process = await run(world)
    assert process.events.messages("DevicesUnknown") == [
        "claim default/c is allocated on node n, and nothing says which devices it has there: delete its pods, so that "
        "it is allocated again"
    ]


async def test_a_device_that_another_claim_now_holds_stays_there_and_the_dispute_is_reported(
    world: LockerWorld,
) -> None:
    other = world.claim("other")
    world.update_rack("n", status={"held": None})
    world.update_rack("n", status={"held": {other.uid: ["n-0"]}})
    world.pod("q", ["other"], selected="n")
    process = await run(world)
    told = {name for name, reason, _ in process.events.events if reason == "DevicesHeldByAnotherClaim"}
    assert told == {"c", "other"}
    assert world.ledger("n") == {other.uid: ("n-0",)}


async def test_an_entry_of_a_claim_that_is_gone_is_taken_out(world: LockerWorld) -> None:
    world.update_rack("n", status={"held": {"gone": ["n-1"]}})
    process = await run(world)
    assert world.ledger("n") == {world.read_claim("c").uid: ("n-0",)}
    assert process.events.messages("LedgerEntryRemoved") == [
        "the claim with UID gone no longer exists; what was on record for it is free again: n-1"
    ]


async def test_an_unreadable_object_is_reported_and_its_node_skipped(world: LockerWorld) -> None:
    world.update_rack("n", spec={"lockers": "many"})
    world.claim("d", mode="Immediate")
    process = await run(world)
    assert process.events.messages("InvalidState")[0].startswith(
        "cannot be read, so nothing is allocated on the node until this is corrected: spec.lockers"
    )
    assert list(world.lockers_of_claims()) == ["c"]


async def test_when_a_nodes_object_comes_back_its_claims_get_its_devices_first(world: LockerWorld) -> None:
    """The record is empty then: claims of the node are restored before their devices are given to others."""
    world.claim("d", mode="Immediate")
    world.api.delete(Rack, "n", NAMESPACE)
    process = LockerProcess(world)
    async with process.running():
        await process.settle()
        world.node("n", lockers=2)
        await process.settle()
    assert sorted(world.lockers_of_claims().values()) == [["n-0"], ["n-1"]]
    assert_sound(world)
