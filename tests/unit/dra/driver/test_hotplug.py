"""A node of any driver on the embedded API server, whose devices come, go, and change while claims hold them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node, ObjectReference
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.device import Capacity, Device
from fake_dra_driver.dra.driver.inventory import Inventory
from fake_dra_driver.dra.driver.node import DriverPreparedModel
from fake_dra_driver.dra.driver.parameters import config_document
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.driver.structured import DriverPool
from fake_dra_driver.dra.driver.structuredconfig import DriverConfigs
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, PublishedClaims
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.deviceerror import DeviceInUseError, DeviceMissingError
from fake_dra_driver.dra.node.health import Health, HealthReports
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.setup import NodeParts
from fake_dra_driver.dra.structured.config import ConfigError
from fake_dra_driver.dra.structured.nodesetup import StructuredNode
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.manager import Manager
from tests.support.disk import MemoryFiles
from tests.support.events import Recorder
from tests.unit.dra.driver.bulbs import DRIVER, PLAIN, RED, BulbConfig, BulbDriver, config
from tests.unit.dra.driver.lamp import NODE

pytestmark = pytest.mark.looptime(noop_cycles=1)

AWHILE_SECONDS = 5.0
"""For everything that is written behind."""
AT_ONCE_SECONDS = 1.0
STRIP = Device("strip", capacity={"watts": Capacity("100", default="10", least="10", step="10")}, shared=True)


async def _no_successor() -> bool:
    return False


async def _no_classic_claim(claim: ClassicClaim) -> Sequence[DriverPreparedDevice]:
    raise AssertionError(f"{claim} of a kubelet that speaks structured DRA")


class NothingPublished(PublishedClaims[DriverPreparedDevice]):
    """A node without a NodeAllocationState."""

    @override
    def listed(self) -> Sequence[ClaimInUse[DriverPreparedDevice]]:
        return ()

    @override
    def abandoned(self) -> AbstractSet[str]:
        return frozenset()


class StreetDriver(BulbDriver):
    """Bulbs that are screwed in and out. Coroutines, for a loop whose time a test moves."""

    def __init__(self) -> None:
        self.bulbs: list[Device] = [RED, PLAIN]
        self.lit: set[str] = set()
        self.changed: Callable[[], None] = lambda: None

    @override
    async def devices(self, node: str) -> Iterable[Device]:
        return self.bulbs

    @override
    async def watch(self, node: str, changed: Callable[[], None]) -> None:
        self.changed = changed
        await asyncio.Event().wait()

    @override
    async def prepare(self, device: AllocatedDevice[BulbConfig]) -> ContainerEdits:
        self.lit.add(device.name)
        return ContainerEdits(env={f"BULB_{device.index}": f"{device.name} {device.config.color}"})

    @override
    async def unprepare(self, device: AllocatedDevice[BulbConfig]) -> None:
        self.lit.discard(device.name)

    async def has(self, *bulbs: Device) -> None:
        """From now on these are the devices of the node, and time enough has passed for what follows at once."""
        self.bulbs = list(bulbs)
        self.changed()
        await asyncio.sleep(AT_ONCE_SECONDS)


# Made once, as a program does before its event loop: pydantic reads the source of the models that it makes.
config_document(StreetDriver)


class Plugin:
    """One process of the kubelet plugin."""

    def __init__(self, parts: NodeParts[DriverPreparedDevice], health: HealthReports) -> None:
        self.prepare, self.unprepare = parts.driver.prepare, parts.driver.unprepare
        self._health = health

    def ill(self) -> dict[str, str]:
        """By device that is not healthy: what the kubelet is told about it."""
        reported = self._health.devices or ()
        return {each.device_name: each.message for each in reported if each.health is not Health.HEALTHY}


class Street:
    """An API server, and what outlives a plugin on its node."""

    def __init__(self, release: str = "1.37") -> None:
        self.server = ApiServer(seed=1, now=lambda: datetime(2026, 1, 2, tzinfo=UTC), kubernetes_version=release)
        self.admin = self.server.client("admin")
        self.driver = StreetDriver()
        self.files = MemoryFiles()
        self.events = Recorder()

    @asynccontextmanager
    async def plugin(self) -> AsyncIterator[Plugin]:
        """A process that has had the time to publish what there is."""
        client = self.server.client("plugin")
        cache = Cache(client)
        calls = AuthorCalls(self.driver)
        inventory = Inventory(calls, NODE)
        await inventory.start()
        model = DriverPreparedModel(calls, DriverNames.of(DRIVER), inventory.get)
        checkpoint = Checkpoint(self.files, Path("/plugin/checkpoint.json"), model)
        parts = NodeParts(
            node=NODE,
            model=model,
            files=NodeFiles(checkpoint, CdiFolder(self.files, Path("/var/run/cdi"), model)),
            classic=_no_classic_claim,
            published=NothingPublished(),
            states=cache.informer(Node),
            about=ObjectReference(api_version="v1", kind="Node", name=NODE),
            events=self.events,
            publish=lambda: None,
        )
        health = HealthReports()
        structured = StructuredNode.of(
            parts,
            NODE,
            DRIVER,
            DriverPool(DRIVER, NODE, inventory, DriverConfigs(calls)),
            lambda: checkpoint.claims,
            api=RESOURCE_APIS["v1"],
            cache=cache,
            client=client,
            events=self.events,
            health=health,
            is_superseded=_no_successor,
        )
        inventory.subscribe(structured.refresh)
        manager = Manager(client, cache, grace_period_seconds=0, signals=())
        manager.add_runnable("devices", inventory.run)
        manager.add_runnable("slices", structured.publisher.run)
        for controller in (*parts.controllers, structured.reports.controller):
            manager.add_controller(controller)
        await parts.start()
        parts.bind(structured.mode)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(manager.run(), name="manager")
            await asyncio.sleep(AWHILE_SECONDS)
            assert structured.publisher.not_published_reason() is None
            yield Plugin(parts, health)
            running.cancel()

    async def furnish(self) -> None:
        """Makes the node."""
        await self.admin.create(Node(metadata=ObjectMeta(name=NODE)))

    async def claim(self, name: str, *devices: str | dict[str, Any], **spec: Any) -> NodeClaim:
        """A claim that the scheduler has given these devices, for the request ``a``, with this configuration."""
        request = v1.DeviceRequest(name="a", exactly=v1.ExactDeviceRequest(device_class_name=DRIVER))
        wanted = v1.ResourceClaimSpec(devices=v1.DeviceClaim(requests=(request,)))
        metadata = ObjectMeta(name=name, namespace="default")
        claim = await self.admin.create(v1.ResourceClaim(metadata=metadata, spec=wanted))
        results = [
            {"request": "a", "driver": DRIVER, "pool": NODE, **({"device": each} if isinstance(each, str) else each)}
            for each in devices
        ]
        entries = [config(**spec)] if spec else []
        status = {"allocation": {"devices": {"results": results, "config": entries}}}
        allocated = claim.model_copy(update={"status": v1.ResourceClaimStatus.model_validate(status)})
        await self.admin.update(allocated, subresource="status")
        return NodeClaim("default", name, claim.uid)

    async def offered(self) -> dict[str, list[str]]:
        """By device in the slices of the node, in their order: the keys of its taints."""
        slices = (await self.admin.list(v1.ResourceSlice)).items
        return {device.name: [taint.key for taint in device.taints] for one in slices for device in one.spec.devices}


async def test_a_new_device_is_offered_at_once_and_one_that_is_gone_no_more() -> None:
    street = Street()
    await street.furnish()
    async with street.plugin():
        assert await street.offered() == {"lamp-0": [], "lamp-1": []}
        await street.driver.has(Device("lamp-2"), PLAIN)
        assert await street.offered() == {"lamp-2": [], "lamp-1": []}
    assert street.events.events == [], "the driver has changed its devices itself: nothing was repaired"


async def test_a_claim_keeps_a_device_that_is_gone_until_it_ends() -> None:
    street = Street()
    await street.furnish()
    claim = await street.claim("c", "lamp-1", color="blue")
    async with street.plugin() as plugin:
        ready = await plugin.prepare(claim)
        await street.driver.has(RED)
        assert await plugin.prepare(claim) == ready, "the kubelet was started again"
    async with street.plugin() as plugin:
        assert await plugin.prepare(claim) == ready, "and so was the plugin"
        late = await street.claim("late", "lamp-1")
        with pytest.raises(DeviceMissingError, match="this node has no device lamp-1"):
            await plugin.prepare(late)
        await plugin.unprepare(claim)
    assert street.driver.lit == set()
    assert street.files.names(Path("/var/run/cdi")) == []


async def test_a_claim_keeps_a_device_that_is_not_healthy_any_more() -> None:
    street = Street()
    await street.furnish()
    claim = await street.claim("c", "lamp-1")
    async with street.plugin() as plugin:
        ready = await plugin.prepare(claim)
        await street.driver.has(RED, replace(PLAIN, health=Health.UNHEALTHY, message="burnt out"))
        assert await street.offered() == {"lamp-0": [], "lamp-1": [f"{DRIVER}/unhealthy"]}
        assert plugin.ill() == {"lamp-1": "burnt out"}
        assert await plugin.prepare(claim) == ready
        await street.driver.has(RED, PLAIN)
        assert await street.offered() == {"lamp-0": [], "lamp-1": []}
        assert plugin.ill() == {}


async def test_an_api_server_without_taints_is_not_offered_what_is_not_healthy_and_that_is_said_once() -> None:
    street = Street("1.34")
    await street.furnish()
    street.driver.bulbs = [replace(RED, health=Health.UNHEALTHY), PLAIN]
    async with street.plugin() as plugin:
        assert await street.offered() == {"lamp-1": []}
        assert list(plugin.ill()) == ["lamp-0"]
        await street.driver.has(RED, replace(PLAIN, health=Health.UNHEALTHY))
        assert await street.offered() == {"lamp-0": []}
    (message,) = street.events.messages("ResourceSliceFieldsDropped")
    assert "devices[].taints" in message
    assert "DRADeviceTaints" in message


async def test_claims_share_a_device_and_one_that_wants_all_of_it_is_refused() -> None:
    street = Street()
    await street.furnish()
    street.driver.bulbs = [STRIP]
    ids = [f"{number}c2a0000-0000-4000-8000-000000000000" for number in range(2)]
    shares = [{"device": "strip", "shareID": share, "consumedCapacity": {"watts": "10"}} for share in ids]
    one, other = [await street.claim(f"c-{number}", share) for number, share in enumerate(shares)]
    greedy = await street.claim("greedy", "strip")
    async with street.plugin() as plugin:
        (device,) = (await street.admin.list(v1.ResourceSlice)).items[0].spec.devices
        assert device.allow_multiple_allocations
        ready = [await plugin.prepare(claim) for claim in (one, other)]
        assert len({each.cdi_device_ids for (each,) in ready}) == 2
        with pytest.raises(DeviceInUseError):
            await plugin.prepare(greedy)
        await asyncio.sleep(AWHILE_SECONDS)
        status = (await street.admin.get(v1.ResourceClaim, NamespacedName("default", "c-1"))).status
        assert [(each.share_id, each.data) for each in status.devices] == [(ids[1], {"capacity": {"watts": "10"}})]


async def test_an_api_server_without_shares_has_devices_for_one_claim_each_and_that_is_said_once() -> None:
    street = Street("1.34")
    await street.furnish()
    street.driver.bulbs = [STRIP]
    claim = await street.claim("c", "strip")
    async with street.plugin() as plugin:
        (ready,) = await plugin.prepare(claim)
        assert ready.share_id is None
        await street.driver.has(STRIP, PLAIN)
        assert list(await street.offered()) == ["strip", "lamp-1"]
    (message,) = street.events.messages("ResourceSliceFieldsDropped")
    assert "DRAConsumableCapacity" in message


async def test_what_cannot_be_used_is_refused_for_that_claim_alone() -> None:
    street = Street()
    await street.furnish()
    bad = await street.claim("bad", "lamp-0", color="green")
    good = await street.claim("good", "lamp-1", color="green")
    async with street.plugin() as plugin:
        with pytest.raises(ConfigError, match=r'device lamp-0.*does not fit BulbConfig \{"color":"green"\}'):
            await plugin.prepare(bad)
        (ready,) = await plugin.prepare(good)
    assert (ready.pool_name, ready.device_name, ready.request_names) == (NODE, "lamp-1", ("a",))
