"""The objects that a test's claim takes in each protocol, and what is shown of a container's log."""

from typing import Any

import pytest
from pydantic import BaseModel

from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.cluster.releases import find_release
from fake_dra_driver.cluster.testing.claims import Claim, claim_manifests, class_manifest, pod_manifest
from fake_dra_driver.cluster.testing.printed import last_lines

CLASSIC, OLD, NEW = find_release("1.30"), find_release("1.32"), find_release("1.37")
DRIVER = "lamp.example.com"


class LampConfig(BaseModel):
    brightness: int = 100
    colour: str = "white"


DOCUMENT = {"apiVersion": "lamp.example.com/v1alpha1", "kind": "LampConfig", "spec": {"brightness": 3}}


def manifests(release: Any, claim: Claim) -> Any:
    return claim_manifests(release, claim, "desk", "rooms", is_template=False)


def test_a_config_is_sent_as_far_as_it_was_set() -> None:
    assert Claim(DRIVER, LampConfig(brightness=3)).document() == DOCUMENT
    assert Claim(DRIVER, DOCUMENT).document() == DOCUMENT
    assert Claim(DRIVER, LampConfig().model_copy(update={"brightness": "dim"})).document() == {
        **DOCUMENT,
        "spec": {"brightness": "dim"},
    }
    assert Claim(DRIVER).document() is None
    with pytest.raises(
        ClusterError, match=r"a whole document: apiVersion, kind, spec must be set in \{'brightness': 3\}"
    ):
        Claim(DRIVER, {"brightness": 3}).document()


def test_in_classic_dra_it_is_the_claims_parameters() -> None:
    metadata = {"name": "desk", "namespace": "rooms"}
    parameters, claim = manifests(CLASSIC, Claim(DRIVER, LampConfig(brightness=3), count=2))
    assert parameters == {**DOCUMENT, "metadata": metadata, "spec": {"brightness": 3, "count": 2}}
    assert claim == {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaim",
        "metadata": metadata,
        "spec": {
            "resourceClassName": DRIVER,
            "parametersRef": {"apiGroup": DRIVER, "kind": "LampConfig", "name": "desk"},
        },
    }
    assert manifests(CLASSIC, Claim(DRIVER))[0]["spec"] == {"resourceClassName": DRIVER}


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (Claim(DRIVER, selectors=["true"]), "has no selectors and capacities"),
        (Claim(DRIVER, capacity={"watts": "1"}), "has no selectors and capacities"),
        (Claim(DRIVER, count=2), "a claim for 2 devices says so in a config"),
    ],
)
def test_what_classic_dra_does_not_have_is_refused(claim: Claim, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        manifests(CLASSIC, claim)


def test_in_structured_dra_it_is_opaque_configuration() -> None:
    claim = Claim(DRIVER, LampConfig(brightness=3), 2, ["device.driver == 'x'"], {"watts": "5"}, "lamps")
    (new,), (old,) = manifests(NEW, claim), manifests(OLD, claim)
    asked = {
        "deviceClassName": "lamps",
        "count": 2,
        "selectors": [{"cel": {"expression": "device.driver == 'x'"}}],
        "capacity": {"requests": {"watts": "5"}},
    }
    config = [{"opaque": {"driver": DRIVER, "parameters": DOCUMENT}}]
    assert new["spec"]["devices"] == {"requests": [{"name": "devices", "exactly": asked}], "config": config}
    assert old["spec"]["devices"] == {"requests": [{"name": "devices", **asked}], "config": config}
    assert (new["apiVersion"], old["apiVersion"]) == ("resource.k8s.io/v1", "resource.k8s.io/v1beta1")


def test_a_template_has_the_same_spec() -> None:
    for release in (CLASSIC, NEW):
        claim = Claim(DRIVER, LampConfig())
        (*_, template) = claim_manifests(release, claim, "desk", "rooms", is_template=True)
        assert template["kind"] == "ResourceClaimTemplate"
        assert template["spec"] == {"spec": manifests(release, claim)[-1]["spec"]}


def test_a_class_has_all_devices_of_the_driver() -> None:
    assert class_manifest(CLASSIC, DRIVER, DRIVER)["driverName"] == DRIVER
    selector = class_manifest(NEW, DRIVER, DRIVER)["spec"]["selectors"][0]["cel"]["expression"]
    assert selector == "device.driver == 'lamp.example.com'"


def test_a_pod_names_its_claims_as_the_release_does() -> None:
    claims = {"claim-0": {"resourceClaimName": "desk"}}
    classic, new = (pod_manifest(release, "pod", "rooms", ["env"], claims, "")["spec"] for release in (CLASSIC, NEW))
    assert classic["resourceClaims"] == [{"name": "claim-0", "source": {"resourceClaimName": "desk"}}]
    assert new["resourceClaims"] == [{"name": "claim-0", "resourceClaimName": "desk"}]


def test_logs_in_json_are_shown_without_what_is_for_debugging() -> None:
    debug = '{"ts": "2026-01-02T03:04:05.678Z", "level": "debug", "msg": "Reconciled"}'
    told = '{"ts": "2026-01-02T03:04:05.678Z", "level": "info", "component": "slices", "msg": "Written", "count": 2}'
    text = f'{told}\n{debug}\nplain\n\n{{"no": "record"}}\n{{broken\n'
    assert last_lines(text, 9) == ["03:04:05.678 INFO slices: Written count=2", "plain", '{"no": "record"}', "{broken"]
    assert last_lines(text, 1) == ["{broken"]
    assert last_lines(debug, 9) == ["03:04:05.678 DEBUG Reconciled"]
