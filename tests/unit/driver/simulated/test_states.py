"""The objects of simulated nodes say what a plugin would say, with as few writes, and are shared with plugins."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    LEDGER_REVISION_ANNOTATION,
    MODELS_ANNOTATION,
    SIMULATED_LABEL,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import make_uuids
from fake_dra_driver.driver.fault.effects import CallFault, FaultEffects
from tests.support.simulatedworld import NAMESPACE, SimulatedBrain, SimulatedWorld
from tests.support.structuredworld import opaque, parameters

pytestmark = pytest.mark.looptime

NAS, CLAIM = NodeAllocationState.resource.kind, v1.ResourceClaim.resource.kind
UUIDS = make_uuids("n", 8)
ONES: Mapping[str, str] = {SIMULATED_LABEL: "true"}
TAKEN: Mapping[str, str] = {SIMULATED_LABEL: "false"}


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld()


@asynccontextmanager
async def running(world: SimulatedWorld) -> AsyncIterator[SimulatedBrain]:
    """A fresh controller that has done what there was to do."""
    brain = SimulatedBrain(world)
    async with brain.running():
        await brain.settle()
        yield brain


def labels(world: SimulatedWorld) -> Mapping[str, str]:
    return world.state().metadata.labels


def plugins(world: SimulatedWorld, status: str, *, word: str = "", **spec: Any) -> None:
    """The object as a plugin has written it."""
    metadata: dict[str, Any] = {"name": "n", "namespace": NAMESPACE}
    if word:
        metadata["labels"] = {SIMULATED_LABEL: word}
    world.api.apply(NodeAllocationState.from_wire({"metadata": metadata, "spec": spec, "status": status}))


# --- What is published


async def test_a_node_is_published_in_one_request(world: SimulatedWorld) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        assert brain.writes() == [("create", NAS)]
    state = world.state()
    assert state.to_wire()["spec"] == {
        "allocatableDevice": [{"fake": {"uuid": uuid, "name": "MODEL"}} for uuid in UUIDS[:2]]
    }
    assert (state.status, state.metadata.labels) == ("Ready", ONES)
    assert [(owner.kind, owner.name, owner.uid) for owner in state.metadata.owner_references] == [
        ("Node", "n", "node-n")
    ]
    assert state.metadata.annotations == {
        MODELS_ANNOTATION: "MODEL",
        ALLOCATED_ANNOTATION: "0/2",
        "nas.test/profile": "p: why",
    }


async def test_the_slices_of_new_nodes_go_before_what_is_for_people(world: SimulatedWorld) -> None:
    world.node("before")
    async with running(world) as brain:
        brain.writes()
        world.first.begin()
        world.node("n")
        world.node("before", annotations={"nas.test/profile": "q: why"})
        await brain.settle()
        assert brain.writes() == [("json_patch", NAS)], "an object that is there is kept in line"
        world.first.end()
        await brain.settle()
        assert brain.writes() == [("create", NAS)]
    assert world.state("n").status == "Ready"


async def test_a_restart_writes_nothing(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 0, 2)
    async with running(world):
        pass
    async with running(world) as brain:
        assert brain.writes() == []


async def test_what_has_changed_is_written_once(world: SimulatedWorld) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        brain.writes()
        world.node("n", 3, annotations={"nas.test/profile": "", "nas.test/problem": "none"})
        await brain.settle()
        assert brain.writes() == [("json_patch", NAS)]
        state = world.state()
        assert len(state.spec.allocatable_device) == 3
        assert state.metadata.annotations[ALLOCATED_ANNOTATION] == "0/3"
        assert state.metadata.annotations["nas.test/problem"] == "none"
        assert "nas.test/profile" not in state.metadata.annotations


async def test_what_is_not_known_stays_as_it_is(world: SimulatedWorld) -> None:
    world.node("n", 2)
    async with running(world):
        pass
    world.node("n", is_known=False, annotations={"nas.test/problem": "broken"})
    world.node("new", is_known=False)
    async with running(world):
        assert len(world.state().spec.allocatable_device) == 2
        assert world.state().metadata.annotations["nas.test/problem"] == "broken"
        assert world.api.wire(NodeAllocationState, "new", NAMESPACE) is None


@pytest.mark.parametrize(
    "edit",
    [
        {"spec": {"allocatableDevice": [{"fake": {"uuid": "x", "name": "y"}}]}},
        {"status": "NotReady"},
        {"metadata": {"annotations": {"nas.test/profile": "another"}}},
        {"metadata": {"annotations": None}},
        {"spec": {"preparedDevices": {"x": {"fake": {"devices": []}}}}},
        {"spec": None},
    ],
    ids=str,
)
async def test_what_others_change_is_restored(world: SimulatedWorld, edit: Mapping[str, Any]) -> None:
    world.node("n", 2)
    world.claim("c", "n", 1)
    async with running(world) as brain:
        before = world.state()
        world.change_state(edit)
        await brain.settle()
        after = world.state()
        assert (after.spec, after.status) == (before.spec, before.status)
        assert before.metadata.annotations.keys() - after.metadata.annotations.keys() <= {LEDGER_REVISION_ANNOTATION}
        assert after.metadata.annotations["nas.test/profile"] == "p: why"


async def test_an_object_that_is_deleted_is_made_again(world: SimulatedWorld) -> None:
    world.node("n", 2)
    world.claim("c", "n", 1)
    async with running(world) as brain:
        before = world.state().spec
        world.api.delete(NodeAllocationState, "n", NAMESPACE)
        await brain.settle()
        assert world.state().spec == before


# --- What is prepared


async def test_a_claim_is_prepared_and_held_in_one_request_for_the_node_and_one_for_itself(
    world: SimulatedWorld,
) -> None:
    world.node("n")
    async with running(world) as brain:
        brain.writes()
        claim = world.claim("c", "n", 1, 0)
        world.claim("d", "n", 3, config=[opaque(parameters(split=2))])
        await brain.settle()
        assert sorted(brain.writes()) == [("apply", CLAIM), ("apply", CLAIM), ("json_patch", NAS)]
    assert world.prepared()["c"] == [UUIDS[1], UUIDS[0]]
    assert len(world.prepared()["d"]) == 2
    assert claim.uid in world.state().spec.allocated_claims
    devices = world.read_claim("c").status.devices
    assert [(each.pool, each.device, each.data) for each in devices] == [
        ("n", "fake-1", {"uuid": UUIDS[1], "model": "MODEL"}),
        ("n", "fake-0", {"uuid": UUIDS[0], "model": "MODEL"}),
    ]
    assert {(one.type, one.status, one.reason) for each in devices for one in each.conditions or ()} == {
        ("Ready", "True", "Prepared")
    }
    assert world.read_claim("d").status.devices[0].data["children"] == world.prepared()["d"]


async def test_only_nodes_with_news_are_looked_at(world: SimulatedWorld) -> None:
    world.node("n")
    world.node("other")
    async with running(world) as brain:
        looks = world.fleet.looks
        world.claim("c", "n", 1)
        await brain.settle()
        assert world.fleet.looks == looks + 1
        world.release("c")
        await brain.settle()
        assert world.fleet.looks == looks + 1


async def test_a_claim_that_no_pod_may_use_is_not_prepared(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1, is_reserved=False)
    async with running(world) as brain:
        assert world.prepared() == {}
        assert world.read_claim("c").status.devices == ()
        assert brain.events.events == []


async def test_a_claim_is_unprepared_when_its_pod_has_ended(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        assert world.prepared() == {"c": [UUIDS[1]]}
        world.release("c")
        await brain.settle()
        assert world.prepared() == {}
        assert len(world.state().spec.allocated_claims) == 1
        for _ in range(20):
            await brain.settle()
        assert world.read_claim("c").status.devices == ()


async def test_another_process_takes_back_what_a_claim_says(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.release("c")
        await brain.settle()
        assert len(world.read_claim("c").status.devices) == 1
    async with running(world) as brain:
        for _ in range(20):
            await brain.settle()
        assert world.read_claim("c").status.devices == ()


@pytest.mark.parametrize("how", ["deallocated", "deleted"])
async def test_a_claim_that_goes_is_unprepared(world: SimulatedWorld, how: str) -> None:
    world.node("n")
    world.claim("c", "n", 1, owner="pod")
    async with running(world) as brain:
        brain.writes()
        if how == "deleted":
            world.api.delete(v1.ResourceClaim, "c", "default")
        else:
            world.deallocate("c")
        await brain.settle()
        assert brain.writes() == [("json_patch", NAS)]
        assert world.state().to_wire()["spec"].keys() == {"allocatableDevice"}


async def test_what_a_claim_has_stays_its_own(world: SimulatedWorld) -> None:
    world.node("n", 4)
    world.claim("c", "n", 3)
    async with running(world):
        pass
    world.node("n", 2)
    async with running(world):
        assert world.prepared() == {"c": [UUIDS[3]]}
        (device,) = world.read_claim("c").status.devices
        assert device.data == {"uuid": UUIDS[3], "model": "MODEL"}
        assert [(one.status, one.reason) for one in device.conditions or ()] == [("False", "Removed")]


async def test_a_claim_that_was_allocated_again_gets_the_other_devices(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.claim("c", "n", 2)
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[2]]}


async def test_configuration_that_cannot_be_used_is_told_once(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1, config=[opaque(parameters(split=-1))])
    async with running(world) as brain:
        assert world.prepared() == {}
        world.claim("d", "n", 2)
        await brain.settle()
        (message,) = brain.events.messages("PrepareFailed")
        assert message.startswith("on node n: ")
        assert "spec.split" in message
        assert world.prepared() == {"d": [UUIDS[2]]}


async def test_a_claim_that_could_not_be_prepared_is_when_it_was_allocated_again(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1, config=[opaque(parameters(split=-1))])
    async with running(world) as brain:
        world.deallocate("c")
        await brain.settle()
        world.claim("c", "n", 2)
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[2]]}


async def test_a_claim_that_could_not_be_prepared_is_with_another_configuration_at_once(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1, config=[opaque(parameters(split=-1))])
    async with running(world) as brain:
        world.claim("c", "n", 1)
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[1]]}


async def test_a_claim_that_could_not_be_prepared_is_tried_again_for_another_pod(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1, config=[opaque(parameters(split=-1))])
    async with running(world) as brain:
        world.release("c")
        await brain.settle()
        world.reserve("c")
        await brain.settle()
        assert len(brain.events.messages("PrepareFailed")) == 2


async def test_a_claim_that_was_allocated_again_with_another_configuration_gets_what_it_says(
    world: SimulatedWorld,
) -> None:
    world.node("n")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.claim("c", "n", 1, config=[opaque(parameters(split=2))])
        await brain.settle()
        assert len(world.prepared()["c"]) == 2


# --- Faults


def fault(**fields: Any) -> FaultEffects:
    return FaultEffects(prepare={"fake-1": (CallFault("hot", UID("f"), **fields),)})


async def test_a_fault_keeps_a_claim_from_being_prepared(world: SimulatedWorld) -> None:
    world.node("n", effects=fault(message="too hot"))
    world.claim("c", "n", 1)
    async with running(world) as brain:
        assert brain.events.messages("PrepareFailed") == ["on node n: too hot (DeviceFault hot)"]
        assert world.prepared() == {}
        world.node("n")
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[1]]}


async def test_a_fault_fails_so_many_calls(world: SimulatedWorld) -> None:
    world.node("n", effects=fault(message="too hot", times=2))
    world.claim("c", "n", 1)
    async with running(world) as brain:
        for _ in range(20):
            await brain.settle()
        assert brain.events.messages("PrepareFailed") == ["on node n: too hot (DeviceFault hot)"] * 2
        assert brain.failed_calls == [("n", "f")] * 2
        assert world.prepared() == {"c": [UUIDS[1]]}


async def test_a_fault_delays_a_claim(world: SimulatedWorld) -> None:
    world.node("n", effects=fault(delay_seconds=60.0))
    world.claim("c", "n", 1)
    world.claim("d", "n", 2)
    async with running(world) as brain:
        assert world.prepared() == {"d": [UUIDS[2]]}
        for _ in range(50):
            await brain.settle()
        assert world.prepared().keys() == {"c", "d"}
        assert brain.events.events == []


async def test_a_fault_keeps_a_claim_from_being_unprepared(world: SimulatedWorld) -> None:
    effects = FaultEffects(unprepare={"fake-1": (CallFault("stuck", UID("f"), message="it is stuck"),)})
    world.node("n", effects=effects)
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.release("c")
        world.claim("d", "n", 1)
        await brain.settle()
        assert brain.events.messages("UnprepareFailed") == ["on node n: it is stuck (DeviceFault stuck)"]
        (message,) = brain.events.messages("PrepareFailed")
        assert f"device {UUIDS[1]} is still prepared for claim default/c" in message
        assert world.prepared() == {"c": [UUIDS[1]]}
        world.node("n")
        await brain.settle()
        assert world.prepared() == {"d": [UUIDS[1]]}


@pytest.mark.parametrize("fields", [{"delay_seconds": 20.0}, {"message": "it is stuck", "times": 1}], ids=str)
async def test_a_claim_gets_its_devices_when_another_is_unprepared_at_last(
    world: SimulatedWorld, fields: Mapping[str, Any]
) -> None:
    world.node("n", effects=FaultEffects(unprepare={"fake-1": (CallFault("stuck", UID("f"), **fields),)}))
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.release("c")
        world.claim("d", "n", 1)
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[1]]}
        for _ in range(20):
            await brain.settle()
        assert world.prepared() == {"d": [UUIDS[1]]}
        assert len(brain.events.messages("PrepareFailed")) == 1
        assert len(world.read_claim("d").status.devices) == 1


async def test_a_claim_gets_its_devices_when_another_is_allocated_others(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.claim("d", "n", 1)
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[1]]}
        world.claim("c", "n", 2)
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[2]], "d": [UUIDS[1]]}


async def test_a_claim_that_comes_again_is_delayed_again(world: SimulatedWorld) -> None:
    world.node("n", effects=fault(delay_seconds=60.0))
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.release("c")
        for _ in range(50):
            await brain.settle()
        world.reserve("c")
        await brain.settle()
        assert world.prepared() == {}
        for _ in range(50):
            await brain.settle()
        assert world.prepared() == {"c": [UUIDS[1]]}


async def test_a_node_that_unprepares_late_leaves_what_a_claim_says_of_its_next_node(world: SimulatedWorld) -> None:
    slow = FaultEffects(unprepare={"fake-1": (CallFault("slow", UID("f"), delay_seconds=20.0),)})
    world.node("n", effects=slow)
    world.node("m")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.deallocate("c")
        await brain.settle()
        world.claim("c", "m", 2)
        for _ in range(50):
            await brain.settle()
        assert world.prepared("n") == {}
        assert world.prepared("m").keys() == {"c"}
        assert [each.pool for each in world.read_claim("c").status.devices] == ["m"]


async def test_nothing_is_remembered_of_the_claims_of_a_node_that_is_gone(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.remove("n")
        await brain.settle()
        world.api.delete(v1.ResourceClaim, "c", "default")
        await brain.settle()
        assert brain.reported() == set()


async def test_what_a_plugin_says_on_a_claim_is_not_taken_back(world: SimulatedWorld) -> None:
    world.node("n")
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.release("c")
        await brain.settle()
        world.change_state({"metadata": {"labels": TAKEN}, "status": "NotReady"})
        await brain.settle()
        world.reserve("c")
        for _ in range(30):
            await brain.settle()
        assert [each.pool for each in world.read_claim("c").status.devices] == ["n"]


@pytest.mark.parametrize(
    "said",
    [
        {"uuid": ["x"]},
        {"uuid": {"x": 1}},
        {"uuid": UUIDS[1], "model": ["x"]},
        {"uuid": UUIDS[1], "children": 5},
        {"uuid": UUIDS[1], "children": "text"},
    ],
    ids=str,
)
@pytest.mark.parametrize("position", [0, 1])
async def test_nonsense_on_a_claim_keeps_none_from_being_prepared(
    world: SimulatedWorld, said: Mapping[str, Any], position: int
) -> None:
    world.node("n")
    world.claim("c", "n", 1, 3, admin={3})
    async with running(world):
        good = world.read_claim("c").to_wire()["status"]["devices"]
    bad = [{**entry, "data": said} if index == position else entry for index, entry in enumerate(good)]
    world.api.update(v1.ResourceClaim, "c", "default", {"status": {"devices": bad}})
    world.claim("d", "n", 2)
    async with running(world):
        assert world.prepared() == {"c": [UUIDS[1]], "d": [UUIDS[2]]}
        assert world.read_claim("c").to_wire()["status"]["devices"] == good


async def test_a_device_that_vanishes_is_not_ready(world: SimulatedWorld) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        world.claim("c", "n", 1)
        await brain.settle()
        world.node("n", 2, effects=FaultEffects(vanished=frozenset({"fake-1"})))
        await brain.settle()
        assert len(world.state().spec.allocatable_device) == 1
        assert world.prepared() == {"c": [UUIDS[1]]}
        (device,) = world.read_claim("c").status.devices
        assert [(one.status, one.reason) for one in device.conditions or ()] == [("False", "Vanished")]
        (message,) = brain.events.messages("DeviceGone")
        assert f"does not have device fake-1 ({UUIDS[1]}) any more" in message
    async with running(world) as brain:
        assert brain.events.events == []


async def test_a_plugin_that_a_fault_withholds_is_not_ready(world: SimulatedWorld) -> None:
    world.node("n", effects=FaultEffects(deregistered=True))
    world.claim("c", "n", 1)
    async with running(world) as brain:
        assert (world.state().status, world.prepared()) == ("NotReady", {})
        world.node("n")
        await brain.settle()
        assert (world.state().status, world.prepared()) == ("Ready", {"c": [UUIDS[1]]})


async def test_failures_of_a_fault_that_is_gone_are_forgotten(world: SimulatedWorld) -> None:
    world.node("n", effects=fault(message="too hot", times=1))
    world.claim("c", "n", 1)
    async with running(world) as brain:
        for _ in range(10):
            await brain.settle()
        assert world.prepared() == {"c": [UUIDS[1]]}
        world.node("n")
        await brain.settle()
        assert brain.counted_faults() == {"f"}, "it may hit the node again"
        world.fleet.faults_gone.add(UID("f"))
        world.node("n")
        await brain.settle()
        assert brain.counted_faults() == set()


# --- Who speaks for a node


@pytest.mark.parametrize(("status", "word"), [("Ready", ""), ("NotReady", "false"), ("Ready", "false")])
async def test_the_object_of_a_plugin_is_left_alone(world: SimulatedWorld, status: str, word: str) -> None:
    world.node("n")
    plugins(world, status, word=word, allocatableDevice=[{"fake": {"uuid": "u", "name": "m"}}])
    async with running(world) as brain:
        world.node("n", 3)
        await brain.settle()
        assert world.state().to_wire()["spec"] == {"allocatableDevice": [{"fake": {"uuid": "u", "name": "m"}}]}
        assert (world.state().status, labels(world).get(SIMULATED_LABEL, "")) == (status, word)
        (message,) = brain.events.messages("SimulatedNodeServed")
        assert "delete this NodeAllocationState" in message


async def test_the_object_that_a_plugin_has_left_is_taken_over(world: SimulatedWorld) -> None:
    world.node("n", 2)
    plugins(world, "NotReady", allocatableDevice=[{"fake": {"uuid": "u", "name": "m"}}])
    async with running(world):
        assert (world.state().status, labels(world)) == ("Ready", ONES)
        assert [each.fake.uuid for each in world.state().spec.allocatable_device if each.fake] == list(UUIDS[:2])
        assert [owner.kind for owner in world.state().metadata.owner_references] == ["Node"]


async def test_a_plugin_that_starts_is_given_way(world: SimulatedWorld) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        brain.writes()
        world.change_state({"metadata": {"labels": TAKEN}, "status": "NotReady"})
        await brain.settle()
        world.claim("c", "n", 1)
        await brain.settle()
        assert world.prepared() == {}
        assert len(brain.events.messages("SimulatedNodeServed")) == 1
        world.change_state({"metadata": {"labels": None}, "status": "NotReady"})
        await brain.settle()
        assert (world.state().status, labels(world)) == ("Ready", ONES)
        assert world.prepared() == {"c": [UUIDS[1]]}


async def test_a_node_that_is_not_simulated_any_more_is_left_to_a_plugin(world: SimulatedWorld) -> None:
    world.node("n", 2)
    world.claim("c", "n", 1)
    async with running(world) as brain:
        world.remove("n")
        for _ in range(5):
            await brain.settle()
        assert (world.state().status, labels(world), world.prepared()) == ("NotReady", {}, {})
        assert len(world.state().spec.allocatable_device) == 2


@pytest.mark.parametrize("is_late", [False, True])
async def test_an_object_that_goes_with_its_node_is_not_written(world: SimulatedWorld, *, is_late: bool) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        brain.writes()
        world.remove("n")
        if is_late:
            await brain.settle()
        world.api.delete(NodeAllocationState, "n", NAMESPACE)
        for _ in range(5):
            await brain.settle()
        assert brain.writes() == []
        assert brain.nodes_left() == set(), "nothing is remembered of the node"
