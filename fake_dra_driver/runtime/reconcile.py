"""What a reconciler is: it gets the key of an object, reads everything, compares, and writes the difference.

Follows controller-runtime's reconcile package. A reconciler is level-triggered: it is told which object to look at,
never what has happened, so an event that was missed, doubled or late changes nothing.
"""

from dataclasses import dataclass
from typing import Protocol

from fake_dra_driver.api.kube.meta import NamespacedName

__all__ = ["Reconciler", "Request", "Result"]

Request = NamespacedName
"""Which object to look at. A frozen value, so that the work queue can tell whether it has it already."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a reconciler that did not fail wants next."""

    requeue_after: float | None = None
    """Seconds until the object is to be looked at again; 0 or less means at once, None not before it changes.

    A change that comes earlier takes this wish's place (the queue holds one entry for a key), so each pass that still
    wants it has to return it again.
    """


class Reconciler(Protocol):
    """Brings the world in line with one object."""

    async def reconcile(self, request: Request) -> Result:
        """Looks at the object and does what is to do. The object may be gone.

        Never runs twice at once for the same request. May be cancelled at every await when the program stops, so the
        next pass has to be able to go on from there.

        Raises:
            ConflictError, RetryError: what it saw is outdated; tried again soon and quietly.
            TerminalError, InvalidObjectError: not tried again before the object changes.
            Exception: anything else is logged, and tried again with growing pauses.
        """
        ...
