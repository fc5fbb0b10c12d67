"""Connections that were handed over, whose clients send without end."""

import asyncio
from typing import Any, cast

from aiohttp import WSMessage, WSMsgType, web

from fake_dra_driver.cluster.apiserver.http.upgrading import _MessageWire


class Flood:
    """A WebSocket on which everything has come already."""

    def __init__(self, *messages: WSMessage) -> None:
        self._messages = list(reversed(messages))
        self.answered = 0

    async def receive(self) -> WSMessage:
        """The next one."""
        return self._messages.pop() if self._messages else WSMessage(WSMsgType.CLOSED, None, None)

    async def pong(self, data: bytes) -> None:
        """Answers a ping."""
        assert data == b"ping"
        self.answered += 1


async def test_messages_without_end_leave_others_their_turns() -> None:
    messages: list[Any] = [
        WSMessage(WSMsgType.PING, b"ping", None),
        WSMessage(WSMsgType.PONG, b"pong", None),
        WSMessage(WSMsgType.TEXT, "text", None),
        WSMessage(WSMsgType.BINARY, b"data", None),
    ]
    flood = Flood(*messages * 100)
    wire = _MessageWire(cast("web.WebSocketResponse", flood), is_text=False)

    async def read() -> list[bytes | None]:
        return [await wire.read() for _ in range(201)]

    task, turns = asyncio.create_task(read()), 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 400
    assert task.result() == [*[b"text", b"data"] * 100, None]
    assert flood.answered == 100
