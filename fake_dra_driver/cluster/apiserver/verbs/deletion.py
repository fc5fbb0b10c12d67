"""Deletion: preconditions, grace periods, finalizers, propagation, collections, and what CRDs and namespaces do.

Follows k8s.io/apiserver/pkg/registry/generic/registry/store.go (Delete) and pkg/registry/rest/delete.go. An object that
owns others is removed at once here (background); the finalizers ``foregroundDeletion`` and ``orphan`` are left to a
garbage collector, ``kubernetes`` in a namespace's spec to a namespace controller.
"""

from collections.abc import Callable
from functools import partial

from fake_dra_driver.cluster.apiserver.custom.crd import CLEANUP_FINALIZER
from fake_dra_driver.cluster.apiserver.errors import conflict, not_admitted, not_found
from fake_dra_driver.cluster.apiserver.heavywork import on_loop
from fake_dra_driver.cluster.apiserver.rules.priority import SYSTEM_PRIORITY_CLASSES
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Collection, Key, Object, Record, Store
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.verbs.options import DeleteOptions

__all__ = ["Deletion"]

_IMMORTAL_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
_BY_POLICY = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


class Deletion:
    """Deletions on one store."""

    def __init__(self, store: Store, stamps: Stamps) -> None:
        self._store = store
        self._stamps = stamps
        self.on_crd_gone: Callable[[Object], None] = lambda _: None
        """Called with each CRD whose last object is gone, before the CRD is removed."""

    def delete(self, resource: Resource, key: Key, options: DeleteOptions) -> tuple[Record, bool]:
        """Deletes an object, or marks it. Returns its last state, and whether it is gone. Raises StatusError."""
        collection = self._store.collection(resource.storage_key)
        record = collection.get(key)
        if record is None:
            raise not_found(resource.group, resource.plural, key.name)
        self._check(resource, record, options)
        if resource.kind == "PriorityClass" and not resource.custom and key.name in SYSTEM_PRIORITY_CLASSES:
            message = "this is a system priority class and cannot be deleted"
            raise not_admitted(resource.group, resource.plural, key.name, message)
        obj = record.shallow_copy()
        if resource.custom is False and resource.kind == "Namespace":
            return self._delete_namespace(collection, record, options)
        if resource.custom is False and resource.kind == "CustomResourceDefinition":
            finalizers = obj["metadata"].get("finalizers") or []
            if CLEANUP_FINALIZER not in finalizers:
                obj["metadata"]["finalizers"] = [*finalizers, CLEANUP_FINALIZER]
        self._mark(resource, obj, options)
        if resource.custom is False and resource.kind == "CustomResourceDefinition":
            obj["metadata"].pop("deletionGracePeriodSeconds", None)
            obj["metadata"]["generation"] = record.value["metadata"]["generation"]
        if options.dry_run:
            return record, not obj["metadata"].get("finalizers")
        metadata = obj["metadata"]
        if not metadata.get("finalizers") and not metadata.get("deletionGracePeriodSeconds"):
            if resource.rules.grace_seconds is not None:
                # A kind with a grace period is marked even if the period is 0: watchers see both events.
                collection.put(key, obj)
            return collection.remove(key, None if "deletionTimestamp" not in record.value["metadata"] else obj), True
        marked = record if obj == record.value else collection.put(key, obj)
        if resource.custom is False and resource.kind == "CustomResourceDefinition":
            self.finish_crd(key)
        return marked, False

    def delete_collection(self, resource: Resource, records: list[Record], options: DeleteOptions) -> list[Record]:
        """Deletes each of these objects. One that has gone meanwhile, which heavy work allows for, is no error."""
        found = [on_loop(partial(self._delete_present, resource, record.key, options)) for record in records]
        return [record for record in found if record is not None]

    def _delete_present(self, resource: Resource, key: Key, options: DeleteOptions) -> Record | None:
        is_there = self._store.collection(resource.storage_key).get(key) is not None
        return self.delete(resource, key, options)[0] if is_there else None

    def finish_crd(self, key: Key) -> None:
        """Deletes the objects of a CRD that is being deleted, and, once there are none, the CRD itself."""
        crds = self._store.collection(("apiextensions.k8s.io", "customresourcedefinitions"))
        record = crds.get(key)
        if record is None or not record.value["metadata"].get("deletionTimestamp"):
            return
        crd = record.copy()
        collection = self._store.collection((crd["spec"]["group"], crd["spec"]["names"]["plural"]))
        for each in list(collection.records()):
            obj = each.copy()
            if obj["metadata"].get("finalizers"):
                if not obj["metadata"].get("deletionTimestamp"):
                    self._stamp(obj, 0)
                    collection.put(each.key, obj)
            else:
                collection.remove(each.key, obj)
        if len(collection):
            return
        self.on_crd_gone(crd)
        finalizers = [each for each in crd["metadata"]["finalizers"] if each != CLEANUP_FINALIZER]
        crd["metadata"]["finalizers"] = finalizers
        if finalizers:
            crds.put(key, crd)
        else:
            del crd["metadata"]["finalizers"]
            crds.remove(key, crd)

    def _check(self, resource: Resource, record: Record, options: DeleteOptions) -> None:
        metadata = record.value["metadata"]
        if options.uid is not None and options.uid != metadata["uid"]:
            raise conflict(
                resource.group,
                resource.kind,
                record.key.name,
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']}). "
                "The object might have been deleted and then recreated",
            )
        if options.resource_version is not None and options.resource_version != metadata["resourceVersion"]:
            raise conflict(
                resource.group,
                resource.kind,
                record.key.name,
                f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
                f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have been modified",
            )

    def _mark(self, resource: Resource, obj: Object, options: DeleteOptions) -> None:
        """Sets finalizers and grace period as this deletion asks for."""
        metadata = obj["metadata"]
        finalizers, propagation = metadata.get("finalizers") or (), options.propagation
        if propagation is None and resource.rules.orphan_warning and not set(finalizers) & set(_BY_POLICY.values()):
            propagation = "Orphan"
        if propagation is not None:
            others = [each for each in finalizers if each not in _BY_POLICY.values()]
            wanted = _BY_POLICY.get(propagation)
            metadata["finalizers"] = [*others, *([wanted] if wanted else [])]
            if not metadata["finalizers"]:
                del metadata["finalizers"]
        grace = 0
        if resource.rules.grace_seconds is not None:
            grace = resource.rules.grace_seconds(obj)
            if options.grace_seconds is not None and (grace or options.grace_seconds == 0):
                grace = max(options.grace_seconds, 0)
        if metadata.get("deletionTimestamp"):
            if grace < (metadata.get("deletionGracePeriodSeconds") or 0):
                metadata["deletionGracePeriodSeconds"] = grace
                metadata["deletionTimestamp"] = self._stamps.now_text(after_seconds=grace)
            return
        self._stamp(obj, grace)

    def _delete_namespace(self, collection: Collection, record: Record, options: DeleteOptions) -> tuple[Record, bool]:
        obj = record.copy()
        name = record.key.name
        if name in _IMMORTAL_NAMESPACES:
            raise not_admitted("", "namespaces", name, "this namespace may not be deleted")
        if not obj["metadata"].get("deletionTimestamp"):
            obj["metadata"]["deletionTimestamp"] = self._stamps.now_text()
            obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
            if not options.dry_run:
                record = collection.put(record.key, obj)
            return record, False
        if obj["spec"].get("finalizers") or obj["metadata"].get("finalizers"):
            return record, False
        return collection.remove(record.key, obj), True

    def _stamp(self, obj: Object, grace_seconds: int) -> None:
        metadata = obj["metadata"]
        metadata["deletionTimestamp"] = self._stamps.now_text(after_seconds=grace_seconds)
        metadata["deletionGracePeriodSeconds"] = grace_seconds
        if metadata.get("generation"):
            metadata["generation"] += 1
