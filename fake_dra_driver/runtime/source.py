"""What a controller needs from an informer, so that it runs on anything that reports changes.

Follows controller-runtime's source, handler and predicate packages.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.runtime.reconcile import Request
from fake_dra_driver.runtime.store import Change

__all__ = ["Mapper", "Predicate", "Source"]

S = TypeVar("S", bound=KubeObject)

Mapper = Callable[[Change[S]], Iterable[Request]]
"""From a change of a watched object to the objects that have to be looked at because of it."""
Predicate = Callable[[Change[S]], bool]
"""Whether a change matters at all."""


class Source(Protocol[S]):
    """Reports changes of the objects of one kind; an ``Informer`` is one."""

    kind: type[S]

    def subscribe(self, handler: Callable[[Change[S]], None]) -> None:
        """Calls ``handler`` for each object that is there, and from then on for each change."""
        ...
