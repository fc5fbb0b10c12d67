"""Which protocol of DRA the cluster under test speaks, and what differs in a test because of it."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.servedapi import API_VERSIONS, CLASSIC_VERSION, DraApi
from tests.e2e.kubectl import Kubectl, KubectlError

__all__ = ["CLASSIC", "DEMO_FOLDER", "Claim", "Protocol", "find_protocol", "find_release", "manifests_of"]

DEMO_FOLDER: Final = Path(__file__).resolve().parents[2] / "demo"

_ENABLED_GATE: Final = re.compile(r'^kubernetes_feature_enabled\{name="(\w+)",.*\} 1$', re.MULTILINE)

LAST_CLASSIC_MINOR: Final = 30

Claim = v1alpha2.ResourceClaim | v1.ResourceClaim


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the cluster speaks DRA."""

    api: DraApi

    @property
    def structured(self) -> ResourceApi | None:
        """The kinds of structured DRA; None in classic DRA."""
        return self.api.structured

    @property
    def claims(self) -> type[v1alpha2.ResourceClaim] | type[v1.ResourceClaim]:
        """The kind of claims."""
        return v1alpha2.ResourceClaim if self.structured is None else self.structured.claims

    def claim_finalizer(self, names: DriverNames) -> str:
        """What every allocated claim has: from the driver in classic DRA, from the scheduler in structured DRA."""
        return names.finalizer if self.structured is None else v1.CLAIM_FINALIZER


CLASSIC: Final = Protocol(DraApi(CLASSIC_VERSION))


def find_protocol(kubectl: Kubectl) -> Protocol:
    """The one that a driver takes: the newest version that it can work with. Fails the test when there is none."""
    try:
        served = {
            entry["version"] for entry in json.loads(kubectl("get", "--raw", "/apis/resource.k8s.io"))["versions"]
        }
    except KubectlError as error:
        raise AssertionError(f"the cluster has no DRA: {error}") from error
    return Protocol(DraApi(next(version for version in API_VERSIONS if version in served)))


@dataclass(frozen=True, slots=True)
class Release:
    """What a cluster's Kubernetes can do."""

    minor: int
    """30 for Kubernetes 1.30."""
    gates: frozenset[str]
    """The feature gates that are on."""

    def lacks(self, *, gate: str = "", minor: int = 0, only: str = "") -> str:
        """What of these it has not, or an empty text; ``only="structured"``: with classic DRA nothing is needed."""
        if only == "structured" and self.minor <= LAST_CLASSIC_MINOR:
            return ""
        if minor > self.minor:
            return f"KUBERNETES 1.{minor}"
        return "" if not gate or gate in self.gates else f"THE FEATURE GATE {gate}"


def find_release(kubectl: Kubectl) -> Release:
    """The one of the cluster. Raises KubectlError when it does not answer."""
    minor = json.loads(kubectl("version", "--output=json"))["serverVersion"]["minor"]
    gates = _ENABLED_GATE.findall(kubectl("get", "--raw", "/metrics"))
    return Release(int(minor.rstrip("+")), frozenset(gates))


@contextmanager
def manifests_of(protocol: Protocol) -> Iterator[Path]:
    """The folder of the demo's manifests for a protocol: as they are shipped, or converted for an older version."""
    if protocol.structured is None:
        yield DEMO_FOLDER
    elif protocol.api.version == "v1":
        yield DEMO_FOLDER / "v1"
    else:
        with tempfile.TemporaryDirectory() as folder:
            for path in sorted(DEMO_FOLDER.glob("fake-test*.yaml")):
                (Path(folder) / path.name).write_text(_converted(path, protocol.api.version))
            yield Path(folder)


def _converted(path: Path, version: str) -> str:
    command = (sys.executable, "-m", "fake_dra_driver", "convert", "--output-version", version, "-f", str(path))
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
