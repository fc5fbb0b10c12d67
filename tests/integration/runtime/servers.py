"""The API servers that the tests of kr8s run against, the embedded and a real one, each at the end of a wire."""

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from kr8s.asyncio.objects import ConfigMap, Namespace, Role, RoleBinding
from typing_extensions import override

from fake_dra_driver.cluster.apiserver import ApiServer as EmbeddedServer
from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.kubeapi import find_api
from tests.support.apiserver import ApiServer as RealServer
from tests.support.wire import Wire, wired

__all__ = ["Server", "embedded_server", "real_server"]

_RBAC = "rbac.authorization.k8s.io"


class Server(ABC):
    """An API server, and a namespace of its own for a test."""

    def __init__(self, kubeconfig: Path, wire: Wire) -> None:
        self.kubeconfig = kubeconfig
        self.wire = wire
        self.host = wire.host
        self.namespace = f"test-{uuid.uuid4().hex[:8]}"

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Client]:
        """A client of the administrator, made of a kr8s Api."""
        async with _client(self.kubeconfig, **options) as client:
            yield client

    @abstractmethod
    def restricted(self) -> AbstractAsyncContextManager[Client]:
        """A client that may list and watch the namespace's config maps, and do nothing with its secrets."""

    async def create_map(self, name: str) -> None:
        """Creates a config map, over connections of its own."""
        async with self.client() as client:
            await ConfigMap(self.manifest(name), api=client.api).create()

    def manifest(self, name: str, **fields: Any) -> dict[str, Any]:
        """An object in the namespace."""
        return {"metadata": {"name": name, "namespace": self.namespace}, **fields}

    def pod(self, name: str) -> dict[str, Any]:
        """A pod in the namespace."""
        return self.manifest(name, spec={"containers": [{"name": "main", "image": "busybox:1.37"}]})


class _Embedded(Server):
    def __init__(self, kubeconfig: Path, wire: Wire, server: EmbeddedServer) -> None:
        super().__init__(kubeconfig, wire)
        self._server = server

    @override
    @asynccontextmanager
    async def restricted(self) -> AsyncIterator[Client]:
        def refuse_secrets(target: Target, _: Request) -> None:
            if target.resource.plural == "secrets":
                raise StatusError(403, "Forbidden", f"secrets is forbidden: cannot {target.verb} it")

        with self._server.faults.injected(refuse_secrets):
            async with self.client() as client:
                yield client


class _Real(Server):
    def __init__(self, kubeconfig: Path, wire: Wire, server: RealServer) -> None:
        super().__init__(kubeconfig, wire)
        self._server = server

    @override
    @asynccontextmanager
    async def restricted(self) -> AsyncIterator[Client]:
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
        role = {"kind": "Role", "name": "maps", "apiGroup": _RBAC}
        subjects = [{"kind": "User", "name": "nobody", "apiGroup": _RBAC}]
        async with self.client() as admin:
            await Role(self.manifest("maps", rules=rules), api=admin.api).create()
            await RoleBinding(self.manifest("maps", roleRef=role, subjects=subjects), api=admin.api).create()
        kubeconfig = self.kubeconfig.with_name("restricted")
        await asyncio.to_thread(kubeconfig.write_text, self._server.kubeconfig_for(self._server.unprivileged_token))
        async with _client(kubeconfig) as client:
            yield client


@asynccontextmanager
async def embedded_server(folder: Path) -> AsyncIterator[Server]:
    """An embedded one. What is written goes to ``folder``."""
    async with EmbeddedServer() as server:
        kubeconfig = folder / "kubeconfig"
        await asyncio.to_thread(server.write_kubeconfig, kubeconfig)
        async with wired(kubeconfig, folder) as (path, wire), _with_namespace(_Embedded(path, wire, server)) as made:
            yield made


@asynccontextmanager
async def real_server(server: RealServer, folder: Path) -> AsyncIterator[Server]:
    """The real one of the session."""
    async with wired(server.kubeconfig, folder) as (path, wire), _with_namespace(_Real(path, wire, server)) as made:
        yield made


@asynccontextmanager
async def _with_namespace(server: Server) -> AsyncIterator[Server]:
    async with server.client() as client:
        await Namespace({"metadata": {"name": server.namespace}}, api=client.api).create()
    server.wire.connections = 0
    yield server


@asynccontextmanager
async def _client(kubeconfig: Path, **options: Any) -> AsyncIterator[Client]:
    client = await Client.of(await find_api(str(kubeconfig)), **options)
    try:
        yield client
    finally:
        await client.close()
