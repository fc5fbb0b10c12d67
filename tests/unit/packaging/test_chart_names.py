"""Names and labels in the chart: valid and distinct, whatever the release, the namespace and the chart are called."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.packaging.conftest import CLASSIC, STRUCTURED, Helm, Manifests

LONGEST = "a" * 53
"""As long as helm allows."""
EVERYTHING = (
    *(f"--set=monitoring.{part}.enabled=true" for part in ("dashboard", "prometheusRule", "serviceMonitor")),
    *(f"--set={part}.podDisruptionBudget.create=true" for part in ("controller", "webhook")),
    *(f"--set={value}.create=true" for value in ("networkPolicy", "resourceQuota", "status.clusterRole")),
    "--set=openshift.scc.bind=true",
    "--set=webhook.enabled=true",
    "--set=webhook.certManager.enabled=true",
)
"""All objects that the chart has."""
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
SERVICE = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")


def labels_in(value: Any) -> Iterator[Any]:
    """The values of all labels and selectors below."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"labels", "matchLabels"} or (key == "selector" and "app.kubernetes.io/component" in inner):
                yield from inner.values()
            yield from labels_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from labels_in(inner)


def names_in(manifests: Manifests) -> Iterator[Any]:
    """What refers to objects by name, and namespaces."""
    for found in manifests.values():
        yield found["metadata"].get("namespace", "")
        yield from (value for subject in found.get("subjects", ()) for value in (subject["name"], subject["namespace"]))
        pod = found.get("spec", {}).get("template", {}).get("spec", {})
        yield pod.get("serviceAccountName", "")
        yield pod.get("priorityClassName", "")


@pytest.mark.parametrize(
    "release",
    ["12345", "1e3", "0x10", "true", "null", "2024-01-01", "1.5", "a.b", LONGEST, "a-" * 26 + "a"],
)
def test_names_and_labels_are_valid_for_every_release(helm: Helm, release: str) -> None:
    manifests = helm.template(*EVERYTHING, "--namespace=123", kubernetes=STRUCTURED, release=release)
    for kind, name in manifests:
        assert isinstance(name, str)
        assert len(name) <= 63, "names become labels of some networks and runtimes"
        assert kind.endswith("Class") or (SERVICE if kind == "Service" else NAME).fullmatch(name), (kind, name)
    for value in labels_in(list(manifests.values())):
        assert isinstance(value, str)
        assert len(value) <= 63
        assert LABEL_VALUE.fullmatch(value), value
    assert all(isinstance(name, str) for name in names_in(manifests))
    assert {found["metadata"].get("namespace", "123") for found in manifests.values()} == {"123"}


def test_a_name_that_is_not_too_long_stays(helm: Helm) -> None:
    release = "a" * 32
    manifests = helm.template(*EVERYTHING, kubernetes=STRUCTURED, release=release)
    assert ("Service", f"{release}-fake-dra-driver-kubeletplugin") in manifests


def test_where_a_name_is_cut_its_end_survives_and_it_stays_apart_from_others(helm: Helm) -> None:
    first, second = (
        {name for kind, name in helm.template(release=LONGEST[:-1] + last) if kind == "DaemonSet"} for last in "xy"
    )
    assert first != second
    for name in first | second:
        assert re.fullmatch(r"a{39,}-[0-9a-f]{8}-kubeletplugin", name)


def test_every_derived_name_is_cut(helm: Helm) -> None:
    manifests = helm.template(*EVERYTHING, "--set=serviceAccount.name=" + "b" * 63, release=LONGEST)
    accounts = {name for kind, name in manifests if kind == "ServiceAccount"}
    assert len(accounts) == 2
    assert all(len(name) <= 63 for name in accounts)


def test_services_are_reached_by_the_names_that_they_have(helm: Helm) -> None:
    manifests = helm.template(*EVERYTHING, kubernetes=STRUCTURED, release="1.5")
    service = "svc-1-5-fake-dra-driver-webhook"
    assert ("Service", service) in manifests
    (webhook,) = manifests["ValidatingWebhookConfiguration", "1-5-fake-dra-driver-webhook"]["webhooks"]
    assert webhook["clientConfig"]["service"]["name"] == service
    certificate = manifests["Certificate", "1-5-fake-dra-driver-webhook-tls"]
    assert certificate["spec"]["dnsNames"] == [f"{service}.fake-system.svc"]


def test_components_can_share_an_account(helm: Helm) -> None:
    shared = [f"--set={component}.serviceAccountName=us" for component in ("controller", "kubeletPlugin")]
    rendered = helm.run("template", "fake-dra-driver", str(helm.chart), f"--kube-version={CLASSIC}", *shared)
    assert rendered.count('kind: ServiceAccount\nmetadata:\n  name: "us"') == 1


@pytest.mark.parametrize(
    "value",
    [
        "fullnameOverride=Upper",
        "fullnameOverride=ends-",
        "nameOverride=a.b",
        "namespaceOverride=a_b",
        "controller.serviceAccountName=a/b",
        "commonLabels.a=x y",
        "commonLabels.a b=x",
        "controller.podLabels.a=-",
        "kubeletPlugin.nodeSelector.-a=b",
        "selectorLabelsOverride.a/b/c=x",
        "commonAnnotations.a b=c",
        "image.tag=-",
        "image.digest=sha256:abc",
        "image.registry=a b",
    ],
)
def test_what_kubernetes_would_not_take_is_refused(helm: Helm, value: str) -> None:
    refused = helm.refuses(f"--set-string={value}")
    assert "values don't meet the specifications of the schema" in refused
    assert "does not match pattern" in refused or "propertyNames" in refused or "invalid" in refused
