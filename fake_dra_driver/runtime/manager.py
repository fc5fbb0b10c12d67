"""Starts the parts of a program in order, stops them in the reverse order, and raises the error of a part that failed.

Start: probes and metrics, events, runnables that need no cache, caches; what ``use_setup`` names, which may add parts;
once each kind in the caches is synced, the other runnables; leader election, if there is one: what follows runs in one
process only; controllers.
Stop: no new pass of any controller, passes under way get to finish, then the lease is released, never earlier; then
runnables, caches, probes; events that are still queued are written, and the client is closed. The grace period bounds
all of it: passes have half of it before they are cancelled, runnables then have time to clean up, and a part is kept
for what comes last. SIGTERM and SIGINT stop it, a second signal ends the process at once, as it would any process
without a handler. A lost lease cancels everything at once: another process may lead soon.

Follows sigs.k8s.io/controller-runtime/pkg/manager. All tasks are children of one TaskGroup inside ``run``.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol

from loguru import logger
from typing_extensions import TypeVar

from fake_dra_driver.hosting.process import stop_signals
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.leaderelection import LeaseLostError
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.session import RequestLimiter
from fake_dra_driver.runtime.task import cancel_until_done, is_being_cancelled

if TYPE_CHECKING:
    from fake_dra_driver.runtime.kubeapi import Api

__all__ = ["CloseableClient", "Election", "EventWriter", "Manager", "Runnable", "SyncingCache"]

log = logger.bind(component="manager")

Runnable = Callable[[], Awaitable[None]]
"""Runs until it is cancelled, and cleans up then, with deadlines of its own. What it raises ends the program."""

_PASSES_SHARE = 0.5
"""Part of the grace period in which passes may finish by themselves. Half of the default 20 s is the default deadline
of a call to the API server, so a pass that waits for one ends with that call's own error."""
_RUNNABLES_SHARE = 0.85
"""Part of the grace period at the end of which runnables should have cleaned up; the rest is for the events."""
_SYNC_REPORT_SECONDS = 10.0
"""How often it is said which kinds are still waited for."""
_RELEASE_SECONDS = 2.0
"""For releasing the lease, which is only a courtesy: it expires by itself."""
_CLOSE_SECONDS = 2.0
"""For closing connections to the API server, which waits for nothing but them."""


class CloseableClient(Protocol):
    """What the manager needs from a ``Client``."""

    async def close(self) -> None:
        """Closes its connections."""
        ...


class SyncingCache(Protocol):
    """What the manager needs from a ``Cache``."""

    async def run(self) -> None:
        """Keeps the informers up to date until cancelled."""
        ...

    async def wait_for_sync(self) -> None:
        """Waits until each informer has its first list."""
        ...

    def unsynced(self) -> Sequence[str]:
        """The kinds that have no first list yet."""
        ...


class EventWriter(Protocol):
    """What the manager needs from an ``EventRecorder``."""

    async def run(self) -> None:
        """Writes events until cancelled."""
        ...

    async def flush(self) -> None:
        """Waits until all events that are queued are written or dropped."""
        ...


class Election(Protocol):
    """What the manager needs from a ``LeaderElector``."""

    async def acquire(self) -> None:
        """Returns once this process leads."""
        ...

    async def renew(self) -> None:
        """Keeps the lease until cancelled. Raises LeaseLostError when it is lost."""
        ...

    async def release(self) -> None:
        """Stops leading, so that another process can."""
        ...


ClientT = TypeVar("ClientT", bound=CloseableClient, default=Client)
CacheT = TypeVar("CacheT", bound=SyncingCache, default=Cache)


class Manager(Generic[ClientT, CacheT]):
    """The parts of one program."""

    def __init__(
        self,
        client: ClientT,
        cache: CacheT,
        *,
        healthz: HealthServer | None = None,
        events: EventWriter | None = None,
        metrics: Metrics | None = None,
        election: Election | None = None,
        grace_period_seconds: float = 20,
        signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    ) -> None:
        """Takes the parts over; nothing runs before ``run``.

        Args:
            client: closed at the very end.
            cache: run and synced before anything that reads from it.
            healthz: gets readiness checks ``informer-sync`` (which kinds are missing) and ``shutdown``.
            events: written until everything else has stopped.
            metrics: what the controllers count into.
            election: decides when the controllers may start; they start at once without.
            grace_period_seconds: longest time from the stop to the end; less than the pod's
                terminationGracePeriodSeconds. 0 cancels everything at once.
            signals: which ones stop it. Empty where another owns them: a thread, or a second manager in one process.
        """
        self.client = client
        self.cache = cache
        self._healthz = healthz
        self._events = events
        self._metrics = metrics
        self._election = election
        self._grace_period_seconds = grace_period_seconds
        self._signals = signals
        self._controllers: list[Controller] = []
        self._runnables: list[tuple[str, Runnable, bool]] = []
        """Name, what to run, and whether it waits for the caches."""
        self._setup: Callable[[], Awaitable[None]] | None = None
        self._is_setting_up = False
        self._group: asyncio.TaskGroup | None = None
        """Set while ``run`` runs; the parent of all tasks."""
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        """What was started, by stage, in order."""
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        """The first error of a part: ``run`` raises it in the end."""
        if healthz is not None:
            healthz.add_readyz("informer-sync", self._check_sync)
            healthz.add_readyz("shutdown", self._check_stopping)

    @classmethod
    async def of(
        cls,
        api: "Api",
        *,
        user_agent: str | None = None,
        limiter: RequestLimiter | None = None,
        metrics: Metrics | None = None,
        healthz: HealthServer | None = None,
        grace_period_seconds: float = 20,
    ) -> "Manager[Client, Cache]":
        """A manager with a client and a cache of its own, on a kr8s Api, which is theirs from now on.

        Args:
            api: see ``Client.of``.
            user_agent: see there.
            limiter: see there.
            metrics: what client and controllers count into.
            healthz: as in ``Manager()``.
            grace_period_seconds: as in ``Manager()``.

        Raises:
            CredentialsError, ValueError: as ``Client.of``.
        """
        observe = None if metrics is None else metrics.observe_request
        client = await Client.of(api, user_agent=user_agent, limiter=limiter, metrics=observe)
        return Manager(
            client, Cache(client), healthz=healthz, metrics=metrics, grace_period_seconds=grace_period_seconds
        )

    def use_events(self, events: EventWriter) -> None:
        """Writes these events, until everything else has stopped."""
        self._refuse_when_running()
        self._events = events

    def use_election(self, election: Election) -> None:
        """Lets the election decide when the controllers may start."""
        self._refuse_when_running()
        self._election = election

    def use_setup(self, setup: Callable[[], Awaitable[None]]) -> None:
        """Awaits ``setup`` once probes are answered and events written, before the caches have to be synced.

        For a program that learns from the API server what it consists of: ``setup`` may take as long as it needs, and
        may add informers to the cache, controllers, and runnables that need the caches. It ends when the manager stops.
        """
        self._refuse_when_running()
        self._setup = setup

    def add_controller(self, controller: Controller) -> None:
        """Runs the controller once the caches are synced, the runnables started, and this process leads."""
        self._refuse_when_set_up()
        if self._metrics is not None:
            controller.use_metrics(self._metrics)
        self._controllers.append(controller)

    def add_runnable(self, name: str, run: Runnable, *, needs_caches: bool = True) -> None:
        """Runs ``run`` once the caches are synced, in the order of these calls.

        Args:
            name: of its task.
            run: what to run.
            needs_caches: False starts it at once, for what has to work while the API server is away. It ends with the
                others all the same. Not in ``setup``, which comes later.
        """
        if needs_caches:
            self._refuse_when_set_up()
        else:
            self._refuse_when_running()
        self._runnables.append((name, run, needs_caches))

    def stop(self) -> None:
        """Begins the orderly stop; ``run`` returns when it is done. May be called more than once."""
        self._stopping.set()

    async def run(self) -> None:
        """Starts everything, and returns once everything has stopped after a signal or ``stop``. Can be called once.

        Cancelled: stops in order too, within the grace period.

        Raises:
            Exception: what the first part that failed has raised.
        """
        self._refuse_when_running()
        with stop_signals(self._signals, self._handle_signal):
            try:
                async with asyncio.TaskGroup() as self._group:
                    start = self._spawn("start", "manager-start", self._start)
                    try:
                        await self._stopping.wait()
                    finally:
                        await self._shut_down(start)
            finally:
                await self._close_client()
        if self._failure is not None:
            raise self._failure

    # --- Start ---------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self._healthz is not None:
            await self._healthz.listen()
            self._spawn("healthz", "healthz", self._healthz.run)
        if self._events is not None:
            self._spawn("events", "events", self._events.run)
        self._spawn("caches", "caches", self.cache.run)
        self._start_runnables(needing_caches=False)
        if self._setup is not None:
            self._is_setting_up = True
            try:
                await self._setup()
            finally:
                self._is_setting_up = False
        await self._wait_for_sync()
        self._start_runnables(needing_caches=True)
        if self._election is not None:
            await self._election.acquire()
            self._spawn("election", "leader-election", self._election.renew)
        for controller in self._controllers:
            self._spawn("controllers", f"controller-{controller.name}", controller.run)
        log.info("Started", controllers=len(self._controllers), runnables=len(self._runnables))

    def _start_runnables(self, *, needing_caches: bool) -> None:
        for name, run, needs_caches in self._runnables:
            if needs_caches == needing_caches:
                self._spawn("runnables", name, run)

    async def _wait_for_sync(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_SYNC_REPORT_SECONDS):
                    return await self.cache.wait_for_sync()
            except TimeoutError:
                log.warning("Still waiting for caches to sync", kinds=list(self.cache.unsynced()))

    def _spawn(self, stage: str, name: str, run: Runnable) -> asyncio.Task[None]:
        if self._group is None:
            raise RuntimeError(f"{name} was started outside of run()")
        task = self._group.create_task(self._supervise(name, run), name=name)
        self._tasks.setdefault(stage, []).append(task)
        return task

    async def _supervise(self, name: str, run: Runnable) -> None:
        """Runs a part. Its failure begins the stop, instead of cancelling all its siblings at once."""
        try:
            await run()
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            self._fail(name, error)
        except Exception as error:  # noqa: BLE001 - kept, and raised by run() once the others have stopped in order
            self._fail(name, error)

    def _fail(self, name: str, error: BaseException) -> None:
        if self._failure is None:
            log.info("Stopping, since a part has failed", part=name)
            self._failure = error
        else:
            log.opt(exception=error).error("Another part has failed", part=name)
        if isinstance(error, LeaseLostError):
            self._grace_period_seconds = 0
            for controller in self._tasks.get("controllers", []):
                controller.cancel()
        self.stop()

    # --- Stop ----------------------------------------------------------------------------------------------------

    async def _shut_down(self, start: asyncio.Task[None]) -> None:
        """Ends all tasks, last stage first."""
        self.stop()
        deadline = loop_time() + self._grace_period_seconds
        passes_deadline = loop_time() + self._grace_period_seconds * _PASSES_SHARE
        runnables_deadline = loop_time() + self._grace_period_seconds * _RUNNABLES_SHARE
        await cancel_until_done(start, loop_time())
        for controller in self._controllers:
            controller.stop()
        if passes := self._tasks.get("controllers"):
            await asyncio.wait(passes, timeout=max(passes_deadline - loop_time(), 0))
        for stage in ("controllers", "election", "runnables", "caches", "healthz"):
            for task in reversed(self._tasks.get(stage, [])):
                await cancel_until_done(task, runnables_deadline)
            if stage == "election":
                await self._release_lease(runnables_deadline)
        for task in self._tasks.get("events", []):
            await self._flush_events(task, deadline)
            await cancel_until_done(task, deadline)
        log.info("Stopped")

    async def _release_lease(self, deadline: float) -> None:
        if self._election is not None:
            try:
                async with asyncio.timeout_at(min(loop_time() + _RELEASE_SECONDS, deadline)):
                    await self._election.release()
            except TimeoutError:
                log.info("Lease not released in time, others wait for it to expire")

    async def _flush_events(self, writer: asyncio.Task[None], deadline: float) -> None:
        if self._events is None or writer.done():
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._events.flush()
        except TimeoutError:
            log.warning("The grace period is over before all events were written")

    async def _close_client(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.client.close()
        except TimeoutError:
            log.warning("Connections to the API server did not close in time")

    def _handle_signal(self, number: signal.Signals) -> None:
        log.info("Stopping on a signal; a second one ends the program at once", signal=number.name)
        self.stop()

    # --- Checks --------------------------------------------------------------------------------------------------

    def _check_sync(self) -> str | None:
        missing = self.cache.unsynced()
        return f"not synced yet: {', '.join(missing)}" if missing else None

    def _check_stopping(self) -> str | None:
        return "the program is stopping" if self._stopping.is_set() else None

    def _refuse_when_set_up(self) -> None:
        if not self._is_setting_up:
            self._refuse_when_running()

    def _refuse_when_running(self) -> None:
        if self._group is not None:
            raise RuntimeError("the manager was started already")
