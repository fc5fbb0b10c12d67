"""A connection of a session without a network: what a client sends and gets."""

import asyncio

from typing_extensions import override

from fake_dra_driver.cluster.remotecommand.spdyframe import Frame, FrameReader, FrameWriter
from fake_dra_driver.cluster.remotecommand.streams import Wire

__all__ = ["FakeWire", "SpdyClient"]


class FakeWire(Wire):
    """The server's end; a test is the client."""

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: list[bytes] = []
        """What the client has got."""
        self.changed = asyncio.Event()
        """Set with each of them."""
        self.is_read = True
        """Whether the client reads: if not, the server has to wait."""
        self._gone = False

    def feed(self, data: bytes) -> None:
        """The client sends something."""
        self._incoming.put_nowait(data)

    def leave(self) -> None:
        """The client goes away."""
        self._gone = True
        self._incoming.put_nowait(None)

    @override
    async def read(self) -> bytes | None:
        return await self._incoming.get()

    @override
    async def write(self, data: bytes) -> None:
        if self._gone:
            raise ConnectionResetError("the client has gone")
        if not self.is_read:
            await asyncio.get_running_loop().create_future()
        self.sent.append(data)
        self.changed.set()


class SpdyClient:
    """A client that speaks SPDY/3.1 on such a connection."""

    def __init__(self, wire: FakeWire) -> None:
        self._wire = wire
        self._writer, self._reader = FrameWriter(), FrameReader()
        self._seen = 0
        self.frames: list[Frame] = []
        """All that it has got, once ``look`` is called."""

    def send(self, *frames: Frame) -> None:
        """Sends frames."""
        for frame in frames:
            self._wire.feed(self._writer.encode(frame))

    def look(self) -> list[Frame]:
        """Reads what has come since, and returns everything."""
        for data in self._wire.sent[self._seen :]:
            self.frames += self._reader.feed(data)
        self._seen = len(self._wire.sent)
        return self.frames
