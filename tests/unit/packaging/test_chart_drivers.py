"""Releases of the chart that are of drivers of their own: what they install, and what is refused before it is."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from tests.support.apiserver import ApiServer
from tests.unit.packaging.conftest import CLASSIC, NAMESPACE, STRUCTURED, Helm
from tests.unit.packaging.test_chart import CONTROLLER, PLUGIN, container_of, permissions_of

OTHER: Final = "--set=driverName=gpu.example.com"
CLASSES: Final = (
    '--set-json=deviceClasses=[{"name": "gpu", "selectors": [], "extendedResourceName": "example.com/gpu"}, '
    '{"name": "part"}]'
)
PROFILE: Final = '--set-json=deviceProfiles=[{"name": "mine", "spec": {"priority": 1}}]'
VARIABLE: Final = {"name": "FAKE_DRA_DRIVER_NAME", "value": "gpu.example.com"}


# --- What is installed


@pytest.mark.parametrize("kubernetes", [CLASSIC, STRUCTURED])
def test_another_name_is_everywhere_and_the_usual_one_nowhere_but_in_kinds(helm: Helm, kubernetes: str) -> None:
    manifests = helm.template(OTHER, "--set=webhook.enabled=true", kubernetes=kubernetes)
    text = json.dumps(list(manifests.values())).replace(f"nas.{DRIVER_NAME}", "").replace(f'["{DRIVER_NAME}"]', "")
    assert DRIVER_NAME not in text
    assert VARIABLE in container_of(manifests, CONTROLLER)["env"]
    assert VARIABLE in container_of(manifests, PLUGIN)["env"]
    assert "/var/lib/kubelet/plugins/gpu.example.com" in text
    kind = "ResourceClass" if kubernetes == CLASSIC else "DeviceClass"
    assert [name for found, name in manifests if found == kind] == ["gpu.example.com"]


def test_with_the_usual_name_programs_are_told_none(helm: Helm) -> None:
    assert "FAKE_DRA_DRIVER_NAME" not in json.dumps(list(helm.template(kubernetes=STRUCTURED).values()))


def test_classes_of_its_own_stand_for_the_usual_one(helm: Helm) -> None:
    manifests = helm.template(OTHER, CLASSES, kubernetes=STRUCTURED)
    classes = {name: manifest["spec"] for (kind, name), manifest in manifests.items() if kind == "DeviceClass"}
    assert classes == {"gpu": {"selectors": [], "extendedResourceName": "example.com/gpu"}, "part": {}}
    both = helm.template(CLASSES, "--set=deviceClass.create=true", kubernetes=STRUCTURED)
    assert {name for kind, name in both if kind == "DeviceClass"} == {"gpu", "part", "fake.3-shake.com"}


def test_versions_without_extended_resources_get_the_class_without(helm: Helm) -> None:
    manifests = helm.template(CLASSES, kubernetes="1.32.2")
    assert manifests["DeviceClass", "gpu"]["apiVersion"] == "resource.k8s.io/v1beta1"
    assert manifests["DeviceClass", "gpu"]["spec"] == {"selectors": []}


@pytest.mark.parametrize("kubernetes", [CLASSIC, STRUCTURED])
def test_profiles_are_for_the_driver_of_the_release(helm: Helm, kubernetes: str) -> None:
    profile = helm.template(OTHER, PROFILE, kubernetes=kubernetes)["DeviceProfile", "mine"]
    assert profile["spec"] == {"driverName": "gpu.example.com", "priority": 1}
    for component in (CONTROLLER, PLUGIN):
        role = permissions_of(helm.template(kubernetes=kubernetes)["ClusterRole", component])
        assert {"list", "watch"} <= role["fake.resource.3-shake.com", "deviceprofiles"]


# --- What is refused without a cluster


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--set=driverName=gpu_x"], "at '/driverName': 'gpu_x' does not match pattern"),
        (["--set=driverName="], "at '/driverName': '' does not match pattern"),
        (
            [f"--set=driverName={'a' * 62}"],
            f"driverName {'a' * 62} is too long for a socket in kubeletPlugin.settings.",
        ),
        (
            ['--set-json=deviceClasses=[{"name": "a"}, {"name": "a"}]'],
            "deviceClasses has two entries of one name: a, a.",
        ),
        (
            ['--set-json=deviceClasses=[{"name": "a", "kind": "b"}]'],
            "at '/deviceClasses/0': additional properties 'kind'",
        ),
        (
            ['--set-json=deviceClasses=[{"name": "a", "extendedResourceName": "kubernetes.io/gpu"}]'],
            "extendedResourceName cannot be kubernetes.io/gpu",
        ),
        (
            ['--set-json=deviceProfiles=[{"name": "a", "spec": {"driverName": "b.example.com"}}]'],
            f"spec.driverName of a is b.example.com, and driverName of this release is {DRIVER_NAME}",
        ),
        (['--set-json=deviceProfiles=[{"name": "a"}]'], "at '/deviceProfiles/0': missing property 'spec'"),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(helm: Helm, flags: list[str], message: str) -> None:
    assert message in helm.refuses(*flags, kubernetes=STRUCTURED)


def test_the_longest_name_that_fits_says_how_long_it_may_be(helm: Helm) -> None:
    assert helm.template(f"--set=driverName={'a' * 61}", kubernetes=STRUCTURED)
    assert "it has 62 characters, at most 61 are allowed" in helm.refuses(
        f"--set=driverName={'a' * 62}", kubernetes=STRUCTURED
    )


# --- What is refused for what is in the cluster


@pytest.fixture
def present(apiserver: ApiServer) -> Iterator[Any]:
    """Puts an object into the cluster for the time of a test; the namespace of the release stays."""
    made: list[Mapping[str, Any]] = []
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(namespace))

    def put(manifest: Mapping[str, Any]) -> None:
        made.append(manifest)
        apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(manifest))

    yield put
    for manifest in made:
        apiserver.kubectl("delete", "--wait=false", "--filename=-", stdin=json.dumps(manifest))


def refusal(helm: Helm, apiserver: ApiServer, *flags: str) -> str:
    """What helm says to an installation of a release."""
    with pytest.raises(Exception, match="helm") as caught:
        helm.run("install", "mine", str(helm.chart), "--dry-run=server", f"--kubeconfig={apiserver.kubeconfig}", *flags)
    return str(getattr(caught.value, "stderr", ""))


def daemon_set(namespace: str, driver: str = "") -> Mapping[str, Any]:
    """The kubelet plugin of another release, as far as it is looked at."""
    labels = {"app": "other-plugin"}
    env = [{"name": "FAKE_DRA_DRIVER_NAME", "value": driver}] if driver else []
    container = {"name": "plugin", "image": "i", "command": ["fake-dra-kubeletplugin"], "env": env}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "other-plugin", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


@pytest.mark.apiserver(structured=True)
def test_a_class_of_another_driver_is_not_taken_over(helm: Helm, apiserver: ApiServer, present: Any) -> None:
    device_class = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {
            "name": "vendor.example.com",
            "annotations": {"meta.helm.sh/release-name": "theirs", "meta.helm.sh/release-namespace": "vendor"},
        },
        "spec": {},
    }
    present(device_class)
    flags = ("--set=driverName=vendor.example.com",)
    assert (
        "There is a DeviceClass vendor.example.com in this cluster already, of the release theirs in the namespace "
        "vendor: claims could not tell which driver is meant."
    ) in refusal(helm, apiserver, *flags)


@pytest.mark.apiserver
def test_one_namespace_has_one_driver_and_one_name_is_in_one_namespace(
    helm: Helm, apiserver: ApiServer, present: Any
) -> None:
    present(daemon_set(NAMESPACE, "gpu.example.com"))
    assert (
        f"The namespace {NAMESPACE} has this driver already, as gpu.example.com in the DaemonSet other-plugin"
    ) in refusal(helm, apiserver, "--set=driverName=net.example.com")
    present(daemon_set("default", "nic.example.com"))
    other = "--set=namespaceOverride=elsewhere"
    assert (
        "The driver nic.example.com is in this cluster already, in the namespace default, and kubelets know one plugin"
    ) in refusal(helm, apiserver, other, "--set=driverName=nic.example.com")


@pytest.mark.apiserver
def test_the_name_of_a_release_does_not_change(helm: Helm, apiserver: ApiServer, present: Any) -> None:
    installed = dict(daemon_set(NAMESPACE))
    installed["metadata"] = {"name": "mine-fake-dra-driver-kubeletplugin", "namespace": NAMESPACE}
    present(installed)
    assert f"driverName of a release cannot be changed, here from {DRIVER_NAME} to gpu.example.com" in refusal(
        helm, apiserver, OTHER
    )
