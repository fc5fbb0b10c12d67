"""An API server's store in memory, and clients of it, for tests that need to say exactly when what is seen.

Only what the controllers use is here: optimistic locking by resourceVersion and uid, merge and JSON patch, finalizers
and deletionTimestamp, subresource status (where the kind has one). Several clients can share a store, each with
a cache of its own that sees changes only when the test delivers them. A real API server is the judge of whether real
servers behave like this: ``tests/integration`` runs the same driver against one.
"""

import copy
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import Status, api_error

K = TypeVar("K", bound=KubeObject)
Wire = dict[str, Any]

Hook = Callable[[str, str], Awaitable[None]]
"""Gets the verb and the kind."""

KINDS_WITH_STATUS = {"ResourceClaim", "PodSchedulingContext", "Pod"}


class MemoryApi:
    """The store. ``events`` is everything that happened, in order: type, kind, object."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[NamespacedName, Wire]] = {}
        self.events: list[tuple[str, str, Wire]] = []
        self._revision = itertools.count(1)
        self._uid = itertools.count(1)

    def apply(self, obj: KubeObject) -> Wire:
        """What a user or another controller does: creates the object, or replaces it as it is, status included."""
        wire = obj.to_wire()
        there = self._kind(obj.resource).get(obj.key)
        metadata = wire.setdefault("metadata", {})
        metadata["uid"] = metadata.get("uid") or (there["metadata"]["uid"] if there else f"uid-{next(self._uid)}")
        metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        return self._store(obj.resource, wire, "MODIFIED" if there else "ADDED")

    def wire(self, kind: type[KubeObject], name: str, namespace: str = "") -> Wire | None:
        """The object as it is now, or None."""
        found = self._kind(kind.resource).get(NamespacedName(namespace, name))
        return copy.deepcopy(found)

    def read(self, kind: type[K], name: str, namespace: str = "") -> K:
        """The object as it is now. Raises KeyError when there is none."""
        return kind.from_wire(self._kind(kind.resource)[NamespacedName(namespace, name)])

    def delete(self, kind: type[KubeObject], name: str, namespace: str = "") -> None:
        """Deletes the object, or sets its deletionTimestamp while it has finalizers."""
        key = NamespacedName(namespace, name)
        wire = copy.deepcopy(self._kind(kind.resource)[key])
        if wire["metadata"].get("finalizers"):
            wire["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:01:00Z")
            self._store(kind.resource, wire, "MODIFIED")
        else:
            self._remove(kind.resource, wire)

    def update(self, kind: type[KubeObject], name: str, namespace: str, patch: Mapping[str, Any]) -> None:
        """Merges a change into the object, whatever its version: what another client does."""
        wire = copy.deepcopy(self._kind(kind.resource)[NamespacedName(namespace, name)])
        self._finish(kind.resource, merge(wire, patch))

    def _kind(self, resource: ResourceKind) -> dict[NamespacedName, Wire]:
        return self.objects.setdefault(resource.kind, {})

    def _store(self, resource: ResourceKind, wire: Wire, event: str) -> Wire:
        metadata = wire["metadata"]
        metadata["resourceVersion"] = str(next(self._revision))
        wire = {**wire, "apiVersion": resource.api_version, "kind": resource.kind}
        key = NamespacedName(metadata.get("namespace", "") if resource.namespaced else "", metadata["name"])
        self._kind(resource)[key] = wire
        self.events.append((event, resource.kind, copy.deepcopy(wire)))
        return copy.deepcopy(wire)

    def _remove(self, resource: ResourceKind, wire: Wire) -> Wire:
        metadata = wire["metadata"]
        del self._kind(resource)[NamespacedName(metadata.get("namespace", ""), metadata["name"])]
        metadata["resourceVersion"] = str(next(self._revision))
        self.events.append(("DELETED", resource.kind, copy.deepcopy(wire)))
        return copy.deepcopy(wire)

    def _finish(self, resource: ResourceKind, wire: Wire) -> Wire:
        """Stores a changed object, or removes it when its last finalizer has gone."""
        if wire["metadata"].get("deletionTimestamp") and not wire["metadata"].get("finalizers"):
            return self._remove(resource, wire)
        return self._store(resource, wire, "MODIFIED")


async def no_fault(verb: str, kind: str) -> None:
    """The hook that does nothing."""


class MemoryClient:
    """A client of a store: the verbs of ``runtime.client.Client`` that the controllers use.

    ``calls`` lists what was asked: verb and kind. ``before_write`` and ``after_write`` run around each write and may
    raise, wait, or change the store, to play a fault, a stop or another writer.
    """

    def __init__(self, api: MemoryApi) -> None:
        self.api = api
        self.calls: list[tuple[str, str]] = []
        self.before_write: Hook = no_fault
        self.after_write: Hook = no_fault
        self._observers: list[Callable[[type[KubeObject], Mapping[str, Any]], None]] = []

    def add_write_observer(self, observer: Callable[[type[KubeObject], Mapping[str, Any]], None]) -> None:
        self._observers.append(observer)

    def add_delete_observer(self, observer: object) -> None:
        """Does nothing: the controllers delete no objects."""

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        self.calls.append(("get", kind.resource.kind))
        return kind.from_wire(self._found(kind, key, "get"))

    async def list(self, kind: type[K], namespace: str | None = None, *, field_selector: str = "") -> ListResult[K]:
        self.calls.append(("list", kind.resource.kind))
        found: Iterable[Wire] = self.api.objects.get(kind.resource.kind, {}).values()
        items = tuple(kind.from_wire(copy.deepcopy(wire)) for wire in found if _is_selected(wire, field_selector))
        return ListResult(items=items, resource_version="0")

    async def create(self, obj: K, *, is_dry_run: bool = False) -> K:
        """Creates an object; an error when there is one of that name."""
        assert not is_dry_run
        kind = type(obj)
        await self._begin("create", kind)
        if obj.key in self.api.objects.get(kind.resource.kind, {}):
            raise self._error(409, kind, obj.key, "AlreadyExists", "it exists", "create")
        self.api.apply(obj)
        return await self._end("create", kind, self.api.objects[kind.resource.kind][obj.key])

    async def apply(
        self,
        kind: type[K],
        key: NamespacedName,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
        timeout_seconds: float | None = None,
    ) -> K:
        """Server-side apply of ``status.devices``, all of whose entries one manager has."""
        assert force
        assert (set(body), subresource) == ({"metadata", "status"}, "status")
        await self._begin("apply", kind)
        wire, asked = self._found(kind, key, "patch"), body["metadata"]
        if any(wire["metadata"][field] != asked[field] for field in asked):
            raise self._error(409, kind, key, "Conflict", "it has changed")
        devices = body["status"]["devices"]
        if devices != wire.get("status", {}).get("devices", []):
            wire = merge(wire, {"status": {"devices": devices or None}})
        return await self._end("apply", kind, wire)

    async def merge_patch(
        self, kind: type[K], key: NamespacedName, patch: Mapping[str, Any], *, subresource: str | None = None
    ) -> K:
        await self._begin("merge_patch", kind)
        wire = self._found(kind, key, "patch")
        asked = patch.get("metadata", {})
        for field in ("uid", "resourceVersion"):
            if field in asked and asked[field] != wire["metadata"][field]:
                raise self._error(409, kind, key, "Conflict", f"{field} is {wire['metadata'][field]}")
        changed = merge(copy.deepcopy(wire), patch)
        if kind.resource.kind in KINDS_WITH_STATUS:
            kept = {name: wire.get(name) for name in wire if (name == "status") != (subresource == "status")}
            changed = {**changed, **kept} if subresource is None else {**wire, "status": changed.get("status", {})}
        self._check_claim(kind, key, wire, changed)
        return await self._end("merge_patch", kind, changed)

    async def json_patch(
        self,
        kind: type[K],
        key: NamespacedName,
        operations: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
    ) -> K:
        await self._begin("json_patch", kind)
        wire = copy.deepcopy(self._found(kind, key, "patch"))
        try:
            for operation in operations:
                operate(wire, operation)
        except LookupError as error:
            raise api_error(
                Status(422, "Invalid", str(error)), "patch", kind.resource, key, is_json_patch=True
            ) from error
        return await self._end("json_patch", kind, wire)

    async def _begin(self, verb: str, kind: type[KubeObject]) -> None:
        self.calls.append((verb, kind.resource.kind))
        await self.before_write(verb, kind.resource.kind)

    async def _end(self, verb: str, kind: type[K], wire: Wire) -> K:
        written = self.api._finish(kind.resource, wire)
        await self.after_write(verb, kind.resource.kind)
        for observer in self._observers:
            observer(kind, written)
        return kind.from_wire(written)

    def _found(self, kind: type[KubeObject], key: NamespacedName, verb: str) -> Wire:
        found = self.api.objects.get(kind.resource.kind, {}).get(key)
        if found is None:
            raise self._error(404, kind, key, "NotFound", f"no {key}", verb)
        return copy.deepcopy(found)

    def _check_claim(self, kind: type[KubeObject], key: NamespacedName, old: Wire, new: Wire) -> None:
        """What the API server refuses of a ResourceClaim: k8s.io/kubernetes/pkg/apis/resource/validation (1.30)."""
        if kind.resource.kind != "ResourceClaim":
            return
        before, after = old.get("status", {}), new.get("status", {})
        if before.get("allocation") and after.get("allocation") not in (None, before["allocation"]):
            raise self._error(422, kind, key, "Invalid", "status.allocation is immutable")
        if after.get("reservedFor") and not after.get("allocation"):
            raise self._error(422, kind, key, "Invalid", "status.reservedFor needs an allocation")
        gained = set(new["metadata"].get("finalizers", ())) - set(old["metadata"].get("finalizers", ()))
        if old["metadata"].get("deletionTimestamp") and gained:
            raise self._error(422, kind, key, "Invalid", "no new finalizers while the object is being deleted")

    @staticmethod
    def _error(
        code: int, kind: type[KubeObject], key: NamespacedName, reason: str, message: str, verb: str = "patch"
    ) -> Exception:
        return api_error(Status(code, reason, message, {"name": key.name}), verb, kind.resource, key)


def _is_selected(wire: Wire, field_selector: str) -> bool:
    """Whether a field, such as ``spec.nodeName``, has the value that the selector names."""
    path, _, wanted = field_selector.partition("=")
    found: Any = wire
    for name in path.split(".") if path else ():
        found = found.get(name, {})
    return not path or found == wanted


def merge(target: Wire, patch: Mapping[str, Any]) -> Wire:
    """RFC 7386; ``target`` is changed and returned."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, Mapping):
            target[name] = merge(dict(target.get(name) or {}), value)
        else:
            target[name] = value
    return target


def operate(wire: Wire, operation: Mapping[str, Any]) -> None:
    """One operation of RFC 6902 on objects. A test for null holds on an absent field, as in Kubernetes."""
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    target: Any = wire
    for part in path:
        target = target[part]
    match operation["op"]:
        case "test":
            if target.get(last) != operation["value"]:
                raise LookupError(f"test of {operation['path']} failed: {target.get(last)!r}")
        case "add":
            target[last] = operation["value"]
        case "remove":
            del target[last]
        case other:
            raise AssertionError(f"not used here: {other}")
