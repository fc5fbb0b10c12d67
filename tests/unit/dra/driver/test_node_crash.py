"""A stop before and after each file operation, and in the author's code: nothing that was begun is ever forgotten.

Every scenario is run once to count its steps, and once more for each step at which it can stop.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.drivernode import CardClaim, CardMachine, CardPlugin
from tests.support.interrupted import STOPS, Work, interrupted

pytestmark = pytest.mark.looptime

Scene = Callable[[], Awaitable[tuple[CardMachine, Work]]]
"""Makes a node, and what is interrupted there."""


async def node_with(*claims: tuple[str, int]) -> tuple[CardMachine, CardPlugin]:
    """A node on which these claims are prepared."""
    machine = CardMachine()
    plugin = await machine.start()
    await plugin.reconcile()
    for name, card in claims:
        await plugin.prepare(machine.claim(name, card))
    return machine, plugin


async def prepare_a_new_claim() -> tuple[CardMachine, Work]:
    machine, plugin = await node_with(("bystander", 0))
    claim = machine.claim("c", 1, 2)
    return machine, lambda: plugin.prepare(claim)


async def prepare_a_claim_that_has_changed() -> tuple[CardMachine, Work]:
    machine, plugin = await node_with(("bystander", 0), ("c", 1))
    claim = machine.claim("c", 2, 1)
    return machine, lambda: plugin.prepare(claim)


async def prepare_with_the_card_of_a_claim_that_is_gone() -> tuple[CardMachine, Work]:
    machine, plugin = await node_with(("bystander", 0), ("gone", 1))
    machine.delete(held(machine, "gone"))
    claim = machine.claim("c", 1)
    return machine, lambda: plugin.prepare(claim)


async def prepare_what_cannot_be_prepared() -> tuple[CardMachine, Work]:
    machine, plugin = await node_with(("bystander", 0))
    claim = machine.claim("c", 1, 2)
    machine.broken = {("prepare", "card-2")}

    async def work() -> None:
        with pytest.raises(Exception, match="out of order"):
            await plugin.prepare(claim)

    return machine, work


PREPARES = pytest.mark.parametrize(
    "scene",
    [
        prepare_a_new_claim,
        prepare_a_claim_that_has_changed,
        prepare_with_the_card_of_a_claim_that_is_gone,
        prepare_what_cannot_be_prepared,
    ],
)


async def unprepare() -> tuple[CardMachine, Work]:
    machine, plugin = await node_with(("bystander", 0), ("c", 1))
    claim = held(machine, "c")
    return machine, lambda: plugin.unprepare(claim)


def held(machine: CardMachine, name: str) -> CardClaim:
    """The claim as it is allocated."""
    found = machine.lookup.claims[f"uid-{name}"]
    return CardClaim(found.claim, found.devices)


async def restarted(machine: CardMachine) -> CardPlugin:
    """The next process, before the API server or the kubelet has said anything."""
    machine.broken.clear()
    plugin = await machine.start()
    for uid, card in machine.loaded:
        assert card in [entry["name"] for entry in machine.recorded(uid)], "a card is loaded that no record has"
    return plugin


@STOPS
@PREPARES
async def test_an_interrupted_prepare_is_repeated(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for machine in interrupted(scene, emptied):
        plugin = await restarted(machine)
        claim = held(machine, "c")
        await plugin.prepare(claim)
        await plugin.reconcile()
        machine.assert_sound(held(machine, "bystander"), claim)


@STOPS
@PREPARES
async def test_an_interrupted_prepare_is_undone_by_an_unprepare(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for machine in interrupted(scene, emptied):
        plugin = await restarted(machine)
        await plugin.unprepare(held(machine, "c"))
        await plugin.reconcile()
        machine.assert_sound(held(machine, "bystander"))


@STOPS
@PREPARES
async def test_an_interrupted_prepare_of_a_deleted_claim_is_undone(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for machine in interrupted(scene, emptied):
        machine.delete(held(machine, "c"))
        plugin = await restarted(machine)
        await plugin.reconcile()
        machine.assert_sound(held(machine, "bystander"))


@STOPS
async def test_an_interrupted_unprepare_is_repeated(emptied: tuple[Path, ...]) -> None:
    async for machine in interrupted(unprepare, emptied):
        plugin = await restarted(machine)
        await plugin.unprepare(held(machine, "c"))
        machine.assert_sound(held(machine, "bystander"))


@STOPS
async def test_an_interrupted_unprepare_of_a_deleted_claim_is_completed(emptied: tuple[Path, ...]) -> None:
    async for machine in interrupted(unprepare, emptied):
        machine.delete(held(machine, "c"))
        plugin = await restarted(machine)
        await plugin.reconcile()
        machine.assert_sound(held(machine, "bystander"))
