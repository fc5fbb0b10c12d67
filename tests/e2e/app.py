"""A manifest of ``tests/e2e/manifests`` in a namespace of its own, and what its containers, claims and Events say."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from tests.e2e.client import Manifest
from tests.e2e.kubectl import Kubectl
from tests.e2e.objects import Namespace, RunningPod
from tests.e2e.waiting import wait_until

__all__ = ["App"]

_FOLDER: Final = Path(__file__).parent / "manifests"
_VARIABLE: Final = re.compile(r"^export (\w+)='(.*)'$", re.MULTILINE)
_DEVICE: Final = re.compile(r"FAKE_DEVICE_\d+")


class App:
    """The objects of one test.

    Args:
        kubectl: the way to the cluster.
        api: the kinds of structured DRA in the version that the cluster serves.
        namespace: where its objects are.
    """

    def __init__(self, kubectl: Kubectl, api: ResourceApi, namespace: str) -> None:
        self._kubectl = kubectl
        self._api = api
        self.namespace = namespace

    def manifests(self, name: str) -> Sequence[Manifest]:
        """The objects of a file, those of structured DRA in the version that the cluster serves."""
        return [_in_version(found, self._api) for found in yaml.safe_load_all((_FOLDER / f"{name}.yaml").read_text())]

    def create(self, *manifests: Manifest) -> None:
        """Creates objects, in the app's namespace if they are in one."""
        self._kubectl(
            "create", f"--namespace={self.namespace}", "--filename=-", stdin="\n".join(map(json.dumps, manifests))
        )

    def start(self, name: str) -> None:
        """Creates the objects of a file, and waits until its pods run."""
        self.create(*self.manifests(name))
        self.wait_running()

    def wait_running(self, *names: str, seconds: float = 90) -> None:
        """Waits until these pods run, or all pods."""

        def running() -> bool:
            pods = {pod.key.name: pod for pod in self.pods()}
            late = [name for name in names or pods if name not in pods or not pods[name].is_ready]
            assert not late, f"not running: {late}"
            return bool(pods)

        wait_until(f"pods of {self.namespace} running", running, seconds)

    def delete(self, seconds: float = 90) -> None:
        """Deletes the namespace, and waits until it is gone."""
        self._kubectl.delete(Namespace, self.namespace)
        wait_until("namespace gone", lambda: self._kubectl.find(Namespace, self.namespace) is None, seconds)

    def delete_pod(self, name: str, *, now: bool = False) -> None:
        """Deletes a pod without waiting; ``now``: without the kubelet either."""
        self._kubectl.delete(RunningPod, name, self.namespace, now=now)

    def pods(self) -> Sequence[RunningPod]:
        """All pods."""
        return self._kubectl.list(RunningPod, self.namespace)

    def claims(self) -> Sequence[v1.ResourceClaim]:
        """All claims."""
        return self._kubectl.list(self._api.claims, self.namespace)

    def claim_of(self, pod: str) -> v1.ResourceClaim:
        """The claim that was made for a pod from a template, or for the resources that it asks for."""
        (claim,) = [
            claim for claim in self.claims() if pod in {owner.name for owner in claim.metadata.owner_references}
        ]
        return claim

    def variables(self, pod: str, container: str) -> Mapping[str, str]:
        """The environment that a container has printed."""
        return dict(_VARIABLE.findall(self._kubectl("logs", f"--namespace={self.namespace}", pod, "-c", container)))

    def devices(self, pod: str, container: str) -> Sequence[str]:
        """The UUIDs of the devices that a container has, in no order."""
        return sorted(value for name, value in self.variables(pod, container).items() if _DEVICE.fullmatch(name))

    def messages(self, kind: type[KubeObject], name: str, reason: str) -> Sequence[str]:
        """What Events of a reason say about an object."""
        return [
            event.message
            for event in self._kubectl.list(Event, self.namespace)
            if (event.involved_object.kind, event.involved_object.name) == (kind.resource.kind, name)
            and event.reason == reason
        ]

    def reasons(self) -> set[str]:
        """Of all Events."""
        return {event.reason for event in self._kubectl.list(Event, self.namespace)}


def _in_version(manifest: Manifest, api: ResourceApi) -> Manifest:
    if manifest["apiVersion"] != v1.ResourceClaim.resource.api_version:
        return manifest
    kinds: Sequence[type[KubeObject]] = (api.claims, api.templates, api.classes)
    (kind,) = [kind for kind in kinds if kind.resource.kind == manifest["kind"]]
    # The classes of all versions are models of v1; they differ in what they read from the wire and write to it.
    return kind.model_validate(manifest).to_wire()
