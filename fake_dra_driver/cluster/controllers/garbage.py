"""Deletes objects whose owners are gone, and carries out foreground deletion and orphaning.

Follows k8s.io/kubernetes/pkg/controller/garbagecollector (attemptToDeleteItem and what it calls). For an owner that is
not known here, the API server is asked before anything is deleted because of it. Not done: cycles of blocking
references.
"""

import contextlib
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName, OwnerReference
from fake_dra_driver.cluster.controllers.catalog import Catalog, Watched
from fake_dra_driver.cluster.controllers.graph import FOREGROUND, ORPHAN, Graph, Item
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError, RetryError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["GarbageCollector", "garbage_collector"]

log = logger.bind(component="garbage-collector")

_WORKERS: Final = 20
"""ConcurrentGCSyncs."""


class _Owner(Enum):
    SOLID = "solid"
    WAITING = "waiting"
    """It is being deleted in the foreground: it waits for its dependents."""
    GONE = "gone"


class GarbageCollector(Reconciler):
    """Reconciles one object of any kind. Its key is the UID, as the name, without a namespace."""

    def __init__(self, client: Client, catalog: Catalog, graph: Graph) -> None:
        self._client = client
        self._catalog = catalog
        self._graph = graph

    @override
    async def reconcile(self, request: Request) -> Result:
        item = self._graph.get(UID(request.name))
        if item is None:
            return Result()
        with contextlib.suppress(NotFoundError):  # it is gone already
            if item.lets_dependents_go:
                await self._let_go(item)
            elif item.waits_for_dependents:
                await self._finish_foreground(item)
            elif not item.is_deleting and item.owners:
                await self._collect(item)
        return Result()

    # --- objects that are owned ---

    async def _collect(self, item: Item) -> None:
        states = {owner.uid: await self._state(item, owner) for owner in item.owners}
        if _Owner.SOLID in states.values():
            stale = [uid for uid, state in states.items() if state is not _Owner.SOLID]
            if stale:
                await self._drop_owners(item, stale)
            return
        policy = "Background"
        if _Owner.WAITING in states.values() and self._graph.dependents(item.uid):
            policy = "Foreground"
        elif ORPHAN in item.finalizers:
            policy = "Orphan"
        elif FOREGROUND in item.finalizers:
            policy = "Foreground"
        await self._client.delete(
            item.kind, item.key, uid=item.uid, resource_version=item.version, propagation_policy=policy
        )
        log.info("object deleted with its owners", kind=item.kind.resource.kind, object=str(item.key))

    async def _state(self, item: Item, owner: OwnerReference) -> _Owner:
        known = self._graph.get(owner.uid)
        if known is not None:
            if not known.may_own(item):
                return _Owner.GONE
            return _Owner.WAITING if known.waits_for_dependents else _Owner.SOLID
        watched = self._catalog.owner_kind(owner)
        if watched is None:
            raise RetryError(
                f"{item.kind.resource.kind} {item.key} is owned by an object of an unknown kind, {owner.kind}"
            )
        if watched.informer.was_deleted(owner.uid):
            return _Owner.GONE
        return await self._look_up(item, owner, watched)

    async def _look_up(self, item: Item, owner: OwnerReference, watched: Watched) -> _Owner:
        namespaced = watched.kind.resource.namespaced
        if namespaced and not item.kind.resource.namespaced:
            return _Owner.SOLID  # Its namespace is unknown, and nothing is deleted on a guess.
        key = NamespacedName(item.key.namespace if namespaced else "", owner.name)
        try:
            found = await self._client.get(watched.kind, key)
        except NotFoundError:
            return _Owner.GONE
        return _Owner.SOLID if found.uid == owner.uid else _Owner.GONE

    async def _drop_owners(self, item: Item, uids: Sequence[UID]) -> None:
        kept = [owner.to_wire() for owner in item.owners if owner.uid not in uids]
        await self._patch(item, {"ownerReferences": kept})

    # --- owners that are being deleted ---

    async def _finish_foreground(self, item: Item) -> None:
        """Removes the object's finalizer once no dependent blocks it."""
        if not any(each.blocks(item.uid) for each in self._graph.dependents(item.uid)):
            await self._remove_finalizer(item, FOREGROUND)

    async def _let_go(self, item: Item) -> None:
        for each in self._graph.dependents(item.uid):
            with contextlib.suppress(NotFoundError):
                await self._drop_owners(each, [item.uid])
        await self._remove_finalizer(item, ORPHAN)

    async def _remove_finalizer(self, item: Item, finalizer: str) -> None:
        await self._patch(item, {"finalizers": [each for each in item.finalizers if each != finalizer]})

    async def _patch(self, item: Item, metadata: dict[str, Any]) -> None:
        preconditions = {"uid": item.uid, "resourceVersion": item.version}
        await self._client.merge_patch(item.kind, item.key, {"metadata": {**preconditions, **metadata}})


def garbage_collector(client: Client, catalog: Catalog) -> Controller:
    """The controller of everything that owns or is owned."""
    graph = Graph()
    controller = Controller("garbage-collector", GarbageCollector(client, catalog, graph), workers=_WORKERS)

    def watch(watched: Watched) -> None:
        controller.watch(
            watched.informer,
            lambda change: [NamespacedName("", uid) for uid in graph.change(watched.kind, change)],
        )

    catalog.subscribe(watch)
    return controller
