"""The process that a program runs in: one of its own, or one that it shares with others (``hosting.server``).

Here a program asks for what a process has of everyone's own, and a shared process of each program's: the environment,
signals, and what the system takes back when it ends, however it ends. Standard error is ``sys.stderr`` in either.
Everything else is one for all who share it: folder, user, limits, the garbage collector, the figures of the process.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Release", "SharedProcess", "environment", "release_at_end", "shared_process", "stop_signals"]

SignalHandler = Callable[[signal.Signals], None]
Release = Callable[[], Awaitable[object] | None]
"""Gives something back to the system, as the end of a process does: closes a descriptor and leaves files alone."""


class SharedProcess(Protocol):
    """What a process that is shared is to one of its programs."""

    environment: Mapping[str, str]
    handlers: dict[int, SignalHandler]
    """By number of the signal. Of any other the program ends."""
    releases: dict[object, Release]
    """What is given back when the program has ended; the last comes first. Keys are tokens."""


shared_process: ContextVar[SharedProcess | None] = ContextVar("shared_process", default=None)
"""The process that the running program shares; None where it has its own."""


def environment() -> Mapping[str, str]:
    """The environment variables of the program."""
    shared = shared_process.get()
    return os.environ if shared is None else shared.environment


def release_at_end(release: Release) -> Callable[[], None]:
    """Has something given back when a program that shares its process has ended, and had no chance to do so itself.

    Returns:
        A function that forgets it: to be called where it is given back earlier.
    """
    shared = shared_process.get()
    if shared is None:
        return _nothing
    token, releases = object(), shared.releases
    releases[token] = release
    return lambda: releases.pop(token, None) and None


@contextmanager
def stop_signals(numbers: Sequence[signal.Signals], handle: SignalHandler) -> Iterator[None]:
    """Hands the first of these signals to ``handle`` while the block runs; the next ends the program at once.

    That is what a signal does to a program without handlers.
    """
    shared = shared_process.get()
    with _of_own_process(numbers, handle) if shared is None else _of_shared_process(shared, numbers, handle):
        yield


@contextmanager
def _of_own_process(numbers: Sequence[signal.Signals], handle: SignalHandler) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def first(number: signal.Signals) -> None:
        for one in numbers:
            loop.remove_signal_handler(one)
            signal.signal(one, signal.SIG_DFL)
        handle(number)

    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        loop.add_signal_handler(number, first, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _of_shared_process(
    shared: SharedProcess, numbers: Sequence[signal.Signals], handle: SignalHandler
) -> Iterator[None]:
    def first(number: signal.Signals) -> None:
        forget()
        handle(number)

    def forget() -> None:
        for number in numbers:
            shared.handlers.pop(number, None)

    shared.handlers.update(dict.fromkeys(numbers, first))
    try:
        yield
    finally:
        forget()


def _nothing() -> None:
    pass
