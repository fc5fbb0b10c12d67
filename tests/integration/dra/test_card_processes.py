"""Processes with a Driver, one of which is killed while the author's code works: the other undoes what was begun."""

import asyncio
import json
from pathlib import Path

from tests.support.lineprocess import LineProcess

PROGRAM = "tests.integration.dra.cardworker"
IN_TIME = 60.0
"""Seconds after which a test that hangs fails."""


def recorded(folder: Path) -> dict[str, bool]:
    """The claims on record, and whether their devices are ready."""
    claims = json.loads((folder / "checkpoint.json").read_bytes())["contents"]["claims"]
    return {uid: "edits" in claim["devices"][0] for uid, claim in claims.items()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_a_killed_process_has_begun_is_undone_by_the_next(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(IN_TIME),
        LineProcess.started(PROGRAM, tmp_path) as old,
        LineProcess.started(PROGRAM, tmp_path) as new,
    ):
        old.ask("prepare", ["slow"])
        assert await old.answers(1) == {"preparing slow"}
        assert await asyncio.to_thread(recorded, tmp_path) == {"slow": False}
        new.ask("unprepare", ["slow"])
        new.ask("prepare", ["other"])
        assert await new.answers(1) == {"other"}, "the claim on which the other process works is left to it"
        assert await asyncio.to_thread(names, tmp_path / "cards") == ["card-other", "card-slow"]
        await old.kill()
        assert await new.answers(1) == {"slow"}
        assert await asyncio.to_thread(recorded, tmp_path) == {"other": True}
        assert await asyncio.to_thread(names, tmp_path / "cards") == ["card-other"]
        assert await asyncio.to_thread(names, tmp_path / "cdi") == ["k8s.card.example.com-card_other.yaml"]
