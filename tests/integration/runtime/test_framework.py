"""The whole framework against a real API server: client, cache, queue, controller, events, probes, manager."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable

import pytest

from fake_dra_driver.api.kube.core import Event, Node
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.manager import Manager
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.reconcile import Request, Result
from tests.support.apiserver import ApiServer
from tests.unit.runtime.fakes import logged, sample

pytestmark = pytest.mark.apiserver

SEEN = "example.com/seen"


class Annotator:
    """Annotates each node once, and says so."""

    def __init__(self, client: Client, nodes: Informer[Node], events: EventRecorder) -> None:
        self._client = client
        self._nodes = nodes
        self._events = events
        self.reported: asyncio.Queue[NamespacedName] = asyncio.Queue()

    async def reconcile(self, request: Request) -> Result:
        node = self._nodes.get(request)
        if node is not None and SEEN not in node.metadata.annotations:
            await self._client.merge_patch(Node, request, {"metadata": {"annotations": {SEEN: "yes"}}})
            self._events.event(node, "Normal", "Seen", "This node was annotated")
            self.reported.put_nowait(request)
        return Result()


class Program:
    def __init__(self, client: Client, metrics: Metrics) -> None:
        self.client = client
        self.metrics = metrics
        cache = Cache(client)
        self.nodes = cache.informer(Node, label_selector="test=framework")
        events = EventRecorder(client, "example", metrics=metrics)
        self.reconciler = Annotator(client, self.nodes, events)
        controller = Controller("node", self.reconciler, workers=2)
        controller.watch(self.nodes)
        self.healthz = HealthServer("127.0.0.1:0", metrics=metrics)
        self.manager = Manager(client, cache, healthz=self.healthz, events=events, metrics=metrics, signals=())
        self.manager.add_controller(controller)

    @classmethod
    async def connect(cls, apiserver: ApiServer) -> "Program":
        metrics = Metrics()
        client = await Client.connect(
            kubeconfig=str(apiserver.kubeconfig), user_agent="framework-test", metrics=metrics.observe_request
        )
        return cls(client, metrics)

    async def has_reported(self, node: Node) -> None:
        """Waits until the next event was recorded, which has to be about this node."""
        async with asyncio.timeout(60):
            assert await self.reconciler.reported.get() == node.key


async def create_node(client: Client, label: str = "framework") -> Node:
    """Makes a node that programs annotate; with another label none does."""
    name = f"node-{uuid.uuid4().hex[:8]}"
    return await client.create(Node(metadata=ObjectMeta(name=name, labels={"test": label})))


async def in_program(program: Program, test: Callable[[], Awaitable[None]]) -> None:
    """Runs a program, a test in it, and stops it."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(program.manager.run(), name="manager")
        try:
            await test()
        finally:
            program.manager.stop()
        async with asyncio.timeout(30):
            await running


async def test_a_controller_does_its_work_also_over_a_restart_of_the_api_server(
    apiserver: ApiServer, client: Client
) -> None:
    program = await Program.connect(apiserver)
    before = await create_node(client)
    made: list[Node] = [before]

    async def test() -> None:
        await program.has_reported(before)
        made.append(await create_node(client))
        await program.has_reported(made[1])
        await asyncio.to_thread(apiserver.restart)
        made.append(await create_node(client))
        await program.has_reported(made[2])
        assert not any(program.healthz.problems("/readyz").values())

    with logged() as records:
        await in_program(program, test)
    errors = [record["message"] for record in records if record["level"].name == "ERROR"]
    assert errors == [], "an API server that is away for a moment is no reason to call a person"
    found = (await client.list(Event, "default", field_selector="reason=Seen")).items
    told = {event.involved_object.uid: event for event in found if event.source.component == "example"}
    assert {node.uid for node in made} <= told.keys(), "written before the program ended"
    assert told[before.uid].involved_object.kind == "Node"
    total = sample(program.metrics.registry, "controller_runtime_reconcile_total", controller="node", result="success")
    assert total >= 3
    assert b'rest_client_requests_total{code="200"' in await program.metrics.render()


async def test_events_are_counted_in_one_object_that_kubectl_shows(
    apiserver: ApiServer, client: Client, namespace: str
) -> None:
    node = await create_node(client, "events")
    recorder = EventRecorder(client, "resource driver example")
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(recorder.run(), name="events")
        for _ in range(3):
            recorder.event(node, "Warning", "Failed", "8 devices asked for, 3 free")
        async with asyncio.timeout(30):
            await recorder.flush()
        writer.cancel()
    arguments = ("get", "events", "--output=json", f"--field-selector=involvedObject.name={node.metadata.name}")
    [found] = json.loads(await asyncio.to_thread(apiserver.kubectl, *arguments))["items"]
    assert found["count"] == 3
    assert found["message"] == "8 devices asked for, 3 free"
    assert found["metadata"]["namespace"] == "default"
    described = await asyncio.to_thread(apiserver.kubectl, "describe", "node", node.metadata.name)
    assert "8 devices asked for, 3 free" in described
    assert "resource driver example" in described


async def test_events_in_a_namespace_that_is_gone_or_going_are_dropped_quietly(
    apiserver: ApiServer, client: Client, namespace: str
) -> None:
    # No controller empties it here, so it stays for ever in the state that it has for a moment in a cluster.
    await asyncio.to_thread(apiserver.kubectl, "delete", "namespace", namespace, "--wait=false")
    recorder = EventRecorder(client, "example")
    with logged() as records:
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(recorder.run(), name="events")
            for place in (namespace, "never-was"):
                about = Event(metadata=ObjectMeta(name="some", namespace=place))
                recorder.event(about, "Normal", "Seen", "hello")
            async with asyncio.timeout(30):
                await recorder.flush()
            writer.cancel()
    refused = [record for record in records if record["message"] == "Event refused by the API server"]
    assert [record["level"].name for record in refused] == ["DEBUG", "DEBUG"]
