"""Settings of a project's commands: one frozen model for each, which gives flags, environment, help, chart and docs.

A field is a setting: its name gives the flag (``device_count``: ``--device-count``) and the variable (with the model's
``prefix`` before it: ``FAKE_DRA_DEVICE_COUNT``), its docstring the help, its type and bounds what is allowed, and
``Flag`` the rest. A flag wins over the variable, the variable over its alias (``Flag.alias``), and that one over the
default; an empty variable counts as unset. This module alone reads the environment; ``flags`` reads the command line.
Here are the engine and the types of values that any driver needs. Models stand beside the program that they configure,
which checks them and hands on values: no other module knows a model.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from fake_dra_driver.hosting.process import environment

__all__ = [
    "DRIVER_NAME_WORDS",
    "LABEL_PATTERN",
    "SUBDOMAIN_PATTERN",
    "AbsolutePath",
    "Allowed",
    "DriverName",
    "Duration",
    "Endpoint",
    "Flag",
    "Folder",
    "ForeignFlags",
    "KubeconfigPath",
    "Listen",
    "ListenRequired",
    "NamespaceName",
    "NodeName",
    "Seconds",
    "Setting",
    "Settings",
    "UrlPath",
    "WholeDuration",
    "colors_wanted",
    "settings_of",
]


@dataclass(frozen=True, slots=True)
class Flag:
    """What help and chart say about a setting, beside its field's name, type, default, bounds and docstring."""

    group: str = ""
    """Its heading, one of the model's ``groups``; empty: the model's ``group``."""
    metavar: str = ""
    """What stands for the value in help, unit included."""
    alias: str = ""
    """Another variable that is read too, such as the one of a program that this one replaces; empty for none."""
    name: str = ""
    """Name of the flag where it is not the field's."""
    variable: str = ""
    """Its environment variable, without the prefix, where that is not made from the flag's name: another command has a
    flag of that name, which means something else."""
    short: str = ""
    """One letter."""
    unset: str = ""
    """The default in words, where the value itself says nothing."""
    in_chart: bool = True
    """Whether it is one of the component's ``settings`` in the chart's values; the chart sets the others, or they keep
    their defaults."""
    repeatable: bool = False
    """Whether the flag may be given several times: the values together are one, with commas between them."""
    positional: bool = False
    """Whether the value stands by itself on the command line, without the flag's name before it."""
    joint: str = ""
    """What comes between the words where such a value may be several of them: ``pod NAME`` is ``pod/NAME``."""
    chart_default: str | None = None
    """The chart's default, where it is not the program's."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which values a type allows, in words, where its bounds do not say it."""

    words: str


@dataclass(frozen=True, slots=True)
class ForeignFlags:
    """Flags of another program that people may bring along and that make no sense here."""

    program: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By flag: why there is none."""


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
        """The variable that gives the setting in the program's environment, and its value; None when there is none."""
        variables = environment()
        return next(((name, variables[name]) for name in self.variables if variables.get(name)), None)


class Settings(BaseSettings):
    """Base of a project's settings; keyword arguments are the command line, and win.

    A project derives a base of its own with its prefix and its headings, and from that one model for each command.
    """

    model_config = SettingsConfigDict(frozen=True, defer_build=True, use_attribute_docstrings=True)

    prefix: ClassVar[str] = ""
    """What the names of all environment variables begin with; empty: none is read but those of ``Flag.alias``."""
    groups: ClassVar[tuple[str, ...]] = ("",)
    """Headings of help and documentation, in their order."""
    group: ClassVar[str] = ""
    """Heading of a setting that names none. A field without a Flag is such a setting."""
    aliases: ClassVar[Mapping[str, str]] = {}
    """By field: a variable that is read too, as with ``Flag.alias``, by this project alone."""
    foreign_flags: ClassVar[ForeignFlags] = ForeignFlags()

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Environment(cls)


def settings_of(model: type[Settings]) -> tuple[Setting, ...]:
    """The settings of a command, by group, in the order in which they are written down."""
    found = [_setting(model, name) for name in model.model_fields]
    return tuple(sorted(found, key=lambda setting: model.groups.index(setting.info.group)))


def _setting(model: type[Settings], name: str) -> Setting:
    about = model.model_fields[name]
    info = next((item for item in about.metadata if isinstance(item, Flag)), None)
    if info is None:
        info = Flag(metavar=_METAVARS.get(about.annotation, ""))
    if not info.group:
        info = replace(info, group=model.group)
    flag = info.name or name.replace("_", "-")
    prefixed = model.prefix + (info.variable or flag.replace("-", "_").upper()) if model.prefix else ""
    required = about.is_required()
    return Setting(
        name=name,
        flag=info.metavar if info.positional else f"--{flag}",
        short=f"-{info.short}" if info.short else "",
        variables=tuple(filter(None, (prefixed, info.alias or model.aliases.get(name, "")))),
        description=" ".join((about.description or "").split()),
        required=required,
        default=None if required or about.default is PydanticUndefined else about.default,
        allowed=_allowed(about),
        info=info,
    )


def _allowed(about: FieldInfo) -> str:
    words = next((item.words for item in about.metadata if isinstance(item, Allowed)), None)
    if words is not None:
        return words
    if get_origin(about.annotation) is Literal:
        return " or ".join(get_args(about.annotation))
    if about.annotation is bool:
        return "true or false"
    if about.annotation in _KINDS:
        return _KINDS[about.annotation]
    kind = "a whole number" if about.annotation is int else "a number"
    low = next((item.ge for item in about.metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in about.metadata if isinstance(item, Le)), None)
    if low is None:
        return kind if high is None else f"{kind}, at most {high}"
    return f"{kind}, at least {low}" if high is None else f"{kind} from {low} to {high}"


_KINDS: Mapping[Any, str] = {str: "any text", Path: "a path"}
"""What values may be, by their type."""
_METAVARS: Mapping[Any, str] = {int: "N", float: "N", str: "TEXT", Path: "PATH"}
"""What stands for a value, by its type, where no Flag says it."""


class _Environment(PydanticBaseSettingsSource):
    """The environment of this process, by the names of ``Setting.variables``."""

    def __init__(self, model: type[Settings]) -> None:
        super().__init__(model)
        self._model = model

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        found = _setting(self._model, field_name).in_environment()
        return (found[1] if found else None), field_name, False

    @override
    def __call__(self) -> dict[str, Any]:
        read = {name: self.get_field_value(about, name)[0] for name, about in self._model.model_fields.items()}
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
    """As kubectl's flag --kubeconfig: one path. Nothing stands for the usual places."""
    path = Path(value).expanduser()
    if value and not path.exists():
        raise ValueError("there is no such file")
    return str(path) if value else ""


def _duration(value: object) -> object:
    """Durations may end in s: Kubernetes' own programs have flags of the same names, where people write 15s."""
    return value.removesuffix("s") if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("it does not start with a slash")
    return path


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("there is no such folder")
    return path


LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""DNS label, RFC 1123: what a namespace may be called."""
SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""DNS subdomain, RFC 1123: what a node may be called."""

Seconds = Annotated[float, Field(allow_inf_nan=False)]
"""A number of seconds, with no bounds of its own."""
WholeDuration = Annotated[int, BeforeValidator(_duration), Allowed("whole seconds from 1 to 3600")]
"""For what Kubernetes counts in whole seconds; ``15`` or ``15s``."""
Duration = Annotated[Seconds, BeforeValidator(_duration), Allowed("seconds from 0.1 to 3600")]
"""Seconds with or without a fraction; ``1.5`` or ``1.5s``."""
KubeconfigPath = Annotated[str, AfterValidator(_kubeconfig), Allowed("path of a file that exists")]
"""One kubeconfig, as in kubectl's flag; nothing stands for the usual places."""
NamespaceName = Annotated[str, Field(pattern=LABEL_PATTERN), Allowed("name of a namespace (RFC 1123 label)")]
"""The name of a namespace."""
NodeName = Annotated[
    str, Field(pattern=SUBDOMAIN_PATTERN, max_length=253), Allowed("name of a node (RFC 1123 subdomain)")
]
"""The name of a node."""
DRIVER_NAME_WORDS = Allowed("a DNS subdomain of at most 63 characters (RFC 1123), such as gpu.example.com")
"""What ``DriverName`` allows, for a setting that may also name none."""
DriverName = Annotated[str, Field(pattern=SUBDOMAIN_PATTERN, max_length=63), DRIVER_NAME_WORDS]
"""The name of a DRA driver."""
_ENDPOINT = Allowed("host:port, [IPv6]:port or :port, with a port from 0 (any that is free) to 65535")
Listen = Annotated[Endpoint | None, BeforeValidator(_endpoint), _ENDPOINT]
"""Where a server listens; an empty value turns it off."""
ListenRequired = Annotated[Endpoint, BeforeValidator(_endpoint), _ENDPOINT]
"""Where a server listens that cannot be turned off."""
UrlPath = Annotated[
    str,
    Field(pattern=r"^(/[A-Za-z0-9._~/-]+)?$"),
    Allowed("a path that starts with a slash, or nothing to turn it off"),
]
"""A path of a URL."""
AbsolutePath = Annotated[
    Path,
    AfterValidator(_absolute),
    WithJsonSchema({"type": "string", "pattern": "^/"}),
    Allowed("an absolute path"),
]
"""A path from the root; nothing needs to be there."""
Folder = Annotated[Path, AfterValidator(_folder), Allowed("a folder that exists")]
"""A folder that is there when the program starts."""


def colors_wanted(*, is_terminal: bool) -> bool:
    """Whether output is to be coloured by what a person has set for the whole shell: NO_COLOR, FORCE_COLOR and TERM.

    See https://no-color.org and https://force-color.org.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM") != "dumb"
