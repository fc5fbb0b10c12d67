"""What the benchmark does in the cluster: adds nodes and their ledgers, pods with claims, claims that are allocated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.api.fake import (
    CLAIM_FINALIZER,
    DRIVER_NAME,
    RESOURCE_CLASS_NAME,
    FakeClaimParameters,
    NodeAllocationState,
)
from tests.bench.api import Api, RefusedError, all_of
from tests.bench.classic import manifest
from tests.bench.classic.manifest import DRIVER_NAMESPACE, NAMESPACE, ONE_DEVICE

__all__ = ["CLAIMS", "CONTEXTS", "PODS", "AllocatedClaim", "Bindings", "World"]

_DRA: Final = "/apis/resource.k8s.io/v1alpha2"
CLAIMS: Final = f"{_DRA}/namespaces/{NAMESPACE}/resourceclaims"
CONTEXTS: Final = f"{_DRA}/namespaces/{NAMESPACE}/podschedulingcontexts"
PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_STATES: Final = NodeAllocationState.resource.path(DRIVER_NAMESPACE)
_PARAMETERS: Final = FakeClaimParameters.resource.path(NAMESPACE)

_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class AllocatedClaim:
    """As the kubelet names a claim in a call."""

    name: str
    uid: str
    handle: str


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
    """Makes and removes objects. Nodes are ``bench-00000``, ``bench-00001`` and so on."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._nodes = 0

    async def install(self) -> None:
        """CRDs, namespaces, the class, and the template of a claim for one device."""
        for crd in await asyncio.to_thread(manifest.crds):
            await self.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        for name in (NAMESPACE, DRIVER_NAMESPACE):
            await self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        resource_class = {"metadata": {"name": RESOURCE_CLASS_NAME}, "driverName": DRIVER_NAME}
        await self.api.create(f"{_DRA}/resourceclasses", resource_class)
        await self.api.create(f"{_DRA}/namespaces/{NAMESPACE}/resourceclaimtemplates", manifest.claim_template())
        await _wait("the CRDs are not served", lambda: self._are_served(_STATES, _PARAMETERS))
        await self.api.create(_PARAMETERS, manifest.parameters())
        await _wait("there is no service account", lambda: self._has(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"))

    async def grow(self, nodes: int, devices: int = 8) -> Sequence[str]:
        """Adds nodes until there are so many, and returns the names of all."""
        await all_of(self.add_node(_node_name(number), devices) for number in range(self._nodes, nodes))
        self._nodes = max(self._nodes, nodes)
        return [_node_name(number) for number in range(self._nodes)]

    async def add_node(self, name: str, devices: int, *, with_state: bool = True) -> None:
        """A node that is ready, and what its kubelet plugin would have published."""
        node = await self.api.create("/api/v1/nodes", manifest.node(name))
        # Admission adds a not-ready taint to each new node, which only the node lifecycle controller takes away.
        await self.api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})
        if with_state:
            await self.api.create(_STATES, manifest.node_state(name, node["metadata"]["uid"], devices))

    async def remove_node(self, name: str) -> None:
        """Takes a node away; the garbage collector takes its ledger."""
        await self.api.delete(f"{_STATES}/{name}")
        await self.api.delete(f"/api/v1/nodes/{name}")

    async def add_pods(self, names: Sequence[str]) -> None:
        """Pods with one claim each, from the template, as fast as the server takes them."""
        source = {"resourceClaimTemplateName": ONE_DEVICE}
        await all_of(self.api.create(PODS, manifest.pod(name, source)) for name in names)

    async def add_pod_with_claim(self, name: str) -> None:
        """A pod and a claim for one device, both of that name."""
        await self.api.create(CLAIMS, {"metadata": {"name": name}, "spec": manifest.claim_spec()})
        await self.api.create(PODS, manifest.pod(name, {"resourceClaimName": name}))

    async def remove_pods(self) -> None:
        """Takes all pods away, and waits until their claims are gone and the driver has given back what they held."""
        await self.api.delete(PODS, at_once=True)
        await _wait("claims are left", lambda: self._has_none(CLAIMS))
        await _wait("ledgers have entries", self._are_ledgers_empty)

    async def remove_pods_and_claims(self) -> None:
        """As ``remove_pods``, for claims that were not made from a template."""
        await self.api.delete(PODS, at_once=True)
        await self.api.delete(CLAIMS)
        await self.remove_pods()

    async def add_allocated(self, node: str, devices: int) -> Sequence[AllocatedClaim]:
        """Claims that are allocated already, each with one device of the node and a pod that uses it there."""
        uuids = manifest.device_uuids(node, devices)
        claims = [await self._add_allocated(f"{node}-{number}", node, uuid) for number, uuid in enumerate(uuids)]
        entries = {
            claim.uid: {"fake": {"devices": [{"uuid": uuid}]}} for claim, uuid in zip(claims, uuids, strict=True)
        }
        await self.api.patch(f"{_STATES}/{node}", {"spec": {"allocatedClaims": entries}})
        return claims

    async def _add_allocated(self, name: str, node: str, uuid: str) -> AllocatedClaim:
        metadata = {"name": name, "finalizers": [CLAIM_FINALIZER]}
        claim = await self.api.create(CLAIMS, {"metadata": metadata, "spec": manifest.claim_spec()})
        pod = await self.api.create(PODS, manifest.pod(name, {"resourceClaimName": name}, node))
        handle = f'{{"version":"v1","devices":[{{"uuid":"{uuid}","split":0}}]}}'
        status = {
            "driverName": DRIVER_NAME,
            "allocation": manifest.allocation(node, handle),
            "reservedFor": [{"resource": "pods", "name": name, "uid": pod["metadata"]["uid"]}],
        }
        await self.api.patch(f"{CLAIMS}/{name}/status", {"status": status})
        return AllocatedClaim(name, claim["metadata"]["uid"], handle)

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

    async def _are_served(self, *paths: str) -> bool:
        try:
            for path in paths:
                await self.api.get(path)
        except RefusedError:
            return False
        return True

    async def _has(self, path: str) -> bool:
        return bool((await self.api.get(path))["items"])

    async def _has_none(self, path: str) -> bool:
        return not await self._has(path)

    async def _are_ledgers_empty(self) -> bool:
        states = (await self.api.get(_STATES))["items"]
        return not any(state["spec"].get("allocatedClaims") for state in states)


def _node_name(number: int) -> str:
    return f"bench-{number:05}"


async def _wait(problem: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """Raises RuntimeError with the problem when it lasts."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not await condition():  # noqa: ASYNC110 - it is another program that is waited for
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise RuntimeError(f"after {_PATIENCE_SECONDS} s, {problem}") from error
