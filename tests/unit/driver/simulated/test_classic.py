"""Simulated nodes in classic DRA: what the ledger has for a claim is prepared as soon as a pod may use it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.inventory import make_uuids
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.driver.classic.simulatedsetup import simulated_states
from fake_dra_driver.driver.simulated.handover import ServedNodes
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.claimworld import NOW, ControllerProcess
from tests.support.events import Recorder
from tests.support.simulatedworld import NAMESPACE, WRITES, SimulatedWorld

pytestmark = pytest.mark.looptime

NAS = NodeAllocationState.resource.kind
UUIDS = make_uuids("n", 8)


class ClassicBrain(ControllerProcess):
    """The part of the controller that speaks for simulated nodes."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        world.fleet.forget_subscribers()
        super().__init__(world.api, self._make)

    def _make(self, client: Client, cache: Cache, events: Recorder, metrics: Metrics) -> Iterable[Controller]:
        fleet = self._world.fleet
        served = ServedNodes(cache.informer(NodeAllocationState, namespace=NAMESPACE), NAMESPACE)
        fleet.is_served = served.is_served_by_plugin
        served.subscribe(fleet.look)
        wiring = ControllerWiring(client, cache, events, metrics, NAMESPACE, 4, lambda: NOW)
        return (simulated_states(wiring, fleet).controller,)

    def writes(self) -> list[tuple[str, str]]:
        """What was written since the last time."""
        found, self.client.calls = self.client.calls, []
        return [call for call in found if call[0] in WRITES]


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld()


@asynccontextmanager
async def running(world: SimulatedWorld) -> AsyncIterator[ClassicBrain]:
    """A fresh controller that has done what there was to do."""
    brain = ClassicBrain(world)
    async with brain.running():
        await brain.settle()
        yield brain


def allocate(world: SimulatedWorld, name: str, *entry: Mapping[str, Any], users: Sequence[str] = ("pods",)) -> str:
    """A claim as the controller of classic DRA has allocated it; returns its UID."""
    status: dict[str, Any] = {"driverName": DRIVER_NAME, "allocation": {"shareable": True}}
    status["reservedFor"] = [{"resource": user, "name": "p", "uid": "p"} for user in users]
    wire = {"metadata": {"name": name, "namespace": "default"}, "spec": {"resourceClassName": "c"}, "status": status}
    uid: str = world.api.apply(ResourceClaim.from_wire(wire))["metadata"]["uid"]
    world.change_state({"spec": {"allocatedClaims": {uid: {"fake": {"devices": list(entry)}}}}})
    return uid


async def test_a_claim_is_prepared_while_a_pod_may_use_it(world: SimulatedWorld) -> None:
    world.node("n", 4)
    async with running(world) as brain:
        assert brain.writes() == [("create", NAS)]
        allocate(world, "c", {"uuid": UUIDS[2]}, {"uuid": UUIDS[1], "split": 2})
        await brain.settle()
        assert brain.writes() == [("json_patch", NAS)]
        assert world.prepared() == {"c": [UUIDS[2], *children(UUIDS[1], 2)]}
    async with running(world) as brain:
        assert brain.writes() == []
        world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
        await brain.settle()
        assert brain.writes() == [("json_patch", NAS)]
        assert world.prepared() == {}


@pytest.mark.parametrize("users", [(), ("things",)])
async def test_a_claim_that_no_pod_may_use_is_not(world: SimulatedWorld, users: Sequence[str]) -> None:
    world.node("n", 4)
    async with running(world) as brain:
        allocate(world, "c", {"uuid": UUIDS[0]}, users=users)
        await brain.settle()
        assert world.prepared() == {}


async def test_a_claim_that_is_gone_is_not_prepared_any_more(world: SimulatedWorld) -> None:
    world.node("n", 4)
    async with running(world) as brain:
        uid = allocate(world, "c", {"uuid": UUIDS[0]})
        await brain.settle()
        assert world.prepared().keys() == {"c"}
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()
        assert world.prepared() == {}
        assert world.state().spec.allocated_claims.keys() == {uid}, "the ledger is not this controller's"


async def test_a_device_that_there_is_not_is_told(world: SimulatedWorld) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        allocate(world, "c", {"uuid": UUIDS[5]})
        await brain.settle()
        (message,) = brain.events.messages("PrepareFailed")
        assert f"this node has no device {UUIDS[5]}" in message


async def test_a_claim_that_could_not_be_prepared_is_once_the_ledger_has_something_else_for_it(
    world: SimulatedWorld,
) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        allocate(world, "c", {"uuid": UUIDS[5]})
        await brain.settle()
        allocate(world, "c", {"uuid": UUIDS[1]})
        await brain.settle()
        assert world.prepared() == {"c": [UUIDS[1]]}
        allocate(world, "c", {"uuid": UUIDS[1], "split": 2})
        await brain.settle()
        assert world.prepared() == {"c": list(children(UUIDS[1], 2))}


async def test_a_claim_whose_devices_are_split_another_way_is_prepared_again_by_another_process(
    world: SimulatedWorld,
) -> None:
    world.node("n", 2)
    async with running(world) as brain:
        allocate(world, "c", {"uuid": UUIDS[1]})
        await brain.settle()
    allocate(world, "c", {"uuid": UUIDS[1], "split": 2})
    async with running(world):
        assert world.prepared() == {"c": list(children(UUIDS[1], 2))}
