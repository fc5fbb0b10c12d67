"""Files that a profile gives to containers: there for as long as their claim is, also when a machine stops."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.api.fake import CDI_KIND
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.driver.node.prepared import FakePreparedDevice, PreparedFile
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.profile.containers import MountedFile
from tests.support.interrupted import STOPS, Work, interrupted
from tests.support.mocknode import profiled_node
from tests.support.node import NodeWorld, Plugin

pytestmark = pytest.mark.looptime

FOLDER = Path("/plugin/claim-files")
LISTING = MountedFile(
    "/usr/bin/list", "{% for device in devices %}{{ device.uuid }}\n{% endfor %}", 0o755, "spec.files[0]"
)
NOTE = MountedFile("/etc/note", "of {{ claim.name }} on {{ node }}", source="spec.files[1]")

Scene = Callable[[], Awaitable[tuple[NodeWorld, Work]]]


def new_world() -> NodeWorld:
    world = NodeWorld()
    world.claim_files = FOLDER
    world.describe = partial(profiled_node, files=(LISTING, NOTE))
    return world


async def node_with(*claims: tuple[str, int]) -> tuple[NodeWorld, Plugin]:
    world = new_world()
    plugin = await world.start()
    await plugin.settle()
    for name, device in claims:
        await plugin.driver.prepare(world.claim(name, device))
    return world, plugin


def contents(world: NodeWorld) -> dict[str, str]:
    return {path.name: data.decode() for path, data in world.files.contents.items() if path.parent == FOLDER}


def expected(*claims: ClassicClaim, world: NodeWorld) -> dict[str, str]:
    found = {}
    for claim in claims:
        found[f"{claim.uid}_0"] = "".join(f"{uuid}\n" for uuid in world.recorded()[claim.uid])
        found[f"{claim.uid}_1"] = f"of {claim.name} on worker"
    return found


def mounts(world: NodeWorld, claim: ClassicClaim) -> list[dict[str, str]]:
    """Of the first device of the claim."""
    specification = yaml.safe_load(world.cdi_contents()[claim.uid])
    assert specification["kind"] == CDI_KIND
    found: list[dict[str, str]] = specification["devices"][0]["containerEdits"]["mounts"]
    return found


async def test_each_device_of_a_claim_brings_its_files() -> None:
    world, plugin = await node_with()
    claim = world.claim("c", 1, 3)
    await plugin.driver.prepare(claim)
    assert contents(world) == expected(claim, world=world)
    assert [world.files.modes[FOLDER / f"{claim.uid}_{number}"] for number in (0, 1)] == [0o755, 0o644]
    read_only = ["ro", "nosuid", "nodev", "bind"]
    for device in yaml.safe_load(world.cdi_contents()[claim.uid])["devices"]:
        assert device["containerEdits"]["mounts"] == [
            {"hostPath": f"{FOLDER}/{claim.uid}_0", "containerPath": "/usr/bin/list", "options": read_only},
            {"hostPath": f"{FOLDER}/{claim.uid}_1", "containerPath": "/etc/note", "options": read_only},
        ]


async def test_files_go_with_their_claim() -> None:
    world, plugin = await node_with(("a", 0), ("b", 1))
    await plugin.driver.unprepare(world.node_claim("a"))
    assert contents(world) == expected(world.node_claim("b"), world=world)


async def test_a_changed_profile_leaves_prepared_claims_what_they_have() -> None:
    world, plugin = await node_with(("a", 0))
    before = world.cdi_contents(), contents(world)
    world.describe = partial(profiled_node, files=(MountedFile("/etc/other", "other", source="spec.files[0]"),))
    await plugin.driver.prepare(world.node_claim("a"))
    assert (world.cdi_contents(), contents(world)) == before
    plugin = await world.start()
    await plugin.driver.prepare(world.node_claim("a"))
    assert (world.cdi_contents(), contents(world)) == before
    claim = world.claim("b", 1)
    await plugin.driver.prepare(claim)
    assert [mount["containerPath"] for mount in mounts(world, claim)] == ["/etc/other"]


async def test_a_profile_that_comes_later_leaves_prepared_claims_what_they_have() -> None:
    world = new_world()
    profiled, world.describe = world.describe, NodeWorld().describe
    plugin = await world.start()
    await plugin.driver.prepare(world.claim("a", 0))
    before = world.cdi_contents()
    world.describe = profiled
    plugin = await world.start()
    await plugin.driver.prepare(world.node_claim("a"))
    assert (world.cdi_contents(), contents(world)) == (before, {})


@pytest.mark.parametrize("damage", [None, b"something else"])
async def test_what_was_lost_or_changed_is_written_again_at_the_start(damage: bytes | None) -> None:
    world, _ = await node_with(("a", 0), ("b", 1))
    before = contents(world)
    claim = world.node_claim("a")
    path = FOLDER / f"{claim.uid}_0"
    del world.files.contents[path]
    if damage is not None:
        world.files.contents[path] = damage
    plugin = await world.start()
    assert contents(world) == before
    await plugin.settle()
    assert [reason for _, reason, _ in plugin.events.events] == ["CDIFilesRestored"]


async def test_files_of_no_claim_are_removed_at_the_start() -> None:
    world, _ = await node_with(("a", 0))
    before = contents(world)
    world.files.contents[FOLDER / "gone_0"] = b""
    world.files.contents[FOLDER / "gone_1"] = b""
    await world.start()
    assert contents(world) == before


async def test_half_written_files_are_removed_with_their_claim(tmp_path: Path) -> None:
    folder = tmp_path / "claim-files"
    cdi = CdiFolder(DiskFiles(), tmp_path, FakePreparedModel("worker", files_folder=folder))
    device = FakePreparedDevice("FAKE-0", "MODEL", files=(PreparedFile("/etc/note", "note", 0o600),))
    await cdi.write(PreparedClaim("a", "default", "claim", (device,)))
    await asyncio.to_thread((folder / ".a_1.tmp").write_bytes, b"half")
    assert await asyncio.to_thread(DiskFiles().names, folder) == [".a_1.tmp", "a_0"]
    assert await cdi.uids() == ["a"]
    await cdi.remove("a")
    assert await asyncio.to_thread(DiskFiles().names, folder) == []


# --- Stops ---


async def prepare() -> tuple[NodeWorld, Work]:
    world, plugin = await node_with(("bystander", 0))
    claim = world.claim("c", 1, 2)
    return world, lambda: plugin.driver.prepare(claim)


async def unprepare() -> tuple[NodeWorld, Work]:
    world, plugin = await node_with(("bystander", 0), ("c", 1))
    claim = world.node_claim("c")
    return world, lambda: plugin.driver.unprepare(claim)


def assert_files_agree(world: NodeWorld) -> None:
    """After a start: the files are those of the claims on record, and no other."""
    claims = [claim for name in ("bystander", "c") if (claim := world.node_claim(name)).uid in world.recorded()]
    assert contents(world) == expected(*claims, world=world)


@STOPS
@pytest.mark.parametrize("scene", [prepare, unprepare])
async def test_an_interrupted_call_is_repeated(scene: Scene, emptied: tuple[Path, ...]) -> None:
    async for world in interrupted(scene, emptied):
        plugin = await world.start()
        assert_files_agree(world)
        claim = world.node_claim("c")
        if scene is prepare:
            await plugin.driver.prepare(claim)
        else:
            await plugin.driver.unprepare(claim)
        remaining = [world.node_claim("bystander")] + ([claim] if scene is prepare else [])
        world.assert_sound(*remaining)
        assert contents(world) == expected(*remaining, world=world)
