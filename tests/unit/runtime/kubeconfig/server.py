"""A server that answers whatever it is sent, with TLS or without."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from tests.integration.kubeconfig.authority import Issued

__all__ = ["serving", "tls_context"]


@asynccontextmanager
async def serving(
    answer: bytes, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, heard: list[bytes] | None = None
) -> AsyncIterator[str]:
    """Gives host and port as they stand in a URL; what is sent goes into ``heard``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that refuses the server's certificate says so, and hangs up.
        with closing(writer), suppress(OSError):
            head = await reader.read(65536)
            if heard is not None:
                heard.append(head)
            writer.write(answer)
            await writer.drain()

    async with await asyncio.start_server(serve, host, 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def tls_context(folder: Path, issued: Issued) -> ssl.SSLContext:
    """Of a server with that certificate, which is written into the folder."""
    pem = folder / "server.pem"
    pem.write_bytes(issued.certificate + issued.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(tls.load_cert_chain, pem)
    return tls
