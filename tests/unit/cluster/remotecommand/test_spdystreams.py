"""A session over SPDY/3.1: streams, versions, input and output, and clients that do otherwise."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import pytest

from fake_dra_driver.cluster.remotecommand.outcome import ended, failed
from fake_dra_driver.cluster.remotecommand.session import run_session
from fake_dra_driver.cluster.remotecommand.spdyframe import (
    Data,
    GoAway,
    Ping,
    Reset,
    StreamOpened,
    StreamReplied,
)
from fake_dra_driver.cluster.remotecommand.spdystreams import SPDY_VERSIONS, SpdyStreams
from fake_dra_driver.cluster.remotecommand.streams import RemoteStreams, StreamOptions, TerminalSize, TerminalSizes
from tests.support.remotewire import FakeWire, SpdyClient

pytestmark = pytest.mark.looptime  # a server waits for the client to leave

T = TypeVar("T")
V4 = SPDY_VERSIONS[0]
ALL = StreamOptions(stdin=True, stdout=True, stderr=True)
_KINDS = ("error", "stdin", "stdout", "stderr", "resize")


def opened(*kinds: str) -> list[StreamOpened]:
    """Streams of these kinds, with the numbers that the client gives them here: 1, 3, 5, 7, 9."""
    return [StreamOpened(2 * _KINDS.index(kind) + 1, {"streamtype": kind}) for kind in kinds]


def data_of(client: SpdyClient, kind: str) -> bytes:
    """What the client has got on a stream."""
    number = 2 * _KINDS.index(kind) + 1
    return b"".join(frame.data for frame in client.look() if isinstance(frame, Data) and frame.stream == number)


class Session:
    """One that runs, and its client."""

    def __init__(self, options: StreamOptions = ALL, version: str = V4) -> None:
        self.wire = FakeWire()
        self.client = SpdyClient(self.wire)
        self.streams = SpdyStreams(self.wire, options, version)
        self.was_cancelled = False

    async def run(self, status: Mapping[str, Any], *, echoes: bool = True, waits: bool = False) -> None:
        """Its command repeats its input, and ends with that status; or waits for ever."""

        async def work(streams: RemoteStreams) -> Mapping[str, Any]:
            try:
                while echoes and (data := await streams.input.get()):
                    await streams.write("stdout", data.upper())
                    await streams.write("stderr", b"seen")
                if waits:
                    await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
            return status

        await run_session(self.streams, work)


async def test_streams_and_status() -> None:
    session = Session()
    session.client.send(*opened("error", "stdin", "stdout", "stderr"))
    session.client.send(Data(3, b"hel"), Ping(1), Ping(2), Data(3, b"lo", True))
    await session.run(ended(["cat"], 3))
    frames = session.client.look()
    assert [frame.stream for frame in frames if isinstance(frame, StreamReplied)] == [1, 3, 5, 7]
    assert [frame for frame in frames if isinstance(frame, Ping)] == [Ping(1)]
    assert data_of(session.client, "stdout") == b"HELLO"
    assert data_of(session.client, "stderr").startswith(b"seen")
    status = json.loads(data_of(session.client, "error"))
    assert (status["reason"], status["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "3"}],
    )
    assert {frame.stream for frame in frames if isinstance(frame, Data) and frame.is_last} == {1, 3, 5, 7}
    assert isinstance(frames[-1], GoAway)


@pytest.mark.parametrize("version", SPDY_VERSIONS)
async def test_versions_say_differently_how_it_ended(version: str) -> None:
    for status in (ended(["true"], 0), failed("no such thing")):
        session = Session(StreamOptions(stdout=True), version)
        session.client.send(*opened("error", "stdout"))
        await session.run(status, echoes=False)
        said = data_of(session.client, "error").decode()
        if version == V4:
            assert json.loads(said) == status
        else:
            assert said == ("" if status["status"] == "Success" else "Internal error occurred: no such thing")


async def test_a_terminal_needs_its_sizes_from_version_3_on() -> None:
    options = StreamOptions(stdout=True, tty=True)
    session = Session(options)
    session.client.send(*opened("error", "stdout"))
    running = asyncio.create_task(session.run(ended([], 0), echoes=False))
    await until(session, lambda: len(session.client.look()) >= 2)
    assert data_of(session.client, "error") == b""
    session.client.send(*opened("resize"))
    await running
    assert json.loads(data_of(session.client, "error"))["status"] == "Success"
    old = Session(options, "v2.channel.k8s.io")
    old.client.send(*opened("error", "stdout"))
    await old.run(ended([], 0), echoes=False)


async def test_streams_that_nobody_asked_for_are_reset() -> None:
    session = Session(StreamOptions(stdout=True))
    session.client.send(StreamOpened(1, {"streamtype": "error"}), StreamOpened(3, {"streamtype": "song"}))
    session.client.send(StreamOpened(5, {"streamtype": "error"}), StreamOpened(7, {"streamtype": "stdout"}))
    await session.run(ended([], 0), echoes=False)
    assert [frame.stream for frame in session.client.look() if isinstance(frame, Reset)] == [3, 5]


async def test_numbers_that_make_no_sense_and_too_many_streams_are_refused() -> None:
    session = Session(StreamOptions(stdout=True))
    session.client.send(StreamOpened(2, {}), StreamOpened(1, {"streamtype": "error"}), StreamOpened(1, {}))
    session.client.send(*(StreamOpened(2 * number + 1, {}) for number in range(1, 30)))
    session.client.send(StreamOpened(101, {"streamtype": "stdout"}))
    await session.run(ended([], 0), echoes=False)
    refused = [frame for frame in session.client.look() if isinstance(frame, Reset)]
    assert refused[:2] == [Reset(2, 1), Reset(1, 1)]
    assert Reset(59, 3) in refused


async def test_streams_that_do_not_come_are_waited_for_half_a_minute() -> None:
    loop = asyncio.get_running_loop()
    session, before = Session(), loop.time()
    session.client.send(*opened("error", "stdin"))
    await session.run(ended([], 0))
    assert loop.time() - before == 30


async def test_the_work_is_cancelled_when_the_client_goes() -> None:
    for goes in ("leave", "go away", "nonsense"):
        session = Session()
        session.client.send(*opened("error", "stdin", "stdout", "stderr"))
        running = asyncio.create_task(session.run(ended([], 0), echoes=False, waits=True))
        await until(session, lambda session=session: len(session.client.look()) == 4)  # type: ignore[misc]
        match goes:
            case "leave":
                session.wire.leave()
            case "go away":
                session.client.send(GoAway(0))
            case _:
                session.wire.feed(b"\x80\x02" + bytes(10))
        await running
        assert session.was_cancelled
        assert (session.client.look()[-1] == GoAway(7, 1)) == (goes == "nonsense")


async def test_a_client_that_sends_too_much_waits_and_is_pinged() -> None:
    session = Session()
    session.client.send(*opened("error", "stdin", "stdout", "stderr"), *[Data(3, bytes(40_000))] * 10)
    running = asyncio.create_task(session.run(ended([], 0), echoes=False, waits=True))
    await asyncio.sleep(11)
    assert [frame for frame in session.client.look() if isinstance(frame, Ping)] == [Ping(2), Ping(4)]
    assert len(await session.streams.input.get()) < 150_000
    session.wire.leave()
    await asyncio.sleep(6)
    await running


async def test_a_reset_of_the_input_is_its_end() -> None:
    session = Session()
    session.client.send(*opened("error", "stdin", "stdout", "stderr"), Data(3, b"a"), Reset(3, 5))
    await session.run(ended([], 0))
    assert data_of(session.client, "stdout") == b"A"


async def test_the_work_fails_for_all_to_see() -> None:
    session = Session(StreamOptions(stdout=True))
    session.client.send(*opened("error", "stdout"))

    async def work(_: RemoteStreams) -> Mapping[str, Any]:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await run_session(session.streams, work)


async def test_sizes_of_a_terminal() -> None:
    session = Session(StreamOptions(stdout=True, tty=True))
    sizes = TerminalSizes(session.streams.resizes)
    session.streams.resizes.put(b'{"Width":80,"Height":24}\n{"Width":8')
    assert await sizes.latest() == TerminalSize(80, 24)
    session.streams.resizes.put(b'1,"Height":25}{"width":82,"height":26}')
    assert await sizes.latest() == TerminalSize(82, 26)
    session.streams.resizes.end()
    assert await sizes.latest() is None


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '{"Width":-1,"Height":1}',
        '{"Width":65536}',
        '{"Width":"1"}',
        "[" * 5_000,
        "x" * 2_000,
        '{"a":"' + "x" * 2_000 + '"}',
    ],
)
async def test_what_is_no_size_ends_the_sizes(text: str) -> None:
    session = Session(StreamOptions(stdout=True, tty=True))
    sizes = TerminalSizes(session.streams.resizes)
    session.streams.resizes.put(text.encode())
    assert await sizes.latest() is None


async def test_sizes_without_end_leave_others_their_turns() -> None:
    session = Session(StreamOptions(stdout=True, tty=True))
    sizes = TerminalSizes(session.streams.resizes)
    session.streams.resizes.put(b"{} " * 20_000 + b'{"Width":80,"Height":24}')
    turns, found = await turns_during(sizes.latest())
    assert found == TerminalSize(80, 24)
    assert turns > 50


async def test_spaces_between_sizes_are_not_kept() -> None:
    session = Session(StreamOptions(stdout=True, tty=True))
    sizes = TerminalSizes(session.streams.resizes)
    session.streams.resizes.put(b" " * 100_000)
    reading = asyncio.create_task(sizes.latest())
    await until_idle()
    assert not sizes._text
    session.streams.resizes.put(b'\n{"Width":80} ')
    assert await reading == TerminalSize(80, 0)
    assert not sizes._text


async def test_frames_without_end_leave_others_their_turns() -> None:
    for frame in (b"\x80\x03\x00\x09\x00\x00\x00\x00", b"\x00\x00\x00\x03\x00\x00\x00\x00"):
        session = Session()
        session.wire.feed(frame * 100_000)
        session.wire.leave()
        turns, _ = await turns_during(session.streams.receive())
        assert turns > 50


async def turns_during(work: Coroutine[Any, Any, T]) -> tuple[int, T]:
    """How many turns of the event loop others have meanwhile, and what comes of it."""
    task, turns = asyncio.create_task(work), 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return turns, task.result()


async def until_idle() -> None:
    """Lets the tasks run that can; none of them takes more turns than these."""
    for _ in range(10):
        await asyncio.sleep(0)


async def until(session: Session, is_true: Callable[[], bool]) -> None:
    """Waits until what the client has got is as wanted."""
    while not is_true():
        session.wire.changed.clear()
        await session.wire.changed.wait()
