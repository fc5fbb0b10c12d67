"""What stands in the cells of the tables of built-in kinds, and of custom kinds with all sorts of columns."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.definitions import install
from tests.conformance.objects import core, crd, deployment, event, node, owner, pod

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
LONG_AGO = "2024-05-01T10:00:00Z"
_AGE = re.compile(r"\d+y(\d+d)?|\d+d")


def rows(api: Api, path: str, **params: Any) -> dict[str, list[Any]]:
    """The cells behind the name, by the name."""
    table = api.call("GET", path, accept=TABLE, **params).json()
    return {row["object"]["metadata"]["name"]: row["cells"][1:] for row in table["rows"]}


def columns(api: Api, path: str) -> str:
    """The names of the columns behind the name; those of -o wide in brackets."""
    table = api.call("GET", path, accept=TABLE).json()
    names = [f"[{each['name']}]" if each["priority"] else each["name"] for each in table["columnDefinitions"]]
    return ", ".join(names[1:])


def container(name: str, state: Json, *, ready: bool = False, restarts: int = 0, **more: Any) -> Json:
    """A container status."""
    head = {"name": name, "image": "busybox", "imageID": "busybox"}
    return {**head, "ready": ready, "restartCount": restarts, "state": state, **more}


def ended(code: int, reason: str = "", signal: int = 0) -> Json:
    """The state of a container that has ended, long ago."""
    times = {"startedAt": LONG_AGO, "finishedAt": LONG_AGO, "containerID": "c"}
    return {"terminated": {"exitCode": code, **times, "reason": reason, "signal": signal}}


RUNNING: Json = {"running": {"startedAt": LONG_AGO}}
READY: Json = {"type": "Ready", "status": "True"}
_TWO_STEPS: Json = {"initContainers": [{"name": "one", "image": "busybox"}, {"name": "two", "image": "busybox"}]}
_SIDECAR: Json = {
    "initContainers": [
        {"name": "one", "image": "busybox", "restartPolicy": "Always"},
        {"name": "two", "image": "busybox"},
    ]
}
_TWO_CONTAINERS: Json = {"containers": [{"name": "main", "image": "b"}, {"name": "other", "image": "b"}]}
_INITIALIZING = container("main", {"waiting": {"reason": "PodInitializing"}})


def waiting(reason: str) -> Json:
    """The state of a container that waits."""
    return {"waiting": {"reason": reason}}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, None, "0/1 Pending 0"),
        ({}, {"containerStatuses": [container("main", RUNNING, ready=True)], "phase": "Running"}, "1/1 Running 0"),
        (
            {},
            {
                "containerStatuses": [
                    container("main", waiting("CrashLoopBackOff"), restarts=5, lastState=ended(1, "Error"))
                ]
            },
            "0/1 CrashLoopBackOff 5 (AGE ago)",
        ),
        ({}, {"phase": "Failed", "containerStatuses": [container("main", ended(3))]}, "0/1 ExitCode:3 0"),
        ({}, {"phase": "Failed", "containerStatuses": [container("main", ended(137, "", 9))]}, "0/1 Signal:9 0"),
        ({}, {"containerStatuses": [container("main", ended(0, "Completed"))]}, "0/1 Completed 0"),
        ({}, {"phase": "Failed", "reason": "Evicted"}, "0/1 Evicted 0"),
        ({"schedulingGates": [{"name": "example.com/wait"}]}, None, "0/1 SchedulingGated 0"),
        (
            _TWO_STEPS,
            {"initContainerStatuses": [container("one", RUNNING)], "containerStatuses": [_INITIALIZING]},
            "0/1 Init:0/2 0",
        ),
        (
            _TWO_STEPS,
            {
                "initContainerStatuses": [
                    container("one", ended(0, "Completed"), ready=True),
                    container("two", waiting("CrashLoopBackOff"), restarts=3),
                ],
                "containerStatuses": [_INITIALIZING],
            },
            "0/1 Init:CrashLoopBackOff 3",
        ),
        (_TWO_STEPS, {"initContainerStatuses": [container("one", ended(2), restarts=2)]}, "0/1 Init:ExitCode:2 2"),
        (_TWO_STEPS, {"initContainerStatuses": [container("one", ended(2, "Error"))]}, "0/1 Init:Error 0"),
        (_TWO_STEPS, {"initContainerStatuses": [container("one", ended(9, "", 9))]}, "0/1 Init:Signal:9 0"),
        (
            _TWO_STEPS,
            {
                "phase": "Running",
                "initContainerStatuses": [container("one", ended(0), restarts=4), container("two", ended(0))],
                "containerStatuses": [container("main", RUNNING, ready=True, restarts=1, lastState=ended(1))],
            },
            "1/1 Running 1 (AGE ago)",
        ),
        (
            _SIDECAR,
            {
                "phase": "Running",
                "initContainerStatuses": [
                    container("one", RUNNING, ready=True, restarts=2, started=True),
                    container("two", ended(0)),
                ],
                "containerStatuses": [container("main", RUNNING, ready=True)],
            },
            "2/2 Running 2",
        ),
        (
            _SIDECAR,
            {"initContainerStatuses": [container("one", RUNNING)], "containerStatuses": [_INITIALIZING]},
            "0/2 Init:0/2 0",
        ),
        (
            _TWO_CONTAINERS,
            {
                "conditions": [READY],
                "containerStatuses": [
                    container("main", ended(0, "Completed")),
                    container("other", RUNNING, ready=True),
                ],
            },
            "1/2 Running 0",
        ),
        (
            _TWO_CONTAINERS,
            {
                "containerStatuses": [
                    container("main", ended(0, "Completed")),
                    container("other", RUNNING, ready=True),
                ],
            },
            "1/2 NotReady 0",
        ),
    ],
)
def test_pods(api: Api, namespace: str, spec: Json, status: Json | None, expected: str) -> None:
    """READY, STATUS and RESTARTS: what keeps a container from running says more than the phase."""
    path = core(namespace, "pods")
    api.post(path, pod("a", spec))
    if status is not None:
        api.patch(f"{path}/a/status", {"status": status})
    cells = rows(api, path)["a"]
    assert _AGE.sub("AGE", " ".join(cells[:3])) == expected


def test_wide_pods(api: Api, namespace: str) -> None:
    """The columns of -o wide, and a pod that is on its way out."""
    path = core(namespace, "pods")
    names = "Ready, Status, Restarts, Age, [IP], [Node], [Nominated Node], [Readiness Gates]"
    assert columns(api, path) == names
    api.post(path, pod("a"))
    gates = [{"conditionType": "example.com/one"}, {"conditionType": "example.com/two"}]
    api.post(path, pod("b", {"nodeName": "n1", "readinessGates": gates}, finalizers=["example.com/hold"]))
    api.post(path, pod("c"))
    api.patch(f"{path}/c/status", {"status": {"nominatedNodeName": "n2"}})
    status = {
        "podIP": "10.0.0.1",
        "podIPs": [{"ip": "10.0.0.1"}],
        "conditions": [{"type": "example.com/one", "status": "True"}],
    }
    api.patch(f"{path}/b/status", {"status": status})
    api.delete(f"{path}/b", gracePeriodSeconds=0)
    found = rows(api, path)
    assert found["a"][4:] == ["<none>"] * 4
    assert found["b"][4:] == ["10.0.0.1", "n1", "<none>", "1/2"]
    assert found["c"][4:] == ["<none>", "<none>", "n2", "<none>"]
    assert found["b"][1] == "Terminating"


def test_nodes(api: Api, namespace: str, minor: int) -> None:
    """What a node says of itself; of several addresses of a kind the first."""
    path = "/api/v1/nodes"
    api.post(path, node(f"{namespace}-a"))
    second = node(f"{namespace}-b")
    roles = {"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/x": "", "kubernetes.io/role": "old"}
    second["metadata"]["labels"], second["spec"] = roles, {"unschedulable": True}
    api.post(path, second)
    addresses = [("InternalIP", "1.2.3.4"), ("InternalIP", "1.2.3.5"), ("ExternalIP", "5.6.7.8")]
    info = dict.fromkeys(("architecture", "bootID", "kubeProxyVersion", "machineID", "operatingSystem"), "x")
    info |= {"kubeletVersion": "v1.30.0", "osImage": "os", "kernelVersion": "k", "containerRuntimeVersion": "c"}
    status = {
        "conditions": [{"type": "Ready", "status": "False"}],
        "addresses": [{"type": type_, "address": address} for type_, address in addresses],
        "nodeInfo": {**info, "systemUUID": "x"},
    }
    api.patch(f"{path}/{namespace}-b/status", {"status": status})
    found = rows(api, path)
    assert found[f"{namespace}-a"][:2] == ["Unknown", "<none>"]
    assert found[f"{namespace}-a"][3:] == ["", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"]
    assert found[f"{namespace}-b"][:2] == ["NotReady,SchedulingDisabled", "control-plane,old,x"]
    assert found[f"{namespace}-b"][3:] == ["v1.30.0", "1.2.3.4", "5.6.7.8", "os", "k (x)" if minor > 30 else "k", "c"]


def _workload(kind: str, **spec: Any) -> Json:
    body = {**deployment("a"), "kind": kind}
    if kind == "DaemonSet":
        del body["spec"]["replicas"]
    body["spec"] |= spec
    return body


_SELECTOR = {
    "matchLabels": {"app": "a"},
    "matchExpressions": [
        {"key": "x", "operator": "DoesNotExist"},
        {"key": "app", "operator": "In", "values": ["z", "a"]},
        {"key": "y", "operator": "NotIn", "values": ["q"]},
        {"key": "app", "operator": "Exists"},
    ],
}
_WIDE = ["main", "busybox:1.37", "app=a"]


@pytest.mark.parametrize(
    ("plural", "body", "status", "names", "cells"),
    [
        (
            "deployments",
            _workload("Deployment", replicas=3),
            {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1},
            "Ready, Up-to-date, Available, Age, [Containers], [Images], [Selector]",
            ["2/3", 3, 1, *_WIDE],
        ),
        (
            "daemonsets",
            _workload("DaemonSet", selector=_SELECTOR),
            {
                "desiredNumberScheduled": 5,
                "currentNumberScheduled": 4,
                "numberReady": 3,
                "updatedNumberScheduled": 2,
                "numberAvailable": 1,
                "numberMisscheduled": 0,
            },
            "Desired, Current, Ready, Up-to-date, Available, Node Selector, Age, [Containers], [Images], [Selector]",
            [5, 4, 3, 2, 1, "<none>", "main", "busybox:1.37", "app=a,app in (a,z),app,!x,y notin (q)"],
        ),
        (
            "replicasets",
            _workload("ReplicaSet", replicas=2),
            {"replicas": 2, "readyReplicas": 1},
            "Desired, Current, Ready, Age, [Containers], [Images], [Selector]",
            [2, 2, 1, *_WIDE],
        ),
        (
            "statefulsets",
            _workload("StatefulSet", replicas=3, serviceName="s"),
            {"replicas": 2, "readyReplicas": 1},
            "Ready, Age, [Containers], [Images]",
            ["1/3", *_WIDE[:2]],
        ),
    ],
)
def test_workloads(
    api: Api, namespace: str, plural: str, body: Json, status: Json, names: str, cells: list[Any]
) -> None:
    """How many there are and should be; what they are made of with -o wide."""
    path = f"/apis/apps/v1/namespaces/{namespace}/{plural}"
    assert columns(api, path) == names
    api.post(path, body)
    api.patch(f"{path}/a/status", {"status": status})
    found = rows(api, path)["a"]
    del found[names.split(", ").index("Age")]
    assert found == cells


def test_cron_jobs(api: Api, namespace: str) -> None:
    """When they are due, and what they have started."""
    path = f"/apis/batch/v1/namespaces/{namespace}/cronjobs"
    names = "Schedule, Timezone, Suspend, Active, Last Schedule, Age, [Containers], [Images], [Selector]"
    assert columns(api, path) == names
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
    head = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}}
    api.post(path, {**head, "spec": {"schedule": "@yearly", "jobTemplate": {"spec": {"template": template}}}})
    zoned = {
        "schedule": "0 0 * * 0",
        "timeZone": "UTC",
        "suspend": True,
        "jobTemplate": {"spec": {"template": template}},
    }
    api.post(path, {**head, "metadata": {"name": "b"}, "spec": zoned})
    active = [{"apiVersion": "batch/v1", "kind": "Job", "name": "b-1", "namespace": namespace}]
    api.patch(f"{path}/b/status", {"status": {"active": active}})
    found = {name: [*cells[:5], *cells[6:]] for name, cells in rows(api, path).items()}
    assert found == {
        "a": ["@yearly", "<none>", "False", 0, "<none>", "main", "busybox", "<none>"],
        "b": ["0 0 * * 0", "UTC", "True", 1, "<none>", "main", "busybox", "<none>"],
    }


def test_jobs(api: Api, namespace: str, minor: int) -> None:
    """Whether it is done, and how long that took."""
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    assert columns(api, path) == "Status, Completions, Duration, Age, [Containers], [Images], [Selector]"
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}

    def make(name: str, **spec: Any) -> None:
        head = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
        api.post(path, {**head, "spec": {"template": template, **spec}})

    make("new")
    make("any-of-three", parallelism=3)
    make("done", completions=2)
    done = [
        {"type": type_, "status": "True"} for type_ in (["SuccessCriteriaMet"] if minor > 30 else []) + ["Complete"]
    ]
    times = {"startTime": LONG_AGO, "completionTime": "2024-05-01T10:05:10Z"}
    api.patch(f"{path}/done/status", {"status": {"succeeded": 2, "conditions": done, **times}})
    found = {name: cells[:3] for name, cells in rows(api, path).items()}
    assert found == {
        "new": ["Running", "0/1", ""],
        "any-of-three": ["Running", "0/1 of 3", ""],
        "done": ["Complete", "2/2", "5m10s"],
    }


def test_events(api: Api, namespace: str) -> None:
    """The columns that kubectl get events shows, of old events and of series."""
    path = core(namespace, "events")
    names = "Type, Reason, Object, [Subobject], [Source], Message, [First Seen], [Count], [Name]"
    assert columns(api, path) == names
    first = event("a", namespace, "p")
    first["involvedObject"]["fieldPath"] = "spec.containers{main}"
    first |= {"source": {"component": "kubelet", "host": "n1"}, "count": 7, "message": "two\nlines\n"}
    api.post(path, first)
    second = event("b", namespace, "p")
    for name in ("firstTimestamp", "lastTimestamp", "count", "source"):
        del second[name]
    series = {"count": 5, "lastObservedTime": "2024-05-02T10:00:00.000000Z"}
    second |= {"eventTime": "2024-05-01T10:00:00.000000Z", "series": series, "action": "Look"}
    second |= {"reportingComponent": "kubelet", "reportingInstance": "n2"}
    api.post(path, second)
    found = rows(api, path)
    for cells in found.values():
        del cells[6]
    assert found["a"] == ["Normal", "Tested", "pod/p", "spec.containers{main}", "kubelet, n1", "two\nlines", 7, "a"]
    assert found["b"] == ["Normal", "Tested", "pod/p", "", "kubelet, n2", "p was looked at", 5, "b"]


def _kind(api_version: str, kind: str, **fields: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **fields}


_SUBJECTS = [
    {"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"},
    {"kind": "User", "name": "v", "apiGroup": "rbac.authorization.k8s.io"},
    {"kind": "Group", "name": "g", "apiGroup": "rbac.authorization.k8s.io"},
    {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
]
_RBAC = "rbac.authorization.k8s.io/v1"
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
_ENDPOINTS = [{"addresses": [{"ip": f"1.2.3.{last}"} for last in range(1, 6)], "ports": [{"port": 80}]}]
_BINDING_COLUMNS = "Role, Age, [Users], [Groups], [ServiceAccounts]"
_SERVICE_COLUMNS = "Type, Cluster-IP, External-IP, Port(s), Age, [Selector]"
_HEADLESS = {"clusterIP": "None", "selector": {"b": "1", "a": "2"}}
_PORTS = [{"port": 80, "name": "x"}, {"port": 53, "protocol": "UDP", "name": "y"}]


@pytest.mark.parametrize(
    ("group", "plural", "body", "names", "cells"),
    [
        (
            "/api/v1",
            "configmaps",
            _kind("v1", "ConfigMap", data={"a": "b"}, binaryData={"c": "YQ=="}),
            "Data, Age",
            [2],
        ),
        ("/api/v1", "secrets", _kind("v1", "Secret", data={"a": "YQ=="}), "Type, Data, Age", ["Opaque", 1]),
        (
            "/api/v1",
            "endpoints",
            _kind("v1", "Endpoints", subsets=_ENDPOINTS),
            "Endpoints, Age",
            ["1.2.3.1:80,1.2.3.2:80,1.2.3.3:80 + 2 more..."],
        ),
        (
            "/api/v1",
            "services",
            _kind("v1", "Service", spec={**_HEADLESS, "ports": _PORTS}),
            _SERVICE_COLUMNS,
            ["ClusterIP", "None", "<none>", "80/TCP,53/UDP", "a=2,b=1"],
        ),
        (
            "/api/v1",
            "services",
            _kind("v1", "Service", spec={"type": "ExternalName", "externalName": "example.com"}),
            _SERVICE_COLUMNS,
            ["ExternalName", "<none>", "example.com", "<none>", "<none>"],
        ),
        (
            "/apis/coordination.k8s.io/v1",
            "leases",
            _kind("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "me"}),
            "Holder, Age",
            ["me"],
        ),
        (
            f"/apis/{_RBAC}",
            "rolebindings",
            _kind(_RBAC, "RoleBinding", roleRef=_ROLE, subjects=_SUBJECTS),
            _BINDING_COLUMNS,
            ["Role/r", "u, v", "g", "n/s"],
        ),
        (
            "/apis/apps/v1",
            "controllerrevisions",
            _kind("apps/v1", "ControllerRevision", revision=3, data={"a": 1}),
            "Controller, Revision, Age",
            ["<none>", 3],
        ),
    ],
)
def test_other_kinds(
    api: Api, namespace: str, group: str, plural: str, body: Json, names: str, cells: list[Any]
) -> None:
    """One row of each."""
    path = f"{group}/namespaces/{namespace}/{plural}"
    assert columns(api, path) == names
    api.post(path, body)
    found = rows(api, path, fieldSelector="metadata.name=a")["a"]
    del found[names.split(", ").index("Age")]
    assert found == cells


def test_service_accounts(api: Api, namespace: str, minor: int) -> None:
    path = core(namespace, "serviceaccounts")
    assert columns(api, path) == ("Age" if minor > 30 else "Secrets, Age")
    api.post(path, _kind("v1", "ServiceAccount", secrets=[{"name": "x"}]))
    assert rows(api, path, fieldSelector="metadata.name=a")["a"][:-1] == ([] if minor > 30 else [1])


def test_owned_revisions_name_their_owner(api: Api, namespace: str) -> None:
    """By kind and group, as one would type it."""
    path = f"/apis/apps/v1/namespaces/{namespace}"
    made = api.post(f"{path}/daemonsets", _workload("DaemonSet"))
    metadata = {"name": "r", "ownerReferences": [owner(made, controller=True)]}
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "revision": 1, "data": {}}
    api.post(f"{path}/controllerrevisions", body)
    assert rows(api, f"{path}/controllerrevisions")["r"][0] == "daemonset.apps/a"


def test_priority_classes(api: Api, namespace: str) -> None:
    """Cluster-wide, and two are there from the beginning."""
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": namespace}, "value": 5}
    api.post(path, body)
    found = rows(api, path)
    assert found[namespace][:2] == [5, False]
    assert found["system-node-critical"][:2] == [2_000_001_000, False]


_SPEC: Mapping[str, Any] = {
    "list": ["x", "y", 3],
    "map": {"a": 1, "a.b": 2, "z": "q"},
    "yes": True,
    "float": 1.5,
    "large": 2500000.5,
    "null": None,
    "objects": [{"name": "a", "value": 1, "deep": {"k": 1}}, {"name": "b", "value": 2}],
    "empty": [],
    "text": "t",
    "date": LONG_AGO,
    "nested": [{"in": [{"x": 1}, {"x": 2}]}, {"in": [{"x": 3}]}],
}
_COLUMNS: tuple[tuple[str, str, Any], ...] = (
    ("string", ".spec.list[*]", "x"),
    ("string", ".spec.list", '["x","y",3]'),
    ("string", ".spec.list[-1]", "3"),
    ("string", ".spec.list[7]", None),
    ("string", ".spec.list[1:]", "y"),
    ("string", ".spec.list[1:0]", None),
    ("string", ".spec.map", '{"a":1,"a.b":2,"z":"q"}'),
    ("string", ".spec.map['z']", "q"),
    ("string", ".spec.map['a.b']", None),
    ("string", r".spec.map.a\.b", "2"),
    ("string", ".spec.map[*]", None),
    ("string", ".spec.map['a','z']", "1"),
    ("string", ".spec.yes", "true"),
    ("string", ".spec.float", "1.5"),
    ("string", ".spec.large", "2.5000005e+06"),
    ("string", ".spec.null", "<no value>"),
    ("string", ".spec.nothing", None),
    ("string", ".spec.empty", "[]"),
    ("string", ".spec.empty[*]", None),
    ("string", ".spec.objects[*].name", "a"),
    ("string", '.spec.objects[?(@.name=="b")].value', "2"),
    ("string", ".spec.objects[?(@.name!='b')].name", "a"),
    ("string", ".spec.objects[?(@.value>1)].name", "b"),
    ("string", ".spec.objects[?(@.deep.k)].name", "a"),
    ("string", '.spec.objects[?(@.name=="none")].name', None),
    ("string", ".spec..name", "a"),
    ("string", ".spec.nested[*].in[*].x", "1"),
    ("string", ".spec.nested[0].in[1].x", "2"),
    ("string", ".metadata.labels.a", "b"),
    ("integer", ".spec.float", 1),
    ("integer", ".spec.text", None),
    ("integer", ".spec.yes", None),
    ("number", ".spec.float", 1.5),
    ("boolean", ".spec.yes", True),
    ("boolean", ".spec.float", None),
    ("date", ".spec.date", "AGE"),
    ("date", ".spec.text", "<invalid>"),
    ("date", ".spec.float", None),
)


def test_custom_columns(api: Api, namespace: str) -> None:
    """The path of a column may lead to several values, to none, or to one of another type than the column's."""
    group = f"{namespace}.example.com"
    definition = crd(group)
    [version] = definition["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"] = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }
    version["additionalPrinterColumns"] = [
        {"name": f"{type_} {path}", "type": type_, "jsonPath": path} for type_, path, _ in _COLUMNS
    ]
    install(api, definition)
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    metadata = {"name": "a", "labels": {"a": "b"}}
    api.post(path, {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": dict(_SPEC)})
    cells = [_AGE.sub("AGE", each) if isinstance(each, str) else each for each in rows(api, path)["a"]]
    shown = {f"{type_} {path}": cell for (type_, path, _), cell in zip(_COLUMNS, cells, strict=True)}
    assert shown == {f"{type_} {path}": cell for type_, path, cell in _COLUMNS}


@pytest.mark.parametrize("path", ["spec.text", "{.spec.text}"])
def test_columns_without_a_path(api: Api, namespace: str, path: str) -> None:
    """A path that does not begin with a dot is refused with the definition."""
    definition = crd(f"{namespace}.example.com")
    column = {"name": "Text", "type": "string", "jsonPath": path}
    definition["spec"]["versions"][0]["additionalPrinterColumns"] = [column]
    api.refused(
        422,
        "Invalid",
        "POST",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        definition,
        says="must be a simple json path starting with .",
    )


@pytest.mark.parametrize("path", [".spec.list[", '.spec.objects[?(@.name=~"b")].name'])
def test_columns_that_cannot_be_read(api: Api, namespace: str, path: str) -> None:
    """One that cannot be read is taken with the definition, and ends the table."""
    group = f"{namespace}.example.com"
    definition = crd(group)
    definition["spec"]["versions"][0]["additionalPrinterColumns"] = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Bad", "type": "string", "jsonPath": path},
        {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
    ]
    install(api, definition)
    assert columns(api, f"/apis/{group}/v1/namespaces/{namespace}/widgets") == "Size"
