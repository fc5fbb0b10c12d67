"""Waiting for a real cluster: the one place where these tests let time pass.

A cluster gives no signal that "everything has settled", so a probe is asked again until it holds or the deadline is
over. The pause between two questions only keeps kubectl from taking the machine's time; it grows from short to long, as
most of what is waited for happens at once.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.e2e.client import ClientError

__all__ = ["NotYetError", "let_pass", "patience", "wait_until"]

T = TypeVar("T")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.3
_patience = 1.0


class NotYetError(AssertionError):
    """Raised by a probe that does not hold yet; the message says what it found instead."""


@contextmanager
def patience(factor: float) -> Iterator[None]:
    """All deadlines are this much longer within the block: for a machine that has other work to do at the same time."""
    global _patience
    before, _patience = _patience, factor
    try:
        yield
    finally:
        _patience = before


def wait_until(what: str, probe: Callable[[], T], seconds: float) -> T:
    """Returns what ``probe`` returns, as soon as it returns something true and fails no assertion and no command.

    The cluster may fail to answer for a while: an API server that was just killed refuses connections until it is back.

    Raises:
        NotYetError: the deadline is over; the message has what the probe found last.
    """
    seconds *= _patience
    end = time.monotonic() + seconds
    pause, pause_seconds = threading.Event(), _FIRST_PAUSE_SECONDS
    while True:
        try:
            found: object = None
            if result := probe():
                return result
            found = result
        except (AssertionError, ClientError) as error:
            found = error
        if time.monotonic() > end:
            raise NotYetError(f"{what}: not within {seconds:.0f} s; last: {found}") from None
        pause.wait(pause_seconds)
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


def let_pass(seconds: float) -> None:
    """Lets time pass, for what is about time itself: a peer that hangs."""
    threading.Event().wait(seconds)
