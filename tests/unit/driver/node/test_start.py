"""Start, restart, reboot, and a checkpoint that is missing or damaged: every prepared claim is there again."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_dra_driver.api.fake import CDI_CLASS, CDI_VENDOR, DRIVER_NAME
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.node.recovery import REBUILD_PAUSE_SECONDS
from fake_dra_driver.driver.node.prepared import FakePreparedDevice, WantedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.runtime.errors import TransportError
from tests.support.node import CDI_ROOT, CHECKPOINT, NODE, UUIDS, NodeWorld, Plugin

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld()


async def with_claims(world: NodeWorld) -> list[ClassicClaim]:
    """Two claims are prepared and published, and then the process dies."""
    plugin = await world.start()
    await plugin.settle()
    claims = [world.claim("split", WantedDevice(UUIDS[0], 3)), world.claim("whole", 1, 2)]
    for claim in claims:
        await plugin.driver.prepare(claim)
    await plugin.settle()
    world.assert_sound(*claims)
    world.stop()
    return claims


def lose(world: NodeWorld) -> None:
    del world.files.contents[CHECKPOINT]


def damage(world: NodeWorld) -> None:
    world.files.contents[CHECKPOINT] = b"{"


UNIQUE_NAMES = re.compile(rb"- containerEdits:\n(?:    .*\n)+  name: \".+:.+\"\n")
"""What the first release does not write into a CDI file."""

FAULTS = pytest.mark.parametrize("fault", [lose, damage])


async def leave_file(world: NodeWorld, uid: str, device: str) -> None:
    """A CDI file of a claim, as an earlier driver has left it."""
    cdi = CdiFolder(world.files, CDI_ROOT, FakePreparedModel(NODE))
    await cdi.write_common()
    await cdi.write(PreparedClaim(uid, "default", uid, (FakePreparedDevice(device, "MODEL"),)))


def complete(plugin: Plugin) -> bool:
    """Whether the plugin knows of every claim that is prepared."""
    return plugin.checkpoint.is_complete


# --- With a checkpoint ---


async def test_the_first_start_ever(world: NodeWorld) -> None:
    plugin = await world.start()
    world.assert_sound()
    assert not complete(plugin)
    await plugin.settle()
    assert complete(plugin)
    world.assert_sound()


@pytest.mark.parametrize("emptied", [(), (CDI_ROOT,)], ids=["restart", "reboot"])
async def test_every_claim_is_prepared_before_any_request(world: NodeWorld, emptied: tuple[Path, ...]) -> None:
    claims = await with_claims(world)
    files = {path: data for path, data in world.files.contents.items() if path.parent == CDI_ROOT}
    world.stop(*emptied)
    plugin = await world.start()
    assert plugin.client.requests() == []
    world.assert_sound(*claims)
    assert files.items() <= world.files.contents.items()
    for claim in claims:
        names = await plugin.prepare(claim)
        assert [name.rpartition("=")[2] for name in names[1:]] == world.recorded()[claim.uid]
    assert plugin.client.requests() == []


async def test_children_keep_their_parents_over_a_restart(world: NodeWorld) -> None:
    claim, _ = await with_claims(world)
    plugin = await world.start()
    found = plugin.checkpoint.claims[claim.uid].devices
    assert [(device.uuid, device.parent_uuid) for device in found] == [(c, UUIDS[0]) for c in children(UUIDS[0], 3)]


async def test_unprepare_after_a_restart_with_the_api_server_away(world: NodeWorld) -> None:
    claims = await with_claims(world)
    plugin = await world.start()
    plugin.client.is_away = True
    await plugin.driver.unprepare(claims[0])
    world.assert_sound(claims[1])


async def test_files_without_a_record_are_removed_at_the_start(world: NodeWorld) -> None:
    claims = await with_claims(world)
    await leave_file(world, "orphan", UUIDS[5])
    await world.start()
    world.assert_sound(*claims)


async def test_damaged_files_are_set_aside_and_written_again(world: NodeWorld) -> None:
    claims = await with_claims(world)
    damaged = [path for path in world.files.contents if path.parent == CDI_ROOT]
    for path in damaged:
        world.files.contents[path] = b"\x00"
    await world.start()
    world.assert_sound(*claims)
    for path in damaged:
        assert world.files.contents[path.with_name(f"{path.name}.damaged-0")] == b"\x00"


async def test_an_upgrade_brings_the_files_up_to_date_and_reports_no_damage(world: NodeWorld) -> None:
    claims = await with_claims(world)
    today = dict(world.files.contents)
    for claim in claims:
        path = CDI_ROOT / f"{CDI_VENDOR}-{CDI_CLASS}_{claim.uid}.yaml"
        world.files.contents[path] = UNIQUE_NAMES.sub(b"", world.files.contents[path])
        assert world.files.contents[path] != today[path]
    plugin = await world.start()
    world.assert_sound(*claims)
    assert world.files.contents == today
    for claim in claims:
        names = await plugin.prepare(claim)
        assert [name.rpartition("=")[2] for name in names[1:]] == world.recorded()[claim.uid], "not the names of before"
    await plugin.settle()
    assert plugin.events.events == []


async def test_a_broken_file_of_another_vendor_does_not_matter(world: NodeWorld) -> None:
    claims = await with_claims(world)
    foreign = {CDI_ROOT / "vendor.yaml": b"{", CDI_ROOT / "vendor.json": b"\xff"}
    world.files.contents |= foreign
    await world.start()
    world.assert_sound(*claims)
    assert foreign.items() <= world.files.contents.items()


@pytest.mark.parametrize("operation", ["write", "read", "make_folder"])
async def test_an_unusable_folder_is_an_error_at_the_start(world: NodeWorld, operation: str) -> None:
    world.files.errors[operation] = [OSError(30, "Read-only file system")]
    with pytest.raises(OSError, match="Read-only"):
        await world.start()


# --- Without a checkpoint that can be used ---


@FAULTS
async def test_a_lost_checkpoint_is_rebuilt_from_the_api(world: NodeWorld, fault: Callable[[NodeWorld], None]) -> None:
    claims = await with_claims(world)
    before = (world.recorded(), world.cdi_files())
    fault(world)
    plugin = await world.start()
    assert not complete(plugin)
    assert world.cdi_files() == before[1], "files were removed before it was known whose they are"
    await plugin.settle()
    assert (world.recorded(), world.cdi_files()) == before
    world.assert_sound(*claims)
    assert complete(plugin)
    assert world.published() == world.recorded()


@FAULTS
async def test_a_lost_checkpoint_is_rebuilt_after_a_reboot_too(
    world: NodeWorld, fault: Callable[[NodeWorld], None]
) -> None:
    claims = await with_claims(world)
    fault(world)
    world.stop(CDI_ROOT)
    plugin = await world.start()
    await plugin.settle()
    world.assert_sound(*claims)


async def test_a_damaged_checkpoint_is_set_aside(world: NodeWorld) -> None:
    await with_claims(world)
    damage(world)
    await world.start()
    assert world.files.contents[CHECKPOINT.with_name("checkpoint.json.damaged-0")] == b"{"


async def test_only_claims_that_may_be_in_use_on_the_node_are_taken_over(world: NodeWorld) -> None:
    plugin = await world.start()
    await plugin.settle()
    reserved = world.claim("reserved", 0)
    world.claim("allocated-only", 1, reserved=False)
    world.claim("elsewhere", 2, node="another-node", in_ledger=False)
    world.release(world.claim("released", 3))
    world.claim("unknown-device", WantedDevice("FAKE-of-another-node"))
    world.api.apply(ResourceClaim(metadata=ObjectMeta(name="pending", namespace="default")))
    foreign = world.claim("foreign", 4, in_ledger=False)
    world.api.update(ResourceClaim, foreign.name, "default", {"status": {"driverName": "gpu.example.com"}})
    garbage = world.claim("garbage", 5, in_ledger=False)
    handles = {"resourceHandles": [{"driverName": DRIVER_NAME, "data": "{"}]}
    world.api.update(ResourceClaim, garbage.name, "default", {"status": {"allocation": handles}})
    for uid in ("orphan", foreign.uid):
        await leave_file(world, uid, UUIDS[7])
    lose(world)
    world.stop()
    plugin = await world.start()
    await plugin.settle()
    world.assert_sound(reserved)
    told = [(name, reason) for name, reason, _ in plugin.events.events]
    assert {name for name, reason in told if reason == "ClaimNotRestored"} == {"unknown-device", "garbage"}
    assert not [name for name, reason in told if reason == "StaleClaimUnprepared"], "one too many was prepared first"


async def test_a_prepared_claim_that_is_no_longer_reserved_is_taken_over(world: NodeWorld) -> None:
    """Its pod is being ended: the kubelet has not unprepared it yet."""
    claims = await with_claims(world)
    for claim in claims:
        world.api.update(ResourceClaim, claim.name, "default", {"status": {"reservedFor": None}})
    lose(world)
    plugin = await world.start()
    await plugin.settle()
    world.assert_sound(*claims)


async def test_claims_of_the_go_driver_are_taken_over_from_the_ledger(world: NodeWorld) -> None:
    """An upgrade: no checkpoint, no handles, CDI files under the same names."""
    plugin = await world.start()
    await plugin.settle()
    claim = world.claim("c", 3, WantedDevice(UUIDS[4], 2), with_handle=False)
    await leave_file(world, claim.uid, UUIDS[3])
    prepared = {"fake": {"devices": [{"uuid": UUIDS[3]}]}}
    world.update_state({"spec": {"preparedDevices": {claim.uid: prepared, "gone": prepared}}})
    lose(world)
    world.stop()
    plugin = await world.start()
    await plugin.settle()
    world.assert_sound(claim)
    assert world.published() == {claim.uid: [UUIDS[3], *children(UUIDS[4], 2)]}


@FAULTS
async def test_with_the_api_server_away_claims_are_served_and_the_rebuild_comes_later(
    world: NodeWorld, fault: Callable[[NodeWorld], None]
) -> None:
    claims = await with_claims(world)
    fault(world)
    plugin = await world.start()
    plugin.client.is_away = True
    with pytest.raises(TransportError):
        await plugin.reconcile()
    await plugin.driver.prepare(claims[0])
    new = world.claim("new", 5)
    await plugin.driver.prepare(new)
    assert claims[1].uid in world.cdi_files(), "removed before it was known whose it is"
    plugin.client.is_away = False
    await plugin.settle()
    world.assert_sound(*claims, new)
    assert complete(plugin)


@FAULTS
async def test_a_stop_before_the_rebuild_leaves_the_checkpoint_incomplete(
    world: NodeWorld, fault: Callable[[NodeWorld], None]
) -> None:
    claims = await with_claims(world)
    fault(world)
    plugin = await world.start()
    await plugin.driver.prepare(claims[0])
    world.stop()
    plugin = await world.start()
    assert not complete(plugin)
    assert claims[1].uid in world.cdi_files()
    await plugin.settle()
    world.assert_sound(*claims)


async def test_a_disk_failure_during_the_rebuild_leaves_the_checkpoint_incomplete(world: NodeWorld) -> None:
    claims = await with_claims(world)
    lose(world)
    plugin = await world.start()
    plugin.files.full.add(CHECKPOINT.parent)
    assert (await plugin.reconcile()).requeue_after == REBUILD_PAUSE_SECONDS
    assert not complete(plugin)
    assert world.published().keys() == {claim.uid for claim in claims}, "the object was all that knew of the claims"
    plugin.files.full.clear()
    await plugin.settle()
    world.assert_sound(*claims)


async def test_a_claim_that_was_prepared_while_the_rebuild_ran_is_not_lost(world: NodeWorld) -> None:
    claims = await with_claims(world)
    lose(world)
    plugin = await world.start()
    new = world.claim("new", 6)

    async def meanwhile(verb: str, kind: str) -> None:
        if verb == "list":
            await plugin.driver.prepare(new)

    plugin.client.after_read = meanwhile
    await plugin.settle()
    world.assert_sound(*claims, new)


async def test_a_claim_that_ended_while_the_rebuild_ran_does_not_come_back(world: NodeWorld) -> None:
    claims = await with_claims(world)
    lose(world)
    plugin = await world.start()

    async def meanwhile(verb: str, kind: str) -> None:
        if verb == "list":
            await plugin.driver.unprepare(claims[0])

    plugin.client.after_read = meanwhile
    await plugin.settle()
    assert claims[0].uid not in world.recorded()
    world.assert_sound(*claims[1:])
    assert complete(plugin)
    await plugin.driver.prepare(claims[0])
    world.assert_sound(*claims)


async def test_a_node_that_was_deleted_and_came_back_keeps_what_runs_on_it(world: NodeWorld) -> None:
    claims = await with_claims(world)
    world.delete_state()
    world.api.delete(Node, NODE)
    world.api.apply(Node(metadata=ObjectMeta(name=NODE)))
    plugin = await world.start()
    await plugin.settle()
    world.assert_sound(*claims)
    assert world.published() == world.recorded()
