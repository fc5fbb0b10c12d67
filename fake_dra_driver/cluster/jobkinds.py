"""The kinds Job and CronJob, as the controllers of the cluster read and write them.

As in ``kinds``, with the fields that the controllers need; all others are kept and written back.
"""

from pydantic import Field

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID, ApiModel, KubeObject, ResourceKind, Time
from fake_dra_driver.cluster.kinds import TemplateMetadata
from fake_dra_driver.cluster.workloadkinds import PodTemplateSpec

__all__ = [
    "CronJob",
    "CronJobSpec",
    "CronJobStatus",
    "Job",
    "JobCondition",
    "JobSpec",
    "JobStatus",
    "JobTemplateSpec",
    "UncountedTerminatedPods",
]


class JobSpec(ApiModel):
    """batch/v1 JobSpec."""

    parallelism: int = 1
    completions: int | None = None
    """None: the Job is complete when any of its pods has succeeded, and the others have ended."""
    active_deadline_seconds: int | None = None
    backoff_limit: int = 6
    """How many pods may fail, or (with the restart policy OnFailure) how often containers may be restarted."""
    completion_mode: str = "NonIndexed"
    suspend: bool = False
    ttl_seconds_after_finished: int | None = None
    pod_replacement_policy: str = "TerminatingOrFailed"
    """``Failed``: a pod is replaced once it has ended, not as soon as it is being deleted."""
    managed_by: str | None = None
    template: PodTemplateSpec = Field(default_factory=PodTemplateSpec)


class JobCondition(ApiModel):
    """batch/v1 JobCondition."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None


class UncountedTerminatedPods(ApiModel):
    """Pods that have ended, still have the finalizer of their Job, and are not in its counts yet."""

    succeeded: tuple[UID, ...] = ()
    failed: tuple[UID, ...] = ()


class JobStatus(ApiModel):
    """batch/v1 JobStatus."""

    conditions: tuple[JobCondition, ...] = ()
    start_time: Time | None = None
    completion_time: Time | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int | None = None
    ready: int | None = None
    completed_indexes: str = ""
    uncounted_terminated_pods: UncountedTerminatedPods | None = None


class Job(KubeObject):
    """batch/v1 Job."""

    resource = ResourceKind("batch", "v1", "Job", "jobs")

    spec: JobSpec = Field(default_factory=JobSpec)
    status: JobStatus = Field(default_factory=JobStatus)

    def condition(self, type_: str) -> JobCondition | None:
        """The condition of that type, if it holds."""
        return next((each for each in self.status.conditions if each.type == type_ and each.status == "True"), None)

    @property
    def finished(self) -> JobCondition | None:
        """How the Job has ended; None: it has not."""
        return self.condition("Complete") or self.condition("Failed")


class JobTemplateSpec(ApiModel):
    """batch/v1 JobTemplateSpec."""

    metadata: TemplateMetadata = Field(default_factory=TemplateMetadata)
    spec: JobSpec = Field(default_factory=JobSpec)


class CronJobSpec(ApiModel):
    """batch/v1 CronJobSpec."""

    schedule: str = ""
    time_zone: str | None = None
    """None: that of the controller, which is UTC here."""
    starting_deadline_seconds: int | None = None
    """How late a Job may start; None: as late as it has to."""
    concurrency_policy: str = "Allow"
    suspend: bool = False
    job_template: JobTemplateSpec = Field(default_factory=JobTemplateSpec)
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None


class CronJobStatus(ApiModel):
    """batch/v1 CronJobStatus."""

    active: tuple[ObjectReference, ...] = ()
    """Jobs that have not ended."""
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(KubeObject):
    """batch/v1 CronJob."""

    resource = ResourceKind("batch", "v1", "CronJob", "cronjobs")

    spec: CronJobSpec = Field(default_factory=CronJobSpec)
    status: CronJobStatus = Field(default_factory=CronJobStatus)
