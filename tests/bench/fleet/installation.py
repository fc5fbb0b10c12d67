"""A release of the chart with a preset, whose controller runs as a program: with the rights of its service account."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from fake_dra_driver.packaging.manifests import chart_manifests
from tests.bench.api import Api, Json
from tests.bench.lab import Started
from tests.bench.manifest import DRIVER_NAMESPACE
from tests.bench.pod import PodLauncher
from tests.bench.program import Program, free_port

__all__ = ["CONTROLLER", "Installation"]

CONTROLLER: Final = "controller"

_PRESETS: Final = Path(__file__).resolve().parents[3] / "deployments/helm/fake-dra-driver/presets"
_WORKLOADS: Final = ("DaemonSet", "Deployment")
_PLURALS: Final = {"DeviceClass": "deviceclasses", "ValidatingAdmissionPolicy": "validatingadmissionpolicies"}
_CLUSTER_WIDE: Final = {
    "ClusterRole",
    "ClusterRoleBinding",
    "DeviceClass",
    "DeviceProfile",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
_TOKEN_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Installation:
    """What the chart installs, but for the pods."""

    driver: str
    """Name of the driver."""
    objects: Sequence[Json]
    deployment: Json
    """Of the controller."""

    @classmethod
    def of_preset(cls, preset: str, kubernetes_version: str) -> "Installation":
        """As helm renders it. Blocks."""
        values = yaml.safe_load((_PRESETS / f"{preset}.yaml").read_text())
        rendered = chart_manifests(DRIVER_NAMESPACE, values=values, kube_version=kubernetes_version)
        objects = [each for each in rendered if each["kind"] not in _WORKLOADS]
        (deployment,) = (each for each in rendered if each["kind"] == "Deployment")
        return cls(values["driverName"], objects, deployment)

    async def install(self, api: Api) -> None:
        """Creates the objects; the namespace and the CRDs are there."""
        for each in self.objects:
            await api.create(_path(each), each)

    @asynccontextmanager
    async def controller(self, api: Api, kubeconfig: Path, folder: Path, python: str) -> AsyncIterator[Started]:
        """Runs the controller for the block, with the arguments that its container has."""
        (container,) = self.deployment["spec"]["template"]["spec"]["containers"]
        account = self.deployment["spec"]["template"]["spec"]["serviceAccountName"]
        port = free_port()
        arguments = [each for each in container["args"] if not each.startswith("--http-endpoint")]
        command = [python, "-m", "fake_dra_driver", CONTROLLER, *arguments, f"--http-endpoint=127.0.0.1:{port}"]
        fixed = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        token = await _token(api, account)
        pods = await asyncio.to_thread(PodLauncher.make, kubeconfig, folder / account, token)
        environment = {**pods.environment(), **fixed, "POD_NAMESPACE": DRIVER_NAMESPACE}
        async with Program.run(CONTROLLER, pods.command(command), folder, environment) as program:
            yield Started(program, await program.wait_ready(f"http://127.0.0.1:{port}/readyz"))


async def _token(api: Api, account: str) -> str:
    path = f"/api/v1/namespaces/{DRIVER_NAMESPACE}/serviceaccounts/{account}/token"
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _TOKEN_SECONDS},
    }
    return str((await api.create(path, asked))["status"]["token"])


def _path(manifest: Json) -> str:
    """Where an object of this kind is created."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    namespace = "" if kind in _CLUSTER_WIDE else f"/namespaces/{_namespace_of(manifest)}"
    return f"{root}{namespace}/{_PLURALS.get(kind, f'{kind.lower()}s')}"


def _namespace_of(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"].get("namespace", DRIVER_NAMESPACE))
