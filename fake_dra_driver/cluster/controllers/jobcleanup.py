"""Deletes Jobs that have ended, a time after that if they ask for it.

Follows k8s.io/kubernetes/pkg/controller/ttlafterfinished.
"""

from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.cluster.jobkinds import Job
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["JobCleanupReconciler", "job_cleanup_controller"]

log = logger.bind(component="ttl-after-finished-controller")

_WORKERS: Final = 5
"""ConcurrentTTLSyncs."""


class JobCleanupReconciler(Reconciler):
    """Reconciles one Job with its ``ttlSecondsAfterFinished``."""

    def __init__(self, client: Client, jobs: Informer[Job], now: WallClock) -> None:
        self._client = client
        self._jobs = jobs
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        job = self._jobs.get(request)
        if job is None or job.is_deleting or job.finished is None or job.spec.ttl_seconds_after_finished is None:
            return Result()
        ended = job.finished.last_transition_time or self._now()
        left = job.spec.ttl_seconds_after_finished - (self._now() - ended).total_seconds()
        if left > 0:
            return Result(requeue_after=left)
        # Not one that was changed meanwhile: it may ask for more time.
        version = job.metadata.resource_version
        try:
            await self._client.delete(
                Job, job.key, uid=job.uid, resource_version=version, propagation_policy="Foreground"
            )
        except NotFoundError:
            return Result()
        log.info("finished job deleted", job=str(job.key))
        return Result()


def job_cleanup_controller(client: Client, cache: Cache, now: WallClock) -> Controller:
    """The controller of Jobs that have ended."""
    jobs = cache.informer(Job)
    controller = Controller("ttl-after-finished", JobCleanupReconciler(client, jobs, now), workers=_WORKERS)
    controller.watch(jobs)
    return controller
