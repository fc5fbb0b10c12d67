"""Settings of ``device fault``, ``device heal`` and ``device list``."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.dra.program.settings import CLUSTER, INPUT, OUTPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.settings import SUBDOMAIN_PATTERN, Allowed, DriverName, Flag, KubeconfigPath, Seconds

__all__ = ["FaultSettings", "HealSettings", "ListSettings"]

_DURATION: Final = r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$"
_LABEL_KEY: Final = r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_VALUE: Final = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"


def _names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


_Globs = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[!-~]+$", max_length=253)], ...],
    BeforeValidator(_names),
    Allowed("names separated by commas, in which * and ? stand for any characters"),
]
_Objects = Annotated[
    tuple[Annotated[str, Field(pattern=SUBDOMAIN_PATTERN, max_length=253)], ...],
    BeforeValidator(_names),
    Allowed("names of DeviceFaults, separated by commas"),
]
_Duration = Annotated[
    str, Field(pattern=rf"^$|{_DURATION}"), Allowed("a duration such as 90s or 1h30m, from 1s to 87600h")
]
_Times = Annotated[str, Field(pattern="^(|all|[1-9][0-9]{0,6})$"), Allowed("all, or a number from 1 to 1000000")]
_Delay = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class _DeviceSettings(CommandSettings):
    kubeconfig: Annotated[
        KubeconfigPath,
        Flag(CLUSTER, "PATH", unset="where kubectl looks, or the pod's own service account"),
    ] = ""
    """Kubeconfig file to reach the API server with, in place of those that KUBECONFIG names."""
    driver_name: Annotated[DriverName, Flag(CLUSTER, "NAME")] = DRIVER_NAME
    """Driver whose devices are meant: the name that a release of the chart has for it."""
    api_timeout_seconds: Annotated[Seconds, Flag(CLUSTER, "SECONDS")] = Field(default=10, ge=0.1, le=600)
    """How long one call to the API server may take, in seconds."""


class FaultSettings(_DeviceSettings):
    """Makes mock devices fail, by a DeviceFault: those that are named, of --nodes, --models or --claim, or all."""

    devices: Annotated[
        _Globs, Flag(INPUT, "[DEVICE[,DEVICE...]]", positional=True, variable="FAULT_DEVICES", unset="all")
    ] = ()
    """Names of devices, as ResourceSlices have them, or their UUIDs."""
    nodes: Annotated[_Globs, Flag(INPUT, "NODE[,NODE...]", variable="FAULT_NODES", unset="all")] = ()
    """Nodes of the devices."""
    models: Annotated[_Globs, Flag(INPUT, "MODEL[,MODEL...]", variable="FAULT_MODELS", unset="all")] = ()
    """Models of the devices."""
    claim: Annotated[
        str,
        Field(pattern=r"^(|[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9.]*)$"),
        Allowed("NAMESPACE/NAME of a ResourceClaim"),
        Flag(INPUT, "NAMESPACE/NAME", variable="FAULT_CLAIM", unset="any"),
    ] = ""
    """Only devices that are prepared for this claim."""
    cel: Annotated[
        str,
        Allowed("an expression in CEL, as in the selectors of claims"),
        Flag(INPUT, "EXPRESSION", variable="FAULT_CEL", unset="any"),
    ] = ""
    """Only devices of which this is true."""
    count: Annotated[int, Flag(INPUT, "N", variable="FAULT_COUNT", unset="all of them")] = Field(
        default=0, ge=0, le=4096
    )
    """How many of these devices fail on each node."""
    seed: Annotated[int, Flag(INPUT, "N", variable="FAULT_SEED", unset="the first ones, and 0 for random failures")] = (
        Field(default=-1, ge=-1, le=2**53)
    )
    """Which devices --count chooses, and when they fail at random: always the same for a seed."""

    health: Annotated[Literal["none", "Unhealthy", "Unknown"], Flag(INPUT, variable="FAULT_HEALTH")] = "none"
    """What the kubelet is told of the devices, which shows it in the status of pods."""
    taint: Annotated[
        str,
        Field(pattern=rf"^$|^{_LABEL_KEY}(={_LABEL_VALUE})?:(NoSchedule|NoExecute|None)$"),
        Allowed("KEY:EFFECT or KEY=VALUE:EFFECT; effects are NoSchedule, NoExecute and None"),
        Flag(INPUT, "KEY[=VALUE]:EFFECT", variable="FAULT_TAINT", unset="none"),
    ] = ""
    """Taint of the devices. NoSchedule keeps claims away, NoExecute also evicts the pods that use them."""
    vanish: Annotated[bool, Flag(INPUT, variable="FAULT_VANISH")] = False
    """The devices are not there any more. Claims keep what they hold."""
    fail_prepare: Annotated[_Times, Flag(INPUT, "TIMES", variable="FAULT_FAIL_PREPARE", unset="none")] = ""
    """How many calls fail on each node that prepare a claim with such a device; its pod waits for that."""
    delay_prepare: Annotated[_Delay, Flag(INPUT, "SECONDS", variable="FAULT_DELAY_PREPARE")] = 0
    """How much longer these calls take."""
    fail_unprepare: Annotated[_Times, Flag(INPUT, "TIMES", variable="FAULT_FAIL_UNPREPARE", unset="none")] = ""
    """How many calls fail on each node that unprepare a claim with such a device; its pod goes away after that."""
    delay_unprepare: Annotated[_Delay, Flag(INPUT, "SECONDS", variable="FAULT_DELAY_UNPREPARE")] = 0
    """How much longer these calls take."""
    fail_binding: Annotated[bool, Flag(INPUT, variable="FAULT_FAIL_BINDING")] = False
    """A binding failure condition of the devices comes true, where they have any: the scheduler chooses again."""
    delay_binding: Annotated[_Delay, Flag(INPUT, "SECONDS", variable="FAULT_DELAY_BINDING")] = 0
    """How much later the binding conditions of the devices come true."""
    lose_slices: Annotated[bool, Flag(INPUT, variable="FAULT_LOSE_SLICES")] = False
    """The ResourceSlices of the devices' nodes are gone."""
    deregister: Annotated[bool, Flag(INPUT, variable="FAULT_DEREGISTER")] = False
    """The driver's plugin is not registered with the kubelet on the devices' nodes."""
    message: Annotated[
        str,
        Field(max_length=1024, pattern=r"^[^\n\r]*$"),
        Allowed("a line of text"),
        Flag(INPUT, "TEXT", variable="FAULT_MESSAGE", unset="that of the effect"),
    ] = ""
    """What is wrong, for people: of --health and of what fails."""

    duration: Annotated[_Duration, Flag(INPUT, "DURATION", variable="FAULT_DURATION", unset="until it is healed")] = ""
    """How long it lasts."""
    mean_time_between_failures: Annotated[
        _Duration, Flag(INPUT, "DURATION", variable="FAULT_MEAN_TIME_BETWEEN_FAILURES", unset="all the time")
    ] = ""
    """The devices fail at random times, so often on average; with --mean-time-to-repair."""
    mean_time_to_repair: Annotated[
        _Duration, Flag(INPUT, "DURATION", variable="FAULT_MEAN_TIME_TO_REPAIR", unset="all the time")
    ] = ""
    """How long a random failure lasts, on average."""

    name: Annotated[
        str,
        Field(pattern=rf"^$|{SUBDOMAIN_PATTERN}", max_length=253),
        Allowed("name of an object (RFC 1123 subdomain)"),
        Flag(OUTPUT, "NAME", variable="FAULT_NAME", unset="made from fault-"),
    ] = ""
    """Name of the DeviceFault, by which it can be healed."""
    wait_seconds: Annotated[Seconds, Flag(OUTPUT, "SECONDS", variable="FAULT_WAIT_SECONDS")] = Field(
        default=5, ge=0, le=600
    )
    """How long to wait until it is known what the fault does, in seconds."""
    dry_run: Annotated[bool, Flag(OUTPUT, variable="FAULT_DRY_RUN")] = False
    """Print the DeviceFault as YAML, for kubectl apply, and do nothing."""


class HealSettings(_DeviceSettings):
    """Heals mock devices, by deleting DeviceFaults: those that are named, or --all of the driver."""

    names: Annotated[
        _Objects, Flag(INPUT, "[FAULT[,FAULT...]]", positional=True, variable="HEAL_FAULTS", unset="none")
    ] = ()
    """DeviceFaults to delete."""
    all: Annotated[bool, Flag(INPUT, variable="HEAL_ALL")] = False
    """Delete every DeviceFault of the driver."""


class ListSettings(_DeviceSettings):
    """Lists the DeviceFaults of a driver: what they do, what they hit at the moment, and until when."""

    output: Annotated[Literal["table", "json", "yaml"], Flag(OUTPUT, short="o")] = "table"
    """Format: a table for people, or JSON or YAML for programs, with the fields of `faults` of the command status."""
    color: Annotated[Literal["auto", "always", "never"], Flag(OUTPUT)] = "auto"
    """Whether the table has colours: auto gives it some on a terminal, or where FORCE_COLOR is set, but not where
    NO_COLOR is."""
