"""Defaults and rules of the built-in kinds other than pods.

Follows the defaults.go, strategy.go and validation.go of k8s.io/kubernetes/pkg/apis and pkg/registry, as far as clients
of this cluster meet them. What is not checked here is stored as sent.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.metadata import dns_label, dns_subdomain, path_segment
from fake_dra_driver.cluster.apiserver.poddefaults import (
    admit_pod,
    default_pod_spec,
    pod_grace_seconds,
    validate_pod,
    validate_pod_spec,
    validate_pod_update,
)
from fake_dra_driver.cluster.apiserver.resource import Rules
from fake_dra_driver.cluster.apiserver.selectors import match_label_selector
from fake_dra_driver.cluster.apiserver.store import Object

__all__ = ["RULES"]

_RBAC = "rbac.authorization.k8s.io"
_MAX_HANDLE_BYTES = 16 * 1024
_MAX_LIST = 32


def _default_template(obj: Object) -> None:
    spec = obj["spec"].setdefault("template", {}).setdefault("spec", {})
    default_pod_spec(spec)


def _default_deployment(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _default_template(obj)


def _default_daemonset(obj: Object) -> None:
    spec = obj["spec"]
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    _default_template(obj)
    generation = str(obj["metadata"].get("generation", 1))
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations.setdefault("deprecated.daemonset.template.generation", generation)


def _default_replicaset(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    if not spec.get("selector"):
        labels = (spec.get("template") or {}).get("metadata", {}).get("labels")
        if labels:
            spec["selector"] = {"matchLabels": dict(labels)}
    _default_template(obj)


def _default_statefulset(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("updateStrategy", {}).setdefault("type", "RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        spec["updateStrategy"].setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})
    spec.setdefault("revisionHistoryLimit", 10)
    _default_template(obj)


def _default_job(obj: Object) -> None:
    spec = obj["spec"]
    for name, value in (
        ("parallelism", 1),
        ("completions", 1),
        ("backoffLimit", 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
        ("podReplacementPolicy", "TerminatingOrFailed"),
        ("manualSelector", False),
    ):
        spec.setdefault(name, value)
    _default_template(obj)


def _default_service(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


def _default_secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
        obj["data"] = {**obj.get("data", {}), **encoded}


def _default_namespace(obj: Object) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")


def _admit_namespace(obj: Object) -> None:
    obj["spec"]["finalizers"] = ["kubernetes"]


def _admit_node(obj: Object) -> None:
    """TaintNodesByCondition: nothing is scheduled before the node says that it is ready."""
    taints = obj["spec"].setdefault("taints", [])
    if all(each.get("key") != "node.kubernetes.io/not-ready" for each in taints):
        taints.append({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"})


def _default_claim(obj: Object) -> None:
    obj["spec"].setdefault("allocationMode", "WaitForFirstConsumer")


def _default_claim_template(obj: Object) -> None:
    obj["spec"].setdefault("spec", {}).setdefault("allocationMode", "WaitForFirstConsumer")


def _default_binding(kind: str) -> Callable[[Object], None]:
    def default(obj: Object) -> None:
        reference = obj.setdefault("roleRef", {})
        if not reference.get("apiGroup"):
            reference["apiGroup"] = _RBAC
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in ("User", "Group"):
                subject.setdefault("apiGroup", _RBAC)

    default.__doc__ = f"Fills in the API groups of a {kind}."
    return default


# --- validation ---


def _names(kind: str, obj: Object) -> list[Problem]:
    problems = []
    for field in ("data", "binaryData") if kind == "ConfigMap" else ("data",):
        for key in sorted(obj.get(field) or ()):
            if not re.fullmatch("[-._a-zA-Z0-9]+", key):
                detail = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                )
                problems.append(invalid_value(f"{field}[{key}]", go_value(key), detail))
    return problems


def _validate_event(obj: Object) -> list[Problem]:
    namespace = obj["metadata"].get("namespace", "")
    about = (obj.get("involvedObject") or {}).get("namespace", "")
    if about != namespace and not (not about and namespace in ("default", "kube-system")):
        return [invalid_value("involvedObject.namespace", go_value(about), "does not match event.namespace")]
    return []


def _validate_workload(obj: Object) -> list[Problem]:
    spec, problems = obj["spec"], []
    selector, template = spec.get("selector") or {}, spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector:
        problems.append(required("spec.selector"))
    elif not match_label_selector(selector, labels):
        inner = ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items()))
        value = f"map[string]string{{{inner}}}"
        problems.append(
            invalid_value("spec.template.metadata.labels", value, "`selector` does not match template `labels`")
        )
    problems += validate_pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        problems.append(unsupported_value("spec.template.spec.restartPolicy", policy, ("Always",)))
    replicas = spec.get("replicas", 0)
    if replicas < 0:
        problems.append(invalid_value("spec.replicas", go_value(replicas), "must be greater than or equal to 0"))
    return problems


def _selector_is_immutable(obj: Object, old: Object) -> list[Problem]:
    if obj["spec"].get("selector") != old["spec"].get("selector"):
        text = _go_struct("v1.LabelSelector", obj["spec"].get("selector") or {})
        return [invalid_value("spec.selector", text, "field is immutable")]
    return []


def _go_struct(name: str, value: Any) -> str:
    """A struct roughly as Go's %#v prints it: the exact text of Go cannot be told from the wire."""
    inner = ", ".join(f"{key[:1].upper()}{key[1:]}:{go_value(each)}" for key, each in value.items())
    return f"{name}{{{inner}}}"


def _immutable(path: str, name: str) -> Callable[[Object, Object], list[Problem]]:
    def check(obj: Object, old: Object) -> list[Problem]:
        if obj.get(path) == old.get(path):
            return []
        return [invalid_value(path, _go_struct(name, obj.get(path) or {}), "field is immutable")]

    return check


def _validate_class(obj: Object) -> list[Problem]:
    name = obj.get("driverName", "")
    problems = [required("driverName")] if not name else []
    return problems + [invalid_value("driverName", go_value(name), each) for each in dns_subdomain(name)]


def _validate_claim_spec(spec: Object, path: str) -> list[Problem]:
    name, mode = spec.get("resourceClassName", ""), spec.get("allocationMode")
    problems = [invalid_value(f"{path}.resourceClassName", go_value(name), each) for each in dns_subdomain(name)]
    reference = spec.get("parametersRef")
    if reference is not None:
        problems += [
            required(f"{path}.parametersRef.{field}") for field in ("kind", "name") if not reference.get(field)
        ]
    if mode not in ("Immediate", "WaitForFirstConsumer"):
        problems.append(unsupported_value(f"{path}.allocationMode", mode, ("Immediate", "WaitForFirstConsumer")))
    return problems


def _validate_claim(obj: Object) -> list[Problem]:
    return _validate_claim_spec(obj["spec"], "spec")


def _validate_claim_template(obj: Object) -> list[Problem]:
    return _validate_claim_spec(obj["spec"].get("spec") or {}, "spec.spec")


def _validate_claim_update(obj: Object, old: Object) -> list[Problem]:
    problems = _immutable("spec", "resource.ResourceClaimSpec")(obj, old)
    new_status, old_status = obj.get("status") or {}, old.get("status") or {}
    allocation, before = new_status.get("allocation"), old_status.get("allocation")
    consumers, old_consumers = new_status.get("reservedFor") or [], old_status.get("reservedFor") or []
    if allocation is not None:
        if not new_status.get("driverName"):
            problems.append(required("status.driverName"))
        if before is not None and allocation != before:
            text = _go_struct("resource.AllocationResult", allocation)
            problems.append(invalid_value("status.allocation", text, "field is immutable"))
        for at, handle in enumerate(allocation.get("resourceHandles") or ()):
            size = len(str(handle.get("data", "")).encode())
            if size > _MAX_HANDLE_BYTES:
                field = f"status.allocation.resourceHandles[{at}].data"
                detail = f"Too long: must have at most {_MAX_HANDLE_BYTES} bytes"
                problems.append(Problem("FieldValueTooLong", field, detail))
    return problems + _validate_reservations(new_status, old_status, consumers, old_consumers)


def _validate_reservations(
    status: Object, old: Object, consumers: list[Object], old_consumers: list[Object]
) -> list[Problem]:
    problems = []
    allocation = status.get("allocation")
    if consumers and allocation is None:
        problems.append(forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
    elif len(consumers) > 1 and allocation is not None and not allocation.get("shareable"):
        problems.append(forbidden("status.reservedFor", "may not be reserved more than once"))
    if len(consumers) > _MAX_LIST:
        detail = f"Too many: {len(consumers)}: must have at most {_MAX_LIST} items"
        problems.append(Problem("FieldValueTooMany", "status.reservedFor", detail))
    added = [each for each in consumers if each not in old_consumers]
    if added and (status.get("deallocationRequested") or old.get("deallocationRequested")):
        problems.append(
            forbidden(
                "status.reservedFor",
                "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
            )
        )
    if status.get("deallocationRequested") and consumers:
        problems.append(
            forbidden("status.deallocationRequested", "deallocation cannot be requested while `reservedFor` is set")
        )
    if old.get("deallocationRequested") and allocation is not None and not status.get("deallocationRequested"):
        problems.append(forbidden("status.deallocationRequested", "may not be cleared when `allocation` is set"))
    return problems


def _validate_role_binding(obj: Object) -> list[Problem]:
    reference, problems = obj.get("roleRef") or {}, []
    if reference.get("kind") not in ("Role", "ClusterRole"):
        problems.append(unsupported_value("roleRef.kind", reference.get("kind", ""), ("Role", "ClusterRole")))
    if not reference.get("name"):
        problems.append(required("roleRef.name"))
    return problems


def _validate_lease(obj: Object) -> list[Problem]:
    spec = obj.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        return [invalid_value("spec.leaseDurationSeconds", go_value(seconds), "must be greater than 0")]
    return []


_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = (
    *(
        f"involvedObject.{name}"
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    ),
    "reason",
    "reportingComponent",
    "source",
    "type",
)


def _workload(default: Callable[[Object], None], **more: Any) -> Rules:
    return Rules(
        set_defaults=default,
        validate=_validate_workload,
        validate_update=_selector_is_immutable,
        status_on_create={},
        has_generation=True,
        **more,
    )


_BINDING = Rules(
    name_problems=path_segment,
    set_defaults=_default_binding("RoleBinding"),
    validate=_validate_role_binding,
    validate_update=_immutable("roleRef", "rbac.RoleRef"),
)

RULES: dict[str, Rules] = {
    "ConfigMap": Rules(validate=lambda obj: _names("ConfigMap", obj)),
    "Secret": Rules(
        set_defaults=_default_secret,
        validate=lambda obj: _names("Secret", obj),
        validate_update=_immutable("type", "core.SecretType"),
        selectable=("type",),
    ),
    "Namespace": Rules(
        name_problems=dns_label,
        set_defaults=_default_namespace,
        admit=_admit_namespace,
        status_on_create={"phase": "Active"},
        returns_deleted=True,
        selectable=("status.phase",),
    ),
    "Node": Rules(admit=_admit_node, keeps_status_on_create=True, selectable=("spec.unschedulable",)),
    "Pod": Rules(
        set_defaults=lambda obj: default_pod_spec(obj["spec"]),
        admit=admit_pod,
        validate=validate_pod,
        validate_update=validate_pod_update,
        status_on_create={"phase": "Pending", "qosClass": "BestEffort"},
        grace_seconds=pod_grace_seconds,
        returns_deleted=True,
        selectable=_POD_FIELDS,
    ),
    "Event": Rules(validate=_validate_event, selectable=_EVENT_FIELDS),
    "Service": Rules(name_problems=dns_label, set_defaults=_default_service, status_on_create={"loadBalancer": {}}),
    "ServiceAccount": Rules(),
    "Deployment": _workload(_default_deployment),
    "DaemonSet": _workload(_default_daemonset),
    "ReplicaSet": _workload(_default_replicaset, selectable=("status.replicas",)),
    "StatefulSet": _workload(_default_statefulset),
    "Job": Rules(
        set_defaults=_default_job, status_on_create={}, has_generation=True, selectable=("status.successful",)
    ),
    "Lease": Rules(validate=_validate_lease, update_without_version=False),
    "Role": Rules(name_problems=path_segment),
    "ClusterRole": Rules(name_problems=path_segment),
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "ResourceClass": Rules(validate=_validate_class, returns_deleted=True),
    "ResourceClaim": Rules(
        set_defaults=_default_claim,
        validate=_validate_claim,
        validate_update=_validate_claim_update,
        status_on_create={},
        returns_deleted=True,
    ),
    "ResourceClaimTemplate": Rules(
        set_defaults=_default_claim_template,
        validate=_validate_claim_template,
        validate_update=_immutable("spec", "resource.ResourceClaimTemplateSpec"),
        returns_deleted=True,
    ),
    "PodSchedulingContext": Rules(status_on_create={}, returns_deleted=True),
    "ResourceSlice": Rules(returns_deleted=True, selectable=("nodeName", "driverName"), update_without_version=False),
    "ResourceClaimParameters": Rules(returns_deleted=True),
    "ResourceClassParameters": Rules(returns_deleted=True),
}
"""By kind; kinds that are not named have no rules of their own."""
