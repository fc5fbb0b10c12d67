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
from fake_dra_driver.cluster.folder import CONTROL_SOCKET, find_control_socket
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.listening import close_server

__all__ = ["ask", "serving"]

_TIMEOUT_SECONDS = 120.0
"""A fault may take this long to be done: an API server can be away for 100 s, a node can take 60 s to register."""

Handler = Callable[[str, Mapping[str, Any]], Awaitable[str]]
"""Gets the fault's name and options, returns what was done in a sentence, raises ClusterError."""


@contextlib.asynccontextmanager
async def serving(folder: Path, handle: Handler) -> AsyncIterator[None]:
    """Answers on the socket in ``folder`` while the block runs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # Who only looks whether the cluster runs asks for nothing.
            if line := await reader.readline():
                writer.write(json.dumps(await _reply(line, handle)).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # The one who asked did not wait for the answer.
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, folder / CONTROL_SOCKET)
    try:
        yield
    finally:
        await close_server(server)
        await server.wait_closed()
        await asyncio.to_thread((folder / CONTROL_SOCKET).unlink, missing_ok=True)


async def _reply(line: bytes, handle: Handler) -> Mapping[str, str]:
    try:
        request = json.loads(line)
        fault, options = request["fault"], request["options"]
    except (ValueError, KeyError, TypeError):
        return {"error": "this is no request for a fault"}
    try:
        return {"done": await handle(fault, options)}
    except RuntimeLayerError as error:
        return {"error": str(error)}


async def ask(kubeconfig: str, fault: str, options: Mapping[str, Any]) -> str:
    """Asks the cluster of a kubeconfig for a fault. Returns what was done.

    Args:
        kubeconfig: as KUBECONFIG has it: of several files, the first that belongs to a cluster counts.
        fault: its name, as ``FaultCommand`` knows it.
        options: its options.

    Raises:
        ClusterError: there is no such cluster, it no longer runs, or it refused.
    """
    socket = await asyncio.to_thread(find_control_socket, kubeconfig)
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(json.dumps({"fault": fault, "options": dict(options)}).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError as error:
        raise ClusterError(f"The cluster did not answer within {_TIMEOUT_SECONDS:g} s") from error
    except ConnectionError:
        line = b""
    if not line:
        raise ClusterError("The cluster ended, or failed, before it answered")
    reply = json.loads(line)
    if "error" in reply:
        raise ClusterError(str(reply["error"]))
    return str(reply["done"])
