"""What every stage has: an API server in memory, people with a client of it, and a clock that can be set.

What there is comes from the server's store, at once and without a request: questions cost nothing, and no fault hits
them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Namespace
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError, TransportError

__all__ = ["NAMESPACE", "Scenery", "Wire", "persistently"]

Wire = dict[str, Any]

NAMESPACE = "fake-system"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_CRDS = Path(__file__).parents[2] / "crds"


@cache
def _crds() -> Sequence[Wire]:
    return [yaml.safe_load(path.read_text()) for path in sorted(_CRDS.glob("*.yaml"))]


class Scenery:
    """An API server that behaves like that of a release, with the driver's kinds on it once it is furnished."""

    def __init__(self, release: str) -> None:
        self.skew = timedelta()
        """How far the wall clock was set forward or back."""
        self.server = ApiServer(seed=1, now=self.now, kubernetes_version=release, in_threads=False)
        self.admin = self.server.client("admin")
        self.repeats_events = False
        """Whether watches bring each event twice."""
        self._pending: dict[Callable[[], None], asyncio.TimerHandle] = {}

    def now(self) -> datetime:
        """The wall clock of all: the event loop's time since 2026, and what it was set forward or back."""
        return BEGINNING + timedelta(seconds=asyncio.get_running_loop().time()) + self.skew

    async def furnish(self) -> None:
        """Makes what the driver's chart installs."""
        for wire in _crds():
            await self.admin.create(CustomResourceDefinition.from_wire(wire))
        await self.create(Namespace, NAMESPACE, namespace="")

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Does something after a while, at the latest when ``hasten`` is called."""
        self._pending[act] = asyncio.get_running_loop().call_later(seconds, lambda: self._do(act))

    def hasten(self) -> None:
        """Does now what is to be done later."""
        for act, timer in list(self._pending.items()):
            timer.cancel()
            self._do(act)

    def _do(self, act: Callable[[], None]) -> None:
        del self._pending[act]
        act()

    async def create(self, kind: type[KubeObject], name: str, *, namespace: str = "default", **fields: Any) -> None:
        """Creates an object, or leaves the one that is there."""
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        with suppress(AlreadyExistsError):
            await persistently(lambda: self.admin.create(kind.from_wire({"metadata": metadata, **fields})))

    async def delete(self, kind: type[KubeObject], name: str, namespace: str = "default") -> None:
        """Deletes an object, without waiting."""
        with suppress(NotFoundError):
            await persistently(lambda: self.admin.delete(kind, NamespacedName(namespace, name)))

    def all(self, kind: type[KubeObject]) -> Sequence[Wire]:
        """All objects of the kind. Read them, never change them."""
        resource = kind.resource
        collection = self.server._parts.store.collection((resource.group, resource.plural))
        return [record.value for record in collection.records()]

    def find(self, kind: type[KubeObject], name: str, namespace: str = "default") -> Wire | None:
        """One object, or None."""
        for wire in self.all(kind):
            metadata = wire["metadata"]
            if metadata["name"] == name and metadata.get("namespace", "") in (namespace, ""):
                return wire
        return None

    def uid(self, kind: type[KubeObject], name: str, namespace: str = "default") -> str:
        """The object's UID. It has to be there."""
        found = self.find(kind, name, namespace)
        assert found is not None, f"no {kind.resource.kind} {name}"
        uid: str = found["metadata"]["uid"]
        return uid

    @property
    def revision(self) -> int:
        """Raised by every write."""
        return self.server._parts.store.revisions.current


async def persistently(act: Callable[[], Awaitable[object]]) -> None:
    """Does something, again and again while the API server is away."""
    while True:
        try:
            await act()
        except TransportError:
            await asyncio.sleep(1)
        else:
            return
