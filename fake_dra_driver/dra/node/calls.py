"""What the kubelet's calls have in common, whichever gRPC version they came in: the way from a call to the NodeDriver.

The kubelet (pkg/kubelet/cm/dra) looks at nothing but the answer, so the rules are kept here, once:

- Claims of one call are handled at the same time; each gets an outcome of its own, also the ones that make no sense.
- One claim is never worked on twice at once. A call that repeats what is being done already gets that outcome; the
  opposite call waits until it is done. This is the lock that ``NodeDriver`` relies on.
- Work is not tied to its call. A kubelet that restarts, or whose deadline passes, cancels the call; the work goes on,
  so that nothing is left half done, and the next attempt finds it finished.
- An answer comes before the kubelet's deadline (10 s in 1.27, 45 s after), even if it is only that more time is needed.
- An unexpected exception is that claim's error and one log line with its traceback; the process lives.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Literal, Protocol, Self, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.failurereason import FailureReason
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
from fake_dra_driver.untrustedtext import one_line

__all__ = ["SUCCESS", "CallObserver", "ClaimCalls", "Failure", "FailureHandler", "Outcome", "Verb"]

log = logger.bind(component="calls")

ClaimT = TypeVar("ClaimT", bound=NodeClaim)
ClaimT_contra = TypeVar("ClaimT_contra", bound=NodeClaim, contravariant=True)
"""A claim as calls name it. What takes any claim also takes those of calls that say more about theirs."""

Verb = Literal["prepare", "unprepare"]

DEFAULT_ANSWER_LIMIT_SECONDS = 40.0
"""For a caller that sets no deadline; below the 45 s of kubelets since 1.28."""

SUCCESS = "success"
"""Result of a claim that went well, beside the values of FailureReason."""

_DEADLINE_SHARE = 0.9
"""Share of a caller's deadline that may be used; the rest is for the way back on a busy node."""

MAX_CLAIMS = 256
"""Claims in one call. All claims of one pod come together; no pod has nearly as many."""

MAX_MESSAGE = 512
"""Characters of what is wrong with a claim, which may quote what others wrote. In v1alpha2 it goes into a gRPC trailer,
of which gRPC takes 8 KiB: a character has up to four bytes, and each of them is spelled in three (``%F0``)."""

MAX_LOGGED = 128
"""Characters of a claim's UID in a log line, where the UID is garbage."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The outcome of a claim that went wrong, in words for the pod's events."""

    reason: FailureReason
    message: str


Outcome = tuple[ReadyDevice, ...] | Failure
"""The claim's devices (none after unprepare), or what went wrong."""


class CallObserver(Protocol):
    """Is told of claims, for metrics; must take constant time, and must not raise."""

    def worked(self, verb: Verb, result: str, seconds: float) -> None:
        """A piece of work is done: ``success`` or the value of a FailureReason, and how long it took."""
        ...

    def answered(self, verb: Verb, result: str) -> None:
        """The kubelet got an answer for a claim; several may come of one piece of work."""
        ...


class _SilentObserver(CallObserver):
    @override
    def worked(self, verb: Verb, result: str, seconds: float) -> None:
        pass

    @override
    def answered(self, verb: Verb, result: str) -> None:
        pass


FailureHandler = Callable[[Verb, NodeClaim, str], None]
"""Is told, for people, that the driver has refused a claim or has a defect, in the words that the kubelet gets.

Must take constant time, and must not raise.
"""


@dataclass(frozen=True, slots=True)
class _Work(Generic[ClaimT]):
    verb: Verb
    claim: ClaimT
    task: asyncio.Task[Outcome]


class ClaimCalls(Generic[ClaimT_contra]):
    """Hands claims to a NodeDriver under the rules above. An async context manager: leaving it ends what still runs."""

    def __init__(
        self,
        driver: NodeDriver[ClaimT_contra],
        *,
        answer_limit_seconds: float = DEFAULT_ANSWER_LIMIT_SECONDS,
        observer: CallObserver | None = None,
        on_failure: FailureHandler = lambda _verb, _claim, _message: None,
        doing: Callable[[UID], str] = lambda _uid: "",
    ) -> None:
        self._driver = driver
        self._answer_limit_seconds = answer_limit_seconds
        self._observer = observer or _SilentObserver()
        self._on_failure = on_failure
        self._doing = doing
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[Outcome]] = set()
        self._latest: dict[UID, _Work[ClaimT_contra]] = {}
        """The newest work on each claim; what is older runs before it."""

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        # The caller's exception is not the tasks' business, and a TaskGroup would wrap it in an ExceptionGroup.
        await self._tasks.__aexit__(None, None, None)

    async def drain(self, timeout_seconds: float) -> None:
        """Waits until nothing runs any more, but no longer than this."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)

    async def run(
        self, verb: Verb, claims: Sequence[ClaimT_contra], remaining_seconds: float | None
    ) -> Mapping[str, Outcome]:
        """Prepares or unprepares all of the claims of one call and returns the outcome of each, by its UID.

        Never raises for what is in a claim or what the driver does with it.

        Args:
            verb: What to do.
            claims: As they came in, unchecked.
            remaining_seconds: Until the caller's deadline; None when it has none.
        """
        limit = self._answer_limit_seconds
        if remaining_seconds is not None:
            limit = min(limit, max(0.0, remaining_seconds) * _DEADLINE_SHARE)
        wanted, outcomes = _sort_out(verb, claims)
        works = {uid: self._start(verb, claim) for uid, claim in wanted.items()}
        if works:
            # Not gather or wait_for: those would cancel the work when this call is cancelled or late.
            await asyncio.wait(works.values(), timeout=limit)
        for uid, task in works.items():
            outcomes[uid] = _outcome_of(task, verb, wanted[uid], limit, self._doing)
        for outcome in outcomes.values():
            self._observer.answered(verb, _result_of(outcome))
        return outcomes

    def _start(self, verb: Verb, claim: ClaimT_contra) -> asyncio.Task[Outcome]:
        before = self._latest.get(claim.uid)
        if before is not None and (before.verb, before.claim) == (verb, claim):
            return before.task
        task = self._tasks.create_task(
            self._perform(verb, claim, before.task if before else None), name=f"{verb} {claim.uid}"
        )
        work = _Work(verb, claim, task)
        self._latest[claim.uid] = work
        self._running.add(task)
        task.add_done_callback(lambda _task: self._forget(work))
        return task

    def _forget(self, work: _Work[ClaimT_contra]) -> None:
        self._running.discard(work.task)
        if self._latest.get(work.claim.uid) is work:
            del self._latest[work.claim.uid]

    async def _perform(self, verb: Verb, claim: ClaimT_contra, before: asyncio.Task[Outcome] | None) -> Outcome:
        if before is not None:
            await asyncio.wait((before,))
        started = asyncio.get_running_loop().time()
        with logger.contextualize(claim=str(claim), claim_uid=claim.uid):
            outcome = await self._ask_driver(verb, claim)
        self._observer.worked(verb, _result_of(outcome), asyncio.get_running_loop().time() - started)
        if isinstance(outcome, Failure):
            self._on_failure(verb, claim, outcome.message)
        return outcome

    async def _ask_driver(self, verb: Verb, claim: ClaimT_contra) -> Outcome:
        try:
            if verb == "prepare":
                devices = tuple(await self._driver.prepare(claim))
                log.info("Claim prepared", devices=len(devices))
                return devices
            await self._driver.unprepare(claim)
            log.info("Claim unprepared")
            return ()
        except PrepareError as e:
            log.warning("Claim refused", verb=verb, error=str(e))
            return Failure(FailureReason.REFUSED, one_line(str(e), MAX_MESSAGE) or f"{verb} failed")
        except Exception as e:  # noqa: BLE001 - whatever goes wrong with one claim must not take the node's other claims down
            log.opt(exception=e).error("Unexpected exception", verb=verb)
            said = one_line(f"{type(e).__name__}: {e}", MAX_MESSAGE)
            message = f"internal error: {said}; the log of the kubelet plugin has more"
            return Failure(FailureReason.INTERNAL, message)


def _sort_out(verb: Verb, claims: Sequence[ClaimT]) -> tuple[dict[UID, ClaimT], dict[str, Outcome]]:
    """The claims to work on, and the outcome of those that make no sense."""
    wanted: dict[UID, ClaimT] = {}
    outcomes: dict[str, Outcome] = {}
    for claim in claims:
        problem = claim.problem()
        if len(claims) > MAX_CLAIMS:
            problem = f"the call names {len(claims)} claims, at most {MAX_CLAIMS} are allowed"
        # A pod that lists one claim under two names makes the kubelet send it twice, which is fine. Kubelets of classic
        # DRA also send a claim once for each of its resource handles: several of one driver have no meaning. To
        # unprepare, the identity is enough.
        if problem is None and verb == "prepare" and wanted.get(claim.uid, claim) != claim:
            problem = "the call names this UID twice, with different contents"
        if problem is not None:
            log.warning("Claim of a call is invalid", verb=verb, claim_uid=claim.uid[:MAX_LOGGED], error=problem)
            outcomes[claim.uid] = Failure(FailureReason.INVALID, problem)
        else:
            wanted.setdefault(claim.uid, claim)
    return {uid: claim for uid, claim in wanted.items() if uid not in outcomes}, outcomes


def _result_of(outcome: Outcome) -> str:
    return outcome.reason.value if isinstance(outcome, Failure) else SUCCESS


def _outcome_of(
    task: asyncio.Task[Outcome], verb: Verb, claim: NodeClaim, limit_seconds: float, doing: Callable[[UID], str]
) -> Outcome:
    if not task.done():
        slow = doing(claim.uid)
        goes_on = f"goes on: {slow}" if slow else "goes on"
        log.warning(
            "Claim takes long",
            verb=verb,
            claim=str(claim),
            claim_uid=claim.uid,
            seconds=round(limit_seconds, 1),
            doing=slow,
        )
        return Failure(
            FailureReason.TOO_SLOW,
            f"{verb} takes longer than {limit_seconds:.1f} s and {goes_on}; the kubelet's next attempt gets its result",
        )
    if task.cancelled():
        return Failure(FailureReason.STOPPING, "the kubelet plugin is being stopped; try again when it is back")
    return task.result()
