"""What can go wrong with a request, or at the moment of one: every fault that a process has to live with.

A mishap happens at one request of one process, read or write, counted from its start. Some of them are faults of that
request; others happen to the whole cluster at that moment.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from tests.crash.scenery import Scenery

__all__ = ["MISHAPS", "Mishap", "Requests"]

Mishap = Callable[[Scenery], Fault | None]
"""Does it; returns what goes wrong with the request itself."""

_AWHILE_SECONDS = 5.0
_LONG_SECONDS = 30.0
"""Longer than the deadline of a call."""


def _faulty(fault: Fault) -> Mishap:
    return lambda _: fault


def _watches_drop(stage: Scenery) -> None:
    stage.server.drop_watches()


def _history_is_compacted(stage: Scenery) -> None:
    stage.server.compact()
    stage.server.drop_watches()


def _server_restarts(stage: Scenery, *, down_seconds: float) -> None:
    """The request at which it happens has been carried out, and gets no answer."""
    server = stage.server
    server._is_up = False
    server._parts.reading.end_watches(cut=True)
    server.faults.break_off()

    def start() -> None:
        server._parts.store.restart()
        server._is_up = True

    stage.later(down_seconds, start)


def _clock_jumps(stage: Scenery, *, hours: float) -> None:
    stage.skew += timedelta(hours=hours)


def _events_are_late(stage: Scenery, *, kinds: tuple[str, ...], seconds: float) -> None:
    """Those of the given resources alone, so that others overtake them: order is kept only within a resource."""
    collections = [
        collection
        for (_, plural), collection in stage.server._parts.store._collections.items()
        if not kinds or plural in kinds
    ]
    for collection in collections:
        collection.is_held = True

    def release() -> None:
        for collection in collections:
            collection.is_held = False
            collection.wake()

    stage.later(seconds, release)


def _events_come_twice(stage: Scenery) -> None:
    stage.repeats_events = True


MISHAPS: Mapping[str, Mishap] = {
    "409": _faulty(Fault.answer(409)),
    "429": _faulty(Fault.answer(429)),
    "500": _faulty(Fault.answer(500)),
    "500 though it was carried out": _faulty(Fault.answer(500, after=True)),
    "503": _faulty(Fault.answer(503)),
    "503 though it was carried out": _faulty(Fault.answer(503, after=True)),
    "504 though it was carried out": _faulty(Fault.answer(504, after=True)),
    "timeout": _faulty(Fault.timeout()),
    "timeout though it was carried out": _faulty(Fault.timeout(after=True)),
    "reset": _faulty(Fault.reset()),
    "reset though it was carried out": _faulty(Fault.reset(after=True)),
    "slow": _faulty(Fault.slow(_AWHILE_SECONDS)),
    "slow answer, after the events of the write": _faulty(Fault.slow(_AWHILE_SECONDS, after=True)),
    "watches drop": _watches_drop,
    "410, history is compacted": _history_is_compacted,
    "all events late": partial(_events_are_late, kinds=(), seconds=_LONG_SECONDS),
    "claims' events late": partial(_events_are_late, kinds=("resourceclaims",), seconds=_AWHILE_SECONDS),
    "ledgers' events late": partial(_events_are_late, kinds=("nodeallocationstates",), seconds=_AWHILE_SECONDS),
    "pods' events late": partial(_events_are_late, kinds=("pods", "podschedulingcontexts"), seconds=_AWHILE_SECONDS),
    "events twice": _events_come_twice,
    "server restarts": partial(_server_restarts, down_seconds=0.5),
    "server is away for a while": partial(_server_restarts, down_seconds=_LONG_SECONDS),
    "clock goes forward": partial(_clock_jumps, hours=30),
    "clock goes back": partial(_clock_jumps, hours=-30),
}


class Requests:
    """Counts the requests of a process, and lets a mishap happen at one of them.

    Args:
        user_agent: whose requests.
        strike_at: which of them, counted from 0; None: none.
        mishap: what happens then.
    """

    def __init__(self, user_agent: str, strike_at: int | None = None, mishap: Mishap = lambda _: None) -> None:
        self._user_agent = user_agent
        self._strike_at = strike_at
        self._mishap = mishap
        self.taken: list[str] = []
        """What each request was."""

    @property
    def has_struck(self) -> bool:
        """Whether the position was reached."""
        return self._strike_at is not None and len(self.taken) > self._strike_at

    @contextmanager
    def watched(self, stage: Scenery) -> Iterator[None]:
        """Within the block, requests are counted, and the mishap can happen; afterwards the server is as before."""

        def hook(target: Target, request: Request) -> Fault | None:
            if request.header("user-agent") != self._user_agent:
                return None
            number = len(self.taken)
            self.taken.append(f"{target.verb} {target.resource.plural} {target.name} {target.subresource}".strip())
            return self._mishap(stage) if number == self._strike_at else None

        try:
            with stage.server.faults.injected(hook):
                yield
        finally:
            stage.hasten()
