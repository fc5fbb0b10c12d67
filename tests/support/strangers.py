"""Clients that hold connections to a server, and do no more than a test says."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress

__all__ = ["heard", "held"]


@asynccontextmanager
async def held(port: int, number: int, said: bytes = b"") -> AsyncIterator[Sequence[socket.socket]]:
    """So many connections to a port of this machine, on each of which that has been said, and nothing is read."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            # The system is to read ahead as little as it can.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", port))
            with suppress(ConnectionError):  # it was dropped already
                await loop.sock_sendall(client, said)
            clients.append(client)
        yield clients


async def heard(client: socket.socket) -> bytes:
    """All that the server says until it ends the connection."""
    said = b""
    with suppress(ConnectionResetError):
        while more := await asyncio.get_running_loop().sock_recv(client, 65536):
            said += more
    return said
