"""The chart's tests need helm; without it they are left out, and a loud word says so."""

import json
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.packaging.generate import CHART, chart_files
from tests.support.apiserver import ApiServer
from tests.support.helm import HELM, leave_out_without_helm

Manifests = dict[tuple[str, str], dict[str, Any]]
"""By kind and name."""

CLASSIC, STRUCTURED = "1.30.14", "1.37.2"
"""The last release with classic DRA, and one with structured DRA."""
RELEASES = ("1.27.4", "1.28.15", "1.29.14", "1.30.14", "1.32.2", "1.33.7", "1.34.4", "1.35.4", "1.36.3", "1.37.2")
"""One of each minor release that the driver supports."""
NAMESPACE = "fake-system"
"""Where the chart is installed."""
_PREFERRED = {27: "v1alpha2", 28: "v1alpha2", 29: "v1alpha2", 30: "v1alpha2", 32: "v1beta1", 33: "v1beta2"}
"""By minor release, what tests' API servers prefer; from then on it is v1."""


def version_of(apiserver: ApiServer) -> str:
    """The version of resource.k8s.io that the server is expected to serve first."""
    return _PREFERRED.get(apiserver.minor, "v1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that need helm when there is none."""
    leave_out_without_helm(config, items)


def write(files: Mapping[str, str], folder: Path) -> Path:
    """Writes generated files; returns the folder of the chart among them."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder / CHART


def _manifests(text: str) -> Manifests:
    found = [manifest for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest]
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in found}


class Helm:
    """Runs helm on a chart."""

    def __init__(self, chart: Path) -> None:
        self.chart = chart

    def run(self, *arguments: str) -> str:
        """The output of a command. Raises CalledProcessError, with helm's own words in ``stderr``."""
        command = [str(HELM), f"--namespace={NAMESPACE}", *arguments]
        try:
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def template(self, *arguments: str, kubernetes: str = CLASSIC, release: str = "fake-dra-driver") -> Manifests:
        """The objects of the chart, installed as in the quickstart, for a release of Kubernetes; without a cluster."""
        return _manifests(self._template(release, f"--kube-version={kubernetes}", *arguments))

    @cache  # noqa: B019 # one chart for the whole session, which many tests render with the same few values
    def _template(self, release: str, *arguments: str) -> str:
        return self.run("template", release, str(self.chart), *arguments)

    def on_server(self, kubeconfig: Path, *arguments: str) -> Manifests:
        """The objects of the chart for a server, which helm asks what it serves, and against which it checks them.

        Other tests may have left some of them there, without helm.
        """
        server = ("--validate", "--dry-run=server", "--take-ownership", f"--kubeconfig={kubeconfig}")
        return _manifests(self.run("template", "fake-dra-driver", str(self.chart), *server, *arguments))

    def refuses(self, *arguments: str, kubernetes: str = CLASSIC) -> str:
        """What helm says when it does not want to render the chart."""
        with pytest.raises(subprocess.CalledProcessError) as caught:
            self.template(*arguments, kubernetes=kubernetes)
        return str(caught.value.stderr)


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm, with the chart as it is generated now."""
    return Helm(write(chart_files(), tmp_path_factory.mktemp("chart")))


@pytest.fixture(scope="module")
def rendered(helm: Helm, apiserver: ApiServer) -> Manifests:
    """What helm renders for the server, of which it asks what it serves."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(namespace))
    return helm.on_server(apiserver.kubeconfig)


@pytest.fixture
def helm_for(helm: Helm, tmp_path: Path) -> Callable[[Mapping[str, str]], Helm]:
    """Helm, with a chart of other files."""
    return lambda files: Helm(write(files, tmp_path / "other"))
