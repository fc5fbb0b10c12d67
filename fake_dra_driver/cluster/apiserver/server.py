"""The embedded API server: ``async with ApiServer() as server``; clients go to ``server.url`` with ``server.token``.

It speaks what kube-apiserver 1.30 speaks, on loopback, to whoever has a token. What it does not do: authorization
(whoever gets in may do everything), persistence (its state ends with it), conversion and admission webhooks, priority
and fairness. Controllers, scheduler and kubelets are clients of it, like any other.
"""

import asyncio
import json
import os
import secrets
from base64 import b64encode
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from loguru import logger

from fake_dra_driver.cluster.apiserver.answers import error_response
from fake_dra_driver.cluster.apiserver.builtin import builtin_resources
from fake_dra_driver.cluster.apiserver.crd import custom_resources
from fake_dra_driver.cluster.apiserver.deletion import Deletion
from fake_dra_driver.cluster.apiserver.endpoints import Endpoints, Layers
from fake_dra_driver.cluster.apiserver.errors import StatusError, internal_error, unauthorized
from fake_dra_driver.cluster.apiserver.openapi import OpenApi
from fake_dra_driver.cluster.apiserver.options import WriteOptions
from fake_dra_driver.cluster.apiserver.patching import Patching
from fake_dra_driver.cluster.apiserver.reading import Reading
from fake_dra_driver.cluster.apiserver.resource import Registry, Resource
from fake_dra_driver.cluster.apiserver.store import Object, Store
from fake_dra_driver.cluster.apiserver.subresources import LogSource, Subresources
from fake_dra_driver.cluster.apiserver.tls import make_identity
from fake_dra_driver.cluster.apiserver.tokens import Tokens, User
from fake_dra_driver.cluster.apiserver.types import TypeRegistry
from fake_dra_driver.cluster.apiserver.writing import Writing

__all__ = ["ApiServer"]

log = logger.bind(component="apiserver")

_VERSIONS = {"1.30": "v1.30.14"}
"""The releases whose behaviour is known here, and the patch release that was looked at."""
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_MAX_BODY_BYTES = 3 * 1024 * 1024
"""Limit of a request's body (MaxRequestBodyBytes)."""


class ApiServer:
    """One API server with its own state. Enter it once; on leaving, watches end and the port is closed."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        kubernetes_version: str = "1.30",
    ) -> None:
        """Takes no resources yet.

        Args:
            host: the address to listen on; leave it on loopback: whoever has the token may do everything.
            port: the port; 0: any that is free.
            token: the administrator's bearer token; None: a new one.
            kubernetes_version: the release to behave like.

        Raises:
            ValueError: nothing is known of this release here.
        """
        if kubernetes_version not in _VERSIONS:
            known = ", ".join(sorted(_VERSIONS))
            raise ValueError(f"cannot behave like Kubernetes {kubernetes_version}; known releases: {known}")
        self.token = token or secrets.token_urlsafe(24)
        self.url = ""
        """Address of the server, once it runs."""
        self.store = Store()
        self.registry = Registry()
        self.certificate = b""
        """The certificate to trust, in PEM, once it runs."""
        self._version = kubernetes_version
        self._host, self._port = host, port
        self._tokens = Tokens(self.token)
        self._endpoints: Endpoints | None = None
        # Made when the server is first entered: reading the types blocks.
        self._logs: LogSource | None = None
        self._closing = False
        self._runner: web.AppRunner | None = None

    def _assemble(self, types: TypeRegistry) -> Endpoints:
        """Puts the layers together, on an empty store."""
        for resource in builtin_resources(types):
            self.registry.add(resource)
        writing, deletion = Writing(self.store, types), Deletion(self.store)
        writing.on_crd = lambda crd: self._serve_crd(crd, types)
        deletion.on_crd_gone = self._forget_crd
        for name in _NAMESPACES:
            namespaces = self.registry.get("", "v1", "namespaces")
            if namespaces is not None:
                options = WriteOptions(manager="kube-apiserver")
                writing.create(namespaces, "", {"metadata": {"name": name}}, options)
        git_version = _VERSIONS[self._version]
        major, minor = self._version.split(".")
        version: Object = {
            "major": major,
            "minor": minor,
            "gitVersion": git_version,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "",
            "platform": "embedded",
        }
        return Endpoints(
            Layers(
                registry=self.registry,
                reading=Reading(self.store, self._is_served),
                writing=writing,
                patching=Patching(self.store, writing),
                deletion=deletion,
                subresources=Subresources(self.store, writing, deletion, self._tokens),
                openapi=OpenApi(self.registry, types, git_version),
                version=version,
            )
        )

    async def __aenter__(self) -> Self:
        """Starts to listen. Raises OSError when the port is taken."""
        if self._endpoints is None:
            self._endpoints = self._assemble(await asyncio.to_thread(TypeRegistry.load, self._version))
            self._endpoints.logs = self._logs
        self._closing = self._endpoints.closing = False
        identity = await asyncio.to_thread(make_identity, self._host)
        self.certificate = identity.certificate
        application = web.Application(client_max_size=_MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port, ssl_context=identity.context)
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = int(runner.addresses[0][1])
        self.url = f"https://{self._host}:{self._port}"
        log.info("API server is ready", url=self.url, version=_VERSIONS[self._version])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends all watches and closes the port."""
        self._closing = True
        if self._endpoints is not None:
            self._endpoints.closing = True
        self.store.wake()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def logs(self) -> LogSource | None:
        """Who answers requests for the logs of pods; None: nobody, they get 404."""
        return self._logs

    @logs.setter
    def logs(self, source: LogSource | None) -> None:
        self._logs = source
        if self._endpoints is not None:
            self._endpoints.logs = source

    def compact(self) -> None:
        """Forgets all history: lists and watches from any version that is not the present one get 410."""
        self.store.compact()

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

    # --- requests ---

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            if self._endpoints is None:
                raise internal_error("the server is not running")
            return await self._endpoints.serve(request, self._authenticate(request))
        except StatusError as error:
            return error_response(error)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:  # noqa: BLE001 - the door to the network: a bug must not end the connection wordlessly
            log.opt(exception=error).error("Request failed", method=request.method, path=request.path)
            return error_response(internal_error(f"Internal error occurred: {error}"))

    def _authenticate(self, request: web.Request) -> User:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = self._tokens.user_of(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            if request.path.rstrip("/") in ("/healthz", "/livez", "/readyz", "/version"):
                return User("system:anonymous", ("system:unauthenticated",))
            raise unauthorized()
        return user

    # --- CRDs ---

    def _serve_crd(self, crd: Object, types: TypeRegistry) -> None:
        """Serves the versions of a CRD, as they are now."""
        self.registry.remove(crd["spec"]["group"], crd["spec"]["names"]["plural"])
        for resource in custom_resources(crd, types):
            self.registry.add(resource)

    def _forget_crd(self, crd: Object) -> None:
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        self.registry.remove(group, plural)
        self.store.collection((group, plural)).wake()

    def _is_served(self, resource: Resource) -> bool:
        return not self._closing and self.registry.get(*_place(resource)) is not None


def _place(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural
