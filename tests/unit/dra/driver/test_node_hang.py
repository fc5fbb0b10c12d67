"""A claim for which an author's code hangs: whatever else there is to do on the node is done."""

import asyncio

import pytest

from fake_dra_driver.dra.node.deviceerror import NotEndedError
from fake_dra_driver.dra.node.retry import RetryBudget
from tests.support.drivernode import CardMachine

pytestmark = pytest.mark.looptime

LONG = 3600.0


async def test_a_stale_claim_that_cannot_be_ended_keeps_none_of_the_others() -> None:
    machine = CardMachine()
    plugin = await machine.start()
    await plugin.reconcile()
    hangs, goes = machine.claim("a", 0), machine.claim("b", 1)
    for claim in (hangs, goes):
        await plugin.prepare(claim)
        machine.delete(claim)
    machine.gates[hangs.uid] = asyncio.Event()
    recovery = asyncio.create_task(plugin.reconcile(), name="recovery")
    await asyncio.wait((recovery,), timeout=LONG)
    assert machine.loaded.keys() == {(hangs.uid, "card-0")}
    machine.gates[hangs.uid].set()
    await recovery
    machine.assert_sound()


async def test_a_call_of_the_kubelet_that_hangs_keeps_no_stale_claim() -> None:
    machine = CardMachine()
    plugin = await machine.start()
    await plugin.reconcile()
    hangs, goes = machine.claim("a", 0), machine.claim("b", 1)
    await plugin.prepare(goes)
    machine.gates[hangs.uid] = asyncio.Event()
    call = asyncio.create_task(plugin.prepare(hangs), name="prepare")
    await machine.waits.wait()
    machine.delete(hangs)
    machine.delete(goes)
    recovery = asyncio.create_task(plugin.reconcile(), name="recovery")
    await asyncio.wait((recovery,), timeout=LONG)
    assert machine.loaded == {}
    assert machine.recorded(goes.uid) == []
    machine.gates[hangs.uid].set()
    await call
    await recovery
    machine.assert_sound()


async def test_a_claim_of_a_rebuilt_checkpoint_that_hangs_keeps_none_of_the_others() -> None:
    machine = CardMachine()
    hangs, goes = machine.claim("a", 0), machine.claim("b", 1)
    plugin = await machine.start()
    machine.gates[hangs.uid] = asyncio.Event()
    recovery = asyncio.create_task(plugin.reconcile(), name="recovery")
    await asyncio.wait((recovery,), timeout=LONG)
    assert machine.loaded.keys() == {(goes.uid, "card-1")}
    machine.gates[hangs.uid].set()
    await recovery
    machine.assert_sound(hangs, goes)


async def test_a_claim_that_another_process_works_on_is_not_waited_for_for_ever() -> None:
    """During a rolling update the old process may hang in the end of a claim whose device the new one is to prepare."""
    machine = CardMachine()
    old = await machine.start()
    await old.reconcile()
    ended, next_one = machine.claim("a", 0), machine.claim("b", 0)
    await old.prepare(ended)
    new = await machine.start()
    machine.delete(ended)
    machine.gates[ended.uid] = asyncio.Event()
    end = asyncio.create_task(old.unprepare(ended), name="unprepare")
    await machine.waits.wait()
    async with asyncio.timeout(LONG):
        with pytest.raises(NotEndedError, match="another process of the plugin works on claim uid-a, which"):
            await new.prepare(next_one)
    machine.gates[ended.uid].set()
    await end
    await new.prepare(next_one)
    machine.assert_sound(next_one)


async def test_what_another_process_has_ended_is_not_prepared_as_before() -> None:
    machine = CardMachine()
    old = await machine.start()
    await old.reconcile()
    claim = machine.claim("a", 0)
    await old.prepare(claim)
    new = await machine.start()
    await old.unprepare(claim)
    assert await new.preparer.prepare_as_before(claim.identity, RetryBudget()) is None
    machine.assert_sound()
