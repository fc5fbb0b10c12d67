"""Ways of installing the chart: without a cluster, as a subchart, from a mirror, on GKE, OpenShift, beside Windows."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver import __version__
from fake_dra_driver.packaging.manifests import chart_manifests
from tests.unit.packaging.conftest import CLASSIC, STRUCTURED, Helm
from tests.unit.packaging.test_chart import CONTROLLER, PLUGIN, container_of, pod_of
from tests.unit.packaging.test_chart_releases import class_of, cluster

OPENSHIFT = "--api-versions=security.openshift.io/v1"
GKE = "--api-versions=networking.gke.io/v1"
WEBHOOK = "fake-dra-driver-webhook"


# --- Without a cluster


@pytest.mark.parametrize("kubernetes", [CLASSIC, STRUCTURED])
def test_a_class_can_be_asked_for_and_left_out(helm: Helm, kubernetes: str) -> None:
    key = "resourceClass" if kubernetes == CLASSIC else "deviceClass"
    without_dra = cluster()
    assert class_of(helm.template(*without_dra, kubernetes=kubernetes)) is None
    assert class_of(helm.template(*without_dra, f"--set={key}.create=true", kubernetes=kubernetes))
    assert class_of(helm.template(f"--set={key}.create=false", kubernetes=kubernetes)) is None


@pytest.mark.parametrize("version", ["v1alpha2", "v1beta1", "v1"])
def test_a_version_that_is_named_decides_whatever_is_served(helm: Helm, version: str) -> None:
    found = class_of(helm.template(*cluster(), f"--set=resourceApiVersion={version}"))
    assert found is not None
    assert found["apiVersion"] == f"resource.k8s.io/{version}"


def test_a_class_of_the_other_protocol_is_refused(helm: Helm) -> None:
    refused = helm.refuses("--set=resourceClass.create=true", kubernetes=STRUCTURED)
    assert "resourceClass.create=true asks for a ResourceClass, which resource.k8s.io/v1 does not have" in refused
    refused = helm.refuses("--set=deviceClass.create=true", kubernetes=CLASSIC)
    assert "deviceClass.create=true asks for a DeviceClass, which resource.k8s.io/v1alpha2 does not have" in refused


def test_a_choice_is_spelled_as_it_is_documented(helm: Helm) -> None:
    assert "deviceClass/create" in helm.refuses("--set=deviceClass.create=perhaps")


# --- As a subchart


@pytest.fixture
def parent(helm: Helm, tmp_path: Path) -> Callable[..., Helm]:
    """Makes a chart that has this one as a subchart, with values of its own."""

    def make(values: Mapping[str, Any], **dependency: str) -> Helm:
        chart = tmp_path / "parent"
        shutil.copytree(helm.chart, chart / "charts/fake-dra-driver")
        named = {"name": "fake-dra-driver", "version": ">=0.0.0-0", "repository": "", **dependency}
        about = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [named]}
        (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
        (chart / "values.yaml").write_text(yaml.safe_dump(values))
        return Helm(chart)

    return make


def test_a_condition_switches_the_subchart(parent: Callable[..., Helm]) -> None:
    chart = parent({"fake-dra-driver": {"enabled": True}}, condition="fake-dra-driver.enabled")
    assert ("DaemonSet", PLUGIN) in chart.template()
    assert not chart.template("--set=fake-dra-driver.enabled=false")
    assert "got string, want boolean" in chart.refuses("--set-string=fake-dra-driver.enabled=yes")
    assert "additional properties 'enable' not allowed" in chart.refuses("--set=fake-dra-driver.enable=true")


def test_a_tag_switches_the_subchart(parent: Callable[..., Helm]) -> None:
    chart = parent({"tags": {"devices": True}})
    about = yaml.safe_load((chart.chart / "Chart.yaml").read_text())
    about["dependencies"][0]["tags"] = ["devices"]
    (chart.chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    assert chart.template()
    assert not chart.template("--set=tags.devices=false")


def test_an_alias_names_the_objects(parent: Callable[..., Helm]) -> None:
    chart = parent({"My_Devices": {"controller": {"replicas": 0}}}, alias="My_Devices")
    manifests = chart.template(release="prod")
    assert manifests["Deployment", "prod-my-devices-controller"]["spec"]["replicas"] == 0
    labels = manifests["DaemonSet", "prod-my-devices-kubeletplugin"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "my-devices"


@pytest.mark.parametrize("shared", [None, {}, {"storageClass": "fast"}, {"imageRegistry": "mirror.example.com"}])
def test_global_values_of_the_parent_are_taken(parent: Callable[..., Helm], shared: Any) -> None:
    image = container_of(parent({"global": shared}).template(), PLUGIN)["image"]
    mirrored = "mirror.example.com/" if shared and "imageRegistry" in shared else ""
    assert image == f"{mirrored}fake-dra-driver:v{__version__}"


# --- Clusters of some kind


@pytest.mark.parametrize(
    ("kubernetes", "flags", "expected"),
    [
        ("1.34.2", [], False),
        ("1.34.2", [GKE], True),
        ("1.34.2", [GKE, "--namespace=kube-system"], False),
        ("1.34.2", [GKE, "--set=resourceQuota.create=false"], False),
        ("1.34.2", ["--set=resourceQuota.create=true"], True),
    ],
)
def test_a_quota_for_critical_pods_where_they_need_one(
    helm: Helm, kubernetes: str, flags: list[str], expected: bool
) -> None:
    manifests = helm.template(*flags, kubernetes=kubernetes)
    found = manifests.get(("ResourceQuota", "fake-dra-driver-critical-pods"))
    assert (found is not None) == expected
    if found:
        (scope,) = found["spec"]["scopeSelector"]["matchExpressions"]
        assert found["spec"]["hard"] == {"pods": "1G"}
        assert scope["scopeName"] == "PriorityClass"
        assert pod_of(manifests, PLUGIN)["priorityClassName"] in scope["values"]


def test_a_release_of_gke_says_so_too() -> None:
    """To helm: its command `template` cuts the vendor's part."""
    key = ("ResourceQuota", "fake-dra-driver-critical-pods")
    manifests = chart_manifests("fake-system", kube_version="1.34.2-gke.1028000")
    assert key in {(found["kind"], found["metadata"]["name"]) for found in manifests}


def test_on_openshift_the_account_of_the_plugin_may_use_what_its_pods_need(helm: Helm) -> None:
    key = ("RoleBinding", "fake-dra-driver-kubeletplugin-scc")
    assert key not in helm.template()
    assert key not in helm.template(OPENSHIFT, "--set=openshift.scc.bind=false")
    for flag in (OPENSHIFT, "--set=openshift.scc.bind=true"):
        manifests = helm.template(flag, "--set=kubeletPlugin.serviceAccountName=me")
        assert manifests[key]["roleRef"]["name"] == "system:openshift:scc:privileged"
        (subject,) = manifests[key]["subjects"]
        assert subject["name"] == pod_of(manifests, PLUGIN)["serviceAccountName"] == "me"
    found = helm.template(OPENSHIFT, "--set=openshift.scc.name=devices")[key]
    assert found["roleRef"]["name"] == "system:openshift:scc:devices"


def test_on_openshift_pods_that_need_no_user_run_as_the_one_that_they_get(helm: Helm) -> None:
    manifests = helm.template("--set=webhook.enabled=true", OPENSHIFT, kubernetes=STRUCTURED)
    for name in (CONTROLLER, WEBHOOK):
        assert pod_of(manifests, name)["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    assert pod_of(manifests, PLUGIN)["securityContext"]["runAsUser"] == 0
