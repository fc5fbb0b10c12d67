"""A socket next to the kubeconfig of a running cluster, through which other processes tell it what to do.

One JSON object for each connection, and one in answer: ``{"fault": NAME, "options": {...}}`` (``faultcommand``) or
``{"command": NAME, "options": {...}}`` (``clustercommand``), then ``{"done": TEXT}``, where a command may answer more
than a text, or ``{"error": TEXT}``. A user who can read the kubeconfig can connect: both are in one folder. Whatever is
asked for, the cluster goes on: what goes wrong with a request is the answer to it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from loguru import logger

from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.folder import CONTROL_SOCKET, find_control_socket, process_of
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.listening import close_server

__all__ = ["ask", "command", "serving"]

log = logger.bind(component="control")

_TIMEOUT_SECONDS: Final = 120.0
"""A fault may take this long to be done: an API server can be away for 100 s, a node can take 60 s to register."""
_COMMAND_SECONDS: Final = 600.0
"""A command may be about hundreds of nodes."""
_QUICK_SECONDS: Final = {"status": 20.0, "down": 20.0}
"""Commands that are answered at once, with thousands of nodes within seconds."""
_MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024
"""A request may name thousands of nodes; asyncio's own limit is 64 KiB."""

Handler = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Gets the name and options of what is to be done, returns what was done, raises ClusterError."""


@contextlib.asynccontextmanager
async def serving(folder: Path, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
    """Answers on the socket in ``folder`` while the block runs; at its end, what is under way is cancelled.

    Args:
        folder: of the cluster.
        handlers: by the word before the name of what is to be done, such as ``fault``.
    """
    async with asyncio.TaskGroup() as group:
        answering: set[asyncio.Task[None]] = set()

        # Not a coroutine: asyncio would make a task of it that outlives the server, and log its cancellation.
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = group.create_task(_answer(reader, writer, handlers), name="control")
            answering.add(task)
            task.add_done_callback(answering.discard)

        server = await asyncio.start_unix_server(accept, folder / CONTROL_SOCKET, limit=_MAX_REQUEST_BYTES)
        try:
            yield
        finally:
            await close_server(server)
            for task in answering:
                task.cancel()
            await server.wait_closed()
            await asyncio.to_thread((folder / CONTROL_SOCKET).unlink, missing_ok=True)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handlers: Mapping[str, Handler]) -> None:
    try:
        # A client that only looks whether the cluster runs asks for nothing; one that is interrupted reads no answer.
        with contextlib.suppress(ConnectionError):
            try:
                line = await reader.readline()
            except ValueError:  # asyncio's word for a line that is too long
                reply: Mapping[str, Any] = {"error": f"a request has at most {_MAX_REQUEST_BYTES:,} bytes"}
            else:
                if not line:
                    return
                reply = await _reply(line, handlers)
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
    finally:
        writer.close()


async def _reply(line: bytes, handlers: Mapping[str, Handler]) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
        word = next(each for each in handlers if each in request)
        name, options = request[word], request["options"]
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        return {"error": f"this is no request for a {' or a '.join(handlers)}"}
    try:
        return {"done": await handlers[word](name, options)}
    except RuntimeLayerError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - the pods of the cluster must not end with a request
        log.opt(exception=error).error("Request failed", word=word, name=str(name))
        return {"error": f"This failed in the cluster, whose log has more: {type(error).__name__}: {error}"}


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
    return str(await _request(socket, {"fault": fault, "options": dict(options)}, _TIMEOUT_SECONDS))


async def command(socket: Path, name: str, options: Mapping[str, Any]) -> Any:
    """Tells a cluster what to do. Returns its answer.

    Args:
        socket: of the cluster.
        name: of the command, as ``ClusterCommand`` knows it.
        options: its options.

    Raises:
        ClusterError: the cluster no longer runs, does not answer in time, or refused.
    """
    return await _request(
        socket, {"command": name, "options": dict(options)}, _QUICK_SECONDS.get(name, _COMMAND_SECONDS)
    )


async def _request(socket: Path, request: Mapping[str, Any], timeout_seconds: float) -> Any:
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                await writer.drain()
                answer = await reader.read()
            finally:
                writer.close()
    except TimeoutError as error:
        folder = socket.parent
        process = process_of(folder)
        advice = f": its process may be stopped; end it with 'kill -9 {process}'" if process is not None else ""
        raise ClusterError(f"The cluster in {folder} did not answer within {timeout_seconds:g} s{advice}") from error
    except (ConnectionError, FileNotFoundError):
        answer = b""
    if not answer:
        raise ClusterError("The cluster ended, or failed, before it answered")
    reply = json.loads(answer)
    if "error" in reply:
        raise ClusterError(str(reply["error"]))
    return reply["done"]
