"""Runs the pods of Jobs until enough of them have succeeded, or too many have failed.

Follows k8s.io/kubernetes/pkg/controller/job, as far as users of devices need it: completions, parallelism, indexes,
suspension, limits of failures and time. Not here: podFailurePolicy, successPolicy, backoffLimitPerIndex, and the
adoption of pods; Jobs that another controller manages are left to it.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.cluster.controllers.jobpods import (
    TRACKING_FINALIZER,
    completion_index,
    has_too_many_restarts,
    is_failed,
    is_indexed,
    is_terminating,
    is_tracked,
    missing_indexes,
    pause_seconds,
    pod_metadata,
    pod_spec,
    read_indexes,
    surplus,
    write_indexes,
)
from fake_dra_driver.cluster.controllers.jobstatus import (
    FAILURE,
    SUCCESS,
    changed,
    condition,
    ending,
    final_condition,
    settled,
    with_condition,
    with_uncounted,
)
from fake_dra_driver.cluster.controllers.podcontrol import PodControl, is_active, is_ready
from fake_dra_driver.cluster.jobkinds import Job, JobCondition, JobStatus
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.owners import controller_of, is_controlled_by
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import ApiError, NotFoundError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.patch import replace, test
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["JobReconciler", "job_controller"]

log = logger.bind(component="job-controller")

_NAME: Final = "kubernetes.io/job-controller"
"""This controller in ``spec.managedBy``."""
_JOB_NAME: Final = "batch.kubernetes.io/job-name"
"""Label of the pods of a Job."""
_BY_JOB: Final = "job"
"""Index of the pod cache: the Job that a pod is of, by ``namespace/name``."""
_BURST: Final = 50
"""Most pods created in one pass; MaxPodCreateDeletePerSync is 500, for a bigger API server."""
_WORKERS: Final = 5


@dataclass(slots=True)
class _Pass:
    """A Job in one pass, and what is to be written of it."""

    job: Job
    status: JobStatus
    ending: JobCondition | None = None
    """How the Job is going to end; None: it goes on."""
    trouble: ApiError | None = None
    """Why not all pods could be created or deleted."""
    again: float | None = None
    """Seconds until the next look, if nothing happens before."""

    def look_again(self, seconds: float) -> None:
        """Asks for another pass at that time at the latest."""
        self.again = seconds if self.again is None else min(self.again, seconds)


class JobReconciler(Reconciler):
    """Reconciles one Job."""

    def __init__(
        self,
        client: Client,
        jobs: Informer[Job],
        pods: Informer[Pod],
        events: EventSink,
        release: Release,
        now: WallClock,
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._pods = pods
        self._events = events
        self._control = PodControl(client, events)
        self._kubernetes = release
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        job = self._jobs.get(request)
        if job is not None and job.spec.managed_by not in (None, _NAME):
            return Result()
        going_on = job if job is not None and job.finished is None else None
        left_over = [
            pod
            for pod in self._pods.by_index(_BY_JOB, str(request))
            if going_on is None or not is_controlled_by(pod, going_on.uid)
        ]
        await self._release(left_over)
        return await self._sync(going_on) if going_on is not None else Result()

    async def _sync(self, job: Job) -> Result:
        status = job.status
        if status.start_time is None and not job.spec.suspend:
            status = changed(status, start_time=self._now().replace(microsecond=0))
        current = _Pass(job, settled(status, self._tracked(job)))
        current.ending = ending(status) or self._failure(current)
        if current.ending is not None:
            await self._end_pods(current, [pod for pod in self._of(job) if is_active(pod)])
        elif not job.is_deleting:
            await self._manage(current)
            self._judge_success(current)
            if current.ending is None:
                self._tell_suspension(current)
        await self._count(current)
        if current.trouble is not None:
            raise current.trouble
        return Result(requeue_after=current.again)

    # --- pods, as they are after this controller's own writes ---

    def _of(self, job: Job) -> Sequence[Pod]:
        return [pod for pod in self._pods.by_index(_BY_JOB, str(job.key)) if is_controlled_by(pod, job.uid)]

    def _tracked(self, job: Job) -> set[UID]:
        return {pod.uid for pod in self._of(job) if is_tracked(pod)}

    def _succeeded(self, current: _Pass) -> int:
        """How many pods, or indexes, have succeeded, counted or not."""
        if is_indexed(current.job):
            return len(self._completed_indexes(current))
        pods = {pod.uid for pod in self._of(current.job) if is_tracked(pod) and pod.status.phase == "Succeeded"}
        uncounted = current.status.uncounted_terminated_pods
        return current.status.succeeded + len(pods.union(uncounted.succeeded if uncounted is not None else ()))

    def _completed_indexes(self, current: _Pass) -> set[int]:
        completions = current.job.spec.completions or 0
        known = read_indexes(current.status.completed_indexes, completions)
        pods = [pod for pod in self._of(current.job) if is_tracked(pod) and pod.status.phase == "Succeeded"]
        return known | {index for pod in pods if (index := completion_index(pod, current.job)) is not None}

    # --- how the Job ends ---

    def _failure(self, current: _Pass) -> JobCondition | None:
        """Why the Job has failed; None: it has not."""
        job, pods, now = current.job, self._of(current.job), self._now()
        uncounted = current.status.uncounted_terminated_pods
        failed = {pod.uid for pod in pods if is_tracked(pod) and is_failed(pod, job)}
        failures = current.status.failed + len(failed.union(uncounted.failed if uncounted is not None else ()))
        if failures > job.spec.backoff_limit or has_too_many_restarts(job, pods):
            return condition(FAILURE, "BackoffLimitExceeded", "Job has reached the specified backoff limit", now)
        deadline, started = job.spec.active_deadline_seconds, current.status.start_time
        if deadline is None or started is None or job.spec.suspend:
            return None
        left = deadline - (now - started).total_seconds()
        if left <= 0:
            return condition(FAILURE, "DeadlineExceeded", "Job was active longer than specified deadline", now)
        current.look_again(left)
        return None

    def _judge_success(self, current: _Pass) -> None:
        spec, succeeded = current.job.spec, self._succeeded(current)
        is_enough = succeeded > 0 if spec.completions is None else succeeded >= spec.completions
        if is_enough and not any(is_active(pod) for pod in self._of(current.job)):
            reason, message = "CompletionsReached", "Reached expected number of succeeded pods"
            current.ending = condition(SUCCESS, reason, message, self._now())

    def _tell_suspension(self, current: _Pass) -> None:
        now, is_suspended = self._now(), current.job.spec.suspend
        state, reason, message = (
            ("True", "JobSuspended", "Job suspended") if is_suspended else ("False", "JobResumed", "Job resumed")
        )
        after = with_condition(current.status, condition("Suspended", reason, message, now, status=state))
        if after is current.status:
            return
        self._events.event(current.job, "Normal", "Suspended" if is_suspended else "Resumed", message)
        # The time of suspension does not count for the deadline.
        started = after.start_time if is_suspended else now.replace(microsecond=0)
        is_forgotten = is_suspended and self._kubernetes.suspended_jobs_forget_start
        current.status = changed(after, start_time=None if is_forgotten else started)

    # --- pods come and go ---

    async def _manage(self, current: _Pass) -> None:
        """Creates missing pods, or deletes superfluous ones."""
        job, pods = current.job, self._of(current.job)
        active = [pod for pod in pods if is_active(pod)]
        wanted = self._wanted(current, len(active))
        going = surplus(job, active, wanted)
        if going:
            # Without the finalizer first: these pods have not failed.
            await self._release(going)
            await self._end_pods(current, going)
            return
        waiting_for = (
            [pod for pod in pods if is_terminating(pod)] if job.spec.pod_replacement_policy == "Failed" else []
        )
        missing = min(wanted - len(active) - len(waiting_for), _BURST)
        if missing <= 0:
            return
        pause = pause_seconds(pods, job, self._now())
        if pause > 0:
            current.look_again(pause)
            return
        indexes: Sequence[int | None] = [None] * missing
        if is_indexed(job):
            indexes = missing_indexes(job, self._completed_indexes(current), [*active, *waiting_for], missing)
        await self._start_pods(current, indexes)

    def _wanted(self, current: _Pass, active: int) -> int:
        """How many pods should be active."""
        spec, succeeded = current.job.spec, self._succeeded(current)
        if spec.suspend:
            return 0
        if spec.completions is None:
            return active if succeeded else spec.parallelism
        return max(min(spec.completions - succeeded, spec.parallelism), 0)

    async def _start_pods(self, current: _Pass, indexes: Sequence[int | None]) -> None:
        job = current.job

        async def start(index: int | None) -> None:
            try:
                await self._control.create(
                    job, job.spec.template, more=pod_metadata(job, index), spec=pod_spec(job, index)
                )
            except ApiError as error:
                current.trouble = error

        # One alone first: what the API server refuses once it would refuse every time.
        await _all(start(index) for index in indexes[:1])
        if current.trouble is None:
            await _all(start(index) for index in indexes[1:])

    async def _end_pods(self, current: _Pass, pods: Sequence[Pod]) -> None:
        async def end(pod: Pod) -> None:
            try:
                await self._control.delete(current.job, pod)
            except ApiError as error:
                current.trouble = error

        await _all(end(pod) for pod in pods)

    async def _release(self, pods: Iterable[Pod]) -> None:
        """Removes the finalizer from pods."""

        async def release(pod: Pod) -> None:
            left = [each for each in pod.metadata.finalizers if each != TRACKING_FINALIZER]
            path = "/metadata/finalizers"
            guards = [test("/metadata/uid", pod.uid), test(path, list(pod.metadata.finalizers))]
            try:
                await self._client.json_patch(Pod, pod.key, [*guards, replace(path, left)])
            except NotFoundError:
                return

        await _all(release(pod) for pod in pods if is_tracked(pod))

    # --- status ---

    async def _count(self, current: _Pass) -> None:
        """Counts the pods that have ended, and ends the Job when there is nothing left to wait for."""
        job = current.job
        ended = [pod for pod in self._of(job) if is_tracked(pod) and self._is_over(pod, current)]
        self._note(current, ended)
        if current.ending is not None and self._kubernetes.jobs_end_in_two_steps and ending(current.status) is None:
            current.status = with_condition(current.status, current.ending)
        current.status = changed(current.status, **self._numbers(current))
        await self._write(current)
        await self._release(ended)
        current.status = changed(settled(current.status, self._tracked(job)), **self._numbers(current))
        final = self._final_condition(current)
        if final is not None:
            current.status = with_condition(current.status, final)
            if final.type == "Complete":
                current.status = changed(current.status, completion_time=final.last_transition_time)
        await self._write(current)
        if final is not None:
            self._report(job, final)

    def _is_over(self, pod: Pod, current: _Pass) -> bool:
        is_ending = current.ending is not None or current.job.is_deleting
        return is_ending or pod.status.phase == "Succeeded" or is_failed(pod, current.job)

    def _note(self, current: _Pass, ended: Sequence[Pod]) -> None:
        """Puts what has become of pods into the status."""
        job = current.job
        has_failed = current.ending is not None and current.ending.type == FAILURE
        succeeded = [pod for pod in ended if pod.status.phase == "Succeeded"]
        failed = [pod for pod in ended if pod.status.phase != "Succeeded" and (has_failed or is_failed(pod, job))]
        if is_indexed(job):
            completed = self._completed_indexes(current)
            current.status = changed(
                current.status, succeeded=len(completed), completed_indexes=write_indexes(completed)
            )
            succeeded, failed = [], [pod for pod in failed if completion_index(pod, job) is not None]
        current.status = with_uncounted(current.status, [pod.uid for pod in succeeded], [pod.uid for pod in failed])

    def _numbers(self, current: _Pass) -> dict[str, int]:
        """How many pods of each sort there are."""
        pods = self._of(current.job)
        active = [pod for pod in pods if is_active(pod)]
        return {
            "active": len(active),
            "ready": sum(map(is_ready, active)),
            "terminating": sum(map(is_terminating, pods)),
        }

    def _final_condition(self, current: _Pass) -> JobCondition | None:
        """What the Job is in the end; None: not yet."""
        pods, uncounted = self._of(current.job), current.status.uncounted_terminated_pods
        if current.ending is None or (uncounted is not None and (uncounted.succeeded or uncounted.failed)):
            return None
        if any(is_active(pod) for pod in pods) or (
            self._kubernetes.jobs_end_in_two_steps and any(is_terminating(pod) for pod in pods)
        ):
            return None
        return final_condition(current.ending, self._now(), has_reason=self._kubernetes.jobs_end_in_two_steps)

    async def _write(self, current: _Pass) -> None:
        if current.status.to_wire() != current.job.status.to_wire():
            current.job = await self._client.update_status(current.job.model_copy(update={"status": current.status}))
            current.status = current.job.status

    def _report(self, job: Job, final: JobCondition) -> None:
        if final.type == "Complete":
            self._events.event(job, "Normal", "Completed", "Job completed")
        else:
            self._events.event(job, "Warning", final.reason, final.message)
        log.info("job finished", job=str(job.key), condition=final.type, reason=final.reason)


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Does everything at once."""
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each, name="pod of a job")


def job_controller(client: Client, cache: Cache, events: EventSink, release: Release, now: WallClock) -> Controller:
    """The controller of Jobs."""
    jobs, pods = cache.informer(Job), cache.informer(Pod)
    pods.add_index(_BY_JOB, lambda pod: map(str, _job_of(pod)))
    controller = Controller("job", JobReconciler(client, jobs, pods, events, release, now), workers=_WORKERS)
    controller.watch(jobs)
    controller.watch(
        pods,
        lambda change: {key for pod in (change.old, change.new) if pod is not None for key in _job_of(pod)},
        predicate=_matters,
    )
    return controller


def _job_of(pod: Pod) -> Iterable[NamespacedName]:
    """The Job of a pod, or the one that it was of, while that has not let it go."""
    owner = controller_of(pod)
    if owner is None and is_tracked(pod):
        name = pod.metadata.labels.get(_JOB_NAME, "")
    else:
        is_job = owner is not None and (owner.api_version, owner.kind) == (Job.resource.api_version, "Job")
        name = owner.name if owner is not None and is_job else ""
    return (NamespacedName(pod.metadata.namespace, name),) if name else ()


def _matters(change: Change[Pod]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or _state(old) != _state(new)


def _state(pod: Pod) -> object:
    """What a Job wants to know of a pod."""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    restarts = sum(each.restart_count for each in statuses)
    return pod.status.phase, pod.is_deleting, is_ready(pod), restarts, pod.metadata.finalizers, controller_of(pod)
