"""Bounded patience with what may heal by itself: a disk that is busy, an API server that is away for a moment.

The kubelet comes back to a claim that failed only after 60 to 90 s, so a second try is made here; and it waits no
longer than 10 s (Kubernetes 1.27), so all tries of one call share one budget.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from typing import Final, TypeVar

from loguru import logger

from fake_dra_driver.device.cdi import CdiSpecError
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["PATIENCE_SECONDS", "Patience"]

PATIENCE_SECONDS: Final = 5.0
"""No further try begins after this: the last one, and one of each thing that comes after it, fit into 9 s."""
_PAUSES_SECONDS: Final = (0.1, 0.4, 1.0)
"""Before the second try, the third, and each one after that."""

log = logger.bind(component="node")
T = TypeVar("T")


class Patience:
    """The budget of one call of the kubelet. Everything is tried once, even when nothing is left of it."""

    def __init__(self) -> None:
        self._until = asyncio.get_running_loop().time() + PATIENCE_SECONDS

    async def run(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        """The result of a call that may fail for a moment.

        Raises:
            PrepareError: it keeps failing, or (CdiSpecError) would always fail.
        """
        for pause in chain(_PAUSES_SECONDS, repeat(_PAUSES_SECONDS[-1])):
            try:
                return await call()
            except CdiSpecError as error:
                raise PrepareError(f"cannot {what}: {error}") from error
            except (OSError, RuntimeLayerError) as error:
                if asyncio.get_running_loop().time() + pause > self._until:
                    raise PrepareError(f"cannot {what}: {error}") from error
                log.debug("Trying again", what=what, error=str(error))
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")
