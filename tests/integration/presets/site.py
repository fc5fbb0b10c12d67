"""An embedded cluster with releases of the chart in it, one for each preset."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.testing import BackgroundCluster
from fake_dra_driver.demo.install import DRIVER_IMAGES
from tests.e2e.waiting import wait_until
from tests.support.presetdemo import DEVICES_LABEL, PRESETS, Preset, PresetDemo, printed_variables

__all__ = ["Site", "running_site"]

_CHART: Final = Path(__file__).resolve().parents[3] / "deployments/helm/fake-dra-driver"
_NODE: Final = "node-a"
_PATIENCE_SECONDS: Final = 60


class Site:
    """What is seen of the cluster, and what is done in it."""

    def __init__(self, cluster: BackgroundCluster) -> None:
        self._cluster = cluster
        self._installed: set[str] = set()

    # --- What is done

    def install(self, preset: Preset) -> None:
        """A release of it, in a namespace of the same name, if there is none yet; waits until it is ready."""
        if preset.name not in self._installed:
            self._cluster.install_chart(_CHART, preset.name, release=preset.name, values=preset.values())
            self._cluster.wait_for_plugin(preset.driver)
            self._installed.add(preset.name)

    def choose(self, preset: Preset, variant: str) -> None:
        """Labels the node, and waits until it has the devices for this label."""
        labels = {DEVICES_LABEL: variant} if variant else {}
        self._cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": _NODE, "labels": labels}})

        async def is_chosen(cluster: Cluster) -> bool:
            return preset.is_chosen(variant, await _published(cluster, preset.driver))

        self._cluster.wait_until(f"{preset.name} has the devices for {variant!r}", is_chosen)

    def start(self, demos: Sequence[PresetDemo]) -> None:
        """Applies manifests, and waits until all their pods are ready."""
        for chosen in ([demo for demo in demos if demo.is_first], [demo for demo in demos if not demo.is_first]):
            for demo in chosen:
                self._cluster.apply(demo.path)
            for demo in chosen:
                self.wait_ready(demo.namespace, demo.pods)

    def apply(self, path: Path) -> None:
        """What a manifest has."""
        self._cluster.apply(path)

    def delete(self, path: Path) -> None:
        """What a manifest has, without waiting."""
        self._cluster.delete(path)

    def wait_ready(self, namespace: str, count: int) -> None:
        """Waits until a namespace has so many pods, and all are ready."""

        async def are_there(cluster: Cluster) -> Sequence[str] | None:
            pods = [pod.metadata.name for pod in (await cluster.client.list(Pod, namespace)).items]
            return pods if len(pods) == count else None

        for pod in self._cluster.wait_until(f"{namespace} has {count} pods", are_there):
            self._cluster.wait_for_pod(pod, namespace, until="ready")

    def wait_evicted(self, namespace: str, pod: str) -> None:
        """Waits until a pod is gone, or being deleted."""

        async def is_evicted(cluster: Cluster) -> bool:
            pods = (await cluster.client.list(Pod, namespace)).items
            return all(each.is_deleting for each in pods if each.metadata.name == pod)

        self._cluster.wait_until(f"{namespace}/{pod} is evicted", is_evicted)

    def wait_unschedulable(self, namespace: str, pod: str) -> None:
        """Waits until the scheduler has found no node for a pod."""
        self._cluster.wait_for_event("FailedScheduling", about=pod, namespace=namespace)

    def wait_unclaimed(self, namespaces: Collection[str]) -> None:
        """Waits until no claim is left there."""

        async def are_gone(cluster: Cluster) -> bool:
            claims = (await cluster.client.list(v1.ResourceClaim)).items
            return all(claim.metadata.namespace not in namespaces for claim in claims)

        self._cluster.wait_until(f"no claim is left in {namespaces}", are_gone)

    def stop(self, demos: Sequence[PresetDemo]) -> None:
        """Deletes the manifests' namespaces, and waits until their claims are gone."""
        for demo in demos:
            self._cluster.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": demo.namespace}})
        self.wait_unclaimed([demo.namespace for demo in demos])

    # --- What is seen

    def pods(self, namespace: str) -> Sequence[str]:
        """Their names."""
        return [pod["metadata"]["name"] for pod in self._cluster.list("pods", namespace)]

    def printed(self, namespace: str, pod: str, container: str) -> Mapping[str, str]:
        """The environment that a container has printed."""
        return printed_variables(self._log(namespace, pod, container))

    def claims(self, namespace: str) -> Sequence[v1.ResourceClaim]:
        """All claims."""
        return [v1.ResourceClaim.model_validate(each) for each in self._cluster.list("resourceclaims", namespace)]

    def published(self, driver: str) -> Sequence[v1.Device]:
        """What the driver's ResourceSlices have."""
        return self._cluster.call(lambda cluster: _published(cluster, driver))

    def nvidia_smi(self, namespace: str, pod: str, container: str) -> Sequence[str]:
        """What a container has printed of ``nvidia-smi -L``, which it runs first."""
        lines = self._log(namespace, pod, container).splitlines()
        return [line for line in lines if line.startswith(("GPU ", "  MIG "))]

    def _log(self, namespace: str, pod: str, container: str) -> str:
        """What a container has printed: a pod that is ready has not always begun to."""
        return wait_until(
            f"{container} of {pod} has printed something",
            lambda: self._cluster.logs(pod, namespace, container=container),
            _PATIENCE_SECONDS,
        )


async def _published(cluster: Cluster, driver: str) -> Sequence[v1.Device]:
    slices = (await cluster.client.list(v1.ResourceSlice)).items
    return [device for each in slices if each.spec.driver == driver for device in each.spec.devices]


@contextmanager
def running_site() -> Iterator[Site]:
    """A cluster of one node, with the feature gates that presets need."""
    options: Mapping[str, Any] = {
        "kubernetes_version": "1.37",
        "nodes": (_NODE,),
        "images": DRIVER_IMAGES,
        "feature_gates": {gate: True for preset in PRESETS for gate in preset.gates},
    }
    with BackgroundCluster(**options) as cluster:
        yield Site(cluster)
