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
    """Answers on the socket in ``folder`` while the block runs; at its end, faults that are under way are cancelled."""
    async with asyncio.TaskGroup() as group:
        answering: set[asyncio.Task[None]] = set()

        # Not a coroutine: asyncio would make a task of it that outlives the server, and log its cancellation.
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = group.create_task(_answer(reader, writer, handle), name="control")
            answering.add(task)
            task.add_done_callback(answering.discard)

        server = await asyncio.start_unix_server(accept, folder / CONTROL_SOCKET)
        try:
            yield
        finally:
            await close_server(server)
            for task in answering:
                task.cancel()
            await server.wait_closed()
            await asyncio.to_thread((folder / CONTROL_SOCKET).unlink, missing_ok=True)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
    try:
        # A client that only looks whether the cluster runs asks for nothing; one that is interrupted reads no answer.
        with contextlib.suppress(ConnectionError):
            if line := await reader.readline():
                writer.write(json.dumps(await _reply(line, handle)).encode() + b"\n")
                await writer.drain()
    finally:
        writer.close()


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
