"""How a listening socket is closed without losing a connection that is just being accepted."""

import asyncio

__all__ = ["close_server"]


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
