"""What ``kubectl get`` shows of the built-in kinds: columns and cells.

Follows k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fake_dra_driver.cluster.apiserver.resource import Column
from fake_dra_driver.cluster.apiserver.store import Object

__all__ = ["age", "columns_of", "label_selector_text", "print_cells"]

_NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
_AGE = Column("Age", description="Time since the object was created.")
_CREATED_AT = Column("Created At", "date", description="Time at which the object was created.")
_POD_TEMPLATE = (Column("Containers", priority=1), Column("Images", priority=1), Column("Selector", priority=1))

Cells = Callable[[Object, datetime], list[Any]]


def _columns(*names: str, wide: tuple[str, ...] = (), kind: str = "string") -> tuple[Column, ...]:
    return (*(Column(name, kind) for name in names), *(Column(name, priority=1) for name in wide))


def age(timestamp: Any, now: datetime) -> str:
    """A time as the duration since (duration.HumanDuration)."""
    if not isinstance(timestamp, str):
        return "<unknown>"
    seconds = int((now - datetime.fromisoformat(timestamp)).total_seconds())
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if years < 8 and rest else f"{years}y"


def _age(obj: Object, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _labels(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def label_selector_text(selector: Mapping[str, Any] | None) -> str:
    """A metav1.LabelSelector as people write it."""
    parts = [f"{key}={value}" for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for each in (selector or {}).get("matchExpressions") or ():
        values = ",".join(sorted(each.get("values") or ()))
        sign = {"In": f"{each['key']} in ({values})", "NotIn": f"{each['key']} notin ({values})"}
        parts.append(sign.get(each["operator"], ("!" if each["operator"] == "DoesNotExist" else "") + each["key"]))
    return ",".join(parts)


def _template(obj: Object) -> list[Any]:
    containers = ((obj["spec"].get("template") or {}).get("spec") or {}).get("containers") or []
    names = ",".join(each.get("name", "") for each in containers)
    return [
        names,
        ",".join(each.get("image", "") for each in containers),
        label_selector_text(obj["spec"].get("selector")) or "<none>",
    ]


def _pod(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    statuses = status.get("containerStatuses") or []
    ready = sum(bool(each.get("ready")) for each in statuses)
    restarts = sum(int(each.get("restartCount", 0)) for each in statuses)
    addresses = [each.get("ip", "") for each in status.get("podIPs") or ()]
    return [
        obj["metadata"]["name"],
        f"{ready}/{len(spec.get('containers') or ())}",
        _pod_reason(obj, status, statuses),
        str(restarts),
        _age(obj, now),
        (addresses or [status.get("podIP")])[0] or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _readiness_gates(spec, status),
    ]


def _readiness_gates(spec: Object, status: Object) -> str:
    gates = [each.get("conditionType") for each in spec.get("readinessGates") or ()]
    holding = {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}
    return f"{sum(gate in holding for gate in gates)}/{len(gates)}" if gates else "<none>"


def _pod_reason(obj: Object, status: Object, statuses: list[Object]) -> str:
    """The STATUS column: what keeps a container from running says more than the phase."""
    reason = status.get("reason") or status.get("phase") or "Unknown"
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    running = False
    for each in reversed(statuses):
        state = each.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            signal, code = ended.get("signal"), ended.get("exitCode", 0)
            reason = ended.get("reason") or (f"Signal:{signal}" if signal else f"ExitCode:{code}")
        elif each.get("ready") and state.get("running") is not None:
            running = True
    if reason == "Completed" and running:
        ready = any(
            each.get("type") == "Ready" and each.get("status") == "True" for each in status.get("conditions") or ()
        )
        reason = "Running" if ready else "NotReady"
    if obj["metadata"].get("deletionTimestamp"):
        reason = "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _node(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    ready = next((each for each in status.get("conditions") or () if each.get("type") == "Ready"), None)
    states = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if obj["spec"].get("unschedulable"):
        states.append("SchedulingDisabled")
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))
    addresses = {each["type"]: each["address"] for each in status.get("addresses") or ()}
    info = status.get("nodeInfo") or {}
    return [
        obj["metadata"]["name"],
        ",".join(states),
        ",".join(roles) or "<none>",
        _age(obj, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _deployment(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    numbers = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [obj["metadata"]["name"], ready, *numbers, _age(obj, now), *_template(obj)]


def _daemonset(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    node_selector = obj["spec"]["template"]["spec"].get("nodeSelector")
    numbers = [status.get(name, 0) for name in names]
    return [obj["metadata"]["name"], *numbers, _labels(node_selector), _age(obj, now), *_template(obj)]


def _replicaset(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    numbers = [obj["spec"].get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [obj["metadata"]["name"], *numbers, _age(obj, now), *_template(obj)]


def _event(obj: Object, now: datetime) -> list[Any]:
    about, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    series = obj.get("series") or {}
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    count = series.get("count") or obj.get("count") or 1
    target = (
        f"{about.get('kind', '').lower()}/{about.get('name', '')}"
        if about.get("name")
        else about.get("kind", "").lower()
    )
    parts = [
        source.get("component") or obj.get("reportingComponent", ""),
        source.get("host") or obj.get("reportingInstance", ""),
    ]
    return [
        age(last, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        about.get("fieldPath", ""),
        ", ".join(part for part in parts if part),
        str(obj.get("message", "")).strip(),
        age(first, now),
        count,
        obj["metadata"]["name"],
    ]


def _service(obj: Object, now: datetime) -> list[Any]:
    spec = obj["spec"]
    ports = ",".join(f"{each.get('port')}/{each.get('protocol', 'TCP')}" for each in spec.get("ports") or ())
    address = spec.get("clusterIP") or "<none>"
    name = obj["metadata"]["name"]
    return [name, spec.get("type"), address, "<none>", ports or "<none>", _age(obj, now), _labels(spec.get("selector"))]


def _claim(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    states = []
    if obj["metadata"].get("deletionTimestamp"):
        states.append("deleted")
    if status.get("allocation") is None:
        states += [] if states else ["pending"]
    else:
        states.append("allocated")
        if status.get("reservedFor"):
            states.append("reserved")
        elif status.get("deallocationRequested") or states[0] == "deleted":
            states.append("deallocating")
    spec = obj["spec"]
    class_name, mode = spec.get("resourceClassName", ""), spec.get("allocationMode", "")
    return [obj["metadata"]["name"], class_name, mode, ",".join(states), _age(obj, now)]


def _claim_template(obj: Object, now: datetime) -> list[Any]:
    spec = obj["spec"].get("spec") or {}
    return [obj["metadata"]["name"], spec.get("resourceClassName", ""), spec.get("allocationMode", ""), _age(obj, now)]


def _role_binding(obj: Object, now: datetime) -> list[Any]:
    subjects = obj.get("subjects") or []

    def names(kind: str) -> str:
        return ", ".join(
            f"{each['namespace']}/{each['name']}" if kind == "ServiceAccount" else each["name"]
            for each in subjects
            if each.get("kind") == kind
        )

    role = f"{obj['roleRef'].get('kind')}/{obj['roleRef'].get('name')}"
    return [obj["metadata"]["name"], role, _age(obj, now), names("User"), names("Group"), names("ServiceAccount")]


def _fields(*paths: str) -> Cells:
    """Cells that are single fields, between the name and the age."""

    def cells(obj: Object, now: datetime) -> list[Any]:
        values = []
        for path in paths:
            value: Any = obj
            for name in path.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
            values.append("" if value is None else value)
        return [obj["metadata"]["name"], *values, _age(obj, now)]

    return cells


def _sizes(*names: str) -> Cells:
    def cells(obj: Object, now: datetime) -> list[Any]:
        size = sum(len(obj.get(name) or ()) for name in names)
        kind = [obj.get("type", "")] if names == ("data",) else []
        return [obj["metadata"]["name"], *kind, size, _age(obj, now)]

    return cells


def _created_at(obj: Object, _: datetime) -> list[Any]:
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")]


def _created(*names: str) -> tuple[Column, ...]:
    return (_NAME, *_columns(*names), _AGE)


_INTEGERS = _columns("Desired", "Current", "Ready", "Up-to-date", "Available", kind="integer")
_ROLE_BINDING = (*_created("Role"), *_columns(wide=("Users", "Groups", "ServiceAccounts")))
_PRINTERS: Mapping[str, tuple[tuple[Column, ...], Cells]] = {
    "ConfigMap": (_created("Data"), _sizes("data", "binaryData")),
    "ClusterRole": ((_NAME, _CREATED_AT), _created_at),
    "ClusterRoleBinding": (_ROLE_BINDING, _role_binding),
    "CustomResourceDefinition": ((_NAME, _CREATED_AT), _created_at),
    "DaemonSet": ((_NAME, *_INTEGERS, *_columns("Node Selector"), _AGE, *_POD_TEMPLATE), _daemonset),
    "Deployment": ((*_created("Ready", "Up-to-date", "Available"), *_POD_TEMPLATE), _deployment),
    "Event": (
        (
            *_columns("Last Seen", "Type", "Reason", "Object"),
            *_columns(wide=("Subobject", "Source")),
            *_columns("Message"),
            *_columns(wide=("First Seen", "Count")),
            Column("Name", format="name", priority=1),
        ),
        _event,
    ),
    "Lease": (_created("Holder"), _fields("spec.holderIdentity")),
    "Namespace": (_created("Status"), _fields("status.phase")),
    "Node": (
        (
            *_created("Status", "Roles"),
            *_columns("Version"),
            *_columns(wide=("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime")),
        ),
        _node,
    ),
    "Pod": (
        (
            *_created("Ready", "Status", "Restarts"),
            *_columns(wide=("IP", "Node", "Nominated Node", "Readiness Gates")),
        ),
        _pod,
    ),
    "PodSchedulingContext": (_created("SelectedNode"), _fields("spec.selectedNode")),
    "ReplicaSet": ((_NAME, *_INTEGERS[:3], _AGE, *_POD_TEMPLATE), _replicaset),
    "ResourceClaim": (_created("ResourceClassName", "AllocationMode", "State"), _claim),
    "ResourceClaimTemplate": (_created("ResourceClassName", "AllocationMode"), _claim_template),
    "ResourceClass": (_created("DriverName"), _fields("driverName")),
    "ResourceSlice": (_created("Node", "Driver"), _fields("nodeName", "driverName")),
    "Role": ((_NAME, _CREATED_AT), _created_at),
    "RoleBinding": (_ROLE_BINDING, _role_binding),
    "RuntimeClass": (_created("Handler"), _fields("handler")),
    "Secret": (_created("Type", "Data"), _sizes("data")),
    "Service": (
        (*_created("Type", "Cluster-IP", "External-IP", "Port(s)"), Column("Selector", priority=1)),
        _service,
    ),
    "ServiceAccount": (_created("Secrets"), lambda obj, now: [
        obj["metadata"]["name"], len(obj.get("secrets") or ()), _age(obj, now)
    ]),
}  # fmt: skip
_DEFAULT: tuple[tuple[Column, ...], Cells] = (_created(), lambda obj, now: [obj["metadata"]["name"], _age(obj, now)])


def columns_of(kind: str) -> tuple[Column, ...]:
    """The columns of a built-in kind."""
    return _PRINTERS.get(kind, _DEFAULT)[0]


def print_cells(kind: str, obj: Object, now: datetime) -> list[Any]:
    """One row of a built-in kind."""
    return _PRINTERS.get(kind, _DEFAULT)[1](obj, now)
