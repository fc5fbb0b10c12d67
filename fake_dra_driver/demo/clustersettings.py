"""Settings of the commands about an embedded cluster that runs: its nodes, how it is, and its end."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from fake_dra_driver.dra.program.settings import EMBEDDED, OUTPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.settings import SUBDOMAIN_PATTERN, Allowed, Flag

__all__ = [
    "NODE_COMMANDS",
    "ClusterDownSettings",
    "ClusterStatusSettings",
    "NodeAddSettings",
    "NodeCommandSettings",
    "NodeCordonSettings",
    "NodeListSettings",
    "NodeRemoveSettings",
    "NodeUncordonSettings",
    "RunningClusterSettings",
]


def _names(text: str) -> str:
    for name in text.split(","):
        if not re.fullmatch(SUBDOMAIN_PATTERN, name):
            raise ValueError(f"{name} is no name of a node" if name else "a name is missing")
    return text


NodeNames = Annotated[
    str,
    AfterValidator(_names),
    Allowed("names of nodes"),
    Flag(EMBEDDED, "NAME...", positional=True, joint=",", variable="NODE_NAMES"),
]
Output = Annotated[Literal["table", "json"], Flag(OUTPUT, short="o", variable="CLUSTER_OUTPUT")]


class RunningClusterSettings(CommandSettings):
    """Base of the settings of these commands."""

    kubeconfig: Annotated[
        str,
        Flag(EMBEDDED, "PATH", alias="KUBECONFIG", unset="the only cluster that runs"),
        Allowed("path of a file that exists"),
    ] = ""
    """Kubeconfig of the cluster: the file that `cluster up` printed, or one that it was told with --kubeconfig."""


class ClusterDownSettings(RunningClusterSettings):
    """Ends an embedded cluster, and waits until nothing of it is left."""


class ClusterStatusSettings(RunningClusterSettings):
    """Shows an embedded cluster: its nodes by pool, their devices, since when it runs; without a kubeconfig, all."""

    output: Output = "table"
    """How it is printed."""


class NodeCommandSettings(RunningClusterSettings):
    """Base of the settings of commands about nodes."""

    command: ClassVar[str]
    """Its name, below `cluster node`."""


class NodeAddSettings(NodeCommandSettings):
    """Adds nodes to a pool of an embedded cluster that runs, and waits until they are registered."""

    command = "add"
    pool: Annotated[
        str,
        Flag(EMBEDDED, "POOL", positional=True, variable="NODE_POOL", unset="the only one"),
        Allowed("name of a pool, or -"),
    ] = ""
    """The pool; - for nodes that are in none, as all are in a cluster without pools."""
    count: Annotated[int, Flag(EMBEDDED, "N", variable="NODES_ADDED")] = Field(default=1, ge=1)
    """How many nodes."""


class NodeRemoveSettings(NodeCommandSettings):
    """Removes nodes with their pods, as when a cloud takes machines: nothing on them is asked to stop."""

    command = "remove"
    nodes: NodeNames
    """The nodes."""


class NodeCordonSettings(NodeCommandSettings):
    """Has no pods scheduled on nodes, as kubectl cordon does."""

    command = "cordon"
    nodes: NodeNames
    """The nodes."""


class NodeUncordonSettings(NodeCommandSettings):
    """Has pods scheduled on nodes again."""

    command = "uncordon"
    nodes: NodeNames
    """The nodes."""


class NodeListSettings(NodeCommandSettings):
    """Lists the nodes of an embedded cluster: pool, state, CPU, memory, pods, devices and profile."""

    command = "list"
    output: Output = "table"
    """How they are printed."""


NODE_COMMANDS: tuple[type[NodeCommandSettings], ...] = (
    NodeAddSettings,
    NodeRemoveSettings,
    NodeCordonSettings,
    NodeUncordonSettings,
    NodeListSettings,
)
"""In the order of help and reference."""
