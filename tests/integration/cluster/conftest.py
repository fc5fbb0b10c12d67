"""One cluster with the driver in it, for all tests of this package."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.cluster.world import World, running_world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this package run on the event loop of the shared cluster, which would stand still under another."""
    for item in items:
        # The hook gets the items of the whole run.
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def shared_world() -> AsyncIterator[World]:
    """The cluster: one node, Kubernetes 1.30."""
    async with running_world() as world:
        yield world


@pytest_asyncio.fixture(loop_scope="package")
async def world(shared_world: World) -> AsyncIterator[World]:
    """The shared cluster, as it was in the beginning; and so it is again afterwards."""
    yield shared_world
    await shared_world.clean_up()
