"""Waiting for something that no event in this process tells of."""

import asyncio
from collections.abc import Callable

__all__ = ["until"]

_DEADLINE_SECONDS = 20.0
"""Only ever reached by a test that fails."""


async def until(condition: Callable[[], object]) -> None:
    """Returns as soon as the condition holds. An AssertionError in it says that it does not, and why in the end."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _DEADLINE_SECONDS
    while True:
        try:
            if condition():
                return
            failure = AssertionError(f"did not come to hold within {_DEADLINE_SECONDS:g} s")
        except AssertionError as error:
            failure = error
        if loop.time() > give_up_at:
            raise failure
        await asyncio.sleep(0.005)
