"""Waiting in tests: what does not come true is an error that tells what there is instead."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.testing.errors import UnmetError

__all__ = ["wait"]

T = TypeVar("T")


async def wait(
    cluster: Cluster,
    what: str,
    question: Callable[[], Awaitable[T | None]],
    explain: Callable[[], Awaitable[str]],
    timeout_seconds: float,
) -> T:
    """Asks until there is an answer, and returns it.

    Args:
        cluster: where the question is asked.
        what: what is waited for, as in "it is still not true that ...".
        question: None and what is false are no answers.
        explain: what to tell a person when the time is up: lines, indented.
        timeout_seconds: how long to wait.

    Raises:
        UnmetError: it has not come true in time.
    """
    try:
        return await cluster.wait_until(what, question, timeout_seconds)
    except TimeoutError as error:
        raise UnmetError(f"{error}:\n{await explain()}") from None
