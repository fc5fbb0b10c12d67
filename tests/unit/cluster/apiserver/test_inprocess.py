"""The framework's client and cache on a server in the same process, in simulated time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.apiserver.store.store import Key
from fake_dra_driver.cluster.apiserver.verbs.reading import BOOKMARK_SECONDS
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    ConflictError,
    DeadlineError,
    NotFoundError,
    TransportError,
)

pytestmark = pytest.mark.looptime

N = NamespacedName("", "n")


@pytest.fixture
def server() -> ApiServer:
    return ApiServer(seed=1, now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def node(name: str = "n", **labels: str) -> Node:
    return Node(metadata=ObjectMeta(name=name, labels=labels))


@asynccontextmanager
async def nodes_of(server: ApiServer) -> AsyncIterator[Informer[Node]]:
    """A running cache's informer of nodes, synced."""
    cache = Cache(server.client("cache"))
    informer = cache.informer(Node)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run(), name="cache")
        await cache.wait_for_sync()
        yield informer
        running.cancel()


async def seen(informer: Informer[Node], name: str, **labels: str) -> None:
    """Waits until the cache has the node with these labels."""
    changed = asyncio.Event()
    informer.subscribe(lambda _: changed.set())
    async with asyncio.timeout(60):
        while (found := informer.get(NamespacedName("", name))) is None or found.metadata.labels != labels:
            changed.clear()
            await changed.wait()


async def test_what_happens_in_the_moment_of_a_bookmark_is_told(server: ApiServer) -> None:
    """On a busy event loop the bookmark's timer and a write are dealt with in one go."""
    nodes = server._parts.store.collection(("", "nodes"))
    loop = asyncio.get_running_loop()

    def label() -> None:
        found = nodes.get(Key("", "n"))
        assert found is not None
        value = found.copy()
        value["metadata"]["labels"] = {"seen": "yes"}
        nodes.put(Key("", "n"), value)

    async with nodes_of(server) as informer:
        await server.client("test").create(node())
        await seen(informer, "n")
        # The watch has begun at this very moment: simulated time stands still while anybody has something to do.
        loop.call_later(BOOKMARK_SECONDS, label)
        await asyncio.sleep(BOOKMARK_SECONDS + 1)
        assert {found.metadata.labels.get("seen") for found in informer.list()} == {"yes"}


async def test_a_client_reads_and_writes(server: ApiServer) -> None:
    client = server.client("test")
    created = await client.create(node())
    assert created.metadata.creation_timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(AlreadyExistsError):
        await client.create(node())
    await client.merge_patch(Node, N, {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ConflictError):
        await client.update(created)
    assert [each.metadata.labels for each in (await client.list(Node)).items] == [{"a": "b"}]
    await client.delete(Node, N)
    with pytest.raises(NotFoundError):
        await client.get(Node, N)


async def test_the_same_seed_gives_the_same_objects() -> None:
    first, second, other = [await ApiServer(seed=seed).client("test").create(node()) for seed in (1, 1, 2)]
    assert first.metadata.uid == second.metadata.uid != other.metadata.uid


async def test_a_cache_follows_and_outlives_the_servers_time_limit(server: ApiServer) -> None:
    client = server.client("test")
    async with nodes_of(server) as informer:
        await client.create(node())
        await seen(informer, "n")
        # A watch is over after 10 minutes at most.
        await asyncio.sleep(3600)
        await client.merge_patch(Node, N, {"metadata": {"labels": {"a": "b"}}})
        await seen(informer, "n", a="b")
        gone = asyncio.Event()
        informer.subscribe(lambda change: gone.set() if change.new is None else None)
        await server.client("another").delete(Node, N)
        await gone.wait()
        assert informer.get(N) is None


async def test_a_cache_outlives_a_restart_that_it_missed_events_in(server: ApiServer) -> None:
    client = server.client("test")
    async with nodes_of(server) as informer:
        await client.create(node())
        await seen(informer, "n")
        await server.kill()
        with pytest.raises(TransportError):
            await client.get(Node, N)
        await server.start()
        await client.merge_patch(Node, N, {"metadata": {"labels": {"a": "b"}}})
        await seen(informer, "n", a="b")


async def test_a_cache_outlives_dropped_watches_and_compaction(server: ApiServer) -> None:
    client = server.client("test")
    async with nodes_of(server) as informer:
        for at in range(3):
            server.drop_watches()
            await client.create(node(f"n{at}"))
            server.compact()
            await seen(informer, f"n{at}")


async def test_late_events_come_at_last_and_in_order(server: ApiServer) -> None:
    client = server.client("test")
    async with nodes_of(server) as informer:
        names: list[str] = []
        informer.subscribe(lambda change: names.append(change.key.name))
        with server.late_events("", "nodes"):
            for name in "ba":
                await client.create(node(name))
            await asyncio.sleep(600)
            assert (informer.get(NamespacedName("", "a")), names) == (None, [])
        await seen(informer, "a")
        assert names == ["b", "a"]


async def test_a_request_that_hangs_is_broken_off_when_the_server_is_killed(server: ApiServer) -> None:
    client = server.client("test")
    with server.faults.injected(on(Fault.timeout(), times=0)):
        with pytest.raises(DeadlineError):
            await client.create(node())
        asyncio.get_running_loop().call_later(1, server.faults.break_off)
        with pytest.raises(TransportError, match="the server was killed"):
            await client.create(node())
