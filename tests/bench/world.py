"""What the benchmark does in a cluster of either protocol: installs what the driver needs, adds nodes, watches pods."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.bench import manifest
from tests.bench.api import Api, Json, RefusedError
from tests.bench.manifest import DRIVER_NAMESPACE, NAMESPACE

__all__ = ["PODS", "Bindings", "World", "wait_until"]

PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"

_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 600


@dataclass(slots=True)
class Bindings:
    """When which pod got its node, by the loop's clock."""

    at: dict[str, float] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, pod: str, now: float) -> None:
        """The pod is seen with a node."""
        if pod not in self.at:
            self.at[pod] = now
            self._changed.set()

    async def wait(self, pods: Sequence[str], timeout_seconds: float) -> bool:
        """Waits until all of these pods have a node; False when that takes too long."""
        missing = set(pods)
        try:
            async with asyncio.timeout(timeout_seconds):
                while missing := missing - self.at.keys():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


class World:
    """Makes and removes objects in a cluster that is otherwise empty."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def install(self) -> None:
        """The driver's CRDs, and namespaces in which pods can be created."""
        for crd in await asyncio.to_thread(manifest.crds):
            await self.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        for name in (NAMESPACE, DRIVER_NAMESPACE):
            await self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
        await wait_until(lambda: self._has(accounts), "there is no service account")

    async def add_ready_node(self, name: str) -> Json:
        """A node that is ready, and takes pods."""
        node = await self.api.create("/api/v1/nodes", manifest.node(name))
        # Admission adds a not-ready taint to each new node, which only the node lifecycle controller takes away.
        await self.api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})
        return node

    async def are_served(self, *paths: str) -> bool:
        """Whether the API server has all of these resources."""
        try:
            for path in paths:
                await self.api.get(path)
        except RefusedError:
            return False
        return True

    @asynccontextmanager
    async def bindings(self) -> AsyncIterator[Bindings]:
        """Watches pods for the block, and notes when each of them gets its node."""
        found = Bindings()
        listed = await self.api.get(PODS)
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(self._watch(found, listed["metadata"]["resourceVersion"]), name="watch pods")
            try:
                yield found
            finally:
                watcher.cancel()

    async def _watch(self, bindings: Bindings, version: str) -> None:
        loop = asyncio.get_running_loop()
        async for event, pod in self.api.watch(PODS, version):
            if event in ("ADDED", "MODIFIED") and pod["spec"].get("nodeName"):
                bindings.note(pod["metadata"]["name"], loop.time())

    async def has_none(self, path: str) -> bool:
        """Whether a list is empty."""
        return not await self._has(path)

    async def _has(self, path: str) -> bool:
        return bool((await self.api.get(path))["items"])


async def wait_until(
    condition: Callable[[], Awaitable[bool]], problem: str, seconds: float = _PATIENCE_SECONDS
) -> None:
    """Raises RuntimeError with the problem when it lasts."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - it is another program that is waited for
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise RuntimeError(f"after {seconds} s, {problem}") from error
