"""Credentials of kubeconfigs: what they say, checked, with the files and the programs that they name.

Follows DirectClientConfig.ClientConfig of k8s.io/client-go/tools/clientcmd and DefaultServerURL of client-go/rest. To a
server without TLS neither token, certificate nor password goes, and no program is run: only impersonation is asked for.
"""

import asyncio
import base64
import ipaddress
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from typing_extensions import override

from fake_dra_driver import regularfile
from fake_dra_driver.runtime.clienttls import ClientTls
from fake_dra_driver.runtime.connectionfailure import without_password
from fake_dra_driver.runtime.credentials import CredentialsSource, Resolved, ServiceAccountSource
from fake_dra_driver.runtime.errors import CredentialsError
from fake_dra_driver.runtime.kubeconfig.document import AuthProvider, Cluster, User
from fake_dra_driver.runtime.kubeconfig.execplugin import ExecCredential, ExecPlugin, problems_of, stdin_is_terminal
from fake_dra_driver.runtime.kubeconfig.loading import Chosen, Kubeconfig, load
from fake_dra_driver.runtime.proxy import checked_proxy, environment_proxy

__all__ = ["KubeconfigSource", "Server"]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What cannot be in the value of a header."""
_REMOVED_PROVIDERS: Final = {
    "azure": "use the program kubelogin (https://github.com/Azure/kubelogin)",
    "gcp": "use the program gke-gcloud-auth-plugin",
}
"""Ways to log in that client-go had once, and what has replaced them."""


@dataclass(frozen=True, slots=True)
class Server:
    """The address of an API server, as the entry of a kubeconfig gives it."""

    url: str
    """With a scheme and without a slash at its end."""
    text: str
    """As it stands in the kubeconfig, but for a query; for programs that give credentials."""
    basic: str | None = None
    """Value of an Authorization header, of the name and password in the address."""

    @classmethod
    def parse(cls, text: str) -> "Server":
        """Reads ``http://HOST``, ``https://HOST:PORT/PATH``, ``HOST:PORT`` (which is http) and the like.

        Raises:
            CredentialsError: it is not an address.
        """
        shown = without_password(" ".join(text.split()))
        scheme, _, rest = text.rpartition("://")
        authority, slash, below = rest.partition("/")
        try:
            # What comes after a hash is part of the path here: an address of an API server has no fragment.
            url = urlsplit(f"{scheme or 'http'}://{authority}{slash}{below.replace('#', '%23')}")
            port = url.port
        except ValueError as error:
            raise CredentialsError(
                f"The server {shown} is not an address: write https://HOST:PORT or https://[IPV6]:PORT, and a PORT of "
                "at most 65535"
            ) from error
        if url.scheme not in ("http", "https"):
            raise CredentialsError(f"The server {shown} has the scheme {url.scheme}, and not http or https")
        host = url.netloc.rpartition("@")[2]
        is_host = re.fullmatch(r"\[[0-9A-Fa-f:.]+(%[\w.%-]+)?\](:\d*)?|[^\s\[\]:/]+(:\d*)?", host) is not None
        is_path = (scheme or not url.path.strip("/")) and not re.search(r"%(?![0-9A-Fa-f]{2})", url.path)
        if not is_host or not is_path or port == 0 or text != text.strip():
            raise CredentialsError(
                f"The server {shown} is not an address: write https://HOST:PORT or https://[IPV6]:PORT"
            )
        # As client-go does, which joins paths without their escapes: %2F becomes a slash.
        path = quote(posixpath.normpath(f"/{unquote(url.path).strip('/')}"), safe="/:;@&=+$,")
        basic = None
        if url.username is not None:
            basic = _basic(unquote(url.username), unquote(url.password or ""))
        told = text.partition("?")[0].partition("#")[0] if len(url.path) > 1 else text
        host = host if host.isascii() else _in_ascii(host)
        return cls(f"{url.scheme}://{host.removesuffix(':')}{'' if path == '/' else path}", told, basic)

    @property
    def has_tls(self) -> bool:
        """Whether it is reached over TLS."""
        return self.url.startswith("https:")


@dataclass(frozen=True, slots=True)
class _Files:
    """What the files that an entry names hold, or the entry itself."""

    authorities: bytes
    certificate: bytes
    key: bytes
    token: str | None


class KubeconfigSource(CredentialsSource):
    """Reads kubeconfigs again, and runs their program again, each time it is asked.

    Args:
        source: files, the most important first; or a kubeconfig that was read already.
        must_exist: otherwise a file that is missing is passed over.
        environment: of the process: proxies, and variables for programs.
        context: name of the context; the current one when left out.
        server: address to use in place of the cluster's.
        account: service account of the pod, which is used when no kubeconfig says anything of a server.
        default_server: used when there is no such account either; ``$KUBERNETES_MASTER`` wins over it.
        is_terminal: whether there is a person whom a program can ask.
    """

    def __init__(
        self,
        source: Sequence[Path] | Mapping[str, Any],
        environment: Mapping[str, str],
        *,
        must_exist: bool = False,
        context: str | None = None,
        server: str | None = None,
        account: ServiceAccountSource | None = None,
        default_server: str | None = None,
        is_terminal: Callable[[], bool] = stdin_is_terminal,
    ) -> None:
        self._source = source
        self._environment = environment
        self._must_exist = must_exist
        self._context = context
        self._server = server
        self._account = account
        self._default_server = default_server
        self._is_terminal = is_terminal
        self._read_once: Kubeconfig | None = None
        """What cannot be read again."""

    @override
    async def resolve(self) -> Resolved:
        kubeconfig = await asyncio.to_thread(self._load)
        chosen = kubeconfig.choose(self._context)
        address, origin = self._server or chosen.cluster.server, chosen.origin
        if not address:
            says_nothing = not (chosen.cluster.proxy_url or chosen.user.impersonate)
            account = self._account
            if says_nothing and account is not None and await asyncio.to_thread(account.is_possible):
                return await account.resolve()
            address, origin = self._default(kubeconfig)
        try:
            return await self._resolve(chosen, Server.parse(address), origin)
        except CredentialsError as error:
            raise CredentialsError(f"{error} ({origin})") from error

    def _load(self) -> Kubeconfig:
        if self._read_once is not None:
            return self._read_once
        kubeconfig = load(self._source, must_exist=self._must_exist)
        if not all(file.is_file() for file in kubeconfig.files):
            self._read_once = kubeconfig  # from a pipe, such as the shell's <(command)
        return kubeconfig

    def _default(self, kubeconfig: Kubeconfig) -> tuple[str, str]:
        """Address and origin of the server when no kubeconfig names one. Raises CredentialsError."""
        if kubeconfig.files or isinstance(self._source, Mapping):
            why = f"{' or '.join(map(str, kubeconfig.files)) or 'the kubeconfig'} names no server"
        else:
            why = f"there is no kubeconfig at {' or '.join(map(str, self._source)) or '$HOME/.kube/config'}"
        if self._default_server is not None:
            return self._environment.get("KUBERNETES_MASTER") or self._default_server, f"the default: {why}"
        account = f", and no service account at {self._account.folder}" if self._account is not None else ""
        raise CredentialsError(f"No credentials for an API server: {why}{account}. Name a kubeconfig")

    async def _resolve(self, chosen: Chosen, server: Server, origin: str) -> Resolved:
        cluster, user = chosen.cluster, chosen.user
        await asyncio.to_thread(_check, chosen)
        proxy = cluster.proxy_url or environment_proxy(self._environment, server.url)
        headers = _impersonation(user)
        if not server.has_tls:
            return Resolved(
                server.url,
                ssl_context=True,
                basic=server.basic,
                headers=headers,
                proxy=proxy,
                default_namespace=chosen.namespace or None,
                origin=origin,
            )
        files = await asyncio.to_thread(_read_files, cluster, user)
        token = files.token or _provided(user.auth_provider)
        _check_identity(chosen, token)
        # As in client-go: a password in the address comes before all else, and a program is asked for lack of others.
        basic = server.basic or (_basic(user.username, user.password) if user.username else None)
        if basic is not None:
            token = None
        given = ExecCredential(None, b"", b"", None)
        if user.exec is not None and not token and basic is None and not files.certificate:
            told = cluster.model_copy(update={"server": server.text})
            plugin = ExecPlugin(user.exec, told, files.authorities, self._environment, is_terminal=self._is_terminal)
            given = await plugin.run()
        certificate, key = (files.certificate, files.key) if files.certificate else (given.certificate, given.key)
        tls = ClientTls(files.authorities, cluster.insecure_skip_tls_verify, certificate, key)
        return Resolved(
            server.url,
            ssl_context=await asyncio.to_thread(tls.context),
            certificate=certificate.decode(errors="replace") or None,
            certificate_is_file=bool(user.client_certificate or user.client_key),
            token=_checked_token(token or given.token),
            token_file=Path(user.token_file) if user.token_file and basic is None else None,
            basic=basic,
            headers=headers,
            expires_at=given.expires_at,
            proxy=proxy,
            tls_server_name=cluster.tls_server_name or _unmapped(server),
            default_namespace=chosen.namespace or None,
            origin=origin,
        )


def _in_ascii(host: str) -> str:
    """A name of other letters as it goes over the wire. Raises CredentialsError."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise CredentialsError(f"The server's name {host} is no name of a host") from error


def _unmapped(server: Server) -> str | None:
    """The IPv4 address that an IPv6 address stands for, under which Go looks for it in a certificate."""
    try:
        address = ipaddress.IPv6Address(urlsplit(server.url).hostname or "")
    except ValueError:
        return None
    return None if address.ipv4_mapped is None else str(address.ipv4_mapped)


def _check(chosen: Chosen) -> None:
    """What kubectl refuses before it asks anything. Blocks. Raises CredentialsError."""
    cluster, user = chosen.cluster, chosen.user
    problems = [*_cluster_problems(cluster), *_user_problems(user)]
    if problems:
        raise CredentialsError(f"The kubeconfig cannot be used: {'; '.join(problems)}")
    if cluster.proxy_url:
        checked_proxy(cluster.proxy_url, f"proxy-url of cluster {chosen.cluster_name}")


def _check_identity(chosen: Chosen, token: str | None) -> None:
    """Raises CredentialsError when nothing says who the user is; kubectl would ask for a name and a password."""
    user = chosen.user
    if token and user.username:
        raise CredentialsError(f"User {chosen.user_name} has both a token and a username: remove one")
    if not (token or user.username or user.exec or user.client_certificate or user.client_certificate_data):
        name = f"User {chosen.user_name}" if chosen.user_name else "The context has no user, which"
        raise CredentialsError(
            f"{name} has no token, client certificate or username, and no program (exec) that gives one"
        )


def _cluster_problems(cluster: Cluster) -> list[str]:
    problems = []
    if cluster.certificate_authority and cluster.certificate_authority_data:
        problems.append("there are both certificate-authority and certificate-authority-data: remove one")
    problems += _unreadable("certificate-authority", cluster.certificate_authority)
    if cluster.insecure_skip_tls_verify and (cluster.certificate_authority or cluster.certificate_authority_data):
        problems.append("there is a certificate-authority, and insecure-skip-tls-verify says not to use it: remove one")
    return problems


def _user_problems(user: User) -> list[str]:
    problems = []
    if user.token and (user.username or user.password):
        problems.append("there are both a token and a username or password: remove one")
    if user.client_certificate or user.client_certificate_data:
        if user.client_certificate and user.client_certificate_data:
            problems.append("there are both client-certificate and client-certificate-data: remove one")
        if user.client_key and user.client_key_data:
            problems.append("there are both client-key and client-key-data: remove one")
        if not user.client_key and not user.client_key_data:
            problems.append("there is a client certificate without client-key or client-key-data")
        problems += _unreadable("client-certificate", user.client_certificate)
        problems += _unreadable("client-key", user.client_key)
    if user.exec is not None:
        problems += [f"exec: {problem}" for problem in problems_of(user.exec)]
        if user.auth_provider is not None:
            problems.append("there are both auth-provider and exec: remove one")
    if (user.impersonate_uid or user.impersonate_groups or user.impersonate_extra) and not user.impersonate:
        problems.append("there is as-uid, as-groups or as-user-extra without as")
    return problems


def _unreadable(field: str, path: str) -> list[str]:
    if not path:
        return []
    try:
        regularfile.read_bytes(Path(path), follow_link=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        return [f"{field} {path} cannot be read: {_why(error)}"]
    return []


def _read_files(cluster: Cluster, user: User) -> _Files:
    """Blocks. Raises CredentialsError."""
    token = user.token or None
    if user.token_file and not token:
        # Where there is a token as well, it stands in for a file that cannot be read.
        token = _read(user.token_file, "tokenFile").decode(errors="replace").strip()
        if not token:
            raise CredentialsError(f"The tokenFile {user.token_file} is empty")
    has_certificate = bool(user.client_certificate or user.client_certificate_data)
    return _Files(
        authorities=cluster.certificate_authority_data or _read(cluster.certificate_authority, "certificate-authority"),
        certificate=user.client_certificate_data or _read(user.client_certificate, "client-certificate"),
        key=(user.client_key_data or _read(user.client_key, "client-key")) if has_certificate else b"",
        token=token,
    )


def _read(path: str, field: str) -> bytes:
    try:
        return regularfile.read_bytes(Path(path), follow_link=True) if path else b""
    except (OSError, ValueError) as error:
        raise CredentialsError(f"The {field} {path} cannot be read: {_why(error)}") from error


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _checked_token(token: str | None) -> str | None:
    if token is not None and _CONTROL.search(token):
        raise CredentialsError("The token holds a line break or another control character")
    return token or None


def _impersonation(user: User) -> tuple[tuple[str, str], ...]:
    """The headers that ask for another identity (k8s.io/client-go/transport.NewImpersonatingRoundTripper)."""
    if not user.impersonate:
        return ()
    headers = [("Impersonate-User", user.impersonate)]
    if user.impersonate_uid:
        headers.append(("Impersonate-Uid", user.impersonate_uid))
    headers += [("Impersonate-Group", group) for group in user.impersonate_groups]
    for key, values in user.impersonate_extra.items():
        # Only what cannot be in the name of a header is escaped (RFC 7230's token), and the percent sign itself.
        name = "Impersonate-Extra-" + quote(key, safe="!#$&'*+^`|").lower()
        headers += [(name, value) for value in values]
    if any(_CONTROL.search(value) for _, value in headers):
        raise CredentialsError("The kubeconfig cannot be used: as, or what belongs to it, holds a control character")
    return tuple(headers)


def _provided(provider: AuthProvider | None) -> str | None:
    """The ID token of the provider oidc, as long as it holds: there is no refreshing it here.

    Raises:
        CredentialsError: there is none, or the provider is another one.
    """
    if provider is None:
        return None
    if provider.name != "oidc":
        instead = _REMOVED_PROVIDERS.get(provider.name, "use a program (exec)")
        raise CredentialsError(f"The auth-provider {provider.name} does not exist any more: {instead}")
    token = provider.config.get("id-token", "")
    if not token:
        raise CredentialsError("The auth-provider oidc has no id-token: log in with kubectl, or use a program (exec)")
    return token
