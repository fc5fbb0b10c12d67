"""Slices of drivers that are not on the node: when they are deleted, and which."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.kubelet.dra.slicecleanup import SliceCleanup
from fake_dra_driver.runtime.client import Client

pytestmark = pytest.mark.looptime

GRACE_SECONDS = 30.0


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(kubernetes_version="1.37", seed=1)


@pytest.fixture
def client(server: ApiServer) -> Client:
    return server.client("kubelet")


async def publish(client: Client, name: str, driver: str = "a.example.com", node: str | None = "n1") -> None:
    """A slice of a driver, of a node or (None) of all."""
    where = {"nodeName": node} if node is not None else {"allNodes": True}
    pool = {"name": "pool", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": driver, "pool": pool, **where}
    await client.create(v1.ResourceSlice.from_wire({"metadata": {"name": name}, "spec": spec}))


async def left(client: Client) -> Sequence[str]:
    """The slices that are there."""
    return [each.metadata.name for each in (await client.list(v1.ResourceSlice)).items]


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[SliceCleanup]:
    """The cleanup of the node ``n1``, which has just started."""
    cleanup = SliceCleanup(client, v1.ResourceSlice, "n1", GRACE_SECONDS)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(cleanup.run())
        await asyncio.sleep(0.1)
        yield cleanup
        task.cancel()


async def test_all_slices_of_the_node_are_deleted_at_the_start(client: Client) -> None:
    await publish(client, "one")
    await publish(client, "two", driver="b.example.com")
    await publish(client, "other-node", node="n2")
    await publish(client, "network", node=None)
    async with running(client):
        assert await left(client) == ["network", "other-node"]


async def test_a_driver_that_is_gone_keeps_its_slices_for_a_while(client: Client) -> None:
    async with running(client) as cleanup:
        await publish(client, "mine")
        await publish(client, "theirs", driver="b.example.com")
        cleanup.gone("a.example.com")
        await asyncio.sleep(GRACE_SECONDS - 1)
        assert await left(client) == ["mine", "theirs"]
        await asyncio.sleep(2)
        assert await left(client) == ["theirs"]


async def test_a_driver_that_is_back_in_time_keeps_its_slices(client: Client) -> None:
    async with running(client) as cleanup:
        await publish(client, "mine")
        cleanup.gone("a.example.com")
        await asyncio.sleep(GRACE_SECONDS - 1)
        cleanup.registered("a.example.com")
        await asyncio.sleep(GRACE_SECONDS)
        assert await left(client) == ["mine"]


async def test_what_fails_is_tried_again(server: ApiServer, client: Client) -> None:
    await publish(client, "mine")
    with server.faults.injected(on(Fault.answer(500), verb="delete", resource="resourceslices", times=1)):
        async with running(client):
            assert await left(client) == ["mine"]
            await asyncio.sleep(2)
            assert await left(client) == []
