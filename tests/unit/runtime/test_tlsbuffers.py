"""Connections that are made after it have small buffers, and carry as much as before. In a process of its own."""

import subprocess
import sys

PROGRAM = """
import asyncio, ssl
from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.runtime.tlsbuffers import shrink_tls_buffers

async def main():
    shrink_tls_buffers()
    identity = make_identity("127.0.0.1")
    sent = bytes(range(256)) * 4096

    async def serve(reader, writer):
        writer.write(await reader.readexactly(len(sent)))
        await writer.drain()
        writer.close()

    trust = ssl.create_default_context(cadata=identity.certificate.decode())
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=identity.context) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=trust)
        writer.write(sent)
        print(await reader.readexactly(len(sent)) == sent, len(writer.transport._ssl_protocol._ssl_buffer))
        writer.close()

asyncio.run(main())
"""


def test_small_buffers_carry_large_messages() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "16384"]
