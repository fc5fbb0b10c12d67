"""Nodes without a kubelet: a Node object that says Ready, and the ResourceSlice that a plugin would have published.

The scheduler allocates their devices and binds pods to them, and nothing ever runs there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import make_inventory
from tests.e2e.client import Client, Manifest
from tests.scenarios.structured.manifests import POOL_LABEL

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
    def slice_name(self) -> str:
        """Of the one slice of its devices."""
        return f"{self.name}-devices"

    @property
    def devices(self) -> Sequence[Manifest]:
        """As its slice has them."""
        inventory = make_inventory(self.name, self.count, self.models)
        return [
            {
                "name": f"fake-{index}",
                "attributes": {
                    "index": {"int": index},
                    "model": {"string": device.model},
                    "uuid": {"string": device.uuid},
                },
            }
            for index, device in enumerate(inventory)
        ]

    def create(self, client: Client, *, with_devices: bool = True) -> None:
        """Creates the Node, and its ResourceSlice if it is to have one."""
        client.create(self._node())
        # Admission adds a not-ready taint to each new Node, which only the node lifecycle controller takes away.
        client.patch(Node, self.name, {"spec": {"taints": [_taint(self.pool)]}})
        if with_devices:
            self.publish_devices(client)

    def publish_devices(self, client: Client) -> None:
        """Creates the ResourceSlice of a Node that is there."""
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.name, "uid": client.get(Node, self.name).uid}
        client.create(
            {
                "apiVersion": v1.ResourceSlice.resource.api_version,
                "kind": v1.ResourceSlice.resource.kind,
                "metadata": {"name": self.slice_name, "ownerReferences": [owner]},
                "spec": {
                    "driver": DRIVER_NAME,
                    "nodeName": self.name,
                    "pool": {"name": self.name, "generation": 1, "resourceSliceCount": 1},
                    "devices": self.devices,
                },
            }
        )

    def delete(self, client: Client) -> None:
        """Deletes the Node; the garbage collector takes its slice, which is deleted here all the same."""
        client.delete(Node, self.name)
        client.delete(v1.ResourceSlice, self.slice_name)

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


def _taint(pool: str) -> Manifest:
    return {"key": POOL_LABEL, "value": pool, "effect": "NoSchedule"}
