"""kr8s on a client's session: what is behind ``Client.of`` and ``Client.api``.

A reconciler gets the objects of kr8s beside the typed client (``Pod.get``, ``logs``, ``wait``, ``portforward``), and
both send through one ``Session``: one set of credentials, one pool of connections, one limit, one deadline. kr8s has it
as a transport of httpx, with aiohttp below. CPU of this process for a request of 0.6 KB to a real API server, with the
session of kr8s and with this one (kr8s 0.20.15, httpx 0.28, aiohttp 3.14):

==================  =======  ===========  ============
request             at once  own session  this session
==================  =======  ===========  ============
GET by call_api     1        1.4 ms       0.8 ms
GET by call_api     16       2.8 ms       0.7 ms
refresh of object   1        2.2 ms       1.1 ms
refresh of object   16       3.1 ms       1.0 ms
patch of an object  1        2.3 ms       1.2 ms
patch of an object  16       3.2 ms       1.6 ms
==================  =======  ===========  ============

What kr8s 0.20.15 does otherwise by itself, each of it wrong for a session that lives as long as a program:

- After a 401 or a 403 it logs in again, up to three times, and closes the session, with every watch that is open on it.
  Here the session gets a new token after a 401 and stays open; a 403 is about rights, so nothing is done. kr8s still
  sends what was refused four times in all.
- It has no deadline. Here it has the client's; watches and logs have their own, or none.
- It has a pool of 100 connections, in which watches count: the 101st, and then any request, waits for ever. Here
  watches and logs have connections of their own, without number.
- Awaiting an ``Api``, as ``kr8s.asyncio.api()`` does, reads the credentials and asks the server for its version each
  time, and warns outside of the releases that kr8s was tested with. Here it does nothing.

``kr8s.asyncio.api()`` without arguments gives the first ``Api`` of the event loop. In a program with one client that is
this one, so a kr8s object that was not told its ``api`` finds it.

What a write through kr8s has changed, caches learn from the watch, not from the answer as with the typed client.
"""

import asyncio
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from kr8s._auth import KubeAuth
from kr8s.asyncio import Api
from typing_extensions import override

from fake_dra_driver.runtime.credentials import (
    SERVICE_ACCOUNT_DIR,
    Credentials,
    CredentialsSource,
    ServiceAccountSource,
    find_source,
)
from fake_dra_driver.runtime.errors import as_runtime_error
from fake_dra_driver.runtime.httpxtransport import SessionTransport
from fake_dra_driver.runtime.kubeconfig.source import KubeconfigSource
from fake_dra_driver.runtime.kubeerrors import TRANSLATIONS
from fake_dra_driver.runtime.session import Session

__all__ = ["Api", "credentials_of", "find_api", "lend_session", "make_api"]

for _foreign, _translated in TRANSLATIONS.items():
    as_runtime_error.register(_foreign, _translated)


async def find_api(
    kubeconfig: str | None = None,
    *,
    service_account_dir: Path = SERVICE_ACCOUNT_DIR,
    environment: Mapping[str, str] | None = None,
) -> Api:
    """An Api with the credentials that ``credentials.find_source`` finds. No request is sent.

    Raises:
        CredentialsError: they cannot be read.
    """
    source = await find_source(kubeconfig, service_account_dir=service_account_dir, environment=environment)
    api = _FoundApi(serviceaccount="", bypass_factory=True)
    api.source = source
    return api


async def credentials_of(api: Api) -> Credentials:
    """The credentials of an Api, read as those of any client (``kubeconfig``), and not by kr8s.

    Raises:
        CredentialsError: they cannot be read.
        ValueError: the Api has a client's session already, or is one of kr8s' synchronous ones.
    """
    if isinstance(api, _SharedApi):
        raise ValueError("this Api belongs to a client already: use that client, or make another Api")
    if not api._asyncio:
        raise ValueError("this Api is synchronous, with an event loop of its own: make one with kr8s.asyncio.api()")
    return await Credentials.of(api.source if isinstance(api, _FoundApi) else _source_of(api.auth))


def _source_of(auth: KubeAuth) -> CredentialsSource:
    """Where an Api that the caller has made would take its credentials from."""
    account = ServiceAccountSource(Path(auth._serviceaccount).expanduser()) if auth._serviceaccount else None
    named = auth._kubeconfig_path_or_dict
    return KubeconfigSource(
        named if isinstance(named, dict) else [Path(path).expanduser() for path in str(named).split(os.pathsep)],
        os.environ,
        context=auth._use_context,
        server=auth._url or None,
        account=account,
    )


async def lend_session(api: Api, session: Session, credentials: Credentials, timeout_seconds: float) -> None:
    """From now on ``api`` sends through the session, and leaves its credentials to it.

    Files with keys, which kr8s makes where it has read a kubeconfig itself, are removed.

    Args:
        api: one that ``credentials_of`` takes; what is open on a session of its own is cut off.
        session: to send through.
        credentials: of the session.
        timeout_seconds: deadline of what names none.
    """
    if api._session is not None:
        await api._session.aclose()
    # It stays the same object, which kr8s objects of the caller may hold already.
    api.__class__, api.auth.__class__ = _SharedApi, _SharedAuth
    await asyncio.to_thread(_remove_files_of_kr8s, api.auth)
    _connect(api, session, credentials.server, credentials, timeout_seconds)


def make_api(session: Session, credentials: Credentials | None, timeout_seconds: float) -> Api:
    """An Api on a session whose credentials were read without kr8s. Without credentials it has no websockets."""
    server = f"http://{session.host}" if credentials is None else credentials.server
    api = _SharedApi(url=server, serviceaccount="", bypass_factory=True)
    api.auth.__class__ = _SharedAuth
    _connect(api, session, server, credentials, timeout_seconds)
    return api


def _connect(api: Api, session: Session, server: str, credentials: Credentials | None, timeout_seconds: float) -> None:
    api._session = httpx.AsyncClient(  # kr8s has no other way to be given one
        transport=SessionTransport(session, urlsplit(server).path, credentials),
        base_url=server,
        headers={"Content-Type": "application/json"},
        # Nothing of the environment: the session has the proxy that the credentials name.
        trust_env=False,
    )
    api.timeout = timeout_seconds
    api.auth.server = server
    # ``namespace`` hides that it is unset.
    if credentials is not None and credentials.default_namespace is not None and api.auth._namespace is None:
        api.auth.namespace = credentials.default_namespace


def _remove_files_of_kr8s(auth: KubeAuth) -> None:
    """Removes the temporary files of what is inline in a kubeconfig. Blocks."""
    for file, entry, field in (
        (auth.client_cert_file, auth._user, "client-certificate-data"),
        (auth.client_key_file, auth._user, "client-key-data"),
        (auth.server_ca_file, auth._cluster, "certificate-authority-data"),
    ):
        if file and field in entry:
            Path(file).unlink(missing_ok=True)


class _FoundApi(Api):
    """An Api whose credentials were found without kr8s, and that is about to get a client's session."""

    source: CredentialsSource


class _SharedApi(Api):
    """An Api on the session of a client."""

    @override
    def __await__(self) -> Generator[Any, None, "_SharedApi"]:
        async def itself() -> "_SharedApi":
            return self

        return itself().__await__()

    @override
    async def _create_session(self) -> None:
        """Called after a log-in. The session stays as it is, and with it what is open on it."""

    @override
    async def async_whoami(self) -> str:
        """As ``kubectl auth whoami``; kr8s asks for a review of the token, which takes rights, or reads a file."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        async with self.call_api(
            "POST", version="authentication.k8s.io/v1", url="selfsubjectreviews", content=json.dumps(body)
        ) as response:
            username: str = response.json()["status"]["userInfo"]["username"]
            return username


class _SharedAuth(KubeAuth):
    """Credentials that a session looks after."""

    @override
    async def reauthenticate(self) -> None:
        """The session has done what can be done before kr8s sees a 401."""
