"""What users add to the chart's objects and pods: labels, annotations, variables, volumes, spreading, policies."""

import json
from typing import Any

import pytest

from fake_dra_driver import __version__
from fake_dra_driver.api.fake import DRIVER_NAME
from tests.unit.packaging.conftest import CLASSIC, STRUCTURED, Helm, Manifests
from tests.unit.packaging.test_chart import CONTROLLER, PLUGIN, container_of, pod_of
from tests.unit.packaging.test_chart_names import EVERYTHING
from tests.unit.packaging.test_chart_webhook import ENABLED, WEBHOOK

COMPONENTS = {"controller": "Deployment", "kubeletPlugin": "DaemonSet", "webhook": "Deployment"}


def template_of(manifests: Manifests, component: str) -> dict[str, Any]:
    """The template of a component's pods."""
    workload = manifests[COMPONENTS[component], f"fake-dra-driver-{component.lower()}"]
    template: dict[str, Any] = workload["spec"]["template"]
    return template


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("release", [CLASSIC, STRUCTURED])
def test_variables_and_volumes_are_for_every_container(helm: Helm, component: str, release: str) -> None:
    variable, source = {"name": "HTTPS_PROXY", "value": "1e3"}, {"secretRef": {"name": "more"}}
    volume, mount = {"name": "more", "emptyDir": {}}, {"name": "more", "mountPath": "/more"}
    values = {"extraEnv": [variable], "extraEnvFrom": [source], "extraVolumes": [volume], "extraVolumeMounts": [mount]}
    flags = [f"--set-json={component}.{key}={json.dumps(value)}" for key, value in values.items()]
    before, after = helm.template(ENABLED, kubernetes=release), helm.template(ENABLED, *flags, kubernetes=release)
    if component == "webhook" and release == CLASSIC:
        assert after == before
        return
    old, new = template_of(before, component)["spec"], template_of(after, component)["spec"]
    assert new["volumes"] == [*old.get("volumes", ()), volume]
    for key in ("initContainers", "containers"):
        for container, plain in zip(new.get(key, ()), old.get(key, ()), strict=True):
            assert container["env"] == [*plain["env"], variable]
            assert container["envFrom"] == [source]
            assert container["volumeMounts"] == [*plain.get("volumeMounts", ()), mount]


@pytest.mark.parametrize("component", COMPONENTS)
def test_settings_of_a_pod(helm: Helm, component: str) -> None:
    values = {
        "runtimeClassName": "gvisor",
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.0.0.10"]},
        "priorityClassName": "12",
    }
    flags = [f"--set-json={component}.{key}={json.dumps(value)}" for key, value in values.items()]
    pod = template_of(helm.template(ENABLED, *flags, kubernetes=STRUCTURED), component)["spec"]
    assert {key: pod[key] for key in values} == values
    plain = template_of(helm.template(ENABLED, kubernetes=STRUCTURED), component)["spec"]
    assert plain.keys() & values.keys() == {"priorityClassName"}


def test_labels_and_annotations_of_every_object(helm: Helm) -> None:
    labels = ["team=devices", "app\\.kubernetes\\.io/name=other"]
    flags = [*(f"--set=commonLabels.{label}" for label in labels), "--set-string=commonAnnotations.since=2024"]
    manifests = helm.template(*EVERYTHING, *flags, kubernetes=STRUCTURED)
    for key, found in manifests.items():
        assert found["metadata"]["labels"]["team"] == "devices", key
        assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "fake-dra-driver", key
        assert found["metadata"]["annotations"]["since"] == "2024", key
    for component in COMPONENTS:
        metadata = template_of(manifests, component)["metadata"]
        assert metadata["labels"]["team"] == "devices"
        assert "since" not in metadata.get("annotations", {})
    assert manifests["ConfigMap", "fake-dra-driver-dashboard"]["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize("component", COMPONENTS)
def test_labels_of_pods_leave_those_that_they_are_selected_by(helm: Helm, component: str) -> None:
    flags = [f"--set={component}.podLabels.team=a", f"--set={component}.podLabels.app\\.kubernetes\\.io/component=b"]
    manifests = helm.template(ENABLED, *flags, "--set=commonLabels.team=c", kubernetes=STRUCTURED)
    labels = template_of(manifests, component)["metadata"]["labels"]
    assert labels["team"] == "a"
    assert labels["app.kubernetes.io/component"] == component.lower()
    selector = manifests[COMPONENTS[component], f"fake-dra-driver-{component.lower()}"]["spec"]["selector"]
    assert "team" not in selector["matchLabels"]


def test_annotations_of_the_user_leave_the_checksum(helm: Helm) -> None:
    flag = "--set=webhook.podAnnotations.checksum/certificate=mine"
    found = template_of(helm.template(ENABLED, flag, kubernetes=STRUCTURED), "webhook")["metadata"]["annotations"]
    assert len(found["checksum/certificate"]) == 64


@pytest.mark.parametrize("component", ["controller", "webhook"])
def test_pods_are_spread_by_their_own_labels(helm: Helm, component: str) -> None:
    own = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    other = {**own, "labelSelector": {"matchLabels": {"a": "b"}}}
    flag = f"--set-json={component}.topologySpreadConstraints={json.dumps([own, other])}"
    manifests = helm.template(ENABLED, flag, kubernetes=STRUCTURED)
    selector = manifests["Deployment", f"fake-dra-driver-{component}"]["spec"]["selector"]
    found = template_of(manifests, component)["spec"]["topologySpreadConstraints"]
    assert found == [{**own, "labelSelector": selector}, other]


@pytest.mark.parametrize("component", ["controller", "webhook"])
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], {"maxUnavailable": 1}),
        (["minAvailable=2"], {"minAvailable": 2}),
        (["minAvailable=0"], {"minAvailable": 0}),
        (["maxUnavailable=50%"], {"maxUnavailable": "50%"}),
    ],
)
def test_disruption_budget(helm: Helm, component: str, flags: list[str], expected: dict[str, Any]) -> None:
    budget = f"--set={component}.podDisruptionBudget"
    given = [f"{budget}.create=true", *(f"{budget}.{flag}" for flag in flags)]
    manifests = helm.template(ENABLED, *given, kubernetes=STRUCTURED)
    name = f"fake-dra-driver-{component}"
    selector = manifests["Deployment", name]["spec"]["selector"]
    assert manifests["PodDisruptionBudget", name]["spec"] == {**expected, "selector": selector}
    assert ("PodDisruptionBudget", name) not in helm.template(ENABLED, kubernetes=STRUCTURED)


# --- From a registry


@pytest.mark.parametrize(
    ("values", "image"),
    [
        (["image.registry=r.example.com:5000"], f"r.example.com:5000/fake-dra-driver:v{__version__}"),
        (
            ["image.registry=r.example.com", "global.imageRegistry=m.example.com/p/"],
            f"m.example.com/p/fake-dra-driver:v{__version__}",
        ),
        ([f"image.digest=sha256:{'a' * 64}", "image.tag=t"], f"fake-dra-driver@sha256:{'a' * 64}"),
        (["image.registry=r", f"image.digest=sha256:{'1' * 64}"], f"r/fake-dra-driver@sha256:{'1' * 64}"),
    ],
)
def test_registry_and_digest(helm: Helm, values: list[str], image: str) -> None:
    manifests = helm.template(ENABLED, *(f"--set={value}" for value in values), kubernetes=STRUCTURED)
    assert {container_of(manifests, name)["image"] for name in (CONTROLLER, PLUGIN, WEBHOOK)} == {image}


def test_pull_secrets_of_the_chart_and_of_its_parent_each_once(helm: Helm) -> None:
    flags = [
        f"--set-json=imagePullSecrets={json.dumps(['a', {'name': 'b'}])}",
        f"--set-json=global.imagePullSecrets={json.dumps([{'name': 'a'}, 'c', '12'])}",
    ]
    manifests = helm.template(*flags)
    for name in (CONTROLLER, PLUGIN):
        assert pod_of(manifests, name)["imagePullSecrets"] == [{"name": name} for name in ("a", "b", "c", "12")]
    assert "imagePullSecrets" not in pod_of(helm.template(), PLUGIN)


def test_no_pod_waits_for_a_windows_node(helm: Helm) -> None:
    manifests = helm.template(ENABLED, "--set=controller.nodeSelector.disk=ssd", kubernetes=STRUCTURED)
    for name in (PLUGIN, WEBHOOK):
        assert pod_of(manifests, name)["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod_of(manifests, CONTROLLER)["nodeSelector"] == {"kubernetes.io/os": "linux", "disk": "ssd"}


# --- Network


def test_pods_are_reached_and_reach_others_as_they_need_it(helm: Helm) -> None:
    flags = ("--set=networkPolicy.create=true", "--set=networkPolicy.apiServerPorts={443,16443}")
    manifests = helm.template(ENABLED, *flags, kubernetes=STRUCTURED)
    for component in COMPONENTS:
        spec = manifests["NetworkPolicy", f"fake-dra-driver-{component.lower()}"]["spec"]
        template = template_of(manifests, component)
        assert spec["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        (container,) = template["spec"]["containers"]
        reached = {port["port"] for rule in spec["ingress"] for port in rule["ports"]}
        assert reached == {port["name"] for port in container["ports"]}
        assert spec["egress"] == [{"ports": [{"port": 443}, {"port": 16443}]}], component


def test_who_reads_metrics_can_be_said(helm: Helm) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]
    flags = ("--set=networkPolicy.create=true", f"--set-json=networkPolicy.metricsFrom={json.dumps(peers)}")
    manifests = helm.template(ENABLED, *flags, kubernetes=STRUCTURED)
    for component in COMPONENTS:
        rules = manifests["NetworkPolicy", f"fake-dra-driver-{component.lower()}"]["spec"]["ingress"]
        by_port = {rule["ports"][0]["port"]: rule.get("from") for rule in rules}
        assert by_port == {"http": peers, **({"https": None} if component == "webhook" else {})}


def test_the_webhook_on_the_network_of_its_node(helm: Helm) -> None:
    flags = ("--set=webhook.hostNetwork=true", "--set=webhook.port=18443", "--set=networkPolicy.create=true")
    manifests = helm.template(ENABLED, *flags, kubernetes=STRUCTURED)
    pod = template_of(manifests, "webhook")["spec"]
    (container,) = pod["containers"]
    assert pod["hostNetwork"] is True
    strategy = manifests["Deployment", WEBHOOK]["spec"]["strategy"]
    assert strategy == {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    assert {"name": "https", "containerPort": 18443} in container["ports"]
    assert {"name": "FAKE_DRA_LISTEN", "value": ":18443"} in container["env"]
    assert ("NetworkPolicy", "fake-dra-driver-webhook") not in manifests, "policies are for the network of pods"


# --- What cannot work


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["controller.replicas=2", "controller.settings.leaderElect=false"],
            "controller.replicas of 2 or more needs controller.settings.leaderElect.",
        ),
        (
            ["controller.settings.leaderElectRenewDeadlineSeconds=15"],
            "leaderElectRenewDeadlineSeconds has to be less than leaderElectLeaseDurationSeconds.",
        ),
        (
            ["controller.settings.leaderElectRetryPeriodSeconds=8.4"],
            "leaderElectRetryPeriodSeconds, times 1.2, has to be less than leaderElectRenewDeadlineSeconds.",
        ),
        *(
            ([f"{component}.{value}"], f"{component}.{message}")
            for component in COMPONENTS
            for value, message in (
                ("terminationGracePeriodSeconds=20", "terminationGracePeriodSeconds has to be more than"),
                ("settings.gracePeriodSeconds=30.5", "terminationGracePeriodSeconds has to be more than"),
                ("dnsPolicy=None", "dnsPolicy=None needs name servers in"),
                ("settings.metricsPath=/readyz", "settings.metricsPath cannot be /healthz or /readyz"),
            )
        ),
        *(
            (
                [f"{component}.podDisruptionBudget.{key}=1" for key in ("minAvailable", "maxUnavailable")],
                f"{component}.podDisruptionBudget has minAvailable or maxUnavailable, not both.",
            )
            for component in ("controller", "webhook")
        ),
        (
            ["kubeletPlugin.settings.cdiRoot=/var/lib/kubelet/plugins"],
            "kubeletRegistryDir, kubeletPluginsDir and cdiRoot have to be three folders",
        ),
        (
            [f"kubeletPlugin.settings.cdiRoot=/var/lib/kubelet/plugins/{DRIVER_NAME}"],
            "kubeletRegistryDir, kubeletPluginsDir and cdiRoot have to be three folders",
        ),
        (["controller.podDisruptionBudget.minAvailable=101%"], "'101%' does not match pattern"),
        (["kubeletPlugin.settings.cdiRoot=/var/../run"], 'the folder "/var/../run" cannot be mounted'),
        (["kubeletPlugin.settings.cdiRoot=/var:run"], 'the folder "/var:run" cannot be mounted'),
    ],
)
def test_what_cannot_work_is_refused(helm: Helm, values: list[str], message: str) -> None:
    assert message in helm.refuses(*(f"--set={value}" for value in values), kubernetes=STRUCTURED)
