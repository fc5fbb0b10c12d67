"""The chart as helm renders it: object names, permissions, security, probes, settings, and what it refuses."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver import __version__
from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.driver.programs.settings import ControllerSettings, KubeletPluginSettings
from fake_dra_driver.flags import parse
from fake_dra_driver.packaging.project import driver_project
from tests.unit.packaging.conftest import CLASSIC, STRUCTURED, Helm, Manifests

CONTROLLER = "fake-dra-driver-controller"
PLUGIN = "fake-dra-driver-kubeletplugin"
CACHE = {"list", "watch"}


def pod_of(manifests: Manifests, name: str) -> dict[str, Any]:
    """Spec of a component's pods."""
    (workload,) = [
        found
        for (kind, found_name), found in manifests.items()
        if found_name == name and "template" in found.get("spec", {})
    ]
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def container_of(manifests: Manifests, name: str) -> dict[str, Any]:
    """The only container of a component's pods."""
    (container,) = pod_of(manifests, name)["containers"]
    found: dict[str, Any] = container
    return found


def permissions_of(role: Mapping[str, Any]) -> dict[tuple[str, str], set[str]]:
    """Verbs of a role, by API group and resource."""
    allowed: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        assert set(rule) - {"resourceNames"} == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                allowed.setdefault((group, resource), set()).update(rule["verbs"])
    return allowed


def test_objects_and_their_names(helm: Helm) -> None:
    assert set(helm.template()) == {
        ("Deployment", CONTROLLER),
        ("DaemonSet", PLUGIN),
        ("ResourceClass", "fake.3-shake.com"),
        ("ServiceAccount", "fake-dra-driver-service-account-controller"),
        ("ServiceAccount", "fake-dra-driver-service-account-kubeletplugin"),
        *(
            (kind, name)
            for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
            for name in (CONTROLLER, PLUGIN)
        ),
        *(
            (kind, f"fake-dra-driver-{guard.name}")
            for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
            for guard in driver_project().guards
            if guard.only in {"", "classic"}
        ),
    }


def test_everything_is_in_the_releases_namespace_and_labelled(helm: Helm) -> None:
    clustered = ("ClusterRole", "ClusterRoleBinding", "ResourceClass")
    for (kind, _), manifest in helm.template().items():
        namespaced = kind not in clustered and not kind.startswith("ValidatingAdmissionPolicy")
        assert manifest["metadata"].get("namespace") == ("fake-system" if namespaced else None)
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "fake-dra-driver"
        assert manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


@pytest.mark.parametrize("release", [CLASSIC, STRUCTURED])
def test_helm_lint_finds_nothing(helm: Helm, release: str) -> None:
    values = ("--set=webhook.enabled=true", f"--kube-version={release}")
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(helm.chart), *values)


def test_resource_class(helm: Helm) -> None:
    resource_class = helm.template()["ResourceClass", "fake.3-shake.com"]
    assert resource_class["apiVersion"] == "resource.k8s.io/v1alpha2"
    assert resource_class["driverName"] == "fake.resource.3-shake.com"


# --- Permissions


def test_permissions_of_the_controller(helm: Helm) -> None:
    manifests = helm.template()
    assert permissions_of(manifests["ClusterRole", CONTROLLER]) == {
        ("", "pods"): CACHE,
        ("", "nodes"): CACHE | {"get"},
        ("", "events"): {"create", "patch"},
        ("resource.k8s.io", "resourceclasses"): CACHE,
        ("resource.k8s.io", "resourceclaims"): CACHE | {"get", "patch"},
        ("resource.k8s.io", "resourceclaims/status"): {"patch"},
        ("resource.k8s.io", "podschedulingcontexts"): CACHE,
        ("resource.k8s.io", "podschedulingcontexts/status"): {"patch"},
        ("fake.resource.3-shake.com", "deviceclassparameters"): CACHE,
        ("fake.resource.3-shake.com", "fakeclaimparameters"): CACHE,
        ("fake.resource.3-shake.com", "deviceprofiles"): CACHE,
        ("fake.resource.3-shake.com", "devicefaults"): CACHE,
        ("fake.resource.3-shake.com", "deviceprofiles/status"): {"patch"},
        ("fake.resource.3-shake.com", "devicefaults/status"): {"patch"},
    }
    assert permissions_of(manifests["Role", CONTROLLER]) == {
        ("nas.fake.resource.3-shake.com", "nodeallocationstates"): CACHE | {"get", "create", "patch"},
        ("coordination.k8s.io", "leases"): {"get", "create", "update"},
    }
    # Other components of the namespace have Leases, too.
    (named,) = [rule for rule in manifests["Role", CONTROLLER]["rules"] if "update" in rule["verbs"]]
    assert (named["resources"], named["resourceNames"]) == (["leases"], ["fake-dra-controller"])


def test_permissions_of_the_kubelet_plugin(helm: Helm) -> None:
    manifests = helm.template()
    assert permissions_of(manifests["ClusterRole", PLUGIN]) == {
        ("", "nodes"): CACHE | {"get"},
        ("", "events"): {"create", "patch"},
        ("resource.k8s.io", "resourceclaims"): {"get", "list"},
        ("fake.resource.3-shake.com", "deviceprofiles"): CACHE,
        ("fake.resource.3-shake.com", "devicefaults"): CACHE,
        ("fake.resource.3-shake.com", "devicefaults/status"): {"patch"},
    }
    assert permissions_of(manifests["Role", PLUGIN]) == {
        ("nas.fake.resource.3-shake.com", "nodeallocationstates"): CACHE | {"get", "create", "patch"},
    }


@pytest.mark.parametrize(
    ("values", "accounts", "created"),
    [
        ([], ("fake-dra-driver-service-account-controller", "fake-dra-driver-service-account-kubeletplugin"), True),
        (["serviceAccount.name=x"], ("x-controller", "x-kubeletplugin"), True),
        (["controller.serviceAccountName=a", "kubeletPlugin.serviceAccountName=b"], ("a", "b"), True),
        (["serviceAccount.create=false"], ("default", "default"), False),
        (["serviceAccount.create=false", "controller.serviceAccountName=a"], ("a", "default"), False),
    ],
)
def test_each_component_runs_as_the_account_that_its_roles_are_bound_to(
    helm: Helm, values: list[str], accounts: tuple[str, str], created: bool
) -> None:
    manifests = helm.template(*(f"--set={value}" for value in values))
    for name, account in zip((CONTROLLER, PLUGIN), accounts, strict=True):
        assert pod_of(manifests, name)["serviceAccountName"] == account
        assert (("ServiceAccount", account) in manifests) is created
        for binding, role in (("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")):
            bound = manifests[binding, name]
            assert bound["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "fake-system"}]
            assert bound["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name}


# --- Pods


def test_containers_may_do_nothing_that_they_need_not(helm: Helm) -> None:
    manifests = helm.template()
    for name in (CONTROLLER, PLUGIN):
        pod = pod_of(manifests, name)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod_of(manifests, CONTROLLER)["securityContext"]["runAsNonRoot"] is True
    assert pod_of(manifests, CONTROLLER)["securityContext"]["runAsUser"] > 0
    assert pod_of(manifests, PLUGIN)["securityContext"]["runAsUser"] == 0, "the kubelet's folders belong to root"


def test_components_select_their_own_pods_only(helm: Helm) -> None:
    for values in ([], ["--set=selectorLabelsOverride.app=x"]):
        manifests = helm.template(*values)
        selectors = {}
        for kind, name in (("Deployment", CONTROLLER), ("DaemonSet", PLUGIN)):
            spec = manifests[kind, name]["spec"]
            selectors[name] = spec["selector"]["matchLabels"]
            assert selectors[name].items() <= spec["template"]["metadata"]["labels"].items()
        assert selectors[CONTROLLER] != selectors[PLUGIN]
        assert (
            not selectors[CONTROLLER].items()
            <= manifests["DaemonSet", PLUGIN]["spec"]["template"]["metadata"]["labels"].items()
        )


@pytest.mark.parametrize(("name", "component"), [(CONTROLLER, "controller"), (PLUGIN, "kubeletPlugin")])
def test_probes(helm: Helm, name: str, component: str) -> None:
    container = container_of(helm.template(f"--set={component}.httpPort=9999"), name)
    assert "--http-endpoint=:9999" in container["args"]
    assert container["ports"] == [{"name": "http", "containerPort": 9999}]
    paths = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    container = container_of(helm.template(f"--set={component}.httpPort=0"), name)
    assert not [argument for argument in container["args"] if argument.startswith("--http-endpoint")]
    assert not [key for key in container if key.endswith("Probe") or key == "ports"]


def test_replicas_of_the_controller_elect_a_leader(helm: Helm) -> None:
    assert helm.template()["Deployment", CONTROLLER]["spec"]["replicas"] == 1
    manifests = helm.template(
        "--set=controller.replicas=2", "--set=controller.settings.leaderElectRetryPeriodSeconds=3"
    )
    spec = manifests["Deployment", CONTROLLER]["spec"]
    assert spec["replicas"] == 2
    assert "strategy" not in spec, "a new one stands by before the old one ends"
    arguments = container_of(manifests, CONTROLLER)["args"]
    assert {"--leader-elect=true", "--leader-elect-lease-duration=15", "--leader-elect-retry-period=3"} <= {*arguments}


def test_programs_accept_what_the_chart_gives_them(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = helm.template(
        "--set=kubeletPlugin.settings.gracePeriodSeconds=0.5", "--set=controller.settings.workers=3"
    )
    monkeypatch.setenv("POD_NAMESPACE", "fake-system")
    monkeypatch.setenv("NODE_NAME", "node-1")
    controller = parse(ControllerSettings, container_of(manifests, CONTROLLER)["args"])
    assert (controller.workers, controller.logging_format, controller.verbosity) == (3, "json", 5)
    assert (controller.kube_api_qps, controller.kube_api_burst) == (0, 0)
    assert str(controller.http_endpoint) == ":8080"
    plugin = parse(KubeletPluginSettings, container_of(manifests, PLUGIN)["args"])
    assert plugin.grace_period_seconds == 0.5
    assert (plugin.device_count, plugin.device_models) == (8, ("LATEST-FAKE-MODEL",))
    assert str(plugin.cdi_root) == "/var/run/cdi"


def test_arguments_of_the_user_come_last_and_win(helm: Helm) -> None:
    container = container_of(helm.template("--set=controller.args={--workers=4}"), CONTROLLER)
    assert container["args"].index("--workers=10") < container["args"].index("--workers=4")
    assert parse(ControllerSettings, ["--namespace=a", *container["args"]]).workers == 4


@pytest.mark.parametrize(("grace", "seconds"), [(CONTROLLER, "controller"), (PLUGIN, "kubeletPlugin")])
def test_kubernetes_waits_longer_than_the_program_takes_to_stop(helm: Helm, grace: str, seconds: str) -> None:
    manifests = helm.template()
    model = ControllerSettings if seconds == "controller" else KubeletPluginSettings
    settings = parse(
        model,
        [
            *container_of(manifests, grace)["args"],
            "--namespace=a",
            *(["--node-name=a"] if model is KubeletPluginSettings else []),
        ],
    )
    assert pod_of(manifests, grace)["terminationGracePeriodSeconds"] > settings.grace_period_seconds


def test_in_classic_dra_status_is_set_before_the_plugin_starts_and_after_it_stops(helm: Helm) -> None:
    pod = pod_of(helm.template(), PLUGIN)
    (init,) = pod["initContainers"]
    (plugin,) = pod["containers"]
    not_ready = ["set-nas-status", "--status=NotReady"]
    assert init["name"] == "init"
    assert init["command"] == not_ready
    assert plugin["lifecycle"]["preStop"]["exec"]["command"] == not_ready
    for container in (init, plugin):
        fields = {entry["name"]: entry["valueFrom"]["fieldRef"]["fieldPath"] for entry in container["env"]}
        assert fields == {"NODE_NAME": "spec.nodeName", "POD_NAMESPACE": "metadata.namespace"}


def test_folders_are_mounted_where_the_program_is_told_that_they_are(helm: Helm) -> None:
    settings = {"kubeletRegistryDir": "/k/registry", "kubeletPluginsDir": "/k/plugins", "cdiRoot": "/cdi"}
    manifests = helm.template(*(f"--set=kubeletPlugin.settings.{key}={value}" for key, value in settings.items()))
    pod, container = pod_of(manifests, PLUGIN), container_of(manifests, PLUGIN)
    host = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]}
    inside = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert host == inside
    assert set(host.values()) == {"/k/registry", f"/k/plugins/{DRIVER_NAME}", "/cdi"}
    for flag in ("--kubelet-registry-dir=/k/registry", "--kubelet-plugins-dir=/k/plugins", "--cdi-root=/cdi"):
        assert flag in container["args"]


@pytest.mark.parametrize("folder", ["/k/plugins", "/k/plugins/"])
def test_of_the_plugins_of_a_node_the_plugin_gets_its_own_folder_alone(helm: Helm, folder: str) -> None:
    manifests = helm.template(f"--set=kubeletPlugin.settings.kubeletPluginsDir={folder}")
    (mounted,) = [each["hostPath"] for each in pod_of(manifests, PLUGIN)["volumes"] if each["name"] == "plugin"]
    flags = ["--namespace=a", "--node-name=a", *container_of(manifests, PLUGIN)["args"]]
    assert mounted == {"path": str(parse(KubeletPluginSettings, flags).plugin_dir), "type": "DirectoryOrCreate"}


@pytest.mark.parametrize("wanted", [True, False])
def test_a_switch_is_given_where_it_is_on(helm: Helm, wanted: bool) -> None:
    flag = f"--set=kubeletPlugin.settings.deviceMetadata={str(wanted).lower()}"
    arguments = container_of(helm.template(flag), PLUGIN)["args"]
    assert ("--device-metadata" in arguments) == wanted
    assert parse(KubeletPluginSettings, ["--namespace=a", "--node-name=a", *arguments]).device_metadata == wanted


def test_which_nodes_are_simulated(helm: Helm) -> None:
    flags = ("--simulated-nodes-annotation-selector", "--simulated-nodes-label-selector")
    assert {f"{flags[0]}=kwok.x-k8s.io/node=fake", f"{flags[1]}="} <= set(
        container_of(helm.template(), CONTROLLER)["args"]
    )
    values = {"annotationSelector": "", "labelSelector": "role in (load, test), !gpu"}
    container = container_of(helm.template(f"--set-json=simulatedNodes={json.dumps(values)}"), CONTROLLER)
    assert {f"{flags[0]}=", f"{flags[1]}=role in (load, test), !gpu"} <= set(container["args"])


NONE_SIMULATED = '--set-json=simulatedNodes={"annotationSelector": "", "labelSelector": ""}'


@pytest.mark.parametrize(
    ("values", "verbs"),
    [
        ([], {"create", "update"}),
        (["--set=simulatedNodes.annotationSelector=", "--set=simulatedNodes.labelSelector=a=b"], {"create", "update"}),
        ([NONE_SIMULATED], set()),
    ],
    ids=["as it is", "by labels", "none"],
)
def test_the_controller_publishes_nothing_where_no_node_is_simulated(
    helm: Helm, values: list[str], verbs: set[str]
) -> None:
    manifests = helm.template(*values, kubernetes=STRUCTURED)
    slices = permissions_of(manifests["ClusterRole", CONTROLLER])["resource.k8s.io", "resourceslices"]
    assert slices == CACHE | {"get", "delete"} | verbs, "what it has published before it withdraws"
    records = permissions_of(manifests["Role", CONTROLLER])["nas.fake.resource.3-shake.com", "nodeallocationstates"]
    assert records == CACHE | {"get", "patch"} | (verbs & {"create"})


@pytest.mark.parametrize("is_simulating", [True, False])
def test_one_account_is_kept_to_the_slices_of_its_node_unless_nodes_are_simulated(
    helm: Helm, is_simulating: bool
) -> None:
    shared = ["--set=controller.serviceAccountName=us", "--set=kubeletPlugin.serviceAccountName=us"]
    manifests = helm.template(*shared, *([] if is_simulating else [NONE_SIMULATED]), kubernetes=STRUCTURED)
    policies = {name for kind, name in manifests if kind == "ValidatingAdmissionPolicy"}
    assert policies == (set() if is_simulating else {f"{PLUGIN}-resourceslices"})


@pytest.mark.parametrize("selector", ["a=b=c", "=a", "a in b", "a,,b", "a in (b", "-a"])
def test_a_selector_that_is_none_is_refused(helm: Helm, selector: str) -> None:
    values = json.dumps({"labelSelector": selector})
    assert "simulatedNodes" in helm.refuses(f"--set-json=simulatedNodes={values}")


@pytest.mark.parametrize("component", [CONTROLLER, PLUGIN])
def test_no_part_is_for_kwoks_nodes(helm: Helm, component: str) -> None:
    """A pod that is scheduled on one would never run."""
    affinity = pod_of(helm.template(), component)["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["kwok"]}]}


def test_devices_are_configurable(helm: Helm) -> None:
    values = ["--set=kubeletPlugin.settings.deviceCount=2", "--set=kubeletPlugin.settings.deviceModels={A,B}"]
    container = container_of(helm.template(*values), PLUGIN)
    assert {"--device-count=2", "--device-models=A,B"} <= set(container["args"])


def test_large_numbers_stay_whole(helm: Helm) -> None:
    container = container_of(helm.template("--set=controller.settings.kubeApiBurst=1000000"), CONTROLLER)
    assert "--kube-api-burst=1000000" in container["args"]


def test_values_that_kubernetes_checks_are_passed_on(helm: Helm) -> None:
    for component, name in (("controller", CONTROLLER), ("kubeletPlugin", PLUGIN)):
        values = {
            "podAnnotations": {"a": "b"},
            "nodeSelector": {"kubernetes.io/os": "linux", "disk": "ssd"},
            "affinity": {"podAntiAffinity": {}},
            "tolerations": [{"operator": "Exists"}],
            "priorityClassName": "",
        }
        manifests = helm.template(
            *(f"--set-json={component}.{key}={json.dumps(value)}" for key, value in values.items())
        )
        pod = pod_of(manifests, name)
        for key in ("nodeSelector", "affinity", "tolerations"):
            assert pod[key] == values[key]
        assert "priorityClassName" not in pod
    assert pod_of(helm.template(), CONTROLLER)["priorityClassName"] == "system-node-critical"


@pytest.mark.parametrize(
    ("values", "image"),
    [([], f"fake-dra-driver:v{__version__}"), (["image.repository=r/x", "image.tag=t"], "r/x:t")],
)
def test_image(helm: Helm, values: list[str], image: str) -> None:
    manifests = helm.template(*(f"--set={value}" for value in values))
    for name in (CONTROLLER, PLUGIN):
        pod = pod_of(manifests, name)
        assert {container["image"] for container in (*pod["containers"], *pod.get("initContainers", ()))} == {image}


@pytest.mark.parametrize(
    ("values", "name"),
    [(["nameOverride=n"], "fake-dra-driver-n-controller"), (["fullnameOverride=f"], "f-controller")],
)
def test_names_can_be_overridden(helm: Helm, values: list[str], name: str) -> None:
    assert ("Deployment", name) in helm.template(*(f"--set={value}" for value in values))


def test_namespace_can_be_overridden(helm: Helm) -> None:
    manifests = helm.template("--set=namespaceOverride=elsewhere")
    assert {found["metadata"].get("namespace") for found in manifests.values()} == {None, "elsewhere"}
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        assert manifests[kind, PLUGIN]["subjects"][0]["namespace"] == "elsewhere"


# --- What is refused


def test_default_namespace_is_refused_unless_it_is_meant(helm: Helm) -> None:
    assert "allowDefaultNamespace=true" in helm.refuses("--set=namespaceOverride=default")
    manifests = helm.template("--set=namespaceOverride=default", "--set=allowDefaultNamespace=true")
    assert manifests["Deployment", CONTROLLER]["metadata"]["namespace"] == "default"


def test_value_namespace_is_refused(helm: Helm) -> None:
    assert "Install the chart with --namespace, or set namespaceOverride." in helm.refuses("--set=namespace=x")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("contoller.settings.workers=1", "additional properties 'contoller' not allowed"),
        ("controller.settings.wokers=1", "additional properties 'wokers' not allowed"),
        ("controller.settings.workers=0", "minimum: got 0, want 1"),
        ("controller.settings.workers=many", "got string, want integer"),
        ("controller.settings.workers=null", "missing property 'workers'"),
        ("kubeletPlugin.settings.deviceCount=129", "maximum: got 129, want 128"),
        ("kubeletPlugin.settings.deviceModels={A B}", "'A B' does not match pattern"),
        ("kubeletPlugin.settings.cdiRoot=cdi", "'cdi' does not match pattern '^/'"),
        ("kubeletPlugin.settings.gracePeriodSeconds=soon", "'soon' does not match pattern"),
        ("controller.httpPort=65536", "maximum: got 65,536, want 65,535"),
        ("image.pullPolicy=Sometimes", "must be one of 'Always', 'IfNotPresent', 'Never'"),
        ("image.repository=", "minLength: got 0, want 1"),
        (
            "controller.settings.apiTimeoutSeconds=0.05",
            "controller.settings.apiTimeoutSeconds has to be a number from 0.1",
        ),
        (
            "webhook.settings.gracePeriodSeconds=3600.5",
            "webhook.settings.gracePeriodSeconds has to be a number from 0 to",
        ),
    ],
)
def test_bad_values_are_refused(helm: Helm, value: str, message: str) -> None:
    assert message in helm.refuses(f"--set={value}")


def test_no_model_at_all_is_refused(helm: Helm) -> None:
    assert "minItems: got 0, want 1" in helm.refuses("--set-json=kubeletPlugin.settings.deviceModels=[]")


def test_helm_gives_the_chart_what_a_subchart_gets(helm: Helm) -> None:
    helm.template("--set=global.a=b")
