"""The table of releases: how a release is found, and that the parts which read the table know what is in it."""

from typing import get_args

import pytest

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.featuregates import parse_feature_gates
from fake_dra_driver.cluster.releases import (
    RELEASES,
    HealthVersion,
    PluginVersion,
    Release,
    find_release,
    nearest_release,
)

SERVING = [release for release in RELEASES.values() if release.api_server]


@pytest.mark.parametrize("version", ["1.29", "v1.29", "1.29.14", "v1.29.14"])
def test_a_version_belongs_to_its_minor_release(version: str) -> None:
    assert find_release(version) is RELEASES["1.29"]


@pytest.mark.parametrize("version", ["", "1", "1.26", "1.31.0", "1.299", "2.29", "one"])
def test_the_releases_that_are_known_are_named(version: str) -> None:
    with pytest.raises(
        ClusterError, match=f"behave like Kubernetes {version}; known releases: 1.27, 1.28, 1.29, 1.30, 1.32"
    ):
        find_release(version)


@pytest.mark.parametrize("release", SERVING, ids=lambda release: release.name)
def test_an_api_server_serves_the_resource_kinds_of_its_release(release: Release) -> None:
    served = {
        (each.group, each.version, each.kind, each.plural, each.namespaced)
        for each in ApiServer(kubernetes_version=release.name).registry
        if each.group == "resource.k8s.io"
    }
    known = {(each.group, each.version, each.kind, each.plural, each.namespaced) for each in release.resource_kinds}
    assert served == known


def test_a_release_whose_api_server_is_unknown_is_refused_by_the_api_server_alone() -> None:
    with pytest.raises(
        ClusterError, match=r"API server cannot behave like that of Kubernetes 1\.27; known: 1\.30, 1\.32, 1\.33, 1\.34"
    ):
        ApiServer(kubernetes_version="1.27")


def test_every_version_of_the_plugin_service_is_spoken_by_some_release() -> None:
    spoken = {version for release in RELEASES.values() for version in release.plugin_versions}
    assert spoken == set(get_args(PluginVersion))


def test_every_version_of_the_health_service_is_spoken_by_some_release() -> None:
    spoken = {version for release in RELEASES.values() for version in release.health_versions}
    assert spoken == set(get_args(HealthVersion))


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("v1.31.4", "1.32"),
        ("1.38.0", "1.37"),
        ("v1.99.1-eks", "1.37"),
        ("1.24.0", "1.27"),
        ("2.0", "1.37"),
        ("?", "1.37"),
    ],
)
def test_a_version_that_is_not_known_has_a_nearest_release(version: str, name: str) -> None:
    release, is_exact = nearest_release(version)
    assert (release.name, is_exact) == (name, False)


def test_the_nearest_release_of_a_known_version_is_its_own() -> None:
    assert nearest_release("v1.34.4+k3s1") == (RELEASES["1.34"], True)


# --- API versions ---


@pytest.mark.parametrize("name", ["1.34", "1.35", "1.36", "1.37"])
def test_from_1_34_on_what_is_no_beta_is_served(name: str) -> None:
    assert {each.version for each in RELEASES[name].resource_kinds} == {"v1"}


@pytest.mark.parametrize(("name", "versions"), [("1.32", {"v1beta1"}), ("1.33", {"v1beta1", "v1beta2"})])
def test_before_betas_are_served_since_there_is_nothing_else(name: str, versions: set[str]) -> None:
    assert {each.version for each in RELEASES[name].resource_kinds} == versions


def test_what_is_served_can_be_chosen() -> None:
    chosen = RELEASES["1.36"].with_versions({"resource.k8s.io/v1beta2": True, "resource.k8s.io/v1": False})
    assert {(each.version, each.kind) for each in chosen.resource_kinds} == {
        ("v1beta2", kind)
        for kind in ("DeviceClass", "DeviceTaintRule", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice")
    }


def test_an_unknown_api_version_is_refused_with_those_that_are_known() -> None:
    words = r"Kubernetes 1\.33 cannot be told to serve resource.k8s.io/v1; known: resource.k8s.io/v1beta2, .*/v1alpha3$"
    with pytest.raises(ClusterError, match=words):
        RELEASES["1.33"].with_versions({"resource.k8s.io/v1": True})


# --- feature gates ---


@pytest.mark.parametrize(
    ("gate", "on_in"),
    [
        ("DRAAdminAccess", "1.34 1.35 1.36 1.37"),
        ("DRADeviceTaintRules", "1.37"),
        ("DRAResourceClaimDeviceStatus", "1.33 1.34 1.35 1.36 1.37"),
        ("DRAListTypeAttributes", ""),
        ("PodHostIPs", "1.29 1.30 1.32 1.33 1.34 1.35 1.36 1.37"),
        ("WatchList", "1.32 1.34 1.35 1.36 1.37"),
    ],
)
def test_gates_are_on_in_some_releases(gate: str, on_in: str) -> None:
    assert [name for name, release in RELEASES.items() if release.is_enabled(gate)] == on_in.split()


def test_gates_are_switched() -> None:
    changed = RELEASES["1.36"].with_gates({"DRADeviceTaints": False, "DRAListTypeAttributes": True})
    before = RELEASES["1.36"].feature_gates
    assert changed.feature_gates == before - {"DRADeviceTaints"} | {"DRAListTypeAttributes"}


@pytest.mark.parametrize(
    ("release", "gate", "words"),
    [
        (
            "1.34",
            "DRAListTypeAttributes",
            r"Kubernetes 1\.34 has no feature gate DRAListTypeAttributes that matters here",
        ),
        ("1.37", "DRATypo", r"known: .*DRAConsumableCapacity, .*WatchList$"),
        ("1.30", "DRAAdminAccess", r"Kubernetes 1\.30 has no feature gate DRAAdminAccess .*known: .*WatchList$"),
    ],
)
def test_an_unknown_gate_is_refused_with_those_that_are_known(release: str, gate: str, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        RELEASES[release].with_gates({gate: True})


def test_a_gate_that_is_there_for_good_cannot_be_switched_off() -> None:
    assert RELEASES["1.37"].with_gates({"DRAAdminAccess": True}) == RELEASES["1.37"]
    with pytest.raises(ClusterError, match=r"DRAAdminAccess cannot be switched off in Kubernetes 1\.37"):
        RELEASES["1.37"].with_gates({"DRAAdminAccess": False})


def test_gates_are_read_as_kubernetes_reads_them() -> None:
    assert parse_feature_gates("A=true, B=False,") == {"A": True, "B": False}
    assert parse_feature_gates("") == {}


@pytest.mark.parametrize("text", ["A", "A=", "A=yes", "A=true B=false"])
def test_what_does_not_say_whether_a_gate_is_on_is_refused(text: str) -> None:
    with pytest.raises(ClusterError, match=r"expected A=true or A=false"):
        parse_feature_gates(text)


def test_the_latest_release_allocates_as_the_allocator_does_by_itself() -> None:
    assert RELEASES["1.37"].allocation_rules == Behaviour()


def test_gates_decide_on_features_of_allocation() -> None:
    assert not RELEASES["1.34"].behaviour.consumable_capacity
    changed = RELEASES["1.34"].with_gates({"DRAConsumableCapacity": True, "DRADeviceBindingConditions": True})
    assert changed.behaviour.consumable_capacity
    assert changed.behaviour.binding_conditions
    assert not changed.with_gates({"DRAResourceClaimDeviceStatus": False}).behaviour.binding_conditions
    assert changed.behaviour.claim_config == "per-request"
