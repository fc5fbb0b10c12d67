"""Credentials as kr8s finds them: of a kubeconfig (contexts, certificates, tokens, exec plugins, proxies), or of a pod.

Imported only where kr8s is wanted, or a kubeconfig is used: kr8s brings httpx, cryptography and rich along, some 17 MiB
of memory that a program which reads a service account alone can do without (``credentials``).

Done here, because kr8s 0.20.15 does it wrongly or not at all: ``tokenFile`` is known, the namespace of a pod is that of
its service account (kr8s says ``default``), and the temporary files that inline keys and certificates are put into are
removed.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kr8s._auth import KubeAuth
from typing_extensions import override
from yaml import YAMLError

from fake_dra_driver.runtime.credentials import CredentialsSource, Resolved, read
from fake_dra_driver.runtime.errors import CredentialsError

__all__ = ["KubeAuthSource", "kubeconfig_source"]

_TIMEOUT_SECONDS = 30.0
"""An exec plugin may ask a cloud's API; one that asks a person would wait for ever."""


def kubeconfig_source(path: str) -> CredentialsSource:
    """Credentials of a kubeconfig: path of the file, or of several, with colons between them, as in ``$KUBECONFIG``."""
    return KubeAuthSource(KubeAuth(kubeconfig=path, serviceaccount=""))


class KubeAuthSource(CredentialsSource):
    """Has kr8s read the credentials, exec plugin included, each time it is asked.

    Args:
        auth: the ``auth`` of an Api. Its namespace is set to the pod's where it has none.
    """

    def __init__(self, auth: KubeAuth) -> None:
        self._auth = auth

    @override
    async def resolve(self) -> Resolved:
        auth = self._auth
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                # Not ``auth.reauthenticate``, which does nothing once its Api shares a client's session (``kubeapi``).
                await KubeAuth.reauthenticate(auth)
                certificate = await asyncio.to_thread(read, auth.client_cert_file)
                ssl_context = await auth.ssl_context()  # type: ignore[no-untyped-call] # kr8s left it untyped
            user, cluster = _entries(auth)
            await self._remove_temporary_files(user, cluster)
            token_file, namespace = await self._files(user, cluster)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, RuntimeError, YAMLError) as error:
            # kr8s has no exceptions of its own for this: a bad kubeconfig shows as any of these.
            found = f"{type(error).__name__}: {error}"
            raise CredentialsError(f"No usable credentials for an API server: {found}") from error
        return Resolved(
            server=auth.server.rstrip("/"),
            ssl_context=ssl_context,
            certificate=certificate,
            token=auth.token.strip() if auth.token else None,
            token_file=token_file,
            proxy=auth.proxy,
            tls_server_name=auth.tls_server_name,
            namespace=namespace,
        )

    async def _files(self, user: Mapping[str, Any], cluster: Mapping[str, Any]) -> tuple[Path | None, str | None]:
        """Where newer tokens come from, and the pod's namespace: None where they are not those of a service account."""
        auth = self._auth
        if cluster or not auth.server_ca_file:
            token_file = user.get("tokenFile")
            # A relative path counts from the kubeconfig's folder, as in clientcmd.ResolveLocalPaths.
            return (Path(auth.kubeconfig.path).parent / token_file if token_file else None), None
        folder = Path(auth.server_ca_file).parent
        namespace = await asyncio.to_thread(read, folder / "namespace")
        if auth._namespace is None and namespace is not None:  # noqa: SLF001 - ``namespace`` hides that it is unset
            auth.namespace = namespace
        return folder / "token", namespace

    async def _remove_temporary_files(self, user: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
        auth = self._auth
        for file, entry, field in (
            (auth.client_cert_file, user, "client-certificate-data"),
            (auth.client_key_file, user, "client-key-data"),
            (auth.server_ca_file, cluster, "certificate-authority-data"),
        ):
            if file and field in entry:
                await asyncio.to_thread(Path(file).unlink, missing_ok=True)


def _entries(auth: KubeAuth) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """User and cluster of the kubeconfig's context; empty without a kubeconfig."""
    if not auth.active_context:
        return {}, {}
    context = auth.kubeconfig.get_context(auth.active_context)
    if not context["cluster"]:
        return {}, {}
    return auth.kubeconfig.get_user(context["user"]), auth.kubeconfig.get_cluster(context["cluster"])
