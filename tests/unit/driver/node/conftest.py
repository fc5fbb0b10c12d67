"""A node with its plugin, for tests that need no other."""

import pytest

from tests.support.node import NodeWorld, Plugin


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld()


@pytest.fixture
async def plugin(world: NodeWorld) -> Plugin:
    """A plugin that has published itself; its requests so far are not counted."""
    plugin = await world.start()
    await plugin.settle()
    plugin.client.requests()
    return plugin
