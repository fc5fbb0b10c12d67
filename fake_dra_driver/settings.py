"""Settings of each sub-command: one frozen model each, from which flags, environment, help, chart values and docs come.

A field is a setting: its name gives the flag (``device_count``: ``--device-count``) and the variable
(``FAKE_DRA_DEVICE_COUNT``), its docstring the help, its type and bounds what is allowed, and ``Flag`` the rest. A flag
wins against the variable, the variable against the Go driver's name for it (``Flag.reference``), and that one against
the default; an empty variable counts as unset. This module alone reads the environment; ``flags`` reads the command
line. Settings are checked here, and handed on as values: no other layer knows these models.
"""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fake_dra_driver.api.fake import DRIVER_NAME, MAX_DEVICES_PER_NODE

__all__ = [
    "GO_ONLY_FLAGS",
    "GROUPS",
    "ClusterFaultSettings",
    "ClusterUpSettings",
    "ControllerSettings",
    "DemoSettings",
    "Endpoint",
    "Flag",
    "GenerateSettings",
    "KubeletPluginSettings",
    "SetNasStatusSettings",
    "Setting",
    "Settings",
    "settings_of",
]

ENVIRONMENT_PREFIX = "FAKE_DRA_"
_PLUGIN_SOCKET = f"{DRIVER_NAME}/plugin.sock"
_REGISTRATION_SOCKET = f"{DRIVER_NAME}.sock"
MAX_SOCKET_PATH_BYTES = 107
"""Longest path of a unix socket: ``sun_path`` of sockaddr_un, without the byte that ends it (unix(7))."""

RETRY_JITTER_FACTOR = 1.2
"""A candidate waits up to this part of its retry period longer than that: ``JITTER_FACTOR`` of the elector."""

GO_ONLY_FLAGS = {
    "--feature-gates": "it switches the logging of Kubernetes' Go libraries only",
    "--log-flush-frequency": "log lines are written at once",
    "--log-json-info-buffer-size": "log lines are written at once",
    "--log-json-split-stream": "every log line goes to stderr",
    "--log-text-info-buffer-size": "log lines are written at once",
    "--log-text-split-stream": "every log line goes to stderr",
    "--pprof-path": "it serves profiles of the Go runtime; py-spy looks into a Python process without any flag",
    "--vmodule": "it names Go source files; use -v, and filter the JSON log by component",
}
"""Flags of the Go driver that make no sense here, each with the reason."""

CLUSTER, EMBEDDED, COMPONENT, ELECTION, DEVICES, PATHS, HTTP, LOGGING, OUTPUT = GROUPS = (
    "Kubernetes API",
    "Embedded cluster",
    "This component",
    "Leader election",
    "Devices of the node",
    "Paths on the node",
    "HTTP server",
    "Logging",
    "Output",
)
"""Headings of help and documentation, in their order."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What help and chart say about a setting, beside its field's name, type, default, bounds and docstring."""

    group: str
    metavar: str = ""
    """What stands for the value in help, unit included."""
    reference: str = ""
    """The Go driver's variable for this setting, which is read too; empty for a setting of our own."""
    name: str = ""
    """Name of the flag where it is not the field's."""
    variable: str = ""
    """Its environment variable, without the prefix, where that is not made from the flag's name: another sub-command
    has a flag of that name, which means something else."""
    short: str = ""
    """One letter."""
    unset: str = ""
    """The default in words, where the value itself says nothing."""
    in_chart: bool = True
    """Whether it is one of the component's ``settings`` in the chart's values; others are set by the chart, or not."""
    positional: bool = False
    """Whether the value stands by itself on the command line, without the flag's name before it."""
    chart_default: str | None = None
    """The chart's default, where it is not the program's."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which values a type allows, in words, where its bounds do not say it."""

    words: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as help, documentation and chart show it."""

    name: str
    """Name of the model's field."""
    flag: str
    short: str
    variables: tuple[str, ...]
    """Environment variables: the first that is not empty counts."""
    description: str
    required: bool
    default: Any
    """None when there is none."""
    allowed: str
    info: Flag

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.default is False

    @property
    def negation(self) -> str:
        """The flag that turns off what is on by default; empty for other settings."""
        return f"--no-{self.flag.removeprefix('--')}" if self.default is True else ""

    @property
    def default_text(self) -> str:
        """The default in words; empty when the setting is required."""
        if self.required:
            return ""
        if self.info.unset:
            return self.info.unset
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return ",".join(self.default) if isinstance(self.default, tuple) else str(self.default)

    @property
    def metavar(self) -> str:
        """What stands for the value in help."""
        return self.info.metavar or self.allowed.replace(" or ", "|")

    def in_environment(self) -> tuple[str, str] | None:
        """The variable that gives the setting in this process's environment, and its value; None when there is none."""
        return next(((name, os.environ[name]) for name in self.variables if os.environ.get(name)), None)


def settings_of(model: "type[Settings]") -> tuple[Setting, ...]:
    """The settings of a sub-command, by group, in the order in which they are written down."""
    found = [_setting(name, field) for name, field in model.model_fields.items()]
    return tuple(sorted(found, key=lambda setting: GROUPS.index(setting.info.group)))


def _setting(name: str, field: FieldInfo) -> Setting:
    info = next(item for item in field.metadata if isinstance(item, Flag))
    flag = info.name or name.replace("_", "-")
    prefixed = ENVIRONMENT_PREFIX + (info.variable or flag.replace("-", "_").upper())
    required = field.is_required()
    return Setting(
        name=name,
        flag=info.metavar if info.positional else f"--{flag}",
        short=f"-{info.short}" if info.short else "",
        variables=(prefixed, info.reference) if info.reference else (prefixed,),
        description=" ".join((field.description or "").split()),
        required=required,
        default=None if required or field.default is PydanticUndefined else field.default,
        allowed=_allowed(field),
        info=info,
    )


def _allowed(field: FieldInfo) -> str:
    words = next((item.words for item in field.metadata if isinstance(item, Allowed)), None)
    if words is not None:
        return words
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    kind = "a whole number" if field.annotation is int else "a number"
    low = next((item.ge for item in field.metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in field.metadata if isinstance(item, Le)), None)
    return f"{kind}, at least {low}" if high is None else f"{kind} from {low} to {high}"


class _Environment(PydanticBaseSettingsSource):
    """The environment of this process, by the names of ``Setting.variables``."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        found = _setting(field_name, field).in_environment()
        return (found[1] if found else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        read = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in read.items() if value is not None}


# --- Types of values ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to listen on."""

    host: str
    """Empty: every address of the machine."""
    port: int
    """0: any that is free."""

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Reads ``host:port``, ``[IPv6]:port`` or ``:port``. Raises ValueError for anything else."""
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]*)):([0-9]{1,5})", text)
        if match is None or int(match[3]) > 65535:
            raise ValueError(f"{text!r} is no address")
        return cls(match[1] or match[2] or "", int(match[3]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _endpoint(value: object) -> object:
    return (Endpoint.parse(value) if value else None) if isinstance(value, str) else value


def _kubeconfig(value: str) -> str:
    """As kubectl reads KUBECONFIG: several paths may be given, and those that do not exist are left out."""
    paths = [Path(path).expanduser() for path in value.split(os.pathsep) if path]
    if paths and not any(path.is_file() for path in paths):
        raise ValueError("there is no such file")
    return os.pathsep.join(str(path) for path in paths)


def _duration(value: object) -> object:
    """The flags of leader election have the names that they have in Kubernetes, where people write 15s."""
    return value.removesuffix("s") if isinstance(value, str) else value


def _models(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("it does not start with a slash")
    return path


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("there is no such folder")
    return path


def _nas_status(value: object) -> object:
    spelled = {name.lower(): name for name in ("Ready", "NotReady")}
    return spelled.get(value.lower(), value) if isinstance(value, str) else value


LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""DNS label, RFC 1123: what a namespace may be called."""
SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""DNS subdomain, RFC 1123: what a node may be called."""
MODEL_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
"""No comma, which separates models, and no character that means something in a glob or an environment variable."""

Seconds = Annotated[float, Field(allow_inf_nan=False)]
WholeDuration = Annotated[int, BeforeValidator(_duration), Allowed("whole seconds from 1 to 3600")]
Duration = Annotated[Seconds, BeforeValidator(_duration), Allowed("seconds from 0.1 to 3600")]
Kubeconfig = Annotated[str, AfterValidator(_kubeconfig), Allowed("path of a file that exists")]
NamespaceName = Annotated[str, Field(pattern=LABEL_PATTERN), Allowed("name of a namespace (RFC 1123 label)")]
NodeName = Annotated[
    str, Field(pattern=SUBDOMAIN_PATTERN, max_length=253), Allowed("name of a node (RFC 1123 subdomain)")
]
Listen = Annotated[
    Endpoint | None,
    BeforeValidator(_endpoint),
    Allowed("host:port, [IPv6]:port or :port, with a port from 0 (any that is free) to 65535"),
]
UrlPath = Annotated[
    str,
    Field(pattern=r"^(/[A-Za-z0-9._~/-]+)?$"),
    Allowed("a path that starts with a slash, or nothing to turn it off"),
]
AbsolutePath = Annotated[
    Path,
    AfterValidator(_absolute),
    WithJsonSchema({"type": "string", "pattern": "^/"}),
    Allowed("an absolute path"),
]
KubernetesRelease = Annotated[
    str, Field(pattern=r"^1\.[0-9]+$"), Allowed("a minor release of Kubernetes with classic DRA, such as 1.30")
]
Folder = Annotated[Path, AfterValidator(_folder), Allowed("a folder that exists")]
Models = Annotated[
    tuple[Annotated[str, Field(pattern=MODEL_PATTERN)], ...],
    BeforeValidator(_models),
    Field(min_length=1, max_length=MAX_DEVICES_PER_NODE),
    Allowed(
        f"1 to {MAX_DEVICES_PER_NODE} models, separated by commas, each of 1 to 63 letters, digits, dots, dashes and "
        "underscores, a letter or digit first and last"
    ),
]
NasStatus = Annotated[Literal["Ready", "NotReady"], BeforeValidator(_nas_status)]


# --- The settings ------------------------------------------------------------------------------------------------


class Settings(BaseSettings):
    """Base of the settings of every sub-command. Keyword arguments are the command line, and win."""

    model_config = SettingsConfigDict(frozen=True, defer_build=True, use_attribute_docstrings=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line, then the environment."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Environment(settings_cls)


class _Logging(Settings):
    logging_format: Annotated[Literal["text", "json"], Flag(LOGGING, reference="LOGGING_FORMAT", in_chart=False)] = (
        "text"
    )
    """Format of the log, which goes to stderr: text for people, or one JSON object a line."""
    verbosity: Annotated[int, Flag(LOGGING, "LEVEL", reference="V", name="v", short="v", in_chart=False)] = Field(
        default=0, ge=0
    )
    """How much is logged: up to 3 changes of state and problems, from 4 each step, from 6 each request, from 8 all."""


class _Cluster(_Logging):
    kubeconfig: Annotated[
        Kubeconfig,
        Flag(CLUSTER, "PATH", reference="KUBECONFIG", unset="the pod's own service account", in_chart=False),
    ] = ""
    """Kubeconfig file to reach the API server with. Not needed in a pod."""
    namespace: Annotated[NamespaceName, Flag(CLUSTER, "NAME", reference="POD_NAMESPACE", in_chart=False)]
    """Namespace of the driver, which holds the NodeAllocationState objects."""
    api_timeout_seconds: Annotated[Seconds, Flag(CLUSTER, "SECONDS")] = Field(default=10, ge=0.1, le=600)
    """How long one call to the API server may take, in seconds."""


class _Server(_Cluster):
    kube_api_qps: Annotated[float, Flag(CLUSTER, "N", reference="KUBE_API_QPS")] = Field(
        default=0, ge=0, le=1_000_000, allow_inf_nan=False
    )
    """Most calls to the API server a second, in the long run. 0 sets no limit on our side: the API server's priority
    and fairness limits every client."""
    kube_api_burst: Annotated[int, Flag(CLUSTER, "N", reference="KUBE_API_BURST")] = Field(
        default=0, ge=0, le=1_000_000
    )
    """Most calls at once before --kube-api-qps holds. 0 counts as 1."""
    http_endpoint: Annotated[
        Listen, Flag(HTTP, "HOST:PORT", reference="HTTP_ENDPOINT", unset="no HTTP server", in_chart=False)
    ] = None
    """Address on which /healthz, /readyz and the metrics are served, without TLS."""
    metrics_path: Annotated[UrlPath, Flag(HTTP, "PATH", reference="METRICS_PATH")] = "/metrics"
    """Path of the Prometheus metrics on --http-endpoint."""
    grace_period_seconds: Annotated[Seconds, Flag(COMPONENT, "SECONDS")] = Field(default=20, ge=0, le=3600)
    """How long a stop may take, in seconds, after SIGTERM or SIGINT: work that was begun is ended in that time. It must
    be less than the pod's terminationGracePeriodSeconds."""

    @field_validator("metrics_path")
    @classmethod
    def _metrics_path_is_free(cls, value: str) -> str:
        if value in {"/healthz", "/readyz"}:
            raise ValueError("/healthz and /readyz are taken")
        return value


class ControllerSettings(_Server):
    """Allocates devices to claims: one for the whole cluster, and others that stand by."""

    workers: Annotated[int, Flag(COMPONENT, "N", reference="WORKERS")] = Field(default=10, ge=1, le=1000)
    """How many claims and pods are worked on at once."""
    leader_elect: Annotated[bool, Flag(ELECTION)] = True
    """Whether only the one that holds the Lease allocates. Without it, several at once still never give a device twice,
    but get in each other's way."""
    leader_elect_lease_duration_seconds: Annotated[
        WholeDuration, Flag(ELECTION, "SECONDS", name="leader-elect-lease-duration")
    ] = Field(default=15, ge=1, le=3600)
    """How long the others wait after the last renewal that they saw, in seconds, before one of them takes over."""
    leader_elect_renew_deadline_seconds: Annotated[
        Duration, Flag(ELECTION, "SECONDS", name="leader-elect-renew-deadline")
    ] = Field(default=10, ge=0.1, le=3600)
    """How long after its last renewal the leader gives up, in seconds, and ends: less than
    --leader-elect-lease-duration."""
    leader_elect_retry_period_seconds: Annotated[
        Duration, Flag(ELECTION, "SECONDS", name="leader-elect-retry-period")
    ] = Field(default=2, ge=0.1, le=3600)
    """How long to wait between two renewals or two tries, in seconds: 1.2 times this is less than
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
    node_name: Annotated[NodeName, Flag(COMPONENT, "NAME", reference="NODE_NAME", in_chart=False)]
    """Name of the node that this runs on. The UUIDs of its devices are a function of it."""


class KubeletPluginSettings(_Server, _OfNode):
    """Serves the devices of one node to its kubelet: one on every node."""

    device_count: Annotated[int, Flag(DEVICES, "N")] = Field(default=8, ge=0, le=MAX_DEVICES_PER_NODE)
    """Number of devices that the node has."""
    device_models: Annotated[Models, Flag(DEVICES, "MODEL[,MODEL...]")] = ("LATEST-FAKE-MODEL",)
    """Models of the devices: the first device has the first model and so on; after the last comes the first again."""
    kubelet_registry_dir: Annotated[AbsolutePath, Flag(PATHS, "DIR")] = Path("/var/lib/kubelet/plugins_registry")
    """Folder that the kubelet watches for the registration sockets of plugins."""
    kubelet_plugins_dir: Annotated[AbsolutePath, Flag(PATHS, "DIR")] = Path("/var/lib/kubelet/plugins")
    """Folder of the kubelet's plugins. Ours has a folder of its own in there, for its socket and its checkpoint."""
    cdi_root: Annotated[AbsolutePath, Flag(PATHS, "DIR", reference="CDI_ROOT", chart_default="/var/run/cdi")] = Path(
        "/etc/cdi"
    )
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
        below = _REGISTRATION_SOCKET if info.field_name == "kubelet_registry_dir" else _PLUGIN_SOCKET
        if len(os.fsencode(value / below)) > MAX_SOCKET_PATH_BYTES:
            raise ValueError(f"/{below} in there exceeds the {MAX_SOCKET_PATH_BYTES} bytes of a socket's path")
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
        return self.plugin_socket.parent

    @property
    def plugin_socket(self) -> Path:
        """Socket of the DRA service, which the kubelet is told of."""
        return self.kubelet_plugins_dir / _PLUGIN_SOCKET

    @property
    def registration_socket(self) -> Path:
        """Socket of the registration service, which the kubelet finds by itself."""
        return self.kubelet_registry_dir / _REGISTRATION_SOCKET

    @property
    def checkpoint(self) -> Path:
        """``checkpoint_path``, or the file that it stands for."""
        return self.checkpoint_path or self.plugin_dir / "checkpoint.json"


class SetNasStatusSettings(_OfNode):
    """Sets the status of a node's NodeAllocationState, and makes the object when there is none."""

    status: Annotated[NasStatus, Flag(COMPONENT, reference="STATUS")]
    """The status to set, in upper or lower case."""


class GenerateSettings(Settings):
    """Writes everything that is rendered from the schema and the settings: CRDs, chart, documentation."""

    check: Annotated[bool, Flag(OUTPUT)] = False
    """Write nothing, and fail when a file is not up to date."""
    output: Annotated[Folder, Flag(OUTPUT, "DIR", variable="OUTPUT_DIR", unset="the current folder")] = Path()
    """Folder to write to: the root of the source tree."""


class _Embedded(_Logging):
    kubernetes_version: Annotated[KubernetesRelease, Flag(EMBEDDED, "RELEASE")] = "1.30"
    """Release of Kubernetes to behave like."""
    port: Annotated[int, Flag(EMBEDDED, "PORT", unset="any that is free")] = Field(default=0, ge=0, le=65535)
    """Port of the API server, on the loopback device. 0 is any that is free."""


class ClusterUpSettings(_Embedded):
    """Runs an embedded cluster, without Docker or a download of Kubernetes, until Ctrl-C. Leaves nothing behind."""

    nodes: Annotated[int, Flag(EMBEDDED, "N", variable="NODE_COUNT")] = Field(default=1, ge=1, le=200)
    """Number of nodes."""
    driver: Annotated[bool, Flag(EMBEDDED)] = True
    """Whether to install the driver, as its chart does."""


class ClusterFaultSettings(Settings):
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
    """What goes wrong. fail-requests: the next requests of a kind; heal: none any more. drop-watches: the connections
    of all watches break. compact: all history is forgotten, so that watches from older versions get 410.
    restart-apiserver: it is killed, and comes back after --seconds. stop-node: a node is switched off; start-node: and
    on again. reboot-node: both, with an empty /var/run. restart-kubelet: containers go on meanwhile. kill-container:
    --container of --pod gets SIGKILL."""
    kubeconfig: Annotated[Kubeconfig, Flag(EMBEDDED, "PATH", reference="KUBECONFIG")]
    """Kubeconfig of the cluster, as `cluster up` has printed it."""
    node: Annotated[str, Flag(EMBEDDED, "NAME", unset="the first"), Allowed("name of a node of the cluster")] = ""
    """The node, for the faults of nodes."""
    pod: Annotated[str, Flag(EMBEDDED, "NAMESPACE/NAME", unset="none"), Allowed("namespace/name of a pod")] = ""
    """The pod, for kill-container."""
    container: Annotated[str, Flag(EMBEDDED, "NAME", unset="none"), Allowed("name of a container of the pod")] = ""
    """The container, for kill-container."""
    seconds: Annotated[Seconds, Flag(EMBEDDED, "SECONDS")] = Field(default=0, ge=0, le=100)
    """How long the API server is away."""
    answer: Annotated[Literal["409", "429", "500", "503", "504", "timeout", "reset"], Flag(EMBEDDED)] = "500"
    """What the failing requests get: a status, no answer at all, or a broken connection."""
    verb: Annotated[Literal["any", "get", "list", "watch", "create", "update", "patch", "delete"], Flag(EMBEDDED)] = (
        "any"
    )
    """Which requests fail, by verb."""
    resource: Annotated[str, Flag(EMBEDDED, "PLURAL", unset="any"), Allowed("a resource, such as resourceclaims")] = ""
    """Which requests fail, by resource."""
    times: Annotated[int, Flag(EMBEDDED, "N")] = Field(default=1, ge=0)
    """How many requests fail. 0 is all of them, until heal."""
    after: Annotated[bool, Flag(EMBEDDED)] = False
    """The failing requests are carried out first: a write has taken place, though its client does not learn of it."""


class DemoSettings(_Embedded):
    """Walks through the quickstart on an embedded cluster: every step, with its command and what comes out of it."""

    manifests: Annotated[Folder, Flag(EMBEDDED, "DIR", unset="the folder demo of the source tree")] = (
        Path(__file__).resolve().parent.parent / "demo"
    )
    """Folder with fake-test1.yaml and the other example apps."""
