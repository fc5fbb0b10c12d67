"""Claims and classes that are picky: which devices they can get."""

import pytest

from tests.support.half_states import run
from tests.support.soundness import devices_of_claims
from tests.support.world import World
from tests.unit.driver.classic.negotiating import class_selects, models, select_model

pytestmark = pytest.mark.looptime


async def test_selector_of_the_claim_counts() -> None:
    world = World()
    world.node("a")
    models(world, "a", "X", "Y", "X")
    world.claim("c", count=2)
    select_model(world, "c", "X")
    world.pod("p", ["c"], selected="a")
    await run(world)
    assert devices_of_claims(world) == {"c": ["a-0", "a-2"]}


async def test_selector_of_the_class_counts_and_its_entries_are_ored() -> None:
    world = World()
    world.node("a")
    models(world, "a", "OLD-1", "NEW-1", "BEST")
    class_selects(world, "NEW-*", "BEST")
    world.claim("c", count=2)
    world.pod("p", ["c"], selected="a")
    await run(world)
    assert devices_of_claims(world) == {"c": ["a-1", "a-2"]}


async def test_claims_with_overlapping_selectors_both_get_theirs() -> None:
    """The first claim could take the only device that the second one can use."""
    world = World()
    world.node("a")
    models(world, "a", "X", "Y")
    world.claim("any")
    world.claim("picky")
    select_model(world, "picky", "X")
    world.pod("p", ["any", "picky"], selected="a")
    await run(world)
    assert devices_of_claims(world) == {"any": ["a-1"], "picky": ["a-0"]}
