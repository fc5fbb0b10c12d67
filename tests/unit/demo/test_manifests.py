"""The manifests of the example apps, and how a person has kubectl read them."""

from pathlib import Path

import pytest

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.demo.manifests import Manifests, find_manifests

DEMO = Path(__file__).parents[3] / "demo"


def test_they_are_typed_with_their_folder() -> None:
    manifests = Manifests(Path("/tree/demo"), "demo")
    assert manifests.typed("kubectl apply", [5]) == "kubectl apply --filename=demo/fake-test5.yaml"
    assert manifests.typed("kubectl apply", [1, 2]) == "kubectl apply --filename=demo/fake-test{1,2}.yaml"
    assert manifests.files([1, 2]) == [Path("/tree/demo/fake-test1.yaml"), Path("/tree/demo/fake-test2.yaml")]


def test_for_the_latest_version_they_are_there(tmp_path: Path) -> None:
    manifests = find_manifests(DEMO, RESOURCE_APIS["v1"])
    assert manifests.folder == DEMO / "v1"
    assert manifests.in_version(RESOURCE_APIS["v1"], "fake-dra-driver", tmp_path) is manifests


def test_for_older_versions_they_are_converted(tmp_path: Path) -> None:
    found = find_manifests(DEMO, RESOURCE_APIS["v1beta1"])
    manifests = found.in_version(RESOURCE_APIS["v1beta1"], "fake-dra-driver", tmp_path / "converted")
    [first] = manifests.files([1])
    assert "apiVersion: resource.k8s.io/v1beta1" in first.read_text()
    typed = f"fake-dra-driver convert --output-version=v1beta1 --filename={found.typed_folder}/fake-test1.yaml"
    assert manifests.typed("kubectl apply", [1]) == f"{typed} | kubectl apply --filename=-"


def test_the_folder_of_the_latest_version_is_missing(tmp_path: Path) -> None:
    (tmp_path / "fake-test1.yaml").touch()
    with pytest.raises(
        ClusterError, match=f"There is no fake-test1.yaml in {tmp_path}/v1: it is in the folder demo/v1 "
    ):
        find_manifests(tmp_path, RESOURCE_APIS["v1"])


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    (tmp_path / "fake-test1.yaml").write_text("apiVersion: resource.k8s.io/v1alpha2\nkind: ResourceClaim\nspec: []\n")
    manifests = Manifests(tmp_path, "demo")
    with pytest.raises(ClusterError, match=r"fake-test1\.yaml:1: error: "):
        manifests.in_version(RESOURCE_APIS["v1beta1"], "fake-dra-driver", tmp_path / "converted")
