"""Pods whose entries say themselves where their claims come from."""

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.objects import core, pod


def with_claims(*entries: Json) -> Json:
    """A pod ``a`` with these entries."""
    return pod("a", {"resourceClaims": list(entries)})


@pytest.mark.parametrize("field", ["resourceClaimName", "resourceClaimTemplateName"])
def test_an_entry(api: Api, namespace: str, field: str) -> None:
    entry = {"name": "gpu", field: "one"}
    assert api.post(core(namespace, "pods"), with_claims(entry))["spec"]["resourceClaims"] == [entry]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "gpu"}, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
        ({"name": "gpu", "source": {"resourceClaimName": "one"}}, "must specify one of: `resourceClaimName`"),
        (
            {"name": "gpu", "resourceClaimName": "a", "resourceClaimTemplateName": "b"},
            "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
        ),
        ({"name": "gpu", "resourceClaimName": "No Name"}, "spec.resourceClaims[0].resourceClaimName: Invalid value"),
    ],
)
def test_refused_entries(api: Api, namespace: str, entry: Json, words: str) -> None:
    api.refused(422, "Invalid", "POST", core(namespace, "pods"), with_claims(entry), says=words)


def test_the_claims_that_were_made_are_in_the_status(api: Api, namespace: str) -> None:
    entries = [{"name": "gpu", "resourceClaimTemplateName": "t"}, {"name": "nic", "resourceClaimTemplateName": "t"}]
    api.post(core(namespace, "pods"), with_claims(*entries))
    made = [{"name": "gpu", "resourceClaimName": "a-gpu-x7k2p"}, {"name": "nic"}]
    status = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "status": {"resourceClaimStatuses": made},
    }
    answer = api.apply(f"{core(namespace, 'pods', 'a')}/status", status, "ResourceClaimController", force="true")
    assert answer["status"]["resourceClaimStatuses"] == made


def test_a_container_can_use_one_request(api: Api, namespace: str) -> None:
    body = with_claims({"name": "gpu", "resourceClaimName": "one"})
    claims = [{"name": "gpu", "request": "first"}, {"name": "gpu", "request": "second"}]
    body["spec"]["containers"][0]["resources"] = {"claims": claims}
    assert api.post(core(namespace, "pods"), body)["spec"]["containers"][0]["resources"]["claims"] == claims
