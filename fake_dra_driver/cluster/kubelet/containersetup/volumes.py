"""The volumes of a pod: folders below the node's root, made before its containers start.

hostPath, emptyDir, configMap, secret and projected are supported; a pod with any other volume does not start. How
containers find them is in ``locality``. A volume, or a file of one, that leads out of the node's folder is refused: see
``containment``. Follows k8s.io/kubernetes/pkg/volume for names and checks.
"""

import asyncio
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from fake_dra_driver import regularfile
from fake_dra_driver.cluster.kinds import ConfigMap
from fake_dra_driver.cluster.kubelet.containersetup.containment import inside
from fake_dra_driver.cluster.kubelet.containersetup.objectdata import contents
from fake_dra_driver.cluster.kubelet.containersetup.projected import ProjectionClient, projected_files
from fake_dra_driver.cluster.kubelet.pod import HostPath, Pod, Secret, Volume
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["VolumeError", "Volumes"]

_FILE_MODE = 0o600
"""Of the files of configMaps and secrets. Containers run as the user of this process: no other one has to read them."""


class VolumeError(Exception):
    """A volume cannot be made; the message is for the pod's events."""


class Volumes:
    """Folders for the volumes of a node's pods.

    Args:
        root: see the attribute.
        client: reads config maps and secrets, and asks for tokens.
    """

    def __init__(self, root: Path, client: ProjectionClient) -> None:
        self.root = root
        """The folder that is the node's root file system."""
        self._client = client

    def folder_of(self, uid: str) -> Path:
        """Everything of a pod on the node except its logs."""
        return self.root / "var/lib/kubelet/pods" / uid

    async def set_up(self, pod: Pod) -> Mapping[str, Path]:
        """The folders of a pod's volumes, by the volume's name; made if they are missing.

        Raises:
            VolumeError: one of them cannot be made.
        """
        return {volume.name: await self._set_up(pod, volume) for volume in pod.spec.volumes}

    async def _set_up(self, pod: Pod, volume: Volume) -> Path:
        folder = self.folder_of(pod.uid) / "volumes"
        try:
            if volume.host_path is not None:
                return await asyncio.to_thread(self._host_path, volume.host_path)
            if volume.empty_dir is not None:
                return await asyncio.to_thread(self._make, folder / "kubernetes.io~empty-dir" / volume.name)
            if volume.config_map is not None:
                files = await contents(self._client, ConfigMap, pod, volume.config_map, "name")
                return await asyncio.to_thread(self._fill, folder / "kubernetes.io~configmap" / volume.name, files)
            if volume.secret is not None:
                files = await contents(self._client, Secret, pod, volume.secret, "secretName")
                return await asyncio.to_thread(self._fill, folder / "kubernetes.io~secret" / volume.name, files)
            if volume.projected is not None:
                files = await projected_files(self._client, pod, volume.projected)
                return await asyncio.to_thread(self._fill, folder / "kubernetes.io~projected" / volume.name, files)
        except (OSError, ValueError, RuntimeLayerError) as error:  # ValueError: a NUL byte in a path
            raise VolumeError(f'MountVolume.SetUp failed for volume "{volume.name}": {error}') from error
        source = ", ".join(volume.model_extra or ()) or "no source"
        raise VolumeError(
            f'MountVolume.SetUp failed for volume "{volume.name}": {source} is not supported in this cluster, only '
            "hostPath, emptyDir, configMap, secret and projected"
        )

    def _host_path(self, source: HostPath) -> Path:
        """Checks a path of the node as its type asks for."""
        path = inside(self.root, self.root / source.path.lstrip("/"))
        if source.type == "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        elif source.type == "FileOrCreate" and not path.exists():
            path.touch()
        wanted = _TYPES.get(source.type)
        if wanted is not None and not (path.exists() and wanted(path.stat().st_mode)):
            raise OSError(
                f"hostPath type check failed: {source.path} is not a {source.type.lower()} of the node ({path})"
            )
        return path

    def _make(self, folder: Path) -> Path:
        inside(self.root, folder).mkdir(parents=True, exist_ok=True)
        return folder

    def _fill(self, folder: Path, files: Mapping[str, bytes]) -> Path:
        self._make(folder)
        for name, data in files.items():
            path = folder / name
            inside(folder, path.parent).mkdir(parents=True, exist_ok=True)
            regularfile.replace(path, data, _FILE_MODE)
        return folder


_TYPES: Mapping[str, Callable[[int], bool]] = {
    "Directory": stat.S_ISDIR,
    "DirectoryOrCreate": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "FileOrCreate": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}
