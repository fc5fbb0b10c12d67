"""The chart on a real API server: what it renders there, what the server says to each object, the policy on slices."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.api.fake import DRIVER_NAME
from tests.support.apiserver import ApiServer
from tests.unit.packaging.conftest import Helm, Manifests
from tests.unit.packaging.test_chart_releases import class_of

pytestmark = pytest.mark.apiserver

NAMESPACE = "fake-system"
NODE = "node-a"
TRIES = 200
"""How often something is tried that the server allows or refuses only once it has seen a policy or a role."""
VERSIONS = {27: "v1alpha2", 28: "v1alpha2", 29: "v1alpha2", 30: "v1alpha2", 32: "v1beta1", 33: "v1beta2"}
"""By minor release, what tests' API servers prefer; from then on it is v1."""


def version_of(apiserver: ApiServer) -> str:
    """The version of resource.k8s.io that the server is expected to serve first."""
    return VERSIONS.get(apiserver.minor, "v1")


@pytest.fixture(scope="module")
def rendered(helm: Helm, apiserver: ApiServer) -> Manifests:
    """What helm renders for this server, of which it asks what it serves."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(namespace))
    return helm.on_server(apiserver.kubeconfig)


def test_the_server_tells_helm_which_dra_it_is(rendered: Manifests, apiserver: ApiServer) -> None:
    found = class_of(rendered)
    assert found is not None
    assert found["apiVersion"] == f"resource.k8s.io/{version_of(apiserver)}"
    assert (("ValidatingAdmissionPolicy", "fake-dra-driver-resourceslices") in rendered) == (apiserver.minor > 31)


@pytest.mark.parametrize(
    "values", [{}, {"status": {"clusterRole": {"create": True}}}, {"webhook": {"enabled": True}}], ids=json.dumps
)
def test_the_server_accepts_every_object(helm: Helm, apiserver: ApiServer, rendered: Manifests, values: Any) -> None:
    flags = [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]
    manifests = helm.on_server(apiserver.kubeconfig, *flags)
    assert set(manifests) >= set(rendered)
    stdin = yaml.safe_dump_all(manifests.values())
    said = apiserver.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", stdin=stdin)
    assert len(said.splitlines()) == len(manifests), said


def test_an_installation_would_say_what_to_do_next(helm: Helm, apiserver: ApiServer) -> None:
    said = helm.run(
        "install",
        "fake-dra-driver",
        str(helm.chart),
        "--dry-run=server",
        "--take-ownership",
        f"--kubeconfig={apiserver.kubeconfig}",
    )
    notes = said.partition("NOTES:")[2]
    assert "ATTENTION" not in notes
    assert ("kubectl get resourceslices" in notes) == (apiserver.minor > 31)


# --- What the kubelet plugin may write

structured = pytest.mark.apiserver(structured=True)


@dataclass(frozen=True, slots=True)
class Plugin:
    """The kubelet plugin's account, with the token of a pod on a node, as the kubelet mounts it."""

    apiserver: ApiServer
    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl with that token: what it says, or why not."""
        try:
            return self.apiserver.kubectl(f"--kubeconfig={self.kubeconfig}", *arguments, stdin=stdin)
        except subprocess.CalledProcessError as error:
            return str(error.stderr)

    def create(self, name: str, **spec: object) -> str:
        """Creates a slice, of its own driver and node unless ``spec`` says otherwise."""
        return self.kubectl("create", "--filename=-", stdin=self.slice(name, **spec))

    def slice(self, name: str, **spec: object) -> str:
        """An empty slice."""
        pool = {"name": NODE, "generation": 1, "resourceSliceCount": 1}
        whole = {"driver": DRIVER_NAME, "nodeName": NODE, "pool": pool, "devices": [], **spec}
        api_version = f"resource.k8s.io/{version_of(self.apiserver)}"
        return json.dumps(
            {"apiVersion": api_version, "kind": "ResourceSlice", "metadata": {"name": name}, "spec": whole}
        )


@pytest.fixture(scope="module")
def plugin(rendered: Manifests, apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """The plugin with its roles and the policy in force, in a server with structured DRA."""
    kinds = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy"}
    installed = [one for (kind, _), one in rendered.items() if kind.removesuffix("Binding") in kinds or kind in kinds]
    apiserver.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(installed))
    account = rendered["DaemonSet", "fake-dra-driver-kubeletplugin"]["spec"]["template"]["spec"]["serviceAccountName"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "plugin", "namespace": NAMESPACE},
        "spec": {"nodeName": NODE, "serviceAccountName": account, "containers": [{"name": "a", "image": "a"}]},
    }
    apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(pod))
    bound = ("--bound-object-kind=Pod", "--bound-object-name=plugin")
    token = apiserver.kubectl("create", "token", account, f"--namespace={NAMESPACE}", *bound).strip()
    kubeconfig = tmp_path_factory.mktemp("plugin") / "kubeconfig"
    kubeconfig.write_text(apiserver.kubeconfig_for(token))
    yield _in_force(Plugin(apiserver, kubeconfig))
    apiserver.kubectl("delete", "resourceslices", "--all")
    apiserver.kubectl("delete", "--filename=-", "--ignore-not-found", stdin=yaml.safe_dump_all(installed))


def _in_force(plugin: Plugin) -> Plugin:
    """Returns once roles and policy are in force, which the server learns of by watches of its own."""
    said = ""
    for _ in range(TRIES):
        said = plugin.create("probe", driver="other.example.com")
        if "ValidatingAdmissionPolicy" in said:
            return plugin
        plugin.apiserver.kubectl("delete", "resourceslice/probe", "--ignore-not-found")
    raise AssertionError(said)


@structured
def test_the_plugin_writes_slices_of_its_own_node(plugin: Plugin) -> None:
    assert "created" in plugin.create("own")
    assert "replaced" in plugin.kubectl("replace", "--filename=-", stdin=plugin.slice("own"))
    assert "deleted" in plugin.kubectl("delete", "resourceslice/own")


@structured
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"nodeName": "node-b"}, f"The kubelet plugin on the node {NODE} may only write slices of that node."),
        ({"nodeName": None, "allNodes": True}, "may only write slices of that node."),
        (
            {"driver": "other.example.com"},
            f"may only write slices of the driver {DRIVER_NAME}, not of other.example.com.",
        ),
    ],
    ids=["node", "all nodes", "driver"],
)
def test_the_plugin_writes_no_other_slices(plugin: Plugin, spec: dict[str, Any], message: str) -> None:
    assert message in plugin.create("other", **spec)
    plugin.apiserver.kubectl("create", "--filename=-", stdin=plugin.slice("other", **spec))
    try:
        assert message in plugin.kubectl("delete", "resourceslice/other")
        assert message in plugin.kubectl("replace", "--filename=-", stdin=plugin.slice("other", **spec))
    finally:
        plugin.apiserver.kubectl("delete", "resourceslice/other")


@structured
def test_a_token_that_names_no_node_is_not_enough(plugin: Plugin, tmp_path: Path) -> None:
    account = "fake-dra-driver-service-account-kubeletplugin"
    token = plugin.apiserver.kubectl("create", "token", account, f"--namespace={NAMESPACE}").strip()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(plugin.apiserver.kubeconfig_for(token))
    said = Plugin(plugin.apiserver, kubeconfig).create("own")
    assert "The token of the kubelet plugin does not say on which node it runs" in said


@structured
def test_others_are_not_concerned(plugin: Plugin) -> None:
    said = plugin.apiserver.kubectl("create", "--filename=-", stdin=plugin.slice("foreign", nodeName="node-b"))
    assert "created" in said
    plugin.apiserver.kubectl("delete", "resourceslice/foreign")


# --- What waits for the webhook


def claim(apiserver: ApiServer, kind: str, name: str, driver: str) -> str:
    """A claim or template that configures the devices of a driver."""
    exactly = {"deviceClassName": "any"}
    request = {"name": "a", **(exactly if version_of(apiserver) == "v1beta1" else {"exactly": exactly})}
    opaque = {"driver": driver, "parameters": {"a": 1}}
    spec: dict[str, Any] = {"devices": {"requests": [request], "config": [{"opaque": opaque}]}}
    return json.dumps(
        {
            "apiVersion": f"resource.k8s.io/{version_of(apiserver)}",
            "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"spec": spec} if kind == "ResourceClaimTemplate" else spec,
        }
    )


@structured
def test_an_upgrade_keeps_the_certificate_of_the_webhook(helm: Helm, apiserver: ApiServer, rendered: Manifests) -> None:
    key = ("Secret", "fake-dra-driver-webhook-tls")
    first = helm.on_server(apiserver.kubeconfig, "--set=webhook.enabled=true")
    apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(first[key]))
    try:
        second = helm.on_server(apiserver.kubeconfig, "--set=webhook.enabled=true")
    finally:
        apiserver.kubectl("delete", f"secret/{key[1]}", f"--namespace={NAMESPACE}")
    assert second == first


@structured
def test_only_what_configures_this_driver_waits_for_the_webhook(
    helm: Helm, apiserver: ApiServer, rendered: Manifests
) -> None:
    def create(kind: str, name: str, driver: str) -> str:
        try:
            return apiserver.kubectl("create", "--filename=-", stdin=claim(apiserver, kind, name, driver))
        except subprocess.CalledProcessError as error:
            return str(error.stderr)

    flags = ("--set=webhook.enabled=true", "--set=webhook.failurePolicy=Fail")
    configuration = helm.on_server(apiserver.kubeconfig, *flags)[
        "ValidatingWebhookConfiguration", "fake-dra-driver-webhook"
    ]
    kinds = ("ResourceClaim", "ResourceClaimTemplate")
    assert "created" in create("ResourceClaim", "earlier", DRIVER_NAME)
    apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(configuration))
    try:
        for kind in kinds:  # No pod serves it here, so that whatever waits for it is refused.
            said = ""
            for attempt in range(TRIES):
                said = create(kind, f"ours-{attempt}", DRIVER_NAME)
                if "created" not in said:
                    break
            assert "failed calling webhook" in said
            assert "created" in create(kind, "other", "other.example.com")
        assert "labeled" in apiserver.kubectl("label", "resourceclaim/earlier", "a=b", f"--namespace={NAMESPACE}")
    finally:
        apiserver.kubectl("delete", "validatingwebhookconfiguration/fake-dra-driver-webhook")
        for kind in kinds:
            apiserver.kubectl("delete", kind, "--all", f"--namespace={NAMESPACE}")
