"""How the status of a Job changes: conditions, and the counts of pods that have ended.

Pure. Follows k8s.io/kubernetes/pkg/controller/job (trackJobStatusAndRemoveFinalizers). A pod is counted in three steps,
so that it is counted once, whatever happens in between: its UID is put among the uncounted ones, its finalizer is
removed, and then the count is raised and the UID removed.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.jobkinds import JobCondition, JobStatus, UncountedTerminatedPods

__all__ = [
    "FAILURE",
    "SUCCESS",
    "changed",
    "condition",
    "ending",
    "final_condition",
    "settled",
    "with_condition",
    "with_uncounted",
]

SUCCESS: Final = "SuccessCriteriaMet"
"""Condition of a Job that is going to be complete."""
FAILURE: Final = "FailureTarget"
"""Condition of a Job that is going to be failed."""
_OMITTED_AT_ZERO: Final = frozenset({"active", "succeeded", "failed", "completed_indexes"})
_FINAL: Final = {SUCCESS: "Complete", FAILURE: "Failed"}


def changed(status: JobStatus, **changes: Any) -> JobStatus:
    """The status with these fields. Those that Go leaves out when they are zero, are left out."""
    known = {name: getattr(status, name) for name in status.model_fields_set & set(type(status).model_fields)}
    fields = {
        name: value
        for name, value in {**known, **changes}.items()
        if value is not None and (value or name not in _OMITTED_AT_ZERO)
    }
    return JobStatus(**fields, **(status.model_extra or {}))


# --- conditions ---


def condition(type_: str, reason: str, message: str, now: datetime, *, status: str = "True") -> JobCondition:
    """A condition that begins to hold."""
    at = now.replace(microsecond=0)
    texts: Mapping[str, str] = {name: text for name, text in (("reason", reason), ("message", message)) if text}
    return JobCondition(type=type_, status=status, last_probe_time=at, last_transition_time=at, **texts)


def ending(status: JobStatus) -> JobCondition | None:
    """How the Job is going to end; None: it is not, as far as its status says."""
    return next((each for each in status.conditions if each.type in _FINAL and each.status == "True"), None)


def final_condition(going_to: JobCondition, now: datetime, *, has_reason: bool) -> JobCondition:
    """What the Job is in the end.

    Args:
        going_to: how it is going to end.
        now: the present.
        has_reason: whether a complete Job says why it is.
    """
    reason, message = going_to.reason, going_to.message
    if going_to.type == SUCCESS and not has_reason:
        reason = message = ""
    return condition(_FINAL[going_to.type], reason, message, now)


def with_condition(status: JobStatus, wanted: JobCondition) -> JobStatus:
    """The status with the condition in the place of the one of its type, or at the end. The same if nothing changes.

    A condition that does not hold is not added where there is none.
    """
    before = next((each for each in status.conditions if each.type == wanted.type), None)
    if before is None and wanted.status == "False":
        return status
    if before is not None and (before.status, before.reason, before.message) == (
        wanted.status,
        wanted.reason,
        wanted.message,
    ):
        return status
    conditions = {each.type: each for each in status.conditions} | {wanted.type: wanted}
    return changed(status, conditions=tuple(conditions.values()))


# --- counts ---


def with_uncounted(status: JobStatus, succeeded: Collection[UID], failed: Collection[UID]) -> JobStatus:
    """The status with these pods among those that are not counted yet."""
    uncounted = status.uncounted_terminated_pods or UncountedTerminatedPods()
    return changed(
        status,
        uncounted_terminated_pods=_uncounted(
            (*uncounted.succeeded, *(uid for uid in succeeded if uid not in uncounted.succeeded)),
            (*uncounted.failed, *(uid for uid in failed if uid not in uncounted.failed)),
        ),
    )


def settled(status: JobStatus, tracked: Collection[UID]) -> JobStatus:
    """The status in which the uncounted pods are counted whose finalizer is gone.

    Args:
        status: as it was.
        tracked: the pods that still have the finalizer.
    """
    uncounted = status.uncounted_terminated_pods or UncountedTerminatedPods()
    left = _uncounted(
        tuple(uid for uid in uncounted.succeeded if uid in tracked),
        tuple(uid for uid in uncounted.failed if uid in tracked),
    )
    return changed(
        status,
        succeeded=status.succeeded + len(uncounted.succeeded) - len(left.succeeded),
        failed=status.failed + len(uncounted.failed) - len(left.failed),
        uncounted_terminated_pods=left,
    )


def _uncounted(succeeded: tuple[UID, ...], failed: tuple[UID, ...]) -> UncountedTerminatedPods:
    lists = {name: uids for name, uids in (("succeeded", succeeded), ("failed", failed)) if uids}
    return UncountedTerminatedPods(**lists)
