"""What ``kubectl get`` shows of workloads.

Follows k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.tables.humanduration import age, human_duration
from fake_dra_driver.cluster.apiserver.types.selectors import label_selector_text
from fake_dra_driver.cluster.apiserver.types.timestamp import since_1970

__all__ = [
    "controller_revision_cells",
    "cron_job_cells",
    "daemonset_cells",
    "deployment_cells",
    "job_cells",
    "labels_text",
    "replicaset_cells",
    "statefulset_cells",
]

_DAEMONSET_NUMBERS = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
)


def deployment_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of deployments."""
    status = obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    numbers = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [obj["metadata"]["name"], ready, *numbers, _age(obj, now), *_containers(obj), _selector(obj)]


def daemonset_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of daemon sets."""
    status = obj.get("status") or {}
    numbers = [status.get(name, 0) for name in _DAEMONSET_NUMBERS]
    node_selector = labels_text(obj["spec"]["template"]["spec"].get("nodeSelector"))
    return [obj["metadata"]["name"], *numbers, node_selector, _age(obj, now), *_containers(obj), _selector(obj)]


def replicaset_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of replica sets."""
    status = obj.get("status") or {}
    numbers = [obj["spec"].get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [obj["metadata"]["name"], *numbers, _age(obj, now), *_containers(obj), _selector(obj)]


def statefulset_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of stateful sets."""
    ready = f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    return [obj["metadata"]["name"], ready, _age(obj, now), *_containers(obj)]


def controller_revision_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of controller revisions."""
    owners = (each for each in obj["metadata"].get("ownerReferences") or () if each.get("controller"))
    owner = next(owners, None)
    shown = "<none>"
    if owner is not None:
        group = str(owner["apiVersion"]).rpartition("/")[0]
        shown = f"{owner['kind'].lower()}{'.' if group else ''}{group}/{owner['name']}"
    return [obj["metadata"]["name"], shown, obj.get("revision", 0), _age(obj, now)]


def job_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of jobs."""
    spec, status = obj["spec"], obj.get("status") or {}
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism", 0)
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    names = [obj["metadata"]["name"], _job_status(obj), completions, _job_duration(status, now)]
    return [*names, _age(obj, now), *_containers(obj), _selector(obj)]


def cron_job_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of cron jobs."""
    spec, status = obj["spec"], obj.get("status") or {}
    last = status.get("lastScheduleTime")
    suspended = {None: "<unset>", True: "True", False: "False"}[spec.get("suspend")]
    names = [obj["metadata"]["name"], spec.get("schedule", ""), spec.get("timeZone") or "<none>", suspended]
    counts = [len(status.get("active") or ()), age(last, now) if last else "<none>", _age(obj, now)]
    return [*names, *counts, *_containers({"spec": spec["jobTemplate"]["spec"]}), _selector(spec["jobTemplate"])]


def _job_status(obj: Object) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    holding = {each["type"] for each in conditions if each.get("status") == "True"}
    for each in ("Complete", "Failed"):
        if each in holding:
            return each
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((each for each in ("Suspended", "FailureTarget") if each in holding), "Running")


def _job_duration(status: Mapping[str, Any], now: datetime) -> str:
    start, end = status.get("startTime"), status.get("completionTime")
    if not start:
        return ""
    until = since_1970(end) if end else timedelta(seconds=now.timestamp())
    return human_duration((until - since_1970(start)).total_seconds())


def _age(obj: Object, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _containers(obj: Object) -> list[str]:
    """Names and images of the containers in the pod template."""
    containers = ((obj["spec"].get("template") or {}).get("spec") or {}).get("containers") or []
    return [",".join(each.get(field, "") for each in containers) for field in ("name", "image")]


def _selector(obj: Object) -> str:
    return label_selector_text(obj["spec"].get("selector")) or "<none>"


def labels_text(labels: Mapping[str, str] | None) -> str:
    """Labels in one line."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"
