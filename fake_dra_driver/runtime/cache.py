"""The informers of a program: made once for each selection, run together, told of every write of the program's client.

Follows sigs.k8s.io/controller-runtime/pkg/cache. Reads come from the informers; the cache itself only starts them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.informer import Informer, Transform
from fake_dra_driver.runtime.listwatch import Selection
from fake_dra_driver.runtime.objectidentity import METADATA_ALONE
from fake_dra_driver.runtime.reflector import Reflector, ReflectorOptions
from fake_dra_driver.runtime.store import Change

__all__ = ["Cache", "Change", "Informer"]

K = TypeVar("K", bound=KubeObject)


class Cache:
    """Informers on one API server."""

    def __init__(self, client: Client, *, options: ReflectorOptions | None = None) -> None:
        self._client = client
        self._options = options or ReflectorOptions()
        self._informers: dict[tuple[Any, ...], Informer[Any]] = {}
        self._reflectors: list[Reflector] = []
        self._group: asyncio.TaskGroup | None = None
        # Set while run() runs.
        client.add_write_observer(self._observe)
        client.add_delete_observer(self._observe_delete)

    def informer(
        self,
        kind: type[K],
        *,
        namespace: str | None = None,
        field_selector: str = "",
        label_selector: str = "",
        transform: Transform | None = None,
        metadata_only: bool = False,
    ) -> Informer[K]:
        """The informer for a selection; the same arguments give the same one. Made while running, it starts at once.

        Args:
            kind: which kind.
            namespace: None: all namespaces.
            field_selector: such as ``metadata.name=node-0``.
            label_selector: such as ``app=fake``.
            transform: what to keep of each raw object, to save memory.
            metadata_only: ask the server for metadata alone; nothing else of the objects is set.
        """
        arguments = (kind, namespace, field_selector, label_selector, transform, metadata_only)
        informer = self._informers.get(arguments)
        if informer is None:
            selection = Selection(kind.resource, namespace, label_selector, field_selector, metadata_only)
            informer = self._informers[arguments] = Informer(kind, selection, transform)
            if self._group is not None:
                self._start(self._group, informer)
        return informer

    async def run(self) -> None:
        """Keeps every informer up to date until cancelled. What the API server does never ends it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for informer in self._informers.values():
                    self._start(group, informer)
                await asyncio.Event().wait()
            finally:
                self._group = None
                self._reflectors.clear()

    async def wait_for_sync(self) -> None:
        """Waits until every informer that there is now has its first list. Give it a deadline of your own."""
        for informer in list(self._informers.values()):
            await informer.wait_for_sync()

    @property
    def has_synced(self) -> bool:
        """Whether every informer has its first list."""
        return all(informer.has_synced for informer in self._informers.values())

    def unsynced(self) -> Sequence[str]:
        """The kinds whose first list is not here yet, sorted; for people who wonder what the program waits for."""
        return sorted({str(one.selection.kind) for one in self._informers.values() if not one.has_synced})

    @property
    def trouble(self) -> str:
        """Why what is read here may be out of date, in words for people; empty while all is well."""
        return next((reflector.trouble for reflector in self._reflectors if reflector.trouble), "")

    def _start(self, group: asyncio.TaskGroup, informer: Informer[Any]) -> None:
        reflector = Reflector(self._client.list_watch, informer, options=self._options)
        self._reflectors.append(reflector)
        group.create_task(reflector.run(), name=f"reflector {informer.selection.kind}")

    def _observe(self, kind: type[KubeObject], raw: Mapping[str, Any]) -> None:
        is_metadata_alone = raw.get("kind") == METADATA_ALONE[1] != kind.resource.kind
        for informer in self._informers.values():
            # The others learn from the watch.
            if informer.kind.resource == kind.resource and (informer.selection.metadata_only or not is_metadata_alone):
                informer.observe(raw)

    def _observe_delete(self, kind: type[KubeObject], key: NamespacedName, uid: UID) -> None:
        for informer in self._informers.values():
            if informer.kind.resource == kind.resource and informer.selection.namespace in (None, key.namespace):
                informer.observe_delete(uid)
