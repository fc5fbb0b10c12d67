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
from fake_dra_driver.cluster.sharedkubeconfig import folder_of_context

__all__ = [
    "CONTROL_SOCKET",
    "FOLDERS",
    "KUBECONFIG",
    "PREFIX",
    "accepts",
    "find_cluster",
    "find_control_socket",
    "folder_of_cluster",
    "process_of",
    "running_folders",
]

KUBECONFIG = "kubeconfig"
CONTROL_SOCKET = "control.sock"
FOLDERS = "/tmp"  # noqa: S108 - made by mkdtemp; the system's own choice may be too long a path for a socket (macOS)
PREFIX = "fdd-"
_CONNECT_SECONDS = 1.0
"""A cluster that runs accepts at once; one that is stopped (SIGSTOP) does until its backlog is full."""


@asynccontextmanager
async def folder_of_cluster(given: Path | None) -> AsyncIterator[Path]:
    """The given folder, or a new one that is removed in the end."""
    if given is not None:
        yield given
        return
    made = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"{PREFIX}{os.getpid()}-", dir=FOLDERS))
    try:
        yield made
    finally:
        await asyncio.to_thread(shutil.rmtree, made)


def find_control_socket(kubeconfig: str, folders: str = FOLDERS, user: int | None = None) -> Path:
    """The control socket of the cluster whose kubeconfig this is. Blocks, for a moment.

    Args:
        kubeconfig: as KUBECONFIG has it: of several files, the first that belongs to a cluster counts, else the current
            context. A link to a cluster's kubeconfig is as good as the file itself.
        folders: where clusters that run are looked for, to name them when this one does not.
        user: whose clusters are named; without it, those of the user of this process. Another user's kubeconfig could
            make whoever uses it run programs.

    Raises:
        ClusterError: no such cluster runs; it says which do.
    """
    files = [Path(file).expanduser().resolve() for file in kubeconfig.split(os.pathsep) if file]
    sockets = [file.with_name(CONTROL_SOCKET) for file in files]
    found = next((each for each in sockets if each.is_socket()), None)
    shared = folder_of_context(files) if found is None else None
    if shared is not None:
        found = shared / CONTROL_SOCKET
    if found is not None and accepts(found):
        return found
    if not files:
        problem = "KUBECONFIG is not set."
    elif shared is not None:
        problem = f"The cluster of the current context in {kubeconfig} has ended."
    elif found is not None:
        problem = f"The cluster of {kubeconfig} has ended: it was killed, and its folder is left."
    else:
        problem = f"{kubeconfig} is not the kubeconfig of an embedded cluster that runs."
    running = [str(folder / KUBECONFIG) for folder in running_folders(folders, user)]
    if not running:
        advice = "Start one with 'fake-dra-driver cluster up', and set KUBECONFIG to what it prints"
    elif len(running) == 1:
        advice = f"One runs: export KUBECONFIG={running[0]}"
    else:
        advice = f"Set KUBECONFIG to that of one that runs: {listed(running)}"
    raise ClusterError(f"{problem} {advice}")


def find_cluster(kubeconfig: str, folders: str = FOLDERS, usual_file: str = "~/.kube/config") -> Path:
    """The control socket of the cluster that is meant: that of a kubeconfig, or without one the only one that runs.

    Blocks, for a moment.

    Args:
        kubeconfig: as KUBECONFIG has it.
        folders: where clusters that run are looked for.
        usual_file: of several clusters, the one in its current context is meant, as for kubectl.

    Raises:
        ClusterError: there is no such cluster, or several.
    """
    if kubeconfig:
        return find_control_socket(kubeconfig, folders)
    running = running_folders(folders)
    if len(running) > 1:
        usual = folder_of_context([Path(usual_file).expanduser()])
        running = [usual] if usual is not None and usual in running else running
    match running:
        case []:
            raise ClusterError("No embedded cluster runs. Start one with 'fake-dra-driver cluster up'")
        case [folder]:
            return folder / CONTROL_SOCKET
        case _:
            files = listed(str(folder / KUBECONFIG) for folder in running)
            raise ClusterError(f"Several embedded clusters run. Set KUBECONFIG to that of the one you mean: {files}")


def running_folders(folders: str = FOLDERS, user: int | None = None) -> Sequence[Path]:
    """The folders of a user's clusters that run, in folders of their own; arguments as the above. Blocks."""
    owner = os.getuid() if user is None else user
    mine = [folder for folder in Path(folders).glob(f"{PREFIX}*") if _is_owned(folder, owner)]
    return sorted((folder for folder in mine if accepts(folder / CONTROL_SOCKET)), key=lambda each: each.name)


def _is_owned(folder: Path, owner: int) -> bool:
    try:
        return folder.lstat().st_uid == owner
    except FileNotFoundError:  # it has just ended
        return False


def process_of(folder: Path) -> int | None:
    """The process of the cluster that made this folder; None: the folder was given to it."""
    number = folder.name.removeprefix(PREFIX).partition("-")[0]
    return int(number) if folder.name.startswith(PREFIX) and number.isdecimal() else None


def accepts(path: Path) -> bool:
    """Whether a cluster that runs listens there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True
