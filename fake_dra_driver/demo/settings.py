"""Settings of the commands that run an embedded cluster: demo, cluster up and those below cluster fault."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fake_dra_driver.dra.program.settings import EMBEDDED
from fake_dra_driver.driver.commandline import CommandSettings, LoggingSettings
from fake_dra_driver.settings import DRIVER_NAME_WORDS, Allowed, Flag, Folder, Seconds

__all__ = ["FAULTS", "ClusterUpSettings", "DemoSettings", "FaultSettings"]

_INSTALLED: Final = Path(__file__).resolve().parent / "apps"
"""In the source tree links to the folder demo, in an installed package what they lead to."""
_SOURCE_TREE: Final = _INSTALLED.parents[2] / "demo"
"""The same files in the source tree, under the names by which its README speaks of them."""

_RELEASE: Final = re.compile(r"v?(\d+\.\d+)(\.\d+)?")


def _minor(value: object) -> object:
    """The minor release of a version such as ``v1.37.2``."""
    found = _RELEASE.fullmatch(value) if isinstance(value, str) else None
    if found is not None and found[1] == "1.31":
        raise ValueError("its DRA is a version of its own, v1alpha3, which neither the driver nor the cluster speaks")
    return found[1] if found is not None else value


KubernetesRelease = Annotated[
    Literal["1.27", "1.28", "1.29", "1.30", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"], BeforeValidator(_minor)
]
"""Releases that the embedded cluster can be like. It is not asked, since its libraries may not be installed."""


def _switches(value: object) -> object:
    """What is to be on and what is to be off, as Kubernetes' own programs are told."""
    if not isinstance(value, str):
        return value
    switches = {}
    for part in filter(None, (each.strip() for each in value.split(","))):
        name, _, state = part.partition("=")
        if state not in ("true", "false"):
            raise ValueError(f"expected {name}=true or {name}=false")
        switches[name] = state == "true"
    return switches


Switches = Annotated[
    Mapping[str, bool], BeforeValidator(_switches), Allowed("names with =true or =false, separated by commas")
]


def _file(path: str) -> str:
    if path and not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    return path


class _Embedded(LoggingSettings):
    kubernetes_version: Annotated[KubernetesRelease, Flag(EMBEDDED, "RELEASE")] = "1.30"
    """Release of Kubernetes that it behaves like: up to 1.30 with classic DRA, from 1.32 on with structured DRA."""
    feature_gates: Annotated[Switches, Flag(EMBEDDED, "GATES", unset="as in the release")] = Field(default_factory=dict)
    """Feature gates to switch on or off in all parts of it, such as DRAConsumableCapacity=false."""
    runtime_config: Annotated[Switches, Flag(EMBEDDED, "VERSIONS", unset="as in the release")] = Field(
        default_factory=dict
    )
    """API versions to serve or not, such as resource.k8s.io/v1beta1=true."""
    port: Annotated[int, Flag(EMBEDDED, "PORT", unset="any that is free")] = Field(default=0, ge=0, le=65535)
    """Port of the API server, on the loopback device. 0 is any that is free."""


class ClusterUpSettings(_Embedded):
    """Runs an embedded cluster, without Docker or a download of Kubernetes, until Ctrl-C or `cluster down`."""

    nodes: Annotated[
        int | None,
        Flag(EMBEDDED, "N", variable="NODE_COUNT", unset="1, or none where there are pools"),
        Allowed("a whole number from 1 to 200"),
    ] = Field(default=None, ge=1, le=200)
    """Number of nodes that are in no pool."""
    pools: Annotated[
        str,
        AfterValidator(_file),
        Flag(EMBEDDED, "FILE", short="f", variable="NODE_POOLS", unset="none"),
        Allowed("path of a file that exists"),
    ] = ""
    """Node pools: nodes with labels, taints, CPU, memory and devices of their own."""
    unknown_images: Annotated[Literal["refuse", "sleep"], Flag(EMBEDDED)] = "refuse"
    """What becomes of a container whose image is not known and whose command is missing or not on this machine."""
    driver: Annotated[bool, Flag(EMBEDDED)] = True
    """Whether to install the driver as its chart does."""
    values: Annotated[
        str,
        AfterValidator(_file),
        Flag(EMBEDDED, "FILE", variable="CHART_VALUES", unset="the chart's own"),
        Allowed("path of a file that exists"),
    ] = ""
    """Values for the chart, as helm's --values takes them, such as a preset."""
    kubeconfig: Annotated[
        str, Flag(EMBEDDED, "FILE", variable="CLUSTER_KUBECONFIG", unset="none"), Allowed("path of a file")
    ] = ""
    """Kubeconfig to add the cluster to as the current context, until it ends; the rest of the file stays."""
    detach: Annotated[bool, Flag(EMBEDDED)] = False
    """Return once the cluster is ready: it goes on until `cluster down`."""


class FaultSettings(CommandSettings):
    """Base of the settings of every fault: a command of its own, with the options that belong to it."""

    fault: ClassVar[str]
    """Its name."""
    kubeconfig: Annotated[
        str, Flag(EMBEDDED, "PATH", alias="KUBECONFIG", unset="none"), Allowed("path of a file that exists")
    ] = ""
    """Kubeconfig of the cluster: the file that `cluster up` printed."""


class FailRequestsSettings(FaultSettings):
    """Lets the next requests of a kind to the API server fail: --verb and --resource say which, --answer how."""

    fault = "fail-requests"
    answer: Annotated[Literal["409", "429", "500", "503", "504", "timeout", "reset"], Flag(EMBEDDED)] = "500"
    """What failing requests get: a status, no answer at all, or a broken connection."""
    verb: Annotated[
        Literal["any", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
        Flag(EMBEDDED),
    ] = "any"
    """Which requests fail, by verb."""
    resource: Annotated[
        str, Flag(EMBEDDED, "RESOURCE"), Allowed("any, or a resource as kubectl takes it, such as pods or pods/status")
    ] = "any"
    """Which requests fail, by resource; with a subresource, only those to it."""
    times: Annotated[int, Flag(EMBEDDED, "N")] = Field(default=1, ge=0)
    """How many requests fail. 0 is all of them, until heal."""
    after: Annotated[bool, Flag(EMBEDDED)] = False
    """Failing requests are carried out first: a write takes place although its client does not learn of it."""


class HealSettings(FaultSettings):
    """Ends fail-requests and refuse-registrations: all succeed again. Nodes that are switched off stay off."""

    fault = "heal"


class DropWatchesSettings(FaultSettings):
    """Breaks the connections of all watches."""

    fault = "drop-watches"


class CompactSettings(FaultSettings):
    """Drops all history of the API server: watches and lists that go on from older versions get 410."""

    fault = "compact"


class RestartApiserverSettings(FaultSettings):
    """Kills the API server, which is back with all its objects after --seconds."""

    fault = "restart-apiserver"
    seconds: Annotated[Seconds, Flag(EMBEDDED, "SECONDS")] = Field(default=0, ge=0, le=100)
    """How long the API server is away, in seconds."""


class _NodeFaultSettings(FaultSettings):
    node: Annotated[str, Flag(EMBEDDED, "NAME", unset="the first"), Allowed("name of a node of the cluster")] = ""
    """The node."""


class StopNodeSettings(_NodeFaultSettings):
    """Switches a node off (--node): nothing runs on it, and after 40 s it is no longer Ready."""

    fault = "stop-node"


class StartNodeSettings(_NodeFaultSettings):
    """Switches a node that is off on again (--node), with an empty /var/run."""

    fault = "start-node"


class RebootNodeSettings(_NodeFaultSettings):
    """Reboots a node (--node): all its processes end, and its /var/run is empty."""

    fault = "reboot-node"


class RestartKubeletSettings(_NodeFaultSettings):
    """Restarts the kubelet of a node (--node), whose containers keep running meanwhile."""

    fault = "restart-kubelet"


class _DriverFaultSettings(_NodeFaultSettings):
    # Its variable is not FAKE_DRA_DRIVER: that one says of cluster up whether to install the driver.
    driver: Annotated[str, Flag(EMBEDDED, "NAME", variable="DRIVER_NAME", unset="all"), DRIVER_NAME_WORDS] = ""
    """The driver."""


class WipeSlicesSettings(_DriverFaultSettings):
    """Deletes the ResourceSlices of a node (--node), as its kubelet does at its start; or only those of a --driver."""

    fault = "wipe-slices"


class CutHealthStreamsSettings(_DriverFaultSettings):
    """Breaks streams about the health of devices on a node (--node). Its kubelet opens them again after 5 s."""

    fault = "cut-health-streams"


class RefuseRegistrationsSettings(_NodeFaultSettings):
    """Lets the kubelet of a node (--node) refuse the next registrations of a --driver, until it has done so --times."""

    fault = "refuse-registrations"
    driver: Annotated[str, Flag(EMBEDDED, "NAME", variable="DRIVER_NAME", unset="none"), DRIVER_NAME_WORDS] = ""
    """The driver, which has to be named. One that is registered stays so until its plugin or the kubelet restarts."""
    times: Annotated[int, Flag(EMBEDDED, "N")] = Field(default=1, ge=0)
    """How many registrations are refused. 0 is all of them, until heal."""


class KillContainerSettings(FaultSettings):
    """Sends SIGKILL to a container: --container of --pod."""

    fault = "kill-container"
    pod: Annotated[str, Flag(EMBEDDED, "NAMESPACE/NAME", unset="none"), Allowed("namespace/name of a pod")] = Field(
        default="", pattern=r"^([^/]+/)?[^/]*$"
    )
    """The pod; without a namespace, in default. When none is named, the answer lists the pods that run."""
    container: Annotated[
        str, Flag(EMBEDDED, "NAME", unset="the only one"), Allowed("name of a container of the pod")
    ] = ""
    """The container; it has to be named where several run."""


FAULTS: Sequence[type[FaultSettings]] = (
    FailRequestsSettings,
    HealSettings,
    DropWatchesSettings,
    CompactSettings,
    RestartApiserverSettings,
    StopNodeSettings,
    StartNodeSettings,
    RebootNodeSettings,
    RestartKubeletSettings,
    WipeSlicesSettings,
    CutHealthStreamsSettings,
    RefuseRegistrationsSettings,
    KillContainerSettings,
)
"""In the order of help and reference."""


class DemoSettings(_Embedded):
    """Walks through the quickstart on an embedded cluster: every step, with its command and its output."""

    keep: Annotated[bool, Flag(EMBEDDED)] = False
    """Leave the cluster up after the walk, until Ctrl-C, with apps to look at."""
    full: Annotated[bool, Flag(EMBEDDED)] = False
    """Show all that the commands print, and not only what is new in it."""
    manifests: Annotated[Folder, Flag(EMBEDDED, "DIR", unset="the example apps of this program")] = Field(
        default=_SOURCE_TREE if (_SOURCE_TREE / "fake-test1.yaml").is_file() else _INSTALLED, validate_default=False
    )
    """Folder with fake-test1.yaml and the other example apps, and in v1 the same for structured DRA."""
