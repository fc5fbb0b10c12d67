"""gRPC servers on unix sockets whose names matter: the kubelet finds a plugin by them.

    SocketError            a socket cannot be served; the message names the path and what to do
     ├ PathTooLongError    the name does not fit into an AF_UNIX address
     ├ SocketInUseError    another process serves it
     └ NotASocketError     something else has that name

A socket is bound under a name that the kubelet overlooks (its plugin watcher skips names with a leading dot) and
renamed into place once it is served: where the name is, a call is answered. A name is taken only from a process that is
dead, and removed only by the process that serves it, so that one that ends late leaves its successor's socket alone.
"""

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

import grpc
from loguru import logger

from fake_dra_driver.dra.node.pluginsockets import MAX_PATH_SIZE_BYTES, unseen
from fake_dra_driver.hosting.process import release_at_end
from fake_dra_driver.regularfile import make_folder
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = [
    "FOLDER_MODE",
    "NotASocketError",
    "PathTooLongError",
    "SocketError",
    "SocketInUseError",
    "SocketServer",
    "close_to_others",
    "is_served",
]

log = logger.bind(component="sockets")

_PROBE_TIMEOUT_SECONDS = 1.0
"""A process that lets a connection wait this long is there all the same: its socket's queue is full."""

FOLDER_MODE = 0o750
"""As the kubelet makes its own plugin folders."""

_SOCKET_MODE = 0o600
"""Every process that can connect can have devices prepared. The kubelet, which alone needs to, runs as root."""


class SocketError(RuntimeLayerError):
    """A socket cannot be served."""


class PathTooLongError(SocketError):
    """The path does not fit into an AF_UNIX address."""


class SocketInUseError(SocketError):
    """Another process serves the socket, or holds its folder."""


class NotASocketError(SocketError):
    """A file that is not a socket has the name."""


class SocketServer:
    """A gRPC server on one unix socket."""

    def __init__(self, path: Path, add_services: Callable[[grpc.aio.Server], None]) -> None:
        """Args:
        path: The name under which it can be called.
        add_services: Called with each server that is made, before it starts.
        """
        self.path = path
        self._add_services = add_services
        self._server: _Server | None = None
        self._identity: tuple[int, int] | None = None
        """Device and inode of the socket that is ours."""

    async def start(self) -> None:
        """Serves the socket. A socket that a dead process left there is replaced.

        Raises:
            SocketError: one of the tree above; nothing is served then.
        """
        size_bytes = len(os.fsencode(self.path))
        if size_bytes > MAX_PATH_SIZE_BYTES:
            raise PathTooLongError(
                f"the socket path {self.path} has {size_bytes} bytes, the system allows {MAX_PATH_SIZE_BYTES}; "
                "choose a shorter folder or socket name"
            )
        await self._prepare_place()
        place = unseen(self.path)
        server = _Server(self._add_services)
        try:
            await server.listen(place)
            self._identity = await asyncio.to_thread(_put_in_place, place, self.path)
        except (RuntimeError, OSError) as e:  # gRPC raises RuntimeError for a bind that failed
            await server.stop(0)
            raise SocketError(f"cannot serve {self.path}: {e}") from e
        self._server = server

    async def is_in_place(self) -> bool:
        """Whether the name still leads to the socket that this server listens on."""
        return self._identity is not None and await asyncio.to_thread(_identity_of, self.path) == self._identity

    async def restart(self, grace_seconds: float) -> None:
        """Serves under the name again, on a new socket; calls that came in over the old one still get their answer.

        Raises:
            SocketError: the new socket cannot be served; see ``start``.
        """
        old, self._server, self._identity = self._server, None, None
        try:
            await self.start()
        finally:
            if old is not None:
                await old.stop(grace_seconds)

    async def withdraw(self) -> None:
        """Removes the name, so that no new caller finds the socket. Calls in flight go on."""
        if await self.is_in_place():
            await asyncio.to_thread(self.path.unlink, missing_ok=True)
        self._identity = None

    async def stop(self, grace_seconds: float) -> None:
        """Takes no new calls, waits for those in flight, but no longer than this, and removes the name. Idempotent."""
        server, self._server = self._server, None
        try:
            if server is not None:
                await server.stop(grace_seconds)
        finally:
            await self.withdraw()

    async def _prepare_place(self) -> None:
        """Removes a socket that no process serves, and makes the folder if there is none."""
        try:
            mode = await asyncio.to_thread(_mode_of, self.path)
            if mode is None:
                return
            if not stat.S_ISSOCK(mode):
                raise NotASocketError(f"{self.path} exists and is not a socket; remove it")
            if await is_served(self.path):
                raise SocketInUseError(f"another process serves {self.path}; a node needs one instance, stop the other")
            log.info("Removing the socket of an earlier instance", path=str(self.path))
            await asyncio.to_thread(self.path.unlink, missing_ok=True)
        except OSError as e:
            raise SocketError(f"cannot use {self.path}: {e.strerror or e}") from e


class _Server:
    """gRPC's own, which has to be stopped for a program that was cut off in a process that lives on."""

    def __init__(self, add_services: Callable[[grpc.aio.Server], None]) -> None:
        self._server = grpc.aio.server()
        add_services(self._server)
        self._forget = release_at_end(lambda: self._server.stop(None))

    async def listen(self, place: Path) -> None:
        """Raises RuntimeError where it cannot."""
        self._server.add_insecure_port(f"unix:{place}")
        await self._server.start()

    async def stop(self, grace_seconds: float) -> None:
        await self._server.stop(grace_seconds)
        self._forget()


async def is_served(path: Path) -> bool:
    """Whether a process listens on the socket. Raises OSError when that cannot be found out."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_unix_connection(path)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except (TimeoutError, BlockingIOError):
        return True
    writer.close()
    return True


def close_to_others(folder: Path) -> None:
    """Makes a folder, or takes from other users what they may do in one that is there. Blocks.

    A kubelet that makes a folder to mount it (hostPath, DirectoryOrCreate) lets every user look into it.

    Raises:
        SocketError: the folder cannot be made.
    """
    try:
        make_folder(folder, FOLDER_MODE)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as e:
        raise SocketError(f"cannot use the folder {folder}: {e.strerror}") from e
    if mode & ~FOLDER_MODE:
        try:
            folder.chmod(mode & FOLDER_MODE)
        except OSError as e:  # it belongs to another user; what is in it that matters is closed by itself
            log.warning("Other users can look into the plugin's folder", path=str(folder), error=e.strerror)


def _mode_of(path: Path) -> int | None:
    make_folder(path.parent, FOLDER_MODE)
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _put_in_place(place: Path, path: Path) -> tuple[int, int] | None:
    place.chmod(_SOCKET_MODE)
    place.rename(path)
    return _identity_of(path)
