"""A running server, and two ways to talk to it: plain HTTP, and this project's own client."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry
from fake_dra_driver.runtime.client import Client
from tests.unit.cluster.apiserver.asking import Ask


@pytest.fixture(scope="session")
def types() -> TypeRegistry:
    return TypeRegistry.load("1.30")


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as server:
        yield server


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    trust = ssl.create_default_context(cadata=server.certificate.decode())
    headers = {"Authorization": f"Bearer {server.token}", "User-Agent": "tests/1"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, verify=trust, timeout=10) as http:
        yield http


@pytest.fixture
def ask(http: httpx.AsyncClient) -> Ask:
    """Sends a request and gives the decoded answer; checks its status code where one is named."""

    async def send(
        method: str, path: str, body: Any = None, *, code: int | None = None, kind: str = "application/json"
    ) -> Any:
        response = await http.request(method, path, json=body, headers={"Content-Type": kind})
        assert code is None or response.status_code == code, response.text
        return response.json()

    return send


@pytest.fixture
async def client(server: ApiServer, tmp_path: Path) -> AsyncIterator[Client]:
    """The driver's own client, by way of the kubeconfig."""
    kubeconfig = tmp_path / "kubeconfig"
    await asyncio.to_thread(server.write_kubeconfig, kubeconfig)
    client = await Client.connect(kubeconfig=str(kubeconfig), user_agent="tests")
    yield client
    await client.close()
