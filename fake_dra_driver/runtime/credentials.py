"""Where the API server is and who we are: from a kubeconfig, or from the service account of the pod this runs in.

As in client-go (rest.InClusterConfig, tools/clientcmd), a kubeconfig that is there wins. It is read by kr8s
(``kubeauth.py``), which is imported only then; the service account is read here. kr8s could do that as well, but
costs 17 MiB, a fifth of a kubelet plugin's memory and on every node, to read a token and a certificate; and it takes
``default`` for the namespace.

A bearer token in a file (the service account's, or ``tokenFile`` of a kubeconfig) is read again when it is older than a
minute, as client-go's cached file token source does, so that rotation needs no 401.
"""

import asyncio
import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from fake_dra_driver.runtime.errors import CredentialsError

__all__ = [
    "SERVICE_ACCOUNT_DIR",
    "Credentials",
    "CredentialsSource",
    "Resolved",
    "ServiceAccountSource",
    "locate",
    "read",
]

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a pod's service account (rest.InClusterConfig of client-go)."""
_DEFAULT_KUBECONFIG = "~/.kube/config"
_TOKEN_REFRESH_SECONDS = 60.0
"""As in client-go's NewCachedFileTokenSource; the kubelet rotates long before a token expires."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Credentials as they were found."""

    server: str
    """URL, without a slash at its end."""
    ssl_context: ssl.SSLContext | bool
    """True: the default verification."""
    certificate: str | None = None
    """The client certificate in it."""
    token: str | None = None
    token_file: Path | None = None
    """Where newer tokens come from."""
    proxy: str | None = None
    tls_server_name: str | None = None
    namespace: str | None = None
    """Of the pod; None when the credentials are not those of a service account."""


class CredentialsSource(Protocol):
    """Where credentials come from."""

    async def resolve(self) -> Resolved:
        """Reads them again each time. Raises CredentialsError when they cannot be read."""
        ...


class ServiceAccountSource(CredentialsSource):
    """Reads the service account of a pod, without kr8s.

    Args:
        folder: where the service account is mounted.
        environment: has the API server's address in the variables that the kubelet sets.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._folder = folder
        self._environment = environment

    @override
    async def resolve(self) -> Resolved:
        host, port = (self._environment.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
        if not host or not port:
            raise CredentialsError(
                "The pod has a service account, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not say "
                "where the API server is. Set both, or name a kubeconfig"
            )
        return await asyncio.to_thread(self._read, f"https://{_bracketed(host)}:{port}")

    def _read(self, server: str) -> Resolved:
        token_file = self._folder / "token"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            token = token_file.read_text(encoding="utf-8").strip()
            context.load_verify_locations(cafile=self._folder / "ca.crt")
        except (OSError, ValueError) as error:  # a certificate that is none is an ssl.SSLError, which is an OSError
            raise CredentialsError(f"The service account in {self._folder} cannot be read: {error}") from error
        namespace = read(self._folder / "namespace")
        return Resolved(server, context, token=token, token_file=token_file, namespace=namespace)


class Credentials:
    """Address of the API server, TLS configuration, and a bearer token that follows its file.

    One instance serves all connections of a client. ``ssl_context`` is replaced by a new object when certificates were
    read again; connections that exist are left alone: a watch goes on with the credentials it began with.
    """

    server: str
    namespace: str | None
    """Namespace of the pod this runs in; None when the credentials are not those of a service account."""
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
        environment: Mapping[str, str] = os.environ,
    ) -> "Credentials":
        """Finds and reads the credentials; see ``locate``. A service account is read without kr8s.

        Args:
            kubeconfig: path of a kubeconfig.
            service_account_dir: where the service account is mounted.
            token_refresh_seconds: age at which a token file is read again.
            environment: says where a kubeconfig is (``KUBECONFIG``), and in a pod where the API server is.

        Raises:
            CredentialsError: nothing was found, or it cannot be read.
        """
        place = await locate(kubeconfig, service_account_dir=service_account_dir, environment=environment)
        if isinstance(place, Path):
            return await cls.of(ServiceAccountSource(place, environment), token_refresh_seconds)
        return await cls.of((await asyncio.to_thread(_kubeconfig_reader))(place), token_refresh_seconds)

    async def token(self) -> str | None:
        """The bearer token; None when a client certificate does it. Reads its file when the last reading is old.

        A file that cannot be read keeps the token that is known: the API server decides whether that is still good.
        """
        if self._token_file is not None:
            stale_at = self._token_read_at + self._token_refresh_seconds
            if asyncio.get_running_loop().time() >= stale_at:
                async with self._lock:
                    await self._read_token_file()
        return self._token

    async def renew(self, rejected: str | None) -> bool:
        """To be called after a 401: reads everything again, exec plugin included. Concurrent callers share one run.

        Args:
            rejected: the token that the failed request carried.

        Returns:
            Whether there is something new to try with.

        Raises:
            CredentialsError: they cannot be read any more.
        """
        async with self._lock:
            if self._token != rejected:
                return True
            before = self.ssl_context
            await self._resolve()
            return self._token != rejected or self.ssl_context is not before

    async def _resolve(self) -> None:
        """Takes over what the source finds now. Holds the lock."""
        found = await self._source.resolve()
        self.server, self.namespace = found.server, found.namespace
        self.proxy, self.tls_server_name = found.proxy, found.tls_server_name
        if not hasattr(self, "ssl_context") or found.certificate != self._certificate:
            self.ssl_context = found.ssl_context
            self._certificate = found.certificate
        self._token, self._token_file = found.token, found.token_file
        await self._read_token_file()

    async def _read_token_file(self) -> None:
        if self._token_file is not None:
            self._token = await asyncio.to_thread(read, self._token_file) or self._token
            self._token_read_at = asyncio.get_running_loop().time()


def read(path: str | PathLike[str] | None) -> str | None:
    """The file's text without white space around it; None when there is none or it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None if path else None
    except OSError:
        return None


async def locate(
    kubeconfig: str | None = None,
    *,
    service_account_dir: Path = SERVICE_ACCOUNT_DIR,
    environment: Mapping[str, str] = os.environ,
) -> str | Path:
    """Where the credentials are: the paths of kubeconfigs, with colons between them, or the service account's folder.

    Args:
        kubeconfig: path of a kubeconfig, which then has to be there. None: ``$KUBECONFIG`` or ``~/.kube/config`` where
            there is one, else the service account of the pod.
        service_account_dir: where the service account is mounted.
        environment: says where a kubeconfig is (``KUBECONFIG``).

    Raises:
        CredentialsError: there are none.
    """
    places = [kubeconfig] if kubeconfig else (environment.get("KUBECONFIG") or _DEFAULT_KUBECONFIG).split(":")
    has_kubeconfig, has_account = await asyncio.to_thread(lambda: (_any_file(places), service_account_dir.is_dir()))
    if has_kubeconfig:
        return ":".join(places)
    if kubeconfig:
        raise CredentialsError(f"The kubeconfig {kubeconfig} is not a file. Name one that exists, or none at all")
    if has_account:
        return service_account_dir
    raise CredentialsError(
        f"No credentials for an API server: there is no kubeconfig at {' or '.join(places)}, and no service "
        f"account at {service_account_dir}. Name a kubeconfig"
    )


def _kubeconfig_reader() -> Callable[[str], CredentialsSource]:
    from fake_dra_driver.runtime.kubeauth import kubeconfig_source  # only here: see the module's docstring

    return kubeconfig_source


def _any_file(paths: Sequence[str]) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths if path)


def _bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    try:
        return f"[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        return host
