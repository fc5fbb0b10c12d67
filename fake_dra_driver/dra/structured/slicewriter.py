"""Makes the writes of a plan: with which preconditions, and which answers only mean that the cache lags behind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.structured.featuregates import DroppedFields, dropped_fields
from fake_dra_driver.dra.structured.pool import WantedSlice
from fake_dra_driver.dra.structured.slices import Accepted, Plan, SliceUpdate, goes_with_node, published_annotation
from fake_dra_driver.dra.structured.slicespec import at_generation
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError, RetryError

__all__ = ["SliceClient", "SliceWriter", "Written", "dropped_by_server"]

log = logger.bind(component="slices")
K = TypeVar("K", bound=KubeObject)


class SliceClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads an object."""
        ...

    async def create(self, obj: K, *, is_dry_run: bool = False) -> K:
        """Creates an object, or says what would become of it."""
        ...

    async def update(self, obj: K) -> K:
        """Replaces an object."""
        ...

    async def delete(
        self, kind: type[KubeObject], key: NamespacedName, *, uid: UID | None, resource_version: str | None
    ) -> None:
        """Deletes an object, if it is still this one in this version."""
        ...


@dataclass(slots=True)
class Written:
    """What of a plan has been written so far."""

    deleted: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    """Updated because they said something wrong, and not for their pool's new generation alone."""
    created: list[str] = field(default_factory=list)
    answers: dict[str, Accepted] = field(default_factory=dict)
    """By name: what was sent of a slice, and what the API server has made of it."""


class SliceWriter:
    """Writes slices.

    Args:
        api: in this version.
        client: through this.
        node_name: the Node that they go with; None: they have none.
    """

    def __init__(self, api: ResourceApi, client: SliceClient, node_name: str | None) -> None:
        self._api = api
        self._client = client
        self._node_name = node_name

    async def write(self, plan: Plan, written: Written) -> None:
        """Makes the writes in their order, up to the first that fails, and notes in ``written`` what has been done.

        Raises:
            ConflictError, RetryError: a slice is not as it was when the plan was made.
            RuntimeLayerError: as the API calls.
        """
        for obsolete in plan.deletes:
            await self.delete(obsolete.key, obsolete.uid, obsolete.metadata.resource_version)
            written.deleted.append(obsolete.metadata.name)
        owners = await self._owners(plan)
        for update in plan.updates:
            await self._update(update, owners, written)
        for wanted in plan.creates:
            await self._create(wanted, owners, written)

    async def dropped_of(self, spec: v1.ResourceSliceSpec) -> DroppedFields | None:
        """As ``dropped_by_server``."""
        return await dropped_by_server(self._client, self._api, spec, ObjectMeta())

    async def delete(self, key: NamespacedName, uid: UID, resource_version: str) -> None:
        """Deletes a slice, if it is still as it was seen. Raises as ``write``; that it is gone is no error."""
        try:
            await self._client.delete(self._api.slices, key, uid=uid, resource_version=resource_version)
        except NotFoundError as error:
            # The watch is about to tell.
            log.debug("ResourceSlice was gone already", slice=key.name, error=str(error))

    async def _owners(self, plan: Plan) -> Sequence[OwnerReference]:
        """What makes slices go with their Node, if any of the plan has to be told.

        Asked for each time: a Node may have been deleted and registered again.
        """
        node = self._node_name
        if node is None or not (plan.creates or any(self._lacks_owner(update) for update in plan.updates)):
            return ()
        uid = (await self._client.get(Node, NamespacedName("", node))).uid
        return (OwnerReference(api_version="v1", kind="Node", name=node, uid=uid, controller=True),)

    def _lacks_owner(self, update: SliceUpdate) -> bool:
        return self._node_name is not None and not goes_with_node(update.before, self._node_name)

    async def _update(self, update: SliceUpdate, owners: Sequence[OwnerReference], written: Written) -> None:
        metadata = update.before.metadata
        changes: dict[str, object] = {}
        if self._lacks_owner(update):
            changes["owner_references"] = tuple(owners)
        if (mark := published_annotation(update.spec.driver)) in metadata.annotations:
            changes["annotations"] = {name: text for name, text in metadata.annotations.items() if name != mark}
        wanted = {"metadata": metadata.model_copy(update=changes), "spec": update.spec}
        try:
            stored = await self._client.update(update.before.model_copy(update=wanted))
        except NotFoundError as error:
            # It was deleted: the watch is about to tell.
            raise RetryError(str(error)) from error
        written.answers[stored.metadata.name] = Accepted(update.spec, stored.spec)
        if update.is_wrong:
            written.corrected.append(stored.metadata.name)

    async def _create(self, wanted: WantedSlice, owners: Sequence[OwnerReference], written: Written) -> None:
        metadata = ObjectMeta(name=wanted.name, owner_references=tuple(owners))
        try:
            stored: v1.ResourceSlice = await self._client.create(self._api.slices(metadata=metadata, spec=wanted.spec))
        except AlreadyExistsError as error:
            # Its answer was lost, or another plugin of this node was faster: the watch is about to tell.
            raise RetryError(str(error)) from error
        written.answers[wanted.name] = Accepted(wanted.spec, stored.spec)
        written.created.append(wanted.name)


async def dropped_by_server(
    client: SliceClient, api: ResourceApi, spec: v1.ResourceSliceSpec, metadata: ObjectMeta
) -> DroppedFields | None:
    """What the API server would drop of a slice; it is asked by dry run, and nothing is written.

    Args:
        client: asks.
        api: in this version.
        spec: of the slice; its pool's generation makes no difference.
        metadata: what admission policies want to see; a name there is not needed.

    Raises:
        RuntimeLayerError: as the API calls.
    """
    spec = at_generation(spec, 1)
    unnamed = metadata.model_copy(update={"generate_name": f"{spec.driver}-"})
    answer: v1.ResourceSlice = await client.create(api.slices(metadata=unnamed, spec=spec), is_dry_run=True)
    return dropped_fields(spec, answer.spec)
