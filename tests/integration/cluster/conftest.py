"""A cluster with the driver in it for each kind of DRA, for all tests of this package."""

from collections.abc import AsyncIterator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.cluster.world import LATEST, World, running_world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All coroutines among this package's tests run on the event loop of the shared clusters, which would stand still
    under another."""
    for item in items:
        # The hook gets the items of the whole run.
        is_coroutine = isinstance(item, pytest.Function) and iscoroutinefunction(item.function)
        if is_coroutine and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def shared_classic_world() -> AsyncIterator[World]:
    """One node, Kubernetes 1.30."""
    async with running_world() as world:
        yield world


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def shared_structured_world() -> AsyncIterator[World]:
    """One node, the latest Kubernetes."""
    async with running_world(LATEST.name) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="package")
async def classic_world(shared_classic_world: World) -> AsyncIterator[World]:
    """The shared cluster of classic DRA, as it was in the beginning; and so it is again afterwards."""
    yield shared_classic_world
    await shared_classic_world.clean_up()


@pytest_asyncio.fixture(loop_scope="package")
async def structured_world(shared_structured_world: World) -> AsyncIterator[World]:
    """The same of structured DRA."""
    yield shared_structured_world
    await shared_structured_world.clean_up()


@pytest.fixture(params=["classic", "structured"])
def world(request: pytest.FixtureRequest) -> World:
    """Each of the two in turn."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found
