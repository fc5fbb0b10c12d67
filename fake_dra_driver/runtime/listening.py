"""The address of a server: how it is written, taken, and freed without losing a connection that is being accepted."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ListenAddress", "ListenError", "close_server"]


class ListenError(RuntimeLayerError):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a server of ours listens, and the setting that says so."""

    name: str
    """Setting and value, for messages."""
    host: str
    """Empty: every address of the machine."""
    port: int
    """0: any that is free."""

    @classmethod
    def parse(cls, text: str, setting: str) -> "ListenAddress":
        """Reads ``host:port``, ``[IPv6]:port`` or ``:port``. Raises ListenError for anything else."""
        name = f"{setting} {text}"
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise ListenError(f"cannot listen on {name}: the form is host:port, [IPv6]:port or :port")
        return cls(name, host.removeprefix("[").removesuffix("]"), int(port))

    async def bind(self) -> Sequence[socket.socket]:
        """Takes the address: sockets that listen, one or more.

        Raises:
            ListenError: the address is in use, not of this machine, or not allowed for this user.
        """
        try:
            return await self._sockets()
        except OSError as error:
            raise self.error(error) from error

    async def _sockets(self) -> Sequence[socket.socket]:
        if not self.host:
            return [_listen_everywhere(self.port)]
        found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        listening: list[socket.socket] = []
        try:
            for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
                listening.append(socket.create_server(address[:2], family=family))
        except OSError:
            for each in listening:
                each.close()
            raise
        return listening

    def error(self, error: OSError) -> ListenError:
        """Why the address cannot be listened on, in a sentence."""
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            reason = "another process listens there; stop it, or choose another port"
        return ListenError(f"cannot listen on {self.name}: {reason}")


def _listen_everywhere(port: int) -> socket.socket:
    """One socket for IPv4 and IPv6, as Go listens; two would get different ports for port 0."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            # A kernel with IPv6 compiled in and switched off.
            if error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                raise
    return socket.create_server(("", port))


async def close_server(server: asyncio.Server) -> None:
    """Listens no more. Connections that were accepted are served, as after ``asyncio.Server.close``.

    asyncio begins to serve a connection one turn of the event loop after it has accepted it. A server that is closed in
    between forgets the connection without a word, and its socket is open until garbage is collected (CPython issue
    109564). So nothing is accepted any more first, and the server is closed one turn later.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening)
    try:
        await asyncio.sleep(0)
    finally:
        server.close()
