"""Starts a container: from its spec, its image, its devices and its volumes to a process.

Each step that can fail has a reason of its own, which a waiting container shows (k8s.io/kubernetes/pkg/kubelet/images
and kuberuntime): ErrImagePull, CreateContainerConfigError, CreateContainerError. What the process then does is the
runtime's concern.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fake_dra_driver import regularfile
from fake_dra_driver.cluster.kubelet.containerruntime.cdi import CdiRegistry, UnresolvedDevicesError
from fake_dra_driver.cluster.kubelet.containerruntime.container import Container as RunningContainer
from fake_dra_driver.cluster.kubelet.containerruntime.container import ContainerConfig
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.containerruntime.stdio import Stdio
from fake_dra_driver.cluster.kubelet.containersetup.containment import inside
from fake_dra_driver.cluster.kubelet.containersetup.environment import ConfigError, NodeFacts, expand, variables
from fake_dra_driver.cluster.kubelet.containersetup.images import Images, NoImageError
from fake_dra_driver.cluster.kubelet.containersetup.locality import Locality, sub_path
from fake_dra_driver.cluster.kubelet.containersetup.mountedprograms import link_programs
from fake_dra_driver.cluster.kubelet.containersetup.volumes import Volumes
from fake_dra_driver.cluster.kubelet.dra.claimmanager import ClaimManager
from fake_dra_driver.cluster.kubelet.pod import Container, Pod
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ContainerStarter", "KubeconfigSource", "StartFailure"]

KubeconfigSource = Callable[[Pod], Awaitable[str]]
"""Gives the text of a kubeconfig with the credentials of a pod's service account. Raises RuntimeLayerError."""


class StartFailure(Exception):  # noqa: N818 - it is what a person sees, not an error of this program
    """The container was not started.

    Args:
        reason: as in ``state.waiting.reason``.
        message: for a person.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class ContainerStarter:
    """What is needed to start containers on a node."""

    node: NodeFacts
    client: Client
    runtime: ProcessRuntime
    claims: ClaimManager
    cdi: CdiRegistry
    volumes: Volumes
    images: Images
    kubeconfig: KubeconfigSource | None

    async def start(self, pod: Pod, spec: Container, attempt: int, folders: Mapping[str, Path]) -> RunningContainer:
        """Starts a container of a pod whose claims are prepared.

        Args:
            pod: the pod.
            spec: which of its containers.
            attempt: how many containers of that name there were before.
            folders: of the pod's volumes.

        Raises:
            StartFailure: the container cannot be started.
        """
        image = self.images.of(spec)
        try:
            command = self.images.command(spec)
            wanted = await variables(pod, spec, image, self.node, self.client)
            await asyncio.to_thread(_check_mounts, spec, folders, wanted)
            edits = await self.cdi.edits(self.claims.devices(pod, spec))
            programs = self.volumes.folder_of(pod.uid) / "programs" / f"{spec.name}-{attempt}"
            has_programs = await asyncio.to_thread(link_programs, edits.mounts, programs)
            ports: Mapping[int, int] = {}
            if image.own_ports:
                ports = {port.container_port: await asyncio.to_thread(self.images.free_port) for port in spec.ports}
            own = {"KUBECONFIG": str(await self._kubeconfig(pod))} if image.api_access else {}
        except NoImageError as error:
            raise StartFailure("ErrImagePull", str(error)) from error
        except (ConfigError, RuntimeLayerError) as error:
            raise StartFailure("CreateContainerConfigError", str(error)) from error
        except (UnresolvedDevicesError, OSError) as error:
            raise StartFailure("CreateContainerError", str(error)) from error
        here = Locality.of(spec, folders, ports, wanted)
        folder = await self._folder(pod, spec, here)
        # PATH already has folders of this machine.
        environment = {name: value if name == "PATH" else here.text(value) for name, value in wanted.items()} | own
        if has_programs:
            environment["PATH"] = f"{programs}:{environment['PATH']}"
        argv = tuple(expand(here.text(argument), environment) for argument in command)
        config = ContainerConfig(
            pod=pod.reference,
            name=spec.name,
            attempt=attempt,
            argv=argv,
            env={**environment, **edits.env},
            edits=edits,
            folder=folder,
            ports=ports,
            host=image.host,
            sleeps=await asyncio.to_thread(self.images.why_it_sleeps, spec, argv, environment, folder),
            # Its pod is not to wait for it.
            ends_at_once=spec in pod.spec.init_containers and not spec.is_sidecar,
            advice=self.images.advice(spec),
            stdio=Stdio(stdin=spec.stdin, tty=spec.tty),
            digest=spec.digest(),
        )
        return await self.runtime.start(config)

    async def _folder(self, pod: Pod, spec: Container, here: Locality) -> Path:
        """Where the container runs, which the runtime makes if it is missing. Raises StartFailure."""
        # In a folder of its own, unless it wants to be in a volume: there is no other folder that it could mean.
        folder = here.path(spec.working_dir) or self.volumes.folder_of(pod.uid) / "containers" / spec.name
        try:
            return await asyncio.to_thread(inside, self.volumes.root, folder)
        except OSError as error:
            raise StartFailure(
                "CreateContainerError", f"workingDir {spec.working_dir} cannot be used: {error}"
            ) from error

    async def _kubeconfig(self, pod: Pod) -> Path:
        if self.kubeconfig is None:
            raise ConfigError("the image needs the API server, and this cluster gives no credentials to containers")
        text = await self.kubeconfig(pod)
        path = self.volumes.folder_of(pod.uid) / "kubeconfig"
        await asyncio.to_thread(_write_private, path, text)
        return path


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    regularfile.replace(path, text.encode(), 0o600)


def _check_mounts(spec: Container, folders: Mapping[str, Path], environment: Mapping[str, str]) -> None:
    """Raises ConfigError, with the words of a real kubelet, when a mount leads out of its volume. Blocks."""
    for mount in spec.volume_mounts:
        within, volume = sub_path(mount, environment), folders.get(mount.name)
        if not within or volume is None:
            continue
        if within.startswith("/"):
            raise ConfigError(f"error SubPath `{within}` must not be an absolute path")
        if ".." in within.split("/"):
            raise ConfigError(f"unable to provision SubPath `{within}`: must not contain '..'")
        try:
            inside(volume, volume / within)
        except OSError as error:
            where = f'volumeMount "{mount.name}" of container "{spec.name}"'
            raise ConfigError(f"failed to prepare subPath for {where}: {error}") from error
