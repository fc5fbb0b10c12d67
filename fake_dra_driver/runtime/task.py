"""Two questions about tasks that asyncio leaves open: who was cancelled, and how to end a task for sure."""

import asyncio
from typing import Any

from loguru import logger

from fake_dra_driver.runtime.clock import loop_time

__all__ = ["cancel_until_done", "is_being_cancelled"]

log = logger.bind(component="task")

_AGAIN_SECONDS = 1.0
"""After the deadline, how often a task that does not end is cancelled again: long enough for a file to be closed."""


def is_being_cancelled() -> bool:
    """Whether a CancelledError that was just caught is meant for the running task.

    If not, something that the task waited for was cancelled by others. Raised further, such an error would end the task
    without a trace: a TaskGroup takes it for the task's own wish.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def cancel_until_done(task: asyncio.Task[Any], deadline: float) -> None:
    """Cancels a task and waits for its end; after ``deadline`` (loop time) it is cancelled again and again.

    Does not raise what the task raises. A task that never lets itself be cancelled keeps this waiting: what is left
    then is to end the process.
    """
    while not task.done():
        task.cancel()
        _, pending = await asyncio.wait([task], timeout=max(deadline - loop_time(), _AGAIN_SECONDS))
        if pending:
            log.warning("Task does not end, cancelling it again", task=task.get_name())
