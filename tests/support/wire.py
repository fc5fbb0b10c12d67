"""A way to an API server on which connections are counted, whatever the server is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["Wire", "wired"]


class Wire:
    """Forwards connections."""

    def __init__(self) -> None:
        self.host = ""
        """Host and port to connect to."""
        self.connections = 0
        """How many there have been."""
        self._writers: set[asyncio.StreamWriter] = set()

    async def forward(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until either side ends it."""
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection(host, port)
        self._writers |= {writer, there_writer}
        try:
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        finally:
            for end in (writer, there_writer):
                end.transport.abort()
                self._writers.discard(end)

    def cut(self) -> None:
        """Ends all connections."""
        for writer in self._writers:
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one end is gone
    finally:
        writer.close()  # and so the other direction ends too: nothing is half closed here


@asynccontextmanager
async def wired(kubeconfig: Path, folder: Path) -> AsyncIterator[tuple[Path, Wire]]:
    """A kubeconfig, in ``folder``, of the same server at the end of a wire."""
    config = json.loads(await asyncio.to_thread(kubeconfig.read_text))
    cluster = config["clusters"][0]["cluster"]
    server, wire = urlsplit(cluster["server"]), Wire()
    listener = await asyncio.start_server(
        lambda reader, writer: wire.forward(server.hostname or "", server.port or 443, reader, writer), "127.0.0.1", 0
    )
    try:
        wire.host = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        cluster["server"] = f"https://{wire.host}"
        path = folder / "wired.kubeconfig"
        await asyncio.to_thread(path.write_text, json.dumps(config))
        yield path, wire
    finally:
        listener.close()
        wire.cut()
        await listener.wait_closed()
