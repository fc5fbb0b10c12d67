"""Other instances of a driver's plugin on the node: the pods before and after this one in a rolling update."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from fake_dra_driver.dra.node.pluginsockets import PluginSockets
from fake_dra_driver.dra.node.sockets import SocketError, is_served

__all__ = ["Siblings"]

log = logger.bind(component="siblings")


class Siblings:
    """What the sockets of the other instances tell about them.

    Args:
        sockets: of this instance.
    """

    def __init__(self, sockets: PluginSockets) -> None:
        self._sockets = sockets

    async def are_alive(self) -> bool:
        """Whether the kubelet can register one of them.

        Raises:
            SocketError: the folder of the registration sockets cannot be used.
        """
        return any([await _is_served(path) for path in await self._registrations()])

    async def is_superseded(self) -> bool:
        """Whether one of them began to serve after this one, and does so now: it has the last word about the node.

        Raises:
            SocketError: the folder of the registration sockets cannot be used.
        """
        own = await asyncio.to_thread(_served_since, self._sockets.registration)
        if own is None:
            return False
        later = [
            path for path in await self._registrations() if (await asyncio.to_thread(_served_since, path) or 0) > own
        ]
        return any([await _is_served(path) for path in later])

    async def remove_dead_sockets(self) -> None:
        """Removes what instances left that were killed: the kubelet tries to connect to it again and again.

        Raises:
            SocketError: a folder cannot be used.
        """
        for path in (*await self._registrations(), *await self._plugins()):
            if not await _is_served(path):
                log.info("Removing the socket of a dead instance", path=str(path))
                try:
                    await asyncio.to_thread(path.unlink, missing_ok=True)
                except OSError as e:
                    raise SocketError(f"cannot remove {path}: {e.strerror}") from e

    async def _registrations(self) -> Sequence[Path]:
        return self._sockets.other_registrations(await _sockets_in(self._sockets.registration.parent))

    async def _plugins(self) -> Sequence[Path]:
        return self._sockets.other_plugins(await _sockets_in(self._sockets.plugin.parent))


async def _is_served(path: Path) -> bool:
    try:
        return await is_served(path)
    except OSError as e:
        raise SocketError(f"cannot use {path}: {e.strerror or e}") from e


def _served_since(path: Path) -> int | None:
    """When a socket was bound, in nanoseconds; None: there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    except OSError as e:
        raise SocketError(f"cannot use {path}: {e.strerror}") from e


async def _sockets_in(folder: Path) -> Sequence[str]:
    """The names of the sockets in a folder; none, if there is no such folder."""
    try:
        return await asyncio.to_thread(_names_of_sockets, folder)
    except OSError as e:
        raise SocketError(f"cannot read the folder {folder}: {e.strerror}") from e


def _names_of_sockets(folder: Path) -> Sequence[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_socket()]
    except FileNotFoundError:
        return []
