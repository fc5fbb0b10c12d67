"""What the benchmark does in structured DRA: claims that are allocated already, pods for the scheduler, slices."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from tests.bench.api import Json, all_of
from tests.bench.manifest import DRIVER_NAMESPACE, NAMESPACE
from tests.bench.structured import manifest
from tests.bench.structured.manifest import ONE_DEVICE
from tests.bench.world import PODS, World, wait_until

__all__ = ["CLAIMS", "SLICES", "AllocatedClaim", "SliceChanges", "StructuredWorld"]

_DRA: Final = "/apis/resource.k8s.io/v1"
CLAIMS: Final = f"{_DRA}/namespaces/{NAMESPACE}/resourceclaims"
SLICES: Final = f"{_DRA}/resourceslices"
_STATES: Final = NodeAllocationState.resource.path(DRIVER_NAMESPACE)

_CHANGE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class AllocatedClaim:
    """As the kubelet names a claim in a call."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class SliceChanges:
    """What happens to slices, in its order."""

    _seen: asyncio.Queue[tuple[float, str, Json]] = field(default_factory=asyncio.Queue)

    def note(self, now: float, event: str, found: Json) -> None:
        """A watch has told of it at this loop time."""
        self._seen.put_nowait((now, event, found))

    async def next(self, event: str) -> tuple[float, Json]:
        """Loop time and object of the next change of that type; others before it are left out. Raises TimeoutError."""
        async with asyncio.timeout(_CHANGE_SECONDS):
            while True:
                now, type_, found = await self._seen.get()
                if type_ == event:
                    return now, found


class StructuredWorld(World):
    """Devices are named as the driver names them, and a node's pool as the node."""

    @override
    async def install(self) -> None:
        """Also the class, and the template of a claim for one device."""
        await super().install()
        await self.api.create(f"{_DRA}/deviceclasses", manifest.device_class())
        await self.api.create(f"{_DRA}/namespaces/{NAMESPACE}/resourceclaimtemplates", manifest.claim_template())
        await wait_until(lambda: self.are_served(_STATES), "the CRDs are not served")

    async def remove_node(self, name: str) -> None:
        """Takes a node away; the garbage collector takes what belongs to it."""
        await self.api.delete(f"/api/v1/nodes/{name}")
        await wait_until(lambda: self.has_none(SLICES), "slices are left")

    async def add_allocated(self, node: str, devices: int) -> Sequence[AllocatedClaim]:
        """Claims that are allocated already, each with one device of the node and a pod of its own there."""
        numbers = range(devices)
        return await all_of(self._add_allocated(f"{node}-{number}", node, f"fake-{number}") for number in numbers)

    async def _add_allocated(self, name: str, node: str, device: str) -> AllocatedClaim:
        pod = await self.api.create(PODS, manifest.pod(name, {"resourceClaimName": name}, node_name=node))
        pod_uid = pod["metadata"]["uid"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod_uid, "controller": True}
        metadata = {"name": name, "ownerReferences": [owner]}
        claim = await self.api.create(CLAIMS, {"metadata": metadata, "spec": manifest.claim_spec()})
        status = manifest.allocated_status(node, device, name, pod_uid)
        await self.api.patch(f"{CLAIMS}/{name}/status", {"status": status})
        return AllocatedClaim(name, claim["metadata"]["uid"])

    async def wait_reported(self, claims: Sequence[AllocatedClaim]) -> None:
        """Waits until the driver has reported on the devices of all of these claims."""
        await wait_until(lambda: self._are_reported(claims), "devices are not reported on their claims")

    async def forget_reports(self, claims: Sequence[AllocatedClaim]) -> None:
        """Takes what was reported away, so that the claims are as new."""
        await all_of(self.api.patch(f"{CLAIMS}/{claim.name}/status", {"status": {"devices": None}}) for claim in claims)

    async def _are_reported(self, claims: Sequence[AllocatedClaim]) -> bool:
        found = (await self.api.get(CLAIMS))["items"]
        reported = {claim["metadata"]["uid"] for claim in found if claim["status"].get("devices")}
        return reported >= {claim.uid for claim in claims}

    async def add_pod(self, name: str) -> None:
        """A pod with one claim, from the template, for the scheduler."""
        await self.api.create(PODS, manifest.pod(name, {"resourceClaimTemplateName": ONE_DEVICE}))

    async def claim_of(self, pod: str) -> AllocatedClaim:
        """The claim that was made for a pod."""
        found = await self.api.get(f"{PODS}/{pod}")
        name = found["status"]["resourceClaimStatuses"][0]["resourceClaimName"]
        return AllocatedClaim(name, (await self.api.get(f"{CLAIMS}/{name}"))["metadata"]["uid"])

    async def remove_pods(self) -> None:
        """Takes all pods away, and waits until the claims that were made for them are gone."""
        await self.api.delete(PODS, at_once=True)
        await wait_until(lambda: self.has_none(CLAIMS), "claims are left")

    @asynccontextmanager
    async def slice_changes(self) -> AsyncIterator[SliceChanges]:
        """Watches slices for the block, from now on."""
        changes = SliceChanges()
        listed = await self.api.get(SLICES)
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(self._follow(changes, listed["metadata"]["resourceVersion"]), name="slices")
            try:
                yield changes
            finally:
                watcher.cancel()

    async def _follow(self, changes: SliceChanges, version: str) -> None:
        loop = asyncio.get_running_loop()
        async for event, found in self.api.watch(SLICES, version):
            changes.note(loop.time(), event, found)
