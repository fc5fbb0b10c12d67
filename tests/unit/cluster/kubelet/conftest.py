"""A node with a kubelet, and what was logged."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.unit.cluster.kubelet.waiting import in_own_task
from tests.unit.cluster.kubelet.world import World, running_world


@pytest.fixture
def root() -> Iterator[Path]:
    """A node's root with a short name: pytest's own are too long for a socket. Has to be as it was in the end."""
    with tempfile.TemporaryDirectory(prefix="k-") as name:
        yield Path(name)


@pytest.fixture
async def world(root: Path) -> AsyncIterator[World]:
    """A node that is up, without a kubelet yet."""
    async with in_own_task(running_world(root)) as world:
        yield world


@pytest.fixture
async def node(world: World) -> World:
    """A node with a kubelet that is ready."""
    await world.start()
    return world
