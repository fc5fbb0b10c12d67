"""Hands a connection over: after the answer 101 it carries bytes (SPDY/3.1), or WebSocket's messages."""

import asyncio
from typing import Final

from aiohttp import WSMsgType, web
from typing_extensions import override

from fake_dra_driver.cluster.apiserver.message import Upgrade
from fake_dra_driver.cluster.remotecommand.negotiation import WEBSOCKET
from fake_dra_driver.cluster.remotecommand.streams import Wire

__all__ = ["hand_over"]

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Of a message that a client sends. kubectl's have 32 KiB; others send what they were given at once."""
_MAX_WAITING_BYTES: Final = 64 * 1024
"""What has come and was not read; then the client has to wait."""


async def hand_over(incoming: web.Request, upgrade: Upgrade) -> web.StreamResponse:
    """Answers a request with 101, and lets the connection be used until the end.

    Raises:
        ConnectionError: the client has gone.
        HTTPBadRequest: what it sends of WebSocket is not valid.
    """
    transport = incoming.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    if upgrade.agreement.protocol == WEBSOCKET:
        return await _over_websocket(incoming, upgrade)
    wire = _BytesWire(incoming, transport)
    incoming.protocol.keep_alive(False)
    incoming.protocol.set_parser(wire)  # type: ignore[arg-type]  # any parser will do that takes data
    head = [
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        f"Upgrade: {upgrade.agreement.protocol}",
        *(f"{name}: {value}" for name, value in upgrade.agreement.headers),
    ]
    await wire.write("\r\n".join([*head, "", ""]).encode())
    try:
        await upgrade.run(wire)
    finally:
        transport.close()
    # There is no answer any more; this one is not sent, since the connection is closed.
    return web.Response()


async def _over_websocket(incoming: web.Request, upgrade: Upgrade) -> web.StreamResponse:
    version = upgrade.agreement.version
    socket = web.WebSocketResponse(
        protocols=(version,) if version else (), autoping=False, compress=False, max_msg_size=MAX_MESSAGE_BYTES
    )
    await socket.prepare(incoming)
    try:
        await upgrade.run(_MessageWire(socket, is_text=upgrade.agreement.is_text))
    finally:
        await socket.close()
    return socket


class _BytesWire(Wire):
    """The bytes of a connection: what aiohttp calls a parser, to which it gives what comes."""

    def __init__(self, incoming: web.Request, transport: asyncio.Transport) -> None:
        self._protocol = incoming.protocol
        self._transport = transport
        self._data = bytearray()
        self._is_ended = self._is_paused = False
        self._changed = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Takes what comes; for aiohttp."""
        self._data += data
        if len(self._data) >= _MAX_WAITING_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._changed.set()
        return False, b""

    def feed_eof(self) -> None:
        """The client has gone; for aiohttp."""
        self._is_ended = True
        self._changed.set()

    @override
    async def read(self) -> bytes | None:
        while not self._data:
            if self._is_ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._data)
        self._data.clear()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    @override
    async def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)
        await self._protocol._drain_helper()  # noqa: SLF001 - aiohttp has no public way to wait for a slow client


class _MessageWire(Wire):
    """The messages of a WebSocket; texts are given and taken as their bytes."""

    def __init__(self, socket: web.WebSocketResponse, *, is_text: bool) -> None:
        self._socket = socket
        self._is_text = is_text

    @override
    async def read(self) -> bytes | None:
        while True:
            # Thousands of short messages may have come at once, also pings: others get a turn after each.
            await asyncio.sleep(0)
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.BINARY:
                    return bytes(message.data)
                case WSMsgType.TEXT:
                    return str(message.data).encode(errors="replace")
                case WSMsgType.PING:
                    await self._socket.pong(message.data)
                case WSMsgType.PONG:
                    continue
                case _:
                    return None

    @override
    async def write(self, data: bytes) -> None:
        if self._is_text:
            await self._socket.send_str(data.decode())
        else:
            await self._socket.send_bytes(data)
