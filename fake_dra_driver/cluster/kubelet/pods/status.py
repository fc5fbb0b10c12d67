"""The status of a pod, from its spec and what the runtime has of it. Pure.

Follows convertToAPIContainerStatuses and getPhase of k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go, and
pkg/kubelet/status/generate.go for the conditions. Reasons and messages are those of a real kubelet, which people search
for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fake_dra_driver.cluster.kinds import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from fake_dra_driver.cluster.kubelet.containerruntime.container import Container as RunningContainer
from fake_dra_driver.cluster.kubelet.pod import Container, Pod
from fake_dra_driver.cluster.kubelet.pods.plan import Observation, Outcome, will_restart
from fake_dra_driver.cluster.releases import Release

__all__ = ["RUNTIME_NAME", "Draft", "PodView", "container_id", "pod_status", "rejected_status"]

RUNTIME_NAME = "process"
"""What a real node calls ``containerd``, in container IDs and in the node's ``containerRuntimeVersion``."""


@dataclass(frozen=True, slots=True)
class PodView:
    """All that a status is made from, in addition to the pod."""

    observed: Observation
    waiting: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By container name, why it does not run: reason and message."""
    ready: frozenset[str] = frozenset()
    """IDs of the running containers that are ready."""
    restarts: Mapping[str, int] = field(default_factory=dict)
    """By container name, how often it was restarted."""
    resources: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By container name, the health of its devices, as in ``allocatedResourcesStatus``."""
    is_initialized: bool = True
    started_at: datetime | None = None
    """When the kubelet first saw the pod."""
    outcome: Outcome | None = None
    """How the pod has ended, once nothing of it runs and its claims are unprepared."""
    is_ending: bool = False
    """Whether no container is restarted."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A status that is to be written."""

    fields: Mapping[str, Any]
    """As on the wire, without conditions. None: the field is removed."""
    conditions: Sequence[tuple[str, bool, str, str]]
    """Type, status, reason and message."""
    at: datetime
    is_final: bool = False
    """Whether nothing of the pod is left on the node, so that it may be removed from the API."""


def container_id(container: RunningContainer) -> str:
    """The ID as a status has it."""
    return f"{RUNTIME_NAME}://{container.id}"


def pod_status(pod: Pod, view: PodView, *, address: str, release: Release, now: datetime) -> Draft:
    """The status that a pod should have.

    Args:
        pod: the pod; its own status counts for what was written earlier and is no longer known otherwise.
        view: what there is.
        address: IP of node and pod.
        release: that of the kubelet: later ones have more fields.
        now: the time.
    """
    init = [_container_status(pod, spec, view, is_init=True) for spec in pod.spec.init_containers]
    main = [_container_status(pod, spec, view, is_init=False) for spec in pod.spec.containers]
    phase = view.outcome.phase if view.outcome is not None else _phase(pod, main)
    has_address = view.observed.sandbox is not None and phase not in ("Succeeded", "Failed")
    address_of_pod = address if has_address else pod.status.pod_ip
    fields: dict[str, Any] = {
        "phase": phase,
        "reason": (view.outcome.reason if view.outcome is not None else "") or None,
        "message": (view.outcome.message if view.outcome is not None else "") or None,
        "hostIP": address,
        "podIP": address_of_pod or None,
        "podIPs": [{"ip": address_of_pod}] if address_of_pod else None,
        "startTime": _time(view.started_at or pod.status.start_time or now),
        "containerStatuses": [_with_resources(status, view) for status in main],
        "initContainerStatuses": [status.to_wire() for status in init] or None,
    }
    if release.is_enabled("PodHostIPs"):
        fields["hostIPs"] = [{"ip": address}]
    conditions = _conditions(pod, view, phase, init, main, release)
    return Draft(fields, conditions, now, is_final=view.outcome is not None)


def rejected_status(reason: str, message: str, now: datetime) -> Draft:
    """The status of a pod that the kubelet has not taken (rejectPod)."""
    said = {"reason": reason, "message": f"Pod was rejected: {message}"}
    return Draft({"phase": "Failed", **said, "startTime": _time(now)}, (), now, is_final=True)


# --- Containers ------------------------------------------------------------------------------------------------------


def _container_status(pod: Pod, spec: Container, view: PodView, *, is_init: bool) -> ContainerStatus:
    history = view.observed.containers.get(spec.name, ())
    latest = history[-1] if history else None
    previous = history[-2] if len(history) > 1 else None
    state, last_state = ContainerState(), ContainerState()
    if previous is not None and previous.state == "exited":
        last_state = ContainerState(terminated=_terminated(previous))
    if latest is None or latest.state == "created":
        default = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
        state = ContainerState(waiting=_waiting(*view.waiting.get(spec.name, (default, ""))))
    elif latest.state == "running":
        state = ContainerState(running=ContainerStateRunning(started_at=_second(latest.started_at)))
    else:
        ended = ContainerState(terminated=_terminated(latest))
        is_waiting = spec.name in view.waiting and not view.is_ending and will_restart(pod, spec, latest)
        if is_waiting:
            state, last_state = ContainerState(waiting=_waiting(*view.waiting[spec.name])), ended
        else:
            state = ended
    is_running = latest is not None and latest.state == "running"
    is_started = is_running and latest is not None and latest.id in view.observed.started
    if is_init and not spec.is_sidecar:
        ready = latest is not None and latest.state == "exited" and latest.exit_code == 0
    else:
        ready = is_started and latest is not None and latest.id in view.ready
    return ContainerStatus(
        name=spec.name,
        state=state,
        last_state=last_state,
        ready=ready,
        restart_count=view.restarts.get(spec.name, 0),
        image=spec.image,
        image_id="",
        container_id=container_id(latest) if latest is not None else "",
        started=is_started,
    )


def _with_resources(status: ContainerStatus, view: PodView) -> Mapping[str, Any]:
    resources = view.resources.get(status.name)
    return {**status.to_wire(), **({"allocatedResourcesStatus": list(resources)} if resources else {})}


def _waiting(reason: str, message: str) -> ContainerStateWaiting:
    return ContainerStateWaiting(reason=reason, message=message) if message else ContainerStateWaiting(reason=reason)


def _terminated(container: RunningContainer) -> ContainerStateTerminated:
    found: dict[str, Any] = {
        "exit_code": container.exit_code,
        "reason": container.reason,
        "started_at": _second(container.started_at),
        "finished_at": _second(container.finished_at),
        "container_id": container_id(container),
    }
    if container.signal:
        found["signal"] = container.signal
    if container.message:
        found["message"] = container.message
    return ContainerStateTerminated(**found)


# --- Phase -----------------------------------------------------------------------------------------------------------


def _phase(pod: Pod, main: Sequence[ContainerStatus]) -> str:
    """The phase of a pod whose outcome is not known. Once it was Running, it does not go back to Pending."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return pod.status.phase
    if any(status.state.running is not None for status in main):
        return "Running"
    has_run = any(status.state.terminated or status.last_state.terminated for status in main)
    is_waiting = any(status.state.waiting and not status.last_state.terminated for status in main)
    if has_run and not is_waiting:
        return "Running"
    return "Pending"


# --- Conditions ------------------------------------------------------------------------------------------------------


def _conditions(
    pod: Pod,
    view: PodView,
    phase: str,
    init: Sequence[ContainerStatus],
    main: Sequence[ContainerStatus],
    release: Release,
) -> Sequence[tuple[str, bool, str, str]]:
    containers_ready = _all_ready("ContainersReady", phase, [*_sidecars(pod, init), *main])
    ready = ("Ready", *containers_ready[1:])
    missing_gates = [
        gate["conditionType"]
        for gate in pod.spec.readiness_gates
        if (found := pod.condition(gate["conditionType"])) is None or found.status != "True"
    ]
    if ready[1] and missing_gates:
        said = "; ".join(
            f'corresponding condition of pod readiness gate "{gate}" is not True' for gate in missing_gates
        )
        ready = ("Ready", False, "ReadinessGatesNotReady", said)
    has_network = view.observed.sandbox is not None and phase not in ("Succeeded", "Failed")
    network = [("PodReadyToStartContainers", has_network, "", "")]
    first = network if release.is_enabled("PodReadyToStartContainersCondition") else []
    scheduled = pod.condition("PodScheduled")
    last = [("PodScheduled", True, "", "")] if scheduled is None or scheduled.status != "True" else []
    return [*first, _initialized(view, phase, init), ready, containers_ready, *last]


def _initialized(view: PodView, phase: str, init: Sequence[ContainerStatus]) -> tuple[str, bool, str, str]:
    if phase == "Succeeded":
        return "Initialized", True, "PodCompleted", ""
    if view.is_initialized:
        return "Initialized", True, "", ""
    incomplete = [status.name for status in init if not status.ready]
    return (
        "Initialized",
        False,
        "ContainersNotInitialized",
        f"containers with incomplete status: [{' '.join(incomplete)}]",
    )


def _all_ready(type_: str, phase: str, statuses: Sequence[ContainerStatus]) -> tuple[str, bool, str, str]:
    if phase == "Succeeded":
        return type_, False, "PodCompleted", ""
    if phase == "Failed":
        return type_, False, "PodFailed", ""
    unready = [status.name for status in statuses if not status.ready]
    if unready:
        return type_, False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return type_, True, "", ""


def _sidecars(pod: Pod, init: Sequence[ContainerStatus]) -> Sequence[ContainerStatus]:
    names = {spec.name for spec in pod.spec.init_containers if spec.is_sidecar}
    return [status for status in init if status.name in names]


# --- Time ------------------------------------------------------------------------------------------------------------


def _second(at: datetime | None) -> datetime | None:
    """metav1.Time has whole seconds."""
    return at.replace(microsecond=0) if at is not None else None


def _time(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
