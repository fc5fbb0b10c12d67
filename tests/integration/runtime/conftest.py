"""One test for both API servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kr8s.asyncio import Api

from fake_dra_driver.runtime.client import Client
from tests.integration.runtime.servers import Server, embedded_server, real_server


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.apiserver)])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    """An API server with a namespace for the test."""
    is_real = request.param == "real"
    async with (
        real_server(request.getfixturevalue("apiserver"), tmp_path) if is_real else embedded_server(tmp_path)
    ) as server:
        yield server


@pytest.fixture
async def shared(server: Server) -> AsyncIterator[Client]:
    """A client of that server, made of a kr8s Api."""
    async with server.client() as client:
        yield client


@pytest.fixture
def api(shared: Client) -> Api:
    """The Api that sends through that client's session."""
    return shared.api
