"""A cluster of one node."""

from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.cluster import Cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster() as cluster:
        yield cluster
