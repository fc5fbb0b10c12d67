"""The pods of a Job: which of them count as what, which are missing, and which are too many.

Pure. Follows k8s.io/kubernetes/pkg/controller/job (job_controller.go, indexed_job_utils.go, backoff_utils.go), except
that pauses after failures are computed from the pods that are there, and not from what was seen of them before.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.cluster.controllers.podcontrol import deletion_rank
from fake_dra_driver.cluster.jobkinds import Job
from fake_dra_driver.cluster.kinds import Container, EnvVar, Pod, PodSpec

__all__ = [
    "TRACKING_FINALIZER",
    "completion_index",
    "has_too_many_restarts",
    "is_failed",
    "is_indexed",
    "is_terminating",
    "is_tracked",
    "missing_indexes",
    "pause_seconds",
    "pod_metadata",
    "pod_spec",
    "read_indexes",
    "surplus",
    "write_indexes",
]

TRACKING_FINALIZER: Final = "batch.kubernetes.io/job-tracking"
"""On each pod until it is counted: a pod that is deleted before would be missed."""
_INDEX: Final = "batch.kubernetes.io/job-completion-index"
_INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
_FIRST_PAUSE_SECONDS: Final = 10.0
"""DefaultJobPodFailureBackOff."""
_LONGEST_PAUSE_SECONDS: Final = 600.0
"""MaxJobPodFailureBackOff."""
_INTERVAL: Final = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?")
_LONGEST_PREFIX: Final = 58
"""MaxGeneratedNameLength."""


def is_tracked(pod: Pod) -> bool:
    """Whether the pod is not counted yet."""
    return TRACKING_FINALIZER in pod.metadata.finalizers


def is_terminating(pod: Pod) -> bool:
    """Whether the pod is being deleted and has not ended yet."""
    return pod.is_deleting and not pod.is_finished


def is_failed(pod: Pod, job: Job) -> bool:
    """Whether the pod counts as failed: so does one that is being deleted, unless its end is to be waited for."""
    if pod.status.phase == "Failed":
        return True
    return job.spec.pod_replacement_policy != "Failed" and is_terminating(pod)


def has_too_many_restarts(job: Job, pods: Iterable[Pod]) -> bool:
    """Whether the containers of a Job with the restart policy OnFailure were restarted too often."""
    if job.spec.template.spec.restart_policy != "OnFailure":
        return False
    restarts = sum(
        status.restart_count
        for pod in pods
        if pod.status.phase in ("Running", "Pending")
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    )
    return restarts >= max(job.spec.backoff_limit, 1)


# --- pauses ---


def pause_seconds(pods: Sequence[Pod], job: Job, now: datetime) -> float:
    """How long to wait before failed pods are replaced: the longer, the more have failed since one succeeded."""
    succeeded = [_ended_at(pod, now) for pod in pods if pod.status.phase == "Succeeded"]
    failed = [_ended_at(pod, now) for pod in pods if is_failed(pod, job)]
    since = max(succeeded, default=None)
    recent = [at for at in failed if since is None or at > since]
    if not recent:
        return 0.0
    pause = _FIRST_PAUSE_SECONDS
    for _ in recent[1:]:
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return max(pause - (now - max(recent)).total_seconds(), 0.0)


def _ended_at(pod: Pod, now: datetime) -> datetime:
    """When the last container of a pod has ended, or what comes closest to it."""
    ends = [each.state.terminated.finished_at for each in pod.status.container_statuses if each.state.terminated]
    if ends and len(ends) == len(pod.status.container_statuses) and None not in ends:
        return max(at for at in ends if at is not None)
    ready = pod.condition("Ready")
    if ready is not None and ready.status == "False" and ready.last_transition_time is not None:
        return ready.last_transition_time
    return pod.metadata.deletion_timestamp or pod.metadata.creation_timestamp or now


# --- too many ---


def surplus(job: Job, active: Sequence[Pod], wanted: int) -> Sequence[Pod]:
    """Which of the active pods have to go: those whose index another has or is none of the Job's, then the surplus."""
    going: list[Pod] = []
    staying = sorted(active, key=deletion_rank)
    if is_indexed(job):
        # Of several pods with one index, the last in this order has come furthest.
        by_index = {completion_index(pod, job): pod for pod in staying}
        kept = {pod.uid for index, pod in by_index.items() if index is not None}
        going = [pod for pod in staying if pod.uid not in kept]
        staying = [pod for pod in staying if pod.uid in kept]
    at_least = len(active) - wanted
    return [*going, *staying[: max(at_least - len(going), 0)]]


# --- indexes ---


def is_indexed(job: Job) -> bool:
    """Whether each pod of the Job has a number."""
    return job.spec.completion_mode == "Indexed"


def completion_index(pod: Pod, job: Job) -> int | None:
    """The number of a pod; None: it has none that the Job knows."""
    text = pod.metadata.annotations.get(_INDEX, "")
    index = int(text) if text.isascii() and text.isdecimal() else -1
    return index if 0 <= index < (job.spec.completions or 0) else None


def missing_indexes(job: Job, completed: set[int], pods: Iterable[Pod], count: int) -> Sequence[int]:
    """The lowest numbers, at most ``count``, that no pod has succeeded with and no pod has now."""
    taken = completed | {index for pod in pods if (index := completion_index(pod, job)) is not None}
    free = (index for index in range(job.spec.completions or 0) if index not in taken)
    return [index for index, _ in zip(free, range(count), strict=False)]


def read_indexes(text: str, completions: int) -> set[int]:
    """The indexes in ``status.completedIndexes``, such as ``0,2-4``, of a Job that has so many.

    Anyone who may write the status may write anything there: what is no number, or no index of the Job, is passed over.
    """
    found: set[int] = set()
    for part in text.split(","):
        interval = _INTERVAL.fullmatch(part.strip())
        if interval is not None:
            first, last = int(interval[1]), int(interval[2] or interval[1])
            found.update(range(first, min(last, completions - 1) + 1))
    return found


def write_indexes(indexes: Iterable[int]) -> str:
    """The opposite of ``read_indexes``: three numbers in a row and more become a range."""
    ranges: list[list[int]] = []
    for index in sorted(indexes):
        if ranges and ranges[-1][-1] == index - 1:
            ranges[-1].append(index)
        else:
            ranges.append([index])
    return ",".join(
        f"{each[0]}-{each[-1]}" if len(each) > 2 else ",".join(str(index) for index in each) for each in ranges
    )


def pod_metadata(job: Job, index: int | None) -> ObjectMeta:
    """What a new pod has beside what the template says."""
    if index is None:
        return ObjectMeta(finalizers=(TRACKING_FINALIZER,))
    numbered, suffix = {_INDEX: str(index)}, f"-{index}-"
    name = job.metadata.name[: _LONGEST_PREFIX - len(suffix)]
    return ObjectMeta(
        generate_name=name + suffix, labels=numbered, annotations=numbered, finalizers=(TRACKING_FINALIZER,)
    )


def pod_spec(job: Job, index: int | None) -> PodSpec:
    """The spec of a new pod: one with a number finds it in its environment and in its name."""
    spec = job.spec.template.spec
    if index is None:
        return spec
    containers = tuple(_numbered(each) for each in spec.containers)
    changes = {"containers": containers, "hostname": f"{job.metadata.name}-{index}"}
    if spec.init_containers:
        changes["init_containers"] = tuple(_numbered(each) for each in spec.init_containers)
    return PodSpec.model_validate({**spec.model_dump(exclude_unset=True), **changes})


def _numbered(container: Container) -> Container:
    if any(each.name == _INDEX_VARIABLE for each in container.env):
        return container
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{_INDEX}']"}}
    return container.model_copy(update={"env": (*container.env, EnvVar(name=_INDEX_VARIABLE, value_from=source))})
