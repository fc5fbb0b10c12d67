"""The status of a Deployment: what ``kubectl rollout status`` and ``kubectl wait`` read.

Follows k8s.io/kubernetes/pkg/controller/deployment (sync.go calculateStatus, progress.go syncRolloutStatus).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from fake_dra_driver.cluster.conditions import with_condition
from fake_dra_driver.cluster.controllers.podcontrol import counted
from fake_dra_driver.cluster.controllers.rollout import max_unavailable
from fake_dra_driver.cluster.kinds import Condition
from fake_dra_driver.cluster.workloadkinds import Deployment, DeploymentStatus, ReplicaSet

__all__ = ["deployment_status", "rollout_deadline"]

_DONE: Final = "NewReplicaSetAvailable"
_TIMED_OUT: Final = "ProgressDeadlineExceeded"
_PAUSED: Final = "DeploymentPaused"


def deployment_status(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime, *, created: bool
) -> DeploymentStatus:
    """The status of a Deployment.

    Args:
        deployment: with the status as it was.
        sets: all of its ReplicaSets.
        new: the one of its current template.
        now: the wall clock.
        created: whether ``new`` was created just now.
    """
    total = sum(each.status.replicas for each in sets)
    available = sum(each.status.available_replicas for each in sets)
    counts = {
        "replicas": total,
        "updated_replicas": new.status.replicas if new is not None else 0,
        "ready_replicas": sum(each.status.ready_replicas for each in sets),
        "available_replicas": available,
        "unavailable_replicas": max(total - available, 0),
    }
    status = counted(deployment.status, counts)
    conditions = with_condition(status.conditions, _availability(deployment, available, now), now)
    progress = _progress(deployment, status, new, now, created=created)
    if progress is not None:
        conditions = with_condition(conditions, progress, now)
    return status.model_copy(update={"conditions": conditions})


def _availability(deployment: Deployment, available: int, now: datetime) -> Condition:
    if available >= deployment.spec.replicas - max_unavailable(deployment):
        wanted = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        wanted = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    return _kept(_condition(deployment, "Available"), now, "Available", *wanted)


def _progress(
    deployment: Deployment, status: DeploymentStatus, new: ReplicaSet | None, now: datetime, *, created: bool
) -> Condition | None:
    """The condition Progressing, with a new date for each step; None: as it was."""
    before = _condition(deployment, "Progressing")
    name = new.metadata.name if new is not None else deployment.metadata.name
    if deployment.spec.paused:
        return _kept(before, now, "Progressing", "Unknown", _PAUSED, "Deployment is paused")
    if before is not None and before.reason == _PAUSED:
        return _dated(now, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    if created:
        return _dated(now, "Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
    if before is not None and before.reason == _DONE and status.replicas == status.updated_replicas:
        return None
    if _is_complete(deployment, status):
        return _dated(now, "Progressing", "True", _DONE, f'ReplicaSet "{name}" has successfully progressed.')
    if _has_moved(deployment.status, status):
        return _dated(now, "Progressing", "True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    if before is not None and before.reason != _TIMED_OUT and _seconds_left(deployment, before, now) <= 0:
        return _dated(now, "Progressing", "False", _TIMED_OUT, f'ReplicaSet "{name}" has timed out progressing.')
    return None


def _is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    wanted = deployment.spec.replicas
    return status.updated_replicas == status.replicas == status.available_replicas == wanted


def _has_moved(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    return (
        after.updated_replicas > before.updated_replicas
        or after.replicas - after.updated_replicas < before.replicas - before.updated_replicas
        or after.ready_replicas > before.ready_replicas
        or after.available_replicas > before.available_replicas
    )


def rollout_deadline(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """Seconds until a rollout without progress counts as failed; None: there is none under way."""
    progress = next((each for each in status.conditions if each.type == "Progressing"), None)
    if progress is None or progress.reason in (_DONE, _TIMED_OUT, _PAUSED):
        return None
    return max(_seconds_left(deployment, progress, now), 0.0) + 1.0


def _seconds_left(deployment: Deployment, progress: Condition, now: datetime) -> float:
    since = progress.last_update_time or progress.last_transition_time or now
    return (since + timedelta(seconds=deployment.spec.progress_deadline_seconds) - now).total_seconds()


def _condition(deployment: Deployment, type_: str) -> Condition | None:
    return next((each for each in deployment.status.conditions if each.type == type_), None)


def _dated(now: datetime, type_: str, status: str, reason: str, message: str) -> Condition:
    at = now.replace(microsecond=0)
    return Condition(type=type_, status=status, reason=reason, message=message, last_update_time=at)


def _kept(before: Condition | None, now: datetime, type_: str, status: str, reason: str, message: str) -> Condition:
    """The condition, with its old dates where it says the same as before."""
    if before is not None and (before.status, before.reason) == (status, reason):
        return before
    return _dated(now, type_, status, reason, message)
