"""The checkpoint: what it says is on disk, whatever fails or is cancelled; those who come together share a write."""

import asyncio
import errno
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typing_extensions import override

from fake_dra_driver.dra.node.checkpoint import Checkpoint, DamagedCheckpointError, OtherReleaseError
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from tests.support.disk import MemoryFiles

PATH = Path("/plugin/checkpoint.json")
MODEL = FakePreparedModel("worker")
WHOLE = FakePreparedDevice("FAKE-0", "MODEL")
CHILDREN = (FakePreparedDevice("FAKE-1-0", "ULTRA", "FAKE-1"), FakePreparedDevice("FAKE-1-1", "ULTRA", "FAKE-1"))


def claim(uid: str, *devices: FakePreparedDevice) -> FakePreparedClaim:
    return PreparedClaim(uid, "default", f"claim-{uid}", devices or (FakePreparedDevice(f"FAKE-of-{uid}", "MODEL"),))


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def files() -> MemoryFiles:
    files = MemoryFiles()
    files.folders.add(PATH.parent)
    return files


@pytest.fixture
def checkpoint(files: MemoryFiles) -> Checkpoint[FakePreparedDevice]:
    return Checkpoint(files, PATH, MODEL)


async def on_disk(files: MemoryFiles) -> Checkpoint[FakePreparedDevice]:
    """What a process finds that starts now."""
    found = Checkpoint(files.after_stop(), PATH, MODEL)
    await found.load()
    return found


async def test_claims_that_were_put_are_there_after_a_restart(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    claims = {uid: claim(uid, *devices) for uid, devices in (("b", (WHOLE,)), ("a", CHILDREN), ("c", ()))}
    for each in claims.values():
        await checkpoint.put(each)
    assert checkpoint.claims == (await on_disk(files)).claims == claims
    await checkpoint.remove("b")
    del claims["b"]
    assert checkpoint.claims == (await on_disk(files)).claims == claims
    changed = claim("a", WHOLE)
    await checkpoint.put(changed)
    assert (await on_disk(files)).claims["a"] == changed


async def test_the_file_is_created_with_its_folder_and_only_root_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "of" / "its" / "own" / "checkpoint.json"
    checkpoint = Checkpoint(DiskFiles(), path, MODEL)
    await checkpoint.load()
    await checkpoint.put(claim("a"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["checkpoint.json"]


async def test_the_file_has_a_version_and_a_checksum(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await checkpoint.put(claim("a", WHOLE, *CHILDREN))
    found = json.loads(files.contents[PATH])
    assert found["version"] == 1
    assert found["checksum"].startswith("sha256:")
    assert found["contents"] == {
        "complete": False,
        "claims": {
            "a": {
                "namespace": "default",
                "name": "claim-a",
                "devices": [
                    {"uuid": "FAKE-0", "model": "MODEL"},
                    {"uuid": "FAKE-1-0", "model": "ULTRA", "parentUuid": "FAKE-1"},
                    {"uuid": "FAKE-1-1", "model": "ULTRA", "parentUuid": "FAKE-1"},
                ],
            }
        },
    }


async def test_without_a_file_the_checkpoint_is_empty_and_incomplete(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await checkpoint.load()
    assert (checkpoint.claims, checkpoint.is_complete) == ({}, False)
    await checkpoint.complete()
    assert checkpoint.is_complete
    assert (await on_disk(files)).is_complete
    await checkpoint.put(claim("a"))
    assert (await on_disk(files)).is_complete


def _edited(change: Callable[[dict[str, object]], object]) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        found = json.loads(data)
        change(found)
        return json.dumps(found).encode()

    return damage


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no text": lambda data: b"\x00\xff" * 100,
    "no JSON": lambda _: b"claims: {}\n",
    "other JSON": lambda _: b"[]",
    "truncated": lambda data: data[: len(data) // 2],
    "one letter changed": lambda data: data.replace(b"FAKE-of-a", b"FAKE-of-b"),
    "claim lost": _edited(lambda found: found.update(contents={"complete": True, "claims": {}})),
    "newer": _edited(lambda found: found.update(version=2)),
    "newer, with a field more": _edited(lambda found: found.update(version=2, bootId="x")),
    "no version": _edited(lambda found: found.pop("version")),
    "wrong type": _edited(lambda found: found.update(contents="a")),
    "nested too deeply": lambda _: b"[" * 100_000,
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_an_unusable_file_is_set_aside_and_the_start_goes_on(files: MemoryFiles, name: str) -> None:
    before = Checkpoint(files, PATH, MODEL)
    await before.put(claim("a"))
    await before.complete()
    damaged = files.contents[PATH] = DAMAGES[name](files.contents[PATH])
    checkpoint = Checkpoint(files, PATH, MODEL)
    with pytest.raises(DamagedCheckpointError, match=r"/plugin/checkpoint\.json was set aside as .*damaged-0"):
        await checkpoint.load()
    assert (checkpoint.claims, checkpoint.is_complete) == ({}, False)
    assert files.contents == {PATH.with_name("checkpoint.json.damaged-0"): damaged}
    await checkpoint.put(claim("b"))
    assert (await on_disk(files)).claims == {"b": claim("b")}


async def test_a_newer_file_is_reported_as_newer(files: MemoryFiles) -> None:
    await Checkpoint(files, PATH, MODEL).put(claim("a"))
    files.contents[PATH] = DAMAGES["newer, with a field more"](files.contents[PATH])
    with pytest.raises(DamagedCheckpointError, match="it has version 2, this program reads version 1"):
        await Checkpoint(files, PATH, MODEL).load()


async def test_an_unreadable_file_is_left_in_place(files: MemoryFiles) -> None:
    await Checkpoint(files, PATH, MODEL).put(claim("a"))
    files.errors["read"] = [OSError(errno.EIO, "Input/output error")]
    with pytest.raises(OSError, match="Input/output error"):
        await Checkpoint(files, PATH, MODEL).load()
    assert (await on_disk(files)).claims == {"a": claim("a")}


# --- Two processes in turn ---


@pytest.fixture
async def other(checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles) -> Checkpoint[FakePreparedDevice]:
    """Of another process, which has read the file that the first one has written."""
    await checkpoint.load()
    await checkpoint.put(claim("a"))
    await checkpoint.complete()
    other = Checkpoint(files, PATH, MODEL)
    await other.load()
    return other


async def test_each_process_takes_over_what_the_other_has_written(
    checkpoint: Checkpoint[FakePreparedDevice], other: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await other.put(claim("b"))
    assert list(checkpoint.claims) == ["a"]
    await checkpoint.refresh()
    assert checkpoint.claims == {"a": claim("a"), "b": claim("b")}
    await checkpoint.remove("a")
    await checkpoint.put(claim("c"))
    await other.refresh()
    assert other.claims == (await on_disk(files)).claims == {"b": claim("b"), "c": claim("c")}


async def test_a_process_learns_that_the_other_has_completed_the_checkpoint(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await checkpoint.load()
    await Checkpoint(files, PATH, MODEL).complete()
    await checkpoint.refresh()
    assert checkpoint.is_complete


async def test_a_file_without_a_change_is_not_decoded_again(
    checkpoint: Checkpoint[FakePreparedDevice], other: Checkpoint[FakePreparedDevice]
) -> None:
    for each in (checkpoint, other):
        before = each.claims
        await each.refresh()
        assert each.claims is before


async def test_without_a_file_there_is_nothing_to_take_over(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await checkpoint.load()
    await checkpoint.refresh()
    await checkpoint.remove("unknown")
    assert files.count("write") == 0


@pytest.mark.parametrize("name", ["gone", *(name for name in DAMAGES if not name.startswith("newer"))])
async def test_what_is_known_survives_the_damage_of_a_file_in_use(
    checkpoint: Checkpoint[FakePreparedDevice], other: Checkpoint[FakePreparedDevice], files: MemoryFiles, name: str
) -> None:
    if name == "gone":
        del files.contents[PATH]
    else:
        files.contents[PATH] = DAMAGES[name](files.contents[PATH])
    await checkpoint.refresh()
    assert checkpoint.claims == {"a": claim("a")}
    await checkpoint.remove("b")
    assert checkpoint.claims == (await on_disk(files)).claims == {"a": claim("a")}
    assert not checkpoint.is_complete, "the other may have written more"
    assert not (await on_disk(files)).is_complete
    await checkpoint.complete()
    await checkpoint.refresh()
    assert checkpoint.is_complete


async def test_a_file_that_a_newer_release_uses_is_left_alone(
    checkpoint: Checkpoint[FakePreparedDevice], other: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    newer = files.contents[PATH] = DAMAGES["newer"](files.contents[PATH])
    with pytest.raises(OtherReleaseError, match=r"checkpoint\.json cannot be used: it has version 2"):
        await checkpoint.refresh()
    assert files.contents == {PATH: newer}
    assert checkpoint.claims == {"a": claim("a")}


async def test_a_file_is_left_to_the_start_until_that_has_read_it(files: MemoryFiles) -> None:
    """A rollback finds the file of a newer release: no process uses it any more, so the start may set it aside."""
    await Checkpoint(files, PATH, MODEL).put(claim("a"))
    files.contents[PATH] = DAMAGES["newer"](files.contents[PATH])
    checkpoint = Checkpoint(files, PATH, MODEL)
    await checkpoint.refresh()
    with pytest.raises(DamagedCheckpointError, match="it has version 2"):
        await checkpoint.load()
    await checkpoint.refresh()
    assert checkpoint.claims == {}


async def test_an_unreadable_file_changes_nothing(
    checkpoint: Checkpoint[FakePreparedDevice], other: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    files.errors["read"] = [OSError(errno.EIO, "Input/output error")]
    with pytest.raises(OSError, match="Input/output error"):
        await checkpoint.refresh()
    assert checkpoint.claims == {"a": claim("a")}


# --- Group commit ---


async def test_simultaneous_callers_share_a_write(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await asyncio.gather(*(checkpoint.put(claim(f"{n:03}")) for n in range(100)))
    assert files.count("write") == 1
    assert len((await on_disk(files)).claims) == 100
    await asyncio.gather(*(checkpoint.remove(f"{n:03}") for n in range(100)))
    assert files.count("write") == 2
    assert (await on_disk(files)).claims == {}


async def test_a_caller_that_arrives_during_a_write_returns_only_after_the_next_one(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    gate = files.gates["write"] = threading.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(checkpoint.put(claim("first")))
        await asyncio.to_thread(files.begun.wait)
        later = [group.create_task(checkpoint.put(claim(f"later-{n}"))) for n in range(50)]
        later.append(group.create_task(checkpoint.remove("first")))
        await asyncio.sleep(0)
        assert not first.done()
        assert checkpoint.claims == {}, "memory is ahead of the disk"
        files.gates["write"] = second_gate = threading.Event()
        files.begun.clear()
        gate.set()
        await first
        assert list((await on_disk(files)).claims) == ["first"]
        await asyncio.to_thread(files.begun.wait)
        assert not any(task.done() for task in later), "returned before its change was durable"
        second_gate.set()
    assert files.count("write") == 2
    assert sorted(checkpoint.claims) == sorted((await on_disk(files)).claims) == sorted(f"later-{n}" for n in range(50))


async def test_a_put_that_changes_nothing_writes_nothing(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await checkpoint.put(claim("a"))
    await checkpoint.complete()
    writes = files.count("write")
    await checkpoint.put(claim("a"))
    await checkpoint.remove("unknown")
    await checkpoint.complete()
    assert files.count("write") == writes


async def test_a_snapshot_does_not_change(checkpoint: Checkpoint[FakePreparedDevice]) -> None:
    await checkpoint.put(claim("a"))
    before = checkpoint.claims
    await checkpoint.put(claim("b"))
    assert list(before) == ["a"]


# --- Failures ---


async def test_a_failed_write_fails_only_the_callers_that_waited_for_it(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    await checkpoint.put(claim("old"))
    files.errors["write"] = [None, full_disk(), None]
    gate = files.gates["write"] = threading.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(checkpoint.put(claim("first")))
        await asyncio.to_thread(files.begun.wait)
        group.create_task(_fails(checkpoint.put(claim("second"))))
        group.create_task(_fails(checkpoint.remove("old")))
        group.create_task(_fails(checkpoint.complete()))
        await asyncio.sleep(0)
        gate.set()
        await first
    assert sorted(checkpoint.claims) == sorted((await on_disk(files)).claims) == ["first", "old"]
    assert not checkpoint.is_complete
    await checkpoint.put(claim("third"))
    assert sorted(checkpoint.claims) == sorted((await on_disk(files)).claims) == ["first", "old", "third"]


class LateErrorFiles(MemoryFiles):
    """A disk on which the next write fails when its contents are there already: the fsync of the folder, say."""

    fails = False

    @override
    def write(self, path: Path, data: bytes, mode: int) -> None:
        super().write(path, data, mode)
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "Input/output error")


async def test_a_write_that_failed_too_late_is_undone_by_the_next_one() -> None:
    """Its caller was told that the claim is not prepared; were it left there, a restart would think that it is."""
    files = LateErrorFiles()
    files.folders.add(PATH.parent)
    checkpoint = Checkpoint(files, PATH, MODEL)
    files.fails = True
    with pytest.raises(OSError, match="Input/output error"):
        await checkpoint.put(claim("a"))
    assert checkpoint.claims == {}
    await checkpoint.remove("a")
    assert (await on_disk(files)).claims == {}
    files.fails = True
    with pytest.raises(OSError, match="Input/output error"):
        await checkpoint.put(claim("a"))
    await checkpoint.put(claim("b"))
    assert list((await on_disk(files)).claims) == ["b"]


async def _fails(work: object) -> None:
    with pytest.raises(OSError, match="No space left"):
        await work  # type: ignore[misc] # any awaitable


# --- Cancellation ---


async def test_a_claim_whose_caller_is_cancelled_before_its_turn_is_not_written(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    gate = files.gates["write"] = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(checkpoint.put(claim("first")))
        await asyncio.to_thread(files.begun.wait)
        cancelled = group.create_task(checkpoint.put(claim("cancelled")))
        group.create_task(checkpoint.put(claim("other")))
        await asyncio.sleep(0)
        cancelled.cancel()
        gate.set()
    assert sorted(checkpoint.claims) == sorted((await on_disk(files)).claims) == ["first", "other"]


async def test_a_write_is_completed_for_the_others_when_the_writer_is_cancelled(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    """A thread cannot be stopped: its write happens, so memory has to follow, and no other write may overtake it."""
    gate = files.gates["write"] = threading.Event()
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(checkpoint.put(claim("writer")))
        shares = group.create_task(checkpoint.put(claim("shares")))
        await asyncio.to_thread(files.begun.wait)
        writer.cancel()
        next_one = group.create_task(checkpoint.put(claim("next")))
        for _ in range(5):
            await asyncio.sleep(0)
        writer.cancel()  # as often as one likes
        assert not writer.done(), "the write goes on unattended"
        gate.set()
        await shares
        await next_one
    assert writer.cancelled()
    assert sorted(checkpoint.claims) == sorted((await on_disk(files)).claims) == ["next", "shares", "writer"]


async def test_a_write_that_fails_while_its_caller_is_cancelled_is_repeated_for_the_others(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    gate = files.gates["write"] = threading.Event()
    files.errors["write"] = [full_disk()]
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(checkpoint.put(claim("writer")))
        group.create_task(checkpoint.put(claim("shares")))
        await asyncio.to_thread(files.begun.wait)
        writer.cancel()
        gate.set()
    assert writer.cancelled()
    assert sorted(checkpoint.claims) == sorted((await on_disk(files)).claims) == ["shares"]


async def test_other_claims_are_written_when_the_first_caller_is_cancelled_at_once(
    checkpoint: Checkpoint[FakePreparedDevice], files: MemoryFiles
) -> None:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(checkpoint.put(claim("first")))
        group.create_task(checkpoint.put(claim("second")))
        await asyncio.sleep(0)
        first.cancel()
    assert sorted(checkpoint.claims) == sorted((await on_disk(files)).claims) == ["second"]
