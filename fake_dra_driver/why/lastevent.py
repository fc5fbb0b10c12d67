"""What the cluster itself has said last about a pod."""

from collections.abc import Sequence
from datetime import datetime

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.why.report import Told

__all__ = ["last_told"]


def last_told(events: Sequence[Event], pod: Pod | None) -> Told | None:
    """The latest Event of the scheduler about the pod; once it has a node, the latest of anyone."""
    if pod is None:
        return None
    about = [each for each in events if each.involved_object.uid in ("", pod.uid)]
    if not pod.spec.node_name:
        about = [each for each in about if each.reason == "FailedScheduling"]
    # Times are in whole seconds, and Events of one second are listed in the order in which they were made.
    latest = max(reversed(about), key=_last_seen, default=None)
    if latest is None:
        return None
    return Told(
        reason=latest.reason,
        message=latest.message,
        component=latest.source.component or latest.reporting_component,
        count=latest.count,
        last_seen=_seen_at(latest),
    )


def _seen_at(event: Event) -> datetime | None:
    return event.last_timestamp or event.first_timestamp or event.metadata.creation_timestamp


def _last_seen(event: Event) -> float:
    at = _seen_at(event)
    return at.timestamp() if at is not None else 0.0
