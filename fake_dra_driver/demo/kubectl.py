"""kubectl: the program if it is installed, else the few commands of it that are built in."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Protocol

from fake_dra_driver.demo.builtin import BuiltinKubectl
from fake_dra_driver.demo.command import run_command

__all__ = ["InstalledKubectl", "Kubectl", "find_kubectl", "open_kubectl"]


class Kubectl(Protocol):
    """Runs kubectl with these arguments, and returns what it prints. Raises RuntimeLayerError when it fails."""

    def __call__(self, *arguments: str) -> Awaitable[str]:
        """Runs a command."""
        ...


class InstalledKubectl:
    """The kubectl of this machine, on one cluster."""

    def __init__(self, program: str, kubeconfig: Path) -> None:
        """Runs nothing yet."""
        self._command = (program, f"--kubeconfig={kubeconfig}")

    async def __call__(self, *arguments: str) -> str:
        """Runs a command; what it says on standard error comes first. Raises ClusterError when it fails."""
        return await run_command((*self._command, *arguments), f"kubectl {' '.join(arguments)}")


def find_kubectl() -> str | None:
    """The path of kubectl; None when it is not installed. Blocks."""
    return shutil.which("kubectl")


@contextlib.asynccontextmanager
async def open_kubectl(kubeconfig: Path, program: str | None) -> AsyncIterator[Kubectl]:
    """kubectl for a cluster: ``program``, or the built-in one where that is None."""
    if program is not None:
        yield InstalledKubectl(program, kubeconfig)
        return
    builtin = await BuiltinKubectl.connect(kubeconfig)
    try:
        yield builtin
    finally:
        await builtin.close()
