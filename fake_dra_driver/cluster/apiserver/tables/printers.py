"""What ``kubectl get`` shows of the built-in kinds: columns and cells.

Follows k8s.io/kubernetes/pkg/printers/internalversion/printers.go. Pods, nodes and workloads have modules of their own.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.tables.humanduration import age
from fake_dra_driver.cluster.apiserver.tables.podcells import node_cells, node_with_architecture, pod_cells
from fake_dra_driver.cluster.apiserver.tables.workloadcells import (
    controller_revision_cells,
    cron_job_cells,
    daemonset_cells,
    deployment_cells,
    job_cells,
    labels_text,
    replicaset_cells,
    statefulset_cells,
)
from fake_dra_driver.cluster.apiserver.types.resource import Cells, Column
from fake_dra_driver.cluster.releases import ApiDetails

__all__ = ["printer_of"]

_NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
_AGE = Column("Age", description="Time since the object was created.")
_CREATED_AT = Column("Created At", "date", description="Time at which the object was created.")
_SHOWN_ENDPOINTS = 3


def _age(obj: Object, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


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
    ports = ",".join(_port_text(each) for each in spec.get("ports") or ())
    name, address = obj["metadata"]["name"], spec.get("clusterIP") or "<none>"
    selector = labels_text(spec.get("selector"))
    return [name, spec.get("type"), address, _external_address(obj), ports or "<none>", _age(obj, now), selector]


def _port_text(port: Mapping[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}"


def _external_address(obj: Object) -> str:
    """Where a service is reached from outside: load balancers get no addresses here."""
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    own = ",".join(spec.get("externalIPs") or ())
    if spec.get("type") != "LoadBalancer":
        return own or "<none>"
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    given = ",".join(sorted(str(each.get("ip") or each.get("hostname", "")) for each in ingress))
    return ",".join(filter(None, (given, own))) or "<pending>"


def _endpoints(obj: Object, now: datetime) -> list[Any]:
    addresses: list[str] = []
    for subset in obj.get("subsets") or ():
        found = [each.get("ip", "") for each in subset.get("addresses") or ()]
        ports = [each.get("port") for each in subset.get("ports") or ()]
        addresses += [f"{ip}:{port}" for port in ports for ip in found] if ports else found
    text = ",".join(addresses[:_SHOWN_ENDPOINTS]) or "<none>"
    if len(addresses) > _SHOWN_ENDPOINTS:
        text += f" + {len(addresses) - _SHOWN_ENDPOINTS} more..."
    return [obj["metadata"]["name"], text, _age(obj, now)]


def _claim_states(obj: Object) -> list[str]:
    status = obj.get("status") or {}
    states = ["deleted"] if obj["metadata"].get("deletionTimestamp") else []
    if status.get("allocation") is None:
        return states or ["pending"]
    return [*states, "allocated", *(["reserved"] if status.get("reservedFor") else [])]


def _claim(obj: Object, now: datetime) -> list[Any]:
    return [obj["metadata"]["name"], ",".join(_claim_states(obj)), _age(obj, now)]


def _classic_claim(obj: Object, now: datetime) -> list[Any]:
    states, status = _claim_states(obj), obj.get("status") or {}
    if states[-1] == "allocated" and (status.get("deallocationRequested") or states[0] == "deleted"):
        states.append("deallocating")
    spec = obj["spec"]
    class_name, mode = spec.get("resourceClassName", ""), spec.get("allocationMode", "")
    return [obj["metadata"]["name"], class_name, mode, ",".join(states), _age(obj, now)]


def _generated_from(obj: Object, now: datetime) -> list[Any]:
    """A row of parameters that were generated from a driver's own."""
    origin = obj.get("generatedFrom")
    shown = ""
    if origin is not None:
        group = origin.get("apiGroup", "")
        shown = f"{origin['kind']}{'.' if group else ''}{group} {origin['name']}"
    return [obj["metadata"]["name"], shown, _age(obj, now)]


def _claim_template(obj: Object, now: datetime) -> list[Any]:
    spec = obj["spec"].get("spec") or {}
    return [obj["metadata"]["name"], spec.get("resourceClassName", ""), spec.get("allocationMode", ""), _age(obj, now)]


def _taint_rule(obj: Object, now: datetime) -> list[Any]:
    taint = obj["spec"].get("taint") or {}
    shown = [taint.get(name, "") for name in ("key", "value", "effect")]
    return [obj["metadata"]["name"], *shown, age(taint.get("timeAdded"), now), _age(obj, now)]


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


def _policy(obj: Object, now: datetime) -> list[Any]:
    """A row of an admission policy."""
    spec = obj["spec"]
    kind = spec.get("paramKind")
    shown = "<unset>" if kind is None else f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}"
    return [obj["metadata"]["name"], len(spec.get("validations") or ()), shown, _age(obj, now)]


def _policy_binding(obj: Object, now: datetime) -> list[Any]:
    spec = obj["spec"]
    reference = spec.get("paramRef") or {}
    # Parameters without a namespace may be cluster-scoped, or in any.
    shown = f"{reference.get('namespace') or '*'}/{reference['name']}" if reference.get("name") else "<unset>"
    return [obj["metadata"]["name"], spec.get("policyName", ""), shown, _age(obj, now)]


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


def _columns(*names: str, wide: tuple[str, ...] = (), kind: str = "string") -> tuple[Column, ...]:
    return (*(Column(name, kind) for name in names), *(Column(name, priority=1) for name in wide))


def _created(*names: str) -> tuple[Column, ...]:
    return (_NAME, *_columns(*names), _AGE)


_INTEGERS = _columns("Desired", "Current", "Ready", "Up-to-date", "Available", kind="integer")
_WORKLOAD = _columns(wide=("Containers", "Images", "Selector"))
_ROLE_BINDING = (*_created("Role"), *_columns(wide=("Users", "Groups", "ServiceAccounts")))
_PRINTERS: Mapping[str, tuple[tuple[Column, ...], Cells]] = {
    "ControllerRevision": (_created("Controller", "Revision"), controller_revision_cells),
    "ConfigMap": (_created("Data"), _sizes("data", "binaryData")),
    "ClusterRole": ((_NAME, _CREATED_AT), _created_at),
    "ClusterRoleBinding": (_ROLE_BINDING, _role_binding),
    "CustomResourceDefinition": ((_NAME, _CREATED_AT), _created_at),
    "DaemonSet": ((_NAME, *_INTEGERS, *_columns("Node Selector"), _AGE, *_WORKLOAD), daemonset_cells),
    "Deployment": ((*_created("Ready", "Up-to-date", "Available"), *_WORKLOAD), deployment_cells),
    "Endpoints": (_created("Endpoints"), _endpoints),
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
    "CronJob": (
        (
            *(_NAME, *_columns("Schedule", "Timezone"), *_columns("Suspend", kind="boolean")),
            *(*_columns("Active", kind="integer"), *_columns("Last Schedule"), _AGE, *_WORKLOAD),
        ),
        cron_job_cells,
    ),
    "Job": ((*_created("Status", "Completions", "Duration"), *_WORKLOAD), job_cells),
    "Lease": (_created("Holder"), _fields("spec.holderIdentity")),
    "Namespace": (_created("Status"), _fields("status.phase")),
    "Node": (
        (
            *_created("Status", "Roles"),
            *_columns("Version"),
            *_columns(wide=("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime")),
        ),
        node_cells,
    ),
    "Pod": (
        (
            *_created("Ready", "Status", "Restarts"),
            *_columns(wide=("IP", "Node", "Nominated Node", "Readiness Gates")),
        ),
        pod_cells,
    ),
    "PriorityClass": (
        (_NAME, *_columns("Value", kind="integer"), *_columns("Global-Default", kind="boolean"), _AGE),
        lambda obj, now: [
            obj["metadata"]["name"], obj.get("value", 0), bool(obj.get("globalDefault")), _age(obj, now)
        ],
    ),
    "ReplicaSet": ((_NAME, *_INTEGERS[:3], _AGE, *_WORKLOAD), replicaset_cells),
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
    "ValidatingAdmissionPolicy": (
        (_NAME, *_columns("Validations", kind="integer"), *_columns("ParamKind"), _AGE),
        _policy,
    ),
    "ValidatingAdmissionPolicyBinding": (_created("PolicyName", "ParamRef"), _policy_binding),
    "MutatingWebhookConfiguration": ((_NAME, *_columns("Webhooks", kind="integer"), _AGE), _sizes("webhooks")),
    "ValidatingWebhookConfiguration": ((_NAME, *_columns("Webhooks", kind="integer"), _AGE), _sizes("webhooks")),
    "StatefulSet": ((*_created("Ready"), *_WORKLOAD[:2]), statefulset_cells),
}  # fmt: skip
_CLASSIC_DRA: Mapping[str, tuple[tuple[Column, ...], Cells]] = {
    "PodSchedulingContext": (_created("SelectedNode"), _fields("spec.selectedNode")),
    "ResourceClaim": (_created("ResourceClassName", "AllocationMode", "State"), _classic_claim),
    "ResourceClaimParameters": (_created("GeneratedFrom"), _generated_from),
    "ResourceClaimTemplate": (_created("ResourceClassName", "AllocationMode"), _claim_template),
    "ResourceClass": (_created("DriverName"), _fields("driverName")),
    "ResourceClassParameters": (_created("GeneratedFrom"), _generated_from),
    "ResourceSlice": (_created("Node", "Driver"), _fields("nodeName", "driverName")),
}
"""The kinds of resource.k8s.io/v1alpha2, some of which later versions have with other columns."""
_STRUCTURED_DRA: Mapping[str, tuple[tuple[Column, ...], Cells]] = {
    "DeviceTaintRule": (_created("Key", "Value", "Effect", "TimeAdded"), _taint_rule),
    "ResourceClaim": (_created("State"), _claim),
    "ResourceSlice": (_created("Node", "Driver", "Pool"), _fields("spec.nodeName", "spec.driver", "spec.pool.name")),
}
_DEFAULT: tuple[tuple[Column, ...], Cells] = (_created(), lambda obj, now: [obj["metadata"]["name"], _age(obj, now)])


def printer_of(version: str, kind: str, details: ApiDetails) -> tuple[tuple[Column, ...], Cells]:
    """The columns of a built-in kind in a version of a release, and what stands in them."""
    if kind == "ServiceAccount" and not details.shows_account_secrets:
        return _DEFAULT
    if kind == "Pod":
        return _PRINTERS[kind][0], partial(pod_cells, ended_stay_ended=details.ended_pods_stay_ended)
    if kind == "Node" and details.shows_node_architecture:
        return _PRINTERS[kind][0], node_with_architecture
    dra = _CLASSIC_DRA if version == "v1alpha2" else _STRUCTURED_DRA
    return _PRINTERS.get(kind) or dra.get(kind, _DEFAULT)
