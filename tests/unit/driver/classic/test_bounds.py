"""A slow or silent API server lets nothing grow without end: what waits is one entry for each thing, whatever happens.

The queue of Events and its memory are bounded in ``tests/unit/runtime``; here are the driver's own.
"""

import asyncio
from typing import Any

import pytest

from fake_dra_driver.api.fake import AllocatedDevices, AllocatedFake, AllocatedFakes, NodeAllocationState
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.dra.classic.ledger import Ledger, LedgerChangedError
from fake_dra_driver.driver.classic.entry import FakeLedger
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.listwatch import Selection
from tests.support.memory_api import MemoryClient
from tests.support.node import STATE, NodeWorld
from tests.support.soundness import assert_sound
from tests.support.world import NAMESPACE, Brain, World

pytestmark = pytest.mark.looptime

WORKERS = 4
"""Of each controller of a ``Brain``."""


class Silence:
    """An API server that takes writes and does not answer before ``end``."""

    def __init__(self) -> None:
        self.waiting = 0
        self.most = 0
        self._over = asyncio.Event()

    async def __call__(self, verb: str, kind: str) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await self._over.wait()
        finally:
            self.waiting -= 1

    def end(self) -> None:
        self._over.set()


# --- The controller ---


async def test_claims_that_keep_changing_are_queued_once_each() -> None:
    """A thousand changes of forty claims, of which none can be worked on."""
    world = World()
    world.node("n", devices=8)
    claims = [f"c{number}" for number in range(40)]
    for claim in claims:
        world.claim(claim)
        world.pod(f"pod-{claim}", [claim], selected="n")
    brain, silence = Brain(world), Silence()
    brain.client.before_write = silence
    async with brain.running():
        for turn in range(25):
            for claim in claims:
                world.api.update(ResourceClaim, claim, "default", {"metadata": {"labels": {"turn": str(turn)}}})
            brain.deliver()
            await asyncio.sleep(1)
        depths = {name: len(controller._queue) for name, controller in brain.controllers.items()}
        assert depths["podschedulingcontext"] <= len(claims)
        assert depths["resourceclaim"] <= len(claims)
        assert silence.most <= 2 * WORKERS, "no more requests are under way than there are workers"
        silence.end()
        await brain.settle()
    assert_sound(world)
    assert sum(world.read_claim(claim).status.allocation is not None for claim in claims) == 8, "what there is"


def entry(number: int) -> AllocatedDevices:
    return AllocatedDevices(fake=AllocatedFakes(devices=(AllocatedFake(uuid=f"n-{number}"),)))


async def test_writes_that_wait_for_a_ledger_are_merged_into_one() -> None:
    world = World()
    world.node("n", devices=100)
    client, silence = MemoryClient(world.api), Silence()
    ledger, _ = follow(world, client)
    client.before_write = silence
    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(ledger.put("n", {UID(f"claim-{number}"): entry(number)}), name=f"put-{number}")
        await asyncio.sleep(1)
        assert silence.waiting == 1
        silence.end()
    assert [call for call in client.calls if call[0] == "json_patch"] == [("json_patch", "NodeAllocationState")]
    assert len(world.api.read(NodeAllocationState, "n", NAMESPACE).spec.allocated_claims) == 100


async def test_callers_that_time_out_leave_nothing_in_the_ledgers_queue() -> None:
    world = World()
    world.node("n", devices=100)
    client, silence = MemoryClient(world.api), Silence()
    ledger, _ = follow(world, client)
    client.before_write = silence
    async with asyncio.TaskGroup() as group:
        first = group.create_task(ledger.put("n", {UID("claim-0"): entry(0)}), name="first")
        await asyncio.sleep(1)
        for number in range(1, 100):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await ledger.put("n", {UID(f"claim-{number}"): entry(number)})
        silence.end()
        await first
    await ledger.put("n", {UID("next"): entry(1)})
    assert list(world.api.read(NodeAllocationState, "n", NAMESPACE).spec.allocated_claims) == ["claim-0", "next"]


def follow(world: World, client: MemoryClient) -> tuple[FakeLedger, Informer[NodeAllocationState]]:
    """A ledger whose cache has seen everything so far."""
    states = Informer(NodeAllocationState, Selection(NodeAllocationState.resource, None, "", ""))
    ledger = Ledger(FakeStateLayout(), client, states, NAMESPACE)
    deliver(world, states)
    client.add_write_observer(lambda kind, raw: states.observe(raw))
    return ledger, states


def deliver(world: World, states: Informer[Any]) -> None:
    for event, kind, wire in world.api.events:
        if kind == states.kind.resource.kind:
            states.handle(event, wire)


async def test_nodes_that_come_and_go_are_not_remembered() -> None:
    world = World()
    client = MemoryClient(world.api)
    ledger, states = follow(world, client)
    for number in range(50):
        world.node(f"node-{number}")
        deliver(world, states)
        await ledger.put(f"node-{number}", {UID("claim"): entry(0)})
        world.api.delete(NodeAllocationState, f"node-{number}", NAMESPACE)
        deliver(world, states)
    assert len(ledger._nodes) == 0


async def test_a_mark_is_void_once_its_node_went_and_came_back() -> None:
    """Rule 5: the writer that made the ledger again may have written the very entry that is to be taken out."""
    world = World()
    world.node("n")
    client = MemoryClient(world.api)
    ledger, states = follow(world, client)
    await ledger.put("n", {UID("claim"): entry(0)})
    mark = ledger.mark("n")
    world.api.delete(NodeAllocationState, "n", NAMESPACE)
    deliver(world, states)
    world.node("n")
    again = {"spec": {"allocatedClaims": {"claim": entry(0).to_wire()}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, again)
    deliver(world, states)
    with pytest.raises(LedgerChangedError):
        await ledger.remove("n", UID("claim"), mark)


async def test_timings_are_forgotten_with_their_object() -> None:
    world = World()
    world.node("n", devices=0)
    brain = Brain(world)
    async with brain.running():
        for number in range(20):
            world.claim(f"c{number}", mode="Immediate")
            world.claim(f"d{number}")
            world.pod(f"pod-{number}", [f"d{number}"], selected="n")
        await brain.settle()
        for number in range(20):
            world.api.delete(ResourceClaim, f"c{number}", "default")
            world.api.delete(PodSchedulingContext, f"pod-{number}", "default")
        await brain.settle()
        claims = brain.controllers["resourceclaim"]._reconciler
        contexts = brain.controllers["podschedulingcontext"]._reconciler
        assert [len(watch._since) for watch in (claims._asked, contexts._selected)] == [0, 0]  # type: ignore[attr-defined]


# --- The kubelet plugin ---


async def test_changes_during_a_publication_lead_to_one_more() -> None:
    """Two hundred of them: each claim is prepared and unprepared again and again."""
    world = NodeWorld()
    plugin = await world.start()
    await plugin.settle()
    claims = [world.claim(f"c{number}", number) for number in range(4)]
    plugin.deliver()
    silence = Silence()
    plugin.client.before_write = silence
    plugin.client.requests()
    controller = Controller("nodeallocationstate", plugin.publisher)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(controller.run(), name="controller")
        for turn in range(50):
            for claim in claims:
                await (plugin.driver.unprepare if turn % 2 else plugin.driver.prepare)(claim)
                controller.enqueue(STATE)
                await asyncio.sleep(0.1)
                assert silence.waiting == 1
                assert len(controller._queue) <= 1
        await plugin.driver.prepare(claims[1])
        controller.enqueue(STATE)
        silence.end()
        await asyncio.sleep(5)
        running.cancel()
    assert [verb for verb, _ in plugin.client.requests() if verb.endswith("patch")] == ["json_patch"] * 2
    assert list(world.state()["spec"]["preparedDevices"]) == [claims[1].uid], "the last state is what is there"
