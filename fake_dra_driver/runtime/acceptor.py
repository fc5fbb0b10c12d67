"""Accepts the connections of a server, bounds them, and makes room for a new one instead of refusing it.

For whatever speaks on a connection, with TLS or without. What strangers can hold is bounded: connections (and with
them memory and file descriptors), the time that one may take to ask, and how much is accepted in one turn of the event
loop. A connection on which nothing has been heard costs a socket and no more: its protocol, and with TLS the buffers of
a handshake, are made when there is something to read.

Where one too many comes, another is dropped. Those of the address that has most come first, so that what an address
opens costs none of the others; of these, the ones that wait for nothing, the oldest first. So a probe gets through
whatever others hold. What is no bound: how often others connect, and then ask. That takes a NetworkPolicy.

asyncio's own servers have no such bounds, nor has aiohttp: they know a connection only after its handshake, and
complain about each that cannot be accepted.
"""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from loguru import logger
from typing_extensions import override

__all__ = ["Acceptor", "Connection", "NewProtocol", "peer_of"]

log = logger.bind(component="acceptor")

NewProtocol = Callable[[], asyncio.Protocol]
"""Makes the protocol of a connection."""

_DESCRIPTORS_SHARE: Final = 8
"""One server takes at most one in so many of the file descriptors of its process, which needs others for its work."""
_AT_ONCE: Final = 8
"""Connections that are accepted in one turn of the event loop: half a millisecond, then others have their turn."""
_AGAIN_SECONDS: Final = 1.0
"""Pause after a failure to accept a connection, as in asyncio's own servers."""
_NEW_SECONDS: Final = 1.0
"""A connection that is younger may not have had the time to ask: others are dropped for it, if it is one of few."""
_NEW_SHARE: Final = 2
"""New connections take the places of others up to one part of so many: half of them."""
_GONE: Final = contextlib.nullcontext()
"""Stands for a connection whose client has gone."""
_IPV4_IN_IPV6: Final = bytes(10) + b"\xff\xff"
_IPV6_NETWORK_BYTES: Final = 8


class Connection:
    """One connection that was accepted. A context that lasts while the answer to a complete request is made."""

    __slots__ = ("is_serving", "peer", "protocol", "since", "socket", "transport", "was_served")

    def __init__(self, accepted: socket.socket, peer: bytes, since: float) -> None:
        self.socket = accepted
        self.peer = peer
        """The address of its client; of an IPv6 address the network, of which a client has all addresses."""
        self.since = since
        """Since when nothing was asked, in the loop's time: since it was accepted, or since the last answer."""
        self.was_served = False
        self.is_serving = False
        """Whether a request is complete, and its answer is not."""
        self.protocol: asyncio.Protocol | None = None
        """None until something is heard, and with TLS until a handshake begins."""
        self.transport: asyncio.Transport | None = None
        """None until it is set up, handshake included."""

    def __enter__(self) -> None:
        """A request is complete."""
        self.is_serving = True

    def __exit__(self, *_: object) -> None:
        """Its answer is, or will never be."""
        self.is_serving, self.was_served = False, True
        self.since = asyncio.get_running_loop().time()

    def is_new(self, now: float) -> bool:
        """Whether it may not have had the time to ask yet."""
        return now - self.since < _NEW_SECONDS and not self.was_served and not self.is_serving

    def claim(self, now: float) -> int:
        """How good its claim to stay is: among connections of equal addresses, the lowest is dropped first."""
        if self.is_serving:
            return 4
        if self.is_new(now):
            return 3
        if self.transport is not None and self.transport.get_write_buffer_size():
            return 2  # its client does not read the answer
        return 1 if self.was_served else 0


class Acceptor:
    """Accepts connections, from ``start`` to ``close``, within one event loop.

    Args:
        new_protocol: makes the protocol of a connection. It must close its transport when its client has ended.
        most: connections at a time, apart from those that are trusted.
        idle_seconds: how long one may ask for nothing, before its first request or after an answer.
        tls: what to present; None: no TLS.
        handshake_seconds: how long a TLS handshake may take, and the client's agreement to the end of a connection.
    """

    def __init__(
        self,
        new_protocol: NewProtocol,
        *,
        most: int,
        idle_seconds: float,
        tls: ssl.SSLContext | None = None,
        handshake_seconds: float | None = None,
    ) -> None:
        self._new_protocol = new_protocol
        self._most = min(most, _affordable())
        self._idle_seconds = idle_seconds
        self._tls = tls
        self._handshake_seconds = handshake_seconds if tls is not None else None
        self._listening: Sequence[socket.socket] = ()
        self._bounded: dict[Connection, asyncio.TimerHandle] = {}
        """Those that count, the oldest first, each with the timer that ends it when nothing is asked."""
        self._per_peer: Counter[bytes] = Counter()
        """How many of those that count an address has; no entry for none."""
        self._by_protocol: dict[asyncio.Protocol, Connection] = {}
        """Those that are set up, trusted ones too."""
        self._setups: dict[asyncio.Task[None], Connection] = {}
        """Those that are being set up."""

    # --- life

    def start(self, listening: Sequence[socket.socket]) -> None:
        """Begins to accept, and takes the listening sockets over."""
        self._listening = listening
        for each in listening:
            each.setblocking(False)
            self._listen(each)

    def stop(self) -> None:
        """Accepts no more, and ends the connections on which nothing has been heard. The others go on."""
        listening, self._listening = self._listening, ()
        for each in listening:
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        for connection in [each for each in self._bounded if each.protocol is None]:
            self._drop(connection)

    async def close(self) -> None:
        """Ends everything, without waiting for any client."""
        self.stop()
        for connection in list(self._setups.values()):
            self._drop(connection)
        if self._setups:
            await asyncio.wait(self._setups)
        # Only now: a handshake may have ended in that very moment.
        for connection in [*self._bounded, *self._by_protocol.values()]:
            self._drop(connection)
        await asyncio.sleep(0)  # the turn of the event loop in which aborted transports close their sockets

    # --- what the server says of its connections

    def serving(self, protocol: asyncio.Protocol) -> AbstractContextManager[None]:
        """While the answer to a complete request is made."""
        return self._by_protocol.get(protocol, _GONE)

    def trust(self, protocol: asyncio.Protocol) -> None:
        """Its client is no stranger: the connection no longer counts, and is not dropped for others."""
        if (connection := self._by_protocol.get(protocol)) is not None:
            self._forget(connection)

    def is_trusted(self, protocol: asyncio.Protocol) -> bool:
        """Whether it was said to be trusted."""
        connection = self._by_protocol.get(protocol)
        return connection is not None and connection not in self._bounded

    # --- accepting

    def _listen(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no file descriptor is left, and the event loop would call again at once
                self._find_descriptor(listening, error)
                return
            self._add(accepted, peer_of(accepted.family, address))

    def _find_descriptor(self, listening: socket.socket, error: OSError) -> None:
        if self._bounded:
            self._drop(self._worst())
            return
        log.warning("Cannot accept a connection, will try again", error=str(error), seconds=_AGAIN_SECONDS)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        loop.call_later(_AGAIN_SECONDS, self._listen, listening)

    def _add(self, accepted: socket.socket, peer: bytes) -> None:
        accepted.setblocking(False)
        while len(self._bounded) >= self._most:
            self._drop(self._worst())
        loop = asyncio.get_running_loop()
        connection = Connection(accepted, peer, loop.time())
        self._bounded[connection] = loop.call_later(self._idle_seconds, self._look, connection)
        self._per_peer[peer] += 1
        loop.add_reader(accepted, self._set_up, connection)

    def _set_up(self, connection: Connection) -> None:
        """There is something to read."""
        asyncio.get_running_loop().remove_reader(connection.socket)
        connection.protocol = _Watched(self, connection, self._new_protocol())
        task = asyncio.create_task(self._connect(connection, connection.protocol), name="connection-setup")
        self._setups[task] = connection
        task.add_done_callback(self._setups.pop)

    async def _connect(self, connection: Connection, protocol: asyncio.Protocol) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection.socket,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_seconds,
                ssl_shutdown_timeout=self._handshake_seconds,
            )
        except OSError as error:
            log.debug("A client ended its TLS handshake", error=str(error))
            self._forget(connection)

    def made(self, connection: Connection, protocol: asyncio.Protocol) -> None:
        """It is set up."""
        self._by_protocol[protocol] = connection

    def lost(self, connection: Connection, protocol: asyncio.Protocol) -> None:
        """It has ended, and its socket is closed in this turn of the event loop."""
        self._by_protocol.pop(protocol, None)
        self._forget(connection)

    # --- dropping

    def _look(self, connection: Connection) -> None:
        """Drops a connection that has asked for nothing for too long."""
        loop = asyncio.get_running_loop()
        ends = (loop.time() if connection.is_serving else connection.since) + self._idle_seconds
        if ends <= loop.time():
            self._drop(connection)
        else:
            self._bounded[connection] = loop.call_at(ends, self._look, connection)

    def _worst(self) -> Connection:
        now, most = asyncio.get_running_loop().time(), max(self._per_peer.values())
        crowd = [each for each in self._bounded if self._per_peer[each.peer] == most]
        new = [each for each in crowd if each.is_new(now)]
        if len(new) * _NEW_SHARE > self._most:
            return new[0]
        return min(crowd, key=lambda each: (each.claim(now), each.since))

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        if connection.protocol is None:
            asyncio.get_running_loop().remove_reader(connection.socket)
            connection.socket.close()
            return
        # In a handshake there is no transport to abort, and one with TLS that is being closed cannot be aborted
        # (CPython issue 98539): both end when the system says that the client has gone.
        with contextlib.suppress(OSError):  # it has
            connection.socket.shutdown(socket.SHUT_RDWR)
        if connection.transport is not None:
            connection.transport.abort()

    def _forget(self, connection: Connection) -> None:
        """It no longer counts."""
        timer = self._bounded.pop(connection, None)
        if timer is None:
            return
        timer.cancel()
        self._per_peer[connection.peer] -= 1
        if not self._per_peer[connection.peer]:
            del self._per_peer[connection.peer]


class _Watched(asyncio.Protocol):
    """The protocol of a connection, whose beginning and end are reported."""

    def __init__(self, acceptor: Acceptor, connection: Connection, protocol: asyncio.Protocol) -> None:
        self._acceptor, self._connection, self._protocol = acceptor, connection, protocol

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._connection.transport = transport
        self._acceptor.made(self._connection, self._protocol)
        self._protocol.connection_made(transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    @override
    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    @override
    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._acceptor.lost(self._connection, self._protocol)
        self._protocol.connection_lost(exc)


def _affordable() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**16 if soft == resource.RLIM_INFINITY else max(soft // _DESCRIPTORS_SHARE, 1)


def peer_of(family: int, address: tuple[str, int]) -> bytes:
    """What of the address of a client says who it is."""
    if family != socket.AF_INET6:
        return socket.inet_aton(address[0])
    packed = socket.inet_pton(socket.AF_INET6, address[0].partition("%")[0])
    return packed.removeprefix(_IPV4_IN_IPV6) if packed.startswith(_IPV4_IN_IPV6) else packed[:_IPV6_NETWORK_BYTES]
