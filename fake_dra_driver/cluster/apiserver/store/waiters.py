"""Who waits for the next event of a resource, and which events each of them is waiting for.

In a cluster of hundreds of nodes each kubelet and each plugin watches objects of its own node alone. If all of them
were woken for each event, a pod that starts would cost as much for each other node as for the one that it is on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

__all__ = ["EVERYTHING", "Interest", "Waiters"]


class Interest(NamedTuple):
    """Objects in which a field has a value."""

    path: str
    """Empty: any object."""
    value: str


EVERYTHING: Final = Interest("", "")


class Waiters:
    """Those of one resource."""

    def __init__(self) -> None:
        # By path and value, each in order of arrival, so that a seed gives the same run each time.
        self._waiting: defaultdict[str, dict[str, dict[asyncio.Future[int], None]]] = defaultdict(dict)

    @contextmanager
    def waiting(self, interest: Interest) -> Iterator[asyncio.Future[int]]:
        """Something to wait for while the block runs: it is done as soon as there is an event of that interest.

        Its result is a revision up to which there was none, as far as that is known.
        """
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        of_path = self._waiting[interest.path]
        of_path.setdefault(interest.value, {})[waiter] = None
        try:
            yield waiter
        finally:
            del of_path[interest.value][waiter]
            if not of_path[interest.value]:
                del of_path[interest.value]

    def wake(self, values_of: Callable[[str], Iterable[str]], before: int) -> None:
        """Wakes those whose interest an event is in.

        Args:
            values_of: what is at a path in the event.
            before: the revision before it; 0: events are held back, and may have been before.
        """
        for path, of_path in self._waiting.items():
            if of_path:
                for value in dict.fromkeys(values_of(path)) if path else ("",):
                    _wake(of_path.get(value, ()), before)

    def wake_all(self, before: int) -> None:
        """Wakes all that sleep still. ``before`` is as in ``wake``."""
        for of_path in self._waiting.values():
            for waiters in of_path.values():
                _wake(waiters, before)


def _wake(waiters: Iterable[asyncio.Future[int]], before: int) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(before)
