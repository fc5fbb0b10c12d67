"""Writes of objects of which the protobuf is ready, for programs that write thousands of large ones.

Neither the object nor the answer goes through a model: the server is asked to answer with the metadata alone
(PartialObjectMetadata of meta.k8s.io). Custom resources cannot be written so: an API server takes them as JSON alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.runtime.decoding import refusals
from fake_dra_driver.runtime.errors import InvalidObjectError, UnusableAnswerError
from fake_dra_driver.runtime.objectidentity import METADATA_ALONE, check_type, identity_of
from fake_dra_driver.runtime.rest import Call, RestClient

__all__ = ["EncodedObject", "EncodedWrites"]

_ACCEPT: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_PROTOBUF: Final = "application/vnd.kubernetes.protobuf"


@dataclass(frozen=True, slots=True)
class EncodedObject:
    """An object that is ready to be sent."""

    kind: type[KubeObject]
    key: NamespacedName
    body: bytes
    """In protobuf (k8s.io/apimachinery/pkg/runtime/serializer/protobuf), apiVersion and kind included."""
    selectable: Mapping[str, Any] = field(default_factory=dict)
    """Those of its fields, as in JSON, that field selectors ask for, such as ``{"spec": {"nodeName": "node-0"}}``: by
    them, informers know that the object is one of theirs before the watch has told."""


class EncodedWrites:
    """Creates and updates objects.

    Args:
        rest: sends the calls.
        wrote: gets kind and metadata of each object that was written, for the caches.
        timeout_seconds: deadline of one request, waits that the server asked for included.
    """

    def __init__(
        self,
        rest: RestClient,
        wrote: Callable[[type[KubeObject], Mapping[str, Any]], None],
        timeout_seconds: float,
    ) -> None:
        self._rest = rest
        self._wrote = wrote
        self._timeout_seconds = timeout_seconds

    async def create(self, encoded: EncodedObject) -> ObjectMeta:
        """Creates an object, and returns its metadata.

        Raises:
            AlreadyExistsError: there is one of that name.
            RuntimeLayerError: as ``RestClient.call``.
        """
        return await self._write(encoded, "create", "POST", encoded.kind.resource.path(_namespace(encoded)))

    async def update(self, encoded: EncodedObject) -> ObjectMeta:
        """Replaces an object, and returns its metadata.

        Raises:
            ConflictError: the body has a resourceVersion, and the object was written since.
            NotFoundError: it is not there.
            RuntimeLayerError: as ``RestClient.call``.
        """
        path = encoded.kind.resource.path(_namespace(encoded), encoded.key.name)
        return await self._write(encoded, "update", "PUT", path)

    async def _write(self, encoded: EncodedObject, verb: str, method: str, path: str) -> ObjectMeta:
        kind, key = encoded.kind.resource, encoded.key
        call = Call(verb, method, kind, key, path, body=encoded.body, content_type=_PROTOBUF, accept=_ACCEPT)
        raw = await self._rest.call(call, self._timeout_seconds)
        try:
            check_type(raw, *METADATA_ALONE)
            found, _, _ = identity_of(raw, kind)
        except ValueError as error:
            raise UnusableAnswerError(verb, kind, key, str(error)) from error
        if found != key:
            raise UnusableAnswerError(verb, kind, key, "the answer is another object")
        self._wrote(encoded.kind, {**raw, **encoded.selectable})
        try:
            return ObjectMeta.model_validate(raw["metadata"])
        except ValidationError as error:
            raise InvalidObjectError(kind, key, raw["metadata"], refusals(error)) from error


def _namespace(encoded: EncodedObject) -> str | None:
    return encoded.key.namespace if encoded.kind.resource.namespaced else None
