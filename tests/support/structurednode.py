"""One node in a cluster of structured DRA, on a disk and an API server in memory: see ``node``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.prepared import RequestResult
from fake_dra_driver.dra.structured.claimlookup import StructuredClaimLookup
from fake_dra_driver.dra.structured.devicestatus import DeviceReports
from fake_dra_driver.dra.structured.nodedriver import MetadataMaker, StructuredNodeDriver
from fake_dra_driver.driver.live.source import SteadyNode
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.structured.pool import FakePool
from tests.support.cdi import environment_in
from tests.support.node import NODE, NodeMachine, NodeProcess

__all__ = ["Reports", "StructuredPlugin", "StructuredWorld", "parameters", "result"]

OTHER_DRIVER = "gpu.example.com"


def result(device: int | str, request: str = "fakes", **fields: Any) -> v1.DeviceRequestAllocationResult:
    """A device of the node as the scheduler allocates it: its number, or its name."""
    name = device if isinstance(device, str) else f"fake-{device}"
    given = {"request": request, "driver": DRIVER_NAME, "pool": NODE, "device": name, **fields}
    return v1.DeviceRequestAllocationResult(**given)


def parameters(*requests: str, source: str = "FromClaim", **spec: Any) -> v1.DeviceAllocationConfiguration:
    """FakeClaimParameters for the requests, or for all."""
    payload = {"apiVersion": f"{DRIVER_NAME}/v1alpha1", "kind": "FakeClaimParameters", "spec": spec}
    opaque = v1.OpaqueDeviceConfiguration(driver=DRIVER_NAME, parameters=payload)
    return v1.DeviceAllocationConfiguration(source=source, requests=requests, opaque=opaque)


@dataclass(slots=True)
class Reports(DeviceReports):
    """What was told on claims, by name."""

    devices: dict[str, Sequence[v1.AllocatedDeviceStatus]]

    @override
    def report(self, claim: v1.ResourceClaim, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        self.devices[claim.metadata.name] = devices

    @override
    def update(self, key: NamespacedName, uid: UID, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        if key.name in self.devices:
            self.devices[key.name] = devices

    @override
    def withdraw(self, key: NamespacedName, uid: UID) -> None:
        self.devices.pop(key.name, None)


class StructuredPlugin(NodeProcess):
    """A process in a cluster of structured DRA."""

    def __init__(self, world: NodeMachine, metadata: MetadataMaker | None = None) -> None:
        super().__init__(world)
        self.reports = Reports({})
        self.pool = FakePool(SteadyNode(fake_node(NODE, world.inventory)), self.planner)
        self.lookup = StructuredClaimLookup(
            DRIVER_NAME,
            NODE,
            self.pool,
            lambda: self.checkpoint.claims,
            self.client,
            RESOURCE_APIS["v1"],
            self.reports,
        )
        self._late.bind(self.lookup)
        self.driver = StructuredNodeDriver(self.preparer, self.lookup, self.pool, self.reports, metadata)


class StructuredWorld(NodeMachine):
    """A node with words for what scheduler, users and controllers do there."""

    async def start(self) -> StructuredPlugin:
        """A new process, after the orderly end or the death of the one before."""
        plugin = StructuredPlugin(self)
        await plugin.recovery.start()
        return plugin

    def claim(
        self,
        name: str,
        *results: int | v1.DeviceRequestAllocationResult,
        config: Sequence[v1.DeviceAllocationConfiguration] = (),
    ) -> NodeClaim:
        """The scheduler allocates devices (numbers of the inventory) to a new claim, or to the one of that name.

        Returns:
            The claim as the kubelet names it.
        """
        found = tuple(result(each) if isinstance(each, int) else each for each in results)
        allocation = v1.AllocationResult(devices=v1.DeviceAllocationResult(results=found, config=tuple(config)))
        consumer = v1.ConsumerReference(resource="pods", name="pod", uid=UID("pod-uid"))
        status = v1.ResourceClaimStatus(allocation=allocation, reserved_for=(consumer,))
        self.api.apply(v1.ResourceClaim(metadata=ObjectMeta(name=name, namespace="default"), status=status))
        return self.node_claim(name)

    def deallocate(self, claim: NodeClaim) -> None:
        """The claim's pod is gone from the API and from the node, and the claim is kept."""
        self.api.update(v1.ResourceClaim, claim.name, "default", {"status": {"allocation": None, "reservedFor": None}})
        self.abandon(claim)

    def delete(self, claim: NodeClaim) -> None:
        """The claim's pod is gone from the API and from the node, and the claim goes."""
        self.strip(claim)
        self.abandon(claim)

    def strip(self, claim: NodeClaim) -> None:
        """A user takes the claim away while its pod runs."""
        self.api.delete(v1.ResourceClaim, claim.name, "default")

    def node_claim(self, name: str) -> NodeClaim:
        """The claim of that name, as the kubelet names it in a call."""
        return NodeClaim("default", name, self.api.read(v1.ResourceClaim, name, "default").uid)

    def environments(self) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """By claim and CDI name: what a container gets that uses the device."""
        return {uid: environment_in(data) for uid, data in self.cdi_contents().items()}

    def assert_sound(self, plugin: StructuredPlugin, *claims: NodeClaim) -> None:
        """Exactly these claims are prepared, by the checkpoint and by the CDI files, and none is in another's way."""
        prepared = plugin.checkpoint.claims
        assert sorted(self.recorded()) == sorted(prepared) == sorted(claim.uid for claim in claims)
        assert {
            uid: [variables[f"FAKE_DEVICE_{number}"] for number, variables in enumerate(devices.values())]
            for uid, devices in self.environments().items()
        } == self.recorded()
        names = [name for devices in self.environments().values() for name in devices]
        assert len(names) == len(set(names)), f"two CDI files define one device: {names}"
        exclusive = [
            uuid
            for claim in prepared.values()
            for uuid in {device.key for device in claim.devices if is_exclusive(device.result)}
        ]
        assert len(exclusive) == len(set(exclusive)), f"two claims hold one device: {exclusive}"


def is_exclusive(found: RequestResult | None) -> bool:
    """Whether no other claim can have the device."""
    return found is None or (not found.admin_access and found.share_id is None)
