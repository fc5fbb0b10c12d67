"""The controller of structured DRA at a real API server, in the version of the claims that it serves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, EVENT_COMPONENT, NodeAllocationState
from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.codegen import render_crd
from fake_dra_driver.dra.structured.setup import make_structured_controllers
from fake_dra_driver.driver.structured.driver import FakeStructuredDriver
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.events import EventRecorder
from tests.support.apiserver import ApiServer
from tests.support.structuredworld import CLASS, opaque, parameters, result

pytestmark = pytest.mark.apiserver(structured=True)

SECONDS = 60


@pytest.fixture
async def api(client: Client) -> ResourceApi:
    """The newest version of structured DRA that the API server serves."""
    version = (await client.discovery.group("resource.k8s.io")).first_of(*RESOURCE_APIS)
    assert version is not None
    return RESOURCE_APIS[version]


class Lab:
    """A namespace with a node's object and claims, and the controllers that look after them."""

    def __init__(self, client: Client, api: ResourceApi, namespace: str) -> None:
        self.client, self.api, self.namespace = client, api, namespace
        self.node = namespace  # claims of other tests stay, and must not be on this node
        self.cache = Cache(client)
        self.states: Informer[NodeAllocationState] = self.cache.informer(NodeAllocationState, namespace=namespace)
        self._changed = asyncio.Event()
        self.states.subscribe(lambda _: self._changed.set())
        self.writes = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the controllers, and writes their Events."""
        events = EventRecorder(self.client, EVENT_COMPONENT)
        controllers = make_structured_controllers(
            FakeStructuredDriver(),
            self.client,
            self.cache,
            events,
            self.api,
            namespace=self.namespace,
            workers=2,
            now=lambda: datetime.now(UTC),
        )
        self.client.add_write_observer(self._count)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.cache.run()), group.create_task(events.run())]
            await self.cache.wait_for_sync()
            tasks += [group.create_task(controller.run()) for controller in controllers]
            yield
            await events.flush()
            for task in tasks:
                task.cancel()

    def _count(self, kind: type[Any], _: Mapping[str, Any]) -> None:
        self.writes += kind is NodeAllocationState
        self._changed.set()

    async def until(self, is_so: Callable[[NodeAllocationState], bool]) -> NodeAllocationState:
        """The node's object, as soon as something is so."""
        async with asyncio.timeout(SECONDS):
            while True:
                self._changed.clear()
                state = self.states.get(NamespacedName(self.namespace, self.node))
                if state is not None and is_so(state):
                    return state
                await self._changed.wait()

    async def claim(self, name: str, *config: Mapping[str, Any], count: int = 1) -> v1.ResourceClaim:
        """A claim that is not allocated."""
        asked = {"deviceClassName": CLASS, "allocationMode": "ExactCount", "count": count}
        spec = {"devices": {"requests": [{"name": "fakes", "exactly": asked}], "config": list(config)}}
        wire = {"metadata": {"name": name, "namespace": self.namespace}, "spec": spec}
        return await self.client.create(self.api.claims.model_validate(wire))

    async def allocate(self, claim: v1.ResourceClaim, *devices: int) -> None:
        """Writes what the scheduler writes."""
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [self.node]}]}
        config = [{**entry.to_wire(), "source": "FromClaim"} for entry in claim.spec.devices.config]
        allocation = {
            "devices": {"results": [result(self.node, index) for index in devices], "config": config},
            "nodeSelector": {"nodeSelectorTerms": [term]},
        }
        patch = {"status": {"allocation": allocation}}
        await self.client.merge_patch(self.api.claims, claim.key, patch, subresource="status")


@pytest.fixture
def crds(apiserver: ApiServer) -> None:
    """Installs the driver's kinds."""
    for crd in KINDS:
        apiserver.kubectl("apply", "--filename=-", stdin=render_crd(crd, "A test's."))
    names = [f"crd/{crd.resource.plural}.{crd.resource.group}" for crd in KINDS]
    apiserver.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)


@pytest.fixture
async def lab(crds: None, client: Client, api: ResourceApi, namespace: str) -> Lab:
    """A node with four devices."""
    inventory = [{"fake": {"uuid": f"FAKE-{index}", "name": "MODEL"}} for index in range(4)]
    metadata = {"name": namespace, "namespace": namespace}
    wire = {"metadata": metadata, "spec": {"allocatableDevice": inventory}, "status": "Ready"}
    await client.create(NodeAllocationState.from_wire(wire))
    return Lab(client, api, namespace)


def entries(state: NodeAllocationState) -> Mapping[str, Any]:
    return {uid: entry.to_wire() for uid, entry in state.spec.allocated_claims.items()}


async def test_allocations_are_shown_until_they_end(lab: Lab) -> None:
    split = await lab.claim("split", opaque(parameters(split=2)), count=2)
    whole = await lab.claim("whole")
    async with lab.running():
        await lab.until(lambda state: state.metadata.annotations.get(ALLOCATED_ANNOTATION) == "0/4")
        await lab.until(lambda _: lab.writes == 1)
        before = lab.writes
        await lab.allocate(split, 0, 1)
        await lab.allocate(whole, 3)
        state = await lab.until(lambda state: len(state.spec.allocated_claims) == 2)
        assert entries(state) == {
            split.uid: {"fake": {"devices": [{"uuid": "FAKE-0", "split": 2}, {"uuid": "FAKE-1", "split": 2}]}},
            whole.uid: {"fake": {"devices": [{"uuid": "FAKE-3"}]}},
        }
        assert state.metadata.annotations[ALLOCATED_ANNOTATION] == "3/4"
        # The watch may bring a write before its answer is here.
        await lab.until(lambda _: lab.writes == before + 1)
        await lab.client.merge_patch(lab.api.claims, whole.key, {"status": {"allocation": None}}, subresource="status")
        await lab.client.delete(lab.api.claims, split.key)
        await lab.until(lambda state: not state.spec.allocated_claims and lab.writes > before + 1)
    assert lab.writes <= before + 3, "changes that come together share a write"
    assert await events_of(lab) == []


async def test_an_edit_is_restored_and_said_and_so_are_parameters_that_cannot_be_used(lab: Lab) -> None:
    claim = await lab.claim("c", opaque(parameters(split=65)))
    async with lab.running():
        await lab.allocate(claim, 0)
        await lab.until(lambda state: len(state.spec.allocated_claims) == 1 and lab.writes > 0)
        before = lab.writes
        key = NamespacedName(lab.namespace, lab.node)
        stranger = {"stranger": {"fake": {"devices": [{"uuid": "FAKE-2"}]}}}
        await lab.client.merge_patch(NodeAllocationState, key, {"spec": {"allocatedClaims": stranger}})
        restored = before + 2  # after the edit, which is made by the same client
        state = await lab.until(
            lambda state: set(state.spec.allocated_claims) == {claim.uid} and lab.writes == restored
        )
        assert entries(state) == {claim.uid: {"fake": {"devices": [{"uuid": "FAKE-0"}]}}}
    assert await events_of(lab) == [
        ("NodeAllocationState", "AllocatedClaimsRestored"),
        ("ResourceClaim", "InvalidParameters"),
    ]


async def events_of(lab: Lab) -> list[tuple[str, str]]:
    """The kinds of objects that were told something, and the reasons."""
    listed = await lab.client.list(Event, lab.namespace)
    return sorted((event.involved_object.kind, event.reason) for event in listed.items)
