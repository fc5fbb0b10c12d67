"""Which manager owns which field: ``metadata.managedFields``, updated at each write, and server-side apply.

Follows k8s.io/apimachinery/pkg/util/managedfields and sigs.k8s.io/structured-merge-diff/merge. An update takes
over what it changes; an apply owns what it names, loses what it no longer names, and conflicts with other owners of
what it would change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.merge.fieldpaths import FieldSet, Path, path_text
from fake_dra_driver.cluster.apiserver.merge.structuredmerge import compare, field_set, merge, remove
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.objecttype import Type

__all__ = ["Writer", "apply_configuration", "is_readable", "track_update"]

_META = "f:metadata"
_UNTRACKED: tuple[Path, ...] = (
    ("f:apiVersion",),
    ("f:kind",),
    *(
        (_META, f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)
"""Fields that the server sets: they have no owner (stripmeta.go)."""
MAX_UPDATE_MANAGERS = 10
"""Beyond this the oldest updaters are merged into one entry (capmanagers.go)."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A manager, and how it writes."""

    manager: str
    operation: str
    """``Update`` or ``Apply``."""
    api_version: str
    subresource: str
    time: str
    ignored: tuple[Path, ...] = ()
    """Fields that this kind of write never changes, such as the status (ResetFieldsStrategy)."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What identifies an entry of managedFields."""
        return self.manager, self.operation, self.api_version, self.subresource


_Managers = dict[tuple[str, str, str, str], tuple[FieldSet, str | None]]
"""By identity: the fields, and when they last changed."""


def is_readable(entries: Any) -> bool:
    """Whether these are managedFields, which a client may have sent."""
    try:
        _read(entries)
    except ValueError:
        return False
    return True


def track_update(old: Object, new: Object, type_: Type | None, writer: Writer) -> None:
    """Brings ``new``'s managedFields up to date for a write that turned ``old`` into ``new``."""
    managers = _read(new["metadata"].get("managedFields"))
    changes = compare(old, new, type_)
    touched = FieldSet(changes.added | changes.modified)
    mine, time = managers.get(writer.identity, (FieldSet(), None))
    owned = ((mine - FieldSet(changes.removed)) | touched).without_below((*_UNTRACKED, *writer.ignored))
    if owned == mine:
        owned = mine
    else:
        time = writer.time
    others = _take_from_others(managers, writer, touched, FieldSet(changes.removed))
    if owned:
        others[writer.identity] = (owned, time)
    _write(new, others)


def apply_configuration(
    live: Object,
    applied: Object,
    type_: Type | None,
    writer: Writer,
    *,
    force: bool,
    applied_before: Object | None = None,
) -> Object:
    """The object that server-side apply makes of ``live``, with managedFields.

    Args:
        live: the object as it is.
        applied: the configuration.
        type_: the type of both.
        writer: who applies it.
        force: whether to take fields from their owners.
        applied_before: what the same user has applied on the client side: values that still agree with it do not
            conflict (lastappliedmanager.go).

    Raises:
        StatusError: 409, fields that it would change have other owners, and ``force`` is not set.
    """
    managers = _read(live["metadata"].get("managedFields"))
    mine_before, time = managers.get(writer.identity, (FieldSet(), None))
    owned = field_set(applied, type_).without_below((*_UNTRACKED, *writer.ignored))
    merged = merge(live, applied, type_)
    all_owned = FieldSet(owned.paths.union(*(fields.paths for identity, (fields, _) in managers.items()
                                             if identity != writer.identity)))  # fmt: skip
    result: Object = remove(merged, type_, mine_before, all_owned) if mine_before else merged
    changes = compare(live, result, type_)
    touched = FieldSet(changes.added | changes.modified).without_below((*_UNTRACKED, *writer.ignored))
    if not force:
        _check_conflicts(managers, writer, touched - _still_as_applied(applied_before, live, type_))
    others = _take_from_others(managers, writer, touched, FieldSet(changes.removed))
    if changes.added or changes.modified or changes.removed:
        # As in Go, becoming an owner of present values does not count as a change with a time.
        time = writer.time
    others[writer.identity] = (owned, time)
    _write(result, others)
    return result


def _still_as_applied(applied: Object | None, live: Object, type_: Type | None) -> FieldSet:
    if applied is None:
        return FieldSet()
    differing = compare(applied, live, type_)
    return field_set(applied, type_) - FieldSet(differing.modified | differing.removed)


def _check_conflicts(managers: _Managers, writer: Writer, touched: FieldSet) -> None:
    found = [
        (identity, path)
        for identity, (fields, _) in sorted(managers.items())
        if identity != writer.identity
        for path in fields & touched
    ]
    if not found:
        return
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_describe(identity, writer)}",
            "field": path_text(path),
        }
        for identity, path in found
    ]
    by_manager: dict[str, list[str]] = {}
    for identity, path in found:
        by_manager.setdefault(_describe(identity, writer), []).append(path_text(path))
    if len(found) == 1:
        detail = f"conflict with {_describe(found[0][0], writer)}: {path_text(found[0][1])}"
    else:
        detail = "\n".join(
            f"conflicts with {who}:" + "".join(f"\n- {path}" for path in paths) for who, paths in by_manager.items()
        )
    plural = "" if len(found) == 1 else "s"
    message = f"Apply failed with {len(found)} conflict{plural}: {detail}"
    raise StatusError(409, "Conflict", message, {"causes": causes})


def _describe(identity: tuple[str, str, str, str], writer: Writer) -> str:
    manager, operation, api_version, subresource = identity
    text = f'"{manager}"'
    if subresource:
        text += f' with subresource "{subresource}"'
    if operation == "Update" or api_version != writer.api_version:
        text += f" using {api_version}"
    return text


def _take_from_others(managers: _Managers, writer: Writer, touched: FieldSet, removed: FieldSet) -> _Managers:
    """The other managers, without the fields that this write has changed or removed."""
    others: _Managers = {}
    taken = touched | removed
    for identity, (fields, time) in managers.items():
        if identity != writer.identity and (left := fields - taken):
            others[identity] = (left, time)
    return others


def _read(entries: Iterable[Mapping[str, Any]] | None) -> _Managers:
    return {
        (
            each.get("manager", ""),
            each.get("operation", ""),
            each.get("apiVersion", ""),
            each.get("subresource", ""),
        ): (FieldSet.from_wire(each.get("fieldsV1") or {}), each.get("time"))
        for each in entries or ()
    }


def _write(obj: Object, managers: _Managers) -> None:
    entries = []
    for (manager, operation, api_version, subresource), (fields, time) in managers.items():
        entry: Object = {"manager": manager, "operation": operation, "apiVersion": api_version}
        if time is not None:
            entry["time"] = time
        entry["fieldsType"] = "FieldsV1"
        entry["fieldsV1"] = fields.to_wire()
        if subresource:
            entry["subresource"] = subresource
        entries.append(entry)
    entries = _capped(entries)
    entries.sort(key=lambda e: (e["operation"] != "Apply", e.get("time", ""), e["manager"], e.get("subresource", "")))
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def _capped(entries: list[Object]) -> list[Object]:
    updates = sorted((each for each in entries if each["operation"] == "Update"), key=lambda each: each.get("time", ""))
    surplus = len(updates) - MAX_UPDATE_MANAGERS
    if surplus <= 0:
        return entries
    oldest = updates[: surplus + 1]
    fields = FieldSet(path for each in oldest for path in FieldSet.from_wire(each["fieldsV1"]).paths)
    bucket = {**oldest[-1], "manager": "ancient-changes", "fieldsV1": fields.to_wire()}
    merged = {id(each) for each in oldest}
    return [*(each for each in entries if id(each) not in merged), bucket]
