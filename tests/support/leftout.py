"""Tests that cannot run on this machine: left out when tests are collected, and counted at the end in capitals.

A skipped test is easily overlooked, a missing one even more so. This tells how many there are and what they need. With
pytest-xdist each worker collects everything, and the process that prints collects nothing: it hears from the workers.
"""

from collections.abc import Sequence
from typing import Any, Final

import pytest

__all__ = ["leave_out", "pytest_sessionfinish", "pytest_terminal_summary", "pytest_testnodedown"]

_KEY: Final = "left_out"
_COUNTS = pytest.StashKey[dict[str, int]]()


def leave_out(config: pytest.Config, items: list[pytest.Item], unwanted: Sequence[pytest.Item], reason: str) -> None:
    """Takes ``unwanted`` out of the collected ``items``; ``reason``, a sentence in capitals, is printed at the end."""
    if not unwanted:
        return
    chosen = set(unwanted)
    items[:] = [item for item in items if item not in chosen]
    config.hook.pytest_deselected(items=unwanted)
    config.stash.setdefault(_COUNTS, {})[reason] = len(unwanted)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist: hands the counts over to the process that prints."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = session.config.stash.get(_COUNTS, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the process that prints: keeps what a worker has left out. All have collected, and left out, the same."""
    node.config.stash[_COUNTS] = getattr(node, "workeroutput", {}).get(_KEY, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how many tests were left out, and why, where it cannot be overlooked."""
    counts = config.stash.get(_COUNTS, {})
    if not counts:
        return
    terminalreporter.section("TESTS LEFT OUT", sep="!", red=True, bold=True)
    for reason, count in counts.items():
        terminalreporter.line(f"{count} TEST{'S' if count > 1 else ''} LEFT OUT: {reason}", red=True, bold=True)
