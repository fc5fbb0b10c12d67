"""A node of structured DRA with its plugin."""

import pytest

from tests.support.structurednode import StructuredPlugin, StructuredWorld


@pytest.fixture
def world() -> StructuredWorld:
    return StructuredWorld()


@pytest.fixture
async def plugin(world: StructuredWorld) -> StructuredPlugin:
    """A plugin that has published itself; its requests so far are not counted."""
    plugin = await world.start()
    await plugin.settle()
    plugin.client.requests()
    return plugin
