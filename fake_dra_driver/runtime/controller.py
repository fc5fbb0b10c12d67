"""Runs a reconciler for the keys of a work queue: watches put them in, workers take them out.

What a pass leads to (controller-runtime's internal/controller, in asyncio):

========================================  ============================================================================
The reconciler                            The controller
========================================  ============================================================================
returns ``Result()``                      forgets the key's failures
returns ``Result(requeue_after=...)``     forgets the key's failures, and looks again after that time
raises ConflictError, RetryError          looks again after a backoff, at level DEBUG
raises an error that heals by itself      WARNING, counts an error, looks again after a backoff (and after Retry-After)
raises TerminalError, InvalidObjectError  ERROR, counts an error, waits until the object changes
raises another RuntimeLayerError          ERROR, counts an error, looks again after a backoff
raises anything else                      ERROR with traceback, counts an error and a panic, looks again after a backoff
is cancelled                              ends; the key is for the next start of the program
========================================  ============================================================================

Errors that heal by themselves are an API server that is away, slow or busy, and a cache that lags behind: an object
that is gone or there already, against what the reconciler saw.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from loguru import logger

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    DeadlineError,
    GoneError,
    InvalidObjectError,
    NotFoundError,
    RetryError,
    RuntimeLayerError,
    ServerError,
    TerminalError,
    TooManyRequestsError,
    TransportError,
    as_runtime_error,
)
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.ratelimiter import RateLimiter
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.source import Mapper, Predicate, Source
from fake_dra_driver.runtime.store import Change
from fake_dra_driver.runtime.task import is_being_cancelled
from fake_dra_driver.runtime.workqueue import ShutDownError, WorkQueue

__all__ = ["Controller"]

S = TypeVar("S", bound=KubeObject)
log = logger.bind(component="controller")

_QUIET = (ConflictError, RetryError)
_SELF_HEALING = (
    *(DeadlineError, TransportError, TooManyRequestsError, ServerError, GoneError),
    *(NotFoundError, AlreadyExistsError),
)
_TERMINAL = (TerminalError, InvalidObjectError)


class Controller:
    """One reconciler, its queue, its watches and its workers."""

    def __init__(
        self,
        name: str,
        reconciler: Reconciler,
        *,
        workers: int = 1,
        rate_limiter: RateLimiter[Request] | None = None,
        log_context: Callable[[Request], Mapping[str, object]] = lambda _request: {},
    ) -> None:
        """Prepares a controller; nothing runs before ``run``.

        Args:
            name: label of its metrics and logs; the lower-case kind it reconciles, as in controller-runtime.
            reconciler: called with one key at a time by each worker, never twice at once with the same one.
            workers: how many keys are worked on at once.
            rate_limiter: pauses after failures; client-go's default when left out.
            log_context: what every log line of a pass says beside the key, those about its outcome included, such as
                the UID of the object. Called at the beginning of each pass; must answer from memory.
        """
        if workers < 1:
            raise ValueError(f"controller {name}: {workers} workers, at least 1 is needed")
        self.name = name
        self._reconciler = reconciler
        self._workers = workers
        self._log_context = log_context
        self._queue: WorkQueue[Request] = WorkQueue(rate_limiter)
        self._has_run = False
        self.use_metrics(Metrics())

    def use_metrics(self, metrics: Metrics) -> None:
        """Counts into ``metrics`` from now on; the manager calls it. What was counted before is lost."""
        self._queue.use_metrics(metrics.for_queue(self.name))
        metrics.add_refresher(self._queue.refresh_metrics)
        self._metrics = metrics.for_controller(self.name)
        self._metrics.max_concurrent_reconciles.set(self._workers)

    def watch(
        self, informer: Source[S], mapper: Mapper[S] | None = None, predicate: Predicate[S] | None = None
    ) -> None:
        """From now on, changes of the objects of ``informer`` lead to passes, also for those that are there already.

        Args:
            informer: what to watch.
            mapper: which objects to look at after a change; the changed object itself when left out. A mapper that
                raises loses that change alone: it is logged and counted.
            predicate: changes that it says no to are ignored; the same holds if it raises.
        """

        def handle(change: Change[S]) -> None:
            try:
                if predicate is None or predicate(change):
                    for request in mapper(change) if mapper is not None else (change.key,):
                        self._queue.add(request)
            except Exception as error:  # noqa: BLE001 - one mapper's bug must not end the informer that all share
                self._metrics.mapper_errors.inc()
                log.opt(exception=error).error(
                    "Mapping a change failed",
                    controller=self.name,
                    kind=informer.kind.resource.kind,
                    object=str(change.key),
                )

        informer.subscribe(handle)

    @property
    def is_idle(self) -> bool:
        """Whether no key is ready to be worked on, beside those that workers have."""
        return not len(self._queue)

    def enqueue(self, request: Request, after: float = 0) -> None:
        """Asks for a pass, ``after`` seconds from now. Needs a running event loop."""
        self._queue.add_after(request, after) if after > 0 else self._queue.add(request)

    def has_failed(self, request: Request) -> bool:
        """Whether the key's last pass has failed, so that another one is due by itself."""
        return self._queue.num_requeues(request) > 0

    async def run(self) -> None:
        """Works on the keys until ``stop`` is called and the passes that run then have ended. Can be called once.

        Cancelled: passes that run are cancelled.
        """
        if self._has_run:
            raise RuntimeError(f"controller {self.name} was started twice")
        self._has_run = True
        log.info("Starting workers", controller=self.name, workers=self._workers)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(), name=f"controller-{self.name}-{number}")
        finally:
            self._queue.shut_down()

    def stop(self) -> None:
        """Lets no further pass begin. Keys that wait are dropped: the next start of the program finds them again."""
        self._queue.shut_down()

    async def _work(self) -> None:
        while not self._queue.is_shutting_down:
            try:
                request = await self._queue.get()
            except ShutDownError:
                return
            self._metrics.active_workers.inc()
            begun = loop_time()
            try:
                with logger.contextualize(
                    controller=self.name,
                    object=str(request),
                    reconcile_id=str(uuid.uuid4()),
                    **self._log_context(request),
                ):
                    await self._reconcile(request)
            finally:
                self._metrics.time.observe(loop_time() - begun)
                self._metrics.active_workers.dec()
                self._queue.done(request)

    async def _reconcile(self, request: Request) -> None:
        """One pass and what it leads to. Raises nothing but the cancellation of this worker."""
        log.debug("Reconciling")
        try:
            result = await self._reconciler.reconcile(request)
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            self._fail(request, error)
        except Exception as error:  # noqa: BLE001 - the controller loop: whatever a reconciler raises, the others go on
            self._fail(request, error)
        else:
            self._succeed(request, result)

    def _succeed(self, request: Request, result: Result) -> None:
        self._queue.forget(request)
        if result.requeue_after is None:
            self._metrics.total("success").inc()
            log.debug("Reconciled")
        else:
            self._queue.add_after(request, result.requeue_after)
            self._metrics.total("requeue_after").inc()
            log.debug("Reconciled, will look again", after_seconds=result.requeue_after)

    def _fail(self, request: Request, error: BaseException) -> None:
        causes = tuple(as_runtime_error(leaf) for leaf in _leaves(error))
        text = str(causes[0] if len(causes) == 1 else error)
        if all(isinstance(cause, _QUIET) for cause in causes):
            self._metrics.total("requeue").inc()
            self._queue.add_rate_limited(request)
            log.debug("Outdated, will look again", error=text)
            return
        self._metrics.total("error").inc()
        self._metrics.errors.inc()
        if all(isinstance(cause, _TERMINAL) for cause in causes):
            self._metrics.terminal_errors.inc()
            self._queue.forget(request)
            log.error("Reconciler error", error=text, terminal=True)
            return
        self._queue.add_rate_limited(request, at_least_seconds=_retry_after_seconds(causes))
        failures = self._queue.num_requeues(request)
        if all(isinstance(cause, (*_QUIET, *_SELF_HEALING)) for cause in causes):
            log.warning("Reconciler error", error=text, failures=failures)
        elif all(isinstance(cause, RuntimeLayerError) for cause in causes):
            log.error("Reconciler error", error=text, failures=failures)
        else:
            self._metrics.panics.inc()
            log.opt(exception=error).error("Reconciler error", error=repr(error), failures=failures, panic=True)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The error itself, or what a reconciler's TaskGroup has collected."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _retry_after_seconds(causes: Iterable[BaseException]) -> float:
    return max((cause.retry_after_seconds or 0 for cause in causes if isinstance(cause, ApiError)), default=0)
