"""The log file of a container: its lines, what readers get of it, and what becomes of it when it grows."""

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import MAX_LINE_BYTES, ContainerLog, LogOptions

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def seconds() -> Iterator[float]:
    """A clock that goes on by a second each time it is read."""
    return iter(float(second) for second in range(100_000))


@pytest.fixture
def log(tmp_path: Path, seconds: Iterator[float]) -> ContainerLog:
    return ContainerLog(tmp_path / "ctr0/0.log", now=lambda: BEGIN + timedelta(seconds=next(seconds)))


async def text(log: ContainerLog, options: LogOptions | None = None) -> str:
    return b"".join([block async for block in log.read(options or LogOptions())]).decode()


async def test_lines_are_written_as_the_cri_says(log: ContainerLog) -> None:
    await log.append(b"one\ntw")
    await log.append(b"o\n\nthree")
    await log.close()
    written = await asyncio.to_thread(log.path.read_text)
    assert written.splitlines() == [
        "2026-01-01T00:00:00.000000000Z stdout F one",
        "2026-01-01T00:00:01.000000000Z stdout F two",
        "2026-01-01T00:00:01.000000000Z stdout F ",
        "2026-01-01T00:00:02.000000000Z stdout P three",
    ]


async def test_a_reader_gets_exactly_what_the_container_wrote(log: ContainerLog) -> None:
    long = "x" * (2 * MAX_LINE_BYTES + 5)
    for piece in ("a\r\n", f"{long}\n", "\x0bb", "\n\n", "no end"):
        await log.append(piece.encode())
    await log.close()
    assert await text(log) == f"a\r\n{long}\n\x0bb\n\nno end"


async def test_a_log_without_a_file_is_empty(log: ContainerLog) -> None:
    assert await text(log) == ""
    assert await text(log, LogOptions(tail_lines=3)) == ""


@pytest.mark.parametrize("make", [lambda path, victim: path.symlink_to(victim), lambda path, _: os.mkfifo(path)])
async def test_a_log_is_written_and_read_through_no_link_and_waits_for_no_fifo(
    log: ContainerLog, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious\n")  # short
    log.path.parent.mkdir()
    make(log.path, victim)
    with pytest.raises(OSError, match=r"symbolic link|No such device"):
        await log.append(b"one\n")
    with pytest.raises(OSError, match=r"symbolic link|not a regular file"):
        await text(log)
    assert victim.read_bytes() == b"precious\n"  # short


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, ""), (1, "rest"), (2, "three\nrest"), (4, "one\ntwo\nthree\nrest"), (9, "one\ntwo\nthree\nrest")],
)
async def test_the_tail_counts_a_last_line_without_an_end(log: ContainerLog, lines: int, expected: str) -> None:
    await log.append(b"one\ntwo\nthree\nrest")
    await log.close()
    assert await text(log, LogOptions(tail_lines=lines)) == expected


async def test_the_tail_of_a_long_log_is_right_at_every_place(log: ContainerLog) -> None:
    lines = [f"{number} {'x' * (number % 97)}" for number in range(5000)]
    lines[4000] = "y" * (3 * MAX_LINE_BYTES)
    await log.append("".join(f"{line}\n" for line in lines).encode())
    for count in (1, 500, 998, 999, 1000, 1001, 1002, 4999, 5000):
        assert await text(log, LogOptions(tail_lines=count)) == "".join(f"{line}\n" for line in lines[-count:])


async def test_since_and_timestamps(log: ContainerLog) -> None:
    for word in (b"one\n", b"two\n", b"three\n"):
        await log.append(word)
    since = BEGIN + timedelta(seconds=1)
    assert await text(log, LogOptions(since=since)) == "two\nthree\n"
    assert await text(log, LogOptions(since=since, timestamps=True)) == (
        "2026-01-01T00:00:01.000000000Z two\n2026-01-01T00:00:02.000000000Z three\n"
    )


async def test_limit_bytes_cuts(log: ContainerLog) -> None:
    await log.append(b"one\ntwo\n")
    assert await text(log, LogOptions(limit_bytes=5)) == "one\nt"


async def test_a_follower_gets_what_comes_until_the_end(log: ContainerLog) -> None:
    await log.append(b"before\n")
    blocks = log.read(LogOptions(follow=True))
    assert await anext(blocks) == b"before\n"
    following = asyncio.ensure_future(anext(blocks))
    await log.append(b"after\n")
    assert await following == b"after\n"
    last = asyncio.ensure_future(anext(blocks))
    await log.append(b"rest")
    await log.close()
    assert await last == b"rest"
    with pytest.raises(StopAsyncIteration):
        await anext(blocks)


async def test_a_log_that_grows_is_rotated_and_a_follower_misses_nothing(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path / "0.log", max_file_bytes=200)
    blocks = log.read(LogOptions(follow=True))
    got = b""
    for number in range(20):
        await log.append(b"line %d\n" % number)
        while not got.endswith(b"line %d\n" % number):
            got += await anext(blocks)
    await log.close()
    assert got == b"".join(b"line %d\n" % number for number in range(20))
    assert (tmp_path / "0.log.1").stat().st_size <= 200
    newest = await text(log)
    assert newest.endswith("line 19\n")
    assert "line 0\n" not in newest
