"""Nodes without a kubelet: a Node object that says Ready, and the NodeAllocationState that a plugin would have made.

The scheduler binds pods to them, the driver allocates their devices, and nothing ever runs there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.device.inventory import Device, make_inventory
from tests.e2e.client import Client, Manifest
from tests.e2e.driver import DRIVER_NAMESPACE
from tests.scenarios.classic.manifests import POOL_LABEL

__all__ = ["StaticNode"]

_CAPACITY = {"pods": "110", "cpu": "64", "memory": "256Gi"}


@dataclass(frozen=True, slots=True)
class StaticNode:
    """One such node; ``models`` repeat over its devices in turn."""

    name: str
    count: int
    models: tuple[str, ...] = ("LATEST-FAKE-MODEL",)
    pool: str = "static"

    @property
    def devices(self) -> Sequence[Device]:
        """The devices that its NodeAllocationState shows."""
        return make_inventory(self.name, self.count, self.models)

    def create(self, client: Client, *, with_devices: bool = True) -> None:
        """Creates the Node, and its NodeAllocationState if it is to have one."""
        client.create(self._node())
        # Admission adds a not-ready taint to each new Node, which only the node lifecycle controller takes away.
        client.patch(Node, self.name, {"spec": {"taints": [_taint(self.pool)]}})
        if with_devices:
            self.publish_devices(client)

    def publish_devices(self, client: Client) -> None:
        """Creates the NodeAllocationState of a Node that is there."""
        client.create(self._nas(client.get(Node, self.name)))

    def delete(self, client: Client) -> None:
        """Deletes the Node; the garbage collector takes its NodeAllocationState, which is deleted here all the same."""
        client.delete(Node, self.name)
        client.delete(NodeAllocationState, self.name, DRIVER_NAMESPACE)

    def _node(self) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": {POOL_LABEL: self.pool, "kubernetes.io/hostname": self.name}},
            "spec": {"taints": [_taint(self.pool)]},
            "status": {
                "capacity": _CAPACITY,
                "allocatable": _CAPACITY,
                "conditions": [{"type": "Ready", "status": "True", "reason": "Static", "message": "made by a test"}],
            },
        }

    def _nas(self, node: Node) -> Manifest:
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.name, "uid": node.uid}
        return {
            "apiVersion": NodeAllocationState.resource.api_version,
            "kind": NodeAllocationState.resource.kind,
            "metadata": {"name": self.name, "namespace": DRIVER_NAMESPACE, "ownerReferences": [owner]},
            "spec": {
                "allocatableDevice": [{"fake": {"uuid": device.uuid, "name": device.model}} for device in self.devices]
            },
            "status": "Ready",
        }


def _taint(pool: str) -> Manifest:
    return {"key": POOL_LABEL, "value": pool, "effect": "NoSchedule"}
