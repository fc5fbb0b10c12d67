"""A session over SPDY/3.1: a stream for each of error, stdin, stdout, stderr and resize, which the client opens.

Follows k8s.io/kubelet/pkg/cri/streaming/remotecommand/httpstream.go for versions 1 to 4 of remotecommand: up to 3 the
error stream has a text, and none for success; from 3 on a terminal can be resized; from 4 on the error stream has a
Status, always.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.cluster.remotecommand.spdyconnection import SpdyConnection, SpdyStream
from fake_dra_driver.cluster.remotecommand.streams import (
    ClientLeftError,
    Output,
    RemoteStreams,
    StreamOptions,
    Wire,
)

__all__ = ["SPDY_VERSIONS", "SpdyStreams"]

SPDY_VERSIONS: Final = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
"""The newest first, as a kubelet says what it accepts."""
_CREATION_SECONDS: Final = 30.0
"""DefaultStreamCreationTimeout of a kubelet."""
_MOST_STREAMS: Final = 10
"""There are five kinds."""
_KINDS: Final = ("error", "stdin", "stdout", "stderr", "resize")


class SpdyStreams(RemoteStreams):
    """One session.

    Args:
        wire: the connection.
        options: what the client has asked for.
        version: one of ``SPDY_VERSIONS``.
    """

    def __init__(self, wire: Wire, options: StreamOptions, version: str) -> None:
        super().__init__(options)
        self._version = version
        self._connection = SpdyConnection(wire, _MOST_STREAMS)
        self._streams: dict[str, SpdyStream] = {}
        # By kind.

    client_leaves_first = True

    @override
    async def receive(self) -> None:
        await self._connection.receive()

    @override
    async def ready(self) -> None:
        expected = {"error"} | {kind for kind in ("stdin", "stdout", "stderr") if getattr(self.options, kind)}
        if self.options.tty and self._version in SPDY_VERSIONS[:2]:
            expected.add("resize")
        try:
            async with asyncio.timeout(_CREATION_SECONDS):
                while not expected <= self._streams.keys():
                    stream = await self._connection.accept()
                    kind = _kind(stream)
                    if kind not in _KINDS or kind in self._streams:
                        await stream.reset()
                        continue
                    self._streams[kind] = stream
                    if kind not in ("stdin", "resize"):
                        stream.input.discard()
        except TimeoutError as error:
            raise ClientLeftError("timed out waiting for client to create streams") from error
        if "stdin" in self._streams:
            self.input = self._streams["stdin"].input
        if "resize" in self._streams:
            self.resizes = self._streams["resize"].input

    @override
    async def write(self, output: Output, data: bytes) -> None:
        if output in self._streams:
            await self._streams[output].write(data)

    @override
    async def finish(self, status: Mapping[str, Any]) -> None:
        self.discard_input()
        for kind, stream in self._streams.items():
            await stream.write(self._said(status) if kind == "error" else b"", is_last=True)
        await self._connection.go_away()

    def _said(self, status: Mapping[str, Any]) -> bytes:
        if self._version == SPDY_VERSIONS[0]:
            return json.dumps(status).encode()
        return b"" if status["status"] == "Success" else str(status["message"]).encode()


def _kind(stream: SpdyStream) -> str:
    return stream.headers.get("streamtype", "")
