"""What every Kubernetes object shares: group, version and kind, ObjectMeta, and the way from and to the wire.

Follows k8s.io/apimachinery/pkg/apis/meta/v1. Names are snake_case here and camelCase on the wire. Objects are frozen:
what comes out of a cache is shared by all who read it, so a change is a copy (``model_copy(update=...)``). A field that
a model does not name is kept and written back, so that a PUT never drops what a newer API server has added.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any, ClassVar, NewType, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import override

__all__ = [
    "NONE_IS_EMPTY",
    "UID",
    "ApiModel",
    "KubeObject",
    "NamespacedName",
    "ObjectMeta",
    "OwnerReference",
    "ResourceKind",
    "Time",
]

UID = NewType("UID", str)
"""``metadata.uid``: unique over the life of a cluster, so it tells an object from its successor of the same name."""

NONE_IS_EMPTY = BeforeValidator(lambda value: () if value is None else value)
"""For lists that API servers write as ``null`` when they are empty: Go's, without omitempty."""


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """Where the API server serves a kind (k8s.io/apimachinery GroupVersionKind and GroupVersionResource in one)."""

    group: str
    """API group; empty for the core group."""
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group, as in an object's ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base_path(self) -> str:
        """Path of the group and version below the server's address: ``/api/v1`` or ``/apis/<group>/<version>``."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Path of a collection, an object, or a subresource. Without a namespace: the collection of all namespaces."""
        parts = [self.base_path]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)

    def __str__(self) -> str:
        return ".".join(part for part in (self.plural, self.version, self.group) if part)


@dataclass(frozen=True, slots=True, order=True)
class NamespacedName:
    """Namespace and name: the key of an object within its kind. The namespace is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ApiModel(BaseModel):
    """Base of every wire type: camelCase on the wire, frozen, keeps the fields it does not know."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="allow", defer_build=True
    )

    def to_wire(self) -> dict[str, Any]:
        """The object as the JSON for the API server: camelCase, without fields that are None or were never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def _within_calendar(at: datetime) -> datetime:
    if not MINYEAR < at.year < MAXYEAR:
        raise ValueError("this is a time that no clock shows")
    return at


Time = Annotated[AwareDatetime, AfterValidator(_within_calendar)]
"""metav1.Time. A time without a zone could not be compared with others, nor one at an end of Python's calendar be moved
to another zone; API servers send neither."""


class OwnerReference(ApiModel):
    """metav1.OwnerReference: the object whose deletion takes this one with it."""

    api_version: str
    kind: str
    name: str
    uid: UID
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(ApiModel):
    """metav1.ObjectMeta, as far as controllers read it."""

    name: str = ""
    generate_name: str | None = None
    namespace: str = ""
    uid: UID = UID("")
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class KubeObject(ApiModel):
    """Base of every top-level kind. A subclass sets ``resource``, and gets ``apiVersion`` and ``kind`` from it."""

    resource: ClassVar[ResourceKind]

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)

    @property
    def key(self) -> NamespacedName:
        """Namespace and name of this object."""
        return NamespacedName(self.metadata.namespace, self.metadata.name)

    @property
    def uid(self) -> UID:
        """``metadata.uid``."""
        return self.metadata.uid

    @property
    def is_deleting(self) -> bool:
        """Whether ``metadata.deletionTimestamp`` is set: the object goes away once its finalizers are gone."""
        return self.metadata.deletion_timestamp is not None

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Self:
        """Reads an object as the API server sent it. Raises pydantic.ValidationError when a field has a wrong type."""
        # Left in, what the class says anyway would be kept with each object, in a dict of unknown fields.
        return cls.model_validate({name: raw[name] for name in raw if name not in ("apiVersion", "kind")})

    @override
    def to_wire(self) -> dict[str, Any]:
        wire = super().to_wire()
        return {**wire, "apiVersion": self.resource.api_version, "kind": self.resource.kind}
