"""One kubeconfig as it stands in its file: YAML or JSON, types taken literally, unknown fields passed over.

Follows k8s.io/client-go/tools/clientcmd/api/v1, whose decoder takes no number for a text and no text for a boolean, but
null for anything. What is wrong is said without the value that is wrong: it may be a secret.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from yaml.constructor import SafeConstructor

from fake_dra_driver.runtime.decoding import refusals

__all__ = [
    "AuthProvider",
    "Cluster",
    "Config",
    "Context",
    "DocumentError",
    "ExecConfig",
    "ExecEnvironment",
    "User",
    "parse_mapping",
    "parse_text",
    "parse_value",
]


class DocumentError(ValueError):
    """The text is no kubeconfig; the message says where, and what is wrong there."""


def _decoded(value: object) -> object:
    """Base64 as Go reads it: with padding, and with line breaks wherever they are."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("this is not base64") from error


Base64 = Annotated[bytes, BeforeValidator(_decoded)]


def _without_nulls(raw: object) -> object:
    """The mapping without what is null in it, which stands for nothing at all; null for a list is an empty one."""
    if not isinstance(raw, dict):
        return raw
    kept = {name: value for name, value in raw.items() if value is not None}
    return {
        name: [entry for entry in value if entry is not None] if isinstance(value, list) else value
        for name, value in kept.items()
    }


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, raw: object) -> object:
        return _without_nulls(raw)


class Extension(_Entry):
    """Something for programs that know of it."""

    name: str = ""
    extension: Any = None


class Cluster(_Entry):
    """Where an API server is, and how to know it."""

    server: str = ""
    tls_server_name: str = Field(default="", alias="tls-server-name")
    insecure_skip_tls_verify: bool = Field(default=False, alias="insecure-skip-tls-verify")
    certificate_authority: str = Field(default="", alias="certificate-authority")
    certificate_authority_data: Base64 = Field(default=b"", alias="certificate-authority-data")
    proxy_url: str = Field(default="", alias="proxy-url")
    disable_compression: bool = Field(default=False, alias="disable-compression")
    extensions: list[Extension] = []


class ExecEnvironment(_Entry):
    """A variable for a program that gives credentials."""

    name: str = ""
    value: str = ""


class ExecConfig(_Entry):
    """A program that gives credentials."""

    api_version: str = Field(default="", alias="apiVersion")
    command: str = ""
    args: list[str] = []
    env: list[ExecEnvironment] = []
    install_hint: str = Field(default="", alias="installHint")
    provide_cluster_info: bool = Field(default=False, alias="provideClusterInfo")
    interactive_mode: str = Field(default="", alias="interactiveMode")


class AuthProvider(_Entry):
    """A way to log in that was built into clients, before there were programs for it."""

    name: str = ""
    config: dict[str, str] = {}


class User(_Entry):
    """Who we are."""

    client_certificate: str = Field(default="", alias="client-certificate")
    client_certificate_data: Base64 = Field(default=b"", alias="client-certificate-data")
    client_key: str = Field(default="", alias="client-key")
    client_key_data: Base64 = Field(default=b"", alias="client-key-data")
    token: str = ""
    token_file: str = Field(default="", alias="tokenFile")
    username: str = ""
    password: str = ""
    impersonate: str = Field(default="", alias="as")
    impersonate_uid: str = Field(default="", alias="as-uid")
    impersonate_groups: list[str] = Field(default=[], alias="as-groups")
    impersonate_extra: Annotated[dict[str, list[str]], BeforeValidator(_without_nulls)] = Field(
        default={}, alias="as-user-extra"
    )
    auth_provider: AuthProvider | None = Field(default=None, alias="auth-provider")
    exec: ExecConfig | None = None


class Context(_Entry):
    """A user at a cluster."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


class NamedCluster(_Entry):
    """A cluster with its name."""

    name: str = ""
    cluster: Cluster = Cluster()


class NamedUser(_Entry):
    """A user with its name."""

    name: str = ""
    user: User = User()


class NamedContext(_Entry):
    """A context with its name."""

    name: str = ""
    context: Context = Context()


class Config(_Entry):
    """A kubeconfig."""

    api_version: str = Field(default="", alias="apiVersion")
    kind: str = ""
    current_context: str = Field(default="", alias="current-context")
    clusters: list[NamedCluster] = []
    users: list[NamedUser] = []
    contexts: list[NamedContext] = []


def parse_text(text: bytes) -> Config:
    """The first document of a text; an empty one is a kubeconfig without entries. Raises DocumentError."""
    try:
        raw = parse_value(text)
    except yaml.YAMLError as error:
        raise DocumentError(_place(error)) from error
    except RecursionError as error:
        raise DocumentError("it is nested too deep") from error
    if raw is None:
        return Config()
    if not isinstance(raw, dict):
        raise DocumentError("it is not a mapping with clusters, users and contexts")
    return parse_mapping(raw)


def parse_mapping(raw: Mapping[str, Any]) -> Config:
    """A kubeconfig that was read already. Raises DocumentError."""
    try:
        config = Config.model_validate(dict(raw))
    except (ValidationError, RecursionError) as error:
        raise DocumentError("; ".join(_in_few_words(error))) from error
    if config.api_version not in ("", "v1") or config.kind not in ("", "Config"):
        raise DocumentError(
            f"it is a {config.kind or 'Config'} of {config.api_version or 'v1'}, and not a Config of v1"
        )
    for kind, entries in (("clusters", config.clusters), ("users", config.users), ("contexts", config.contexts)):
        _check_names(kind, entries)
    return config


def parse_value(text: bytes) -> Any:
    """The first value of a text in JSON or YAML. Raises YAMLError, and RecursionError where it is nested too deep."""
    try:
        return json.loads(text)
    except ValueError:
        return next(iter(yaml.load_all(text, _Loader)), None)


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # one of two classes, as libyaml is there or not
    """Gives as texts what is text for Go's reader of YAML, and a date or a number of base 60 for PyYAML: a token may be
    any of these."""

    def construct_int(self, node: yaml.ScalarNode) -> object:
        return node.value if ":" in node.value else SafeConstructor.construct_yaml_int(self, node)

    def construct_float(self, node: yaml.ScalarNode) -> object:
        return node.value if ":" in node.value else SafeConstructor.construct_yaml_float(self, node)

    def construct_unknown(self, _suffix: str, node: yaml.Node) -> object:
        return node.value if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _Loader.construct_unknown)
for _tag in ("timestamp", "value"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", SafeConstructor.construct_yaml_str)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_float)

_MAX_REFUSALS: Final = 3


def _in_few_words(error: ValidationError | RecursionError) -> Sequence[str]:
    found = refusals(error)
    more = [f"and {len(found) - _MAX_REFUSALS} more"] if len(found) > _MAX_REFUSALS else []
    return [*found[:_MAX_REFUSALS], *more]


def _place(error: yaml.YAMLError) -> str:
    """Line and problem, without the text that PyYAML quotes from the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem is not None:
        mark = error.problem_mark or error.context_mark
        return f"line {mark.line + 1}: {error.problem}" if mark is not None else error.problem
    return "it is neither YAML nor JSON: it holds bytes that are no text"


def _check_names(kind: str, entries: Sequence[NamedCluster | NamedUser | NamedContext]) -> None:
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DocumentError(f"{kind}: {', '.join(twice)} is there more than once")
