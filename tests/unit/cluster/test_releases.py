"""The table of releases: how a release is found, and that the parts which read the table know what is in it."""

from typing import get_args

import pytest

from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.releases import RELEASES, PluginVersion, Release, find_release

COMPARED = [release for release in RELEASES.values() if release.api_server]


@pytest.mark.parametrize("version", ["1.29", "v1.29", "1.29.14", "v1.29.14"])
def test_a_version_belongs_to_its_minor_release(version: str) -> None:
    assert find_release(version) is RELEASES["1.29"]


@pytest.mark.parametrize("version", ["", "1", "1.26", "1.31.0", "1.299", "2.29", "one"])
def test_the_releases_that_are_known_are_named(version: str) -> None:
    with pytest.raises(
        ClusterError, match=f"behave like Kubernetes {version}; known releases: 1.27, 1.28, 1.29, 1.30, 1.32"
    ):
        find_release(version)


@pytest.mark.parametrize("release", COMPARED, ids=lambda release: release.name)
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
        ClusterError, match=r"API server cannot behave like that of Kubernetes 1\.27; known: 1\.30, 1\.32, 1\.34, 1\.37"
    ):
        ApiServer(kubernetes_version="1.27")


def test_every_version_of_the_plugin_service_is_spoken_by_some_release() -> None:
    spoken = {version for release in RELEASES.values() for version in release.plugin_versions}
    assert spoken == set(get_args(PluginVersion))
