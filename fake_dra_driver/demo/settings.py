"""Settings of the commands that run an embedded cluster: demo, cluster up and cluster fault."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from fake_dra_driver.driver.commandline import EMBEDDED, CommandSettings, LoggingSettings
from fake_dra_driver.settings import Allowed, Flag, Folder, KubeconfigPath, Seconds

__all__ = ["ClusterFaultSettings", "ClusterUpSettings", "DemoSettings"]

_SOURCE_TREE = Path(__file__).resolve().parent.parent.parent

KubernetesRelease = Annotated[
    str, Field(pattern=r"^1\.[0-9]+$"), Allowed("a minor release of Kubernetes with classic DRA, such as 1.30")
]


class _Embedded(LoggingSettings):
    kubernetes_version: Annotated[KubernetesRelease, Flag(EMBEDDED, "RELEASE")] = "1.30"
    """Release of Kubernetes that it behaves like."""
    port: Annotated[int, Flag(EMBEDDED, "PORT", unset="any that is free")] = Field(default=0, ge=0, le=65535)
    """Port of the API server, on the loopback device. 0 is any that is free."""


class ClusterUpSettings(_Embedded):
    """Runs an embedded cluster, without Docker or a download of Kubernetes, until Ctrl-C. Leaves nothing behind."""

    nodes: Annotated[int, Flag(EMBEDDED, "N", variable="NODE_COUNT")] = Field(default=1, ge=1, le=200)
    """Number of nodes."""
    driver: Annotated[bool, Flag(EMBEDDED)] = True
    """Whether to install the driver as its chart does."""


class ClusterFaultSettings(CommandSettings):
    """Makes something go wrong in a cluster that `cluster up` runs, as it does in a real one."""

    fault: Annotated[
        Literal[
            "fail-requests",
            "heal",
            "drop-watches",
            "compact",
            "restart-apiserver",
            "stop-node",
            "start-node",
            "reboot-node",
            "restart-kubelet",
            "kill-container",
        ],
        Flag(EMBEDDED, "FAULT", positional=True),
    ]
    """What goes wrong. fail-requests: the next requests of a kind fail; heal: they succeed again. drop-watches: the
    connections of all watches break. compact: all history is dropped, so that watches from older versions get 410.
    restart-apiserver: it is killed, and is back after --seconds. stop-node: a node is switched off; start-node: it is
    switched on again. reboot-node: both, with an empty /var/run. restart-kubelet: containers keep running meanwhile.
    kill-container: --container of --pod gets SIGKILL."""
    kubeconfig: Annotated[KubeconfigPath, Flag(EMBEDDED, "PATH", alias="KUBECONFIG")]
    """Kubeconfig of the cluster: the file that `cluster up` printed."""
    node: Annotated[str, Flag(EMBEDDED, "NAME", unset="the first"), Allowed("name of a node of the cluster")] = ""
    """The node, for the faults of nodes."""
    pod: Annotated[str, Flag(EMBEDDED, "NAMESPACE/NAME", unset="none"), Allowed("namespace/name of a pod")] = Field(
        default="", validate_default=True
    )
    """The pod, for kill-container."""
    container: Annotated[str, Flag(EMBEDDED, "NAME", unset="none"), Allowed("name of a container of the pod")] = Field(
        default="", validate_default=True
    )
    """The container, for kill-container."""
    seconds: Annotated[Seconds, Flag(EMBEDDED, "SECONDS")] = Field(default=0, ge=0, le=100)
    """How long the API server is away, in seconds."""
    answer: Annotated[Literal["409", "429", "500", "503", "504", "timeout", "reset"], Flag(EMBEDDED)] = "500"
    """What failing requests get: a status, no answer at all, or a broken connection."""
    verb: Annotated[Literal["any", "get", "list", "watch", "create", "update", "patch", "delete"], Flag(EMBEDDED)] = (
        "any"
    )
    """Which requests fail, by verb."""
    resource: Annotated[str, Flag(EMBEDDED, "PLURAL", unset="any"), Allowed("a resource, such as resourceclaims")] = ""
    """Which requests fail, by resource."""
    times: Annotated[int, Flag(EMBEDDED, "N")] = Field(default=1, ge=0)
    """How many requests fail. 0 is all of them, until heal."""
    after: Annotated[bool, Flag(EMBEDDED)] = False
    """Failing requests are carried out first: a write takes place although its client does not learn of it."""

    @field_validator("pod", "container")
    @classmethod
    def _names_what_to_kill(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.data.get("fault") == "kill-container":
            raise PydanticCustomError("missing", "kill-container needs it")
        return value


class DemoSettings(_Embedded):
    """Walks through the quickstart on an embedded cluster: every step, with its command and its output."""

    keep: Annotated[bool, Flag(EMBEDDED)] = False
    """Leave the cluster up after the walk, until Ctrl-C, with apps to look at."""
    full: Annotated[bool, Flag(EMBEDDED)] = False
    """Show all that the commands print, and not only what is new in it."""
    manifests: Annotated[Folder, Flag(EMBEDDED, "DIR", unset="the folder demo of the source tree")] = (
        _SOURCE_TREE / "demo"
    )
    """Folder with fake-test1.yaml and the other example apps."""
