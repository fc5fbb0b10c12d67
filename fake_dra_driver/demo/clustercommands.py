"""The commands about an embedded cluster that runs: ``cluster status``, ``cluster down`` and ``cluster node``."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.cluster.control import command
from fake_dra_driver.cluster.folder import (
    CONTROL_SOCKET,
    KUBECONFIG,
    find_cluster,
    find_control_socket,
    running_folders,
)
from fake_dra_driver.cluster.sharedkubeconfig import folder_of_context, remove_dead_contexts
from fake_dra_driver.demo.clusterreport import ClusterReport, ClusterReports, NodeReports, node_table, status_text
from fake_dra_driver.demo.clustersettings import (
    ClusterDownSettings,
    ClusterStatusSettings,
    NodeCommandSettings,
    NodeListSettings,
)
from fake_dra_driver.documenttext import json_text
from fake_dra_driver.runtime.clock import utc_now
from fake_dra_driver.settings import colors_wanted
from fake_dra_driver.tablelayout import Layout
from fake_dra_driver.untrustedtext import some_lines

__all__ = ["run_cluster_down", "run_cluster_node", "run_cluster_status"]

_END_SECONDS: Final = 120.0
"""For a cluster to end; hundreds of nodes have thousands of processes."""
_POLL_SECONDS: Final = 0.05


async def run_cluster_node(settings: NodeCommandSettings) -> int:
    """Changes the nodes of a cluster, or lists them. Returns the exit status.

    Raises:
        ClusterError: it is not clear which cluster is meant, or it refuses.
    """
    socket = await asyncio.to_thread(find_cluster, settings.kubeconfig)
    if isinstance(settings, NodeListSettings):
        found = NodeReports.of(await command(socket, "status", {}))
        text = json_text(found) if settings.output == "json" else node_table(found, utc_now(), _layout())
        sys.stdout.write(text)
        return 0
    # What is not given is for the cluster to fill in.
    options = settings.model_dump(exclude={"kubeconfig"}, exclude_defaults=True)
    if "nodes" in options:
        options["nodes"] = options["nodes"].split(",")
    done = await command(socket, f"node-{settings.command}", options)
    sys.stdout.write(f"{some_lines(done)}\n")
    return 0


async def run_cluster_status(settings: ClusterStatusSettings) -> int:
    """Shows a cluster, or all that run. Returns the exit status: 1 when none does.

    Raises:
        ClusterError: the kubeconfig is not that of a cluster that runs.
    """
    if settings.kubeconfig:
        sockets = [await asyncio.to_thread(find_control_socket, settings.kubeconfig)]
    else:
        sockets = [folder / CONTROL_SOCKET for folder in await asyncio.to_thread(running_folders)]
    answers = await asyncio.gather(*map(_report, sockets))
    for socket, answer in zip(sockets, answers, strict=True):
        if isinstance(answer, ClusterError):
            if settings.kubeconfig:
                raise answer
            # It may be of another version, or have just ended: that is no reason to be silent about the others.
            sys.stderr.write(f"{socket.with_name(KUBECONFIG)}: {some_lines(str(answer))}\n")
    found = [answer for answer in answers if isinstance(answer, ClusterReport)]
    if settings.output == "json":
        sys.stdout.write(json_text(ClusterReports(clusters=tuple(found))))
    else:
        now, layout = utc_now(), _layout()
        sys.stdout.write("\n".join(status_text(each, now, layout) for each in found) or "No embedded cluster runs.\n")
    return 0 if found else 1


async def _report(socket: Path) -> ClusterReport | ClusterError:
    try:
        return ClusterReport.model_validate(await command(socket, "status", {}))
    except ClusterError as error:
        return error


async def run_cluster_down(settings: ClusterDownSettings) -> int:
    """Ends a cluster, and waits until its files are gone. Returns the exit status.

    Raises:
        ClusterError: it is not clear which cluster is meant, or it does not end.
    """
    if settings.kubeconfig and (cleaned := await asyncio.to_thread(_without_dead, settings.kubeconfig)):
        sys.stdout.write(f"The cluster had ended already; {cleaned} no longer names it.\n")
        return 0
    socket = await asyncio.to_thread(find_cluster, settings.kubeconfig)
    folder = Path(await command(socket, "down", {}))
    try:
        async with asyncio.timeout(_END_SECONDS):
            while await asyncio.to_thread(folder.exists):  # noqa: ASYNC110 - another process removes it
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise ClusterError(f"The cluster has not ended within {_END_SECONDS:g} s; {folder} is still there") from None
    if settings.kubeconfig:
        # The cluster takes its context out of a file of the user's own, too, but perhaps after its folder is gone.
        await asyncio.to_thread(_without_dead, settings.kubeconfig)
    sys.stdout.write("The cluster is gone, with all its files.\n")
    return 0


def _without_dead(kubeconfig: str) -> str:
    """The file of these that named a cluster that was killed, and no longer does; empty: none did.

    Only files that users share with others: one in the folder of a cluster goes with it.
    """
    files = [Path(file).expanduser() for file in kubeconfig.split(os.pathsep) if file]
    shared = [file for file in files if file.is_file() and not file.resolve().with_name(CONTROL_SOCKET).exists()]
    return ", ".join(str(file) for file in shared if _names_dead(file) and remove_dead_contexts(file))


def _names_dead(file: Path) -> bool:
    folder = folder_of_context([file])
    return folder is not None and not folder.exists()


def _layout() -> Layout:
    is_terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if is_terminal else None
    return Layout(columns, colors_wanted(is_terminal=is_terminal))
