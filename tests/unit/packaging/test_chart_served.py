"""The chart on a real API server: what it renders there, what the server says to each object."""

import json
import subprocess
from typing import Any

import pytest
import yaml

from fake_dra_driver.api.fake import DRIVER_NAME
from tests.support.apiserver import ApiServer
from tests.unit.packaging.conftest import NAMESPACE, Helm, Manifests, version_of
from tests.unit.packaging.test_chart_releases import class_of

pytestmark = pytest.mark.apiserver

TRIES = 200
"""How often something is tried that the server refuses only once it has seen a webhook."""


def test_the_server_tells_helm_which_dra_it_is(rendered: Manifests, apiserver: ApiServer) -> None:
    found = class_of(rendered)
    assert found is not None
    assert found["apiVersion"] == f"resource.k8s.io/{version_of(apiserver)}"
    guarded = {kind for kind, _ in rendered} >= {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert guarded == (apiserver.minor >= 30)


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


structured = pytest.mark.apiserver(structured=True)


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
