"""The manifests without helm: the same as helm's, and a loud word about everything that is not understood."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from fake_dra_driver.codegen.gotemplate import GoTemplateError, GoTemplates
from fake_dra_driver.packaging.generate import CHART, chart_files
from fake_dra_driver.packaging.manifests import chart_manifests, crd_manifests
from tests.unit.packaging.conftest import RELEASES, Helm


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"nameOverride": "other", "image": {"repository": "registry.example:5000/driver", "tag": "v9"}},
        {"fullnameOverride": "short", "namespaceOverride": "elsewhere", "selectorLabelsOverride": {"app": "x"}},
        {"serviceAccount": {"create": False}},
        {"serviceAccount": {"name": "mine", "annotations": {"a": "b: c"}}, "imagePullSecrets": [{"name": "secret"}]},
        {"controller": {"httpPort": 0, "args": [], "settings": {"kubeApiBurst": 1000000}}},
        {"controller": {"settings": {"kubeApiQps": 0.5, "apiTimeoutSeconds": 20}, "podAnnotations": {"k": "'v'"}}},
        {"kubeletPlugin": {"settings": {"deviceModels": ["A", "B"], "deviceCount": 2, "cdiRoot": "/etc/cdi"}}},
        {"kubeletPlugin": {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"n": "1"}, "httpPort": 9000}},
        {"monitoring": {part: {"enabled": True} for part in ("dashboard", "prometheusRule", "serviceMonitor")}},
        {"status": {"clusterRole": {"create": True, "labels": {"for": "people"}}}},
        {"resourceApiVersion": "v1", "deviceClass": {"extendedResourceName": "example.com/fake"}},
        {"resourceApiVersion": "v1beta1", "admissionPolicy": {"create": False}},
    ],
    ids=json.dumps,
)
def test_same_as_helm(helm: Helm, values: Mapping[str, Any]) -> None:
    flags = [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]
    ours = chart_manifests("fake-system", values=values)
    assert {(found["kind"], found["metadata"]["name"]): found for found in ours} == helm.template(*flags)


@pytest.mark.parametrize(
    "certificate", [{"certManager": {"enabled": True}}, {"tls": {"existingSecret": "mine", "caBundle": "PEM"}}]
)
def test_same_as_helm_with_the_webhook(helm: Helm, certificate: Mapping[str, Any]) -> None:
    webhook = {"enabled": True, **certificate}
    ours = chart_manifests("fake-system", values={"webhook": webhook}, kube_version="1.37")
    found = helm.template(f"--set-json=webhook={json.dumps(webhook)}", kubernetes="1.37")
    assert {(one["kind"], one["metadata"]["name"]): one for one in ours} == found


def test_a_certificate_is_made_by_helm_alone() -> None:
    with pytest.raises(GoTemplateError, match="'genCA' is outside of the subset"):
        chart_manifests("fake-system", values={"webhook": {"enabled": True}}, kube_version="1.37")


@pytest.mark.parametrize("release", RELEASES)
def test_same_as_helm_on_each_release(helm: Helm, release: str) -> None:
    ours = chart_manifests("fake-system", kube_version=release)
    assert {(found["kind"], found["metadata"]["name"]): found for found in ours} == helm.template(kubernetes=release)


@pytest.mark.parametrize("kind", ["v1beta1/ResourceClaim", "v1beta1/DeviceClass"])
def test_same_as_helm_in_a_cluster_that_says_what_it_serves(helm: Helm, kind: str) -> None:
    served = ["v1/Pod", f"resource.k8s.io/{kind}"]
    ours = chart_manifests("fake-system", kube_version="1.34", api_versions=served)
    flags = [f"--api-versions={version}" for version in served]
    found = helm.template(*flags, kubernetes="1.34.0")
    assert {(found["kind"], found["metadata"]["name"]): found for found in ours} == found


def test_refuses_what_the_chart_refuses() -> None:
    with pytest.raises(GoTemplateError, match="The driver should have a namespace of its own"):
        chart_manifests("default")
    assert chart_manifests("default", values={"allowDefaultNamespace": True})


def test_accounts_come_before_what_uses_them() -> None:
    kinds = [manifest["kind"] for manifest in chart_manifests("fake-system")]
    assert kinds.index("ServiceAccount") < kinds.index("DaemonSet") < kinds.index("Deployment")


def notes(kube_version: str, *served: str, upgrade: bool = False, **values: Any) -> str:
    """What helm tells a person after an installation."""
    files = {path.removeprefix(f"{CHART}/"): text for path, text in chart_files().items()}
    templates = GoTemplates()
    for name in ("templates/_helpers.tpl", "templates/NOTES.txt"):
        templates.add(name, files[name])
    dot = {
        "Values": yaml.safe_load(files["values.yaml"]) | values,
        "Chart": {"Name": "fake-dra-driver"},
        "Release": {"Name": "fake-dra-driver", "Namespace": "fake-system", "IsUpgrade": upgrade},
        "Capabilities": {
            "KubeVersion": {"Version": kube_version},
            "APIVersions": {"Has": ("v1/Pod", *served).__contains__},
        },
    }
    return templates.execute("templates/NOTES.txt", dot)


@pytest.mark.parametrize(
    ("release", "kind", "parameters"),
    [
        ("v1.30.14", "v1alpha2/ResourceClass", "let a ResourceClaim name the class fake.3-shake.com"),
        ("v1.32.2", "v1beta1/DeviceClass", "let a request of a ResourceClaim name the class fake.3-shake.com"),
        ("v1.37.2", "v1/DeviceClass", "let a request of a ResourceClaim name the class fake.3-shake.com"),
    ],
)
def test_notes_say_what_the_cluster_lacks(release: str, kind: str, parameters: str) -> None:
    version, _, name = kind.partition("/")
    without = notes(release)
    assert f"this cluster does not serve resource.k8s.io/{version}, so no claim" in without
    assert f"No {name} was installed." in without
    assert f"--runtime-config=resource.k8s.io/{version}={'false' if version == 'v1' else 'true'}" in without
    served = notes(release, f"resource.k8s.io/{kind}", f"resource.k8s.io/{version}/ResourceClaim")
    assert "ATTENTION" not in served
    assert parameters in served


@pytest.mark.parametrize("release", ["v1.30.14", "v1.32.2", "v1.37.2"])
@pytest.mark.parametrize("create", ["auto", False])
def test_notes_fit_a_terminal(release: str, create: str | bool) -> None:
    classes = {key: {"create": create} for key in ("resourceClass", "deviceClass")}
    for served in ((), ("resource.k8s.io/v1alpha2/ResourceClass", "resource.k8s.io/v1/DeviceClass")):
        written = notes(release, *served, upgrade=True, webhook={"enabled": True}, **classes)
        assert max(map(len, written.splitlines())) <= 80


def test_notes_say_what_was_left_out() -> None:
    served = ("resource.k8s.io/v1/DeviceClass", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")
    assert "Left out" not in notes("v1.37.2", *served)
    assert "Left out: the ValidatingAdmissionPolicies, which" in notes("v1.37.2", served[0])
    account = {"serviceAccountName": "me"}
    assert "Left out: the ValidatingAdmissionPolicies, since controller and kubelet plugin\nshare a" in notes(
        "v1.37.2", *served, controller=account, kubeletPlugin=account
    )
    assert "Left out: the DeviceClass" in notes("v1.37.2", *served, deviceClass={"create": False})


def test_notes_of_an_upgrade_name_the_crds() -> None:
    assert "--filename=crds/" in notes("v1.37.2", upgrade=True)
    assert "--filename=crds/" not in notes("v1.37.2")


def test_notes_say_that_classic_dra_has_no_webhook() -> None:
    assert "webhook" in notes("v1.30.14", webhook={"enabled": True})
    assert "webhook" not in notes("v1.37.2", webhook={"enabled": True})


def test_all_crds() -> None:
    assert [crd["spec"]["names"]["kind"] for crd in crd_manifests()] == [
        "DeviceClassParameters",
        "DeviceFault",
        "DeviceProfile",
        "FakeClaimParameters",
        "NodeAllocationState",
    ]


def _execute(text: str, **dot: object) -> str:
    templates = GoTemplates()
    templates.add("t", text)
    return templates.execute("t", dot)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a {{- /* no */ -}} b", "ab"),
        ("a {{ 1 }} b", "a 1 b"),
        ("{{ .number }}", "1000000"),
        ("{{ .absent }}", ""),
        ('{{ printf "%d-%s-%v" 3 "x" .yes }}', "3-x-true"),
        ("{{ if .absent }}a{{ else if .yes }}b{{ else }}c{{ end }}", "b"),
        ("{{ with .absent }}a{{ else }}{{ .yes }}{{ end }}", "true"),
        ("{{ with .map }}{{ .key }}{{ $.yes }}{{ end }}", "valuetrue"),
        ("{{ $x := 1 }}{{ if .yes }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
        ('{{ define "d" }}<{{ .key }}>{{ end }}{{ include "d" .map | quote }}', '"<value>"'),
        ('{{ (default .map .absent) | toYaml | trunc 3 | replace "k" "w" }}', "wey"),
        ('{{ dict "a" 1 "b" (dict) | toYaml | nindent 2 }}', "\n  a: 1\n  b: {}"),
        ('{{ merge (dict "a" 1) (dict "a" 2 "b" 3) | toYaml }}', "a: 1\nb: 3"),
        ('{{ semverCompare ">=1.34-0" "v1.34.0-alpha.1+k3s" }} {{ semverCompare "<1.34-0" "1.34" }}', "true false"),
        ('{{ semverCompare ">=1.34-0" "v1.33.9" }} {{ semverCompare "<1.34-0" "v1.4.0" }}', "false true"),
        ('{{ get .map "key" }}{{ get .map "absent" }}', "value"),
        ('{{ b64enc "ab" }}', "YWI="),
        ('{{ eq 1 2 | ternary "a" "b" }}', "b"),
        ("{{ and .yes .absent | not }} {{ or .absent .number }}", "true 1000000"),
        ('{{ range list "a" "b" }}<{{ . }}{{ $.yes }}>{{ end }}{{ range .absent }}x{{ end }}', "<atrue><btrue>"),
        ('{{ kindIs "string" "a" }} {{ kindIs "string" .number }} {{ empty .absent }}', "true false true"),
        ('{{ regexReplaceAll "^([0-9])-*" "1--a" "x${1}" }} {{ print "-" "a" | trim | lower }}', "x1a -a"),
        ('{{ len "abc" }} {{ le 2 3 }} {{ ge 2 3 }} {{ sub 54 4 | int }} {{ mulf 1.5 "2" }}', "3 true false 50 3"),
        ('{{ fromYamlArray "[a, b, a]" | uniq | toYaml }}{{ fromYamlArray "" | len }}', "- a\n- b0"),
        ('{{ has "b" (splitList "/" "a/b") }} {{ sha256sum "" | trunc 8 }} {{ float64 "0.5" }}', "true e3b0c442 0.5"),
        ('{{ hasPrefix "a" "ab" }} {{ hasPrefix "b" "ab" }}', "true false"),
        ('{{ toString .yes }} {{ toString "a" }}{{ fromYaml "" | len }}', "true a0"),
    ],
)
def test_execution(text: str, written: str) -> None:
    assert _execute(text, number=1e6, yes=True, map={"key": "value"}) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{{ template "t" }}', "'template' is outside of the subset"),
        ("{{ range $x := .map }}{{ end }}", "'range' with 'else' or variables is outside of the subset"),
        ("{{ range .map }}{{ else }}{{ end }}", "'range' with 'else' or variables is outside of the subset"),
        ("{{ range .map }}", "'range' without an end"),
        ('{{ kindIs "map" .map }}', "the kind 'map' is outside of the subset"),
        ("{{ genCA 1 }}", "the function 'genCA' is outside of the subset"),
        ("{{ if .x }}", "'if' without an end"),
        ("{{ end }}", "'end' without a beginning"),
        ("{{ .x.y }}", "None has no 'y'"),
        ("{{ $x }}", "the variable $x is not set"),
        ('{{ include "nothing" . }}', "there is no template 'nothing'"),
        ('{{ define "d" }}{{ include "d" . }}{{ end }}{{ include "d" . }}', "includes itself"),
        ('{{ fail "not like this" }}', "not like this"),
        ("{{ .map }}", "cannot be written as text"),
        ('{{ "a" | }}', "an empty command"),
        ("{{ (1 }}", "not closed"),
        ("{{ 1) }}", "a parenthesis too many"),
        ("{{ .number 1 }}", "is no function"),
        ("{{ int64 .absent }}", "int64"),
        ('{{ semverCompare "^1.34" "v1.34.0" }}', "outside of the subset"),
        ("{{ % }}", "cannot read"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(GoTemplateError, match=message.replace("$", r"\$")):
        _execute(text, number=1, map={})
