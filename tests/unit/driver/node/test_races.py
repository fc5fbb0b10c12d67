"""Many who work on the node at once: claims by the hundred, the clean-up and the start beside the kubelet."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.inventory import Device, make_inventory
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.driver.classic.handle import ClaimHandle, HandleDevice
from fake_dra_driver.runtime.errors import NotFoundError, Status, TransportError
from tests.support.disk import MemoryFiles
from tests.support.node import CDI_ROOT, CHECKPOINT, NODE, STATE, NodeWorld, Plugin, settle

pytestmark = pytest.mark.looptime


class SlowFiles(MemoryFiles):
    """A disk whose writes of the checkpoint wait for ``go_on`` while ``is_slow``."""

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = False
        self.reached = threading.Event()
        self.listed = threading.Event()
        self.go_on = threading.Event()

    @override
    def write(self, path: Path, data: bytes, mode: int) -> None:
        if path == CHECKPOINT and self.is_slow:
            self.reached.set()
            assert self.go_on.wait(10)
        super().write(path, data, mode)

    @override
    def names(self, folder: Path) -> Sequence[str]:
        found = super().names(folder)
        self.listed.set()
        return found


@pytest.fixture
def files() -> SlowFiles:
    return SlowFiles()


@pytest.fixture
def world(files: SlowFiles) -> NodeWorld:
    world = NodeWorld()
    world.files = files
    return world


@pytest.fixture
async def plugin(world: NodeWorld) -> Plugin:
    plugin = await world.start()
    await plugin.settle()
    plugin.client.requests()
    return plugin


async def start_plugin(files: MemoryFiles, inventory: Sequence[Device]) -> Plugin:
    """A plugin with other devices than those of ``tests.support.node``."""
    world = NodeWorld(inventory=inventory)
    world.files = files
    return await world.start()


def node_claim(number: int, device: Device) -> ClassicClaim:
    data = ClaimHandle(devices=(HandleDevice(uuid=device.uuid),)).to_data()
    return ClassicClaim("default", f"c{number}", UID(f"uid-{number}"), data)


async def test_a_hundred_claims_at_once_share_the_writes_of_the_checkpoint(files: SlowFiles) -> None:
    inventory = make_inventory(NODE, 100, ["M"])
    plugin = await start_plugin(files, inventory)
    driver, checkpoint = plugin.driver, plugin.checkpoint
    claims = [node_claim(number, device) for number, device in enumerate(inventory)]
    files.is_slow = True
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(driver.prepare(claim)) for claim in claims]
        await asyncio.to_thread(files.reached.wait)
        while sum(path.parent == CDI_ROOT for path in files.contents) < 101:
            await asyncio.to_thread(lambda: None)  # the others' files are written meanwhile
        await settle()
        files.go_on.set()
    assert [ready.device_name for call in calls for ready in call.result()] == [device.uuid for device in inventory]
    assert len(checkpoint.claims) == 100
    assert files.operations.count(("write", CHECKPOINT)) <= 3
    await asyncio.gather(*(driver.unprepare(claim) for claim in claims))
    assert checkpoint.claims == {}
    assert [path.name for path in files.contents if path.parent == CDI_ROOT] == [
        "k8s.fake.resource.3-shake.com-fake_common.yaml"
    ]


async def test_a_claim_keeps_its_devices_when_the_node_is_given_fewer(files: SlowFiles) -> None:
    inventory = make_inventory(NODE, 2, ["M"])
    plugin = await start_plugin(files, inventory)
    kept, other = node_claim(1, inventory[1]), node_claim(2, inventory[1])
    names = await plugin.prepare(kept)
    plugin = await start_plugin(files.after_stop(CDI_ROOT), inventory[:1])
    assert await plugin.prepare(kept) == names
    assert list(plugin.checkpoint.claims) == [kept.uid]
    await plugin.driver.unprepare(kept)
    with pytest.raises(PrepareError, match=f"this node has no device {inventory[1].uuid}"):
        await plugin.driver.prepare(other)


async def test_a_server_that_does_not_serve_claims_is_no_proof_that_one_is_gone(
    world: NodeWorld, plugin: Plugin
) -> None:
    first = world.claim("first", 0)
    await plugin.driver.prepare(first)
    world.forget(first)

    async def not_served(verb: str, kind: str) -> None:
        status = Status(404, "NotFound", "the server could not find the requested resource")
        raise NotFoundError(status, verb, ResourceClaim.resource, STATE)

    plugin.client.after_read = not_served
    with pytest.raises(PrepareError, match="cannot find out whether claim default/first still holds its devices"):
        await plugin.driver.prepare(world.claim("second", 0, in_ledger=False))
    with pytest.raises(NotFoundError):
        await plugin.reconcile()
    world.assert_sound(first)


async def test_a_briefly_unavailable_api_server_is_waited_for(world: NodeWorld, plugin: Plugin) -> None:
    first, second = world.claim("first", 0), world.claim("second", 0)
    await plugin.driver.prepare(first)
    world.release(first)
    failures = iter([True, True])

    async def away(verb: str, kind: str) -> None:
        if next(failures, False):
            raise TransportError(verb, ResourceClaim.resource, STATE, "connection refused")

    plugin.client.after_read = away
    await plugin.driver.prepare(second)
    world.assert_sound(second)


async def test_a_device_is_free_only_once_its_record_is_removed(
    world: NodeWorld, plugin: Plugin, files: SlowFiles
) -> None:
    """Else a write that fails would leave two claims with one device."""
    await plugin.driver.prepare(world.claim("first", 0))
    first, second = world.claim("first", 1), world.claim("second", 0)
    files.is_slow = True
    async with asyncio.TaskGroup() as group:
        group.create_task(plugin.driver.prepare(first))
        await asyncio.to_thread(files.reached.wait)
        group.create_task(plugin.driver.prepare(second))
        await settle()
        files.go_on.set()
        await settle()
    assert [path for operation, path in files.operations if operation == "write"][-3:] == [
        CHECKPOINT,
        CDI_ROOT / f"k8s.fake.resource.3-shake.com-fake_{second.uid}.yaml",
        CHECKPOINT,
    ]
    world.assert_sound(first, second)


async def test_two_claims_with_one_device_do_not_keep_a_checkpoint_from_being_rebuilt(world: NodeWorld) -> None:
    """The ledger was edited into a dispute: the first claim keeps the device, the node goes on."""
    first, _, other = world.claim("a", 0), world.claim("b", 0, in_ledger=False), world.claim("c", 1)
    plugin = await world.start()
    await plugin.settle()
    assert plugin.checkpoint.is_complete
    world.assert_sound(first, other)


async def test_a_clean_up_that_looked_before_a_prepare_does_not_undo_it(world: NodeWorld, plugin: Plugin) -> None:
    """The claim is deallocated and allocated again while its clean-up waits for what the API server says."""
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.release(claim)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly(verb: str, kind: str) -> None:
        asked.set()
        await answer.wait()

    plugin.client.after_read = slowly
    async with asyncio.TaskGroup() as group:
        clean_up = group.create_task(plugin.preparer.unprepare_if_stale(claim.uid))
        await asked.wait()
        world.claim("c", 0)
        prepare = group.create_task(plugin.driver.prepare(claim))
        await settle()
        assert not prepare.done(), "prepared what the clean-up is about to end"
        answer.set()
    assert clean_up.result()
    world.assert_sound(claim)


async def test_a_file_of_a_claim_that_is_being_prepared_is_no_orphan(
    world: NodeWorld, plugin: Plugin, files: SlowFiles
) -> None:
    claim = world.claim("c", 0)
    files.is_slow = True
    async with asyncio.TaskGroup() as group:
        group.create_task(plugin.driver.prepare(claim))
        await asyncio.to_thread(files.reached.wait)
        files.listed.clear()
        group.create_task(plugin.recovery.remove_orphans())
        await asyncio.to_thread(files.listed.wait)
        await settle()
        files.go_on.set()
    world.assert_sound(claim)
