"""Faults by name, through the control socket of a running cluster."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster, ClusterError
from fake_dra_driver.cluster.control import SOCKET_NAME, ask
from fake_dra_driver.cluster.kinds import Namespace
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ApiError, ConflictError, GoneError, TransportError
from fake_dra_driver.runtime.listwatch import Selection
from tests.unit.cluster.manifest import NAMESPACE

KEY = NamespacedName("", "a")


async def _ask(cluster: Cluster, fault: str, **options: Any) -> str:
    return await ask(cluster.kubeconfig, fault, options)


def _watch(cluster: Cluster, version: str) -> AsyncGenerator[Any, None]:
    selection = Selection(Namespace.resource)
    return cluster.client.list_watch.watch(selection, version, timeout_seconds=60, inactivity_seconds=60)


async def test_a_write_fails_as_often_as_asked(cluster: Cluster) -> None:
    said = await _ask(cluster, "fail-requests", answer="409", verb="patch", resource="namespaces", times=2)
    assert said == "the next 2 requests fail of those you named"
    for _ in range(2):
        with pytest.raises(ConflictError):
            await cluster.apply(NAMESPACE)
    await cluster.apply(NAMESPACE)


async def test_a_write_takes_place_though_its_client_hears_nothing_of_it(cluster: Cluster) -> None:
    await _ask(cluster, "fail-requests", answer="reset", verb="patch", after=True)
    with pytest.raises(TransportError):
        await cluster.apply(NAMESPACE)
    assert (await cluster.client.get(Namespace, KEY)).metadata.name == "a"


async def test_until_it_is_healed(cluster: Cluster) -> None:
    await _ask(cluster, "fail-requests", verb="create", resource="namespaces", times=0)
    for _ in range(3):
        with pytest.raises(ApiError):
            await cluster.client.create(Namespace.from_wire({"metadata": {"name": "b"}}))
    await _ask(cluster, "heal")
    await cluster.client.create(Namespace.from_wire({"metadata": {"name": "b"}}))


async def test_watches_break_and_history_is_forgotten(cluster: Cluster) -> None:
    before = (await cluster.client.list(Namespace)).resource_version
    await cluster.apply(NAMESPACE)
    watch = _watch(cluster, before)
    async with aclosing(watch):
        await anext(watch)
        waiting = asyncio.ensure_future(anext(watch))
        await _ask(cluster, "drop-watches")
        with pytest.raises((TransportError, StopAsyncIteration)):
            await waiting
    assert await _ask(cluster, "compact") == "the history is forgotten"
    async with aclosing(_watch(cluster, before)) as late:
        with pytest.raises(GoneError):
            await anext(late)


async def test_connections_that_break_on_purpose_are_no_error_of_the_server(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    client = await Client.connect(kubeconfig=str(cluster.kubeconfig), user_agent="tests")
    try:
        watch = client.list_watch.watch(Selection(Namespace.resource), "", timeout_seconds=60, inactivity_seconds=60)
        async with aclosing(watch):
            await anext(watch)
            await _ask(cluster, "drop-watches")
            with pytest.raises(TransportError):
                _ = [event async for event in watch]
        # Each time: a client may ask again by itself when a connection breaks that it has used before.
        await _ask(cluster, "fail-requests", answer="reset", verb="list", resource="namespaces", times=0)
        with pytest.raises(TransportError):
            await client.list(Namespace)
    finally:
        await client.close()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_api_server_comes_back_with_its_objects(cluster: Cluster) -> None:
    await cluster.apply(NAMESPACE)
    assert await _ask(cluster, "restart-apiserver", seconds=0) == "the API server was away for 0 s"
    assert (await cluster.client.get(Namespace, KEY)).metadata.name == "a"


async def test_a_component_is_restarted(cluster: Cluster) -> None:
    def scheduler() -> asyncio.Task[Any]:
        (found,) = [task for task in asyncio.all_tasks() if task.get_name() == "kube-scheduler"]
        return found

    before = scheduler()
    await cluster.faults.restart_component("kube-scheduler")
    assert before.done()
    assert scheduler() is not before
    with pytest.raises(ClusterError, match="There is no component etcd; there are: kube-controller-manager, kube-"):
        await cluster.faults.restart_component("etcd")


@pytest.mark.parametrize(
    ("fault", "options", "message"),
    [
        ("explode", {}, "There is no fault 'explode'"),
        ("fail-requests", {"answer": "418"}, "The answer 418 is unknown"),
        ("stop-node", {"node": "missing"}, "There is no node missing"),
        ("restart-apiserver", {"seconds": "long"}, "this is no request for a fault"),
    ],
)
async def test_what_is_refused(cluster: Cluster, fault: str, options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        await ask(cluster.kubeconfig, fault, options)


async def test_a_cluster_that_is_gone(cluster: Cluster) -> None:
    async with Cluster() as other:
        kubeconfig = other.kubeconfig
    with pytest.raises(ClusterError, match="No embedded cluster runs for the kubeconfig"):
        await ask(kubeconfig, "compact", {})
    assert await asyncio.to_thread((cluster.folder / SOCKET_NAME).exists)
