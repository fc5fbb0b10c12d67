"""What is written to nodes and pods of each stage. Pure.

The fields and their values are those of KWOK's templates, which people know from ``kubectl get``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from fake_dra_driver.cluster.kinds import Container, Node, Pod

__all__ = ["KWOK_VERSION", "NODE_ADDRESS", "completed", "heartbeat", "initialized", "is_ready", "running"]

Wire = dict[str, Any]

KWOK_VERSION: Final = "kwok-0.7.0"
"""What takes the place of the versions of kubelet, kernel and container runtime."""
NODE_ADDRESS: Final = "127.0.0.1"
"""Of nodes that have none, as of all nodes of the embedded cluster (``--node-ip``)."""
_CAPACITY: Final = {"cpu": "1k", "memory": "1Ti", "pods": "1M"}
"""Of nodes that say nothing."""
_CONDITIONS: Final = (
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("NetworkUnavailable", "False", "RouteCreated", "RouteController created a route"),
)


# --- Nodes -----------------------------------------------------------------------------------------------------------


def is_ready(node: Node) -> bool:
    """Whether the node says that it is ready."""
    return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


def initialized(node: Node, now: datetime) -> Wire:
    """The status of a node that becomes Ready (node-initialize): what it says itself stays."""
    said = node.status.to_wire()
    info = said.get("nodeInfo") or {}
    versions = ("containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion")
    defaults = {
        "architecture": "amd64",
        "bootID": "",
        **dict.fromkeys(versions, KWOK_VERSION),
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "",
        "systemUUID": "",
    }
    return {
        **heartbeat(node, now),
        "allocatable": said.get("allocatable") or _CAPACITY,
        "capacity": said.get("capacity") or _CAPACITY,
        "nodeInfo": {name: info.get(name) or default for name, default in defaults.items()},
        "phase": "Running",
    }


def heartbeat(node: Node, now: datetime) -> Wire:
    """The part of the status that says that the node is alive (node-heartbeat-with-lease)."""
    since, at = _time(node.metadata.creation_timestamp or now), _time(now)
    conditions = [
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": at,
            "lastTransitionTime": since,
        }
        for type_, status, reason, message in _CONDITIONS
    ]
    types = {each["type"] for each in conditions}
    others = [each.to_wire() for each in node.status.conditions if each.type not in types]
    addresses = (node.status.model_extra or {}).get("addresses")
    return {
        "conditions": [*conditions, *others],
        "addresses": addresses or [{"type": "InternalIP", "address": NODE_ADDRESS}],
    }


# --- Pods ------------------------------------------------------------------------------------------------------------


def running(pod: Pod, host_ip: str, pod_ip: str, now: datetime) -> Wire:
    """The status of a pod that runs (pod-ready)."""
    at = _time(now)
    gates: Sequence[Mapping[str, str]] = (pod.spec.model_extra or {}).get("readinessGates") or ()
    types = ["Initialized", "Ready", "ContainersReady", *(each["conditionType"] for each in gates)]
    conditions = [{"type": each, "status": "True", "lastTransitionTime": at} for each in types]
    others = [each.to_wire() for each in pod.status.conditions if each.type not in types]
    status = {
        "conditions": [*conditions, *others],
        "containerStatuses": [{**_ready(each), "state": _running(at)} for each in pod.spec.containers],
        "hostIP": host_ip,
        "podIP": pod_ip,
        "podIPs": [{"ip": pod_ip}],
        "phase": "Running",
        "startTime": at,
    }
    if pod.spec.init_containers:
        status["initContainerStatuses"] = [
            {**_ready(each), "started": True, "state": _running(at)}
            if each.is_sidecar
            else {**_ready(each), "state": _terminated(at)}
            for each in pod.spec.init_containers
        ]
    return status


def completed(pod: Pod, now: datetime) -> Wire:
    """The status of a pod of a Job, which ends well as soon as it runs (pod-complete)."""
    at = _time(now)
    ended = {"ready": False, "started": False, "state": _terminated(at)}
    return {
        "containerStatuses": [{**_ready(each), **ended} for each in pod.spec.containers],
        "phase": "Succeeded",
    }


def _ready(container: Container) -> Wire:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "lastState": {},
        "ready": True,
        "restartCount": 0,
    }


def _running(at: str) -> Wire:
    return {"running": {"startedAt": at}}


def _terminated(at: str) -> Wire:
    return {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at}}


def _time(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
