"""The client's verbs and the cache on the embedded API server: pages, preconditions, patches, own writes, faults."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import ResourceClass
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.errors import ConflictError, DeadlineError, GoneError, NotFoundError, PatchTestFailedError
from fake_dra_driver.runtime.listwatch import Selection
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpTransport

K = TypeVar("K", bound=KubeObject)

KEY = NamespacedName("", "node-0")
LABELS = "/metadata/labels"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as server:
        yield server


@pytest.fixture
def client(server: ApiServer) -> Client:
    return server.client("test", default_timeout_seconds=5)


def node(name: str = "node-0", **labels: str) -> Node:
    return Node(metadata=ObjectMeta(name=name, labels=labels))


@asynccontextmanager
async def cached(client: Client, kind: type[K]) -> AsyncIterator[Informer[K]]:
    """A cache of one kind that has its first list."""
    cache = Cache(client)
    informer = cache.informer(kind)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run(), name="cache")
        async with asyncio.timeout(20):
            await cache.wait_for_sync()
            yield informer
        running.cancel()


async def until(informer: Informer[Node], is_so: Callable[[], bool]) -> None:
    """Waits for a change after which something is so."""
    changed = asyncio.Event()
    informer.subscribe(lambda _: changed.set())
    while not is_so():
        changed.clear()
        await changed.wait()


# --- the client


async def test_a_list_in_pages_has_every_object_once(client: Client) -> None:
    names = {f"node-{index}" for index in range(7)}
    for name in names:
        await client.create(node(name))
    found = await client.list(Node, page_size=3)
    assert sorted(one.metadata.name for one in found.items) == sorted(names)


async def test_a_list_whose_version_is_forgotten_between_two_pages_says_so(server: ApiServer, client: Client) -> None:
    for index in range(4):
        await client.create(node(f"node-{index}"))
    pages = client.list_watch.pages(Selection(Node.resource), page_size=2, timeout_seconds=5)
    assert len((await anext(pages)).items) == 2
    await client.create(node("node-4"))
    server.compact()
    with pytest.raises(GoneError):
        await anext(pages)


async def test_a_delete_can_be_for_one_object_in_one_state_alone(client: Client) -> None:
    created = await client.create(node())
    with pytest.raises(ConflictError):
        await client.delete(Node, KEY, uid=UID("another"))
    await client.merge_patch(Node, KEY, {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ConflictError):
        await client.delete(Node, KEY, resource_version=created.metadata.resource_version)
    assert (await client.get(Node, KEY)).uid == created.uid
    await client.delete(Node, KEY, uid=created.uid)
    with pytest.raises(NotFoundError):
        await client.get(Node, KEY)


async def test_a_json_patch_happens_whole_or_not_at_all(client: Client) -> None:
    created = await client.create(node(a="1"))
    with pytest.raises(PatchTestFailedError):
        await client.json_patch(
            Node,
            KEY,
            [
                {"op": "replace", "path": f"{LABELS}/a", "value": "2"},
                {"op": "test", "path": f"{LABELS}/a", "value": "1"},
            ],
        )
    assert (await client.get(Node, KEY)).metadata == created.metadata
    changed = await client.json_patch(
        Node,
        KEY,
        [{"op": "test", "path": f"{LABELS}/a", "value": "1"}, {"op": "add", "path": f"{LABELS}/b", "value": "3"}],
    )
    assert changed.metadata.labels == {"a": "1", "b": "3"}


async def test_writes_that_carry_a_version_are_for_that_version(client: Client) -> None:
    created = await client.create(node())
    version = created.metadata.resource_version
    await client.merge_patch(Node, KEY, {"metadata": {"resourceVersion": version, "labels": {"a": "1"}}})
    with pytest.raises(ConflictError):
        await client.merge_patch(Node, KEY, {"metadata": {"resourceVersion": version, "labels": {"a": "2"}}})
    with pytest.raises(ConflictError):
        await client.update(created)
    removed = await client.merge_patch(Node, KEY, {"metadata": {"labels": {"a": None}}})
    assert removed.metadata.labels == {}


async def test_applied_fields_have_an_owner(client: Client) -> None:
    def labels(**labels: str) -> dict[str, Any]:
        return {"metadata": {"labels": labels}}

    await client.apply(Node, KEY, labels(a="1", b="1"), field_manager="one")
    with pytest.raises(ConflictError, match="one"):
        await client.apply(Node, KEY, labels(a="2"), field_manager="two")
    forced = await client.apply(Node, KEY, labels(a="2"), field_manager="two", force=True)
    assert forced.metadata.labels == {"a": "2", "b": "1"}
    relinquished = await client.apply(Node, KEY, {}, field_manager="one")
    assert relinquished.metadata.labels == {"a": "2"}


async def test_a_write_without_an_answer_may_have_happened(server: ApiServer, client: Client) -> None:
    lost = on(Fault.timeout(after=True), verb="create", resource="nodes")
    with server.faults.injected(lost), pytest.raises(DeadlineError):
        await client.create(node(), timeout_seconds=1)
    assert (await client.get(Node, KEY)).metadata.name == "node-0"


# --- the cache


async def test_what_we_wrote_is_read_at_once_though_watches_lag(server: ApiServer, client: Client) -> None:
    async with cached(client, Node) as nodes:
        with server.late_events("", "nodes"):
            created = await client.create(node())
            assert nodes.get(KEY) == created
            changed = await client.merge_patch(Node, KEY, {"metadata": {"labels": {"a": "b"}}})
            assert nodes.get(KEY) == changed
            assert nodes.by_uid(created.uid) == changed
            await client.delete(Node, KEY)
            assert nodes.get(KEY) is None
            assert nodes.was_deleted(created.uid)
        await client.create(node("last"))
        await until(nodes, lambda: nodes.version >= int(changed.metadata.resource_version or 0))
        assert nodes.get(KEY) is None, "the events of its life came after its end, and change nothing"


async def test_what_we_deleted_is_gone_at_once_though_the_answer_is_the_object(
    server: ApiServer, client: Client
) -> None:
    """As with all kinds of resource.k8s.io: it is not marked as being deleted, since it is gone."""
    async with cached(client, ResourceClass) as classes:
        created = await client.create(ResourceClass(metadata=ObjectMeta(name=KEY.name), driver_name="gpu.example.com"))
        changes = list[str]()
        classes.subscribe(lambda change: changes.append("gone" if change.new is None else "there"))
        with server.late_events("resource.k8s.io", "resourceclasses"):
            await client.delete(ResourceClass, KEY)
            assert changes == ["there", "gone"]
            assert classes.was_deleted(created.uid)


async def test_others_changes_come_by_the_watch_and_outdate_our_own(server: ApiServer, client: Client) -> None:
    other = server.client("other")
    async with cached(client, Node) as nodes:
        ours = await client.create(node())
        await other.merge_patch(Node, KEY, {"metadata": {"labels": {"by": "other"}}})
        await until(nodes, lambda: (found := nodes.get(KEY)) is not None and found.metadata.labels == {"by": "other"})
        nodes.observe(ours.to_wire())
        found = nodes.get(KEY)
        assert found is not None
        assert found.metadata.labels == {"by": "other"}, "an answer that is late shows a state that was"


async def test_dropped_watches_and_forgotten_history_lose_nothing(server: ApiServer, client: Client) -> None:
    other = server.client("other")
    await other.create(node("stays"))
    await other.create(node("goes"))
    async with cached(client, Node) as nodes:
        with server.late_events("", "nodes"):
            await other.delete(Node, NamespacedName("", "goes"))
            await other.create(node("comes"))
            server.compact()
            server.drop_watches()
        await until(nodes, lambda: [one.metadata.name for one in nodes.list()] == ["comes", "stays"])


async def test_a_restart_of_the_api_server_is_survived(server: ApiServer, client: Client) -> None:
    async with cached(client, Node) as nodes:
        await server.kill()
        await server.start()
        await server.client("other").create(node())
        await until(nodes, lambda: nodes.get(KEY) is not None)


# --- credentials


async def test_a_token_that_was_rotated_on_disk_serves_calls_and_drops_no_watch(tmp_path: Path) -> None:
    """A server that takes one token only: the one of the moment."""
    accepted, watching, line = "first", asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {accepted}":
            return web.json_response({"kind": "Status", "code": 401, "reason": "Unauthorized"}, status=401)
        if "watch" not in request.query:
            metadata = {"name": "node-0", "uid": "uid-0", "resourceVersion": "1"}
            return web.json_response({"kind": "Node", "metadata": metadata})
        response = web.StreamResponse()
        await response.prepare(request)
        watching.set()
        await line.wait()
        event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "5"}}}
        await response.write(json.dumps(event).encode() + b"\n")
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    identity = await asyncio.to_thread(make_identity, "127.0.0.1")
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=identity.context).start()
    cluster = {
        "server": f"https://127.0.0.1:{runner.addresses[0][1]}",
        "certificate-authority-data": b64encode(identity.certificate).decode(),
    }
    token_file = tmp_path / "token"
    token_file.write_text("first")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "c", "user": {"tokenFile": "token"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            }
        )
    )
    credentials = await Credentials.load(str(kubeconfig))
    session = Session(HttpTransport(credentials), credentials, user_agent="test")
    client = Client(session)
    watch = client.list_watch.watch(Selection(Node.resource), "1", timeout_seconds=60, inactivity_seconds=20)
    try:
        await client.get(Node, KEY)
        async with asyncio.TaskGroup() as group:
            event = group.create_task(anext(watch), name="watch")
            await watching.wait()
            token_file.write_text("second")
            accepted = "second"
            assert (await client.get(Node, KEY)).metadata.name == "node-0"
            line.set()
        assert event.result().type == "BOOKMARK", "the watch goes on with the token that it began with"
    finally:
        await watch.aclose()
        await client.close()
        await runner.cleanup()
