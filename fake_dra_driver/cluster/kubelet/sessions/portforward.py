"""Forwards ports: each connection of the client's machine is a pair of streams, for data and for an error.

Follows k8s.io/kubelet/pkg/cri/streaming/portforward (httpstream.go). A pod's port is a port of this machine, on
loopback, or the one that stands for it.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from typing import Final

from loguru import logger

from fake_dra_driver.cluster.remotecommand.spdyconnection import SpdyConnection, SpdyStream
from fake_dra_driver.cluster.remotecommand.streams import ClientLeftError, Wire

__all__ = ["forward_ports"]

log = logger.bind(component="sessions")

_ADDRESS: Final = "127.0.0.1"
_MOST_STREAMS: Final = 128
"""Connections take two each."""
_PAIR_SECONDS: Final = 30.0
"""How long one stream of a pair waits for the other (DefaultStreamCreationTimeout)."""
_READ_BYTES: Final = 32 * 1024
_MAX_PORT: Final = 0xFFFF


async def forward_ports(wire: Wire, *, ports: Mapping[int, int], pod: str) -> None:
    """Forwards connections until the client has gone.

    Args:
        wire: the client's connection, which carries SPDY/3.1.
        ports: of this machine, by those of the pod, where they differ.
        pod: name and UID, for messages.
    """
    connection = SpdyConnection(wire, _MOST_STREAMS)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_Pairs(connection, group, ports, pod).accept(), name="port forward")
            await connection.receive()
            raise _ClientGone
    except* (_ClientGone, ClientLeftError, ConnectionError):
        log.debug("Ports are forwarded no more", pod=pod)


class _ClientGone(Exception):  # noqa: N818 - the usual end, which cancels all connections
    pass


class _Pairs:
    """The streams of one client, of which two belong together."""

    def __init__(
        self, connection: SpdyConnection, group: asyncio.TaskGroup, ports: Mapping[int, int], pod: str
    ) -> None:
        self._connection = connection
        self._group = group
        self._ports = ports
        self._pod = pod
        self._waiting: dict[str, tuple[SpdyStream, asyncio.TimerHandle]] = {}
        # By request, those whose other stream has not come.

    async def accept(self) -> None:
        """Starts a task for each pair, until cancelled."""
        try:
            while True:
                stream = await self._connection.accept()
                if _kind(stream) in ("data", "error") and _port(stream):
                    await self._pair(stream)
                else:
                    await stream.reset()
        finally:
            for _, timer in self._waiting.values():
                timer.cancel()

    async def _pair(self, stream: SpdyStream) -> None:
        # Old clients name no request: the number of the data stream is that of the error stream and two.
        own = str(stream.number - (2 if _kind(stream) == "data" else 0))
        request = stream.headers.get("requestid") or own
        if request not in self._waiting:
            if len(self._waiting) >= _MOST_STREAMS:  # streams that were reset are waited for as well
                await stream.reset()
                return
            timer = asyncio.get_running_loop().call_later(_PAIR_SECONDS, self._give_up, request)
            self._waiting[request] = stream, timer
            return
        other, timer = self._waiting.pop(request)
        timer.cancel()
        by_kind = {_kind(each): each for each in (other, stream)}
        if len(by_kind) < 2:
            await stream.reset()
            await other.reset()
            return
        forwarding = _forward(by_kind["data"], by_kind["error"], self._ports, self._pod)
        self._group.create_task(forwarding, name=f"port forward {_port(stream)}")

    def _give_up(self, request: str) -> None:
        stream, _ = self._waiting.pop(request)
        self._group.create_task(stream.reset(), name="port forward reset")


def _kind(stream: SpdyStream) -> str:
    return stream.headers.get("streamtype", "")


def _port(stream: SpdyStream) -> int:
    """The port that is meant; 0: none."""
    text = stream.headers.get("port", "")
    return int(text) if text.isdecimal() and len(text) < 6 and int(text) <= _MAX_PORT else 0


async def _forward(data: SpdyStream, error: SpdyStream, ports: Mapping[int, int], pod: str) -> None:
    """Forwards one connection to its end."""
    error.input.discard()
    port = _port(data)
    real = ports.get(port, port)
    try:
        reader, writer = await asyncio.open_connection(_ADDRESS, real)
    except OSError as problem:
        why = os.strerror(problem.errno) if problem.errno else str(problem)
        said = f"error forwarding port {port} to pod {pod}: failed to connect to {_ADDRESS}:{real}: {why}"
        await error.write(said.encode(), is_last=True)
        await data.reset()
        return
    try:
        sending = asyncio.create_task(_send(data, writer), name="port forward input")
        try:
            with contextlib.suppress(ConnectionResetError):  # by the pod
                while found := await reader.read(_READ_BYTES):
                    await data.write(found)
        finally:
            sending.cancel()
            await asyncio.wait((sending,))
    finally:
        writer.transport.abort()
    data.input.discard()
    await data.write(b"", is_last=True)
    await error.write(b"", is_last=True)


async def _send(data: SpdyStream, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while found := await data.input.get():
            writer.write(found)
            await writer.drain()
        if data.is_finished:  # the client has reset the stream, and takes no answer
            writer.transport.abort()
        else:
            writer.write_eof()
