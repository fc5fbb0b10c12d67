"""The embedded API server. It behaves like kube-apiserver of one of the ``RELEASES`` towards all who have a token.

Two ways lead to it::

    async with ApiServer() as server:          # over HTTPS on loopback: server.url, server.token, write_kubeconfig
        ...

    server = ApiServer()                       # in this process alone: no port, no thread, simulated time if need be
    client = server.client(user_agent="test")

What it does not do: authorization (every authenticated client may do everything), persistence (its state ends with it),
conversion webhooks, mutating ones, priority and fairness. Controllers, scheduler and kubelets are clients of it, like
any other. Bodies are bounded in more than their bytes: to 128 levels and 100,000 values (``types.jsonbody``), since one
event loop carries everything.
"""

import asyncio
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from loguru import logger

from fake_dra_driver.cluster.apiserver.admission.webhooks import FindService
from fake_dra_driver.cluster.apiserver.assembly import assemble
from fake_dra_driver.cluster.apiserver.heavywork import HeavyWork
from fake_dra_driver.cluster.apiserver.http.inprocess import FixedToken, InProcessTransport
from fake_dra_driver.cluster.apiserver.http.listener import Listener
from fake_dra_driver.cluster.apiserver.http.requestfaults import Faults
from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.cluster.apiserver.http.turnstile import Turnstile
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.types.resource import Registry
from fake_dra_driver.cluster.apiserver.verbs.podverbs import LogSource, SessionSource
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.releases import DEFAULT, RELEASES, find_release
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.session import Session

__all__ = ["ApiServer"]

log = logger.bind(component="apiserver")

_MOST_IN_A_TURN: Final = 16
"""Requests of this process that begin in one turn of the event loop: some 50 ms, if all of them write pods."""


class ApiServer:
    """One API server with its own state. Safe for concurrent use within one event loop."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        kubernetes_version: str = DEFAULT.name,
        feature_gates: Mapping[str, bool] | None = None,
        runtime_config: Mapping[str, bool] | None = None,
        now: WallClock = utc_now,
        seed: int | None = None,
        in_threads: bool = True,
        admits_accounts: bool = False,
    ) -> None:
        """Reads the types of the built-in kinds, once in a process, which blocks for some milliseconds.

        Args:
            host: the address to listen on; leave it on loopback: the token is enough to do everything.
            port: the port; 0: any that is free.
            token: the administrator's bearer token; None: a new one.
            kubernetes_version: the release to behave like: one of ``RELEASES`` with an API server.
            feature_gates: feature gates to switch on or off; the rest is as the release has them by default.
            runtime_config: API versions to serve or not, such as ``{"resource.k8s.io/v1beta1": True}``; the rest is
                as the release has them by default.
            now: the clock that timestamps come from; durations are those of the event loop.
            seed: for UIDs and generated names; None: random.
            in_threads: whether heavy requests are carried out in threads. Not in simulated time, which waits for none.
            admits_accounts: whether pods get their service accounts and tokens (the admission plugin ServiceAccount),
                without which no pod is admitted: a controller has to make them.

        Raises:
            ClusterError: nothing is known of the API server of this release, or it does not have one of the feature
                gates or API versions.
        """
        release = find_release(kubernetes_version)
        if not release.api_server:
            known = ", ".join(each.name for each in RELEASES.values() if each.api_server)
            raise ClusterError(f"The API server cannot behave like that of Kubernetes {release.name}; known: {known}")
        self.token = token or secrets.token_urlsafe(24)
        self.url = ""
        """Address of the server, once it listens."""
        self.certificate = b""
        """The certificate to trust, in PEM, once it listens."""
        self.faults = Faults()
        """What goes wrong with requests; see ``requestfaults``."""
        self._host, self._port = host, port
        self._parts = assemble(
            release=release.with_gates(feature_gates or {}).with_versions(runtime_config or {}),
            admin_token=self.token,
            stamps=Stamps(now, seed),
            faults=self.faults,
            heavy=HeavyWork(in_threads=in_threads),
            admits_accounts=admits_accounts,
        )
        self._listener: Listener | None = None
        self._turnstile = Turnstile(_MOST_IN_A_TURN)
        self._is_up = True

    # --- life ---

    async def __aenter__(self) -> Self:
        """Begins to listen. Raises OSError when the port is taken."""
        identity = await asyncio.to_thread(make_identity, self._host)
        handler = self._parts.handler
        listener = Listener(handler.serve, handler.knows, identity, self._host, self._port)
        await listener.open()
        self._listener, self._is_up = listener, True
        self.certificate = identity.certificate
        self.url = f"https://{self._host}:{listener.port}"
        log.info("API server is ready", url=self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends all watches and closes the port."""
        await self._stop(cut=False)
        self._listener = None

    async def kill(self) -> None:
        """What SIGKILL does: connections break, new ones are refused. ``start`` brings it back with all its objects."""
        await self._stop(cut=True)

    async def start(self) -> None:
        """Serves again after ``kill``: same port, token, certificate and objects.

        As on a real server, whose watch cache starts empty, watches from an older version than the present get 410.
        """
        self._parts.store.restart()
        if self._listener is not None:
            await self._listener.open()
        self._is_up = True

    async def restart(self) -> None:
        """``kill`` and ``start``."""
        await self.kill()
        await self.start()

    async def _stop(self, *, cut: bool) -> None:
        self._is_up = False
        self._parts.reading.end_watches(cut=cut)
        self.faults.break_off()
        if self._listener is not None:
            await self._listener.close()

    @property
    def registry(self) -> Registry:
        """The resources that are served at the moment."""
        return self._parts.registry

    def stored(self, group: str, plural: str) -> Sequence[bytes]:
        """The objects of a resource as JSON, in the version in which they are stored; for statistics about many."""
        return [record.body for record in self._parts.store.collection((group, plural)).records()]

    def stored_names(self, group: str, plural: str) -> frozenset[str]:
        """The names of the objects of a resource, in whatever namespace; known at once, also while it is stopped."""
        return frozenset(record.key.name for record in self._parts.store.collection((group, plural)).records())

    # --- clients ---

    def client(self, user_agent: str, *, default_timeout_seconds: float = 10.0) -> Client:
        """A client in this process, as the administrator; see ``inprocess``. Works whether the server listens or not.

        Args:
            user_agent: value of the User-Agent header, whose part before a slash names the field manager.
            default_timeout_seconds: deadline of calls that name none.
        """
        transport = InProcessTransport(self._parts.handler.serve, lambda: self._is_up, self._turnstile)
        session = Session(transport, FixedToken(self.token), user_agent=user_agent)
        return Client(session, default_timeout_seconds=default_timeout_seconds)

    def write_kubeconfig(self, path: Path | str) -> None:
        """Writes a kubeconfig that only its owner can read. Replaces what is there, at once. Blocks."""
        target = Path(path)
        cluster = {"server": self.url, "certificate-authority-data": b64encode(self.certificate).decode()}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "embedded",
            "clusters": [{"name": "embedded", "cluster": cluster}],
            "users": [{"name": "embedded", "user": {"token": self.token}}],
            "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "embedded"}}],
        }
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(config, file, indent=1)
        temporary.replace(target)

    @property
    def logs(self) -> LogSource | None:
        """Answers requests for the logs of pods; None: they get 404."""
        return self._parts.podverbs.logs

    @logs.setter
    def logs(self, source: LogSource | None) -> None:
        self._parts.podverbs.logs = source

    @property
    def sessions(self) -> SessionSource | None:
        """Answers exec, attach and portforward; None: they get 404."""
        return self._parts.podverbs.sessions

    @sessions.setter
    def sessions(self, source: SessionSource | None) -> None:
        self._parts.podverbs.sessions = source

    @property
    def find_service(self) -> FindService:
        """Where services are that webhooks stand behind; see ``webhooks``. By default nothing is found."""
        return self._parts.webhooks.find_service

    @find_service.setter
    def find_service(self, find: FindService) -> None:
        self._parts.webhooks.find_service = find

    # --- faults that concern no single request ---

    def compact(self) -> None:
        """Forgets all history: lists and watches from any version that is not the present one get 410."""
        self._parts.store.compact()

    def drop_watches(self) -> None:
        """Breaks the connections of all current watches."""
        self._parts.reading.end_watches(cut=True)

    @contextmanager
    def late_events(self, group: str, plural: str) -> Iterator[None]:
        """Holds back the events of a resource from its watches during the block; they follow at its end."""
        collection = self._parts.store.collection((group, plural))
        collection.is_held = True
        try:
            yield
        finally:
            collection.is_held = False
            collection.wake()
