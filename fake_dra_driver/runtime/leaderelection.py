"""Leader election on a Lease: of several processes, the one that holds it works, and the others stand by.

Follows k8s.io/client-go/tools/leaderelection: the holder of the lease renews it every few seconds; a candidate that
sees no change of it for its whole duration takes it over. No clock of another process is trusted: what counts is when
*this* process saw the last change, by the time of its event loop; the times in the object are for people. Writes carry
the resourceVersion, so two candidates never both get an expired lease.

It differs from client-go in two places, both on the safe side: the renew deadline runs from the moment at which the
last successful renewal was *sent* (there, from a moment up to the retry period later), and a holder that finds another
name in the lease stops at once instead of at the deadline.

A lease is no fence: a leader that has been held up does not know that its time is over before it looks. So what it
leads must be safe with two of it at work (in this driver, the ledger sees to it); the lease only keeps them out of each
other's way.
"""

import asyncio
import random
import socket
import uuid
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from loguru import logger

from fake_dra_driver.api.kube.coordination import MAX_TRANSITIONS, Lease, LeaseSpec
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.runtime.clock import WallClock, loop_time, utc_now
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RuntimeLayerError,
    UnusableAnswerError,
)
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.untrustedtext import MAX_NAME, one_line

__all__ = ["JITTER_FACTOR", "LeaderElector", "LeaseClient", "LeaseLostError", "LeaseTiming", "identity"]

log = logger.bind(component="leaderelection")

REASON: Final = "LeaderElection"
"""Event reason of client-go."""
JITTER_FACTOR: Final = 1.2
"""JitterFactor of client-go: a candidate waits for up to this part of the retry period longer, so that candidates that
were started together do not ask together."""


class LeaseLostError(RuntimeLayerError):
    """This process no longer leads. Another may lead soon: end at once."""


class LeaseClient(Protocol):
    """What the elector needs from a ``Client``."""

    async def get(self, kind: type[Lease], key: NamespacedName, *, timeout_seconds: float | None = None) -> Lease:
        """Reads the lease."""
        ...

    async def create(self, obj: Lease, *, timeout_seconds: float | None = None) -> Lease:
        """Creates the lease."""
        ...

    async def update(self, obj: Lease, *, timeout_seconds: float | None = None) -> Lease:
        """Replaces the lease, if it still has the resourceVersion of ``obj``."""
        ...


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """Durations, with the defaults of client-go's users. All candidates should have the same.

    Raises ValueError when a leader could still be at work while another takes over.
    """

    lease_duration_seconds: int = 15
    """How long others wait, after the last renewal that they saw, before they take over."""
    renew_deadline_seconds: float = 10
    """How long after its last renewal a leader stops."""
    retry_period_seconds: float = 2
    """Between two tries, and between two renewals."""

    def __post_init__(self) -> None:
        if self.lease_duration_seconds <= self.renew_deadline_seconds:
            raise ValueError("the lease must last longer than the renew deadline")
        if self.renew_deadline_seconds <= self.retry_period_seconds * JITTER_FACTOR:
            raise ValueError(f"the renew deadline must be longer than {JITTER_FACTOR} retry periods")

    @property
    def call_timeout_seconds(self) -> float:
        """For one call to the API server: half of the renew deadline, so that one that hangs leaves time for another.

        As controller-runtime's pkg/leaderelection sets it.
        """
        return self.renew_deadline_seconds / 2


def identity() -> str:
    """A name for this process, which no other has: not even the one that has its host's name after it."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class LeaderElector:
    """One candidate for one lease: ``acquire``, then ``renew`` while it leads, then ``release``."""

    def __init__(
        self,
        client: LeaseClient,
        lease: NamespacedName,
        name: str,
        *,
        timing: LeaseTiming | None = None,
        events: EventSink | None = None,
        metrics: Metrics | None = None,
        now: WallClock = utc_now,
        rng: random.Random | None = None,
    ) -> None:
        """Prepares a candidate; no request is sent before ``acquire``.

        Args:
            client: best one of its own, so that no other traffic delays a renewal.
            lease: the object; it is made when there is none.
            name: who this is: ``identity()``. No two candidates may have the same.
            timing: durations.
            events: told when this process begins and ceases to lead.
            metrics: of which ``leader_election_master_status`` is set.
            now: for the times in the object.
            rng: for the pauses between tries.
        """
        self._client = client
        self._key = lease
        self._name = name
        self._timing = timing or LeaseTiming()
        self._events = events
        self._status = (metrics or Metrics()).for_leader_election(lease.name)
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - nothing secret
        self._seen: Lease | None = None
        """The lease as it was last read or written."""
        self._changed_at = 0.0
        """When a change of it was last seen, by the event loop's time."""
        self._renewed_at: float | None = None
        """When the last renewal that succeeded was sent, by the event loop's time; None while this is not leading."""

    @property
    def is_leading(self) -> bool:
        """Whether this process holds the lease, as far as it knows."""
        return self._renewed_at is not None

    async def acquire(self) -> None:
        """Returns once this process leads: at once when no process does, else when the lease is released or expires.

        An API server that is away only means that it takes longer.
        """
        log.info("Waiting to lead", lease=str(self._key), identity=self._name)
        while not await self._try():
            pause = self._timing.retry_period_seconds
            await asyncio.sleep(pause * (1 + JITTER_FACTOR * self._rng.random()))
        self._status.set(1)
        self._tell("became leader")
        log.info("Leading", lease=str(self._key), identity=self._name)

    async def renew(self) -> NoReturn:
        """Renews the lease for as long as it is not cancelled. To be run from the moment at which ``acquire`` returns.

        Raises:
            LeaseLostError: the lease was not renewed within the deadline, or another holds it.
        """
        while True:
            try:
                async with asyncio.timeout_at(self._deadline()):
                    await asyncio.sleep(self._timing.retry_period_seconds)
                    await self._try()
            except TimeoutError as error:
                seconds = self._timing.renew_deadline_seconds
                raise self._lost(f"it could not be renewed for {seconds:g} s") from error

    async def release(self) -> None:
        """Releases the lease, so that another takes over without waiting for it to expire. Never raises ApiError.

        Only to be called once all that only the leader may do has ended, ``renew`` included.
        """
        if self._seen is None or not self.is_leading:
            return
        self._cease()
        try:
            try:
                await self._write(self._seen, "")
            except ConflictError:
                # The last renewal was cut short, and has taken place all the same.
                found = await self._client.get(Lease, self._key, timeout_seconds=self._timing.call_timeout_seconds)
                if found.spec.holder_identity == self._name:
                    await self._write(found, "")
        except RuntimeLayerError as error:
            log.info("Lease not released, others wait for it to expire", lease=str(self._key), error=str(error))

    # --- One try -------------------------------------------------------------------------------------------------

    async def _try(self) -> bool:
        """Acquires or renews the lease, if that can be done now. Raises LeaseLostError when another has taken it."""
        try:
            return await self._renew_what_was_seen() or await self._look_and_take()
        except (AlreadyExistsError, ConflictError) as error:
            log.debug("Another process has written to the lease", lease=str(self._key), error=str(error))
        except RuntimeLayerError as error:
            if isinstance(error, LeaseLostError):
                raise
            log.warning("Lease could not be read or written", lease=str(self._key), error=str(error))
        return False

    async def _renew_what_was_seen(self) -> bool:
        """The common case of a leader: one write, no read. False when another process has written in between."""
        if self._seen is None or not self.is_leading:
            return False
        try:
            await self._take(self._seen)
        except (ConflictError, NotFoundError):
            return False
        return True

    async def _look_and_take(self) -> bool:
        """Reads the lease, and takes it if no other process has it."""
        try:
            found = await self._client.get(Lease, self._key, timeout_seconds=self._timing.call_timeout_seconds)
        except NotFoundError:
            await self._take(Lease(metadata=ObjectMeta(name=self._key.name, namespace=self._key.namespace)))
            return True
        self._see(found)
        holder = found.spec.holder_identity
        if holder and holder != self._name:
            if self.is_leading:
                raise self._lost(f"{one_line(holder, MAX_NAME)} has taken it")
            if loop_time() < self._expires_at(found.spec):
                return False
            log.info("The lease of another process has expired", lease=str(self._key), holder=holder)
        await self._take(found)
        return True

    async def _take(self, lease: Lease) -> None:
        """Writes this process into the lease."""
        sent_at = loop_time()
        written = await self._write(lease, self._name)
        if written.spec.holder_identity != self._name:
            # Not what was written: a proxy's answer to another request, say. Whether it was written is not known.
            raise UnusableAnswerError("update", Lease.resource, self._key, "the answer does not name this holder")
        self._see(written)
        self._renewed_at = sent_at

    async def _write(self, lease: Lease, holder: str) -> Lease:
        """Writes ``holder`` into the lease; empty: no process."""
        there, now = lease.spec, self._now()
        is_renewal = there.holder_identity == holder
        changes_hands = bool(holder) and not is_renewal and lease.metadata.resource_version != ""
        # A copy, so that what newer API servers have beside these (strategy, preferredHolder) stays.
        spec = there.model_copy(
            update={
                "holder_identity": holder,
                # A released lease is free at once; API servers take no duration of 0.
                "lease_duration_seconds": self._timing.lease_duration_seconds if holder else 1,
                "acquire_time": there.acquire_time if is_renewal else now,
                "renew_time": now,
                "lease_transitions": min((there.lease_transitions or 0) + changes_hands, MAX_TRANSITIONS),
            }
        )
        wanted = lease.model_copy(update={"spec": spec})
        send = self._client.update if lease.metadata.resource_version else self._client.create
        return await send(wanted, timeout_seconds=self._timing.call_timeout_seconds)

    # --- What is known -------------------------------------------------------------------------------------------

    def _see(self, lease: Lease) -> None:
        if self._seen is None or self._seen.spec != lease.spec:
            self._changed_at = loop_time()
        self._seen = lease

    def _expires_at(self, spec: LeaseSpec) -> float:
        """When another's lease may be taken: the duration is the holder's, counted from the last change seen here."""
        return self._changed_at + (spec.lease_duration_seconds or self._timing.lease_duration_seconds)

    def _deadline(self) -> float:
        return (self._renewed_at or 0.0) + self._timing.renew_deadline_seconds

    def _lost(self, why: str) -> LeaseLostError:
        self._cease()
        return LeaseLostError(f"lease {self._key} is lost: {why}. This process ends, so that another can lead")

    def _cease(self) -> None:
        self._renewed_at = None
        self._status.set(0)
        self._tell("stopped leading")

    def _tell(self, what: str) -> None:
        if self._events is not None and self._seen is not None:
            self._events.event(self._seen, "Normal", REASON, f"{self._name} {what}")
