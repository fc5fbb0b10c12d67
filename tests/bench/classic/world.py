"""What the benchmark does in classic DRA: adds nodes and their ledgers, pods with claims, claims that are allocated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.fake import (
    CLAIM_FINALIZER,
    DRIVER_NAME,
    RESOURCE_CLASS_NAME,
    FakeClaimParameters,
    NodeAllocationState,
)
from tests.bench.api import Api, all_of
from tests.bench.classic import manifest
from tests.bench.classic.manifest import ONE_DEVICE
from tests.bench.manifest import DRIVER_NAMESPACE, NAMESPACE
from tests.bench.world import PODS, World, wait_until

__all__ = ["CLAIMS", "CONTEXTS", "AllocatedClaim", "ClassicWorld"]

_DRA: Final = "/apis/resource.k8s.io/v1alpha2"
CLAIMS: Final = f"{_DRA}/namespaces/{NAMESPACE}/resourceclaims"
CONTEXTS: Final = f"{_DRA}/namespaces/{NAMESPACE}/podschedulingcontexts"
_STATES: Final = NodeAllocationState.resource.path(DRIVER_NAMESPACE)
_PARAMETERS: Final = FakeClaimParameters.resource.path(NAMESPACE)


@dataclass(frozen=True, slots=True)
class AllocatedClaim:
    """As the kubelet names a claim in a call."""

    name: str
    uid: str
    handle: str


class ClassicWorld(World):
    """Nodes are ``bench-00000``, ``bench-00001`` and so on."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._nodes = 0

    @override
    async def install(self) -> None:
        """Also the class, and the template of a claim for one device."""
        await super().install()
        resource_class = {"metadata": {"name": RESOURCE_CLASS_NAME}, "driverName": DRIVER_NAME}
        await self.api.create(f"{_DRA}/resourceclasses", resource_class)
        await self.api.create(f"{_DRA}/namespaces/{NAMESPACE}/resourceclaimtemplates", manifest.claim_template())
        await wait_until(lambda: self.are_served(_STATES, _PARAMETERS), "the CRDs are not served")
        await self.api.create(_PARAMETERS, manifest.parameters())

    async def grow(self, nodes: int, devices: int = 8) -> Sequence[str]:
        """Adds nodes until there are so many, and returns the names of all."""
        await all_of(self.add_node(_node_name(number), devices) for number in range(self._nodes, nodes))
        self._nodes = max(self._nodes, nodes)
        return [_node_name(number) for number in range(self._nodes)]

    async def add_node(self, name: str, devices: int, *, with_state: bool = True) -> None:
        """A node that is ready, and what its kubelet plugin would have published."""
        node = await self.add_ready_node(name)
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
        await wait_until(lambda: self.has_none(CLAIMS), "claims are left")
        await wait_until(self._are_ledgers_empty, "ledgers have entries")

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

    async def _are_ledgers_empty(self) -> bool:
        states = (await self.api.get(_STATES))["items"]
        return not any(state["spec"].get("allocatedClaims") for state in states)


def _node_name(number: int) -> str:
    return f"bench-{number:05}"
