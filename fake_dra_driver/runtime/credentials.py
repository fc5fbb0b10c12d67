"""Where the API server is and who we are: kubeconfig, in-cluster configuration, exec plugins, tokens and TLS, by kr8s.

The only module that imports kr8s. kr8s 0.20.15 resolves all of these well; its sessions are not used (see
``transport.py``). Three things are done here, because kr8s does them wrongly or not at all:

- The in-cluster namespace is read from the service account (kr8s says ``default``).
- A bearer token in a file (the service account's, or ``tokenFile`` of a kubeconfig, which kr8s does not know) is read
  again when it is older than a minute, as client-go's cached file token source does, so that rotation needs no 401.
- ``await kr8s.asyncio.api()`` asks the server for its version and warns outside the releases kr8s was tested with. Only
  the credentials are awaited here, so starting needs no API server, and there is no warning to silence.
"""

import asyncio
import ssl
from os import PathLike
from pathlib import Path

from kr8s.asyncio import Api
from yaml import YAMLError

from fake_dra_driver.runtime.errors import CredentialsError

__all__ = ["SERVICE_ACCOUNT_DIR", "Credentials"]

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a pod's service account (rest.InClusterConfig of client-go)."""
_TOKEN_REFRESH_SECONDS = 60.0
"""As in client-go's NewCachedFileTokenSource; the kubelet rotates long before a token expires."""
_LOAD_TIMEOUT_SECONDS = 30.0
"""An exec plugin may ask a cloud's API; one that asks a person would wait for ever."""


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
    """True: the default verification, as ``httpx`` understands it."""

    def __init__(
        self, api: Api, service_account_dir: Path, token_refresh_seconds: float = _TOKEN_REFRESH_SECONDS
    ) -> None:
        self._api = api
        self._service_account_dir = service_account_dir
        self._token_refresh_seconds = token_refresh_seconds
        self._token: str | None = None
        self._certificate: str | None = None
        self._token_file: Path | None = None
        self._token_read_at = 0.0
        self._lock = asyncio.Lock()

    @classmethod
    async def load(
        cls,
        kubeconfig: str | None = None,
        *,
        service_account_dir: Path = SERVICE_ACCOUNT_DIR,
        token_refresh_seconds: float = _TOKEN_REFRESH_SECONDS,
    ) -> "Credentials":
        """Finds and reads the credentials.

        Args:
            kubeconfig: path of a kubeconfig, which then has to be there. None: ``$KUBECONFIG`` or ``~/.kube/config``
                where there is one, else the service account of the pod.
            service_account_dir: where the service account is mounted.
            token_refresh_seconds: age at which a token file is read again.

        Raises:
            CredentialsError: nothing was found, or it cannot be read.
        """
        if kubeconfig and not await asyncio.to_thread(_is_file, kubeconfig):
            raise CredentialsError(f"The kubeconfig {kubeconfig} is not a file. Name one that exists, or none at all")
        api = Api(kubeconfig=kubeconfig or None, serviceaccount=str(service_account_dir), bypass_factory=True)
        credentials = cls(api, service_account_dir, token_refresh_seconds)
        async with credentials._lock:
            await credentials._resolve()
        return credentials

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
        """Runs kr8s' resolution and takes over what it found. Holds the lock."""
        auth = self._api.auth
        try:
            async with asyncio.timeout(_LOAD_TIMEOUT_SECONDS):
                await auth.reauthenticate()
                certificate = await asyncio.to_thread(_read, auth.client_cert_file)
                ssl_context = await auth.ssl_context()  # type: ignore[no-untyped-call] # kr8s left it untyped
            in_cluster = auth.server_ca_file == str(self._service_account_dir / "ca.crt")
            self._token_file = await self._settle_files(in_cluster=in_cluster)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, RuntimeError, YAMLError) as error:
            # kr8s has no exceptions of its own for this: a bad kubeconfig shows as any of these.
            found = f"{type(error).__name__}: {error}"
            raise CredentialsError(f"No usable credentials for an API server: {found}") from error
        self.server = auth.server.rstrip("/")
        self.proxy = auth.proxy
        self.tls_server_name = auth.tls_server_name
        if not hasattr(self, "ssl_context") or certificate != self._certificate:
            self.ssl_context = ssl_context
            self._certificate = certificate
        self._token = auth.token.strip() if auth.token else None
        self.namespace = await asyncio.to_thread(_read, self._service_account_dir / "namespace") if in_cluster else None
        await self._read_token_file()

    async def _settle_files(self, *, in_cluster: bool) -> Path | None:
        """Finds the token file, and removes the temporary files that kr8s puts inline keys and certificates into."""
        auth = self._api.auth
        if in_cluster:
            return self._service_account_dir / "token"
        context = auth.kubeconfig.get_context(auth.active_context)
        user, cluster = auth.kubeconfig.get_user(context["user"]), auth.kubeconfig.get_cluster(context["cluster"])
        temporary = [
            file
            for file, entry, field in (
                (auth.client_cert_file, user, "client-certificate-data"),
                (auth.client_key_file, user, "client-key-data"),
                (auth.server_ca_file, cluster, "certificate-authority-data"),
            )
            if file and field in entry
        ]
        for file in temporary:
            await asyncio.to_thread(Path(file).unlink, missing_ok=True)
        token_file = user.get("tokenFile")
        # A relative path counts from the kubeconfig's folder, as in clientcmd.ResolveLocalPaths.
        return Path(auth.kubeconfig.path).parent / token_file if token_file else None

    async def _read_token_file(self) -> None:
        if self._token_file is not None:
            self._token = await asyncio.to_thread(_read, self._token_file) or self._token
            self._token_read_at = asyncio.get_running_loop().time()


def _is_file(path: str) -> bool:
    return Path(path).expanduser().is_file()


def _read(path: str | PathLike[str] | None) -> str | None:
    """The file's text without white space around it; None when there is none or it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None if path else None
    except OSError:
        return None
