"""Makes the writes of a node's plan: ready messages where that will do, models where an answer has to be read.

The devices' taints are the reason to read a slice before it is updated: the API server says since when each is there,
and what is sent without that begins its time again, after which pods are evicted.

What the API server would drop is asked before, by dry run: of a slice that was written without counters, a scheduler
could allocate a device and its parts before it is put right.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from loguru import logger

from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.fleet.encoding import EncodedSlice
from fake_dra_driver.dra.structured.fleet.keptfields import KeptFields
from fake_dra_driver.dra.structured.fleet.mark import Mark
from fake_dra_driver.dra.structured.fleet.plan import FleetPlan
from fake_dra_driver.dra.structured.fleet.slicemessage import SliceMessages
from fake_dra_driver.dra.structured.slices import published_annotation
from fake_dra_driver.dra.structured.slicespec import at_generation, in_words_of
from fake_dra_driver.dra.structured.slicewriter import SliceClient, dropped_by_server
from fake_dra_driver.runtime.encodedwrites import EncodedObject
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError, RetryError

__all__ = ["EncodedClient", "FleetClient", "FleetWriter", "FleetWritten"]

log = logger.bind(component="slices")

_MAX_ATTEMPTS: Final = 3
"""Writes until a slice has the mark that fits it: more than one where the first has changed nothing against
expectation."""


class EncodedClient(Protocol):
    """What is needed of ``runtime.encodedwrites.EncodedWrites``."""

    async def create(self, encoded: EncodedObject) -> ObjectMeta:
        """Creates an object from its message."""
        ...

    async def update(self, encoded: EncodedObject) -> ObjectMeta:
        """Replaces an object by its message."""
        ...


class FleetClient(SliceClient, Protocol):
    """What is needed of ``runtime.client.Client``."""

    @property
    def encoded(self) -> EncodedClient:
        """Writes objects of which the message is ready."""
        ...


@dataclass(slots=True)
class FleetWritten:
    """What of a plan has been written so far, by name of the slice."""

    deleted: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    """Those of the updated ones that said something wrong, and not for their pool's new generation alone."""
    created: list[str] = field(default_factory=list)


class FleetWriter:
    """Writes slices of any node.

    Args:
        api: in this version.
        driver: whose they are.
        client: through this.
        kept: what is known of fields that the API server drops.
    """

    def __init__(
        self,
        api: ResourceApi,
        driver: str,
        client: FleetClient,
        kept: KeptFields,
    ) -> None:
        self._api = api
        self._driver = driver
        self._client = client
        self._kept = kept
        self._annotation = published_annotation(driver)
        self._messages = SliceMessages(api)

    async def write(self, plan: FleetPlan, owner: OwnerReference, written: FleetWritten) -> None:
        """Makes the writes in their order, up to the first that fails, and notes in ``written`` what has been done.

        Raises:
            ConflictError, RetryError: a slice is not as it was when the plan was made.
            RuntimeLayerError: as the API calls.
        """
        for obsolete in plan.deletes:
            await self.delete(obsolete)
            written.deleted.append(obsolete.name)
        for update in plan.updates:
            generation = update.before.generation + update.changes_spec
            await self._settle(
                update.slice, update.before, Mark(plan.generation, generation, update.slice.digest), owner
            )
            written.updated.append(update.slice.name)
            if update.is_wrong:
                written.corrected.append(update.slice.name)
        for wanted in plan.creates:
            await self._settle(wanted, None, Mark(plan.generation, 1, wanted.digest), owner)
            written.created.append(wanted.name)

    async def delete(self, metadata: ObjectMeta) -> None:
        """Deletes a slice, if it is still as it was seen. Raises as ``write``; that it is gone is no error."""
        key = NamespacedName("", metadata.name)
        try:
            await self._client.delete(
                self._api.slices, key, uid=metadata.uid, resource_version=metadata.resource_version
            )
        except NotFoundError as error:
            # The watch is about to tell.
            log.debug("ResourceSlice was gone already", slice=metadata.name, error=str(error))

    async def dropped_of(self, wanted: EncodedSlice, owner: OwnerReference) -> DroppedFields | None:
        """What the API server would drop of a slice; it is asked, and nothing is written. Raises as ``write``."""
        mark = Mark(1, 1, wanted.digest)
        metadata = ObjectMeta(annotations={self._annotation: str(mark)}, owner_references=(owner,))
        return await dropped_by_server(self._client, self._api, wanted.wanted.spec, metadata)

    async def _settle(self, wanted: EncodedSlice, before: ObjectMeta | None, mark: Mark, owner: OwnerReference) -> None:
        """Writes a slice until its mark fits it. The mark that is given foretells the generation after one write."""
        mark = replace(mark, is_partial=self._kept.is_partial(wanted.gated_fields))
        for attempt in range(_MAX_ATTEMPTS):
            before = await self._send(wanted, before, mark, owner)
            if before.generation == mark.metadata_generation:
                return
            # The same spec once more changes nothing; unless it has fields that are dropped, which the API server does
            # after it has counted (PrepareForUpdate in pkg/registry/resource/resourceslice), as the next answer shows.
            mark = replace(mark, metadata_generation=before.generation + attempt)
        raise RetryError(f"ResourceSlice {wanted.name} changes with each write")

    async def _send(
        self, wanted: EncodedSlice, before: ObjectMeta | None, mark: Mark, owner: OwnerReference
    ) -> ObjectMeta:
        metadata = before or ObjectMeta(name=wanted.name)
        metadata = metadata.model_copy(
            update={
                "annotations": {**metadata.annotations, self._annotation: str(mark)},
                "owner_references": (owner,),
            }
        )
        try:
            if wanted.has_taints and before is not None:
                return await self._send_whole(wanted, metadata, mark)
            encoded = self._encoded(wanted, metadata, mark)
            if before is None:
                return await self._client.encoded.create(encoded)
            return await self._client.encoded.update(encoded)
        except AlreadyExistsError as error:
            # Its answer was lost, or another controller was faster: the watch is about to tell.
            raise RetryError(str(error)) from error
        except NotFoundError as error:
            # It was deleted: the watch is about to tell.
            raise RetryError(str(error)) from error

    def _encoded(self, wanted: EncodedSlice, metadata: ObjectMeta, mark: Mark) -> EncodedObject:
        spec, wire = wanted.wanted.spec, metadata.to_wire()
        if metadata.uid:
            # Which fields are whose is of no use where one writer has them all, and a fifth of the work of an update.
            # Once it is told to forget them, the API server keeps none (k8s.io/apimachinery/pkg/util/managedfields).
            wire["managedFields"] = [{}]
        message = self._messages.at_generation(wanted.pool, wanted.rest, mark.pool_generation)
        body = self._messages.slice(wire, message)
        selectable = {"spec": {"driver": spec.driver, "nodeName": spec.node_name}}
        return EncodedObject(self._api.slices, NamespacedName("", wanted.name), body, selectable)

    async def _send_whole(self, wanted: EncodedSlice, metadata: ObjectMeta, mark: Mark) -> ObjectMeta:
        """Updates a slice in the words of the one that is there."""
        there = await self._client.get(self._api.slices, NamespacedName("", wanted.name))
        spec = in_words_of(at_generation(wanted.wanted.spec, mark.pool_generation), there.spec)
        # The update fails if the slice is not the one that was seen.
        return (await self._client.update(there.model_copy(update={"metadata": metadata, "spec": spec}))).metadata
