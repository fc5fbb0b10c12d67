"""What reconcilers read: the typed objects of one selection, kept up to date by a reflector and by our own writes.

Follows k8s.io/client-go/tools/cache (SharedIndexInformer). Objects are decoded once for each version and shared by all
readers; ``metadata.managedFields`` is dropped, which is never read here and often half of an object (an update without
it leaves it as it is). Handlers are called in order, in the task that brought the change; they must not block.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from loguru import logger
from pydantic import ValidationError

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.runtime.decoding import refusals
from fake_dra_driver.runtime.errors import InvalidObjectError, UnusableAnswerError
from fake_dra_driver.runtime.listwatch import Selection
from fake_dra_driver.runtime.objectidentity import identity_of, version_number
from fake_dra_driver.runtime.store import Change, Entry, IndexFunction, Store

__all__ = ["Handler", "Informer", "Transform"]

log = logger.bind(component="cache")

K = TypeVar("K", bound=KubeObject)
Handler = Callable[[Change[K]], None]
Transform = Callable[[dict[str, Any]], dict[str, Any]]
"""Gets a raw object of its own and returns what to keep of it; to save memory. Must leave name, namespace, uid and
resourceVersion as they are."""


class Informer(Generic[K]):
    """A local copy of the objects of a selection. Reads cost no request and never wait.

    What is read is at least as new as our own last write, as soon as that write has returned. With a selector other
    than equality of labels or of fields that are texts, that holds for objects that were here before the write.
    """

    def __init__(self, kind: type[K], selection: Selection, transform: Transform | None = None) -> None:
        self.kind = kind
        self.selection = selection
        self._synced = asyncio.Event()
        self.handler_errors = 0
        """Calls of handlers that raised."""
        self._transform = transform
        self._store: Store[K] = Store()
        self._handlers: list[Handler[K]] = []
        self._requirements = _requirements(selection)

    # --- reads ---

    def get(self, key: NamespacedName) -> K | None:
        """The object of that key. Raises InvalidObjectError when it is there and the model refuses it."""
        return self._usable(self._store.get(key))

    def by_uid(self, uid: UID) -> K | None:
        """The object of that UID. Raises InvalidObjectError as ``get``: None says that it is not here, and no more."""
        return self._usable(self._store.by_uid(uid))

    def was_deleted(self, uid: UID) -> bool:
        """Whether the object of that UID was seen here alive, and seen deleted (or no longer matching the selector)."""
        return self._store.was_deleted(uid)

    def list(self, namespace: str | None = None) -> Sequence[K]:
        """The objects (of a namespace), sorted by key, without those that the model refuses."""
        return [entry.object for entry in self._store.entries(namespace) if entry.object is not None]

    def by_index(self, name: str, value: str) -> Sequence[K]:
        """The objects that the index has under ``value``, sorted by key. Raises KeyError: no such index."""
        return [entry.object for entry in self._store.by_index(name, value) if entry.object is not None]

    def invalid(self) -> Sequence[InvalidObjectError]:
        """For each object that the model refuses, why; sorted by key."""
        return [self._refusal(entry) for entry in self._store.entries() if entry.object is None]

    @property
    def has_synced(self) -> bool:
        """Whether the first list is here. Before that, what is missing here may exist all the same."""
        return self._synced.is_set()

    async def wait_for_sync(self) -> None:
        """Waits until the first list is here; where the kind is not served, that is for ever."""
        await self._synced.wait()

    # --- set-up ---

    def add_index(self, name: str, function: IndexFunction[K]) -> None:
        """Adds an index: ``function`` gives the values under which an object is found.

        Raises:
            ValueError: there is an index of that name with another function.
        """
        self._store.add_index(name, function)

    def subscribe(self, handler: Handler[K]) -> None:
        """From now on ``handler`` is called for each change, and at once, as an addition, for each object that is here.

        It is called synchronously. What it raises is logged and counted, and stops nothing.
        """
        self._handlers.append(handler)
        for entry in list(self._store.entries()):
            self._call(handler, Change(entry.key, None, entry.object))

    # --- our own writes ---

    def observe(self, raw: Mapping[str, Any]) -> None:
        """Takes over the answer to a write of ours. Answers that are not newer than what is here change nothing.

        Raises:
            UnusableAnswerError: it is no object of this kind.
        """
        entry = self._read(raw, "write", shared=True)
        if self.selection.namespace not in (None, entry.key.namespace):
            return
        if _is_gone(raw):
            self._dispatch(self._store.observe_delete(entry.uid))
        elif self._store.by_uid(entry.uid) is not None or self._matches(raw):
            self._dispatch(self._store.observe(entry))

    def observe_delete(self, uid: UID) -> None:
        """Takes over that a delete of ours has removed the object."""
        self._dispatch(self._store.observe_delete(uid))

    # --- from the reflector ---

    def read_items(self, items: Iterable[Mapping[str, Any]]) -> Sequence[Entry[K]]:
        """Decodes the items of a list, as far as their versions are not here already.

        Raises:
            UnusableAnswerError: one of them is nothing that is asked for here. Left out, an object that is there would
                count as deleted, so the whole list is worthless.
        """
        return [self._read_selected(item, "list") for item in items]

    @property
    def version(self) -> int:
        """resourceVersion up to which everything is known; 0 before the first list."""
        return self._store.version

    def replace(self, listed: Sequence[Entry[K]], version: int, *, rewound: bool = False) -> None:
        """Takes over a list. ``rewound``: the server's history has gone back, so take it as it is."""
        if rewound:
            self._store.reset()
        changes = self._store.replace(listed, version)
        self._synced.set()
        self._dispatch(changes)

    def handle(self, event_type: str, raw: Mapping[str, Any]) -> None:
        """Takes over a watch event: ADDED, MODIFIED, DELETED or BOOKMARK.

        Raises:
            UnusableAnswerError: it is about nothing that is asked for here. What it should have told is lost.
        """
        if event_type == "BOOKMARK":
            self._store.advance(self._bookmark(raw))
        elif event_type == "DELETED":
            self._dispatch(self._store.apply_delete(self._read_selected(raw, "watch")))
        else:
            self._dispatch(self._store.apply(self._read_selected(raw, "watch")))

    # --- inside ---

    def _read_selected(self, raw: Mapping[str, Any], verb: str) -> Entry[K]:
        """Decodes an object that the server says is one of the selection."""
        entry = self._read(raw, verb)
        if self.selection.namespace not in (None, entry.key.namespace):
            raise self._unusable(verb, "an object of another namespace")
        return entry

    def _read(self, raw: Mapping[str, Any], verb: str, *, shared: bool = False) -> Entry[K]:
        """Decodes an object. The very same state is not decoded twice.

        Args:
            raw: the object as sent.
            verb: what it was sent in answer to.
            shared: ``raw`` has other readers, so a transform gets a copy.

        Raises:
            UnusableAnswerError: it has no identity.
        """
        try:
            key, uid, version = identity_of(raw, self.selection.kind)
        except ValueError as error:
            raise self._unusable(verb, str(error)) from error
        known = self._store.get(key)
        if known is not None and known.uid == uid and known.version == version:
            return known
        try:
            return Entry(key, uid, version, self._decode(raw, shared=shared))
        except (ValidationError, RecursionError) as error:
            problems = tuple(refusals(error))
        log.warning("Object refused by the model", kind=str(self.selection.kind), object=str(key), problems=problems)
        return Entry(key, uid, version, None, {**raw["metadata"], "managedFields": None}, problems)

    def _decode(self, raw: Mapping[str, Any], *, shared: bool) -> K:
        metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
        if self.selection.metadata_only:
            return cast("K", self.kind.model_construct(metadata=ObjectMeta.model_validate(metadata)))
        kept = {**raw, "metadata": metadata}
        if self._transform is not None:
            kept = self._transform(copy.deepcopy(kept) if shared else kept)
        return self.kind.from_wire(kept)

    def _usable(self, entry: Entry[K] | None) -> K | None:
        if entry is None:
            return None
        if entry.object is None:
            raise self._refusal(entry)
        return entry.object

    def _refusal(self, entry: Entry[K]) -> InvalidObjectError:
        return InvalidObjectError(self.selection.kind, entry.key, entry.metadata or {}, entry.problems)

    def _dispatch(self, changes: Iterable[Change[K]]) -> None:
        for change in changes:
            for handler in list(self._handlers):
                self._call(handler, change)

    def _call(self, handler: Handler[K], change: Change[K]) -> None:
        try:
            handler(change)
        except Exception:  # a subscriber must not end the watch that feeds all the others
            self.handler_errors += 1
            log.exception("Handler failed", kind=str(self.selection.kind), object=str(change.key))

    def _matches(self, raw: Mapping[str, Any]) -> bool:
        """Whether an object of ours is sure to match the selectors; for the others the watch will tell."""
        if self._requirements is None:
            return False
        labels = raw["metadata"].get("labels")
        labels = labels if isinstance(labels, Mapping) else {}
        return all(
            (_field(raw, name) if is_field else labels.get(name)) == value
            for is_field, name, value in self._requirements
        )

    def _bookmark(self, raw: Mapping[str, Any]) -> int:
        metadata = raw.get("metadata")
        try:
            return version_number(metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None)
        except ValueError as error:
            raise self._unusable("watch", f"a bookmark, and {error}") from error

    def _unusable(self, verb: str, found: str) -> UnusableAnswerError:
        key = NamespacedName(self.selection.namespace or "", "")
        return UnusableAnswerError(verb, self.selection.kind, key, found)


def _requirements(selection: Selection) -> Sequence[tuple[bool, str, str]] | None:
    """(is a field, name, value) for each equality that the selectors ask for; None when they ask for anything else."""
    found: list[tuple[bool, str, str]] = []
    for is_field, selector in ((True, selection.field_selector), (False, selection.label_selector)):
        for term in filter(None, selector.split(",")):
            name, equals, value = term.partition("=")
            name, value = name.strip(), value.removeprefix("=").strip()
            if not equals or name.endswith("!") or any(sign in term for sign in " ()"):
                return None
            found.append((is_field, name, value))
    return found


def _field(raw: Mapping[str, Any], label: str) -> str | None:
    """The text at the path that a field label such as ``spec.nodeName`` names: empty where nothing is, None if it is no
    text, as where a label is not a path (``source`` of Events).
    """
    found: Any = raw
    for name in label.split("."):
        found = found.get(name, "") if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None


def _is_gone(raw: Mapping[str, Any]) -> bool:
    """Whether the write that returned this removed the object (ShouldDeleteDuringUpdate of the API server).

    A namespace has finalizers in its spec as well; where another kind has such a field, the watch will tell.
    """
    metadata, spec = raw["metadata"], raw.get("spec")
    return bool(
        metadata.get("deletionTimestamp")
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not (isinstance(spec, Mapping) and spec.get("finalizers"))
    )
