"""Prepare and unprepare, as the kubelet asks for them: from local data, durable, each claim by itself.

What happens when several calls come at once is in ``test_races``.
"""

import asyncio
import errno
import json
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.deviceerror import DeviceInUseError
from fake_dra_driver.dra.node.driver import PrepareError, ReadyDevice
from fake_dra_driver.driver.node.prepared import WantedDevice
from tests.support.node import CDI_ROOT, CHECKPOINT, NODE, UUIDS, NodeWorld, Plugin, settle

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld()


@pytest.fixture
async def plugin(world: NodeWorld) -> Plugin:
    return await ready(world)


async def ready(world: NodeWorld) -> Plugin:
    """A plugin that has found out what is prepared, and has an object in the API."""
    plugin = await world.start()
    await plugin.settle()
    plugin.client.requests()
    plugin.changes = 0
    return plugin


def names(devices: Iterable[str]) -> list[str]:
    return [f"k8s.fake.resource.3-shake.com/fake={name}" for name in ("common", *devices)]


# --- Prepare ---


async def test_a_claim_is_prepared_from_its_handle_alone(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 3, 1)
    assert await plugin.prepare(claim) == names([UUIDS[3], UUIDS[1]])
    assert plugin.client.requests() == [], "the API server was asked"
    assert world.recorded() == {claim.uid: [UUIDS[3], UUIDS[1]]}
    assert plugin.changes == 1
    world.assert_sound(claim)


async def test_a_split_device_becomes_its_children(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", WantedDevice(UUIDS[0], 2), WantedDevice(UUIDS[1]), WantedDevice(UUIDS[2], 1))
    expected = [*children(UUIDS[0], 2), UUIDS[1], *children(UUIDS[2], 1)]
    assert await plugin.prepare(claim) == names(expected)
    assert world.cdi_files() == {claim.uid: expected}
    assert plugin.checkpoint.claims[claim.uid].keys == set(UUIDS[:3])


async def test_an_allocation_of_the_go_driver_is_looked_up_in_the_ledger(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 4, WantedDevice(UUIDS[5], 2), with_handle=False)
    assert await plugin.prepare(claim) == names([UUIDS[4], *children(UUIDS[5], 2)])
    assert plugin.client.requests() == [("get", "NodeAllocationState")]
    world.assert_sound(claim)


async def test_preparing_again_changes_nothing(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    first = await plugin.prepare(claim)
    writes = plugin.files.count("write")
    assert await plugin.prepare(claim) == first
    assert plugin.files.count("write") == writes
    assert plugin.changes == 1


async def test_a_file_that_is_gone_is_written_again(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.prepare(claim)
    files = {path: data for path, data in plugin.files.contents.items() if path.parent == CDI_ROOT}
    for path in files:
        if claim.uid in path.name:
            del plugin.files.contents[path]
    await plugin.prepare(claim)
    assert files.items() <= plugin.files.contents.items()


async def test_a_reallocated_claim_gets_its_new_devices(world: NodeWorld, plugin: Plugin) -> None:
    await plugin.prepare(world.claim("c", 0, 1))
    changed = world.claim("c", 1, 2)
    assert await plugin.prepare(changed) == names([UUIDS[1], UUIDS[2]])
    assert world.recorded() == {changed.uid: [UUIDS[1], UUIDS[2]]}
    world.assert_sound(changed)
    other = world.claim("other", 0)
    await plugin.prepare(other)
    world.assert_sound(changed, other)


async def test_a_hundred_claims_are_prepared_at_once(world: NodeWorld, plugin: Plugin) -> None:
    claims = [world.claim(f"c-{number}", number % 8) for number in range(8)]
    calls = [plugin.prepare(claim) for claim in claims for _ in range(12)]
    answers = await asyncio.gather(*calls)
    assert answers == [names([UUIDS[number]]) for number in range(8) for _ in range(12)]
    world.assert_sound(*claims)


async def test_one_claim_does_not_wait_for_another(world: NodeWorld, plugin: Plugin) -> None:
    async def hang(verb: str, kind: str) -> None:
        await asyncio.Event().wait()

    await plugin.prepare(world.claim("prepared", 0))
    slow, quick = world.claim("slow", 0), world.claim("quick", 1)
    plugin.client.after_read = hang
    async with asyncio.TaskGroup() as group:
        task = group.create_task(plugin.prepare(slow))
        await settle()
        assert await plugin.prepare(quick) == names([UUIDS[1]])
        assert not task.done()
        task.cancel()


async def test_an_answer_lists_whole_devices_though_a_claim_splits_them(world: NodeWorld, plugin: Plugin) -> None:
    """Each with the variables about node and driver, since a container may use one device of a claim alone."""
    claim = world.claim("c", 3, WantedDevice(UUIDS[0], 2))
    assert await plugin.driver.prepare(claim) == [
        ReadyDevice(NODE, UUIDS[3], tuple(names([UUIDS[3]]))),
        ReadyDevice(NODE, UUIDS[0], tuple(names(children(UUIDS[0], 2)))),
    ]


# --- What cannot be prepared ---


GARBAGE = {
    "no JSON": "{",
    "other JSON": "[1]",
    "a later version": json.dumps({"version": "v2", "devices": [{"uuid": UUIDS[0]}]}),
    "no devices": json.dumps({"version": "v1", "devices": []}),
    "no UUID": json.dumps({"devices": [{}]}),
    "negative split": json.dumps({"devices": [{"uuid": UUIDS[0], "split": -1}]}),
    "too many children": json.dumps({"devices": [{"uuid": UUIDS[0], "split": 65}]}),
    "a device twice": json.dumps({"devices": [{"uuid": UUIDS[0]}, {"uuid": UUIDS[0]}]}),
    "a file name": json.dumps({"devices": [{"uuid": "../../etc"}]}),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
async def test_a_malformed_handle_is_an_error(world: NodeWorld, plugin: Plugin, data: str) -> None:
    with pytest.raises(PrepareError, match=r"claim default/c.*(cannot read|has no device)") as caught:
        await plugin.prepare(ClassicClaim("default", "c", UID("uid"), data))
    assert "\n" not in str(caught.value)
    assert plugin.changes == 0
    world.assert_sound()


async def test_a_device_that_the_node_does_not_have_is_an_error(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0, WantedDevice("FAKE-of-another-node"))
    with pytest.raises(PrepareError, match=r"claim default/c.*no device FAKE-of-another-node.*number of devices"):
        await plugin.prepare(claim)
    world.assert_sound()


@pytest.mark.parametrize("entry", [None, [], [WantedDevice("FAKE-unknown")]])
async def test_a_claim_that_holds_nothing_here_is_an_error(
    world: NodeWorld, plugin: Plugin, entry: list[WantedDevice] | None
) -> None:
    claim = world.claim("c", 0, with_handle=False, in_ledger=False)
    if entry is not None:
        world.put_entry(claim.uid, *entry)
    with pytest.raises(PrepareError, match=rf"claim default/c.*({NODE} does not list it|no device FAKE-unknown)"):
        await plugin.prepare(claim)
    world.assert_sound()


async def test_without_the_nodes_object_there_is_no_ledger(world: NodeWorld) -> None:
    plugin = await world.start()
    with pytest.raises(PrepareError, match="holds no devices on this node"):
        await plugin.prepare(world.claim("c", 0, with_handle=False))


async def test_only_the_claim_with_the_fault_fails(world: NodeWorld, plugin: Plugin) -> None:
    good = world.claim("good", 0)
    bad = ClassicClaim("default", "bad", UID("bad"), "{")
    outcomes = await asyncio.gather(*map(plugin.prepare, (bad, good)), return_exceptions=True)
    assert isinstance(outcomes[0], PrepareError)
    assert outcomes[1] == names([UUIDS[0]])
    world.assert_sound(good)


async def test_a_device_that_another_claim_holds_is_refused(world: NodeWorld, plugin: Plugin) -> None:
    first, second = world.claim("first", 0), world.claim("second", 1, 0, in_ledger=False)
    await plugin.prepare(first)
    refusal = rf"device {UUIDS[0]} is prepared for claim default/first \({first.uid}\), which still holds it"
    with pytest.raises(DeviceInUseError, match=refusal):
        await plugin.prepare(second)
    world.assert_sound(first)


# --- Devices that a claim has which is gone ---


async def test_two_claims_that_are_gone_both_lose_their_devices_to_a_new_one(world: NodeWorld, plugin: Plugin) -> None:
    for number in (0, 1):
        gone = world.claim(f"gone-{number}", number)
        await plugin.prepare(gone)
        world.delete(gone)
    claim = world.claim("c", 0, 1)
    await plugin.prepare(claim)
    world.assert_sound(claim)


async def test_two_claims_for_one_stale_device_do_not_both_get_it(world: NodeWorld, plugin: Plugin) -> None:
    gone = world.claim("gone", 0)
    await plugin.prepare(gone)
    world.delete(gone)
    claims = [world.claim("a", 0), world.claim("b", 0)]
    outcomes = await asyncio.gather(*map(plugin.prepare, claims), return_exceptions=True)
    assert sum(isinstance(found, PrepareError) for found in outcomes) == 1
    world.assert_sound(claims[0] if outcomes[0] == names([UUIDS[0]]) else claims[1])


# --- Files that fail ---


@pytest.mark.parametrize("operation", ["read", "write"])
async def test_a_file_error_that_passes_is_tried_again(world: NodeWorld, plugin: Plugin, operation: str) -> None:
    claim = world.claim("c", 0)
    plugin.files.errors[operation] = [OSError(errno.EIO, "Input/output error")] * 2
    assert await plugin.prepare(claim) == names([UUIDS[0]])
    world.assert_sound(claim)


@pytest.mark.parametrize("folder", [CDI_ROOT, CHECKPOINT.parent])
async def test_a_disk_that_stays_full_is_the_claims_error_and_nothing_is_left(
    world: NodeWorld, plugin: Plugin, folder: Path
) -> None:
    claim = world.claim("c", 0)
    plugin.files.full.add(folder)
    began = asyncio.get_running_loop().time()
    with pytest.raises(PrepareError, match=r"cannot write the .*: .*No space left on device"):
        await plugin.prepare(claim)
    assert 1 < asyncio.get_running_loop().time() - began < 9, "kubelet 1.27 waits for 10 s"
    world.assert_sound()
    plugin.files.full.clear()
    other = world.claim("other", 0)
    await plugin.prepare(other)
    world.assert_sound(other)


async def test_a_claim_keeps_what_it_has_when_its_change_cannot_be_written(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.prepare(claim)
    plugin.files.full.add(CHECKPOINT.parent)
    changed = world.claim("c", 1)
    with pytest.raises(PrepareError, match="No space left"):
        await plugin.prepare(changed)
    assert world.recorded() == world.cdi_files() == {claim.uid: [UUIDS[0]]}


async def test_a_prepare_cancelled_during_a_write_does_not_disturb_the_next_call(
    world: NodeWorld, plugin: Plugin
) -> None:
    claim = world.claim("c", 0)
    gate = plugin.files.gates["write"] = threading.Event()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(plugin.prepare(claim))
        await asyncio.to_thread(plugin.files.begun.wait)
        call.cancel()
        undo = group.create_task(plugin.driver.unprepare(claim))
        await settle()
        gate.set()
        await undo
    world.assert_sound()


# --- Unprepare ---


async def test_unprepare_removes_file_and_record(world: NodeWorld, plugin: Plugin) -> None:
    claim, other = world.claim("c", 0), world.claim("other", 1)
    for each in (claim, other):
        await plugin.prepare(each)
    await plugin.driver.unprepare(claim)
    world.assert_sound(other)
    assert plugin.changes == 3
    assert plugin.client.requests() == []
    await plugin.driver.unprepare(claim)
    assert plugin.changes == 3


async def test_unprepare_of_a_claim_that_was_never_prepared(world: NodeWorld, plugin: Plugin) -> None:
    await plugin.driver.unprepare(ClassicClaim("default", "unknown", UID("unknown")))
    world.assert_sound()
    assert plugin.changes == 0


async def test_unprepare_when_the_claim_is_gone_and_the_api_server_away(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.prepare(claim)
    world.delete(claim)
    plugin.client.is_away = True
    await plugin.driver.unprepare(claim)
    world.assert_sound()


async def test_an_unprepare_that_fails_can_be_repeated(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.prepare(claim)
    plugin.files.full.add(CHECKPOINT.parent)
    with pytest.raises(PrepareError, match="cannot write the checkpoint"):
        await plugin.driver.unprepare(claim)
    assert plugin.checkpoint.claims.keys() == {claim.uid}
    plugin.files.full.clear()
    await plugin.driver.unprepare(claim)
    world.assert_sound()


async def test_after_prepares_and_unprepares_in_any_order_the_last_one_counts(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    calls = [(plugin.prepare, plugin.driver.unprepare)[number % 2](claim) for number in range(20)]
    await asyncio.gather(*calls)
    world.assert_sound()
    await asyncio.gather(plugin.driver.unprepare(claim), plugin.prepare(claim))
    world.assert_sound(claim)
