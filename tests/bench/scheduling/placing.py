"""How many pods a second a scheduler places, in the embedded cluster or on a real control plane: the same objects."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.api import Api, Json, all_of
from tests.bench.manifest import NAMESPACE
from tests.bench.scheduling.workload import Workload
from tests.bench.world import PODS, World

__all__ = ["Placing", "place"]

_DRA: Final = "/apis/resource.k8s.io/v1"
_PATIENCE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Placing:
    """Of all pods, which come as fast as the API server takes them."""

    pods: int
    create_seconds: float
    """Until the last pod was created."""
    bound_seconds: float
    """From the first request until all pods were seen with a node."""

    @property
    def pods_a_second(self) -> float:
        """From the first request on."""
        return self.pods / self.bound_seconds


async def place(api: Api, workload: Workload) -> Placing:
    """Makes the cluster, then the pods, and waits until all of them have a node."""
    await api.apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    await _make(api, "/api/v1/nodes", workload.node_objects())
    await _make(api, f"{_DRA}/deviceclasses", [workload.device_class()])
    await _make(api, f"{_DRA}/resourceslices", workload.slices())
    await _make(api, f"{_DRA}/namespaces/{NAMESPACE}/resourceclaims", workload.claims())
    pods = workload.pod_objects()
    loop = asyncio.get_running_loop()
    async with World(api).bindings() as bindings:
        start = loop.time()
        await _make(api, PODS, pods)
        created = loop.time()
        if not await bindings.wait([pod["metadata"]["name"] for pod in pods], _PATIENCE_SECONDS):
            raise RuntimeError(f"after {_PATIENCE_SECONDS} s only {len(bindings.at)} of {len(pods)} pods have a node")
    return Placing(len(pods), created - start, max(bindings.at.values()) - start)


async def _make(api: Api, path: str, objects: Sequence[Json]) -> None:
    await all_of(api.create(path, each) for each in objects)
