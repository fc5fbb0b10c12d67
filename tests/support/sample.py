"""``--sample SEED``: of tests that are too many for every run only a share, which the seed chooses.

A seed is any text, such as a commit's hash. With pytest-xdist each worker draws, all of them the same, and the process
that prints collects nothing: it hears from the workers what was drawn.

Tests that carry ``@pytest.mark.sampled(group, one_in=9)`` are dealt out like cards: the first to the first of nine
shares, the second to the second, the tenth to the first again. A run has one share, another seed gives another, and all
nine together are all tests of the group. Tests without the mark always run; so does everything without the option.

pytest-split and pytest-shard would deal out whatever is collected, also the steps of a walk, which are nothing without
the ones before; and pytest-split by time, so that nothing could be said about what each share covers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import pytest

__all__ = ["deal", "draw"]

T = TypeVar("T")

_MARK: Final = "sampled"
_KEY: Final = "drawn"
_DRAWN = pytest.StashKey[Mapping[str, str]]()
"""What was drawn, by group."""


def deal(cards: Sequence[T], shares: int) -> Sequence[Sequence[T]]:
    """Deals the cards out to that many shares, one after the other."""
    return [cards[share::shares] for share in range(shares)]


def draw(group: str, seed: str, shares: int) -> int:
    """Which of that many shares the seed chooses: for each group another, in every process the same."""
    return int.from_bytes(hashlib.sha256(f"{group} {seed}".encode()).digest()) % shares


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.addoption("--sample", metavar="SEED", help="of the tests marked as sampled, run a share that SEED chooses")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the mark."""
    config.addinivalue_line("markers", f"{_MARK}(group, one_in): with --sample one share of them runs, of one_in")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes out what was not drawn."""
    seed: str | None = config.getoption("--sample")
    if seed is None:
        return
    groups: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        if mark := item.get_closest_marker(_MARK):
            groups.setdefault((mark.args[0], mark.kwargs["one_in"]), []).append(item)
    not_drawn, drawn = set[pytest.Item](), dict[str, str]()
    for (group, shares), members in groups.items():
        share = draw(group, seed, shares)
        chosen = deal(members, shares)[share]
        not_drawn |= set(members) - set(chosen)
        drawn[group] = f"{len(chosen)} of {len(members)} {group}, share {share + 1} of {shares}"
    items[:] = [item for item in items if item not in not_drawn]
    config.hook.pytest_deselected(items=sorted(not_drawn, key=lambda item: item.nodeid))
    config.stash[_DRAWN] = drawn


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist: hands over what was drawn."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = session.config.stash.get(_DRAWN, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the process that prints: keeps what a worker has drawn."""
    node.config.stash[_DRAWN] = getattr(node, "workeroutput", {}).get(_KEY, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what was drawn, and how to draw it again."""
    for text in config.stash.get(_DRAWN, {}).values():
        terminalreporter.line(f"SAMPLE: {text}; again with --sample '{config.getoption('--sample')}'")
