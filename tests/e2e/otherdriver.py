"""The drivers of ``demo/drivers`` on the cluster: installed as their README says, with the manifests beside them."""

import json
import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml
from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.kind import NodeState, node_allocation_state
from tests.e2e.demo import claim_names
from tests.e2e.fixtures import list_folder_of
from tests.e2e.installed import InstalledDriver
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster
from tests.e2e.objects import RunningPod
from tests.e2e.protocol import DEMO_FOLDER, Claim, Protocol
from tests.e2e.waiting import wait_until

__all__ = ["CARDS_FOLDER", "CARD_LUTS", "OTHER_DRIVERS", "Fpgas", "Lamps", "OtherDriver", "Variables"]

CARDS_FOLDER: Final = Path("/var/lib/fpga")
"""Where the FPGA driver looks for the cards of a node."""
CARD_LUTS: Final = 1_000_000
"""Of the only card, so that the pods of the manifests fill it."""

Variables = Mapping[str, str]
"""What a container has printed of its environment."""

_VARIABLE: Final = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)


class OtherDriver(InstalledDriver[NodeState], ABC):
    """One of them, in the namespace that its README gives it.

    Args:
        kubectl: the way to the cluster.
        protocol: how the cluster speaks DRA.
        label: first label of the driver's name.
    """

    def __init__(self, kubectl: Kubectl, protocol: Protocol, label: str) -> None:
        names = DriverNames.of(f"{label}.example.com")
        super().__init__(
            kubectl,
            list_folder_of(kubectl),
            protocol,
            names,
            node_allocation_state(names.driver),
            namespace=names.program,
            release=names.program,
        )
        self._kubectl = kubectl
        self._folder = DEMO_FOLDER / "drivers" / label
        self._manifests = self._folder / ("classic.yaml" if protocol.structured is None else "structured.yaml")
        found = list(yaml.safe_load_all(self._manifests.read_text()))
        self._pod_names = sorted(manifest["metadata"]["name"] for manifest in found if manifest["kind"] == "Pod")

    # --- What differs between them

    @abstractmethod
    def furnish(self) -> None:
        """Gives the node its devices."""

    @abstractmethod
    def check(self, pods: Mapping[str, Variables]) -> None:
        """The pods of the manifests have what the manifests ask for."""

    @abstractmethod
    def loaded(self) -> Mapping[str, object]:
        """What the driver has done to the node's devices for claims, by UID."""

    def devices_of(self, variables: Variables) -> Sequence[str]:
        """The devices that a container has."""
        prefix = self.names.variables
        numbered = [name for name in variables if re.fullmatch(rf"{prefix}\d+", name)]
        return [variables[name] for name in sorted(numbered)]

    # --- The release

    def install(self, *settings: str) -> None:
        """CRDs and chart, once the node has its devices; or the chart again, with other settings."""
        self.furnish()
        self._kubectl("apply", "--server-side", "--filename", str(self._folder / "crds"))
        chart = str(self._folder / "deployments/helm" / self.names.program)
        values = [f"--set={setting}" for setting in settings]
        self._helm("upgrade", "--install", self.names.program, chart, "--create-namespace", "--reset-values", *values)
        deployment = f"deployment/{self.names.program}-controller"
        self._kubectl("rollout", "status", deployment, f"--namespace={self.namespace}", timeout_seconds=120)
        self.wait_ready(120)

    def uninstall(self) -> None:
        """Everything of it but the devices."""
        self._helm("uninstall", self.names.program, "--wait")
        self._kubectl("delete", "namespace", self.namespace)
        self._kubectl("delete", "--filename", str(self._folder / "crds"))

    def _helm(self, *arguments: str) -> None:
        command = [os.environ.get("HELM") or "helm", *arguments, "--namespace", self.namespace]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"

    # --- The pods of the manifests

    def apply(self) -> None:
        """``kubectl apply``."""
        self._kubectl("apply", "--filename", str(self._manifests))

    def delete(self) -> None:
        """``kubectl delete --wait=false``."""
        self._kubectl("delete", "--wait=false", "--ignore-not-found", "--filename", str(self._manifests))

    def example_pods(self) -> Sequence[RunningPod]:
        """The pods."""
        found = self._kubectl.list(RunningPod, "default")
        return [pod for pod in found if pod.key.name in self._pod_names]

    def wait_scheduling(self, seconds: float = 30) -> Sequence[Claim]:
        """Waits until every pod has its claim, and in classic DRA the scheduler has asked about a node for it."""

        def asked() -> Sequence[Claim]:
            if self.protocol.structured is None:
                contexts = self._kubectl.list(PodSchedulingContext, "default")
                asked_for = [each for each in contexts if each.spec.selected_node or each.spec.potential_nodes]
                assert len(asked_for) == len(self._pod_names), f"the scheduler has asked for {len(asked_for)} pods"
            return self._claims_of_pods()

        return wait_until("claims that are to be allocated", asked, seconds)

    def wait_allocated(self, seconds: float = 60) -> None:
        """Waits until every claim is allocated, and every pod has its node."""

        def allocated() -> bool:
            pending = [str(claim.key) for claim in self._claims_of_pods() if claim.status.allocation is None]
            assert not pending, f"not allocated: {pending}"
            unbound = [str(pod.key) for pod in self.example_pods() if not pod.spec.node_name]
            assert not unbound, f"not bound: {unbound}"
            return True

        wait_until("claims allocated", allocated, seconds)

    def _claims_of_pods(self) -> Sequence[Claim]:
        claims = self.claims()
        assert len(claims) == len(self._pod_names), f"{len(claims)} claims"
        return claims

    def wait_running(self, seconds: float = 60) -> None:
        """Waits until every pod runs."""

        def running() -> bool:
            pods = {pod.key.name: pod for pod in self.example_pods()}
            late = [name for name in self._pod_names if name not in pods or not pods[name].is_ready]
            assert not late, f"not running: {late}"
            return True

        wait_until(f"pods {self._pod_names} running", running, seconds)

    def wait_ended(self, local_cluster: LocalCluster, pods: Sequence[RunningPod], seconds: float = 30) -> None:
        """Waits until the containers of these pods have ended, and the kubelet has their claims to unprepare."""
        wait_until("containers have ended", lambda: all(local_cluster.has_ended(pod) for pod in pods), seconds)

    def wait_deallocating(self, seconds: float = 60) -> None:
        """Waits until the pods are gone, and their claims wait for the driver's controller."""

        def waiting() -> bool:
            assert not self.example_pods(), "pods are still there"
            claims = self._claims_of_pods()
            early = [str(claim.key) for claim in claims if not claim.is_deleting or claim.status.reserved_for]
            assert not early, f"in use, or not being deleted: {early}"
            return True

        wait_until("claims being deleted", waiting, seconds)

    def wait_gone(self, seconds: float = 60) -> None:
        """Waits until no pod and no claim is left."""

        def gone() -> bool:
            left = [str(found.key) for found in (*self.example_pods(), *self.claims())]
            assert not left, f"left: {left}"
            return True

        wait_until("pods and claims are gone", gone, seconds)

    def wait_initial(self, initial: Mapping[str, Mapping[str, object]], seconds: float = 60) -> None:
        """Waits until nothing is left: no pod, claim, entry, prepared device, CDI file, nothing on the devices."""

        def clean() -> bool:
            specs = self.specs()
            assert specs == initial, f"NodeAllocationStates: {specs}, initially: {initial}"
            files = self.cdi_files()
            assert not files, f"CDI files: {files}"
            loaded = self.loaded()
            assert not loaded, f"on the devices: {loaded}"
            return True

        self.wait_gone(seconds)
        wait_until("everything is back to its initial state", clean, seconds)

    def check_agreement(self) -> Mapping[str, Variables]:
        """What containers see, what is prepared, what is allocated and what is on the devices: all the same.

        Returns what the containers of each pod see.
        """
        wait_until("logs are served", lambda: all(self._log(pod) for pod in self.example_pods()), 60)
        pods = {pod.key.name: dict(_VARIABLE.findall(self._log(pod))) for pod in self.example_pods()}
        self.check(pods)
        wait_until("NodeAllocationState and claims agree", lambda: self._agree(pods), 30)
        return {
            name: {key: value for key, value in variables.items() if key.startswith(self.names.variables)}
            for name, variables in pods.items()
        }

    def _log(self, pod: RunningPod) -> str:
        return self._kubectl.logs(pod)

    def _agree(self, pods: Mapping[str, Variables]) -> bool:
        (state,) = self.nodes()
        claims = {claim.key.name: claim for claim in self.claims()}
        for pod in self.example_pods():
            (name,) = claim_names(pod).values()
            claim, expected = claims[name], self.devices_of(pods[pod.key.name])
            assert pod.uid in {consumer.uid for consumer in claim.status.reserved_for}
            assert self.protocol.claim_finalizer(self.names) in claim.metadata.finalizers
            for entries in (state.spec.allocated_claims, state.spec.prepared_devices):
                entry = entries.get(claim.uid)  # what is prepared is written behind
                assert entry is not None
                assert [device.name for device in entry.devices] == expected
            if isinstance(claim, v1.ResourceClaim) and self.protocol.api.version == "v1":
                ready = {device.device: device.conditions or () for device in claim.status.devices}
                assert sorted(ready) == sorted(set(expected)), f"devices in the status of {claim.key}: {ready}"
        held = set(state.spec.allocated_claims)
        assert held == {claim.uid for claim in claims.values()}
        return True


class Lamps(OtherDriver):
    """The lamp driver: a pod has two dimmed lamps."""

    def __init__(self, kubectl: Kubectl, protocol: Protocol) -> None:
        super().__init__(kubectl, protocol, "lamp")

    @override
    def furnish(self) -> None:
        """Nothing: every node has lamps."""

    @override
    def check(self, pods: Mapping[str, Variables]) -> None:
        (variables,) = pods.values()
        assert len(set(self.devices_of(variables))) == 2
        assert {variables["LAMP_0_BRIGHTNESS"], variables["LAMP_1_BRIGHTNESS"]} == {"20"}
        if self.protocol.structured is not None:
            assert "white" not in {variables["LAMP_0_COLOUR"], variables["LAMP_1_COLOUR"]}

    @override
    def loaded(self) -> Mapping[str, object]:
        return {}


class Fpgas(OtherDriver):
    """The FPGA driver: two pods share a card, each with its own design."""

    def __init__(self, kubectl: Kubectl, protocol: Protocol) -> None:
        super().__init__(kubectl, protocol, "fpga")

    @override
    def furnish(self) -> None:
        CARDS_FOLDER.mkdir(exist_ok=True)
        (CARDS_FOLDER / "card0.json").write_text(json.dumps({"family": "versal", "luts": CARD_LUTS}))

    @override
    def check(self, pods: Mapping[str, Variables]) -> None:
        seen = {name: (each["FPGA_0"], each["FPGA_0_LUTS"], each["FPGA_0_DESIGN"]) for name, each in pods.items()}
        assert seen == {"filter": ("card0", "400k", "filter"), "codec": ("card0", "600k", "codec")}
        designs = {claim.uid: claim.key.name.partition("-")[0] for claim in self.claims()}
        loaded = {uid: {"design": design, "luts": seen[design][1]} for uid, design in designs.items()}
        assert self.loaded() == loaded

    @override
    def loaded(self) -> Mapping[str, object]:
        folder = CARDS_FOLDER / "regions/card0"
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        return {path.name.removesuffix("-0"): json.loads(path.read_text()) for path in paths}


OTHER_DRIVERS: Final[Mapping[str, Callable[[Kubectl, Protocol], OtherDriver]]] = {"lamp": Lamps, "fpga": Fpgas}
"""By the first label of their names."""
