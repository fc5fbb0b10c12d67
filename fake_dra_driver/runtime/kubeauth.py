"""Credentials of a kubeconfig, by kr8s: contexts, inline and file certificates, tokens, exec plugins, proxies.

The only module that imports kr8s, and imported only where a kubeconfig is used: kr8s brings httpx, cryptography and
rich along, 17 MiB of memory for one look at two files, which a program in a pod can do without (``credentials.py``).

kr8s 0.20.15 resolves kubeconfigs well; its sessions are not used (see ``transport.py``). Done here, because kr8s does
it wrongly or not at all: ``tokenFile`` is known, and the temporary files that inline keys and certificates are put into
are removed. ``await kr8s.asyncio.api()`` asks the server for its version and warns outside the releases kr8s was tested
with; only the credentials are awaited here, so starting needs no API server, and there is no warning to silence.
"""

import asyncio
from pathlib import Path

from kr8s.asyncio import Api
from yaml import YAMLError

from fake_dra_driver.runtime.credentials import Resolved, read
from fake_dra_driver.runtime.errors import CredentialsError

__all__ = ["KubeconfigSource"]

_TIMEOUT_SECONDS = 30.0
"""An exec plugin may ask a cloud's API; one that asks a person would wait for ever."""


class KubeconfigSource:
    """Implements ``credentials.CredentialsSource``.

    Args:
        path: of the file, or of several, with colons between them, as in ``$KUBECONFIG``.
    """

    def __init__(self, path: str) -> None:
        self._auth = Api(kubeconfig=path, serviceaccount="", bypass_factory=True).auth

    async def resolve(self) -> Resolved:
        """As ``CredentialsSource.resolve``; runs the exec plugin."""
        auth = self._auth
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await auth.reauthenticate()
                certificate = await asyncio.to_thread(read, auth.client_cert_file)
                ssl_context = await auth.ssl_context()  # type: ignore[no-untyped-call] # kr8s left it untyped
            token_file = await self._settle_files()
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
        )

    async def _settle_files(self) -> Path | None:
        """Finds the token file, and removes kr8s' temporary files."""
        auth = self._auth
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
