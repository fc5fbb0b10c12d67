"""Releases of the chart with a preset each, on a real cluster, and the pods of the presets' manifests."""

import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from tests.e2e.kubectl import Kubectl
from tests.e2e.objects import RunningPod
from tests.e2e.waiting import wait_until
from tests.support.presetdemo import DEVICES_LABEL, PRESETS_FOLDER, Preset, PresetDemo, printed_variables

__all__ = ["PresetSite"]

_SECONDS: Final = 90
"""For pods to run, and to be gone."""


class PresetSite:
    """What is seen of a cluster, and what is done in it.

    Args:
        kubectl: the way to the cluster.
        api: the kinds of structured DRA in the version that the cluster serves.
    """

    def __init__(self, kubectl: Kubectl, api: ResourceApi) -> None:
        self._kubectl = kubectl
        self._api = api

    # --- Releases

    def install(self, preset: Preset) -> None:
        """Installs the preset's values file, in a namespace of its own; waits until its devices are published."""
        settings = [f"--values={PRESETS_FOLDER / preset.name}.yaml"]
        if preset.count is not None:
            profiles = range(len(preset.values()["deviceProfiles"]))
            settings += [f"--set=deviceProfiles[{each}].spec.groups[0].count={preset.count}" for each in profiles]
        chart = str(PRESETS_FOLDER.parent)
        self._helm(preset, "install", preset.name, chart, "--create-namespace", "--wait", "--timeout=90s", *settings)
        wait_until(f"devices of {preset.driver}", lambda: self.published(preset.driver), 30)

    def uninstall(self, preset: Preset) -> None:
        """Takes away the release, with its namespace."""
        self._helm(preset, "uninstall", preset.name, "--wait")
        self._kubectl("delete", "namespace", preset.name, "--wait=false")

    def _helm(self, preset: Preset, *arguments: str) -> None:
        command = [os.environ.get("HELM") or "helm", *arguments, f"--namespace={preset.name}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"

    def choose(self, preset: Preset, variant: str) -> None:
        """Labels all nodes, and waits until they have the devices for this label."""
        label = f"{DEVICES_LABEL}={variant}" if variant else f"{DEVICES_LABEL}-"
        self._kubectl("label", "nodes", "--all", "--overwrite", label)
        wait_until(
            f"{preset.name} has the devices for {variant!r}",
            lambda: preset.is_chosen(variant, self.published(preset.driver)),
            30,
        )

    # --- Manifests

    def start(self, demos: Sequence[PresetDemo]) -> None:
        """Applies manifests, and waits until all their pods are ready."""
        for chosen in ([demo for demo in demos if demo.is_first], [demo for demo in demos if not demo.is_first]):
            if chosen:
                self._kubectl("apply", *(f"--filename={demo.path}" for demo in chosen))
            for demo in chosen:
                self.wait_ready(demo.namespace, demo.pods)

    def stop(self, demos: Sequence[PresetDemo]) -> None:
        """Deletes the manifests' namespaces, and waits until their claims are gone."""
        self._kubectl("delete", "namespace", "--wait=false", *(demo.namespace for demo in demos))
        self.wait_unclaimed([demo.namespace for demo in demos])

    def apply(self, path: Path) -> None:
        """What a manifest has."""
        self._kubectl("apply", f"--filename={path}")

    def delete(self, path: Path) -> None:
        """What a manifest has, without waiting."""
        self._kubectl("delete", "--ignore-not-found", "--wait=false", f"--filename={path}")

    def wait_ready(self, namespace: str, count: int) -> None:
        """Waits until a namespace has so many pods, and all are ready."""

        def are_ready() -> bool:
            pods = self._kubectl.list(RunningPod, namespace)
            assert len(pods) == count, f"pods: {[pod.key.name for pod in pods]}"
            late = [pod.key.name for pod in pods if not pod.is_ready]
            assert not late, f"not ready: {late}"
            return True

        wait_until(f"{count} pods of {namespace} are ready", are_ready, _SECONDS)

    def wait_evicted(self, namespace: str, pod: str) -> None:
        """Waits until a pod is gone, or being deleted."""

        def is_evicted() -> bool:
            pods = self._kubectl.list(RunningPod, namespace)
            return all(each.is_deleting for each in pods if each.key.name == pod)

        wait_until(f"{namespace}/{pod} is evicted", is_evicted, _SECONDS)

    def wait_unschedulable(self, namespace: str, pod: str) -> None:
        """Waits until the scheduler has found no node for a pod."""

        def is_told() -> bool:
            events = self._kubectl.list(Event, namespace)
            return any(event.reason == "FailedScheduling" and event.involved_object.name == pod for event in events)

        wait_until(f"FailedScheduling about {namespace}/{pod}", is_told, _SECONDS)

    def wait_unclaimed(self, namespaces: Collection[str]) -> None:
        """Waits until no claim is left there."""

        def are_gone() -> bool:
            left = [claim.key for claim in self._kubectl.list(self._api.claims) if claim.key.namespace in namespaces]
            assert not left, f"claims: {left}"
            return True

        wait_until("claims are gone", are_gone, _SECONDS)

    # --- What is seen

    def pods(self, namespace: str) -> Sequence[str]:
        """Their names."""
        return [pod.key.name for pod in self._kubectl.list(RunningPod, namespace)]

    def printed(self, namespace: str, pod: str, container: str) -> Mapping[str, str]:
        """The environment that a container has printed."""
        return printed_variables(self._log(namespace, pod, container))

    def claims(self, namespace: str) -> Sequence[v1.ResourceClaim]:
        """All claims."""
        return self._kubectl.list(self._api.claims, namespace)

    def published(self, driver: str) -> Sequence[v1.Device]:
        """What the driver's ResourceSlices have."""
        slices = self._kubectl.list(self._api.slices)
        return [device for each in slices if each.spec.driver == driver for device in each.spec.devices]

    def nvidia_smi(self, namespace: str, pod: str, container: str) -> Sequence[str]:
        """Runs it in a container. By its path: what stands for ubuntu:22.04 here may not look there."""
        where = (f"--namespace={namespace}", pod, f"--container={container}")
        return self._kubectl("exec", *where, "--", "/usr/bin/nvidia-smi", "-L").splitlines()

    def _log(self, namespace: str, pod: str, container: str) -> str:
        return self._kubectl("logs", f"--namespace={namespace}", pod, f"--container={container}")
