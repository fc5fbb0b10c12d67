"""The control plane that the figures are measured against: started by ``cluster`` of KUBE_DIR, or one that is there."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.program import cpu_seconds

__all__ = ["ControlPlane"]

_PROJECT = Path(__file__).resolve().parents[2]
_KUBE_DIR = "KUBE_DIR"
_PROCESSES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane whose nodes need no kubelet to stay ready, and whose processes run on this machine."""

    folder: Path
    """As ``cluster up --dir`` has made it: kubeconfig, logs, process numbers."""

    @classmethod
    @asynccontextmanager
    async def start(cls, version: str, folder: Path) -> AsyncIterator["ControlPlane"]:
        """Starts one for the block. Raises CalledProcessError, with what ``cluster`` has printed above it."""
        program = Path(os.environ.get(_KUBE_DIR, _PROJECT.parent / "shared" / "kube")) / "cluster"
        try:
            # From 1.34 on structured DRA needs no gate, and is measured as users have it.
            options = ("--static-nodes", "--default-gates", "--dir", str(folder))
            await _run(str(program), "up", "--version", version, *options)
            yield cls(folder)
        finally:
            await _run(str(program), "down", "--dir", str(folder))

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "kubeconfig"

    @property
    def audit_folder(self) -> Path:
        """Where the audit log and those it was rotated into are."""
        return self.folder / "logs"

    def cpu_seconds(self) -> Mapping[str, float]:
        """CPU time of each of its processes so far, by name."""
        started = [json.loads(line) for line in (self.folder / "pids").read_text().splitlines()]
        pids = {entry["name"]: entry["pid"] for entry in started if entry["name"] in _PROCESSES}
        return {name: cpu_seconds(pid) or 0.0 for name, pid in pids.items()}


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(f"{' '.join(command)} failed with status {process.returncode}")
