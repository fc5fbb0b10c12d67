"""Claims that the kubelet never unprepares are unprepared without it, and no others."""

from collections.abc import Callable

import pytest

from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.recovery import STILL_HELD_SECONDS
from fake_dra_driver.runtime.errors import TransportError
from fake_dra_driver.runtime.reconcile import Result
from tests.support.node import CHECKPOINT, NodeWorld, Plugin

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("end", [NodeWorld.delete, NodeWorld.release])
async def test_a_claim_that_is_gone_is_unprepared(
    world: NodeWorld, plugin: Plugin, end: Callable[[NodeWorld, ClassicClaim], None]
) -> None:
    """Kubelet 1.27 cannot unprepare a claim whose object is gone."""
    gone, kept = world.claim("gone", 0), world.claim("kept", 1)
    for claim in (gone, kept):
        await plugin.driver.prepare(claim)
    await plugin.settle()
    end(world, gone)
    await plugin.settle()
    world.assert_sound(kept)
    assert world.published() == world.recorded()


async def test_claims_that_the_ledger_lists_are_not_read(world: NodeWorld, plugin: Plugin) -> None:
    await plugin.driver.prepare(world.claim("c", 0))
    await plugin.settle()
    assert ("get", "ResourceClaim") not in plugin.client.requests()


async def test_a_claim_that_is_alive_stays_although_the_ledger_does_not_list_it(
    world: NodeWorld, plugin: Plugin
) -> None:
    """A ledger that is being restored, or a cache that lags. Nothing tells when that ends, so it is looked at again."""
    claim = world.claim("c", 0, in_ledger=False)
    await plugin.driver.prepare(claim)
    assert await plugin.reconcile() == Result(requeue_after=STILL_HELD_SECONDS)
    world.assert_sound(claim)
    world.delete(claim)
    assert await plugin.reconcile() == Result()
    world.assert_sound()


async def test_a_claim_that_cannot_be_unprepared_is_tried_again_and_holds_up_no_other(
    world: NodeWorld, plugin: Plugin
) -> None:
    for number in range(3):
        claim = world.claim(f"c-{number}", number)
        await plugin.driver.prepare(claim)
        world.delete(claim)
    plugin.files.errors["remove"] = [OSError(5, "Input/output error")] * 7
    assert await plugin.reconcile() == Result(requeue_after=STILL_HELD_SECONDS)
    assert len(world.recorded()) == 1
    assert await plugin.reconcile() == Result()
    world.assert_sound()


async def test_nothing_is_unprepared_while_the_api_server_is_away(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    world.delete(claim)
    plugin.client.is_away = True
    with pytest.raises(TransportError):
        await plugin.reconcile()
    world.assert_sound(claim)
    plugin.client.is_away = False
    await plugin.settle()
    world.assert_sound()
    assert CHECKPOINT in plugin.files.contents
