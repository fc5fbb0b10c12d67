"""What a node of a pool is told: the options of its kubelet, or the Node itself where it has none.

A Node without a kubelet is one as in KWOK's documentation (kwok.sigs.k8s.io/docs/user/kwok-manage-nodes-and-pods).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fake_dra_driver.cluster.kubelet.dra.refusals import Refusals
from fake_dra_driver.cluster.kubelet.kubelet import KubeletOptions
from fake_dra_driver.cluster.nodepool import POOL_LABEL, NodePool

__all__ = ["node_manifest", "node_options"]

_KWOK_ANNOTATIONS: Final = {"kwok.x-k8s.io/node": "fake"}
"""By which KWOK knows the nodes that it takes care of."""
_KWOK_LABELS: Final = {"type": "kwok", "kubernetes.io/role": "agent", "node-role.kubernetes.io/agent": ""}
_KWOK_CAPACITY: Final = {"cpu": "32", "memory": "256Gi"}


def node_options(base: KubeletOptions, name: str, root: Path, pool: NodePool | None) -> KubeletOptions:
    """The options of the kubelet of a node, which is one of a pool or stands alone."""
    options = replace(base, node_name=name, root=root, refusals=Refusals())
    if pool is None:
        return options
    return replace(
        options,
        labels={**base.labels, **_labels(pool)},
        annotations=pool.annotations,
        taints=_taints(pool),
        capacity=_capacity(pool),
    )


def node_manifest(pool: NodePool, name: str) -> dict[str, Any]:
    """The Node of a simulated pool."""
    capacity = {**_KWOK_CAPACITY, **_capacity(pool)}
    system = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    beta = {f"beta.{key}": value for key, value in system.items() if not key.endswith("hostname")}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**beta, **system, **_KWOK_LABELS, **_labels(pool)},
            "annotations": {**_KWOK_ANNOTATIONS, **pool.annotations},
        },
        "spec": {"taints": taints} if (taints := _taints(pool)) else {},
        "status": {"capacity": capacity, "allocatable": capacity},
    }


def _labels(pool: NodePool) -> Mapping[str, str]:
    return {POOL_LABEL: pool.name, **pool.labels}


def _taints(pool: NodePool) -> list[Mapping[str, str]]:
    return [taint.model_dump(exclude_defaults=True) for taint in pool.taints]


def _capacity(pool: NodePool) -> dict[str, str]:
    named = {"cpu": pool.cpu, "memory": pool.memory, "pods": str(pool.pods)}
    return {name: quantity for name, quantity in named.items() if quantity is not None}
