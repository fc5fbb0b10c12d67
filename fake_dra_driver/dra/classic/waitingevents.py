"""Tells people why a claim waits: on the claim, and on the pods that wait for it, where they look first.

Of a pod whose claim is not allocated the scheduler says no more than that it waits for the resource driver.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.cache import Change
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Result

__all__ = ["REPEAT_SECONDS", "WaitingEvents"]

REPEAT_SECONDS: Final = 1800.0
"""When the same is told again, while it holds: the API server deletes an Event an hour after its last change
(--event-ttl)."""


@dataclass(frozen=True, slots=True)
class _Told:
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

    def tell(self, claim: ResourceClaim, reason: Reason, message: str) -> Result:
        """Tells the claim, and its pods, unless they know. The result says when to look at the claim again."""
        before, now = self._told.get(claim.uid, {}), loop_time()
        told: dict[UID, _Told] = {}
        on_pods = f"claim {claim.metadata.name}: {message}"
        for about, text in ((claim, message), *((pod, on_pods) for pod in self._caches.waiting_pods(claim))):
            last = before.get(about.uid)
            if last is None or last.text != text or now - last.at >= REPEAT_SECONDS:
                reason.tell(self._events, about, text)
                last = _Told(text, now)
            told[about.uid] = last
        self._told[claim.uid] = told
        return Result(requeue_after=REPEAT_SECONDS)

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
