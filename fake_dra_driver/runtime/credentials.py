"""Where the API server is and who we are: from a kubeconfig, or from the service account of the pod this runs in.

As in client-go (rest.InClusterConfig, tools/clientcmd), a kubeconfig that is there wins, unless it says nothing of a
server. It is read by the package ``kubeconfig``, which is imported only then: YAML and what belongs to it is memory
that a kubelet plugin, on every node, can do without. The service account is read here.

A bearer token in a file (the service account's, or ``tokenFile`` of a kubeconfig) is read again when it is older than a
minute, as client-go's cached file token source does, so that rotation needs no 401; certificates in files every five
minutes, as by client-go's dynamic client certificates; and a program that gives credentials is asked again when they
expire.
"""

import asyncio
import ipaddress
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, Protocol

from loguru import logger
from typing_extensions import override

from fake_dra_driver import regularfile
from fake_dra_driver.hosting.process import environment as program_environment
from fake_dra_driver.runtime.clienttls import ClientTls
from fake_dra_driver.runtime.clock import utc_now
from fake_dra_driver.runtime.errors import CredentialsError
from fake_dra_driver.runtime.proxy import environment_proxy

__all__ = [
    "SERVICE_ACCOUNT_DIR",
    "Credentials",
    "CredentialsSource",
    "Resolved",
    "ServiceAccountSource",
    "find_source",
    "read",
]

log = logger.bind(component="credentials")

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a pod's service account (rest.InClusterConfig of client-go)."""
_TOKEN_REFRESH_SECONDS = 60.0
"""As in client-go's NewCachedFileTokenSource; the kubelet rotates long before a token expires."""
_CERTIFICATE_REFRESH_SECONDS: Final = 300.0
"""As CertCallbackRefreshDuration of client-go/transport."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Credentials as they were found."""

    server: str
    """URL, without a slash at its end."""
    ssl_context: ssl.SSLContext | bool
    """True: the default verification."""
    certificate: str | None = None
    """The client certificate in it."""
    certificate_is_file: bool = False
    """Whether certificate or key may be replaced at any time, because they are files."""
    token: str | None = None
    token_file: Path | None = None
    """Where newer tokens come from."""
    basic: str | None = None
    """Value of the Authorization header where there is no token."""
    headers: Sequence[tuple[str, str]] = ()
    """More of what says who we are; a name may be there several times."""
    expires_at: float | None = None
    """When others have to be asked for, in seconds since 1970; None: not known."""
    proxy: str | None = None
    tls_server_name: str | None = None
    namespace: str | None = None
    """Of the pod; None when the credentials are not those of a service account."""
    default_namespace: str | None = None
    """Where kr8s looks for objects when it is not told; None: in ``default``."""
    origin: str = ""
    """Where this was found, for messages."""


class CredentialsSource(Protocol):
    """Where credentials come from."""

    async def resolve(self) -> Resolved:
        """Reads them again each time. Raises CredentialsError when they cannot be read."""
        ...


class ServiceAccountSource(CredentialsSource):
    """Reads the service account of a pod, without kr8s.

    Args:
        folder: where the service account is mounted.
        environment: has the API server's address in the variables that the kubelet sets; None: the program's own.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = program_environment() if environment is None else environment

    @override
    async def resolve(self) -> Resolved:
        if self._address is None:
            raise CredentialsError(
                "The pod has a service account, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not say "
                "where the API server is. Set both, or name a kubeconfig"
            )
        return await asyncio.to_thread(self._read, self._address)

    def is_possible(self) -> bool:
        """Whether this runs in a pod with a service account. Blocks."""
        return self._address is not None and _exists(self.folder / "token")

    @property
    def _address(self) -> str | None:
        host, port = (self._environment.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
        return f"https://{_bracketed(host)}:{port}" if host and port else None

    def _read(self, server: str) -> Resolved:
        token_file = self.folder / "token"
        try:
            token = regularfile.read_bytes(token_file, follow_link=True).decode().strip()
            authorities = regularfile.read_bytes(self.folder / "ca.crt", follow_link=True)
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsError(f"The service account in {self.folder} cannot be read: {error}") from error
        try:
            context = ClientTls(authorities).context()
        except CredentialsError as error:
            raise CredentialsError(f"The service account in {self.folder} cannot be used: {error}") from error
        namespace = self._environment.get("POD_NAMESPACE") or read(self.folder / "namespace")
        return Resolved(
            server,
            context,
            token=token,
            token_file=token_file,
            proxy=environment_proxy(self._environment, server),
            namespace=namespace,
            default_namespace=namespace,
            origin=f"the service account in {self.folder}",
        )


class Credentials:
    """Address of the API server, TLS configuration, and what says who we are, which follows its files and its program.

    One instance serves all connections of a client. ``ssl_context`` is replaced by a new object when certificates were
    read again; connections that exist are left alone: a watch goes on with the credentials it began with.
    """

    server: str
    namespace: str | None
    """Namespace of the pod this runs in; None when the credentials are not those of a service account."""
    default_namespace: str | None
    """Where kr8s looks for objects when it is not told; None: in ``default``."""
    origin: str
    """Where all this was found, for messages."""
    proxy: str | None
    tls_server_name: str | None
    ssl_context: ssl.SSLContext | bool
    """True: the default verification."""

    def __init__(self, source: CredentialsSource, token_refresh_seconds: float = _TOKEN_REFRESH_SECONDS) -> None:
        self._source = source
        self._token_refresh_seconds = token_refresh_seconds
        self._token: str | None = None
        self._certificate: str | None = None
        self._token_file: Path | None = None
        self._token_read_at = 0.0
        self._basic: str | None = None
        self._headers: Sequence[tuple[str, str]] = ()
        self._expires_at: float | None = None
        self._certificate_refresh_at: float | None = None
        self._generation = 0
        """How often the source was asked."""
        self._lock = asyncio.Lock()

    @classmethod
    async def of(
        cls, source: CredentialsSource, token_refresh_seconds: float = _TOKEN_REFRESH_SECONDS
    ) -> "Credentials":
        """What the source has now. Raises CredentialsError."""
        credentials = cls(source, token_refresh_seconds)
        async with credentials._lock:
            await credentials._resolve()
        return credentials

    @classmethod
    async def load(
        cls,
        kubeconfig: str | None = None,
        *,
        service_account_dir: Path = SERVICE_ACCOUNT_DIR,
        token_refresh_seconds: float = _TOKEN_REFRESH_SECONDS,
        environment: Mapping[str, str] | None = None,
        default_server: str | None = None,
    ) -> "Credentials":
        """Finds and reads the credentials; see ``find_source``.

        Args:
            kubeconfig: path of a kubeconfig.
            service_account_dir: where the service account is mounted.
            token_refresh_seconds: age at which a token file is read again.
            environment: says where a kubeconfig is (``KUBECONFIG``), and in a pod where the API server is; None: the
                program's own.
            default_server: what to use when none is named.

        Raises:
            CredentialsError: no server is named, or the credentials cannot be read.
        """
        source = await find_source(
            kubeconfig,
            service_account_dir=service_account_dir,
            environment=environment,
            default_server=default_server,
        )
        return await cls.of(source, token_refresh_seconds)

    async def token(self) -> str | None:
        """The bearer token; None when something else says who we are. Reads files again when they are due.

        A file that cannot be read keeps what is known: the API server decides whether that is still good.

        Raises:
            CredentialsError: the credentials have expired, and there are no others.
        """
        if self._has_expired():
            async with self._lock:
                if self._has_expired():
                    await self._resolve()
        loop_time = asyncio.get_running_loop().time()
        if self._certificate_refresh_at is not None and loop_time >= self._certificate_refresh_at:
            await self._refresh_certificate()
        if self._token_file is not None and loop_time >= self._token_read_at + self._token_refresh_seconds:
            async with self._lock:
                await self._read_token_file()
        return self._token

    def headers(self, token: str | None) -> Sequence[tuple[str, str]]:
        """What a request carries to say who we are.

        Args:
            token: as ``token`` gave it.
        """
        authorization = f"Bearer {token}" if token else self._basic
        return self._headers if authorization is None else (("Authorization", authorization), *self._headers)

    async def renew(self, rejected: str | None) -> bool:
        """To be called after a 401: reads everything again, exec plugin included. Concurrent callers share one run.

        Args:
            rejected: the token that the failed request carried.

        Returns:
            Whether there is something new to try with.

        Raises:
            CredentialsError: they cannot be read any more.
        """
        generation = self._generation
        async with self._lock:
            if self._token != rejected or self._generation != generation:
                return True
            before = self.ssl_context
            await self._resolve()
            return self._token != rejected or self.ssl_context is not before

    def _has_expired(self) -> bool:
        return self._expires_at is not None and utc_now().timestamp() >= self._expires_at

    async def _refresh_certificate(self) -> None:
        async with self._lock:
            loop_time = asyncio.get_running_loop().time()
            if self._certificate_refresh_at is None or loop_time < self._certificate_refresh_at:
                return  # another caller has done it
            self._certificate_refresh_at = loop_time + _CERTIFICATE_REFRESH_SECONDS
            try:
                await self._resolve()
            except CredentialsError as error:
                log.warning("The client certificate cannot be read again, and stays as it is", error=str(error))

    async def _resolve(self) -> None:
        """Takes over what the source finds now. Holds the lock."""
        found = await self._source.resolve()
        self.server, self.origin = found.server, found.origin
        self.namespace, self.default_namespace = found.namespace, found.default_namespace
        self.proxy, self.tls_server_name = found.proxy, found.tls_server_name
        if not hasattr(self, "ssl_context") or found.certificate != self._certificate:
            self.ssl_context = found.ssl_context
            self._certificate = found.certificate
        self._basic, self._headers, self._expires_at = found.basic, found.headers, found.expires_at
        if found.certificate_is_file:
            self._certificate_refresh_at = asyncio.get_running_loop().time() + _CERTIFICATE_REFRESH_SECONDS
        self._token, self._token_file = found.token, found.token_file
        await self._read_token_file()
        self._generation += 1

    async def _read_token_file(self) -> None:
        if self._token_file is not None:
            self._token = await asyncio.to_thread(read, self._token_file) or self._token
            self._token_read_at = asyncio.get_running_loop().time()


def read(path: str | PathLike[str] | None) -> str | None:
    """The file's text without white space around it; None when there is none or it cannot be read."""
    try:
        data = regularfile.read_bytes(Path(path), follow_link=True) if path else b""
    except OSError:
        return None
    return data.decode(errors="replace").strip() or None


async def find_source(
    kubeconfig: str | None = None,
    *,
    service_account_dir: Path = SERVICE_ACCOUNT_DIR,
    environment: Mapping[str, str] | None = None,
    default_server: str | None = None,
) -> CredentialsSource:
    """Where the credentials are: in kubeconfigs where there are any, otherwise in the service account of the pod.

    Args:
        kubeconfig: path of a kubeconfig, which then has to be there. None: those of ``$KUBECONFIG``, of which some may
            be missing, or ``~/.kube/config``.
        service_account_dir: where the service account is mounted.
        environment: None: the program's own.
        default_server: what to use when none is named, as kubectl does; None: that is an error, as for other programs.
    """
    variables = program_environment() if environment is None else environment
    account = ServiceAccountSource(service_account_dir, variables)

    def find() -> CredentialsSource:
        paths = [Path(kubeconfig).expanduser()] if kubeconfig else _usual_places(variables)
        if not kubeconfig and _exists(service_account_dir) and not any(map(_exists, paths)):
            return account
        from fake_dra_driver.runtime.kubeconfig.source import KubeconfigSource  # only here: see the module's docstring

        return KubeconfigSource(
            paths, variables, must_exist=bool(kubeconfig), account=account, default_server=default_server
        )

    return await asyncio.to_thread(find)


def _usual_places(environment: Mapping[str, str]) -> Sequence[Path]:
    if named := environment.get("KUBECONFIG"):
        return [Path(path) for path in named.split(os.pathsep) if path]
    home = environment.get("HOME")
    return [Path(home) / ".kube" / "config"] if home else []


def _exists(path: Path) -> bool:
    """Whether there is such a file or folder, as far as this process may know: others' homes may be closed to it."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    try:
        return f"[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        return host
