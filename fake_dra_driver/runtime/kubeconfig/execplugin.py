"""Programs that give credentials: ExecCredential of client.authentication.k8s.io, v1 and v1beta1.

Follows k8s.io/client-go/plugin/pkg/client/auth/exec. What the program writes to stderr is for the person who waits for
it, and goes there. client-go waits for ever; here a program has a deadline, and a longer one where it may ask a person.
"""

import asyncio
import base64
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml import YAMLError

from fake_dra_driver.runtime.errors import CredentialsError
from fake_dra_driver.runtime.kubeconfig.document import Cluster, ExecConfig, parse_value

__all__ = ["ExecCredential", "ExecPlugin", "problems_of", "stdin_is_terminal"]

_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MODES: Final = ("Never", "IfAvailable", "Always")
_CLUSTER_EXTENSION: Final = "client.authentication.k8s.io/exec"
"""Name of the extension of a cluster that is meant for these programs."""
_TIMEOUT_SECONDS: Final = 60.0
"""A program may ask the API of a cloud."""
_INTERACTIVE_TIMEOUT_SECONDS: Final = 300.0
"""A person may have to find a phone, or to log in with a browser."""
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def stdin_is_terminal() -> bool:
    """Whether there is a person to ask."""
    return os.isatty(0)


@dataclass(frozen=True, slots=True)
class ExecCredential:
    """What a program gave."""

    token: str | None
    certificate: bytes
    """Of the client, in PEM; empty without one."""
    key: bytes
    expires_at: float | None
    """Seconds since 1970; None: not known."""


class _Status(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    token: str | None = None
    certificate: str | None = Field(default=None, alias="clientCertificateData")
    key: str | None = Field(default=None, alias="clientKeyData")
    expires_at: datetime | None = Field(default=None, alias="expirationTimestamp", strict=False)


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    kind: str = "ExecCredential"
    api_version: str = Field(default="", alias="apiVersion")
    status: _Status | None = None


def problems_of(config: ExecConfig) -> list[str]:
    """What keeps the entry of a kubeconfig from being used."""
    problems = []
    if not config.command:
        problems.append("command is missing")
    if config.api_version not in _VERSIONS:
        found = f"is {config.api_version}" if config.api_version else "is missing"
        problems.append(f"apiVersion {found}, and not one of {', '.join(_VERSIONS)}")
    # Version v1beta1 is older than the field.
    if config.interactive_mode not in _MODES and (config.interactive_mode or config.api_version == _VERSIONS[0]):
        found = f"is {config.interactive_mode}" if config.interactive_mode else "is missing"
        problems.append(f"interactiveMode {found}, and not one of {', '.join(_MODES)}")
    if any(not variable.name for variable in config.env):
        problems.append("a variable in env has no name")
    return problems


class ExecPlugin:
    """Runs the program of an entry.

    Args:
        config: an entry without ``problems_of``; its command has a path that is no longer relative, or none.
        cluster: which the credentials are for.
        authorities: certificates of the cluster's authority, in PEM.
        environment: of the program, to which the entry adds variables.
        is_terminal: whether there is a person at stdin.
        timeout_seconds: deadline in place of the usual ones.
    """

    def __init__(
        self,
        config: ExecConfig,
        cluster: Cluster,
        authorities: bytes,
        environment: Mapping[str, str],
        *,
        is_terminal: Callable[[], bool] = stdin_is_terminal,
        timeout_seconds: float | None = None,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._authorities = authorities
        self._environment = environment
        self._is_terminal = is_terminal
        self._timeout_seconds = timeout_seconds

    async def run(self) -> ExecCredential:
        """Asks for credentials. A program that runs when this is cancelled, or its time is over, is killed.

        Raises:
            CredentialsError: there are none.
        """
        mode = self._config.interactive_mode or "IfAvailable"
        is_interactive = mode != "Never" and self._is_terminal()
        if mode == "Always" and not is_interactive:
            raise self._failure("has to ask a person, and stdin is no terminal")
        return self._credential(await self._output(is_interactive=is_interactive))

    async def _output(self, *, is_interactive: bool) -> bytes:
        timeout_seconds = self._timeout_seconds or (
            _INTERACTIVE_TIMEOUT_SECONDS if is_interactive else _TIMEOUT_SECONDS
        )
        own = {variable.name: variable.value for variable in self._config.env}
        environment = {**self._environment, **own, "KUBERNETES_EXEC_INFO": json.dumps(self._info(is_interactive))}
        # A pipe of our own: asyncio's would keep ``wait`` from returning for as long as a child of the program has it.
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        pipe, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
        )
        async with AsyncExitStack() as stack:
            stack.callback(pipe.close)
            try:
                process = await asyncio.create_subprocess_exec(
                    self._config.command,
                    *self._config.args,
                    env=environment,
                    stdin=None if is_interactive else asyncio.subprocess.DEVNULL,
                    stdout=write_end,
                )
            except FileNotFoundError as error:
                hint = " ".join(_ESCAPES.sub("", self._config.install_hint).split())
                raise self._failure(f"is not installed{f'. {hint}' if hint else ''}") from error
            except (OSError, ValueError) as error:
                raise self._failure(f"cannot be run: {getattr(error, 'strerror', None) or error}") from error
            finally:
                os.close(write_end)
            stack.push_async_callback(_end, process)
            try:
                async with asyncio.timeout(timeout_seconds):
                    output = await reader.read()
                    code = await process.wait()
            except TimeoutError as error:
                raise self._failure(f"gave no credentials within {timeout_seconds:g} s") from error
        if code != 0:
            raise self._failure(f"ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}")
        return output

    def _info(self, is_interactive: bool) -> Mapping[str, Any]:
        spec: dict[str, Any] = {"interactive": is_interactive}
        if self._config.provide_cluster_info:
            cluster = self._cluster
            extensions = {extension.name: extension.extension for extension in cluster.extensions}
            fields = {
                "server": cluster.server,
                "tls-server-name": cluster.tls_server_name,
                "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
                "certificate-authority-data": base64.b64encode(self._authorities).decode(),
                "proxy-url": cluster.proxy_url,
                "disable-compression": cluster.disable_compression,
            }
            told = {name: value for name, value in fields.items() if value or name == "server"}
            spec["cluster"] = {**told, "config": extensions.get(_CLUSTER_EXTENSION)}
        return {"kind": "ExecCredential", "apiVersion": self._config.api_version, "spec": spec}

    def _credential(self, output: bytes) -> ExecCredential:
        try:
            answer = _Answer.model_validate(parse_value(output))
        except (YAMLError, ValidationError, RecursionError) as error:
            raise self._failure("printed something else than an ExecCredential") from error
        if (answer.kind, answer.api_version) != ("ExecCredential", self._config.api_version):
            found = f"{answer.kind} of {answer.api_version or 'no apiVersion'}"
            raise self._failure(f"printed {found}, where ExecCredential of {self._config.api_version} is asked for")
        status = answer.status or _Status()
        if bool(status.certificate) != bool(status.key):
            raise self._failure("gave a client certificate without its key, or a key without its certificate")
        if not status.token and not status.certificate:
            raise self._failure("gave neither a token nor a client certificate")
        return ExecCredential(
            token=status.token or None,
            certificate=(status.certificate or "").encode(),
            key=(status.key or "").encode(),
            expires_at=None if status.expires_at is None else status.expires_at.timestamp(),
        )

    def _failure(self, what: str) -> CredentialsError:
        return CredentialsError(f"The program {self._config.command}, which is to give the credentials, {what}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
