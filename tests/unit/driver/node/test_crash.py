"""A stop before and after each file operation: afterwards files and records agree, and the next call ends right.

Every scenario is run once to count its steps, and once more for each step at which it can stop. What survives is what
``Files`` has promised; ``tests/unit/dra/node/test_files.py`` holds it to that. A reboot empties the CDI folder as well.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fake_dra_driver.driver.node.prepared import WantedDevice
from tests.support.interrupted import STOPS, Work, interrupted
from tests.support.node import CDI_ROOT, CHECKPOINT, UUIDS, NodeWorld, Plugin

pytestmark = pytest.mark.looptime

Scene = Callable[[], Awaitable[tuple[NodeWorld, Work]]]
"""Makes a node, and what is interrupted there."""


async def node_with(*claims: tuple[str, int]) -> tuple[NodeWorld, Plugin]:
    """A node on which these claims are prepared."""
    world = NodeWorld()
    plugin = await world.start()
    await plugin.settle()
    for name, device in claims:
        await plugin.driver.prepare(world.claim(name, device))
    return world, plugin


async def restarted(world: NodeWorld) -> Plugin:
    """The next process, before the API server or the kubelet has said anything."""
    plugin = await world.start()
    assert world.cdi_files() == world.recorded(), "files and records differ after the start"
    assert {uid: [d.uuid for d in claim.devices] for uid, claim in plugin.checkpoint.claims.items()} == world.recorded()
    return plugin


# --- Prepare ---


async def prepare_a_new_claim() -> tuple[NodeWorld, Work]:
    world, plugin = await node_with(("bystander", 0))
    claim = world.claim("c", WantedDevice(UUIDS[1], 2), 2)
    return world, lambda: plugin.driver.prepare(claim)


async def prepare_a_claim_that_has_changed() -> tuple[NodeWorld, Work]:
    world, plugin = await node_with(("bystander", 0), ("c", 1))
    claim = world.claim("c", 2, 3)
    return world, lambda: plugin.driver.prepare(claim)


async def prepare_with_the_device_of_a_claim_that_is_gone() -> tuple[NodeWorld, Work]:
    world, plugin = await node_with(("bystander", 0), ("gone", 1))
    world.delete(world.node_claim("gone"))
    claim = world.claim("c", 1)
    return world, lambda: plugin.driver.prepare(claim)


PREPARES = pytest.mark.parametrize(
    "scene",
    [prepare_a_new_claim, prepare_a_claim_that_has_changed, prepare_with_the_device_of_a_claim_that_is_gone],
)


@STOPS
@PREPARES
async def test_an_interrupted_prepare_is_repeated(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(scene, emptied):
        plugin = await restarted(world)
        claim = world.node_claim("c")
        names = await plugin.prepare(claim)
        assert [name.rpartition("=")[2] for name in names] == ["common", *world.recorded()[claim.uid]]
        await plugin.settle()
        world.assert_sound(world.node_claim("bystander"), claim)
        assert world.published() == world.recorded()


@STOPS
@PREPARES
async def test_an_interrupted_prepare_is_undone_by_an_unprepare(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(scene, emptied):
        plugin = await restarted(world)
        await plugin.driver.unprepare(world.node_claim("c"))
        await plugin.settle()
        world.assert_sound(world.node_claim("bystander"))


@STOPS
@PREPARES
async def test_an_interrupted_prepare_of_a_deleted_claim_is_undone(scene: Scene, emptied: tuple[Path, ...]) -> None:
    """Kubelet 1.27 calls no unprepare then."""
    async for world in interrupted(scene, emptied):
        world.delete(world.node_claim("c"))
        plugin = await restarted(world)
        await plugin.settle()
        world.assert_sound(world.node_claim("bystander"))
        assert world.published() == world.recorded()


# --- Unprepare ---


async def unprepare() -> tuple[NodeWorld, Work]:
    world, plugin = await node_with(("bystander", 0), ("c", 1))
    claim = world.node_claim("c")
    return world, lambda: plugin.driver.unprepare(claim)


@STOPS
async def test_an_interrupted_unprepare_is_repeated(emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(unprepare, emptied):
        plugin = await restarted(world)
        await plugin.driver.unprepare(world.node_claim("c"))
        await plugin.settle()
        world.assert_sound(world.node_claim("bystander"))
        assert world.published() == world.recorded()


@STOPS
async def test_an_interrupted_unprepare_of_a_deleted_claim_is_completed(emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(unprepare, emptied):
        world.delete(world.node_claim("c"))
        plugin = await restarted(world)
        await plugin.settle()
        world.assert_sound(world.node_claim("bystander"))


@STOPS
async def test_after_an_interrupted_unprepare_the_next_pod_gets_the_device(emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(unprepare, emptied):
        world.delete(world.node_claim("c"))
        plugin = await restarted(world)
        claim = world.claim("next", 1)
        await plugin.driver.prepare(claim)
        world.assert_sound(world.node_claim("bystander"), claim)


# --- Start ---


def damage_nothing(world: NodeWorld) -> None:
    """A restart."""


def empty_the_cdi_folder(world: NodeWorld) -> None:
    world.stop(CDI_ROOT)


def damage_the_checkpoint(world: NodeWorld) -> None:
    world.files.contents[CHECKPOINT] = world.files.contents[CHECKPOINT][:-10]


def lose_the_checkpoint(world: NodeWorld) -> None:
    del world.files.contents[CHECKPOINT]


def damage_the_cdi_files(world: NodeWorld) -> None:
    for path in world.files.contents:
        if path.parent == CDI_ROOT:
            world.files.contents[path] = b"\x00{"


def leave_an_orphan(world: NodeWorld) -> None:
    path = next(path for path in world.files.contents if world.node_claim("c").uid in path.name)
    world.files.contents[path.with_name(path.name.replace(world.node_claim("c").uid, "orphan"))] = b"devices: []"


@STOPS
@pytest.mark.parametrize(
    "fault",
    [
        damage_nothing,
        empty_the_cdi_folder,
        damage_the_checkpoint,
        lose_the_checkpoint,
        damage_the_cdi_files,
        leave_an_orphan,
    ],
)
async def test_an_interrupted_start_is_repeated(fault: Callable[[NodeWorld], None], emptied: tuple[Path, ...]) -> None:
    async def start() -> tuple[NodeWorld, Work]:
        world, _ = await node_with(("a", 0), ("c", 1))
        world.stop()
        fault(world)

        async def work() -> None:
            plugin = await world.start()
            await plugin.settle()

        return world, work

    async for world in interrupted(start, emptied):
        plugin = await world.start()
        await plugin.settle()
        world.assert_sound(world.node_claim("a"), world.node_claim("c"))
        assert plugin.checkpoint.is_complete
        assert world.published() == world.recorded()
        await plugin.driver.prepare(world.node_claim("a"))
        await plugin.driver.unprepare(world.node_claim("c"))
        world.assert_sound(world.node_claim("a"))


# --- The clean-up of claims that are gone ---


@STOPS
async def test_an_interrupted_clean_up_is_repeated(emptied: tuple[Path, ...]) -> None:
    async def clean_up() -> tuple[NodeWorld, Work]:
        world, plugin = await node_with(("bystander", 0), ("gone", 1), ("gone-too", 2))
        for name in ("gone", "gone-too"):
            world.delete(world.node_claim(name))
        return world, plugin.settle

    async for world in interrupted(clean_up, emptied):
        plugin = await restarted(world)
        await plugin.settle()
        world.assert_sound(world.node_claim("bystander"))
        assert world.published() == world.recorded()
