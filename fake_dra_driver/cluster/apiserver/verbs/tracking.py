"""When a write is tracked in managedFields, and under which manager.

Follows k8s.io/apimachinery/pkg/util/managedfields/internal (fieldmanager.go, skipnonapplied.go, stripmeta.go) and the
strategies' reset fields. Decides what ``managedfields`` then computes.
"""

from collections.abc import Mapping, Sequence

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.merge.fieldpaths import Path
from fake_dra_driver.cluster.apiserver.merge.managedfields import Writer, is_readable, track_update
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.decode import zero_value
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.verbs.objectstate import with_nulls
from fake_dra_driver.cluster.apiserver.verbs.options import WriteOptions

__all__ = ["Tracking", "kept_by_status"]

_ALL = ("labels", "annotations", "finalizers", "ownerReferences", "generateName")
_KEPT_BY_STATUS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("Pod", "Node", "Namespace", "DaemonSet", "ReplicaSet"), ()),
    "Deployment": ("labels",),
}
_BEFORE_FIRST_APPLY = "before-first-apply"


def kept_by_status(resource: Resource) -> Sequence[str]:
    """The fields of the metadata that a write of the status cannot change; the kind's strategy decides."""
    return _ALL if resource.custom else _KEPT_BY_STATUS.get(resource.kind, _ALL)


class Tracking:
    """Keeps managedFields up to date."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps

    def writer(self, resource: Resource, operation: str, subresource: str, options: WriteOptions) -> Writer:
        """Who writes."""
        ignored: tuple[Path, ...] = ()
        if subresource == "status":
            kept = kept_by_status(resource)
            metadata = [("f:metadata",)] if kept == _ALL else [("f:metadata", f"f:{name}") for name in kept]
            ignored = (("f:spec",), *metadata)
        elif resource.has_status:
            ignored = (("f:status",),)
        return Writer(options.manager, operation, resource.api_version, subresource, self._stamps.now_text(), ignored)

    def created(self, resource: Resource, obj: Object, options: WriteOptions) -> None:
        """Tracks a new object."""
        self._track(resource, _empty(resource), obj, self.writer(resource, "Update", "", options))

    def updated(self, resource: Resource, old: Object, obj: Object, subresource: str, options: WriteOptions) -> None:
        """Tracks an update. An object that is not tracked stays so until it is applied to."""
        metadata, before = obj["metadata"], old["metadata"].get("managedFields")
        sent = metadata.get("managedFields")
        if subresource or sent is None:
            sent = before
        elif sent in ([], [{}]):
            # This is how a client asks to clear them.
            sent = None
        elif not is_readable(sent):
            sent = before
        if not sent:
            metadata.pop("managedFields", None)
            return
        metadata["managedFields"] = sent
        self._track(resource, old, obj, self.writer(resource, "Update", subresource, options))

    def live_for_apply(self, resource: Resource, live: Object) -> Object:
        """The present object, every field with an owner: those not tracked belong to ``before-first-apply``."""
        if not live["metadata"].get("managedFields"):
            options = WriteOptions(manager=_BEFORE_FIRST_APPLY)
            self._track(resource, _empty(resource), live, self.writer(resource, "Update", "", options))
        return live

    def _track(self, resource: Resource, old: Object, obj: Object, writer: Writer) -> None:
        # An entry names fields as the version has them that it was written in.
        before, after = resource.from_stored(old), resource.from_stored(obj)
        try:
            track_update(before, after, resource.type, writer)
            obj["metadata"] = after["metadata"]
        except StatusError:
            # As on a real server, an object whose fields cannot be told apart is not tracked.
            obj["metadata"].pop("managedFields", None)


def _empty(resource: Resource) -> Object:
    """What a new object is compared with to find the fields that its creator has set."""
    return resource.to_stored(
        {"metadata": {}} if resource.custom else with_nulls(zero_value(resource.type), resource.type)
    )
