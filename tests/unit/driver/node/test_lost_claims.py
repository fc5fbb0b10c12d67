"""A claim that is taken away while its pod runs: what was prepared for it stays its pod's until the kubelet ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.dra.node.deviceerror import DeviceInUseError
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.retry import BUDGET_SECONDS
from tests.support.node import CHECKPOINT, STATE, NodeWorld, Plugin, settle

pytestmark = pytest.mark.looptime


async def test_a_claim_that_was_taken_away_keeps_its_devices_until_the_kubelet_ends_it(
    world: NodeWorld, plugin: Plugin
) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    world.strip(claim)
    world.forget(claim)  # also the ledger has let go of it
    await plugin.settle()
    other = world.claim("other", 0)
    with pytest.raises(DeviceInUseError, match=r"is still prepared for claim default/c .*whose pod may still run"):
        await plugin.driver.prepare(other)
    world.assert_sound(claim)
    await plugin.driver.unprepare(claim)
    await plugin.driver.prepare(other)
    world.assert_sound(other)


async def test_a_claim_of_the_same_name_is_another_claim(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.strip(claim)
    again = world.claim("c", 0)
    assert again.uid != claim.uid
    with pytest.raises(DeviceInUseError):
        await plugin.driver.prepare(again)
    world.assert_sound(claim)


async def test_the_kubelet_is_given_a_moment_to_end_the_claim_in_the_way(world: NodeWorld, plugin: Plugin) -> None:
    """A pod was removed by force, and the kubelet is stopping its containers while the next pod starts."""
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.strip(claim)
    other = world.claim("other", 0)
    call = asyncio.ensure_future(plugin.driver.prepare(other))
    await asyncio.sleep(BUDGET_SECONDS / 2)
    assert not call.done()
    await plugin.driver.unprepare(claim)
    await call
    world.assert_sound(other)


class PluginWithFolder(Plugin):
    """Shares its folder with other processes, as during a rolling update."""

    def __init__(self, world: NodeWorld, folder: Path) -> None:
        self._lock = FolderLock(folder)
        super().__init__(world)

    @asynccontextmanager
    async def _hold(self) -> AsyncIterator[None]:
        async with self._lock.hold():
            yield


async def test_whoever_waits_for_the_claim_in_the_way_keeps_no_call_out(world: NodeWorld, tmp_path: Path) -> None:
    plugin = PluginWithFolder(world, tmp_path)
    await plugin.recovery.start()
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.strip(claim)
    other, third = world.claim("other", 0), world.claim("third", 1)
    call = asyncio.ensure_future(plugin.driver.prepare(other))
    await asyncio.sleep(BUDGET_SECONDS / 2)
    async with asyncio.timeout(1):
        await plugin.driver.prepare(third)
        await plugin.driver.unprepare(claim)
    await call
    world.assert_sound(other, third)


async def test_a_claim_that_no_pod_can_use_gives_way(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.strip(claim)
    world.abandon(claim)
    other = world.claim("other", 0)
    await plugin.driver.prepare(other)
    world.assert_sound(other)


async def test_a_claim_that_still_holds_its_devices_is_not_ended_whatever_the_controller_says(
    world: NodeWorld, plugin: Plugin
) -> None:
    """Its word may be older than the allocation."""
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.abandon(claim)
    await plugin.settle()
    world.assert_sound(claim)


async def test_a_rebuilt_checkpoint_has_what_is_listed_as_prepared_though_the_claim_is_gone(
    world: NodeWorld, plugin: Plugin
) -> None:
    claim, kept = world.claim("c", 0), world.claim("kept", 1)
    for each in (claim, kept):
        await plugin.driver.prepare(each)
    await plugin.settle()
    world.strip(claim)
    world.forget(claim)
    world.stop()
    del world.files.contents[CHECKPOINT]
    plugin = await world.start()
    await plugin.settle()
    world.assert_sound(claim, kept)
    other = world.claim("other", 0)
    with pytest.raises(DeviceInUseError):
        await plugin.driver.prepare(other)
    await plugin.driver.unprepare(claim)
    await plugin.driver.prepare(other)
    world.assert_sound(kept, other)


@pytest.mark.parametrize("uid", ["../../etc", "gone"])
async def test_nonsense_among_the_prepared_devices_does_not_keep_a_checkpoint_from_being_rebuilt(
    world: NodeWorld, plugin: Plugin, uid: str
) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    entry = {"fake": {"devices": [{"uuid": "of no node"}]}}
    world.api.update(NodeAllocationState, STATE.name, STATE.namespace, {"spec": {"preparedDevices": {uid: entry}}})
    world.stop()
    del world.files.contents[CHECKPOINT]
    plugin = await world.start()
    await plugin.settle()
    await settle()
    world.assert_sound(claim)
    assert plugin.events.messages("ClaimNotRestored") == []
