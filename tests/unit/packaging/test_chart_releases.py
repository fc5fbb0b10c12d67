"""The chart on each release of Kubernetes, as helm renders it: which DRA it is for, and what differs."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.packaging.conftest import CLASSIC, RELEASES, STRUCTURED, Helm, Manifests
from tests.unit.packaging.test_chart import CACHE, CONTROLLER, PLUGIN, container_of, permissions_of, pod_of

CLASS = "fake.3-shake.com"
POLICY = "ValidatingAdmissionPolicy"
OTHERS = ("v1/Pod", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")
"""What else a cluster serves."""
VERSIONS = {27: "v1alpha2", 28: "v1alpha2", 29: "v1alpha2", 30: "v1alpha2", 32: "v1beta1", 33: "v1beta1"}
"""By minor release: what is used without a cluster that says what it serves; from then on it is v1."""


def cluster(*kinds: str) -> Sequence[str]:
    """Flags of helm for a cluster that serves these kinds of resource.k8s.io."""
    return [f"--api-versions={kind}" for kind in (*OTHERS, *(f"resource.k8s.io/{kind}" for kind in kinds))]


def class_of(manifests: Manifests) -> dict[str, Any] | None:
    """The class, whatever its kind."""
    found = [manifest for (kind, name), manifest in manifests.items() if name == CLASS and kind.endswith("Class")]
    assert len(found) <= 1
    return found[0] if found else None


def variables(manifests: Manifests, name: str) -> dict[str, str]:
    """Environment of a component's container: the value, or the field that it is taken from."""
    return {
        entry["name"]: entry.get("value") or entry["valueFrom"]["fieldRef"]["fieldPath"]
        for entry in container_of(manifests, name)["env"]
    }


# --- Which DRA


@pytest.mark.parametrize("release", RELEASES)
def test_without_a_cluster_the_release_decides(helm: Helm, release: str) -> None:
    version = VERSIONS.get(int(release.split(".")[1]), "v1")
    found = class_of(helm.template(kubernetes=release))
    assert found is not None
    assert found["apiVersion"] == f"resource.k8s.io/{version}"
    assert found["kind"] == ("ResourceClass" if version == "v1alpha2" else "DeviceClass")


@pytest.mark.parametrize("release", ["1.34.0-alpha.0", "v1.34.2-gke.1028000", "1.34.1+k3s1"])
def test_releases_of_vendors_are_understood(helm: Helm, release: str) -> None:
    found = class_of(helm.template(kubernetes=release))
    assert found is not None
    assert found["apiVersion"] == "resource.k8s.io/v1"


@pytest.mark.parametrize(
    ("served", "version"),
    [
        (["v1", "v1beta2", "v1beta1"], "v1"),
        (["v1beta2", "v1beta1"], "v1beta2"),
        (["v1beta1"], "v1beta1"),
        (["v1alpha2"], "v1alpha2"),
    ],
)
def test_what_a_cluster_serves_wins_over_its_release(helm: Helm, served: Sequence[str], version: str) -> None:
    kinds = [f"{one}/{kind}" for one in served for kind in ("ResourceClaim", "DeviceClass", "ResourceClass")]
    found = class_of(helm.template(*cluster(*kinds), kubernetes="1.35.4"))
    assert found is not None
    assert found["apiVersion"] == f"resource.k8s.io/{version}"


@pytest.mark.parametrize("release", RELEASES)
def test_where_dra_is_off_there_is_no_class_and_the_rest_waits_for_it(helm: Helm, release: str) -> None:
    # Which cluster has policies is another matter.
    off = "--set=admissionPolicy.create=false"
    with_dra, without = helm.template(off, kubernetes=release), helm.template(off, *cluster(), kubernetes=release)
    assert class_of(without) is None
    assert without == {key: found for key, found in with_dra.items() if key[1] != CLASS}


def test_the_value_wins_over_all(helm: Helm) -> None:
    flags = ["--set=resourceApiVersion=v1beta1", *cluster("v1/ResourceClaim", "v1beta1/DeviceClass")]
    manifests = helm.template(*flags, kubernetes=STRUCTURED)
    found = class_of(manifests)
    assert found is not None
    assert found["apiVersion"] == "resource.k8s.io/v1beta1"
    for name in (CONTROLLER, PLUGIN):
        assert variables(manifests, name)["FAKE_DRA_RESOURCE_API_VERSION"] == "v1beta1"
        assert "FAKE_DRA_RESOURCE_API_VERSION" not in variables(helm.template(kubernetes=STRUCTURED), name)


def test_a_release_between_the_two_is_refused(helm: Helm) -> None:
    refused = helm.refuses(kubernetes="1.31.14")
    assert "use 1.27 to 1.30, or 1.32 or later" in refused
    assert "say with --kube-version which release yours has, or set resourceApiVersion" in refused
    assert class_of(helm.template("--set=resourceApiVersion=v1", kubernetes="1.31.14"))


def test_older_releases_are_refused(helm: Helm) -> None:
    assert "Kubernetes v1.26.15 has no version of the DRA API" in helm.refuses(kubernetes="1.26.15")


def test_what_is_served_counts_and_not_the_release(helm: Helm) -> None:
    """As with a Kubernetes that was built without being told its release."""
    found = class_of(helm.template("--api-versions=resource.k8s.io/v1alpha2/ResourceClaim", kubernetes="0.0.0-master"))
    assert found is not None
    assert found["apiVersion"] == "resource.k8s.io/v1alpha2"


def test_a_version_that_does_not_exist_is_refused(helm: Helm) -> None:
    assert "must be one of '', 'v1'" in helm.refuses("--set=resourceApiVersion=v2")


# --- What differs


def test_objects_of_structured_dra(helm: Helm) -> None:
    flags = "--set=admissionPolicy.create=false"
    classic, structured = (set(helm.template(flags, kubernetes=release)) for release in (CLASSIC, STRUCTURED))
    assert classic - structured == {("ResourceClass", CLASS)}
    assert structured - classic == {("DeviceClass", CLASS)}


def test_device_class(helm: Helm) -> None:
    (selector,) = helm.template(kubernetes=STRUCTURED)["DeviceClass", CLASS]["spec"]["selectors"]
    assert selector == {"cel": {"expression": 'device.driver == "fake.resource.3-shake.com"'}}
    extended = "--set=deviceClass.extendedResourceName=example.com/fake"
    spec = helm.template(extended, kubernetes=STRUCTURED)["DeviceClass", CLASS]["spec"]
    assert spec == {"selectors": [selector], "extendedResourceName": "example.com/fake"}
    for release in (CLASSIC, "1.32.2"):
        assert "deviceClass.extendedResourceName needs resource.k8s.io/v1" in helm.refuses(extended, kubernetes=release)
    for name in ("fake", "example.com/", "/fake", "a/b/c", "Example.com/a", "example.com/-"):
        refused = helm.refuses(f"--set=deviceClass.extendedResourceName={name}", kubernetes=STRUCTURED)
        assert "at '/deviceClass/extendedResourceName'" in refused
    for name in ("kubernetes.io/fake", "node.kubernetes.io/fake", "requests.example.com/fake"):
        refused = helm.refuses(f"--set=deviceClass.extendedResourceName={name}", kubernetes=STRUCTURED)
        assert "cannot be in the domain kubernetes.io" in refused


def test_permissions_of_the_controller_in_structured_dra(helm: Helm) -> None:
    manifests = helm.template(kubernetes=STRUCTURED)
    assert permissions_of(manifests["ClusterRole", CONTROLLER]) == {
        ("", "events"): {"create", "patch"},
        ("", "pods"): CACHE,
        ("", "nodes"): CACHE | {"get"},
        ("resource.k8s.io", "resourceclaims"): CACHE | {"get"},
        ("resource.k8s.io", "resourceclaims/status"): {"patch"},
        ("resource.k8s.io", "resourceclaims/driver"): {"arbitrary-node:patch"},
        ("resource.k8s.io", "resourceclaimtemplates"): CACHE,
        ("resource.k8s.io", "deviceclasses"): CACHE,
        ("resource.k8s.io", "resourceslices"): CACHE | {"get", "create", "update", "delete"},
        ("fake.resource.3-shake.com", "deviceprofiles"): CACHE,
        ("fake.resource.3-shake.com", "devicefaults"): CACHE,
        ("fake.resource.3-shake.com", "deviceprofiles/status"): {"patch"},
        ("fake.resource.3-shake.com", "devicefaults/status"): {"patch"},
    }
    assert manifests["Role", CONTROLLER] == helm.template(kubernetes=CLASSIC)["Role", CONTROLLER]


def test_permissions_of_the_kubelet_plugin_in_structured_dra(helm: Helm) -> None:
    manifests = helm.template(kubernetes=STRUCTURED)
    role = manifests["ClusterRole", PLUGIN]
    assert permissions_of(role) == {
        ("", "nodes"): CACHE | {"get"},
        ("", "events"): {"create", "patch"},
        ("fake.resource.3-shake.com", "deviceprofiles"): CACHE,
        ("fake.resource.3-shake.com", "devicefaults"): CACHE,
        ("fake.resource.3-shake.com", "devicefaults/status"): {"patch"},
        ("resource.k8s.io", "resourceclaims"): {"get", "list"},
        ("resource.k8s.io", "resourceclaims/status"): {"patch"},
        ("resource.k8s.io", "resourceclaims/driver"): {"associated-node:patch"},
        ("resource.k8s.io", "resourceslices"): CACHE | {"create", "update", "delete"},
    }
    named = [rule["resources"] for rule in role["rules"] if rule.get("resourceNames") == ["fake.resource.3-shake.com"]]
    assert named == [["resourceclaims/driver"]], "the permission to report on devices is for this driver's alone"
    assert manifests["Role", PLUGIN] == helm.template(kubernetes=CLASSIC)["Role", PLUGIN]


def test_in_structured_dra_an_old_plugin_says_nothing_of_a_node_that_a_new_one_serves(helm: Helm) -> None:
    manifests = helm.template(kubernetes=STRUCTURED)
    assert "initContainers" not in pod_of(manifests, PLUGIN)
    assert "lifecycle" not in container_of(manifests, PLUGIN)


@pytest.mark.parametrize(
    ("release", "flags", "rolls_over"),
    [
        ("1.30.14", [], False),
        ("1.32.2", [], False),
        ("1.33.7", [], True),
        ("1.37.2", [], True),
        # Without a cluster and its release; these versions say enough by themselves.
        ("1.27.0", ["--set=resourceApiVersion=v1beta1"], False),
        ("1.27.0", ["--set=resourceApiVersion=v1beta2"], True),
        ("1.27.0", ["--set=resourceApiVersion=v1"], True),
    ],
)
def test_a_new_plugin_serves_a_node_before_the_old_one_stops(
    helm: Helm, release: str, flags: list[str], rolls_over: bool
) -> None:
    manifests = helm.template(*flags, kubernetes=release)
    strategy = manifests["DaemonSet", PLUGIN]["spec"]["updateStrategy"]
    assert strategy["type"] == "RollingUpdate"
    assert strategy.get("rollingUpdate") == ({"maxSurge": 1, "maxUnavailable": 0} if rolls_over else None)
    assert variables(manifests, PLUGIN).get("FAKE_DRA_POD_UID") == ("metadata.uid" if rolls_over else None)
    pod = pod_of(manifests, PLUGIN)
    assert not [port for one in pod["containers"] for port in one["ports"] if "hostPort" in port]
    assert "hostNetwork" not in pod, "two pods on a node would compete for ports"


@pytest.mark.parametrize(
    ("strategy", "rolls_over"),
    [
        ({"type": "OnDelete"}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "30%"}}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "30%", "maxUnavailable": 0}}, True),
    ],
)
def test_an_update_strategy_of_the_user_is_kept(helm: Helm, strategy: dict[str, Any], rolls_over: bool) -> None:
    manifests = helm.template(f"--set-json=kubeletPlugin.updateStrategy={json.dumps(strategy)}", kubernetes=STRUCTURED)
    assert manifests["DaemonSet", PLUGIN]["spec"]["updateStrategy"] == strategy
    # Kubelets before 1.33, which some nodes may have, know one plugin of a driver, with the usual names of its sockets.
    assert ("FAKE_DRA_POD_UID" in variables(manifests, PLUGIN)) == rolls_over


@pytest.mark.parametrize("release", [CLASSIC, "1.32.2"])
def test_side_by_side_is_refused_where_kubelets_cannot(helm: Helm, release: str) -> None:
    flag = "--set=kubeletPlugin.updateStrategy.rollingUpdate.maxSurge=1"
    assert "needs structured DRA and kubelets of Kubernetes 1.33" in helm.refuses(flag, kubernetes=release)


# --- The policy on slices


def guards(manifests: Manifests) -> set[str]:
    """The policies, by what their names end in."""
    return {name.removeprefix("fake-dra-driver-") for kind, name in manifests if kind == POLICY}


IN_BOTH = {
    "kubeletplugin-nodeallocationstates",
    "kubeletplugin-events",
    "kubeletplugin-devicefaults-status",
    "controller-devicefaults-status",
    "controller-nodeallocationstates",
    "controller-events",
}
IN_CLASSIC = {"controller-resourceclaims", "controller-resourceclaims-status"}
IN_STRUCTURED = {
    "kubeletplugin-resourceslices",
    "kubeletplugin-resourceclaims-status",
    "controller-resourceslices",
    "controller-resourceclaims-status",
}


@pytest.mark.parametrize("release", RELEASES)
def test_accounts_are_guarded_where_there_are_policies(helm: Helm, release: str) -> None:
    minor = int(release.split(".")[1])
    expected = IN_BOTH | (IN_STRUCTURED if minor > 31 else IN_CLASSIC) if minor >= 30 else set()
    assert guards(helm.template(kubernetes=release)) == expected
    assert not guards(helm.template("--set=admissionPolicy.create=false", kubernetes=release))


def test_a_cluster_says_itself_whether_it_has_policies(helm: Helm) -> None:
    served = cluster("v1alpha2/ResourceClaim", "v1alpha2/ResourceClass")
    assert guards(helm.template(*served, kubernetes="0.0.0-master")) == IN_BOTH | IN_CLASSIC
    assert not guards(helm.template(*(flag for flag in served if "Policy" not in flag), kubernetes=CLASSIC))


@pytest.mark.parametrize("release", [CLASSIC, STRUCTURED])
def test_a_policy_is_for_one_account_and_denies(helm: Helm, release: str) -> None:
    flags = [
        "--set=kubeletPlugin.serviceAccountName=plugin",
        "--set=controller.serviceAccountName=main",
        "--set=namespaceOverride=here",
    ]
    manifests = helm.template(*flags, kubernetes=release)
    accounts = {"kubeletplugin": "plugin", "controller": "main"}
    for name in guards(manifests):
        policy = manifests[POLICY, f"fake-dra-driver-{name}"]["spec"]
        (condition,) = policy["matchConditions"]
        account = accounts[name.partition("-")[0]]
        assert condition["expression"] == f'request.userInfo.username == "system:serviceaccount:here:{account}"'
        assert policy["failurePolicy"] == "Fail"
        binding = manifests[f"{POLICY}Binding", f"fake-dra-driver-{name}"]["spec"]
        assert binding == {"policyName": f"fake-dra-driver-{name}", "validationActions": ["Deny"]}


def test_who_shares_an_account_cannot_be_told_apart(helm: Helm) -> None:
    flags = ["--set=kubeletPlugin.serviceAccountName=me", "--set=controller.serviceAccountName=me"]
    for release in (CLASSIC, STRUCTURED):
        assert not guards(helm.template(*flags, kubernetes=release))
