"""Where measurements take place: a control plane, a world in it, and the programs that are measured in it."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from tests.bench.control_plane import ControlPlane
from tests.bench.manifest import DRIVER_NAMESPACE
from tests.bench.pod import PodLauncher
from tests.bench.program import Program, free_port
from tests.bench.world import World

__all__ = ["CONTROLLER_AGENT", "PLUGIN_AGENT", "Lab", "NodeFolders", "Started"]

W_co = TypeVar("W_co", bound=World, covariant=True)

CONTROLLER_AGENT: Final = "fake-dra-controller"
PLUGIN_AGENT: Final = "fake-dra-kubeletplugin"
"""Products in the User-Agent of the programs."""


@dataclass(frozen=True, slots=True)
class Started:
    """A program that is ready."""

    program: Program
    ready_seconds: float
    """From its start until its readiness probe said yes."""


@dataclass(frozen=True, slots=True)
class NodeFolders:
    """What a kubelet plugin finds on its node. On a disk: on a tmpfs, fsync costs nothing."""

    root: Path

    @property
    def registry(self) -> Path:
        """The kubelet's folder of registration sockets."""
        return self.root / "registry"

    @property
    def plugins(self) -> Path:
        """The kubelet's folder of plugins."""
        return self.root / "plugins"

    @property
    def cdi(self) -> Path:
        """Where container runtimes look for CDI files."""
        return self.root / "cdi"


@dataclass(frozen=True, slots=True)
class Lab(Generic[W_co]):
    """One control plane, with all that is needed to measure in it."""

    plane: ControlPlane
    world: W_co
    pods: PodLauncher
    folder: Path
    """For logs and the files of nodes."""
    python: str = sys.executable
    """The interpreter whose ``fake_dra_driver`` is measured."""

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[Started]:
        """The driver's controller, with its default settings."""
        port = free_port()
        command = [self.python, "-m", "fake_dra_driver", "controller", "--namespace", DRIVER_NAMESPACE]
        command += ["--http-endpoint", f"127.0.0.1:{port}"]
        async with self._run("controller", command) as program:
            yield Started(program, await program.wait_ready(f"http://127.0.0.1:{port}/readyz"))

    @asynccontextmanager
    async def plugin(self, node: str, devices: int) -> AsyncIterator[tuple[Program, NodeFolders]]:
        """The kubelet plugin of a node. It is not ready before a kubelet has registered it."""
        folders = NodeFolders(self.folder / node)
        for folder in (folders.registry, folders.plugins, folders.cdi):
            folder.mkdir(parents=True, exist_ok=True)
        command: Sequence[str] = [
            *(self.python, "-m", "fake_dra_driver", "kubelet-plugin"),
            *("--namespace", DRIVER_NAMESPACE, "--node-name", node),
            *("--device-count", str(devices), "--cdi-root", str(folders.cdi)),
            *("--kubelet-registry-dir", str(folders.registry), "--kubelet-plugins-dir", str(folders.plugins)),
        ]
        async with self._run(f"plugin-{node}", command) as program:
            yield program, folders

    def _run(self, name: str, command: Sequence[str]) -> AbstractAsyncContextManager[Program]:
        """Runs one of the driver's programs as it runs in its pod."""
        return Program.run(name, self.pods.command(command), self.folder, self.pods.environment())
