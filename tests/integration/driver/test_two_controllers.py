"""Two real controller processes against an API server over HTTP: who leads, and what becomes of it when that one ends.

Durations are short where a lease has to expire, and long where it must not be what the other waits for.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    AllocatableDevice,
    FakeDevice,
    NodeAllocationState,
    NodeAllocationStateSpec,
)
from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event, Node
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ObjectMeta, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClaimSpec, ResourceClass
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client

NAMESPACE = "fake-system"
LEASE = NamespacedName(NAMESPACE, "fake-dra-controller")
CRDS = Path(__file__).parents[3] / "deployments/helm/fake-dra-driver/crds"
SHORT = ("--leader-elect-lease-duration=5", "--leader-elect-renew-deadline=4", "--leader-elect-retry-period=0.3")
LONG = ("--leader-elect-lease-duration=600", "--leader-elect-renew-deadline=300", "--leader-elect-retry-period=0.3")
DEADLINE_SECONDS = 60


class Crd(KubeObject):
    resource = ResourceKind(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
    )


class Namespace(KubeObject):
    resource = ResourceKind("", "v1", "Namespace", "namespaces", namespaced=False)


@dataclass
class World:
    """An API server with a node of many devices, and what has been seen of leases and claims."""

    client: Client
    kubeconfig: Path
    leases: Informer[Lease]
    claims: Informer[ResourceClaim]
    events: Informer[Event]
    _changed: asyncio.Event

    @property
    def leader(self) -> str:
        """The holder of the lease; empty when there is none."""
        lease = self.leases.get(LEASE)
        return "" if lease is None else lease.spec.holder_identity or ""

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def allocate(self, name: str) -> None:
        """Creates a claim, and waits until a controller has allocated it."""
        spec = ResourceClaimSpec(resource_class_name="fake", allocation_mode="Immediate")
        claim = await self.client.create(ResourceClaim(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))

        def is_allocated() -> bool:
            found = self.claims.get(claim.key)
            return found is not None and found.status.allocation is not None

        await self.until(is_allocated)

    @property
    def elections(self) -> set[str]:
        """What the events of leader election say."""
        return {event.message for event in self.events.list(NAMESPACE) if event.reason == "LeaderElection"}


async def _furnish(client: Client) -> None:
    for file in sorted(await asyncio.to_thread(lambda: list(CRDS.glob("*.yaml")))):
        await client.create(Crd.from_wire(yaml.safe_load(await asyncio.to_thread(file.read_text))))
    await client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    await client.create(ResourceClass(metadata=ObjectMeta(name="fake"), driver_name=DRIVER_NAME))
    node = await client.create(Node(metadata=ObjectMeta(name="n")))
    # What a kubelet reports, and what the node lifecycle controller then takes away: neither runs here.
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await client.merge_patch(Node, node.key, ready, subresource="status")
    await client.merge_patch(Node, node.key, {"spec": {"taints": None}})
    inventory = tuple(AllocatableDevice(fake=FakeDevice(uuid=f"n-{i}", name="MODEL")) for i in range(9))
    await client.create(
        NodeAllocationState(
            metadata=ObjectMeta(name="n", namespace=NAMESPACE),
            spec=NodeAllocationStateSpec(allocatable_device=inventory),
            status="Ready",
        )
    )


@pytest.fixture
async def server() -> AsyncIterator[AsyncExitStack]:
    """Runs the API server; closing it ends it."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def world(server: AsyncExitStack, tmp_path: Path) -> AsyncIterator[World]:
    api = await server.enter_async_context(ApiServer())
    kubeconfig = tmp_path / "kubeconfig"
    await asyncio.to_thread(api.write_kubeconfig, kubeconfig)
    client = await Client.connect(kubeconfig=str(kubeconfig), user_agent="tests")
    await _furnish(client)
    cache, changed = Cache(client), asyncio.Event()
    leases, claims = cache.informer(Lease, namespace=NAMESPACE), cache.informer(ResourceClaim)
    events = cache.informer(Event, namespace=NAMESPACE)
    leases.subscribe(lambda _: changed.set())
    claims.subscribe(lambda _: changed.set())
    events.subscribe(lambda _: changed.set())
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(cache.run(), name="cache")
        await cache.wait_for_sync()
        yield World(client, kubeconfig, leases, claims, events, changed)
        watching.cancel()
    await client.close()


Process = asyncio.subprocess.Process


@asynccontextmanager
async def controller(world: World, durations: tuple[str, ...]) -> AsyncIterator[Process]:
    """A controller process, which is killed in the end."""
    arguments = (f"--kubeconfig={world.kubeconfig}", f"--namespace={NAMESPACE}", *durations)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fake_dra_driver", "controller", *arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(process: Process) -> tuple[int, str]:
    """Exit status, and the last line on stderr."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode().strip().rpartition("\n")[2]


async def stands_by(process: Process) -> None:
    """Waits until it says that it is a candidate, which it is once its caches are synced."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for line in process.stderr:
            if b"Waiting to lead" in line:
                return
    raise AssertionError("the controller has ended")


async def test_the_other_takes_over_from_a_leader_that_was_killed(world: World) -> None:
    async with controller(world, SHORT) as first:
        await world.allocate("before")
        killed = world.leader
        async with controller(world, SHORT) as second:
            await stands_by(second)
            first.kill()
            await world.until(lambda: world.leader not in (killed, ""))
            await world.allocate("after")
            lease = world.leases.get(LEASE)
            assert lease is not None
            assert lease.spec.lease_transitions == 1
            await world.until(lambda: {f"{who} became leader" for who in (killed, world.leader)} == world.elections)


async def test_sigterm_hands_the_lease_over_without_waiting_for_it_to_expire(world: World) -> None:
    async with controller(world, LONG) as first:
        await world.allocate("before")
        ending = world.leader
        async with controller(world, LONG) as second:
            await stands_by(second)
            first.send_signal(signal.SIGTERM)
            await world.until(lambda: world.leader not in (ending, ""))
            await world.allocate("after")
            assert (await ended(first))[0] == 0
            await world.until(lambda: f"{ending} stopped leading" in world.elections)


async def test_who_stands_by_ends_on_sigterm_and_leaves_the_lease_alone(world: World) -> None:
    async with controller(world, LONG):
        await world.until(lambda: world.leader != "")
        leader = world.leader
        async with controller(world, LONG) as second:
            await stands_by(second)
            second.send_signal(signal.SIGTERM)
            assert (await ended(second))[0] == 0
        assert (await world.client.get(Lease, LEASE)).spec.holder_identity == leader


async def test_a_leader_that_was_suspended_ends_when_it_wakes_up(world: World) -> None:
    async with controller(world, SHORT) as first:
        await world.allocate("before")
        suspended = world.leader
        async with controller(world, SHORT) as second:
            await stands_by(second)
            first.send_signal(signal.SIGSTOP)
            await world.until(lambda: world.leader not in (suspended, ""))
            first.send_signal(signal.SIGCONT)
            status, message = await ended(first)
            assert status == 1
            assert f"lease {LEASE} is lost" in message
            await world.allocate("after")
            assert second.returncode is None


async def test_a_leader_that_is_cut_off_from_the_api_server_ends(world: World, server: AsyncExitStack) -> None:
    async with controller(world, SHORT) as first:
        await world.allocate("before")
        await server.aclose()
        status, message = await ended(first)
        assert status == 1
        assert f"lease {LEASE} is lost: it could not be renewed for 4 s" in message
