"""The real kubectl, reading: get in all its forms, describe, events, explain, api-resources, wait, auth.

The same words have to come back from both servers. Ages and what a server makes up itself are taken out first.
"""

import json
import re

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.objects import config_map, core, event, ours, pod, widget
from tests.conformance.target import Kubectl

pytestmark = pytest.mark.apiserver

_AGE = re.compile(r"(?<![\w-])\d+[smhd]\b")
_GROUP = "fake.resource.3-shake.com"


def lines(text: str) -> list[str]:
    """The lines of a table, with ages as AGE and one blank between cells."""
    return [re.sub(r" {2,}", " ", _AGE.sub("AGE", line)).rstrip() for line in text.splitlines()]


@pytest.fixture
def pods(api: Api, namespace: str) -> str:
    """The path of the pods of the test's namespace: p, on a node, and q, nowhere yet."""
    path = core(namespace, "pods")
    api.post(path, pod("p", {"nodeName": "n1"}, labels={"app": "x"}))
    running = {"running": {"startedAt": "2024-05-01T10:00:00Z"}}
    container = {"name": "main", "image": "busybox", "imageID": "i", "ready": True, "restartCount": 0, "state": running}
    status = {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "containerStatuses": [container]}
    api.patch(f"{path}/p/status", {"status": {**status, "conditions": [{"type": "Ready", "status": "True"}]}})
    api.post(path, pod("q"))
    return path


def test_get(api: Api, kubectl: Kubectl, pods: str) -> None:
    """A list, one object, and several kinds at once, each with a table of its own."""
    expected = ["NAME READY STATUS RESTARTS AGE", "p 1/1 Running 0 AGE", "q 0/1 Pending 0 AGE"]
    assert lines(kubectl.run("get", "pods")) == expected
    assert lines(kubectl.run("get", "po", "q", "--no-headers")) == expected[2:]
    api.post(core(kubectl.namespace, "configmaps"), config_map("m", {"k": "v"}, labels={"app": "x"}))
    found = lines(kubectl.run("get", "pods,configmaps,secrets", "-l", "app=x"))
    assert found == [expected[0], "pod/p 1/1 Running 0 AGE", "", "NAME DATA AGE", "configmap/m 1 AGE"]
    found = lines(kubectl.run("get", "pods", "-A", f"--field-selector=metadata.namespace={kubectl.namespace}"))
    assert found[1:] == [f"{kubectl.namespace} {line}" for line in expected[1:]]
    assert kubectl.run("get", "secrets").strip() == f"No resources found in {kubectl.namespace} namespace."


def test_get_wide(kubectl: Kubectl, pods: str) -> None:
    """-o wide, with labels."""
    assert lines(kubectl.run("get", "pods", "-o", "wide", "--show-labels")) == [
        "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES LABELS",
        "p 1/1 Running 0 AGE 10.0.0.1 n1 <none> <none> app=x",
        "q 0/1 Pending 0 AGE <none> <none> <none> <none> <none>",
    ]
    assert lines(kubectl.run("get", "pods", "-L", "app"))[1:] == ["p 1/1 Running 0 AGE x", "q 0/1 Pending 0 AGE"]


def test_get_the_object(api: Api, kubectl: Kubectl, pods: str) -> None:
    """-o yaml and -o json are the object, without its managers unless these are asked for."""
    found = api.get(f"{pods}/p")
    managers = found["metadata"].pop("managedFields")
    assert json.loads(kubectl.run("get", "pod", "p", "-o", "json")) == found
    text = kubectl.run("get", "pod", "p", "-o", "yaml")
    assert text.startswith("apiVersion: v1\nkind: Pod\nmetadata:\n  creationTimestamp: ")
    assert "\nspec:\n  containers:\n  - image: busybox:1.37\n" in text
    shown = json.loads(kubectl.run("get", "pod", "p", "-o", "json", "--show-managed-fields"))
    assert shown["metadata"]["managedFields"] == managers
    listed = json.loads(kubectl.run("get", "pods", "-o", "json"))
    assert [each["metadata"]["name"] for each in listed["items"]] == ["p", "q"]


def test_get_parts(kubectl: Kubectl, pods: str) -> None:
    """jsonpath, as the quickstart uses it, templates, columns of one's own, names alone, sorted."""
    assert kubectl.run("get", "pod", "-o", "jsonpath={.items[*].metadata.name}") == "p q"
    assert kubectl.run("get", "pod", "p", "-o", "jsonpath={.spec.containers[*].name}") == "main"
    assert kubectl.run("get", "pod", "-o", 'jsonpath={.items[?(@.status.phase=="Pending")].metadata.name}') == "q"
    assert kubectl.run("get", "pod", "-o", "go-template={{range .items}}{{.metadata.name}},{{end}}") == "p,q,"
    assert kubectl.run("get", "pod", "-o", "name") == "pod/p\npod/q\n"
    columns = "custom-columns=N:.metadata.name,IP:.status.podIP"
    assert lines(kubectl.run("get", "pod", "-o", columns)) == ["N IP", "p 10.0.0.1", "q <none>"]
    found = lines(kubectl.run("get", "pod", "--sort-by=.status.phase", "--no-headers"))
    assert found == ["q 0/1 Pending 0 AGE", "p 1/1 Running 0 AGE"]
    raw = json.loads(kubectl.run("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/pods/p/status"))
    assert raw["status"]["phase"] == "Running"


def test_get_what_is_not_there(kubectl: Kubectl, pods: str) -> None:
    """Each in its own words: an object, a kind, a field to select by."""
    says = 'Error from server (NotFound): pods "none" not found\n'
    assert kubectl.run("get", "pod", "none", code=1) == says
    assert kubectl.run("get", "pod", "none", "--ignore-not-found") == ""
    assert kubectl.run("get", "nothing", code=1) == 'error: the server doesn\'t have a resource type "nothing"\n'
    found = kubectl.run("get", "pods", "--field-selector=spec.color=red", code=1)
    assert "field label not supported: spec.color" in found
    found = kubectl.run("get", "pods", "-l", "a in", code=1)
    assert "unable to parse requirement" in found


def test_watch(api: Api, kubectl: Kubectl, pods: str, minor: int) -> None:
    """get -w: what is there, then a line for each change."""
    with kubectl.follow("get", "pods", "-w", "--output-watch-events") as output:
        assert lines(output.readline()) == ["EVENT NAME READY STATUS RESTARTS AGE"]
        first = {lines(output.readline())[0], lines(output.readline())[0]}
        assert first == {"ADDED p 1/1 Running 0 AGE", "ADDED q 0/1 Pending 0 AGE"}
        api.patch(f"{pods}/q/status", {"status": {"phase": "Failed", "reason": "Evicted"}})
        assert lines(output.readline()) == ["MODIFIED q 0/1 Evicted 0 AGE"]
        api.delete(f"{pods}/q")
        # Later a pod that has ended is not shown as one that is ended.
        state = "Evicted" if minor > 30 else "Terminating"
        assert lines(output.readline()) == [f"MODIFIED q 0/1 {state} 0 AGE"]
        assert lines(output.readline()) == [f"DELETED q 0/1 {state} 0 AGE"]
        api.post(pods, pod("r"))
        assert lines(output.readline()) == ["ADDED r 0/1 Pending 0 AGE"]


def test_watch_values(api: Api, kubectl: Kubectl, pods: str) -> None:
    """get -w of whole objects: of each change what is asked for."""
    only = "--field-selector=metadata.name=q"
    with kubectl.follow("get", "pods", only, "-w", "-o", "jsonpath={.status.phase}{'\\n'}") as output:
        assert output.readline() == "Pending\n"
        api.patch(f"{pods}/q/status", {"status": {"phase": "Succeeded"}})
        assert output.readline() == "Succeeded\n"


def test_describe_a_pod(api: Api, kubectl: Kubectl, namespace: str, minor: int) -> None:
    """With its claims, its containers, and its events."""
    named = {"resourceClaimName": "mine"}
    spec: Json = {
        "containers": [
            {
                "name": "main",
                "image": "busybox:1.37",
                "command": ["sh", "-c", "env"],
                "env": [{"name": "A", "value": "b"}],
                "resources": {"claims": [{"name": "c"}]},
            }
        ],
        "resourceClaims": [{"name": "c", **(named if minor > 30 else {"source": named})}],
    }
    api.post(core(namespace, "pods"), pod("p", spec, labels={"app": "x"}))
    about = event("p.1", namespace, "p", reason="Scheduled")
    about["involvedObject"]["uid"] = api.get(core(namespace, "pods", "p"))["metadata"]["uid"]
    api.post(core(namespace, "events"), about)
    found = lines(kubectl.run("describe", "pod", "p"))
    assert found[:5] == [
        "Name: p",
        f"Namespace: {namespace}",
        "Priority: 0",
        "Node: <none>",
        "Labels: app=x",
    ]
    assert found[found.index("Containers:") + 1 :][:11] == [
        " main:",
        " Image: busybox:1.37",
        " Port: <none>",
        " Host Port: <none>",
        " Command:",
        " sh",
        " -c",
        " env",
        " Environment:",
        " A: b",
        " Mounts: <none>",
    ]
    assert "QoS Class: BestEffort" in found
    events = found[found.index("Events:") :]
    assert events[1] == " Type Reason Age From Message"
    assert [re.sub(r"\d+[dhy]\d*[dh]?", "AGE", line) for line in events[3:]] == [
        " Normal Scheduled AGE conformance p was looked at"
    ]


def test_describe_our_kinds(api: Api, kubectl: Kubectl, namespace: str, our_kinds: None) -> None:
    """The driver's kinds have no describer of their own: their fields are shown one by one."""
    body = {"apiVersion": f"{_GROUP}/v1alpha1", "kind": "FakeClaimParameters", "metadata": {"name": "f"}}
    api.post(ours(namespace), {**body, "spec": {"count": 2, "selector": {"model": "M"}}})
    found = lines(kubectl.run("describe", "fakeclaimparameters/f"))
    assert found[found.index("Spec:") :] == [
        "Spec:",
        " Count: 2",
        " Selector:",
        " Model: M",
        " Split: 0",
        "Events: <none>",
    ]
    api.post(core(namespace, "configmaps"), config_map("m", {"k": "v"}))
    found = [line for line in lines(kubectl.run("describe", "configmap", "m")) if line]
    expected = ["Data", "====", "k:", "----", "v", "BinaryData", "====", "Events: <none>"]
    assert found[found.index("Data") :] == expected
    says = 'Error from server (NotFound): pods "none" not found\n'
    assert kubectl.run("describe", "pod", "none", code=1) == says


def test_events(api: Api, kubectl: Kubectl, namespace: str) -> None:
    """kubectl events and get events, all of them and those of one object."""
    for name in ("a", "b"):
        api.post(core(namespace, "events"), event(name, namespace, f"pod-{name}"))
    found = lines(kubectl.run("events"))
    assert found[0] == "LAST SEEN TYPE REASON OBJECT MESSAGE"
    assert sorted(line.partition("Normal")[2] for line in found[1:]) == [
        " Tested Pod/pod-a pod-a was looked at",
        " Tested Pod/pod-b pod-b was looked at",
    ]
    found = lines(kubectl.run("events", "--for", "pod/pod-b", "--no-headers"))
    assert [line.partition("Normal")[2] for line in found] == [" Tested Pod/pod-b pod-b was looked at"]
    found = lines(kubectl.run("get", "events", "--field-selector=involvedObject.name=pod-a", "--no-headers"))
    assert [line.partition("Normal")[2] for line in found] == [" Tested pod/pod-a pod-a was looked at"]


_CLASSIC_KINDS = [
    "podschedulingcontexts resource.k8s.io/v1alpha2 true PodSchedulingContext",
    "resourceclaimparameters resource.k8s.io/v1alpha2 true ResourceClaimParameters",
    "resourceclaims resource.k8s.io/v1alpha2 true ResourceClaim",
    "resourceclaimtemplates resource.k8s.io/v1alpha2 true ResourceClaimTemplate",
    "resourceclasses resource.k8s.io/v1alpha2 false ResourceClass",
    "resourceclassparameters resource.k8s.io/v1alpha2 true ResourceClassParameters",
    "resourceslices resource.k8s.io/v1alpha2 false ResourceSlice",
]
_STRUCTURED_KINDS = [
    "deviceclasses resource.k8s.io/v1 false DeviceClass",
    "devicetaintrules resource.k8s.io/v1 false DeviceTaintRule",
    "resourceclaims resource.k8s.io/v1 true ResourceClaim",
    "resourceclaimtemplates resource.k8s.io/v1 true ResourceClaimTemplate",
    "resourceslices resource.k8s.io/v1 false ResourceSlice",
]


def test_api_resources(kubectl: Kubectl, our_kinds: None, minor: int) -> None:
    """What can be asked for: DRA's kinds, and the driver's as soon as they are installed."""
    found = lines(kubectl.run("api-resources", "--api-group=resource.k8s.io"))
    assert found == [
        "NAME SHORTNAMES APIVERSION NAMESPACED KIND",
        *(_STRUCTURED_KINDS if minor > 30 else _CLASSIC_KINDS),
    ]
    found = lines(kubectl.run("api-resources", f"--api-group={_GROUP}", "--cached=false"))
    assert [line.split()[-1] for line in found[1:]] == [
        "DeviceClassParameters",
        "DeviceFault",
        "DeviceProfile",
        "FakeClaimParameters",
    ]
    found = lines(kubectl.run("api-resources", f"--api-group=nas.{_GROUP}", "--cached=false", "-o", "wide"))
    assert found[1] == (
        f"nodeallocationstates nas.{_GROUP}/v1alpha1 true NodeAllocationState "
        "delete,deletecollection,get,list,patch,create,update,watch"
    )
    version = "v1" if minor > 30 else "v1alpha2"
    assert f"resource.k8s.io/{version}" in kubectl.run("api-versions").split()


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("fakeclaimparameters.spec", ["count\t<integer>", "selector\t<Object>", "split\t<integer>"]),
        ("fakeclaimparameters.spec.selector", ["model\t<string> -required-"]),
        ("deviceclassparameters.spec", ["deviceSelector\t<[]Object> -required-"]),
        ("nas.spec.allocatableDevice", ["fake\t<Object>"]),
        ("pod.spec.containers.resources.claims", ["name\t<string> -required-"]),
        ("pod.spec.overhead", []),
    ],
)
def test_explain(kubectl: Kubectl, our_kinds: None, what: str, expected: list[str]) -> None:
    """Fields and their types, of our kinds and of built-in ones."""
    found = kubectl.run("explain", what)
    fields = re.findall(r"^  (\w+\t<.*)$", found, re.MULTILINE)
    assert [each.strip() for each in fields][: len(expected)] == expected


def test_explain_claims(kubectl: Kubectl, minor: int) -> None:
    """In the version that is preferred."""
    fields = re.findall(r"^  (\w+\t<.*)$", kubectl.run("explain", "resourceclaim.spec"), re.MULTILINE)
    found = [each.strip() for each in fields]
    if minor > 30:
        assert found == ["devices\t<DeviceClaim>"]
    else:
        assert found[:2] == ["allocationMode\t<string>", "parametersRef\t<ResourceClaimParametersReference>"]


def test_explain_in_words(kubectl: Kubectl, our_kinds: None) -> None:
    """Our kinds tell what their fields are for; a field that is not there is named."""
    assert "Number of devices, all of one node." in kubectl.run("explain", "fakeclaimparameters.spec.count")
    assert 'error: field "nothing" does not exist' in kubectl.run("explain", "pod.nothing", code=1)
    says = 'the server doesn\'t have a resource type "nothing"\n'
    assert kubectl.run("explain", "nothing", code=1) == says


def test_wait(api: Api, kubectl: Kubectl, pods: str) -> None:
    """For a condition, for a value, in vain, and for what is not there."""
    assert kubectl.run("wait", "pod/p", "--for=condition=Ready", "--timeout=20s") == "pod/p condition met\n"
    found = kubectl.run("wait", "pod", "--all", "--for=jsonpath={.spec.restartPolicy}=Always", "--timeout=20s")
    assert found == "pod/p condition met\npod/q condition met\n"
    found = kubectl.run("wait", "pod/q", "--for=condition=Ready", "--timeout=0s", code=1)
    assert found == "error: condition not met for pods/q\n"
    says = 'Error from server (NotFound): pods "none" not found\n'
    assert kubectl.run("wait", "pod/none", "--for=condition=Ready", code=1) == says


def test_wait_for_a_change(api: Api, kubectl: Kubectl, pods: str) -> None:
    """It watches: what happens after it has begun ends it."""
    with kubectl.follow("wait", "pod/q", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s") as output:
        api.patch(f"{pods}/q/status", {"status": {"phase": "Failed"}})
        assert output.readline() == "pod/q condition met\n"
    with kubectl.follow("wait", "pod/q", "--for=delete", "--timeout=60s") as output:
        api.delete(f"{pods}/q")
        # Where the pod has gone before kubectl looked, there is nothing to say.
        assert output.read() in {"pod/q condition met\n", ""}


def test_custom_columns_of_a_custom_kind(api: Api, kubectl: Kubectl, widgets: str) -> None:
    """Those of the CRD, more with -o wide."""
    api.post(widgets, widget("a", color="blue"))
    assert lines(kubectl.run("get", "widgets")) == ["NAME SIZE", "a 3"]
    assert lines(kubectl.run("get", "widget", "a", "-o", "wide")) == ["NAME SIZE COLOR", "a 3 blue"]


def test_auth(kubectl: Kubectl, our_kinds: None) -> None:
    """Whether one may, and who one is."""
    assert kubectl.run("auth", "can-i", "create", "resourceclaims.resource.k8s.io") == "yes\n"
    assert kubectl.run("auth", "can-i", "create", "pods", "-q") == ""
    assert lines(kubectl.run("auth", "whoami"))[0] == "ATTRIBUTE VALUE"


def test_version(kubectl: Kubectl, minor: int) -> None:
    """Client and server."""
    assert f"Server Version: v1.{minor}." in kubectl.run("version")


def test_a_stale_token(kubectl: Kubectl) -> None:
    """One sentence, and a failure."""
    found = kubectl.run("get", "pods", "--token=stale", code=1).splitlines()
    # What stands in brackets has changed in kubectl 1.31.
    assert found[-1].startswith("error: You must be logged in to the server (")
