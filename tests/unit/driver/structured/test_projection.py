"""``nas.spec.allocatedClaims`` in structured DRA: what is written, when, how often, and what people are told of it."""

from typing import Any

import pytest

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, LEDGER_REVISION_ANNOTATION, NodeAllocationState
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured import holdings
from fake_dra_driver.runtime.errors import DeadlineError
from tests.support.structuredworld import (
    NAMESPACE,
    StructuredBrain,
    StructuredWorld,
    opaque,
    parameters,
    result,
)

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> StructuredWorld:
    """Nodes n and m with 8 devices each."""
    world = StructuredWorld()
    world.node("n")
    world.node("m")
    return world


def writes(brain: StructuredBrain) -> int:
    return brain.client.calls.count(("json_patch", "NodeAllocationState"))


def told(brain: StructuredBrain) -> list[tuple[str, str]]:
    return [(about, reason) for about, reason, _ in brain.events.events]


async def test_what_a_claim_holds_is_shown_in_the_order_of_the_allocation(world: StructuredWorld) -> None:
    world.claim("c", result("n", 2), result("n", 0))
    await world.run()
    assert world.entries() == {"c": [{"uuid": "n-2"}, {"uuid": "n-0"}]}
    assert world.state().metadata.annotations[ALLOCATED_ANNOTATION] == "2/8"
    assert world.entries("m") == {}


async def test_a_split_is_shown(world: StructuredWorld) -> None:
    config = [opaque(parameters(split=2)), opaque(parameters(split=3), "b")]
    world.claim("c", result("n", 0, "a"), result("n", 1, "b/small"), config=config)
    await world.run()
    assert world.entries() == {"c": [{"uuid": "n-0", "split": 2}, {"uuid": "n-1", "split": 3}]}


async def test_parameters_that_cannot_be_used_show_whole_devices(world: StructuredWorld) -> None:
    world.claim("c", result("n", 0), config=[opaque(parameters(split=1000))])
    await world.run()
    assert world.entries() == {"c": [{"uuid": "n-0"}]}


async def test_what_is_not_of_this_driver_or_holds_nothing_is_left_out(world: StructuredWorld) -> None:
    other = {"request": "other", "driver": "other.example.com", "pool": "n", "device": "fake-7"}
    world.claim("c", other, result("n", 0), result("m", 1), result("n", 5, adminAccess=True))
    world.claim("foreign", other)
    world.claim("monitor", result("n", 3, adminAccess=True))
    await world.run()
    assert world.entries("n") == {"c": [{"uuid": "n-0"}]}
    assert world.entries("m") == {"c": [{"uuid": "m-1"}]}


async def test_a_device_that_several_claims_share_counts_once(world: StructuredWorld) -> None:
    for name in ("a", "b"):
        world.claim(name, result("n", 0, shareID=f"share-of-{name}"))
    await world.run()
    assert world.entries() == {"a": [{"uuid": "n-0"}], "b": [{"uuid": "n-0"}]}
    assert world.state().metadata.annotations[ALLOCATED_ANNOTATION] == "1/8"


async def test_a_device_that_the_node_does_not_have_is_shown_by_its_name(world: StructuredWorld) -> None:
    world.claim("c", result("n", 8))
    await world.run()
    assert world.entries() == {"c": [{"uuid": "fake-8"}]}


async def test_a_deallocated_and_a_deleted_claim_leave_without_a_word(world: StructuredWorld) -> None:
    world.claim("a", result("n", 0))
    world.claim("b", result("n", 1))
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        world.deallocate("a")
        world.api.delete(v1.ResourceClaim, "b", "default")
        await brain.settle()
    assert "allocatedClaims" not in world.state().to_wire()["spec"]
    assert world.state().metadata.annotations[ALLOCATED_ANNOTATION] == "0/8"
    assert told(brain) == []


async def test_changes_that_come_together_share_a_write(world: StructuredWorld) -> None:
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        before = writes(brain)
        for index in range(8):
            world.claim(f"c{index}", result("n", index))
            brain.deliver()
        await brain.settle()
        assert writes(brain) == before + 1
        assert len(world.entries()) == 8


async def test_a_restart_without_a_change_writes_nothing(world: StructuredWorld) -> None:
    world.claim("c", result("n", 0))
    await world.run()
    again = await world.run()
    assert writes(again) == 0
    assert told(again) == []


async def test_the_plugins_fields_are_left_alone(world: StructuredWorld) -> None:
    """Also where the plugin writes at the very moment, of which the controller's cache does not know yet."""
    world.claim("c", result("n", 0))
    brain = StructuredBrain(world)
    prepared = {"x": {"fake": {"devices": [{"uuid": "n-0"}]}}}

    async def publish(verb: str, kind: str) -> None:
        patch = {"spec": {"preparedDevices": prepared}, "status": "NotReady"}
        world.api.update(NodeAllocationState, "n", NAMESPACE, patch)

    brain.client.before_write = publish
    async with brain.running():
        await brain.settle()
    state = world.state().to_wire()
    assert (state["spec"]["preparedDevices"], state["status"]) == (prepared, "NotReady")
    assert world.entries() == {"c": [{"uuid": "n-0"}]}


async def test_an_object_that_has_nothing_in_it_yet(world: StructuredWorld) -> None:
    world.api.apply(NodeAllocationState.from_wire({"metadata": {"name": "new", "namespace": NAMESPACE}}))
    world.claim("c", result("new", 0))
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        assert world.entries("new") == {"c": [{"uuid": "fake-0"}]}
        inventory = [{"fake": {"uuid": "new-0", "name": "MODEL"}}]
        world.api.update(NodeAllocationState, "new", NAMESPACE, {"spec": {"allocatableDevice": inventory}})
        await brain.settle()
    assert world.entries("new") == {"c": [{"uuid": "new-0"}]}
    assert world.state("new").metadata.annotations[ALLOCATED_ANNOTATION] == "1/1"
    assert told(brain) == []


# --- Other writers


@pytest.mark.parametrize(
    "edit",
    [
        {"spec": {"allocatedClaims": None}},
        {"spec": {"allocatedClaims": {"stranger": {"fake": {"devices": [{"uuid": "n-5"}]}}}}},
        {"metadata": {"annotations": {ALLOCATED_ANNOTATION: "7/8"}}},
    ],
    ids=["removed", "added", "count"],
)
async def test_an_edit_is_put_right_and_said_once(world: StructuredWorld, edit: dict[str, Any]) -> None:
    world.claim("c", result("n", 0))
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        right = world.state()
        world.api.update(NodeAllocationState, "n", NAMESPACE, edit)
        await brain.settle()
    assert world.entries() == {"c": [{"uuid": "n-0"}]}
    assert world.state().metadata.annotations[ALLOCATED_ANNOTATION] == right.metadata.annotations[ALLOCATED_ANNOTATION]
    expected = [("n", "AllocatedClaimsRestored")] if "spec" in edit else []
    assert told(brain) == expected


async def test_an_object_that_was_recreated_is_no_edit(world: StructuredWorld) -> None:
    world.claim("c", result("n", 0))
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        world.api.delete(NodeAllocationState, "n", NAMESPACE)
        world.node("n")
        await brain.settle()
    assert world.entries() == {"c": [{"uuid": "n-0"}]}
    assert told(brain) == []


async def test_entries_of_before_an_upgrade_are_removed_and_said_once(world: StructuredWorld) -> None:
    entries = {f"uid-of-classic-{number}": {"fake": {"devices": [{"uuid": f"n-{number}"}]}} for number in range(5)}
    annotations = {LEDGER_REVISION_ANNOTATION: "41", ALLOCATED_ANNOTATION: "5/8"}
    patch = {"metadata": {"annotations": annotations}, "spec": {"allocatedClaims": entries}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, patch)
    world.claim("c", result("n", 0))
    brain = await world.run()
    assert world.entries() == {"c": [{"uuid": "n-0"}]}
    assert world.state().metadata.annotations == {LEDGER_REVISION_ANNOTATION: "42", ALLOCATED_ANNOTATION: "1/8"}
    assert told(brain) == [("n", "LeftoverEntriesRemoved")]
    assert brain.events.messages("LeftoverEntriesRemoved") == [
        "removed from allocatedClaims what was there of claims that no longer exist: uid-of-classic-0, "
        "uid-of-classic-1, uid-of-classic-2 and 2 more"
    ]


async def test_two_controllers_at_once_end_with_the_same(world: StructuredWorld) -> None:
    world.claim("c", result("n", 0))
    one, two = StructuredBrain(world), StructuredBrain(world)
    async with one.running(), two.running():
        await one.settle()
        await two.settle()
        world.claim("d", result("n", 1))
        one.deliver()
        await two.settle()
        await one.settle()
    assert world.entries() == {"c": [{"uuid": "n-0"}], "d": [{"uuid": "n-1"}]}
    assert told(one) + told(two) == []


async def test_a_revision_that_was_edited_into_nonsense(world: StructuredWorld) -> None:
    patch = {"metadata": {"annotations": {LEDGER_REVISION_ANNOTATION: "9" * 5000}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, patch)
    world.claim("c", result("n", 0))
    await world.run()
    assert world.state().metadata.annotations[LEDGER_REVISION_ANNOTATION] == "1"


# --- Bounds and faults


async def test_more_than_an_object_has_room_for_is_left_out_and_said_once(
    world: StructuredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "MAX_BYTES", 150)  # two of these entries
    for name in ("a", "b", "c", "d"):
        world.claim(name, result("n", 0, shareID=f"share-of-{name}"))
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        assert set(world.entries()) == {"a", "b"}
        world.claim("e", result("n", 1))
        await brain.settle()
        assert brain.events.messages("AllocatedClaimsIncomplete") == [
            "2 of the claims that hold devices here are not in allocatedClaims, which is full"
        ]
        for name in ("a", "b"):
            world.deallocate(name)
        world.deallocate("e")
        await brain.settle()
    assert set(world.entries()) == {"c", "d"}


async def test_a_write_whose_answer_was_lost_is_no_edit(world: StructuredWorld) -> None:
    world.claim("c", result("n", 0))
    brain = StructuredBrain(world)

    async def lose_the_answer(verb: str, kind: str) -> None:
        brain.client.after_write = nothing
        world.claim("d", result("n", 1))
        raise DeadlineError(verb, NodeAllocationState.resource, world.state().key, 1)

    async def nothing(verb: str, kind: str) -> None:
        return None

    async with brain.running():
        await brain.settle()
        brain.client.after_write = lose_the_answer
        world.claim("e", result("n", 2))
        await brain.settle()
    assert set(world.entries()) == {"c", "d", "e"}
    assert told(brain) == []


async def test_a_node_without_an_object_is_left_alone(world: StructuredWorld) -> None:
    world.claim("c", result("elsewhere", 0))
    brain = await world.run()
    assert [key.name for key in world.api.objects["NodeAllocationState"]] == ["n", "m"]
    assert told(brain) == []
