"""Gives a workload the objects that match it and that no controller manages, such as those that an orphaning left.

``kubectl delete --cascade=orphan`` and ``kubectl apply`` change what cannot be changed in place: the new workload
goes on with the pods of the one before. Follows k8s.io/kubernetes/pkg/controller/controller_ref_manager.go. Simpler
than there: an object whose labels no longer match is kept, and one that begins to match is taken at the workload's
next pass.
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.cluster.owners import controlled_by, controller_of
from fake_dra_driver.cluster.workloadkinds import LabelSelector
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ConflictError, NotFoundError

__all__ = ["Adoption"]

log = logger.bind(component="adoption")

_ORPHANS: Final = "orphans"
"""Index of a cache: the namespace of each object that no controller manages."""

K = TypeVar("K", bound=KubeObject)


class _Spec(Protocol):
    @property
    def selector(self) -> LabelSelector: ...


class Adoption(Generic[K]):
    """Adopts objects of one kind.

    Args:
        client: writes, and reads what must not be outdated.
        kind: of the objects.
        known: all of them.
    """

    def __init__(self, client: Client, kind: type[K], known: Informer[K]) -> None:
        self._client = client
        self._kind = kind
        self._known = known
        known.add_index(_ORPHANS, _namespace_of_orphan)

    async def adopt(self, owner: KubeObject, spec: _Spec, is_wanted: Callable[[K], bool] = lambda _: True) -> None:
        """Adopts what the workload selects. Raises what the client's calls raise.

        Args:
            owner: the workload.
            spec: its spec.
            is_wanted: what else an object has to fulfil.
        """
        orphans = [
            obj
            for obj in self._known.by_index(_ORPHANS, owner.key.namespace)
            if not obj.is_deleting and spec.selector.matches(obj.metadata.labels) and is_wanted(obj)
        ]
        if orphans and await self._is_there(owner):
            for obj in orphans:
                await self.take(owner, obj)

    async def take(self, owner: KubeObject, obj: K) -> None:
        """Makes the workload the controller of an object that has none. Raises what the client's calls raise."""
        references = [*obj.metadata.owner_references, controlled_by(owner)]
        metadata = {
            "uid": obj.uid,
            "resourceVersion": obj.metadata.resource_version,
            "ownerReferences": [reference.to_wire() for reference in references],
        }
        try:
            await self._client.merge_patch(self._kind, obj.key, {"metadata": metadata})
        except (ConflictError, NotFoundError):
            return  # it has changed meanwhile, or is gone: the next pass sees it as it is
        log.info("adopted", owner=str(owner.key), kind=self._kind.resource.kind, object=str(obj.key))

    async def _is_there(self, owner: KubeObject) -> bool:
        """Whether the workload, which a cache has, is there still: its deletion may be what left the orphans."""
        try:
            found = await self._client.get(type(owner), owner.key)
        except NotFoundError:
            return False
        return found.uid == owner.uid and not found.is_deleting


def _namespace_of_orphan(obj: KubeObject) -> Iterable[str]:
    return () if controller_of(obj) is not None else (obj.metadata.namespace,)
