"""Settings of the programs of any driver that run in a cluster: controller, kubelet plugin, webhook, set-nas-status.

A driver derives its own models from these: with the prefix of its variables, its name, and what it adds.
``settings_of_driver`` does that for one with a name alone.
"""

import math
import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from fake_dra_driver.dra.node.pluginsockets import MAX_PATH_SIZE_BYTES, PluginSockets
from fake_dra_driver.settings import (
    AbsolutePath,
    Allowed,
    Duration,
    Endpoint,
    Flag,
    Folder,
    KubeconfigPath,
    Listen,
    ListenRequired,
    NamespaceName,
    NodeName,
    Seconds,
    Settings,
    UrlPath,
    WholeDuration,
)

__all__ = [
    "CLUSTER",
    "COMPONENT",
    "DEVICES",
    "ELECTION",
    "EMBEDDED",
    "GROUPS",
    "HTTP",
    "INPUT",
    "LOGGING",
    "OUTPUT",
    "PATHS",
    "CommandSettings",
    "ControllerSettings",
    "GenerateSettings",
    "KubeletPluginSettings",
    "LoggingSettings",
    "SetNasStatusSettings",
    "WebhookSettings",
]

CLUSTER, EMBEDDED, COMPONENT, ELECTION, DEVICES, PATHS, HTTP, LOGGING, INPUT, OUTPUT = GROUPS = (
    "Kubernetes API",
    "Embedded cluster",
    "This component",
    "Leader election",
    "Devices of the node",
    "Paths on the node",
    "HTTP server",
    "Logging",
    "Input",
    "Output",
)
"""Headings of help and documentation, in their order."""

RETRY_JITTER_FACTOR = 1.2
"""A candidate waits for its retry period and up to so many times longer: ``JITTER_FACTOR`` of the elector, which is not
imported here since it brings the client along and would make ``--help`` slow."""


PodUid = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9-]{0,63})?$"), Allowed("a pod's UID, or nothing")]


def _nas_status(value: object) -> object:
    spelled = {name.lower(): name for name in ("Ready", "NotReady")}
    return spelled.get(value.lower(), value) if isinstance(value, str) else value


ResourceApiVersion = Annotated[
    Literal["", "v1", "v1beta2", "v1beta1", "v1alpha2"], Allowed("v1, v1beta2, v1beta1, v1alpha2, or nothing")
]
NasStatus = Annotated[Literal["Ready", "NotReady"], BeforeValidator(_nas_status)]


class CommandSettings(Settings):
    """Base of the settings of every command of a driver."""

    groups = GROUPS
    group = COMPONENT


class LoggingSettings(CommandSettings):
    """Base of the settings of commands that write a log."""

    logging_format: Annotated[Literal["text", "json"], Flag(LOGGING, in_chart=False)] = "text"
    """Format of the log, which goes to stderr: text for people, or one JSON object a line."""
    verbosity: Annotated[int, Flag(LOGGING, "LEVEL", name="v", short="v", in_chart=False)] = Field(default=0, ge=0)
    """How much is logged: up to 3 changes of state and problems, from 4 each step, from 6 each request, from 8 all."""


class _Cluster(LoggingSettings):
    kubeconfig: Annotated[
        KubeconfigPath,
        Flag(CLUSTER, "PATH", unset="where kubectl looks, or the pod's own service account", in_chart=False),
    ] = ""
    """Kubeconfig file to reach the API server with, in place of those that KUBECONFIG names. Not needed in a pod."""
    namespace: Annotated[NamespaceName, Flag(CLUSTER, "NAME", alias="POD_NAMESPACE", in_chart=False)]
    """Namespace of the driver, which holds the NodeAllocationState objects."""
    api_timeout_seconds: Annotated[Seconds, Flag(CLUSTER, "SECONDS")] = Field(default=10, ge=0.1, le=600)
    """How long one call to the API server may take, in seconds."""


class _Observed(LoggingSettings):
    http_endpoint: Annotated[Listen, Flag(HTTP, "HOST:PORT", unset="no HTTP server", in_chart=False)] = None
    """Address on which /healthz, /readyz and the metrics are served, without TLS."""
    metrics_path: Annotated[UrlPath, Flag(HTTP, "PATH")] = "/metrics"
    """Path of the Prometheus metrics on --http-endpoint."""
    grace_period_seconds: Annotated[Seconds, Flag(COMPONENT, "SECONDS")] = Field(default=20, ge=0, le=3600)
    """How long a stop may take, in seconds, after SIGTERM or SIGINT: work that has begun is finished in that time. It
    must be less than the pod's terminationGracePeriodSeconds."""

    @field_validator("metrics_path")
    @classmethod
    def _metrics_path_is_free(cls, value: str) -> str:
        if value in {"/healthz", "/readyz"}:
            raise ValueError("/healthz and /readyz are taken")
        return value


class _Server(_Observed, _Cluster):
    kube_api_qps: Annotated[float, Flag(CLUSTER, "N")] = Field(default=0, ge=0, le=1_000_000, allow_inf_nan=False)
    """Most calls to the API server per second, on average. 0 sets no limit on our side: the API server's priority and
    fairness limits every client."""
    kube_api_burst: Annotated[int, Flag(CLUSTER, "N")] = Field(default=0, ge=0, le=1_000_000)
    """Most calls at once before --kube-api-qps applies. 0 counts as 1."""
    resource_api_version: Annotated[
        ResourceApiVersion, Flag(CLUSTER, "VERSION", unset="the newest that is served", in_chart=False)
    ] = ""
    """Version of resource.k8s.io to work with: v1, v1beta2 or v1beta1 for structured DRA (Kubernetes 1.32 and later),
    v1alpha2 for classic DRA (1.27 to 1.30). Found by discovery when it is left out."""


class ControllerSettings(_Server):
    """Allocates devices to claims (classic DRA), or records what the scheduler has allocated (structured DRA): one
    works for the whole cluster, others stand by."""

    workers: Annotated[int, Flag(COMPONENT, "N")] = Field(default=10, ge=1, le=1000)
    """How many claims and pods (classic DRA) or nodes (structured DRA) are worked on at once."""
    leader_elect: Annotated[bool, Flag(ELECTION)] = True
    """Whether only the controller that holds the Lease works. Without it, several at once still never give a device to
    two claims, but get in each other's way."""
    leader_elect_lease_duration_seconds: Annotated[
        WholeDuration, Flag(ELECTION, "SECONDS", name="leader-elect-lease-duration")
    ] = Field(default=15, ge=1, le=3600)
    """How long the others wait after the last renewal they have seen, in seconds, before one of them takes over."""
    leader_elect_renew_deadline_seconds: Annotated[
        Duration, Flag(ELECTION, "SECONDS", name="leader-elect-renew-deadline")
    ] = Field(default=10, ge=0.1, le=3600)
    """How long the leader tries to renew its Lease, in seconds, before it stops leading and ends: less than
    --leader-elect-lease-duration."""
    leader_elect_retry_period_seconds: Annotated[
        Duration, Flag(ELECTION, "SECONDS", name="leader-elect-retry-period")
    ] = Field(default=2, ge=0.1, le=3600)
    """How long to wait between two renewals or two attempts, in seconds: 1.2 times this is less than
    --leader-elect-renew-deadline."""

    @field_validator("leader_elect_renew_deadline_seconds")
    @classmethod
    def _ends_before_others_take_over(cls, value: float, info: ValidationInfo) -> float:
        if value >= info.data.get("leader_elect_lease_duration_seconds", math.inf):
            raise ValueError("it must be less than --leader-elect-lease-duration")
        return value

    @field_validator("leader_elect_retry_period_seconds")
    @classmethod
    def _tries_more_than_once(cls, value: float, info: ValidationInfo) -> float:
        if value * RETRY_JITTER_FACTOR >= info.data.get("leader_elect_renew_deadline_seconds", math.inf):
            raise ValueError(f"{RETRY_JITTER_FACTOR} times it must be less than --leader-elect-renew-deadline")
        return value


class _OfNode(_Cluster):
    node_name: Annotated[NodeName, Flag(COMPONENT, "NAME", alias="NODE_NAME", in_chart=False)]
    """Name of the node that this runs on."""


class KubeletPluginSettings(_Server, _OfNode):
    """Serves the devices of one node to its kubelet: one on every node."""

    # What a driver adds is about its devices.
    group = DEVICES
    driver_name: ClassVar[str]
    """Of the DRA driver: the plugin's folders and sockets have its name. A field, for one that runs under several."""

    device_metadata: Annotated[bool, Flag(DEVICES)] = False
    """Whether containers get a file with the attributes of their devices (KEP-5304), below
    /var/run/kubernetes.io/dra-device-attributes. In structured DRA only."""
    pod_uid: Annotated[PodUid, Flag(COMPONENT, "UID", alias="POD_UID", unset="sockets without it", in_chart=False)] = ""
    """UID of the pod that this runs in. It goes into the names of the sockets, so that the plugin of the next release
    serves before this one stops; kubelets take that from Kubernetes 1.33 on."""
    kubelet_registry_dir: Annotated[AbsolutePath, Flag(PATHS, "DIR")] = Path("/var/lib/kubelet/plugins_registry")
    """Folder that the kubelet watches for the registration sockets of plugins."""
    kubelet_plugins_dir: Annotated[AbsolutePath, Flag(PATHS, "DIR")] = Path("/var/lib/kubelet/plugins")
    """Folder of the kubelet's plugins. This plugin has a folder of its own in it, for its socket and its checkpoint."""
    cdi_root: Annotated[AbsolutePath, Flag(PATHS, "DIR", chart_default="/var/run/cdi")] = Path("/etc/cdi")
    """Folder in which the container runtime looks for CDI specifications."""
    checkpoint_path: Annotated[
        AbsolutePath | None,
        Allowed("an absolute path outside of --cdi-root"),
        Flag(PATHS, "PATH", unset="checkpoint.json in the plugin's own folder", in_chart=False),
    ] = None
    """File that says which claims are prepared. It must outlive a reboot."""

    @field_validator("kubelet_registry_dir", "kubelet_plugins_dir")
    @classmethod
    def _socket_path_is_short(cls, value: Path, info: ValidationInfo) -> Path:
        sockets = PluginSockets.of(
            # A field that is not allowed is not there; what is wrong with it is said by itself.
            info.data.get("driver_name", "") or getattr(cls, "driver_name", ""),
            registry_folder=value,
            plugins_folder=value,
            pod_uid=info.data.get("pod_uid", ""),
        )
        path = sockets.registration if info.field_name == "kubelet_registry_dir" else sockets.plugin
        if len(os.fsencode(path)) > MAX_PATH_SIZE_BYTES:
            below = path.relative_to(value)
            raise ValueError(f"/{below} in it exceeds the {MAX_PATH_SIZE_BYTES} bytes of a socket's path")
        return value

    @field_validator("checkpoint_path")
    @classmethod
    def _checkpoint_is_not_in_cdi_root(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        cdi_root = info.data.get("cdi_root")
        if value is not None and cdi_root is not None and value.is_relative_to(cdi_root):
            raise ValueError("it is in the folder of --cdi-root, which a reboot may empty and container runtimes read")
        return value

    @property
    def plugin_dir(self) -> Path:
        """This plugin's own folder."""
        return self.sockets.plugin.parent

    @property
    def sockets(self) -> PluginSockets:
        """Where the kubelet finds this plugin."""
        return PluginSockets.of(
            self.driver_name,
            registry_folder=self.kubelet_registry_dir,
            plugins_folder=self.kubelet_plugins_dir,
            pod_uid=self.pod_uid,
        )

    @property
    def checkpoint(self) -> Path:
        """``checkpoint_path``, or the file that it stands for."""
        return self.checkpoint_path or self.plugin_dir / "checkpoint.json"


class SetNasStatusSettings(_OfNode):
    """Sets the status of a node's NodeAllocationState, and makes the object when there is none."""

    status: Annotated[NasStatus, Flag(COMPONENT)]
    """The status to set, in upper or lower case."""


class WebhookSettings(_Observed):
    """Refuses claims with parameters that this driver cannot use, when they are created: an admission webhook."""

    listen: Annotated[ListenRequired, Flag(HTTP, "HOST:PORT", in_chart=False)] = Endpoint("", 8443)
    """Address on which reviews are answered, with TLS, on the path /validate-resource-claim-parameters."""
    tls_cert_file: Annotated[AbsolutePath, Flag(HTTP, "PATH", in_chart=False)]
    """File with the certificate to present, and those that signed it, in PEM. It may be replaced at any moment."""
    tls_key_file: Annotated[AbsolutePath, Flag(HTTP, "PATH", in_chart=False)]
    """File with the private key of --tls-cert-file, in PEM."""


class GenerateSettings(CommandSettings):
    """Writes everything that is rendered from the schema and the settings: CRDs, chart, documentation."""

    check: Annotated[bool, Flag(OUTPUT)] = False
    """Write nothing, and fail when a file is not up to date."""
    output: Annotated[Folder, Flag(OUTPUT, "DIR", variable="OUTPUT_DIR", unset="the current folder")] = Path()
    """Folder to write to: the root of the source tree."""
