"""The cluster for tests that are not asynchronous."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster, ClusterError
from fake_dra_driver.cluster.kinds import Namespace, Node
from fake_dra_driver.cluster.testing import (
    BackgroundCluster,
    Claim,
    PodFailedError,
    UnmetError,
    embedded_cluster,
    python_image,
)
from fake_dra_driver.runtime.errors import NotFoundError
from tests.unit.cluster.manifest import NAMESPACE

__all__ = ["embedded_cluster"]

DRIVER_IMAGE = "driver:v1"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Of other processes of Python, with the plugins of pytest that are named alone."""


@pytest.fixture(scope="session")
def embedded_cluster_options() -> Mapping[str, Any]:
    return {"nodes": ("node-a", "node-b"), "images": {DRIVER_IMAGE: python_image({"say": "this"})}}


async def _namespace_is_there(cluster: Cluster) -> bool:
    return any(each.key.name == "a" for each in (await cluster.client.list(Namespace)).items)


async def _never(_: Cluster) -> bool:
    return False


def test_a_fixture_with_options(embedded_cluster: BackgroundCluster) -> None:
    nodes = embedded_cluster.call(lambda cluster: cluster.client.list(Node))
    assert [node.key for node in nodes.items] == [NamespacedName("", "node-a"), NamespacedName("", "node-b")]
    assert embedded_cluster.kubeconfig.is_file()
    assert embedded_cluster.nodes == ("node-a", "node-b")
    assert embedded_cluster.kubernetes_version == "1.30"
    assert (embedded_cluster.node_root("node-b") / "var/lib/kubelet").is_dir()
    assert embedded_cluster.node_root() == embedded_cluster.node_root("node-a")
    with pytest.raises(ClusterError, match="There is no node node-c"):
        embedded_cluster.node_root("node-c")


def test_manifests_and_waiting(embedded_cluster: BackgroundCluster) -> None:
    embedded_cluster.apply(NAMESPACE)
    assert embedded_cluster.wait_until("the namespace is there", _namespace_is_there)
    embedded_cluster.delete(NAMESPACE)
    with pytest.raises(TimeoutError, match=r"after 0\.01 s it is still not true that pigs fly"):
        embedded_cluster.wait_until("pigs fly", _never, timeout_seconds=0.01)


def test_nothing_is_left_and_errors_come_out() -> None:
    with BackgroundCluster() as first:
        folder = first.cluster.folder
        port = int(first.cluster.server.url.rpartition(":")[2])
        with pytest.raises(ClusterError, match=f"Port {port}"), BackgroundCluster(port=port):
            pass
        with pytest.raises(ClusterError, match="not a Kubernetes object"):
            first.apply("a: b")
    assert not folder.exists()
    with pytest.raises(ClusterError, match="does not run"):
        BackgroundCluster().apply("a: b")


SCRIPT = """\
import sys

from loguru import logger

from fake_dra_driver.cluster.testing import BackgroundCluster

with BackgroundCluster():
    with BackgroundCluster():
        pass
    logger.patch(lambda record: record.update(name="fake_dra_driver.dra")).info("The driver logs as ever")
    sys.stderr.write("now\\n")
with BackgroundCluster(logs=True):
    pass
"""


def test_its_logs_are_left_out_unless_they_are_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=True
    )
    before, after = done.stderr.split("now\n")
    assert [line.rpartition(" - ")[2] for line in before.splitlines()] == ["The driver logs as ever"]
    assert after.count("Cluster is ready") == 1


# --- pods ---


def test_a_pod_that_ends_is_read(embedded_cluster: BackgroundCluster) -> None:
    pod = embedded_cluster.run_pod(node="node-b")
    assert (pod.phase, pod.node) == ("Succeeded", "node-b")
    assert pod.env["HOSTNAME"] == pod.name
    assert f"HOSTNAME={pod.name}" in pod.logs.splitlines()
    assert pod.containers["main"].exit_code == 0
    assert embedded_cluster.logs(pod.name) == pod.logs
    embedded_cluster.delete_pod(pod.name)
    with pytest.raises(NotFoundError):
        embedded_cluster.get("pod", pod.name)


def test_a_pod_that_goes_on_is_ready(embedded_cluster: BackgroundCluster) -> None:
    pod = embedded_cluster.run_pod(until="ready", name="stays")
    assert (pod.name, pod.phase, pod.containers["main"].exit_code) == ("stays", "Running", None)
    assert [each["metadata"]["name"] for each in embedded_cluster.list("pods", "default")] == ["stays"]
    embedded_cluster.delete_pod("stays")
    embedded_cluster.delete_pod("stays")


def test_a_pod_that_fails_is_an_error_that_says_how(embedded_cluster: BackgroundCluster) -> None:
    with pytest.raises(PodFailedError) as raised:
        embedded_cluster.run_pod(command=["sh", "-c", "echo the lamp is broken; exit 3"], name="fails")
    lines = str(raised.value).splitlines()
    assert lines[0] == "the pod default/fails has Failed: container main has ended with exit code 3 (Error)"
    assert "  the end of what container main has printed:" in lines
    assert "    the lamp is broken" in lines
    assert any(line.startswith("    Pod fails: Normal Started from kubelet: ") for line in lines)
    assert embedded_cluster.wait_for_pod("fails", check=False).containers["main"].exit_code == 3
    with pytest.raises(PodFailedError, match="the pod default/fails has Failed"):
        embedded_cluster.wait_for_pod("fails", until="ready", check=False)
    embedded_cluster.delete_pod("fails")


def test_a_pod_that_waits_for_its_claim_says_so(embedded_cluster: BackgroundCluster) -> None:
    with pytest.raises(UnmetError) as raised:
        embedded_cluster.run_pod(Claim("lamp.example.com"), "missing", name="waits", timeout_seconds=1)
    first, *rest = str(raised.value).splitlines()
    assert first == "after 1 s it is still not true that the pod default/waits has ended:"
    assert rest[0].startswith("  There is no registered plugin of a driver called lamp.example.com.")
    assert rest[1] == "  it is Pending, on no node"
    assert "  claim missing does not exist" in rest
    assert next(line for line in rest if line.startswith("  claim waits-claim-0-")).endswith(" is not allocated")
    assert embedded_cluster.get("pod", "waits")["status"]["phase"] == "Pending"
    embedded_cluster.delete_pod("waits")


def test_a_pod_without_a_name_is_not_left_to_other_tests(embedded_cluster: BackgroundCluster) -> None:
    with pytest.raises(UnmetError):
        embedded_cluster.run_pod("missing", timeout_seconds=0.1)
    assert all(pod["metadata"].get("deletionTimestamp") for pod in embedded_cluster.list("pods", "default"))


def test_an_event_that_is_not_there_lists_those_that_are(embedded_cluster: BackgroundCluster) -> None:
    embedded_cluster.run_pod(name="eventful")
    assert embedded_cluster.wait_for_event("Started", about="eventful") == "Started container main"
    with pytest.raises(UnmetError, match=r"(?s)an Event about eventful says 'flies':.*Pod eventful: Created: "):
        embedded_cluster.wait_for_event("flies", about="eventful", timeout_seconds=0.1)
    embedded_cluster.delete_pod("eventful")


# --- drivers ---

CHART = {
    "Chart.yaml": "name: lamp\nversion: 0.1.0\nappVersion: 0.1.0\n",
    "values.yaml": "program: say\n",
    "templates/pod.yaml": """\
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  restartPolicy: Never
  containers: [{name: plugin, image: "driver:v1", command: ["{{ .Values.program }}"]}]
""",
    "crds/lamps.yaml": """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.example.com}
spec:
  group: example.com
  names: {kind: Lamp, plural: lamps}
  scope: Cluster
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
""",
}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in CHART.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_chart_is_installed_with_its_crds(embedded_cluster: BackgroundCluster, chart: Path) -> None:
    embedded_cluster.install_chart(chart, "lamps")
    assert embedded_cluster.list("lamps.example.com") == []
    pod = embedded_cluster.wait_for_pod("lamp", "lamps")
    assert pod.logs.splitlines()[0] == "The Zen of Python, by Tim Peters"
    embedded_cluster.install_chart(chart, "lamps", release="other", values={"program": "missing"})
    with pytest.raises(UnmetError) as raised:
        embedded_cluster.wait_for_plugin("lamp.example.com", timeout_seconds=2)
    lines = str(raised.value).splitlines()
    assert lines[:3] == [
        "after 2 s it is still not true that lamp.example.com is ready on node-a, node-b:",
        "  the kubelet of node-a knows no plugin of lamp.example.com; those that have registered: none",
        "  the kubelet of node-b knows no plugin of lamp.example.com; those that have registered: none",
    ]
    assert "  pod lamps/other of the driver:" in lines
    assert any("Failed from kubelet" in line and '"missing" is not a program' in line for line in lines)
    assert "      Namespaces are one honking great idea -- let's do more of those!" in lines
    embedded_cluster.delete(NAMESPACE.replace("name: a", "name: lamps"))


def test_what_is_no_chart_is_refused(embedded_cluster: BackgroundCluster, chart: Path) -> None:
    with pytest.raises(ClusterError, match=r"/templates is no chart: it has no Chart\.yaml"):
        embedded_cluster.install_chart(chart / "templates", "lamps")
    (chart / "templates/pod.yaml").write_text('{{ fail "a lamp needs a bulb" }}')
    with pytest.raises(ClusterError, match=r"cannot be rendered: .*a lamp needs a bulb"):
        embedded_cluster.install_chart(chart, "lamps")


def test_a_node_that_does_not_exist_is_named(embedded_cluster: BackgroundCluster) -> None:
    with pytest.raises(ClusterError, match=r"There is no node node-c\. Did you mean node-b\?"):
        embedded_cluster.wait_for_plugin("lamp.example.com", "node-c")


def test_faults_return_when_they_are_done(embedded_cluster: BackgroundCluster) -> None:
    assert embedded_cluster.faults.stop_node("node-a")
    assert not embedded_cluster.faults.stop_node("node-a")
    assert embedded_cluster.faults.start_node("node-a")
    assert embedded_cluster.faults.fail_requests("500", verb="get", resource="node") == "nodes"
    assert embedded_cluster.faults.heal() == ["requests"]
    with pytest.raises(ClusterError, match="There is no node x"):
        embedded_cluster.faults.restart_kubelet("x")


def test_a_program_that_does_not_exist_is_no_image() -> None:
    for module in ("no_such_module", "no_such.module"):
        with pytest.raises(ClusterError, match=f"There is no module {module} that could be run"):
            python_image({"say": module})
    with pytest.raises(ClusterError, match=r"There is no file missing\.py"):
        python_image({"say": Path("missing.py")})
    assert python_image({"say": Path(__file__)}).programs == {"say": (sys.executable, "-P", __file__)}
    assert python_image({"say": "tests.unit"}).programs == {"say": (sys.executable, "-P", "-m", "tests.unit")}
    assert str(Path(__file__).parents[3]) in python_image({"say": "tests.unit"}).env["PYTHONPATH"].split(":")


CONFTEST = """\
import pytest

from fake_dra_driver.cluster.testing import python_image

pytest_plugins = ["fake_dra_driver.cluster.testing"]

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lamp", "namespace": "default"}}
POD["spec"] = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "driver:v1", "command": ["say"]}]}


@pytest.fixture(scope="session")
def embedded_cluster_options():
    return {"images": {"driver:v1": python_image({"say": "this"})}}
"""
FAILING = """\
from conftest import POD


def test_something_else(embedded_cluster):
    embedded_cluster.apply(POD)
    embedded_cluster.wait_for_pod("lamp")
    assert not "what the test is about"


def test_the_wait(embedded_cluster):
    embedded_cluster.run_pod("missing", timeout_seconds=0.1)
"""


def test_failures_show_the_drivers_logs_and_the_line_of_the_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_lamp.py").write_text(FAILING)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        str(tmp_path),
    ]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    _, something_else, the_wait = re.split(r"^_+ test_\w+ _+$", done.stdout, flags=re.MULTILINE)
    assert "The pods of the driver" in something_else
    assert "  pod default/lamp of the driver:" in something_else
    assert "Namespaces are one honking great idea" in something_else
    assert re.search(r"^>\s+embedded_cluster\.run_pod\(", the_wait, re.MULTILINE)
    assert "The pods of the driver" not in the_wait
    assert "background.py" not in the_wait
    assert "Captured stderr" not in done.stdout
