"""A session over WebSocket: each message begins with the number of a channel.

Follows k8s.io/apimachinery/pkg/util/httpstream/wsstream and the ``v5.channel.k8s.io`` of KEP-4006, in which a client
can end its input. In the variants with base64 messages are texts.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.cluster.remotecommand.streams import (
    ClientLeftError,
    Output,
    RemoteStreams,
    StreamOptions,
    Wire,
)

__all__ = ["CHANNEL_PROTOCOLS", "ChannelStreams", "is_text"]

_V5: Final = "v5.channel.k8s.io"
CHANNEL_PROTOCOLS: Final = (
    _V5,
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
    "",
)
"""Subprotocols of WebSocket; the last: the client names none."""
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_CHANNELS: Final = 5
_OUTPUTS: Final[Mapping[Output, int]] = {"stdout": _STDOUT, "stderr": _STDERR}
_MAX_MESSAGE_BYTES: Final = 32 * 1024
"""Of the messages that are sent."""
_ZERO: Final = ord("0")
"""In the variants with base64, the number of a channel is a digit."""


def is_text(protocol: str) -> bool:
    """Whether the messages of a subprotocol are texts."""
    return "base64" in protocol


class ChannelStreams(RemoteStreams):
    """One session.

    Args:
        wire: the connection, which carries messages.
        options: what the client has asked for.
        protocol: one of ``CHANNEL_PROTOCOLS``.
    """

    def __init__(self, wire: Wire, options: StreamOptions, protocol: str) -> None:
        super().__init__(options)
        self._wire = wire
        self._protocol = protocol
        self._is_finished = False

    client_leaves_first = False

    @override
    async def receive(self) -> None:
        while (message := await self._wire.read()) is not None:
            if message:
                await self._take(message)

    @override
    async def ready(self) -> None:
        """Tells the client that the session is there, by an empty message, as a real server does at its beginning."""
        options = self.options
        await self._send(_STDOUT if options.stdout else _STDERR if options.stderr else _ERROR, b"")

    @override
    async def write(self, output: Output, data: bytes) -> None:
        if not getattr(self.options, output):
            return
        for at in range(0, len(data), _MAX_MESSAGE_BYTES):
            await self._send(_OUTPUTS[output], data[at : at + _MAX_MESSAGE_BYTES])

    @override
    async def finish(self, status: Mapping[str, Any]) -> None:
        self.discard_input()
        if self._protocol.startswith(("v4.", "v5.")):
            await self._send(_ERROR, json.dumps(status).encode())
        elif status["status"] != "Success":
            await self._send(_ERROR, str(status["message"]).encode())

    async def _send(self, channel: int, data: bytes) -> None:
        if is_text(self._protocol):
            await self._wire.write(b"%d%b" % (channel, base64.b64encode(data)))
        else:
            await self._wire.write(bytes((channel,)) + data)

    async def _take(self, message: bytes) -> None:
        channel, data = message[0], message[1:]
        if self._protocol == _V5 and channel == _CLOSE:
            if len(data) != 1 or data[0] >= _CHANNELS:
                raise ClientLeftError("the client ends a channel that there is not")
            if data[0] == _STDIN:
                self.input.end()
            return
        if is_text(self._protocol):
            channel -= _ZERO
            try:
                data = base64.b64decode(data, validate=True)
            except binascii.Error as error:
                raise ClientLeftError("the client sends what is no base64") from error
        if channel == _STDIN:
            self.input.put(data)
            await self.input.room(self.ready)
        elif channel == _RESIZE:
            self.resizes.put(data)
            await self.resizes.room(self.ready)
