"""Streams of SPDY/3.1 on one connection, as its server.

A client opens the streams, and each is accepted at once. Its data waits for its reader in a small buffer, and when that
is full the whole connection waits, as in github.com/moby/spdystream: there is no flow control for one stream alone.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from fake_dra_driver.cluster.remotecommand.inputbuffer import InputBuffer
from fake_dra_driver.cluster.remotecommand.spdyframe import (
    Data,
    Frame,
    FrameError,
    FrameReader,
    FrameWriter,
    GoAway,
    Ping,
    Reset,
    StreamOpened,
    StreamReplied,
)
from fake_dra_driver.cluster.remotecommand.streams import ClientLeftError, Wire

__all__ = ["SpdyConnection", "SpdyStream"]

_PROTOCOL_ERROR, _REFUSED_STREAM, _CANCEL = 1, 3, 5
"""Of RST_STREAM."""
_GOAWAY_PROTOCOL_ERROR: Final = 1
_BYTES_OF_A_TURN: Final = 8 * 1024
"""How much is read before others get a turn of the event loop: as frames of 8 bytes, a few milliseconds."""


class SpdyStream:
    """One stream that the client has opened."""

    def __init__(self, connection: "SpdyConnection", opened: StreamOpened) -> None:
        self._connection = connection
        self.number = opened.stream
        self.headers: Mapping[str, str] = opened.headers
        self.input = InputBuffer()
        """What the client sends on it."""
        self.client_ended = opened.is_last
        """Whether the client sends nothing more."""
        self.is_finished = False
        """Whether nothing more is sent to the client."""
        if opened.is_last:
            self.input.end()

    async def write(self, data: bytes, *, is_last: bool = False) -> None:
        """Sends data, unless the stream was ended. Raises ConnectionError when the client has gone."""
        if self.is_finished:
            return
        self.is_finished = is_last
        await self._connection.send(Data(self.number, data, is_last))
        self._connection.forget_if_over(self)

    async def reset(self) -> None:
        """Ends it in both directions."""
        self.is_finished = self.client_ended = True
        self.input.discard()
        self._connection.forget_if_over(self)
        await self._connection.send(Reset(self.number, _CANCEL))


class SpdyConnection:
    """The streams of one connection. ``receive`` has to run for as long as it is used.

    Args:
        wire: the connection.
        most: streams at a time; more are refused.
    """

    def __init__(self, wire: Wire, most: int) -> None:
        self._wire = wire
        self._most = most
        self._reader, self._writer = FrameReader(), FrameWriter()
        self._streams: dict[int, SpdyStream] = {}
        self._opened: asyncio.Queue[SpdyStream] = asyncio.Queue(most)
        self._last_number = self._last_ping = 0

    async def receive(self) -> None:
        """Takes what the client sends, until it has gone.

        Raises:
            ClientLeftError: it sends what is no SPDY, and was told to go away.
        """
        try:
            while (data := await self._wire.read()) is not None:
                for at in range(0, len(data), _BYTES_OF_A_TURN):
                    if at:
                        await asyncio.sleep(0)
                    for frame in self._reader.feed(data[at : at + _BYTES_OF_A_TURN]):
                        if isinstance(frame, GoAway):
                            return
                        await self._take(frame)
        except FrameError as error:
            await self.send(GoAway(self._last_number, _GOAWAY_PROTOCOL_ERROR))
            raise ClientLeftError(f"the client sends what is no SPDY/3.1: {error}") from error

    async def accept(self) -> SpdyStream:
        """The next stream that the client has opened."""
        return await self._opened.get()

    async def go_away(self) -> None:
        """Says that the connection ends. Raises ConnectionError when the client has gone."""
        await self.send(GoAway(self._last_number))

    async def send(self, frame: Frame) -> None:
        """Sends a frame. Raises ConnectionError when the client has gone."""
        await self._wire.write(self._writer.encode(frame))

    def forget_if_over(self, stream: SpdyStream) -> None:
        """Makes room for another stream once this one has ended in both directions."""
        if stream.client_ended and stream.is_finished:
            self._streams.pop(stream.number, None)

    async def _take(self, frame: Frame) -> None:
        match frame:
            case StreamOpened():
                await self._open(frame)
            case Data():
                await self._put(frame)
            case Reset():
                if (stream := self._streams.pop(frame.stream, None)) is not None:
                    stream.client_ended = stream.is_finished = True
                    stream.input.end()
            case Ping() if frame.number % 2:
                await self.send(frame)

    async def _open(self, opened: StreamOpened) -> None:
        if opened.stream <= self._last_number or opened.stream % 2 == 0:
            await self.send(Reset(opened.stream, _PROTOCOL_ERROR))
            return
        self._last_number = opened.stream
        if len(self._streams) >= self._most or self._opened.full():
            await self.send(Reset(opened.stream, _REFUSED_STREAM))
            return
        stream = self._streams[opened.stream] = SpdyStream(self, opened)
        await self.send(StreamReplied(opened.stream))
        self._opened.put_nowait(stream)

    async def _put(self, frame: Data) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None or stream.client_ended:
            return
        stream.input.put(frame.data)
        if frame.is_last:
            stream.client_ended = True
            stream.input.end()
            self.forget_if_over(stream)
            return
        await stream.input.room(self._ping)

    async def _ping(self) -> None:
        self._last_ping += 2
        await self.send(Ping(self._last_ping))
