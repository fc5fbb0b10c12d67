"""One session for kr8s and the typed client: connections, limit, errors, and what ends what."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

import kr8s
import pytest
from kr8s.asyncio.objects import ConfigMap, Pod, Secret

from fake_dra_driver.api.kube import core
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import ForbiddenError
from fake_dra_driver.runtime.kubeapi import find_api
from fake_dra_driver.runtime.listwatch import Selection
from fake_dra_driver.runtime.manager import Manager
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.reconcile import Request, Result
from tests.integration.runtime.servers import Server
from tests.unit.runtime.fakes import sample

PATIENCE_SECONDS = 30
MAPS = ResourceKind("", "v1", "ConfigMap", "configmaps")


class SecretModel(KubeObject):
    resource = ResourceKind("", "v1", "Secret", "secrets")


class Labeller:
    """Labels each pod through kr8s, and annotates it through the typed client."""

    def __init__(self, client: Client, pods: Informer[core.Pod]) -> None:
        self._client = client
        self._pods = pods
        self.labels: asyncio.Queue[str] = asyncio.Queue()

    async def reconcile(self, request: Request) -> Result:
        pod = self._pods.get(request)
        if pod is None or "note" in pod.metadata.annotations:
            return Result()
        await (await Pod.get(request.name, request.namespace, api=self._client.api)).label({"seen": request.name})
        patch = {"metadata": {"annotations": {"note": "yes"}}}
        written = await self._client.merge_patch(core.Pod, request, patch)
        self.labels.put_nowait(written.metadata.labels["seen"])
        return Result()


async def test_a_reconciler_uses_kr8s_and_the_typed_client_over_one_session(server: Server) -> None:
    metrics = Metrics()
    api = await find_api(str(server.kubeconfig))
    manager = await Manager.of(api, metrics=metrics)
    assert manager.client.api is api
    pods = manager.cache.informer(core.Pod, namespace=server.namespace)
    reconciler = Labeller(manager.client, pods)
    controller = Controller("pod", reconciler)
    controller.watch(pods)
    manager.add_controller(controller)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        running = group.create_task(manager.run(), name="manager")
        for index in range(5):
            await Pod(server.pod(f"web-{index}"), api=api).create()
        labels = {await reconciler.labels.get() for _ in range(5)}
        manager.stop()
        await running
    assert labels == {f"web-{index}" for index in range(5)}
    assert server.wire.connections <= 3, "one for the watch, and one for each of two requests at once"
    patched = sample(metrics.registry, "rest_client_requests_total", method="PATCH", code="200", host=server.host)
    assert patched == 10, "both are counted in one place"


async def test_a_403_leaves_every_watch_open(server: Server) -> None:
    """kr8s by itself logs in again, and closes its session with all that is open on it."""
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        server.restricted() as client,
        aclosing(watched(client, server.namespace)) as seen,
        aclosing(watched_by_kr8s(client, server.namespace)) as seen_by_kr8s,
    ):
        for name in ("first", "before"):  # the second one comes through the watch
            await server.create_map(name)
            assert [await anext(seen), await anext(seen_by_kr8s)] == [name, name]
        with pytest.raises(kr8s.ServerError, match="forbidden"):
            await Secret(server.manifest("secret"), api=client.api).create()
        with pytest.raises(ForbiddenError):
            await client.get(SecretModel, NamespacedName(server.namespace, "secret"))
        await server.create_map("after")
        assert [await anext(seen), await anext(seen_by_kr8s)] == ["after", "after"]


async def test_no_request_waits_for_a_watch(server: Server, shared: Client) -> None:
    """kr8s by itself has 100 connections, and the request after those waits for ever."""
    watches = [watched_by_kr8s(shared, server.namespace) for _ in range(101)]
    await server.create_map("map")
    async with asyncio.timeout(PATIENCE_SECONDS), contextlib.AsyncExitStack() as stack:
        for watch in watches:
            await stack.enter_async_context(aclosing(watch))
            assert await anext(watch) == "map"
        assert (await shared.api.version())["major"] == "1"


async def test_a_kr8s_object_finds_the_api_of_the_only_client(server: Server, shared: Client) -> None:
    assert await kr8s.asyncio.api() is shared.api
    await (await ConfigMap(server.manifest("map"))).create()
    assert (await ConfigMap.get("map", server.namespace)).name == "map"
    assert server.wire.connections == 1


async def watched(client: Client, namespace: str) -> AsyncGenerator[str, None]:
    """Names of config maps, those that are there and those that come, by list and watch of the typed client."""
    selection = Selection(MAPS, namespace)
    async with aclosing(client.list_watch.pages(selection, page_size=0, timeout_seconds=10)) as pages:
        page = await anext(pages)
    for found in page.items:
        yield found["metadata"]["name"]
    events = client.list_watch.watch(selection, page.resource_version, timeout_seconds=60, inactivity_seconds=60)
    async with aclosing(events):
        async for event in events:
            yield event.object["metadata"]["name"]


async def watched_by_kr8s(client: Client, namespace: str) -> AsyncGenerator[str, None]:
    """The same by a watch of kr8s."""
    async with aclosing(client.api.watch(ConfigMap, namespace=namespace)) as events:  # type: ignore[arg-type] # classes work as well
        async for _, found in events:
            yield found.name
