"""A session over WebSocket: channels, the variants with base64, and how input ends."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.cluster.remotecommand.channelprotocol import CHANNEL_PROTOCOLS, ChannelStreams, is_text
from fake_dra_driver.cluster.remotecommand.outcome import ended, failed
from fake_dra_driver.cluster.remotecommand.session import run_session
from fake_dra_driver.cluster.remotecommand.streams import RemoteStreams, StreamOptions
from tests.support.remotewire import FakeWire

pytestmark = pytest.mark.looptime  # a server waits for the client to leave

V5 = "v5.channel.k8s.io"
ALL = StreamOptions(stdin=True, stdout=True, stderr=True)


class Session:
    """One that runs, and its client."""

    def __init__(self, protocol: str, options: StreamOptions = ALL) -> None:
        self.wire = FakeWire()
        self.streams = ChannelStreams(self.wire, options, protocol)
        self._is_text = is_text(protocol)

    def send(self, channel: int, data: bytes) -> None:
        """Sends a message."""
        self.wire.feed(b"%d" % channel + base64.b64encode(data) if self._is_text else bytes([channel]) + data)

    def got(self, channel: int) -> list[bytes]:
        """The messages that have come on a channel."""
        if self._is_text:
            return [base64.b64decode(each[1:]) for each in self.wire.sent if each[:1] == b"%d" % channel]
        return [each[1:] for each in self.wire.sent if each[0] == channel]

    async def run(self, status: Mapping[str, Any], lines: int | None = None) -> None:
        """Its command repeats its input, to its end or so many times."""

        async def work(streams: RemoteStreams) -> Mapping[str, Any]:
            left = lines
            while left != 0 and (data := await streams.input.get()):
                await streams.write("stdout", data.upper())
                left = None if left is None else left - 1
            await streams.write("stderr", b"done")
            return status

        await run_session(self.streams, work)


@pytest.mark.parametrize("protocol", CHANNEL_PROTOCOLS)
async def test_a_session_in_each_protocol(protocol: str) -> None:
    for status in (ended(["cat"], 0), failed("no such thing")):
        session = Session(protocol)
        session.send(0, b"hello")
        await session.run(status, lines=1)
        assert session.got(1) == [b"", b"HELLO"]
        assert session.got(2) == [b"done"]
        said = b"".join(session.got(3)).decode()
        if protocol.startswith(("v4", "v5")):
            assert json.loads(said) == status
        else:
            assert said == ("" if status["status"] == "Success" else "Internal error occurred: no such thing")


async def test_input_ends_with_the_signal_of_version_5() -> None:
    session = Session(V5)
    session.send(0, b"a")
    session.send(255, b"\x00")
    await session.run(ended(["cat"], 0))
    assert b"".join(session.got(1)) == b"A"


@pytest.mark.parametrize("data", [b"", b"\x00\x00", b"\x05"])
async def test_a_signal_that_makes_no_sense_ends_the_session(data: bytes) -> None:
    session = Session(V5)
    session.send(255, data)
    await session.run(ended(["cat"], 0))
    assert session.got(3) == []


async def test_what_is_no_base64_ends_the_session() -> None:
    session = Session("base64.channel.k8s.io")
    session.wire.feed(b"0***")
    await session.run(ended(["cat"], 0))
    assert session.got(3) == []


async def test_only_what_was_asked_for_is_sent() -> None:
    session = Session(V5, StreamOptions(stderr=True))
    session.send(0, b"not asked for")
    session.wire.feed(b"")
    session.send(7, b"there is no such channel")
    await session.run(ended(["cat"], 0))
    assert (session.got(1), session.got(2)) == ([], [b"", b"done"])


async def test_much_output_becomes_several_messages() -> None:
    session = Session(V5, StreamOptions(stdout=True))
    await session.streams.write("stdout", bytes(100_000))
    assert [len(each) for each in session.got(1)] == [32768, 32768, 32768, 1696]


async def test_a_client_that_sends_too_much_waits_and_hears_of_it() -> None:
    session = Session(V5)
    for _ in range(10):
        session.send(0, bytes(40_000))
    receiving = asyncio.create_task(session.streams.receive())
    await asyncio.sleep(11)
    assert session.got(1) == [b"", b""]
    session.streams.discard_input()
    session.wire.leave()
    await receiving
