"""A server that is closed while it accepts a connection."""

import asyncio
import gc
import socket

import pytest

from fake_dra_driver.runtime.listening import close_server

HOST = "127.0.0.1"


@pytest.mark.parametrize("turns", range(5))
async def test_no_connection_is_lost(turns: int) -> None:
    """Whichever turn of the event loop the server is closed in: answered, or refused by the system."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"served")
        writer.close()
        await writer.wait_closed()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, HOST, 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)

        await close_server(server)

        assert not server.is_serving()
        try:
            async with asyncio.timeout(10):
                answer = await loop.sock_recv(client, 100)
        except ConnectionResetError:
            answer = b"refused"
        assert answer in {b"served", b"refused"}
    gc.collect()  # a socket that was left fails this test


async def test_nothing_is_accepted_any_more() -> None:
    server = await asyncio.start_server(lambda *_: None, HOST, 0)
    address = server.sockets[0].getsockname()

    await close_server(server)

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
