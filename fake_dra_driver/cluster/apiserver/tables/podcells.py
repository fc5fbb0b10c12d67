"""What ``kubectl get`` shows of pods and nodes.

Follows printPod and printNode of k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.tables.humanduration import age

__all__ = ["node_cells", "node_with_architecture", "pod_cells"]

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def pod_cells(obj: Object, now: datetime, *, ended_stay_ended: bool = False) -> list[Any]:
    """One row of pods; ``ended_stay_ended``: whether those that have ended are never shown as ending."""
    spec, status = obj["spec"], obj.get("status") or {}
    state = _state(obj, ended_stay_ended=ended_stay_ended)
    addresses = [each.get("ip", "") for each in status.get("podIPs") or ()]
    restarts = str(state.restarts)
    if state.restarts and state.last_restart:
        restarts += f" ({age(state.last_restart, now)} ago)"
    return [
        obj["metadata"]["name"],
        f"{state.ready}/{len(spec.get('containers') or ()) + len(_sidecars(spec))}",
        state.reason,
        restarts,
        age(obj["metadata"].get("creationTimestamp"), now),
        (addresses or [status.get("podIP")])[0] or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _readiness_gates(spec, status),
    ]


@dataclass(slots=True)
class _State:
    """Collects what the containers of a pod add up to."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""

    def count(self, statuses: Iterable[Mapping[str, Any]]) -> None:
        """Adds the restarts of these containers."""
        for each in statuses:
            self.restarts += int(each.get("restartCount", 0))
            ended = (each.get("lastState") or {}).get("terminated") or {}
            self.last_restart = max(self.last_restart, ended.get("finishedAt") or "")


def _state(obj: Object, *, ended_stay_ended: bool) -> _State:
    """The columns READY, STATUS and RESTARTS: why a container does not run says more than the phase."""
    status = obj.get("status") or {}
    conditions = status.get("conditions") or []
    state = _State(status.get("reason") or status.get("phase") or "Unknown")
    if any(each.get("type") == "PodScheduled" and each.get("reason") == "SchedulingGated" for each in conditions):
        state.reason = "SchedulingGated"
    is_initializing = _init_state(state, obj["spec"], status)
    if not is_initializing or _holds(conditions, "Initialized"):
        _main_state(state, obj["spec"], status)
    has_ended = ended_stay_ended and status.get("phase") in ("Failed", "Succeeded")
    if obj["metadata"].get("deletionTimestamp") and status.get("reason") == "NodeLost":
        state.reason = "Unknown"
    elif obj["metadata"].get("deletionTimestamp") and not has_ended:
        state.reason = "Terminating"
    return state


def _init_state(state: _State, spec: Object, status: Object) -> bool:
    """Finds the init container that the pod waits for. Returns whether there is one."""
    statuses, sidecars = status.get("initContainerStatuses") or [], _sidecars(spec)
    for at, each in enumerate(statuses):
        now = each.get("state") or {}
        ended, waiting = now.get("terminated"), (now.get("waiting") or {}).get("reason", "")
        if ended is not None and not ended.get("exitCode", 0):
            continue
        if each["name"] in sidecars and each.get("started"):
            state.ready += bool(each.get("ready"))
            continue
        if ended is not None:
            state.reason = f"Init:{_end(ended)}"
        elif waiting and waiting != "PodInitializing":
            state.reason = f"Init:{waiting}"
        else:
            state.reason = f"Init:{at}/{len(spec.get('initContainers') or ())}"
        state.count(statuses[: at + 1])
        return True
    return False


def _main_state(state: _State, spec: Object, status: Object) -> None:
    """The state of the containers once the init containers have ended; of those only sidecars count."""
    sidecars = _sidecars(spec)
    statuses = status.get("containerStatuses") or []
    state.restarts, state.last_restart = 0, ""
    state.count(each for each in status.get("initContainerStatuses") or () if each["name"] in sidecars)
    state.count(statuses)
    is_running = False
    for each in reversed(statuses):
        now = each.get("state") or {}
        waiting, ended = (now.get("waiting") or {}).get("reason"), now.get("terminated")
        if waiting:
            state.reason = waiting
        elif ended is not None:
            state.reason = _end(ended)
        elif each.get("ready") and now.get("running") is not None:
            is_running = True
            state.ready += 1
    if state.reason == "Completed" and is_running:
        state.reason = "Running" if _holds(status.get("conditions") or (), "Ready") else "NotReady"


def _end(terminated: Mapping[str, Any]) -> str:
    signal, code = terminated.get("signal"), terminated.get("exitCode", 0)
    return str(terminated.get("reason") or (f"Signal:{signal}" if signal else f"ExitCode:{code}"))


def _sidecars(spec: Object) -> frozenset[str]:
    """Init containers that run as long as the pod does."""
    return frozenset(each["name"] for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")


def _holds(conditions: Iterable[Mapping[str, Any]], type_: str) -> bool:
    return any(each.get("type") == type_ and each.get("status") == "True" for each in conditions)


def _readiness_gates(spec: Object, status: Object) -> str:
    gates = [each.get("conditionType", "") for each in spec.get("readinessGates") or ()]
    holding = sum(_holds(status.get("conditions") or (), gate) for gate in gates)
    return f"{holding}/{len(gates)}" if gates else "<none>"


def node_cells(obj: Object, now: datetime) -> list[Any]:
    """One row of nodes."""
    status = obj.get("status") or {}
    ready = next((each for each in status.get("conditions") or () if each.get("type") == "Ready"), None)
    states = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if obj["spec"].get("unschedulable"):
        states.append("SchedulingDisabled")
    labels = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    roles.update(filter(None, [labels.get(_ROLE_LABEL)]))
    info = status.get("nodeInfo") or {}
    return [
        obj["metadata"]["name"],
        ",".join(states),
        ",".join(sorted(roles)) or "<none>",
        age(obj["metadata"].get("creationTimestamp"), now),
        info.get("kubeletVersion", ""),
        _address(status.get("addresses") or (), "InternalIP"),
        _address(status.get("addresses") or (), "ExternalIP"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def node_with_architecture(obj: Object, now: datetime) -> list[Any]:
    """The same, with the architecture behind the kernel."""
    cells = node_cells(obj, now)
    architecture = ((obj.get("status") or {}).get("nodeInfo") or {}).get("architecture")
    return [*cells[:-2], f"{cells[-2]} ({architecture})" if architecture else cells[-2], cells[-1]]


def _address(addresses: Sequence[Mapping[str, Any]], type_: str) -> str:
    return next((str(each["address"]) for each in addresses if each["type"] == type_), "<none>")
