"""Two processes that work on one checkpoint, as the pods of a rolling update do: neither loses what the other did."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.support.lineprocess import LineProcess

PROGRAM = "tests.integration.driver.turntaker"
IN_TIME = 60.0
"""Seconds after which a test that hangs fails."""


def started(folder: Path) -> AbstractAsyncContextManager[LineProcess]:
    return LineProcess.started(PROGRAM, folder)


def recorded(folder: Path) -> set[str]:
    return set(json.loads((folder / "checkpoint.json").read_bytes())["contents"]["claims"])


async def test_what_two_processes_do_at_the_same_time_adds_up(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(IN_TIME),
        started(tmp_path) as old,
        started(tmp_path) as new,
    ):
        for turn in range(10):
            for taker, name in ((old, "old"), (new, "new")):
                taker.ask("put", [f"{name}-{turn}-{n}" for n in range(5)])
                if turn:
                    taker.ask("remove", [f"{name}-{turn - 1}-{n}" for n in range(1, 5)])
            for taker in (old, new):
                assert len(await taker.answers(9 if turn else 5)) == (9 if turn else 5)
        assert await asyncio.to_thread(recorded, tmp_path) == {
            *(f"{name}-{turn}-0" for name in ("old", "new") for turn in range(10)),
            *(f"{name}-9-{n}" for name in ("old", "new") for n in range(5)),
        }


async def test_a_claim_is_removed_by_another_process_than_prepared_it(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(IN_TIME),
        started(tmp_path) as old,
        started(tmp_path) as new,
    ):
        for turn in range(10):
            putting, removing = (old, new) if turn % 2 else (new, old)
            putting.ask("put", [f"a-{turn}", f"b-{turn}"])
            await putting.answers(2)
            removing.ask("remove", [f"a-{turn}"])
            await removing.answers(1)
        assert await asyncio.to_thread(recorded, tmp_path) == {f"b-{turn}" for turn in range(10)}


async def test_the_death_of_one_process_costs_no_claim_of_the_other(tmp_path: Path) -> None:
    """Killed while both work: what was answered is there, and of the rest all or nothing of each claim."""
    expected: set[str] = set()
    unsure: set[str] = set()
    async with asyncio.timeout(IN_TIME), started(tmp_path) as survivor:
        for turn in range(6):
            async with started(tmp_path) as victim:
                asked = {f"victim-{turn}-{n}" for n in range(5)}
                victim.ask("put", sorted(asked))
                survivor.ask("put", [f"survivor-{turn}-{n}" for n in range(5)])
                if turn % 2:
                    expected |= await victim.answers(turn)
                    expected |= await survivor.answers(turn)
                expected |= await victim.kill()
            expected |= await survivor.answers(5 - turn if turn % 2 else 5)
            unsure |= asked - expected
            found = await asyncio.to_thread(recorded, tmp_path)
            assert expected <= found <= expected | unsure
        survivor.ask("remove", sorted(expected))
        await survivor.answers(len(expected))
        assert await asyncio.to_thread(recorded, tmp_path) <= unsure
