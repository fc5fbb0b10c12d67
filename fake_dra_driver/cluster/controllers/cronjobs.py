"""Starts the Jobs of CronJobs when they are due, and deletes the oldest of those that have ended.

Follows k8s.io/kubernetes/pkg/controller/cronjob (cronjob_controllerv2.go). A Job is named by the minute that it is due
in, so that none is started twice. Schedules without a time zone are in UTC, as in most clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta
from fake_dra_driver.cluster.controllers.mapping import to_controller
from fake_dra_driver.cluster.controllers.podcontrol import BY_CONTROLLER, controller_uid, is_namespace_going
from fake_dra_driver.cluster.cronschedule import Schedule, ScheduleError, parse_schedule, time_zone
from fake_dra_driver.cluster.jobkinds import CronJob, CronJobStatus, Job
from fake_dra_driver.cluster.owners import controlled_by, is_controlled_by
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import AlreadyExistsError, ApiError, NotFoundError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["CronJobReconciler", "cronjob_controller"]

log = logger.bind(component="cronjob-controller")

_DUE_AT: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""Annotation of a Job: when it was due."""
_SLACK_SECONDS: Final = 0.1
"""nextScheduleDelta: after the time, not just before it."""
_MANY: Final = 100
"""So many starts that were missed are worth an Event."""
_WORKERS: Final = 5
"""ConcurrentCronJobSyncs."""


@dataclass(frozen=True, slots=True)
class _Due:
    """The last start that a CronJob has not had."""

    at: datetime | None
    """None: there is none."""
    missed: int = 0
    """How many there were, about."""


class CronJobReconciler(Reconciler):
    """Reconciles one CronJob."""

    def __init__(
        self,
        client: Client,
        cron_jobs: Informer[CronJob],
        jobs: Informer[Job],
        events: EventSink,
        now: WallClock,
    ) -> None:
        self._client = client
        self._cron_jobs = cron_jobs
        self._jobs = jobs
        self._events = events
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        owner = self._cron_jobs.get(request)
        if owner is None:
            return Result()
        status = self._observe(owner)
        again = None
        try:
            if not owner.is_deleting and not owner.spec.suspend:
                status, again = await self._start(owner, status)
        finally:
            if status != owner.status:
                await self._client.update_status(owner.model_copy(update={"status": status}))
        await self._forget_history(owner)
        return Result(requeue_after=again)

    def _owned(self, owner: CronJob) -> Sequence[Job]:
        return self._jobs.by_index(BY_CONTROLLER, owner.uid)

    # --- what has become of its Jobs ---

    def _observe(self, owner: CronJob) -> CronJobStatus:
        """The status with what has become of the Jobs since; says so."""
        jobs = {job.uid: job for job in self._owned(owner)}
        active = []
        for each in owner.status.active:
            job = jobs.get(each.uid)
            if job is None:
                self._events.event(owner, "Normal", "MissingJob", f"Active job went missing: {each.name}")
            elif job.finished is not None:
                text = f"Saw completed job: {each.name}, condition: {job.finished.type}"
                self._events.event(owner, "Normal", "SawCompletedJob", text)
            else:
                active.append(each)
        for uid in jobs.keys() - {each.uid for each in owner.status.active}:
            if jobs[uid].finished is None:
                text = f"Saw a job that the controller did not create or forgot: {jobs[uid].metadata.name}"
                self._events.event(owner, "Warning", "UnexpectedJob", text)
        ends = [job.status.completion_time for job in jobs.values() if job.condition("Complete")]
        known = [each for each in (owner.status.last_successful_time, *ends) if each is not None]
        return _changed(owner.status, active=tuple(active), last_successful_time=max(known, default=None))

    async def _forget_history(self, owner: CronJob) -> None:
        """Deletes the oldest Jobs that have ended. Raises what the client's calls raise."""
        for type_, limit in (
            ("Complete", owner.spec.successful_jobs_history_limit),
            ("Failed", owner.spec.failed_jobs_history_limit),
        ):
            ended = [job for job in self._owned(owner) if job.condition(type_) and not job.is_deleting]
            surplus = len(ended) - (len(ended) if limit is None else limit)
            for job in sorted(ended, key=_by_start)[: max(surplus, 0)]:
                await self._delete(owner, job)

    async def _delete(self, owner: CronJob, job: Job) -> None:
        try:
            await self._client.delete(Job, job.key, uid=job.uid, propagation_policy="Background")
        except NotFoundError:
            return
        except ApiError as error:
            self._events.event(owner, "Warning", "FailedDelete", f"Deleted job: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulDelete", f"Deleted job {job.metadata.name}")

    # --- the next one ---

    async def _start(self, owner: CronJob, status: CronJobStatus) -> tuple[CronJobStatus, float | None]:
        """Starts the Job that is due, if there is one. Returns the status then, and the seconds until the next."""
        spec, now = owner.spec, self._now()
        try:
            schedule = parse_schedule(spec.schedule, time_zone(spec.time_zone or "UTC"))
        except ScheduleError as error:
            text = f'unparseable schedule: "{spec.schedule}" : {error}'
            self._events.event(owner, "Warning", "UnparseableSchedule", text)
            return status, None
        due = _find_due(owner, schedule, now)
        again = _seconds_to_next(owner, schedule, now)
        if due.missed > _MANY:
            text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._events.event(owner, "Warning", "TooManyMissedTimes", text)
        if due.at is None:
            return status, again
        if spec.starting_deadline_seconds is not None:
            deadline = due.at + timedelta(seconds=spec.starting_deadline_seconds)
            if deadline < now:
                text = f"Missed scheduled time to start a job: {format_datetime(due.at).replace('+0000', 'UTC')}"
                self._events.event(owner, "Warning", "MissSchedule", text)
                return status, again
        name = _job_name(owner, due.at)
        if status.last_schedule_time == due.at or any(each.name == name for each in status.active):
            return status, again
        if spec.concurrency_policy == "Forbid" and status.active:
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._events.event(owner, "Normal", "JobAlreadyActive", text)
            return status, again
        if spec.concurrency_policy == "Replace":
            status = await self._end_active(owner, status)
        job = await self._create(owner, name, due.at)
        if job is None:
            return status, again
        active = (*status.active, _reference(job))
        return _changed(status, active=active, last_schedule_time=due.at), again

    async def _end_active(self, owner: CronJob, status: CronJobStatus) -> CronJobStatus:
        jobs = {job.uid: job for job in self._owned(owner)}
        for each in status.active:
            if each.uid in jobs:
                await self._delete(owner, jobs[each.uid])
        return _changed(status, active=())

    async def _create(self, owner: CronJob, name: str, at: datetime) -> Job | None:
        """The Job that was due at that time; None: it is another's, or the namespace is going."""
        zone = time_zone(owner.spec.time_zone or "UTC")
        template = owner.spec.job_template
        due = at.astimezone(zone).isoformat().replace("+00:00", "Z")
        metadata = ObjectMeta(
            name=name,
            namespace=owner.metadata.namespace,
            labels=template.metadata.labels,
            annotations={**template.metadata.annotations, _DUE_AT: due},
            owner_references=(controlled_by(owner),),
        )
        try:
            job = await self._client.create(Job(metadata=metadata, spec=template.spec))
        except AlreadyExistsError:
            found = await self._client.get(Job, NamespacedName(owner.metadata.namespace, name))
            return found if is_controlled_by(found, owner.uid) else None
        except ApiError as error:
            if is_namespace_going(error):
                return None
            self._events.event(owner, "Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulCreate", f"Created job {name}")
        log.info("job created", cronjob=str(owner.key), job=name)
        return job


def _find_due(owner: CronJob, schedule: Schedule, now: datetime) -> _Due:
    """The latest start that the CronJob should have had and has not (mostRecentScheduleTime)."""
    earliest = owner.status.last_schedule_time or owner.metadata.creation_timestamp or now
    if owner.spec.starting_deadline_seconds is not None:
        earliest = max(earliest, now - timedelta(seconds=owner.spec.starting_deadline_seconds))
    first = schedule.after(earliest)
    if first is None or now < first:
        return _Due(None)
    second = schedule.after(first)
    if second is None or now < second:
        return _Due(first)
    interval = second - first
    missed = (now - first) // interval + 1
    # Not one after the other, since there may be years of them; from a little earlier, for those that are irregular.
    at = first + (missed - 2) * interval
    latest: datetime | None = None
    while (at_next := schedule.after(at)) is not None and at_next <= now:
        latest = at = at_next
    return _Due(latest, missed)


def _seconds_to_next(owner: CronJob, schedule: Schedule, now: datetime) -> float | None:
    since = owner.status.last_schedule_time or owner.metadata.creation_timestamp or now
    due = schedule.after(max(since, _find_due(owner, schedule, now).at or since))
    upcoming = due if due is not None and due > now else schedule.after(now)
    return (upcoming - now).total_seconds() + _SLACK_SECONDS if upcoming is not None else None


def _job_name(owner: CronJob, at: datetime) -> str:
    return f"{owner.metadata.name}-{int(at.timestamp()) // 60}"


def _reference(job: Job) -> ObjectReference:
    fields = {
        "kind": "Job",
        "namespace": job.metadata.namespace,
        "name": job.metadata.name,
        "uid": UID(job.uid),
        "apiVersion": "batch/v1",
        "resourceVersion": job.metadata.resource_version,
    }
    return ObjectReference.model_validate(fields)


def _by_start(job: Job) -> tuple[datetime, str]:
    return job.status.start_time or datetime.max.replace(tzinfo=UTC), job.metadata.name


def _changed(status: CronJobStatus, **fields: Any) -> CronJobStatus:
    """The status with other fields; what is empty is left out, as in Go."""
    merged = {name: getattr(status, name) for name in type(status).model_fields} | fields
    kept = {name: each for name, each in merged.items() if each}
    return CronJobStatus(**kept, **(status.model_extra or {}))


def cronjob_controller(client: Client, cache: Cache, events: EventSink, now: WallClock) -> Controller:
    """The controller of CronJobs."""
    cron_jobs, jobs = cache.informer(CronJob), cache.informer(Job)
    jobs.add_index(BY_CONTROLLER, controller_uid)
    reconciler = CronJobReconciler(client, cron_jobs, jobs, events, now)
    controller = Controller("cronjob", reconciler, workers=_WORKERS)
    controller.watch(cron_jobs, predicate=lambda change: change.new is not None)
    controller.watch(jobs, to_controller(CronJob))
    return controller
