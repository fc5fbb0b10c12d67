"""Empties namespaces that are being deleted, and then removes their finalizer.

Follows k8s.io/kubernetes/pkg/controller/namespace/deletion (namespaced_resources_deleter.go), with its conditions.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.conditions import with_condition
from fake_dra_driver.cluster.controllers.catalog import Catalog, Watched
from fake_dra_driver.cluster.kinds import Condition, Namespace
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError, RetryError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["NamespaceReconciler", "namespace_controller"]

log = logger.bind(component="namespace-controller")

_FINALIZER: Final = "kubernetes"
_WORKERS: Final = 10
"""ConcurrentNamespaceSyncs."""
_DELETES_AT_ONCE: Final = 20
GRACE_SECONDS: Final = 5.0
"""Before anything in the namespace is touched (namespaceDeletionGracePeriod): a client that deletes a namespace
together with its objects, as ``kubectl delete -f`` does, still finds them."""


class NamespaceReconciler(Reconciler):
    """Reconciles one namespace."""

    def __init__(
        self,
        client: Client,
        namespaces: Informer[Namespace],
        catalog: Catalog,
        now: WallClock,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._client = client
        self._namespaces = namespaces
        self._catalog = catalog
        self._now = now
        self._grace_seconds = grace_seconds

    @override
    async def reconcile(self, request: Request) -> Result:
        namespace = self._namespaces.get(request)
        if namespace is None or not namespace.is_deleting or _FINALIZER not in namespace.spec.finalizers:
            return Result()
        left_seconds = self._grace_seconds - self._seconds_since_deletion(namespace)
        if left_seconds > 0:
            return Result(requeue_after=left_seconds)
        name = namespace.metadata.name
        await self._delete(each for each in self._cached(name) if not each[1].is_deleting)
        left = [obj for _, obj in self._cached(name)]
        if not left:
            # The caches may not show yet what was created just before the namespace began to terminate.
            found = await self._live(name)
            await self._delete(each for each in found if not each[1].is_deleting)
            left = [obj for kind, obj in found if kind is not Event and obj.metadata.finalizers]
            if found and not left:
                raise RetryError(f"namespace {name} had objects that the caches did not show")
        if left:
            await self._report(namespace, left)
            return Result()
        await self._finalize(namespace)
        return Result()

    def _seconds_since_deletion(self, namespace: Namespace) -> float:
        deleted_at = namespace.metadata.deletion_timestamp
        return (self._now() - deleted_at).total_seconds() if deleted_at else 0.0

    def _cached(self, name: str) -> Sequence[tuple[type[KubeObject], KubeObject]]:
        return [(each.kind, obj) for each in self._catalog.namespaced() for obj in each.informer.list(name)]

    async def _live(self, name: str) -> Sequence[tuple[type[KubeObject], KubeObject]]:
        found: list[tuple[type[KubeObject], KubeObject]] = []
        kinds: list[type[KubeObject]] = [*(each.kind for each in self._catalog.namespaced()), Event]
        for kind in kinds:
            with contextlib.suppress(NotFoundError):  # the definition of a custom kind has gone
                found += [(kind, obj) for obj in (await self._client.list(kind, name)).items]
        return found

    async def _delete(self, objects: Iterable[tuple[type[KubeObject], KubeObject]]) -> None:
        slots = asyncio.Semaphore(_DELETES_AT_ONCE)

        async def delete(kind: type[KubeObject], obj: KubeObject) -> None:
            async with slots:
                with contextlib.suppress(NotFoundError):
                    await self._client.delete(kind, obj.key, uid=obj.uid, propagation_policy="Background")

        async with asyncio.TaskGroup() as group:
            for kind, obj in objects:
                group.create_task(delete(kind, obj), name="delete object of namespace")

    async def _finalize(self, namespace: Namespace) -> None:
        finalizers = tuple(each for each in namespace.spec.finalizers if each != _FINALIZER)
        spec = namespace.spec.model_copy(update={"finalizers": finalizers})
        with contextlib.suppress(NotFoundError):
            await self._client.update(namespace.model_copy(update={"spec": spec}), subresource="finalize")
        log.info("namespace emptied", namespace=namespace.metadata.name)

    # --- conditions ---

    async def _report(self, namespace: Namespace, left: Sequence[KubeObject]) -> None:
        conditions = namespace.status.conditions
        for condition in _conditions(left):
            conditions = with_condition(conditions, condition, self._now())
        status = namespace.status.model_copy(update={"conditions": conditions})
        if status.to_wire() != namespace.status.to_wire():
            await self._client.update_status(namespace.model_copy(update={"status": status}))


def _conditions(left: Sequence[KubeObject]) -> Iterable[Condition]:
    fine = (
        ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
    )
    for type_, reason, message in fine:
        yield Condition(type=type_, status="False", reason=reason, message=message)
    kinds = Counter(f"{obj.resource.plural}.{obj.resource.group}" for obj in left)
    counted = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
    yield Condition(
        type="NamespaceContentRemaining",
        status="True",
        reason="SomeResourcesRemain",
        message=f"Some resources are remaining: {counted}",
    )
    finalizers = Counter(finalizer for obj in left for finalizer in obj.metadata.finalizers)
    if not finalizers:
        message = "All content-preserving finalizers finished"
        reason, status = "ContentHasNoFinalizers", "False"
    else:
        held = ", ".join(f"{each} in {count} resource instances" for each, count in sorted(finalizers.items()))
        message = f"Some content in the namespace has finalizers remaining: {held}"
        reason, status = "SomeFinalizersRemain", "True"
    yield Condition(type="NamespaceFinalizersRemaining", status=status, reason=reason, message=message)


def namespace_controller(
    client: Client, cache: Cache, catalog: Catalog, now: WallClock, *, grace_seconds: float = GRACE_SECONDS
) -> Controller:
    """The controller of namespaces that are being deleted."""
    namespaces = cache.informer(Namespace)
    reconciler = NamespaceReconciler(client, namespaces, catalog, now, grace_seconds)
    controller = Controller("namespace", reconciler, workers=_WORKERS)
    controller.watch(namespaces, predicate=lambda change: change.new is not None and change.new.is_deleting)

    def namespace_of(change: Change[Any]) -> list[Request]:
        key = NamespacedName("", change.key.namespace)
        namespace = namespaces.get(key) if key.name else None
        return [key] if namespace is not None and namespace.is_deleting else []

    def watch(watched: Watched) -> None:
        if watched.kind.resource.namespaced:
            controller.watch(watched.informer, namespace_of)

    catalog.subscribe(watch)
    return controller
