"""What the token of a node's kubelet plugin is good for once it was stolen: the plugin's own work, on its own node."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, EVENT_COMPONENT, NodeAllocationState
from fake_dra_driver.api.kube.core import Event
from tests.e2e.driver import DRIVER_NAMESPACE, PLUGIN, Driver
from tests.e2e.kubectl import Kubectl, KubectlError

pytestmark = [pytest.mark.e2e, pytest.mark.needs(minor=30)]

TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
OTHER_NODE: Final = "fake-dra-driver-other-node"
READY: Final = {"status": "Ready"}

Json = dict[str, Any]


class Thief:
    """Knows the address of the API server and a token."""

    def __init__(self, kubectl: Kubectl, token: str, folder: Path) -> None:
        config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
        config["users"] = [{"name": each["name"], "user": {"token": token}} for each in config["users"]]
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(config))
        self._kubectl = kubectl
        self._flags = (f"--kubeconfig={kubeconfig}", f"--namespace={DRIVER_NAMESPACE}")

    def said(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl says to a command, or why it does nothing."""
        try:
            return self._kubectl(*self._flags, *arguments, stdin=stdin)
        except KubectlError as error:
            return error.stderr

    def create(self, manifest: Json) -> str:
        """What is said to a creation, which changes nothing."""
        return self.said("create", "--dry-run=server", "--filename=-", stdin=json.dumps(manifest))

    def patch(self, node: str, patch: Json) -> str:
        """What is said to a change of a node's record, which changes nothing."""
        return self.said("patch", f"nas/{node}", "--type=merge", "--dry-run=server", f"--patch={json.dumps(patch)}")


@pytest.fixture
def thief(kubectl: Kubectl, driver: Driver, tmp_path: Path) -> Thief:
    """With the token that the plugin's own container has at this moment."""
    where = (driver.plugin().key.name, f"--namespace={DRIVER_NAMESPACE}", f"--container={PLUGIN}")
    return Thief(kubectl, kubectl("exec", *where, "--", "cat", TOKEN), tmp_path)


@pytest.fixture
def other_node(kubectl: Kubectl) -> Iterator[str]:
    """The record of another node."""
    kind = NodeAllocationState.resource
    metadata = {"name": OTHER_NODE, "namespace": DRIVER_NAMESPACE}
    kubectl.create({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "status": "NotReady"})
    yield OTHER_NODE
    kubectl.delete(NodeAllocationState, OTHER_NODE, DRIVER_NAMESPACE, wait=True)


def event(component: str, node: str) -> Json:
    metadata = {"name": "forged", "namespace": DRIVER_NAMESPACE}
    return {
        "apiVersion": Event.resource.api_version,
        "kind": Event.resource.kind,
        "metadata": metadata,
        "involvedObject": {"kind": "ResourceClaim", **metadata},
        "reason": "Forged",
        "message": "forged",
        "type": "Warning",
        "source": {"component": component, "host": node},
        "reportingComponent": component,
        "reportingInstance": node,
    }


def test_records_of_nodes(thief: Thief, driver: Driver, other_node: str) -> None:
    own = driver.plugin().spec.node_name
    assert "patched" in thief.patch(own, {"metadata": {"annotations": {"a": "b"}}})
    refused = f"The kubelet plugin on the node {own} may only write the NodeAllocationState of that node."
    assert refused in thief.patch(other_node, READY)
    forged: Json = {"spec": {"allocatedClaims": {"forged": {"fake": {"devices": []}}}}}
    assert "The kubelet plugin may not change allocatedClaims" in thief.patch(own, forged)


def test_events(thief: Thief, driver: Driver) -> None:
    own = driver.plugin().spec.node_name
    assert "created" in thief.create(event(EVENT_COMPONENT, own))
    for forged in (event("default-scheduler", own), event(EVENT_COMPONENT, OTHER_NODE)):
        assert f"The kubelet plugin on the node {own} may only write Events" in thief.create(forged)


@pytest.mark.structured
def test_slices(thief: Thief, driver: Driver) -> None:
    def slice_of(node: str, pool: str) -> Json:
        return {
            "apiVersion": f"resource.k8s.io/{driver.protocol.api.version}",
            "kind": "ResourceSlice",
            "metadata": {"name": "forged"},
            "spec": {
                "driver": DRIVER_NAME,
                "nodeName": node,
                "pool": {"name": pool, "generation": 1, "resourceSliceCount": 1},
                "devices": [],
            },
        }

    own = driver.plugin().spec.node_name
    assert "created" in thief.create(slice_of(own, own))
    assert "may only write ResourceSlices of that node." in thief.create(slice_of(OTHER_NODE, OTHER_NODE))
    assert "may only write ResourceSlices of the pool of that node." in thief.create(slice_of(own, OTHER_NODE))


@pytest.mark.parametrize("what", ["secrets", "configmaps", "pods", "serviceaccounts"])
def test_what_is_no_business_of_the_plugin(thief: Thief, what: str) -> None:
    assert "forbidden" in thief.said("get", what)
