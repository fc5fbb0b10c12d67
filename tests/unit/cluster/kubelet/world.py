"""One node of an embedded cluster: an API server in memory, a kubelet with real processes, and words for its pods."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster import Timing
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import ContainerStatus, Node
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.dra.socketfolders import SocketFolders
from fake_dra_driver.cluster.kubelet.kubelet import Kubelet, KubeletOptions
from fake_dra_driver.cluster.kubelet.logs import PodLogs
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["DRIVER", "FOREVER", "NODE", "World", "container", "pod", "running_world"]

T = TypeVar("T")

NODE = "node-0"
DRIVER = "device.example.com"
FOREVER = "trap 'exit 0' TERM; sleep 1000 & wait"
"""A script that runs until it is told to end, and ends well then."""
_DEADLINE_SECONDS = 20.0
"""Only ever reached by a test that fails."""


def container(script: str, name: str = "ctr0", **more: Any) -> dict[str, Any]:
    """A container that runs a shell script."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **more}


def pod(name: str, *containers: Mapping[str, Any], claims: Sequence[str] = (), **spec: Any) -> dict[str, Any]:
    """A pod on the node. ``claims``: of ResourceClaims; all containers that do not say otherwise use all of them."""
    uses = {"claims": [{"name": claim} for claim in claims]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": NODE,
            "terminationGracePeriodSeconds": 5,
            "containers": [{"resources": uses, **each} for each in containers or (container(FOREVER),)],
            "resourceClaims": [{"name": claim, "source": {"resourceClaimName": claim}} for claim in claims],
            **spec,
        },
    }


class TokenReview(KubeObject):
    """authentication.k8s.io/v1 TokenReview."""

    resource = ResourceKind("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)


class World:
    """A node and its cluster, for tests."""

    def __init__(self, server: ApiServer, root: Path, group: asyncio.TaskGroup) -> None:
        self.server = server
        self.client = server.client("tests")
        self.root = root
        self.logs = PodLogs()
        server.logs = self.logs
        self.options = KubeletOptions(
            node_name=NODE,
            root=root,
            socket_folders=SocketFolders(poll_seconds=0.02),
            logs=self.logs,
            renew_seconds=0.05,
            timing=Timing(resync_seconds=0.05, retry_seconds=0.05),
        )
        self._group = group
        self._stack = contextlib.AsyncExitStack()
        self._runtime: ProcessRuntime | None = None
        self._kubelet: tuple[Kubelet, Client, asyncio.Task[None]] | None = None

    @property
    def runtime(self) -> ProcessRuntime:
        assert self._runtime is not None
        return self._runtime

    @property
    def kubelet(self) -> Kubelet:
        assert self._kubelet is not None
        return self._kubelet[0]

    @property
    def kubelet_client(self) -> Client:
        """The client of the kubelet that runs."""
        assert self._kubelet is not None
        return self._kubelet[1]

    # --- The node ---

    async def boot(self) -> None:
        """The machine comes up."""
        await self._stack.enter_async_context(self.options.socket_folders)
        self._runtime = await self._stack.enter_async_context(ProcessRuntime(self.root))

    async def start(self, **options: Any) -> Kubelet:
        """A kubelet starts, and is ready."""
        self.options = replace(self.options, **options)
        client = self.server.client(f"kubelet/{self.options.kubernetes_version}")
        kubelet = Kubelet(client, self.runtime, self.options)
        task = self._group.create_task(kubelet.run(), name="kubelet")
        self._kubelet = (kubelet, client, task)
        async with asyncio.timeout(_DEADLINE_SECONDS):
            await kubelet.is_ready.wait()
        return kubelet

    async def stop(self) -> None:
        """The kubelet ends; its containers stay."""
        if self._kubelet is not None:
            kubelet, client, task = self._kubelet
            self._kubelet = None
            kubelet.stop()
            await asyncio.wait((task,))
            await client.close()

    async def close(self) -> None:
        """All ends."""
        await self.stop()
        await self._stack.aclose()
        await self.client.close()

    # --- The API ---

    async def create(self, manifest: Mapping[str, Any]) -> Pod:
        """Creates a pod."""
        return await self.client.create(Pod.from_wire(manifest))

    async def pod(self, name: str) -> Pod:
        """A pod as it is now."""
        return await self.client.get(Pod, NamespacedName("default", name))

    async def node(self) -> Node:
        """The node as it is now."""
        return await self.client.get(Node, NamespacedName("", NODE))

    async def delete(self, name: str, **options: Any) -> None:
        """Deletes a pod, and does not wait."""
        await self.client.delete(Pod, NamespacedName("default", name), **options)

    async def eventually(self, read: Callable[[], Awaitable[T]], condition: Callable[[T], object]) -> T:
        """Waits until what is read is as it should be, and gives it."""
        last: T | None = None
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                while True:
                    last = await read()
                    if condition(last):
                        return last
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"it did not come to be as it should; it is {last}") from None

    async def until(self, name: str, condition: Callable[[Pod], object]) -> Pod:
        """Waits until a pod is as it should be, and gives it."""
        return await self.eventually(lambda: self.pod(name), condition)

    async def until_phase(self, name: str, phase: str) -> Pod:
        """Waits for a phase of a pod."""
        return await self.until(name, lambda pod: pod.status.phase == phase)

    async def until_ready(self, name: str) -> Pod:
        """Waits until a pod is ready."""
        return await self.until(name, is_ready)

    async def until_gone(self, name: str) -> None:
        """Waits until there is no such pod."""
        with contextlib.suppress(NotFoundError):
            await self.until(name, lambda _: False)

    async def run(self, manifest: Mapping[str, Any]) -> Pod:
        """Creates a pod and waits until it is ready."""
        await self.create(manifest)
        return await self.until_ready(manifest["metadata"]["name"])

    async def log(self, name: str, container: str = "ctr0", **query: str) -> str:
        """What ``kubectl logs`` would print."""
        wire = (await self.pod(name)).to_wire()
        return b"".join([block async for block in self.logs.stream(wire, container, query)]).decode()

    async def log_until(self, name: str, end: str, container: str = "ctr0") -> str:
        """What a container that runs has printed, once it ends in this: ready does not mean that it has printed."""
        text = ""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            blocks = self.logs.stream((await self.pod(name)).to_wire(), container, {"follow": "true"})
            async with contextlib.aclosing(blocks):
                async for block in blocks:
                    text += block.decode()
                    if text.endswith(end):
                        break
        assert text.endswith(end), text
        return text

    async def number(self, name: str) -> int:
        """The number that a container that runs has printed as its only line."""
        return int(await self.log_until(name, "\n"))

    async def raw_events(self) -> Sequence[Event]:
        """All events, sorted by time as far as that goes."""
        return sorted(
            (await self.client.list(Event, "default")).items, key=lambda event: int(event.metadata.resource_version)
        )

    async def user_of(self, token: str) -> str:
        """Whose token it is, to the API server."""
        review = TokenReview.from_wire({"metadata": {}, "spec": {"token": token}})
        answer = await self.client.create(review)
        return str((answer.model_extra or {})["status"]["user"]["username"])

    async def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of the events about an object."""
        found = await self.raw_events()
        return [(event.reason, event.message) for event in found if event.involved_object.name == name]

    async def until_event(self, name: str, reason: str, text: str = "") -> str:
        """Waits for an event about an object, and gives its message."""

        def mine(events: Sequence[tuple[str, str]]) -> str | None:
            return next((message for found, message in events if found == reason and text in message), None)

        return mine(await self.eventually(lambda: self.events(name), mine)) or ""

    async def allocate(
        self, name: str, *pods: Pod, handles: Mapping[str, str] | None = None, status: Mapping[str, Any] | None = None
    ) -> ResourceClaim:
        """Creates an allocated claim, or reserves the one of that name, for these pods."""
        key = NamespacedName("default", name)
        with contextlib.suppress(NotFoundError):
            await self.client.delete(ResourceClaim, key)
        manifest = {"metadata": {"name": name, "namespace": "default"}, "spec": {"resourceClassName": "class"}}
        await self.client.create(ResourceClaim.from_wire(manifest))
        reserved = [{"resource": "pods", "name": each.metadata.name, "uid": each.uid} for each in pods]
        data = {DRIVER: f"handle of {name}"} if handles is None else handles
        allocation = {"resourceHandles": [{"driverName": each, "data": data[each]} for each in data], "shareable": True}
        whole = {"driverName": DRIVER, "allocation": allocation, "reservedFor": reserved, **(status or {})}
        return await self.client.merge_patch(ResourceClaim, key, {"status": whole}, subresource="status")


def is_ready(pod: Pod) -> bool:
    condition = pod.condition("Ready")
    return condition is not None and condition.status == "True"


def status_of(pod: Pod, name: str = "ctr0") -> ContainerStatus:
    """The status of one container."""
    return next(
        status
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
        if status.name == name
    )


@contextlib.asynccontextmanager
async def running_world(root: Path, now: WallClock = utc_now) -> AsyncIterator[World]:
    """A node that is up, without a kubelet yet. The API server does not listen: clients are in this process.

    Args:
        root: folder of the node.
        now: clock of the API server.
    """
    async with asyncio.TaskGroup() as group:
        world = World(ApiServer(now=now), root, group)
        try:
            await world.boot()
            yield world
        finally:
            await world.close()
