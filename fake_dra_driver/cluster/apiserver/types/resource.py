"""What is served: resources with their names, verbs, subresources, types and rules, and the registry of all of them.

Follows discovery's APIResource and the RESTStorage map of a real API server. A resource of a CRD and a built-in one
differ in their ``Rules`` and in ``custom`` alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fake_dra_driver.cluster.apiserver.conversion.conversion import Conversion
from fake_dra_driver.cluster.apiserver.errors import Problem
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_subdomain
from fake_dra_driver.cluster.apiserver.types.objecttype import Type

__all__ = ["ALL_VERBS", "Cells", "Column", "Registry", "Resource", "Rules", "ScalePaths", "Subresource"]

Cells = Callable[[Object, datetime], list[Any]]
"""The cells of a row of ``kubectl get``: gets the object as stored, and the present time."""
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def _nothing(_: Object) -> None: ...


def _nothing_before(_: Object, __: Object | None) -> None: ...


def _no_warnings(_: Object) -> list[str]:
    return []


def _no_problems(_: Object) -> list[Problem]:
    return []


def _no_update_problems(_: Object, __: Object) -> list[Problem]:
    return []


@dataclass(frozen=True, slots=True)
class Rules:
    """What is special to a kind."""

    name_problems: Callable[[str], list[str]] = dns_subdomain
    set_defaults: Callable[[Object], None] = _nothing
    """Fills in defaults; runs on every write."""
    prepare: Callable[[Object, Object | None], None] = _nothing_before
    """Gets the object to be written and the present one, if any: what the strategy sets itself."""
    admit: Callable[[Object], None] = _nothing
    """What admission plugins add to a new object."""
    drop_fields: Callable[[Object, Object | None], None] = _nothing_before
    """As ``prepare``, after the generation was counted: a change that is dropped here counts all the same."""
    warn: Callable[[Object], list[str]] = _no_warnings
    """What the client is warned of."""
    validate: Callable[[Object], list[Problem]] = _no_problems
    validate_update: Callable[[Object, Object], list[Problem]] = _no_update_problems
    """Gets the new and the old object."""
    revalidates: bool = True
    """Whether an update is checked by ``validate`` as well."""
    validate_status: Callable[[Object, Object], list[Problem]] | None = None
    """Takes the place of both for writes to the status; None: it has no rules of its own."""
    status_on_create: Any = None
    """The status of a new object; None: none, whatever the client sent."""
    keeps_status_on_create: bool = False
    has_generation: bool = False
    counts_annotations: bool = False
    """Whether a change of annotations moves the generation, too."""
    update_without_version: bool = True
    """AllowUnconditionalUpdate: whether a PUT may come without a resourceVersion."""
    grace_seconds: Callable[[Object], int] | None = None
    """Default grace period of a deletion, for kinds that have one."""
    orphan_warning: str = ""
    """What a client is told that deletes the object and does not say what becomes of those that it owns: they stay.
    Empty: they go with it."""
    returns_deleted: bool = False
    """Whether DELETE answers with the object, not with a Status."""
    selectable: tuple[str, ...] = ()
    """Paths for field selectors, beside name and namespace."""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the scale subresource finds its numbers, as paths with dots."""

    spec: str
    status: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """What discovery says of a subresource. ``group`` and ``version`` are set when the kind is another group's."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``kubectl get`` (TableColumnDefinition)."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    path: str = ""
    """For custom kinds: the JSONPath of the cell."""
    description: str = ""


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource in one version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    type: Type
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    custom: bool = False
    has_status: bool = False
    """Whether the status is a subresource: written through ``/status`` alone."""
    scale: ScalePaths | None = None
    columns: tuple[Column, ...] = ()
    cells: Cells | None = None
    """What stands in the columns; None: what their paths find."""
    rules: Rules = field(default_factory=Rules)
    storage_group: str | None = None
    """The group that stores the objects; None: this one."""
    conversion: Conversion | None = None
    """From and to the version that the objects are stored in; None: this one."""

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage_key(self) -> tuple[str, str]:
        """All versions of a resource share their objects."""
        return self.group if self.storage_group is None else self.storage_group, self.plural

    def to_stored(self, obj: Object) -> Object:
        """The object in the version that it is stored in."""
        return obj if self.conversion is None else self.conversion.to_stored(obj)

    def from_stored(self, obj: Object) -> Object:
        """The stored object in this version."""
        return obj if self.conversion is None else self.conversion.from_stored(obj)

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name."""
        return next((each for each in self.subresources if each.name == name), None)


class Registry:
    """All resources that are served now. ``generation`` changes whenever they do."""

    def __init__(self) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self.generation = 0

    def add(self, resource: Resource) -> None:
        """Serves a resource, instead of any with the same group, version and plural."""
        self._resources[resource.group, resource.version, resource.plural] = resource
        self.generation += 1

    def remove(self, group: str, plural: str) -> None:
        """Stops serving a resource in all versions."""
        for key in [key for key in self._resources if key[0] == group and key[2] == plural]:
            del self._resources[key]
        self.generation += 1

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of that group, version and plural."""
        return self._resources.get((group, version, plural))

    def has(self, resource: Resource) -> bool:
        """Whether this resource is still served, perhaps with another schema."""
        return (resource.group, resource.version, resource.plural) in self._resources

    def __iter__(self) -> Iterator[Resource]:
        # A copy: heavy work looks through it in a thread while CRDs come and go.
        return iter(tuple(self._resources.values()))

    def groups(self) -> Mapping[str, Sequence[str]]:
        """Groups in the order of discovery, with their versions, the preferred one first."""
        found: dict[str, list[str]] = {}
        for resource in self:
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return found

    def in_version(self, group: str, version: str) -> list[Resource]:
        """Resources of one group and version, sorted by name."""
        found = [each for each in self if (each.group, each.version) == (group, version)]
        return sorted(found, key=lambda each: each.plural)

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind."""
        return next((each for each in self if (each.api_version, each.kind) == (api_version, kind)), None)
