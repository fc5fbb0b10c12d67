"""The demo manifests: they parse, agree with the schema, and ask for what is promised."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME, FakeClaimParameters
from fake_dra_driver.api.resource import v1

DEMO = Path(__file__).parents[2] / "demo"
NUMBERS = range(1, 7)


def objects(number: int) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((DEMO / f"fake-test{number}.yaml").read_text())
    return [document for document in documents if document is not None]


def of_kind(number: int, kind: str) -> list[dict[str, Any]]:
    return [one for one in objects(number) if one["kind"] == kind]


def pod_specs(number: int) -> list[dict[str, Any]]:
    """Specs of all pods that come up, those of a Deployment as often as it has replicas."""
    specs = [pod["spec"] for pod in of_kind(number, "Pod")]
    for deployment in of_kind(number, "Deployment"):
        specs += [deployment["spec"]["template"]["spec"]] * deployment["spec"]["replicas"]
    return specs


def claim_specs(number: int) -> list[dict[str, Any]]:
    """Specs of the claims and of the templates."""
    return [
        *(claim["spec"] for claim in of_kind(number, "ResourceClaim")),
        *(template["spec"]["spec"] for template in of_kind(number, "ResourceClaimTemplate")),
    ]


def devices_taken(number: int) -> int:
    """Whole devices that are gone once all pods of a manifest run."""
    counts = {one["metadata"]["name"]: one["spec"]["count"] for one in of_kind(number, "FakeClaimParameters")}

    def count_of(spec: dict[str, Any]) -> int:
        reference = spec.get("parametersRef")
        return counts[reference["name"]] if reference else 1

    templates = {
        one["metadata"]["name"]: count_of(one["spec"]["spec"]) for one in of_kind(number, "ResourceClaimTemplate")
    }
    made_by_hand = sum(count_of(one["spec"]) for one in of_kind(number, "ResourceClaim"))
    sources = [claim["source"] for spec in pod_specs(number) for claim in spec["resourceClaims"]]
    return made_by_hand + sum(
        templates[source["resourceClaimTemplateName"]] for source in sources if "resourceClaimTemplateName" in source
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_everything_is_in_the_namespace_that_comes_first(number: int) -> None:
    namespace, *others = objects(number)
    assert (namespace["apiVersion"], namespace["kind"], namespace["metadata"]["name"]) == (
        "v1",
        "Namespace",
        f"test{number}",
    )
    assert {one["metadata"]["namespace"] for one in others} == {f"test{number}"}


@pytest.mark.parametrize("number", NUMBERS)
def test_versions_are_those_of_classic_dra(number: int) -> None:
    expected = {
        "ResourceClaim": "resource.k8s.io/v1alpha2",
        "ResourceClaimTemplate": "resource.k8s.io/v1alpha2",
        "FakeClaimParameters": f"{DRIVER_NAME}/v1alpha1",
        "Pod": "v1",
        "Deployment": "apps/v1",
        "Namespace": "v1",
    }
    for one in objects(number):
        assert one["apiVersion"] == expected[one["kind"]]


@pytest.mark.parametrize("number", NUMBERS)
def test_parameters_agree_with_the_schema_and_are_there(number: int) -> None:
    parameters = [FakeClaimParameters.from_wire(one) for one in of_kind(number, "FakeClaimParameters")]
    for one in parameters:
        assert one.spec.model_extra == {}, "a field that the schema does not know"
    for spec in claim_specs(number):
        assert spec["resourceClassName"] == RESOURCE_CLASS_NAME
        if "parametersRef" in spec:
            reference = spec["parametersRef"]
            assert (reference["apiGroup"], reference["kind"]) == (DRIVER_NAME, "FakeClaimParameters")
            assert reference["name"] in {one.metadata.name for one in parameters}


@pytest.mark.parametrize("number", NUMBERS)
def test_containers_use_claims_that_exist_print_their_environment_and_end_quickly(number: int) -> None:
    claims = {one["metadata"]["name"] for one in of_kind(number, "ResourceClaim")}
    templates = {one["metadata"]["name"] for one in of_kind(number, "ResourceClaimTemplate")}
    for spec in pod_specs(number):
        assert spec["terminationGracePeriodSeconds"] == 3
        (entry,) = spec["resourceClaims"]
        ((source, name),) = entry["source"].items()
        assert name in {"resourceClaimName": claims, "resourceClaimTemplateName": templates}[source]
        for container in spec["containers"]:
            assert container["image"] == "busybox:1.37"
            assert container["command"] == ["sh", "-c", "export; trap 'exit 0' TERM; sleep infinity & wait"]
            assert container["resources"] == {"claims": [{"name": entry["name"]}]}


def test_pods_and_containers_are_those_of_the_quickstart() -> None:
    pods = {
        (number, pod["metadata"]["name"]): [container["name"] for container in pod["spec"]["containers"]]
        for number in NUMBERS
        for pod in of_kind(number, "Pod")
    }
    assert pods == {
        (1, "pod0"): ["ctr0"],
        (1, "pod1"): ["ctr0"],
        (2, "pod0"): ["ctr0", "ctr1"],
        (3, "pod0"): ["ctr0"],
        (3, "pod1"): ["ctr0"],
        (4, "pod0"): ["ctr0"],
        (5, "pod0"): ["ctr0"],
    }


def test_counts_and_splits_are_those_of_the_quickstart() -> None:
    specs = {number: [one["spec"] for one in of_kind(number, "FakeClaimParameters")] for number in NUMBERS}
    assert specs == {
        1: [],
        2: [],
        3: [],
        4: [{"count": 4}],
        5: [{"count": 4, "split": 2}],
        6: [{"count": 4, "split": 5}],
    }


def test_tests_1_to_4_together_fill_a_node_and_test_6_alone_does() -> None:
    assert sum(devices_taken(number) for number in range(1, 5)) == 8
    assert devices_taken(5) == 4
    assert devices_taken(6) == 8


def test_the_deployment_selects_its_pods() -> None:
    (deployment,) = of_kind(6, "Deployment")
    selected = deployment["spec"]["selector"]["matchLabels"]
    assert selected.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


# --- The same for structured DRA -----------------------------------------------------------------------------------


def structured(number: int, kind: str) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((DEMO / "v1" / f"fake-test{number}.yaml").read_text())
    return [document for document in documents if document["kind"] == kind]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_converted_claims_are_of_the_charts_class_and_have_no_other_fields(number: int) -> None:
    claims = [v1.ResourceClaim.from_wire(one).spec for one in structured(number, "ResourceClaim")]
    claims += [v1.ResourceClaimTemplate.from_wire(one).spec.spec for one in structured(number, "ResourceClaimTemplate")]
    for claim in claims:
        (request,) = claim.devices.requests
        assert request.exactly is not None
        assert request.exactly.device_class_name == RESOURCE_CLASS_NAME
        for part in (claim, claim.devices, request, request.exactly, *claim.devices.config):
            assert part.model_extra == {}
    assert len(claims) == 1


def test_the_converted_counts_and_splits_are_those_of_the_quickstart() -> None:
    asked = {}
    for number in (4, 5, 6):
        (template,) = structured(number, "ResourceClaimTemplate")
        devices = template["spec"]["spec"]["devices"]
        splits = [each["opaque"]["parameters"]["spec"]["split"] for each in devices.get("config", [])]
        asked[number] = (devices["requests"][0]["exactly"]["count"], splits)
    assert asked == {4: (4, []), 5: (4, [2]), 6: (4, [5])}


@pytest.mark.parametrize("number", NUMBERS)
def test_the_converted_pods_differ_only_in_how_they_name_claims(number: int) -> None:
    for kind in ("Namespace", "Pod", "Deployment"):
        classic = json.dumps(of_kind(number, kind))
        assert json.dumps(structured(number, kind)) == re.sub(r'"source": \{([^}]*)\}', r"\1", classic)
    assert structured(number, "FakeClaimParameters") == []
