"""A program under measurement that ends is told at once: figures of one that is gone would take for ever."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.bench.program import Program

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]


async def test_a_program_that_ends_by_itself_ends_the_measurement(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="one ended by itself, with status 3")):
        async with Program.run("one", command, tmp_path):
            await asyncio.Event().wait()


async def test_one_that_is_stopped_or_killed_does_not(tmp_path: Path) -> None:
    async with Program.run("stopped", FOREVER, tmp_path) as stopped:
        assert stopped.cpu_seconds() is not None
    async with Program.run("killed", FOREVER, tmp_path) as killed:
        killed.kill()
    assert (stopped.cpu_seconds(), killed.cpu_seconds()) == (None, None)
