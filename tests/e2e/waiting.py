"""Waiting for a real cluster: the one place where these tests let time pass.

A cluster gives no signal that "everything has settled", so a probe is asked again until it holds or the deadline is
over. The pause between two questions only keeps kubectl from taking the machine's time.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tests.e2e.kubectl import KubectlError

__all__ = ["NotYetError", "let_pass", "wait_until"]

T = TypeVar("T")

_PAUSE_SECONDS = 0.3


class NotYetError(AssertionError):
    """Raised by a probe that does not hold yet; the message says what it found instead."""


def wait_until(what: str, probe: Callable[[], T], seconds: float) -> T:
    """Returns what ``probe`` returns, as soon as it returns something true and fails no assertion and no kubectl.

    A kubectl command may fail for a while: an API server that was just killed refuses connections until it is back.

    Raises:
        NotYetError: the deadline is over; the message has what the probe found last.
    """
    end = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        try:
            found: object = None
            if result := probe():
                return result
            found = result
        except (AssertionError, KubectlError) as error:
            found = error
        if time.monotonic() > end:
            raise NotYetError(f"{what}: not within {seconds:.0f} s; last: {found}") from None
        pause.wait(_PAUSE_SECONDS)


def let_pass(seconds: float) -> None:
    """Lets time pass, for what is about time itself: a peer that hangs."""
    threading.Event().wait(seconds)
