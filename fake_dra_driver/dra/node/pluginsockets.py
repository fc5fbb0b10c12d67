"""The names of a plugin's sockets, which tell the kubelet about it and the instances of a driver from each other.

Follows k8s.io/dynamic-resource-allocation/kubeletplugin (RollingUpdate). With the UID of its pod in the names, the old
and the new pod of a rolling update (``maxSurge: 1``, kubelets since 1.33) can serve at the same time. Where a path is
too long for a socket, a hash stands for the UID, and then one for the driver's name as well. The Go library hashes
those two together; here the name still says of which driver it is, so that what a dead instance left can be removed.
"""

import hashlib
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

__all__ = ["MAX_PATH_SIZE_BYTES", "PluginSockets", "unseen"]

DEFAULT_REGISTRY_FOLDER: Final = Path("/var/lib/kubelet/plugins_registry")
DEFAULT_PLUGINS_FOLDER: Final = Path("/var/lib/kubelet/plugins")

MAX_PATH_SIZE_BYTES: Final = 107
"""sun_path of sockaddr_un has 108 bytes on Linux, the last of which Go and gRPC keep for a NUL."""

_DIGEST_SIZE_BYTES: Final = 8
_UID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}"
"""Of a pod, and of a static one."""
_INSTANCE: Final = rf"(?:{_UID}|[A-Za-z0-9_-]{{11}})"
"""The UID of a pod, or a hash of it."""


@dataclass(frozen=True, slots=True)
class PluginSockets:
    """Where the kubelet finds one instance of a plugin, and where others of the same driver would be."""

    registration: Path
    """In the folder that the kubelet watches."""
    plugin: Path
    """Named in the registration; its folder belongs to this driver alone."""
    is_shared: bool = False
    """Whether other instances may serve on this node at the same time."""
    registrations: re.Pattern[str] | None = None
    """Matches the names of the registration sockets of all instances; None: there is only one."""
    plugins: re.Pattern[str] | None = None
    """Likewise of the sockets for calls."""

    @classmethod
    def of(
        cls,
        driver_name: str,
        *,
        registry_folder: Path = DEFAULT_REGISTRY_FOLDER,
        plugins_folder: Path = DEFAULT_PLUGINS_FOLDER,
        registration_socket_name: str | None = None,
        plugin_socket_name: str = "plugin.sock",
        pod_uid: str = "",
    ) -> Self:
        """The usual names.

        Args:
            driver_name: As in ``driverName`` of classes and claims.
            registry_folder: The folder that the kubelet watches.
            plugins_folder: The folder that has one for each driver.
            registration_socket_name: Without a UID; left out: ``<driver>.sock``.
            plugin_socket_name: Without a UID.
            pod_uid: Of the pod that the plugin runs in; the sockets are ``<driver>-<uid>-reg.sock`` and
                ``dra-<uid>.sock`` then. Empty: no other instance may run at the same time.
        """
        registration_names = [registration_socket_name or f"{driver_name}.sock"]
        plugin_names = [plugin_socket_name]
        driver, hashed = re.escape(driver_name), re.escape(_hash(driver_name))
        registrations = (
            rf"{re.escape(registration_names[0])}|{driver}-{_INSTANCE}-reg\.sock|dra-{hashed}.{{11}}-reg\.sock"
        )
        plugins = rf"{re.escape(plugin_socket_name)}|dra-{_INSTANCE}\.sock"
        if pod_uid:
            hashed_uid = _hash(pod_uid)
            # What does not look like a UID would not be recognised in a name.
            uids = [pod_uid, hashed_uid] if re.fullmatch(_UID, pod_uid) else [hashed_uid]
            registration_names = [f"{driver_name}-{uid}-reg.sock" for uid in uids]
            registration_names.append(f"dra-{_hash(driver_name)}{hashed_uid}-reg.sock")
            plugin_names = [f"dra-{uid}.sock" for uid in uids]
        return cls(
            registration=_first_that_fits(registry_folder, registration_names),
            plugin=_first_that_fits(plugins_folder / driver_name, plugin_names),
            is_shared=bool(pod_uid),
            registrations=re.compile(registrations),
            plugins=re.compile(plugins),
        )

    def other_registrations(self, names: Iterable[str]) -> list[Path]:
        """The registration sockets of other instances, of the names in their folder."""
        return _others(self.registration, self.registrations, names)

    def other_plugins(self, names: Iterable[str]) -> list[Path]:
        """The sockets for calls of other instances, of the names in their folder."""
        return _others(self.plugin, self.plugins, names)


def unseen(path: Path) -> Path:
    """Where a socket is bound before it gets its name: the kubelet overlooks what begins with a dot.

    No longer than the name itself, so that it fits as well.
    """
    return path.with_name(f".{path.name}"[: len(path.name)])


def _others(own: Path, pattern: re.Pattern[str] | None, names: Iterable[str]) -> list[Path]:
    if pattern is None:
        return []
    mine = {own.name, unseen(own).name}
    return [own.with_name(name) for name in sorted(names) if name not in mine and pattern.fullmatch(_seen(name))]


def _seen(name: str) -> str:
    """The name that a socket was to get when its process ended: the reverse of ``unseen``."""
    return f"{name[1:]}k" if name.startswith(".") else name


def _first_that_fits(folder: Path, names: Iterable[str]) -> Path:
    """The last one, if none fits."""
    *longer, shortest = (folder / name for name in names)
    return next((path for path in longer if len(os.fsencode(path)) <= MAX_PATH_SIZE_BYTES), shortest)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()[:_DIGEST_SIZE_BYTES]
    return urlsafe_b64encode(digest).decode().rstrip("=")
