"""The real kubectl and the kinds of classic DRA."""

import pytest

from tests.conformance.api import Api
from tests.conformance.objects import claim, resource
from tests.conformance.target import Kubectl
from tests.conformance.test_kubectl_reading import lines

pytestmark = pytest.mark.apiserver


def test_describe_a_claim(api: Api, kubectl: Kubectl, namespace: str) -> None:
    """Which has no describer of its own: its fields are shown one by one."""
    api.post(resource(namespace, "resourceclaims"), claim("c"))
    found = lines(kubectl.run("describe", "resourceclaim", "c"))
    assert found[:6] == [
        "Name: c",
        f"Namespace: {namespace}",
        "Labels: <none>",
        "Annotations: <none>",
        "API Version: resource.k8s.io/v1alpha2",
        "Kind: ResourceClaim",
    ]
    assert found[found.index("Spec:") :] == [
        "Spec:",
        " Allocation Mode: WaitForFirstConsumer",
        " Resource Class Name: class.example.com",
        "Status:",
        "Events: <none>",
    ]


def test_no_word_about_a_skew(kubectl: Kubectl) -> None:
    assert "WARNING" not in kubectl.run("version")
