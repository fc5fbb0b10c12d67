"""Finds plugins by their sockets in ``plugins_registry``, and keeps the register of DRA plugins.

Follows k8s.io/kubernetes/pkg/kubelet/pluginmanager and cm/dra/plugin/registration.go, 1.27 to 1.30:

- a plugin is there as long as its socket is; sockets whose names begin with a dot are ignored; a socket that was
  replaced by another one counts as gone and as new;
- GetInfo (1 s), then the checks, then NotifyRegistrationStatus (5 s), an error from which removes the plugin;
- what failed is tried again after 0.5 s, doubling to two minutes;
- a second plugin of the same name is refused while the first is registered, unless it supports a higher version.

The folder is listed twice a second, in a thread. The real kubelet is woken by inotify, but acts in a loop of one second
all the same; the listing takes 50 µs, works on every system, and cannot miss anything.
"""

import asyncio
import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from loguru import logger

from fake_dra_driver.cluster.kubelet.dra.calls import CHANNEL_OPTIONS, describe
from fake_dra_driver.cluster.kubelet.dra.nodeclient import NodeClient
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.pb import plugin_registration_v1_pb2 as registration_pb2
from fake_dra_driver.pb import plugin_registration_v1_pb2_grpc as registration_grpc
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.clock import loop_time

__all__ = ["POLL_SECONDS", "PluginRegistry"]

log = logger.bind(component="plugins")

_TYPE = "DRAPlugin"
POLL_SECONDS = 0.5
_GET_INFO_SECONDS = 1.0
_NOTIFY_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 122.0
"""As exponentialbackoff of pluginmanager/operationexecutor."""

_Identity = tuple[int, int, int]
"""Device, inode and time of last change of a socket: they differ when it was made again."""


class _RefusedError(Exception):
    """The plugin cannot be registered; the text is for it and for the log."""


@dataclass(frozen=True, slots=True)
class _Plugin:
    """A registered DRA plugin."""

    name: str
    endpoint: str
    version: tuple[int, ...]
    client: NodeClient


@dataclass(slots=True)
class _Socket:
    """What is known of one socket in the folder."""

    identity: _Identity
    backoff: Backoff
    task: asyncio.Task[None] | None = None
    """The attempt to register what listens there, while it runs."""
    try_at: float = 0.0
    plugin: _Plugin | None = None
    problem: str = ""
    """What was logged last."""


class PluginRegistry:
    """The DRA plugins of a node, as long as ``run`` runs.

    Args:
        folder: ``plugins_registry``; made if it is missing.
        release: that of the kubelet.
        poll_seconds: between two listings of the folder.
    """

    def __init__(self, folder: Path, release: Release, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._folder = folder
        self._release = release
        self._poll_seconds = poll_seconds
        self._sockets: dict[Path, _Socket] = {}
        self._plugins: dict[str, _Plugin] = {}

    def client(self, driver: str) -> NodeClient | None:
        """The client of a driver's plugin; None while none has registered."""
        plugin = self._plugins.get(driver)
        return plugin.client if plugin is not None else None

    def drivers(self) -> Sequence[str]:
        """The drivers that have registered."""
        return sorted(self._plugins)

    async def run(self) -> None:
        """Watches the folder until cancelled, then closes all connections. Plugins are not told."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        await self._look(group)
                    except OSError as error:
                        log.warning("Plugin folder cannot be read", folder=str(self._folder), error=str(error))
                    await asyncio.sleep(self._poll_seconds)
        finally:
            for plugin in self._plugins.values():
                await plugin.client.close()
            self._plugins.clear()
            self._sockets.clear()

    async def _look(self, group: asyncio.TaskGroup) -> None:
        found = await asyncio.to_thread(lambda: dict(_sockets(self._folder)))
        for path, known in list(self._sockets.items()):
            if found.get(path) != known.identity:
                del self._sockets[path]
                await self._drop(path, known)
        for path, identity in found.items():
            backoff = Backoff(_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS, jitter=0.1)
            known = self._sockets.setdefault(path, _Socket(identity, backoff))
            if known.plugin is None and known.task is None and loop_time() >= known.try_at:
                known.task = group.create_task(self._register(path, known), name=f"register {path.name}")

    async def _drop(self, path: Path, known: _Socket) -> None:
        if known.task is not None:
            known.task.cancel()
        if known.plugin is not None:
            await self._deregister(known.plugin)
            log.info("Plugin deregistered: its socket is gone", plugin=known.plugin.name, socket=str(path))

    async def _deregister(self, plugin: _Plugin) -> None:
        if self._plugins.get(plugin.name) is plugin:
            del self._plugins[plugin.name]
        await plugin.client.close()

    async def _register(self, path: Path, known: _Socket) -> None:
        """One attempt to register what listens on a socket. Raises nothing."""
        try:
            async with grpc.aio.insecure_channel(f"unix:{path}", options=CHANNEL_OPTIONS) as channel:
                await self._negotiate(path, known, registration_grpc.RegistrationStub(channel))
            known.backoff.reset()
            known.problem = ""
        except (grpc.aio.AioRpcError, _RefusedError) as error:
            text = describe(error) if isinstance(error, grpc.aio.AioRpcError) else str(error)
            level = "DEBUG" if text == known.problem else "WARNING"
            known.problem = text
            log.log(level, "Plugin not registered, trying again", socket=str(path), error=text)
            known.try_at = loop_time() + known.backoff.next()
        finally:
            known.task = None

    async def _negotiate(self, path: Path, known: _Socket, stub: "registration_grpc.RegistrationAsyncStub") -> None:
        info = await stub.GetInfo(registration_pb2.InfoRequest(), timeout=_GET_INFO_SECONDS)
        try:
            version = self._check(path, info)
        except _RefusedError as error:
            refusal = registration_pb2.RegistrationStatus(plugin_registered=False, error=str(error))
            with contextlib.suppress(grpc.aio.AioRpcError):  # it is refused, whether it learns of it or not
                await stub.NotifyRegistrationStatus(refusal, timeout=_NOTIFY_SECONDS)
            raise
        endpoint = info.endpoint or str(path)
        plugin = _Plugin(info.name, endpoint, version, NodeClient(endpoint, self._release))
        known.plugin, self._plugins[info.name] = plugin, plugin
        try:
            status = registration_pb2.RegistrationStatus(plugin_registered=True)
            await stub.NotifyRegistrationStatus(status, timeout=_NOTIFY_SECONDS)
        except BaseException:
            known.plugin = None
            await self._deregister(plugin)
            raise
        log.info("Plugin registered", plugin=plugin.name, endpoint=endpoint)

    def _check(self, path: Path, info: registration_pb2.PluginInfo) -> tuple[int, ...]:
        """The highest version that the plugin supports. Raises _RefusedError when it cannot be registered."""
        if info.type != _TYPE:
            raise _RefusedError(f"no handler is registered for plugins of type {info.type!r} (socket {path})")
        if not info.name:
            raise _RefusedError(f"the DRA plugin on {path} has no name")
        versions = [parsed for parsed in map(_parse_version, info.supported_versions) if parsed is not None]
        if not versions or max(versions)[0] != 1:
            offered = ", ".join(info.supported_versions) or "none"
            raise _RefusedError(f"DRA plugin {info.name} supports no version that this kubelet knows: {offered}")
        present = self._plugins.get(info.name)
        if present is not None and present.version >= max(versions):
            raise _RefusedError(
                f"another DRA plugin named {info.name} is registered with a version that is not lower "
                f"(its endpoint: {present.endpoint})"
            )
        return max(versions)


def _parse_version(text: str) -> tuple[int, ...] | None:
    """The numbers of ``1.2.3``; None for anything else, which the kubelet ignores."""
    return tuple(map(int, text.removeprefix("v").split("."))) if re.fullmatch(r"v?\d+(\.\d+)+", text) else None


def _sockets(folder: Path) -> Iterator[tuple[Path, _Identity]]:
    """The sockets in the folder and the folders below."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            path = Path(parent, name)
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISSOCK(status.st_mode):
                    yield path, (status.st_dev, status.st_ino, status.st_mtime_ns)
