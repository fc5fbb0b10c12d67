"""A node after a stop at each step of what is done there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.support.disk import Crash, MemoryFiles
from tests.support.node import CDI_ROOT

__all__ = ["STOPS", "Machine", "Work", "interrupted"]


class Machine(Protocol):
    """What outlives a process."""

    files: MemoryFiles

    def stop(self, *emptied: Path) -> None:
        """The process dies, or the machine: what was on its disk is there, but for what is in the folders given."""
        ...


M = TypeVar("M", bound=Machine)

Work = Callable[[], Awaitable[object]]

STOPS = pytest.mark.parametrize("emptied", [(), (CDI_ROOT,)], ids=["restart", "reboot"])
"""The folders that a stop empties."""

FEWEST_STEPS = 4


async def interrupted(scene: Callable[[], Awaitable[tuple[M, Work]]], emptied: tuple[Path, ...]) -> AsyncIterator[M]:
    """The node after a stop at each step of the scene, which makes a node and says what is interrupted there."""
    world, work = await scene()
    before = world.files.steps.taken
    await work()
    steps = world.files.steps.taken - before
    assert steps >= FEWEST_STEPS, "there was nothing to stop"
    for step in range(steps):
        world, work = await scene()
        world.files.steps.stop_at = world.files.steps.taken + step
        with pytest.raises(Crash):
            await work()
        world.stop(*emptied)
        yield world
