"""Tells people why a claim waits: on the claim, and on the pods that wait for it, where they look first.

Of a pod whose claim is not allocated the scheduler says no more than that it waits for the resource driver.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.cache import Change
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Result

__all__ = ["PAUSE_SECONDS", "REPEAT_SECONDS", "WaitingEvents"]

REPEAT_SECONDS: Final = 1800.0
"""When the same is told again, while it holds: the API server deletes an Event an hour after its last change
(--event-ttl)."""


PAUSE_SECONDS: Final = 30.0
"""How long a text about devices stays before another one of the same reason follows.

Each device that is taken or released changes what all the claims that wait are to be told; while many are, such as when
a node is drained, only the latest counts."""


@dataclass(frozen=True, slots=True)
class _Told:
    reason: Reason
    text: str
    at: float


class WaitingEvents:
    """Tells each object the same thing once in a while, however many passes find it.

    What was told is remembered while the claim waits. A process that starts tells it once more.
    """

    def __init__(self, caches: ClassicCaches, events: EventSink) -> None:
        self._caches = caches
        self._events = events
        self._told: dict[UID, dict[UID, _Told]] = {}
        """By claim, what it and its pods were told last, by their UIDs."""
        caches.claims.subscribe(self._forget_ended)

    def tell(
        self, claim: ResourceClaim, reason: Reason, describe: Callable[[], str], *, pause_seconds: float = 0.0
    ) -> Result:
        """Tells the claim, and its pods, unless they know. The result says when to look at the claim again.

        Args:
            claim: without an allocation.
            reason: why it waits.
            describe: the message, which is asked for only when an object is to be told.
            pause_seconds: how long an object is told nothing else for the same reason.
        """
        before, now = self._told.get(claim.uid, {}), loop_time()
        abouts: list[KubeObject] = [claim, *self._caches.waiting_pods(claim)]
        told = {about.uid: before[about.uid] for about in abouts if about.uid in before}
        pauses = [last.at + pause_seconds - now for last in told.values() if last.reason == reason]
        due = [about for about in abouts if not _is_pausing(told.get(about.uid), reason, now - pause_seconds)]
        message = describe() if due else ""
        for about in due:
            text = message if about is claim else f"claim {claim.metadata.name}: {message}"
            last = told.get(about.uid)
            if last is None or last.text != text or now - last.at >= REPEAT_SECONDS:
                reason.tell(self._events, about, text)
                told[about.uid] = _Told(reason, text, now)
        self._told[claim.uid] = told
        return Result(requeue_after=min((left for left in pauses if left > 0), default=REPEAT_SECONDS))

    def forget(self, claim: ResourceClaim) -> None:
        """The claim waits no more, or for something that is not told here."""
        self._told.pop(claim.uid, None)

    def claims_of_pod(self, change: Change[Pod]) -> Iterable[NamespacedName]:
        """The claims that a pod has begun to wait for, of which there is something to tell it."""
        before = frozenset(() if change.old is None else claim_keys(change.old))
        after = () if change.new is None else claim_keys(change.new)
        claims = [self._caches.claims.get(key) for key in after if key not in before]
        return [claim.key for claim in claims if claim is not None and claim.uid in self._told]

    def _forget_ended(self, change: Change[ResourceClaim]) -> None:
        if change.old is not None and (change.new is None or change.new.status.allocation is not None):
            self.forget(change.old)


def _is_pausing(last: _Told | None, reason: Reason, since: float) -> bool:
    """Whether the object was told something for the same reason after that time."""
    return last is not None and last.reason == reason and last.at > since
