"""Retries of what may heal by itself: a disk that is busy, an API server that is away for a moment.

The kubelet repeats a call that has failed only after 60 to 90 s, so it is worth trying again at once; and it waits for
10 s at most (Kubernetes 1.27), so all retries of one call share one budget of time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from typing import Final, TypeVar

from loguru import logger

from fake_dra_driver.dra.node.cdi import CdiSpecError
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["BUDGET_SECONDS", "READ_TIMEOUT_SECONDS", "RetryBudget", "UnansweredError"]

BUDGET_SECONDS: Final = 5.0
"""No retry begins after this: the last one, and one try of each step that follows it, fit into 9 s."""
READ_TIMEOUT_SECONDS: Final = 1.5
"""For one read from the API server, so that several tries fit into the budget."""
_PAUSES_SECONDS: Final = (0.1, 0.4, 1.0)
"""Before the second try, the third, and each one after that."""

log = logger.bind(component="retry")
T = TypeVar("T")


class UnansweredError(PrepareError):
    """The API server could not be asked, or had no answer, for as long as there was time."""


class RetryBudget:
    """The time that one call of the kubelet may spend on retries. Every step is tried once, whatever is left of it."""

    def __init__(self) -> None:
        self._until = asyncio.get_running_loop().time() + BUDGET_SECONDS

    async def wait(self) -> bool:
        """Waits a moment before another look at what others are about to do; False, at once: there is no time left."""
        pause = _PAUSES_SECONDS[1]
        if asyncio.get_running_loop().time() + pause > self._until:
            return False
        await asyncio.sleep(pause)
        return True

    async def run(self, step: Callable[[], Awaitable[T]], what: str) -> T:
        """The result of a step that may fail for a moment.

        Args:
            step: is called once for each try.
            what: what it does, as it follows the word "cannot".

        Raises:
            UnansweredError: it keeps failing at the API server.
            PrepareError: it keeps failing, or (CdiSpecError) would always fail.
        """
        for pause in chain(_PAUSES_SECONDS, repeat(_PAUSES_SECONDS[-1])):
            try:
                return await step()
            except CdiSpecError as error:
                raise PrepareError(f"cannot {what}: {error}") from error
            except (OSError, RuntimeLayerError) as error:
                if asyncio.get_running_loop().time() + pause > self._until:
                    failure = UnansweredError if isinstance(error, RuntimeLayerError) else PrepareError
                    raise failure(f"cannot {what}: {error}") from error
                log.debug("Trying again", what=what, error=str(error))
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")
