"""Where a pod's claims come from, as each release of Kubernetes says it."""

from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_key, claim_keys


@pytest.mark.parametrize(
    "entry",
    [{"resourceClaimName": "shared"}, {"source": {"resourceClaimName": "shared"}}],
    ids=["since 1.31", "up to 1.30"],
)
def test_a_named_claim_is_found_in_both_forms(entry: dict[str, Any]) -> None:
    pod = Pod.from_wire({"metadata": {"namespace": "ns"}, "spec": {"resourceClaims": [{"name": "e", **entry}]}})
    assert claim_key(pod, pod.spec.resource_claims[0]) == NamespacedName("ns", "shared")


@pytest.mark.parametrize(
    "entry",
    [{"resourceClaimTemplateName": "t"}, {"source": {"resourceClaimTemplateName": "t"}}],
    ids=["since 1.31", "up to 1.30"],
)
def test_the_claim_of_a_template_has_the_name_in_the_pods_status(entry: dict[str, Any]) -> None:
    made = [{"name": "e", "resourceClaimName": "pod-e-x7k2p"}]
    pod = Pod.from_wire(
        {
            "metadata": {"namespace": "ns", "name": "pod"},
            "spec": {"resourceClaims": [{"name": "e", **entry}]},
            "status": {"resourceClaimStatuses": made},
        }
    )
    assert pod.spec.resource_claims[0].template_name == "t"
    assert claim_key(pod, pod.spec.resource_claims[0]) == NamespacedName("ns", "pod-e-x7k2p")


def test_reading_and_writing_an_entry_adds_nothing() -> None:
    spec = {"resourceClaims": [{"name": "e", "resourceClaimName": "shared"}]}
    assert Pod.from_wire({"spec": spec}).to_wire()["spec"] == spec


def test_the_claim_for_extended_resources_is_one_of_the_pods() -> None:
    status = {"extendedResourceClaimStatus": {"resourceClaimName": "p-extended-resources-x7k2p"}}
    metadata, spec = {"namespace": "ns", "name": "p"}, {"resourceClaims": [{"name": "e", "resourceClaimName": "c"}]}
    pod = Pod.from_wire({"metadata": metadata, "spec": spec, "status": status})
    assert [key.name for key in claim_keys(pod)] == ["c", "p-extended-resources-x7k2p"]
    assert [key.name for key in claim_keys(Pod.from_wire({"metadata": metadata, "spec": spec}))] == ["c"]
