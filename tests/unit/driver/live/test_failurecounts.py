"""How many calls have failed, across restarts."""

import asyncio
from pathlib import Path

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.driver.live.failurecounts import FILE_NAME, FailureCounts

A, B = UID("a"), UID("b")


async def test_a_restart_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    failed = [await FailureCounts(tmp_path).take(A, "prepare", 3, [A]) for _ in range(5)]
    assert failed == [True, True, True, False, False]
    assert await FailureCounts(tmp_path).read() == {A: {"prepare": 3}}


async def test_calls_at_once_are_counted_one_by_one(tmp_path: Path) -> None:
    counts = FailureCounts(tmp_path)
    assert sum(await asyncio.gather(*(counts.take(A, "prepare", 4, [A]) for _ in range(10)))) == 4


async def test_each_fault_and_each_call_has_a_count_of_its_own(tmp_path: Path) -> None:
    counts = FailureCounts(tmp_path)
    assert await counts.take(A, "prepare", 1, [A, B])
    assert await counts.take(A, "unprepare", 1, [A, B])
    assert await counts.take(B, "prepare", 1, [A, B])
    assert not await counts.take(A, "prepare", 1, [A, B])


async def test_without_a_number_all_fail(tmp_path: Path) -> None:
    counts = FailureCounts(tmp_path)
    assert all([await counts.take(A, "prepare", None, [A]) for _ in range(3)])


async def test_the_count_of_a_fault_that_was_deleted_is_dropped(tmp_path: Path) -> None:
    counts = FailureCounts(tmp_path)
    await counts.take(A, "prepare", 1, [A])
    await counts.take(B, "prepare", 1, [B])
    assert await counts.read() == {B: {"prepare": 1}}


async def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'{"a": {"prepare": -')
    counts = FailureCounts(tmp_path)
    assert await counts.read() == {}
    assert await counts.take(A, "prepare", 1, [A])
    assert await counts.read() == {A: {"prepare": 1}}
