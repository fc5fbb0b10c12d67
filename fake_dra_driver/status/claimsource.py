"""What a mode of DRA tells the report: the seam between ``build`` and ``classic`` or ``structured``."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import UID, KubeObject
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.status.poolfacts import PoolFacts
from fake_dra_driver.status.report import ClaimReport, Told, WaitingClaim
from fake_dra_driver.untrustedtext import short_name

__all__ = ["ClaimSource", "claim_report", "class_not_found", "latest_creation", "told_about", "warnings_about_claims"]

WARNINGS_ABOUT_CLAIMS: Final = "involvedObject.kind=ResourceClaim,type=Warning"
EVENTS_BY_CLAIM: Final = "claim"


StateT_contra = TypeVar("StateT_contra", bound=KubeObject, contravariant=True)
EntryT_co = TypeVar("EntryT_co", covariant=True)


class ClaimSource(Protocol[StateT_contra, EntryT_co]):
    """Claims, and what they hold and wait for."""

    @property
    def informers(self) -> tuple[Informer[Any], ...]:
        """Everything that is read for it."""
        ...

    def entries_of(self, state: StateT_contra) -> Mapping[str, EntryT_co]:
        """By UID: what claims hold of a node."""
        ...

    def unpublished_reason(self, state: StateT_contra) -> str | None:
        """Why no claim can get the devices of a node, though its plugin said that it serves; None where claims can."""
        ...

    def pool(self, state: StateT_contra) -> PoolFacts:
        """What is known of the devices of a node beyond what its NodeAllocationState says."""
        ...

    def unrecorded(self, state: StateT_contra) -> Sequence[str]:
        """The claims that are allocated on a node and should be on its record, and are not."""
        ...

    def claim(self, uid: UID) -> ClaimReport:
        """Who a claim is."""
        ...

    def told(self, uid: UID) -> Told | None:
        """The latest warning that the driver has reported about a claim, as an Event."""
        ...

    def waiting(self) -> tuple[Sequence[WaitingClaim], int]:
        """The claims that wait, by namespace and name, and how many have no devices and no pod that wants them."""
        ...


def claim_report(claims: Informer[Any], uid: UID) -> ClaimReport:
    """Who a claim is, by a cache of the claims of either mode."""
    try:
        claim = claims.by_uid(uid)
    except InvalidObjectError as error:
        return ClaimReport(uid=uid, namespace=error.key.namespace, name=error.key.name)
    if claim is None:
        return ClaimReport(uid=uid, exists=False)
    pods = tuple(consumer.name for consumer in claim.status.reserved_for)
    return ClaimReport(uid=uid, namespace=claim.metadata.namespace, name=claim.metadata.name, pods=pods)


def class_not_found(kind: str, missing: Sequence[str], ours: Sequence[str]) -> str:
    """What to say of a claim whose class does not exist, which no driver serves.

    Args:
        kind: of the class.
        missing: names of the classes that do not exist.
        ours: names of the classes of this driver.
    """
    verb, them = ("does", "it") if len(missing) == 1 else ("do", "them")
    # What a claim asks for cannot be changed.
    instead = f", or make the claim again with class {' or '.join(ours)}" if ours else ""
    names = " and ".join(short_name(name) for name in missing)
    return f"{kind} {names} {verb} not exist, or cannot be read: create {them}{instead}"


def latest_creation(*objects: KubeObject | None) -> datetime | None:
    """When the latest of the objects was created."""
    times = [obj.metadata.creation_timestamp for obj in objects if obj is not None]
    return max((time for time in times if time is not None), default=None)


def warnings_about_claims(cache: Cache) -> Informer[Event]:
    """The Events in which ``told_about`` looks."""
    events = cache.informer(Event, field_selector=WARNINGS_ABOUT_CLAIMS)
    events.add_index(EVENTS_BY_CLAIM, lambda event: (event.involved_object.uid,))
    return events


def told_about(events: Informer[Event], component: str, uid: UID) -> Told | None:
    """The latest warning about a claim that has this source: a driver's ``event_component``."""
    found = [event for event in events.by_index(EVENTS_BY_CLAIM, uid) if event.source.component == component]
    if not found:
        return None
    latest = max(found, key=_last_seen)
    return Told(reason=latest.reason, message=latest.message, count=latest.count, last_seen=latest.last_timestamp)


def _last_seen(event: Event) -> float:
    return event.last_timestamp.timestamp() if event.last_timestamp is not None else 0
