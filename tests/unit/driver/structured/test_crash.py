"""A stop before and after each file operation in structured DRA: the kubelet's next call ends right, with one answer.

What is the same in both modes, ``tests/unit/driver/node/test_crash.py`` tests.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.claim import NodeClaim
from tests.support.interrupted import STOPS, Work, interrupted
from tests.support.node import CHECKPOINT, UUIDS
from tests.support.structurednode import StructuredPlugin, StructuredWorld, parameters, result

pytestmark = pytest.mark.looptime

SHARE = "29af2b1c-7d3e-4f5a-9b60-000000000001"

Scene = Callable[[], Awaitable[tuple[StructuredWorld, Work]]]
"""Makes a node, and what is interrupted there."""


async def node() -> tuple[StructuredWorld, StructuredPlugin]:
    """A node on which a claim has a device, to which another has admin access."""
    world = StructuredWorld()
    plugin = await world.start()
    await plugin.settle()
    await plugin.driver.prepare(world.claim("bystander", 0))
    await plugin.driver.prepare(world.claim("admin", result(0, admin_access=True)))
    return world, plugin


def claim_of_everything(world: StructuredWorld) -> None:
    """The claim ``c``: a split device, a share, and admin access to a device of another claim."""
    world.claim(
        "c",
        result(1, "split"),
        result(2, "part", share_id=SHARE),
        result(0, "look", admin_access=True),
        config=[parameters("split", split=2)],
    )


async def restarted(world: StructuredWorld) -> StructuredPlugin:
    """The next process, before the API server or the kubelet has said anything."""
    plugin = await world.start()
    assert world.environments().keys() == world.recorded().keys(), "files and records differ after the start"
    return plugin


async def assert_only(world: StructuredWorld, plugin: StructuredPlugin, *names: str) -> None:
    await plugin.settle()
    world.assert_sound(plugin, *(world.node_claim(name) for name in ("bystander", "admin", *names)))


# --- Prepare ---


async def prepare_a_new_claim() -> tuple[StructuredWorld, Work]:
    world, plugin = await node()
    claim_of_everything(world)
    return world, lambda: plugin.driver.prepare(world.node_claim("c"))


async def prepare_a_claim_that_has_changed() -> tuple[StructuredWorld, Work]:
    world, plugin = await node()
    await plugin.driver.prepare(world.claim("c", 1, 3))
    claim_of_everything(world)
    return world, lambda: plugin.driver.prepare(world.node_claim("c"))


async def prepare_with_the_device_of_a_claim_that_is_gone() -> tuple[StructuredWorld, Work]:
    world, plugin = await node()
    gone = world.claim("gone", 1)
    await plugin.driver.prepare(gone)
    world.delete(gone)
    claim_of_everything(world)
    return world, lambda: plugin.driver.prepare(world.node_claim("c"))


PREPARES = pytest.mark.parametrize(
    "scene",
    [prepare_a_new_claim, prepare_a_claim_that_has_changed, prepare_with_the_device_of_a_claim_that_is_gone],
)


@STOPS
@PREPARES
async def test_an_interrupted_prepare_is_repeated(scene: Scene, emptied: tuple[Path, ...]) -> None:
    undisturbed, work = await scene()
    expected = await work()
    async for world in interrupted(scene, emptied):
        plugin = await restarted(world)
        assert await plugin.driver.prepare(world.node_claim("c")) == expected
        await assert_only(world, plugin, "c")
    assert undisturbed.recorded()[undisturbed.node_claim("c").uid][2:] == [UUIDS[2], UUIDS[0]]


@STOPS
@PREPARES
async def test_an_interrupted_prepare_is_undone_by_an_unprepare(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(scene, emptied):
        plugin = await restarted(world)
        await plugin.driver.unprepare(world.node_claim("c"))
        await assert_only(world, plugin)


@STOPS
@PREPARES
async def test_an_interrupted_prepare_of_a_claim_that_goes_is_undone(scene: Scene, emptied: tuple[Path, ...]) -> None:
    """The pod was removed by force, and the kubelet knows nothing of the call that it was interrupted in."""
    async for world in interrupted(scene, emptied):
        world.delete(world.node_claim("c"))
        plugin = await restarted(world)
        await assert_only(world, plugin)


@STOPS
@PREPARES
async def test_a_claim_on_record_is_answered_without_the_api_server(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(scene, emptied):
        claim = world.node_claim("c")
        plugin = await restarted(world)
        recorded = world.recorded()
        plugin.client.is_away = True
        if claim.uid in recorded:
            await plugin.driver.prepare(claim)
        assert world.recorded() == recorded
        prepared = plugin.checkpoint.claims.values()
        world.assert_sound(plugin, *(NodeClaim(each.namespace, each.name, UID(each.uid)) for each in prepared))


# --- Unprepare ---


async def unprepare() -> tuple[StructuredWorld, Work]:
    world, plugin = await node()
    claim_of_everything(world)
    await plugin.driver.prepare(world.node_claim("c"))
    return world, lambda: plugin.driver.unprepare(world.node_claim("c"))


@STOPS
async def test_an_interrupted_unprepare_is_repeated(emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(unprepare, emptied):
        plugin = await restarted(world)
        plugin.client.is_away = True
        await plugin.driver.unprepare(world.node_claim("c"))
        plugin.client.is_away = False
        await assert_only(world, plugin)


@STOPS
async def test_after_an_interrupted_unprepare_the_next_claim_gets_the_device(emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(unprepare, emptied):
        world.deallocate(world.node_claim("c"))
        plugin = await restarted(world)
        await plugin.driver.prepare(world.claim("next", 1))
        await assert_only(world, plugin, "next")


# --- A lost checkpoint ---


@STOPS
async def test_an_interrupted_rebuild_is_repeated(emptied: tuple[Path, ...]) -> None:
    async def rebuild() -> tuple[StructuredWorld, Work]:
        world, plugin = await node()
        claim_of_everything(world)
        await plugin.driver.prepare(world.node_claim("c"))
        world.stop()
        del world.files.contents[CHECKPOINT]

        async def work() -> None:
            await (await world.start()).settle()

        return world, work

    async for world in interrupted(rebuild, emptied):
        plugin = await world.start()
        await assert_only(world, plugin, "c")
        assert plugin.checkpoint.is_complete
