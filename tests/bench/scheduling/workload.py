"""What is scheduled: nodes of 8 devices, and pods with a claim for one of them each, as JSON for the API server."""

from dataclasses import dataclass
from typing import Any, Final

from tests.bench import manifest
from tests.bench.manifest import NAMESPACE

__all__ = ["DEVICES", "Workload"]

Json = dict[str, Any]

DEVICES: Final = 8
"""Of a node."""
_API: Final = "resource.k8s.io/v1"
_DRIVER: Final = "gpu.example.com"
_CLASS: Final = "gpu.example.com"
_MODEL: Final = "LATEST-GPU-MODEL"


@dataclass(frozen=True, slots=True)
class Workload:
    """So many nodes, and so many pods."""

    nodes: int
    pods: int

    def device_class(self) -> Json:
        """All devices of the driver."""
        selector = {"cel": {"expression": f'device.driver == "{_DRIVER}"'}}
        return _object("DeviceClass", _CLASS, spec={"selectors": [selector]})

    def node_objects(self) -> list[Json]:
        """The nodes."""
        return [{"apiVersion": "v1", "kind": "Node", **manifest.node(_node(number))} for number in range(self.nodes)]

    def slices(self) -> list[Json]:
        """A slice for each node, as drivers for GPUs publish them."""
        return [
            _object(
                "ResourceSlice",
                f"{_node(number)}-gpu",
                spec={
                    "driver": _DRIVER,
                    "nodeName": _node(number),
                    "pool": {"name": _node(number), "generation": 1, "resourceSliceCount": 1},
                    "devices": [_device(number, device) for device in range(DEVICES)],
                },
            )
            for number in range(self.nodes)
        ]

    def claims(self) -> list[Json]:
        """A claim for each pod, of a device with a certain model and enough memory."""
        expression = (
            f'device.attributes["{_DRIVER}"].model == "{_MODEL}" && '
            f'device.capacity["{_DRIVER}"].memory.compareTo(quantity("40Gi")) >= 0'
        )
        exactly = {
            "deviceClassName": _CLASS,
            "allocationMode": "ExactCount",
            "count": 1,
            "selectors": [{"cel": {"expression": expression}}],
        }
        spec = {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}
        return [_object("ResourceClaim", _pod(number), NAMESPACE, spec=spec) for number in range(self.pods)]

    def pod_objects(self) -> list[Json]:
        """The pods. They tolerate the taints of nodes that have no kubelet."""
        return [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": _pod(number), "namespace": NAMESPACE},
                "spec": {
                    "containers": [
                        {"name": "main", "image": "busybox:1.37", "resources": {"claims": [{"name": "gpu"}]}}
                    ],
                    "resourceClaims": [{"name": "gpu", "resourceClaimName": _pod(number)}],
                    "tolerations": [{"operator": "Exists"}],
                },
            }
            for number in range(self.pods)
        ]


def _object(kind: str, name: str, namespace: str = "", *, spec: Json) -> Json:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}


def _node(number: int) -> str:
    return f"node-{number:04}"


def _pod(number: int) -> str:
    return f"pod-{number:05}"


def _device(node: int, number: int) -> Json:
    return {
        "name": f"gpu-{number}",
        "attributes": {
            "index": {"int": number},
            "uuid": {"string": f"gpu-{node:08x}-{number}"},
            "model": {"string": _MODEL},
            "driverVersion": {"version": "1.0.0"},
        },
        "capacity": {"memory": {"value": "80Gi"}},
    }
