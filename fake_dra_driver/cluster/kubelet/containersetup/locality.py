"""What paths and ports of a container become without a mount namespace and a network of its own.

Nothing is mounted: there is one file system, this machine's, and volumes are folders in it. Wherever a text of the
container's spec (an argument, a variable, a command of a probe or hook) *is* a path in a mount, alone or behind its
first ``=`` as in ``--dir=/data/x``, the folder's path takes its place. A path in the middle of a script is not found
that way; a variable with the path, used by the script, is. So is the folder that a mount is in, where the node has the
mounted folder under the same path: a driver of devices is told where all of the kubelet's plugins are, and mounts its
own folder alone.

Containers of images that ask for it get ports of their own in the same manner: a text that ends in ``:8080``, with no
host or any host before it, gets the port of this machine that stands for 8080, on loopback alone.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fake_dra_driver.cluster.kubelet.containersetup.environment import expand
from fake_dra_driver.cluster.kubelet.pod import Container, VolumeMount

__all__ = ["Locality", "sub_path"]

_LOOPBACK = "127.0.0.1"
_ANY_HOST = ("", "0.0.0.0", "[::]")  # noqa: S104 - what is replaced


def sub_path(mount: VolumeMount, environment: Mapping[str, str]) -> str:
    """Which part of its volume a mount is, in a container with these variables."""
    return expand(mount.sub_path_expr, environment) if mount.sub_path_expr else mount.sub_path


@dataclass(frozen=True, slots=True)
class Locality:
    """Where one container's paths and ports really are."""

    mounts: Mapping[str, Path] = field(default_factory=dict)
    """By the path in the container, the most specific first."""
    ports: Mapping[int, int] = field(default_factory=dict)
    """By the port in the container; only those that differ."""

    @classmethod
    def of(
        cls,
        container: Container,
        volumes: Mapping[str, Path],
        ports: Mapping[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> "Locality":
        """For a container with these variables whose pod's volumes are in these folders."""
        found = {
            mount.mount_path.rstrip("/"): Path(f"{volumes[mount.name]}/{sub_path(mount, environment or {})}")
            for mount in container.volume_mounts
            if mount.name in volumes
        }
        return cls(dict(sorted(found.items(), key=lambda item: -len(item[0]))), ports or {})

    def path(self, path: str) -> Path | None:
        """The real path of one in a mount, or of the folder that the mount is in.

        None for any other, such as one that leads out of its mount again.
        """
        if ".." in path.split("/"):
            path = posixpath.normpath(path)
        for mount, folder in self.mounts.items():
            if path == mount or path.startswith(f"{mount}/"):
                return Path(f"{folder}{path[len(mount) :]}")
        for mount, folder in self.mounts.items():
            if path.rstrip("/") == mount.rpartition("/")[0] != "" and str(folder).endswith(mount):
                return folder.parent
        return None

    def text(self, text: str) -> str:
        """A text of the container's spec, with its path or port replaced by the one on this machine."""
        name, equals, value = text.partition("=")
        for start, candidate in (("", text), (name + equals, value)):
            real = self.path(candidate)
            if real is not None:
                return f"{start}{real}{'/' if candidate.endswith('/') else ''}"
        before, colon, number = text.rpartition(":")
        start, equals, host = before.rpartition("=")
        if colon and number.isdecimal() and int(number) in self.ports and host in _ANY_HOST:
            return f"{start}{equals}{_LOOPBACK}:{self.ports[int(number)]}"
        return text
