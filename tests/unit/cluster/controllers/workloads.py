"""Workloads for tests, and a stand-in for kubelets."""

from typing import Any

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.cluster.kinds import Pod
from tests.support.control_plane import ControlPlane, ref

__all__ = ["LABELS", "make_ready", "orphan", "pods_of", "template", "workload"]

LABELS = {"app": "a"}


def template(image: str = "busybox:1", **spec: Any) -> dict[str, Any]:
    containers = [{"name": "ctr0", "image": image}]
    return {"metadata": {"labels": LABELS}, "spec": {"containers": containers, **spec}}


def workload(image: str = "busybox:1", *, pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The spec of a Deployment, a ReplicaSet or a DaemonSet."""
    return {"selector": {"matchLabels": LABELS}, "template": template(image, **(pod or {})), **spec}


def pods_of(plane: ControlPlane, image: str | None = None) -> list[Pod]:
    """The pods that count, of an image or of any."""
    return [
        pod
        for pod in plane.list(Pod)
        if not pod.is_deleting and not pod.is_finished and image in (None, pod.spec.containers[0].image)
    ]


async def make_ready(plane: ControlPlane, *pods: Pod, ready: bool = True) -> None:
    """What kubelets say of running pods."""
    for pod in pods:
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": plane.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        await plane.patch(Pod, pod.key, {"status": {"phase": "Running", "conditions": [condition]}}, "status")


async def orphan(plane: ControlPlane, owner: type[KubeObject], name: str, *kinds: type[KubeObject]) -> None:
    """What ``kubectl delete --cascade=orphan`` and the garbage collector leave of a workload."""
    await plane.delete(owner, ref(name))
    for kind in kinds:
        for obj in plane.list(kind):
            await plane.patch(kind, obj.key, {"metadata": {"ownerReferences": None}})
