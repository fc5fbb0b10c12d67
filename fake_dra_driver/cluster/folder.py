"""The folder of a cluster that runs, and how another process of the same user finds it."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fake_dra_driver.cluster.errors import ClusterError, listed

__all__ = ["CONTROL_SOCKET", "KUBECONFIG", "find_control_socket", "folder_of_cluster"]

KUBECONFIG = "kubeconfig"
CONTROL_SOCKET = "control.sock"
_FOLDERS = "/tmp"  # noqa: S108 - made by mkdtemp; the system's own choice may be too long a path for a socket (macOS)
_PREFIX = "fdd-"
_CONNECT_SECONDS = 1.0
"""A cluster that runs accepts at once; one that is stopped (SIGSTOP) does until its backlog is full."""


@asynccontextmanager
async def folder_of_cluster(given: Path | None) -> AsyncIterator[Path]:
    """The given folder, or a new one that is removed in the end."""
    if given is not None:
        yield given
        return
    made = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"{_PREFIX}{os.getpid()}-", dir=_FOLDERS))
    try:
        yield made
    finally:
        await asyncio.to_thread(shutil.rmtree, made)


def find_control_socket(kubeconfig: str, folders: str = _FOLDERS, user: int | None = None) -> Path:
    """The control socket of the cluster whose kubeconfig this is. Blocks, for a moment.

    Args:
        kubeconfig: as KUBECONFIG has it: of several files, the first that belongs to a cluster counts. A link to a
            cluster's kubeconfig is as good as the file itself.
        folders: where clusters that run are looked for, to name them when this one does not.
        user: whose clusters are named; without it, those of the user of this process. Another user's kubeconfig could
            make whoever uses it run programs.

    Raises:
        ClusterError: no such cluster runs; it says which do.
    """
    files = [Path(file).expanduser().resolve() for file in kubeconfig.split(os.pathsep) if file]
    sockets = [file.with_name(CONTROL_SOCKET) for file in files]
    found = next((each for each in sockets if each.is_socket()), None)
    if found is not None and _accepts(found):
        return found
    if not files:
        problem = "KUBECONFIG is not set."
    elif found is not None:
        problem = f"The cluster of {kubeconfig} has ended: it was killed, and its folder is left."
    else:
        problem = f"{kubeconfig} is not the kubeconfig of an embedded cluster that runs."
    running = _running(folders, os.getuid() if user is None else user)
    if not running:
        advice = "Start one with 'fake-dra-driver cluster up', and set KUBECONFIG to what it prints"
    elif len(running) == 1:
        advice = f"One runs: export KUBECONFIG={running[0]}"
    else:
        advice = f"Set KUBECONFIG to that of one that runs: {listed(running)}"
    raise ClusterError(f"{problem} {advice}")


def _running(folders: str, user: int) -> Sequence[str]:
    """The kubeconfigs of a user's clusters in folders of their own."""
    mine = [folder for folder in Path(folders).glob(f"{_PREFIX}*") if folder.lstat().st_uid == user]
    return [str(folder / KUBECONFIG) for folder in mine if _accepts(folder / CONTROL_SOCKET)]


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True
