"""A socket next to the kubeconfig of a running cluster, through which other processes ask for faults (``faults``).

One JSON object for each connection, and one in answer: ``{"fault": NAME, "options": {...}}``, then ``{"done": TEXT}``
or ``{"error": TEXT}``. A user who can read the kubeconfig can connect: both are in one folder.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.listening import close_server

__all__ = ["SOCKET_NAME", "ask", "serving"]

SOCKET_NAME = "control.sock"
_TIMEOUT_SECONDS = 120.0
"""A fault may take this long to be done: an API server can be away for 100 s."""

Handler = Callable[[str, Mapping[str, Any]], Awaitable[str]]
"""Gets the fault's name and options, returns what was done in a sentence, raises ClusterError."""


@contextlib.asynccontextmanager
async def serving(folder: Path, handle: Handler) -> AsyncIterator[None]:
    """Answers on the socket in ``folder`` while the block runs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            reply = {"done": await handle(request["fault"], request["options"])}
        except RuntimeLayerError as error:
            reply = {"error": str(error)}
        except (ValueError, KeyError, TypeError):
            reply = {"error": "this is no request for a fault"}
        finally:
            with contextlib.suppress(ConnectionError):
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
            writer.close()

    server = await asyncio.start_unix_server(answer, folder / SOCKET_NAME)
    try:
        yield
    finally:
        await close_server(server)
        await server.wait_closed()
        await asyncio.to_thread((folder / SOCKET_NAME).unlink, missing_ok=True)


async def ask(kubeconfig: Path, fault: str, options: Mapping[str, Any]) -> str:
    """Asks the cluster of a kubeconfig for a fault. Returns what was done.

    Raises:
        ClusterError: there is no such cluster, it no longer runs, or it refused.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(kubeconfig.parent / SOCKET_NAME)
            try:
                writer.write(json.dumps({"fault": fault, "options": dict(options)}).encode() + b"\n")
                await writer.drain()
                reply = json.loads(await reader.readline() or b'{"error": "the cluster ended before it answered"}')
            finally:
                writer.close()
    except OSError as error:
        raise ClusterError(
            f"No embedded cluster runs for the kubeconfig {kubeconfig}: start one with 'fake-dra-driver cluster up', "
            "and set KUBECONFIG to what it prints"
        ) from error
    if "error" in reply:
        raise ClusterError(str(reply["error"]))
    return str(reply["done"])
