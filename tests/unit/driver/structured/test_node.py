"""A whole node of structured DRA on the embedded API server, in each version that clusters serve."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Namespace
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.health import HealthReports
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.structured.nodesetup import StructuredNode
from fake_dra_driver.driver.classic.helddevices import make_claim_lookup
from fake_dra_driver.driver.live.source import SteadyNode
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.structured.pool import FakePool
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.manager import Manager
from tests.support.disk import MemoryFiles
from tests.support.events import Recorder
from tests.support.fakenode import FakeNodeParts, fake_node_parts
from tests.support.node import CDI_ROOT, CHECKPOINT, INVENTORY, NODE, STATE, UUIDS
from tests.support.structurednode import parameters, result

pytestmark = pytest.mark.looptime(noop_cycles=1)

CRDS = Path(__file__).parents[4] / "crds"
KEY = NamespacedName("default", "c")
AWHILE_SECONDS = 5.0
"""For everything that is written behind."""


async def _no_successor() -> bool:
    return False


class World:
    """An API server, and what outlives a plugin on its node."""

    def __init__(self, release: str, version: str) -> None:
        self.server = ApiServer(seed=1, now=lambda: datetime(2026, 1, 2, tzinfo=UTC), kubernetes_version=release)
        self.admin = self.server.client("admin")
        self.api = RESOURCE_APIS[version]
        self.files = MemoryFiles()
        self.events = Recorder()

    async def furnish(self) -> None:
        for path in sorted(CRDS.glob("*.yaml")):
            await self.admin.create(CustomResourceDefinition.from_wire(yaml.safe_load(path.read_text())))
        for obj in (Namespace(metadata=ObjectMeta(name=STATE.namespace)), Node(metadata=ObjectMeta(name=NODE))):
            await self.admin.create(obj)

    @asynccontextmanager
    async def plugin(self) -> AsyncIterator[FakeNodeParts]:
        """One process, which has had the time to publish what there is."""
        client = self.server.client("plugin")
        cache = Cache(client)
        model = FakePreparedModel(NODE)
        checkpoint = Checkpoint(self.files, CHECKPOINT, model)
        planner = FakePlanner(lambda: fake_node(NODE, INVENTORY), lambda: checkpoint.claims)
        cdi = CdiFolder(self.files, CDI_ROOT, model)
        states = cache.informer(NodeAllocationState, namespace=STATE.namespace)
        parts = fake_node_parts(
            state_key=STATE,
            inventory=INVENTORY,
            model=model,
            planner=planner,
            files=NodeFiles(checkpoint, cdi),
            classic=make_claim_lookup(STATE, states, client, planner).devices,
            states=states,
            client=client,
            events=self.events,
            is_serving=lambda: True,
            has_successor=_no_successor,
        )
        structured = StructuredNode.of(
            parts,
            NODE,
            DRIVER_NAME,
            FakePool(SteadyNode(fake_node(NODE, INVENTORY)), planner),
            lambda: checkpoint.claims,
            api=self.api,
            cache=cache,
            client=client,
            events=self.events,
            health=HealthReports(),
            is_superseded=_no_successor,
        )
        manager = Manager(client, cache, grace_period_seconds=0, signals=())
        manager.add_runnable("slices", structured.publisher.run)
        for controller in (*parts.controllers, structured.reports.controller):
            manager.add_controller(controller)
        await parts.start()
        parts.bind(structured.mode)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(manager.run(), name="manager")
            await asyncio.sleep(AWHILE_SECONDS)
            assert structured.publisher.not_published_reason() is None
            yield parts
            running.cancel()

    async def allocate(self) -> NodeClaim:
        """Two devices for the claim ``c``, each split in two."""
        request = v1.DeviceRequest(name="fakes", exactly=v1.ExactDeviceRequest(device_class_name="fake.3-shake.com"))
        spec = v1.ResourceClaimSpec(devices=v1.DeviceClaim(requests=(request,)))
        metadata = ObjectMeta(name=KEY.name, namespace=KEY.namespace)
        claim = await self.admin.create(self.api.claims(metadata=metadata, spec=spec))
        devices = v1.DeviceAllocationResult(results=(result(0), result(1)), config=(parameters(split=2),))
        allocation = v1.AllocationResult(devices=devices)
        consumer = v1.ConsumerReference(resource="pods", name="p", uid=UID("pod-uid"))
        status = v1.ResourceClaimStatus(allocation=allocation, reserved_for=(consumer,))
        await self.admin.update(claim.model_copy(update={"status": status}), subresource="status")
        return NodeClaim(KEY.namespace, KEY.name, claim.uid)


@pytest.mark.parametrize(("release", "version"), [("1.32", "v1beta1"), ("1.33", "v1beta2"), ("1.37", "v1")])
async def test_a_claim_is_prepared_and_everything_says_so(release: str, version: str) -> None:
    world = World(release, version)
    await world.furnish()
    async with world.plugin() as parts:
        slices = (await world.admin.list(world.api.slices)).items
        assert [device.name for one in slices for device in one.spec.devices] == [f"fake-{n}" for n in range(8)]
        claim = await world.allocate()
        ready = await parts.driver.prepare(claim)
        assert [device.device_name for device in ready] == ["fake-0", "fake-1"]
        await asyncio.sleep(AWHILE_SECONDS)
        state = await world.admin.get(NodeAllocationState, STATE)
        assert [len(each.fake.devices) for each in state.spec.prepared_devices.values() if each.fake] == [4]
        found = await world.admin.get(world.api.claims, KEY)
        if release == "1.32":
            assert found.status.devices == (), "the feature gate is off by default"
            assert "feature gate DRAResourceClaimDeviceStatus" in world.events.messages("DeviceStatusNotWritten")[0]
        else:
            assert [device.data["uuid"] for device in found.status.devices] == list(UUIDS[:2])
        await parts.driver.unprepare(claim)
        await asyncio.sleep(AWHILE_SECONDS)
        state = await world.admin.get(NodeAllocationState, STATE)
        assert not state.spec.prepared_devices


async def test_a_restart_without_a_change_writes_nothing() -> None:
    world = World("1.37", "v1")
    await world.furnish()
    claim = await world.allocate()
    async with world.plugin() as parts:
        first = await parts.driver.prepare(claim)
        await asyncio.sleep(AWHILE_SECONDS)
    revision = world.server._parts.store.revisions.current
    async with world.plugin() as parts:
        assert await parts.driver.prepare(claim) == first
        await asyncio.sleep(AWHILE_SECONDS)
    assert world.server._parts.store.revisions.current == revision


async def test_a_checkpoint_that_is_lost_while_a_plugin_runs_is_rebuilt_at_its_next_turn() -> None:
    world = World("1.37", "v1")
    await world.furnish()
    claim = await world.allocate()
    async with world.plugin() as parts:
        await parts.driver.prepare(claim)
        await asyncio.sleep(AWHILE_SECONDS)
        del world.files.contents[CHECKPOINT]
        await parts.refresh()
        await asyncio.sleep(AWHILE_SECONDS)
        assert world.events.messages("CheckpointRebuilt")
    checkpoint = Checkpoint(world.files, CHECKPOINT, FakePreparedModel(NODE))
    await checkpoint.load()
    assert (checkpoint.is_complete, list(checkpoint.claims)) == (True, [claim.uid])
