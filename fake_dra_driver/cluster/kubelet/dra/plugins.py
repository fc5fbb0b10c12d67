"""Finds plugins by their sockets in ``plugins_registry``, and keeps the register of DRA plugins.

Follows k8s.io/kubernetes/pkg/kubelet/pluginmanager and cm/dra/plugin of 1.27 to 1.37:

- a plugin is there as long as its socket is; sockets whose names begin with a dot are ignored; a socket that was
  replaced by another one counts as gone and as new;
- GetInfo (1 s), then the checks, then NotifyRegistrationStatus (5 s), an error from which removes the plugin;
- what failed is tried again after 0.5 s, doubling to two minutes;
- in classic DRA a second plugin of the same name is refused while the first is registered, unless it supports a higher
  version; in structured DRA there may be several at different endpoints, of which the newest is asked.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from loguru import logger

from fake_dra_driver.cluster.kubelet.dra.calls import CHANNEL_OPTIONS, describe
from fake_dra_driver.cluster.kubelet.dra.devicehealth import DeviceHealths
from fake_dra_driver.cluster.kubelet.dra.nodeclient import NodeClient
from fake_dra_driver.cluster.kubelet.dra.refusals import Refusals
from fake_dra_driver.cluster.kubelet.dra.socketfolders import Identity, SocketFolders
from fake_dra_driver.cluster.releases import HealthVersion, PluginVersion, Release
from fake_dra_driver.pb import plugin_registration_v1_pb2 as registration_pb2
from fake_dra_driver.pb import plugin_registration_v1_pb2_grpc as registration_grpc
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.clock import loop_time

__all__ = ["PluginRegistry"]

log = logger.bind(component="plugins")

_TYPE = "DRAPlugin"
_GET_INFO_SECONDS = 1.0
_NOTIFY_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 122.0
"""As exponentialbackoff of pluginmanager/operationexecutor."""


class _RefusedError(Exception):
    """The plugin cannot be registered; the text is for it and for the log."""


@dataclass(frozen=True, slots=True)
class _Plugin:
    """A registered DRA plugin."""

    name: str
    endpoint: str
    version: tuple[int, ...]
    """Of classic DRA; in structured DRA there are services instead."""
    client: NodeClient
    health_version: HealthVersion | None = None
    """How it reports the health of its devices, if it does."""


@dataclass(slots=True)
class _Socket:
    """What is known of one socket in the folder."""

    identity: Identity
    backoff: Backoff
    task: asyncio.Task[None] | None = None
    """The attempt to register what listens there, while it runs."""
    try_at: float = 0.0
    plugin: _Plugin | None = None
    problem: str = ""
    """What was logged last."""
    health: asyncio.Task[None] | None = None
    """Listens to what the plugin says about its devices."""


class PluginRegistry:
    """The DRA plugins of a node, as long as ``run`` runs.

    Args:
        folder: ``plugins_registry``; made if it is missing.
        release: that of the kubelet.
        folders: look through the folder.
        healths: told what plugins say about the health of their devices, where the release has that.
        refusals: registrations that are refused whatever the plugin offers.
        on_change: called with the name of a driver when its first plugin has registered, and when its last is gone.
    """

    def __init__(
        self,
        folder: Path,
        release: Release,
        folders: SocketFolders,
        *,
        on_change: Callable[[str], None] = lambda _: None,
        healths: DeviceHealths | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._folder = folder
        self._release = release
        self._folders = folders
        self._due = asyncio.Event()
        # Set when there are other sockets, or one is to be tried again at another time.
        self._sockets: dict[str, _Socket] = {}
        self._on_change = on_change
        self._healths = healths if release.is_enabled("ResourceHealthStatus") else None
        self._refusals = refusals or Refusals()
        self._plugins: dict[str, list[_Plugin]] = {}
        # By driver, the newest last; never empty.

    def client(self, driver: str) -> NodeClient | None:
        """The client of a driver's newest plugin; None while none has registered."""
        plugins = self._plugins.get(driver)
        return plugins[-1].client if plugins else None

    def drivers(self) -> Sequence[str]:
        """The drivers that have registered."""
        return sorted(self._plugins)

    async def run(self) -> None:
        """Watches the folder until cancelled, then closes all connections. Plugins are not told."""
        try:
            async with asyncio.TaskGroup() as group:
                with self._folders.following(self._folder, self._due) as folder:
                    while True:
                        self._due.clear()
                        await self._update(folder.sockets, group)
                        await self._wait()
        finally:
            for plugin in [plugin for plugins in self._plugins.values() for plugin in plugins]:
                await plugin.client.close()
            self._plugins.clear()
            self._sockets.clear()

    async def _wait(self) -> None:
        """Returns when there is something to do."""
        waiting = [known.try_at for known in self._sockets.values() if known.plugin is None and known.task is None]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(waiting, default=None)):
                await self._due.wait()

    async def _update(self, found: Mapping[str, Identity], group: asyncio.TaskGroup) -> None:
        """Forgets the sockets that are gone, and registers those that are new, or due to be tried again."""
        for path, known in list(self._sockets.items()):
            if found.get(path) != known.identity:
                del self._sockets[path]
                await self._drop(path, known)
        for path, identity in found.items():
            if path not in self._sockets:
                backoff = Backoff(_FIRST_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS, jitter=0.1)
                self._sockets[path] = _Socket(identity, backoff)
            known = self._sockets[path]
            if known.plugin is None and known.task is None and loop_time() >= known.try_at:
                known.task = group.create_task(self._register(path, known, group), name=f"register {path}")

    async def _drop(self, path: str, known: _Socket) -> None:
        if known.task is not None:
            known.task.cancel()
        if known.health is not None:
            known.health.cancel()
        if known.plugin is not None:
            await self._deregister(known.plugin)
            log.info("Plugin deregistered: its socket is gone", plugin=known.plugin.name, socket=path)

    async def _deregister(self, plugin: _Plugin) -> None:
        plugins = self._plugins.get(plugin.name, [])
        if plugin in plugins:
            plugins.remove(plugin)
            if not plugins:
                del self._plugins[plugin.name]
                self._on_change(plugin.name)
        await plugin.client.close()

    async def _register(self, path: str, known: _Socket, group: asyncio.TaskGroup) -> None:
        """One attempt to register what listens on a socket. Raises nothing."""
        try:
            async with grpc.aio.insecure_channel(f"unix:{path}", options=CHANNEL_OPTIONS) as channel:
                await self._negotiate(path, known, registration_grpc.RegistrationStub(channel))
            known.backoff.reset()
            known.problem = ""
            self._listen(known, group)
        except (grpc.aio.AioRpcError, _RefusedError) as error:
            text = describe(error) if isinstance(error, grpc.aio.AioRpcError) else str(error)
            level = "DEBUG" if text == known.problem else "WARNING"
            known.problem = text
            log.log(level, "Plugin not registered, trying again", socket=path, error=text)
            known.try_at = loop_time() + known.backoff.next()
            self._due.set()
        finally:
            known.task = None

    def _listen(self, known: _Socket, group: asyncio.TaskGroup) -> None:
        """Listens to what a plugin that has just registered says about the health of its devices."""
        plugin = known.plugin
        if self._healths is not None and plugin is not None and plugin.health_version is not None:
            follow = self._healths.follow(plugin.name, plugin.client)
            known.health = group.create_task(follow, name=f"health {plugin.name}")

    async def _negotiate(self, path: str, known: _Socket, stub: "registration_grpc.RegistrationAsyncStub") -> None:
        info = await stub.GetInfo(registration_pb2.InfoRequest(), timeout=_GET_INFO_SECONDS)
        try:
            version, versions = self._check(path, info)
        except _RefusedError as error:
            refusal = registration_pb2.RegistrationStatus(plugin_registered=False, error=str(error))
            with contextlib.suppress(grpc.aio.AioRpcError):  # it is refused, whether it learns of it or not
                await stub.NotifyRegistrationStatus(refusal, timeout=_NOTIFY_SECONDS)
            raise
        endpoint = info.endpoint or path
        health = _health_version(info, self._release)
        client = NodeClient(endpoint, self._release, versions, health)
        plugin = _Plugin(info.name, endpoint, version, client, health)
        known.plugin = plugin
        self._plugins.setdefault(info.name, []).append(plugin)
        if len(self._plugins[info.name]) == 1:
            self._on_change(info.name)
        try:
            status = registration_pb2.RegistrationStatus(plugin_registered=True)
            await stub.NotifyRegistrationStatus(status, timeout=_NOTIFY_SECONDS)
        except BaseException:
            known.plugin = None
            await self._deregister(plugin)
            raise
        log.info("Plugin registered", plugin=plugin.name, endpoint=endpoint)

    def _check(
        self, path: str, info: registration_pb2.PluginInfo
    ) -> tuple[tuple[int, ...], Sequence[PluginVersion] | None]:
        """The plugin's highest version, and the services to call. Raises _RefusedError when it cannot be registered."""
        if info.type != _TYPE:
            raise _RefusedError(f"no handler is registered for plugins of type {info.type!r} (socket {path})")
        if not info.name:
            raise _RefusedError(f"the DRA plugin on {path} has no name")
        if self._refusals.take(info.name):
            raise _RefusedError(f"the registration of DRA plugin {info.name} is refused on demand, as a fault")
        if self._release.structured_version:
            return (), self._check_structured(path, info)
        return self._check_classic(info), None

    def _check_structured(self, path: str, info: registration_pb2.PluginInfo) -> Sequence[PluginVersion]:
        """The service to call: the first that the plugin lists and that the kubelet knows. Raises _RefusedError."""
        supported = list(info.supported_versions)
        if not supported:
            raise _RefusedError("empty list of supported gRPC services (aka supported versions)")
        services = {f"{version}.DRAPlugin": version for version in self._release.plugin_versions}
        chosen = next((services[each] for each in supported if each in services), None)
        if chosen is None:
            raise _RefusedError(
                f"none of services supported by the plugin ({', '.join(supported)}) are supported by the kubelet "
                f"({', '.join(services)})"
            )
        endpoint = info.endpoint or path
        if any(each.endpoint == endpoint for each in self._plugins.get(info.name, ())):
            raise _RefusedError(f"endpoint {endpoint} already registered for DRA driver plugin {info.name}")
        return (chosen,)

    def _check_classic(self, info: registration_pb2.PluginInfo) -> tuple[int, ...]:
        versions = [parsed for parsed in map(_parse_version, info.supported_versions) if parsed is not None]
        if not versions or max(versions)[0] != 1:
            offered = ", ".join(info.supported_versions) or "none"
            raise _RefusedError(f"DRA plugin {info.name} supports no version that this kubelet knows: {offered}")
        for present in self._plugins.get(info.name, ()):
            if present.version >= max(versions):
                raise _RefusedError(
                    f"another DRA plugin named {info.name} is registered with a version that is not lower "
                    f"(its endpoint: {present.endpoint})"
                )
        return max(versions)


def _health_version(info: registration_pb2.PluginInfo, release: Release) -> HealthVersion | None:
    """The service for the health of devices: the newest of the kubelet's that the plugin lists."""
    offered = set(info.supported_versions)
    return next((each for each in release.health_versions if f"{each}.DRAResourceHealth" in offered), None)


def _parse_version(text: str) -> tuple[int, ...] | None:
    """The numbers of ``1.2.3``; None for anything else, which the kubelet ignores."""
    return tuple(map(int, text.removeprefix("v").split("."))) if re.fullmatch(r"v?\d+(\.\d+)+", text) else None
