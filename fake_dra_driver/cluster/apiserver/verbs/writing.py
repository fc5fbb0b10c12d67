"""Create and update: everything that happens to an object between the request and the store.

Follows k8s.io/apiserver/pkg/registry/generic/registry/store.go. The order of a write: decode, prepare (what this
request may not change is restored), default, admit, validate, track field owners, store. On the event loop no other
request comes in between. A write that is made in a thread (``heavywork``) is overtaken if its object has changed
meanwhile; it is then made again from the changed one, as with etcd (GuaranteedUpdate).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.admission.admission import Admission
from fake_dra_driver.cluster.apiserver.admission.attributes import Attributes, Operation
from fake_dra_driver.cluster.apiserver.custom.crd import accepted_status, default_crd, initial_status
from fake_dra_driver.cluster.apiserver.custom.crdrules import validate_crd, validate_crd_update
from fake_dra_driver.cluster.apiserver.custom.customobject import apply_defaults, validate_custom
from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    go_quoted,
    internal_error,
    invalid,
    invalid_value,
    not_found,
)
from fake_dra_driver.cluster.apiserver.heavywork import on_loop
from fake_dra_driver.cluster.apiserver.merge.managedfields import Writer, track_update
from fake_dra_driver.cluster.apiserver.rules.priority import admit_priority
from fake_dra_driver.cluster.apiserver.rules.serviceaccounts import admit_service_account
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Collection, Key, Object, Record, Store, draft
from fake_dra_driver.cluster.apiserver.types.decode import (
    cannot_handle,
    decode_builtin,
    prune_custom,
    whole_numbers,
    zero_value,
)
from fake_dra_driver.cluster.apiserver.types.metadata import validate_metadata, validate_metadata_update
from fake_dra_driver.cluster.apiserver.types.objecttype import OBJECT_META, TypeRegistry
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.verbs.objectstate import (
    desired,
    is_finished,
    is_same,
    shape_problems,
    unstored,
)
from fake_dra_driver.cluster.apiserver.verbs.options import WriteOptions
from fake_dra_driver.cluster.apiserver.verbs.tracking import Tracking, kept_by_status
from fake_dra_driver.cluster.releases import DEFAULT, ApiDetails

__all__ = ["Transform", "Writing", "judge_unknown", "storage_error"]

_ATTEMPTS = 5
"""How often a write is made that is overtaken each time (maxRetryWhenPatchConflicts)."""
_MAX_OBJECT_BYTES = 1536 * 1024 - 512
"""Largest object, with room for its key (--max-request-bytes of etcd)."""
_MAX_STRICT_ERRORS = 100
"""Unknown fields beyond are not named (sigs.k8s.io/json)."""
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"

Transform = Callable[[Object], Object]
"""Returns the new object; may change and return the present one, which it gets."""


class _Overtaken(Exception):  # noqa: N818 - never leaves this module
    """Another request has changed the object since it was read."""


class Writing:
    """The writes of all resources on one store. Safe for concurrent use on its event loop and in its heavy work."""

    def __init__(
        self,
        store: Store,
        types: TypeRegistry,
        stamps: Stamps,
        admission: Admission,
        details: ApiDetails = DEFAULT.details,
        *,
        admits_accounts: bool = False,
    ) -> None:
        """On one store.

        Args:
            store: where the objects are.
            types: the types of the built-in kinds.
            stamps: makes names, UIDs and times.
            admission: is asked whether valid writes are admitted.
            details: those of the release.
            admits_accounts: whether admission gives pods their service accounts.
        """
        self._store = store
        self._admits_accounts = admits_accounts
        self._types = types
        self._stamps = stamps
        self._admission = admission
        self._details = details
        self.tracking = Tracking(stamps)
        self.on_crd: Callable[[Object], None] = lambda _: None
        """Called with each CRD after a write."""

    def size_bytes(self, resource: Resource, key: Key) -> int:
        """The size of an object as it is stored; 0: it is not there."""
        record = self._store.collection(resource.storage_key).get(key)
        return len(record.body) if record is not None else 0

    def sizes_bytes(self, resource: Resource, namespace: str) -> int:
        """The size of all objects, or of those of a namespace."""
        return sum(len(record.body) for record in self._store.collection(resource.storage_key).records(namespace))

    # --- create ---

    def create(self, resource: Resource, namespace: str, body: Object, options: WriteOptions) -> Record:
        """Stores a new object. Raises StatusError."""
        obj = self.decode(resource, body, options)
        self.place(resource, namespace, obj)
        return self.store_new(resource, obj, options, applied=False)

    def store_new(self, resource: Resource, obj: Object, options: WriteOptions, *, applied: bool) -> Record:
        """Stores a decoded object that has name and namespace; ``applied``: managedFields, too. Raises StatusError."""
        metadata = obj["metadata"]
        self._check_namespace(resource, metadata)
        if metadata.get("resourceVersion"):
            raise internal_error("resourceVersion should not be set on objects to be created")
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"):
            metadata.pop(name, None)
        metadata["uid"] = self._stamps.uid()
        metadata["creationTimestamp"] = self._stamps.now_text()
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._stamps.name(metadata["generateName"])
        self._prepare_create(resource, obj)
        key = Key(metadata.get("namespace", ""), metadata.get("name", ""))
        if not applied:
            self.tracking.created(resource, obj, options)
        if not resource.custom:
            # What admission adds has no owner.
            if resource.kind == "Pod":
                if self._admits_accounts:
                    admit_service_account(self._store, obj, self._stamps.name)
                admit_priority(self._store, obj)
            resource.rules.admit(obj)
        problems = validate_metadata(
            obj, resource.rules.name_problems, numbers_owners=self._details.owners_are_numbered
        )
        self._raise(resource, key.name, [*problems, *self._problems(resource, obj, None, "")])
        self._review("CREATE", resource, "", key, obj, None, options)
        options.warnings.extend(resource.rules.warn(obj))
        collection = self._store.collection(resource.storage_key)
        drafted = None if options.dry_run else _draft(obj)

        def commit() -> Record:
            if collection.get(key) is not None:
                raise already_exists(resource.group, resource.plural, key.name)
            if drafted is None:
                return unstored(key, obj)
            record = collection.put(key, drafted)
            if resource.kind == "CustomResourceDefinition" and not resource.custom:
                return self._establish(collection, record)
            return record

        return on_loop(commit)

    def place(self, resource: Resource, namespace: str, obj: Object) -> None:
        """Sets the object's namespace from the URL."""
        given = obj["metadata"].get("namespace")
        if resource.namespaced:
            if given and given != namespace:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            obj["metadata"]["namespace"] = namespace
        elif given:
            raise bad_request("namespace may not be set on cluster-scoped objects")

    def _check_namespace(self, resource: Resource, metadata: Mapping[str, Any]) -> None:
        """NamespaceLifecycle: nothing new in a namespace that is missing or being deleted."""
        if not resource.namespaced:
            return
        name = metadata.get("namespace", "")
        record = self._store.collection(("", "namespaces")).get(Key("", name))
        if record is None:
            raise not_found("", "namespaces", name)
        if record.value["metadata"].get("deletionTimestamp"):
            shown = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
            message = f"unable to create new content in namespace {name} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            details = {"name": metadata.get("name", ""), "kind": resource.plural, "causes": [cause]}
            if resource.group:
                details["group"] = resource.group
            raise StatusError(
                403, "Forbidden", f'{shown} "{metadata.get("name", "")}" is forbidden: {message}', details
            )

    def _prepare_create(self, resource: Resource, obj: Object) -> None:
        rules = resource.rules
        if rules.has_generation or resource.kind == "CustomResourceDefinition":
            obj["metadata"]["generation"] = 1
        if resource.kind == "CustomResourceDefinition" and not resource.custom:
            obj["status"] = initial_status(obj)
        elif resource.has_status and not rules.keeps_status_on_create:
            obj.pop("status", None)
            if rules.status_on_create is not None:
                status_type = resource.type.field("status")
                zero = zero_value(status_type) if status_type is not None else {}
                obj["status"] = {**zero, **json.loads(json.dumps(rules.status_on_create))}
        self._default(resource, obj)
        rules.prepare(obj, None)
        rules.drop_fields(obj, None)

    def _establish(self, collection: Collection, record: Record) -> Record:
        """Accepts a CRD's names and serves it. The client sees the object as it was before, as on a real server."""
        crd = record.copy()
        old = record.copy()
        crd["status"] = accepted_status(crd, self._stamps.now_text())
        writer = Writer("kube-apiserver", "Update", "apiextensions.k8s.io/v1", "status", self._stamps.now_text())
        type_ = self._types.named(self._types.name_of("apiextensions.k8s.io", "v1", "CustomResourceDefinition"))
        track_update(old, crd, type_, writer)
        established = collection.put(record.key, crd)
        self.on_crd(established.copy())
        return record

    # --- update ---

    def update(
        self, resource: Resource, key: Key, subresource: str, body: Object, options: WriteOptions
    ) -> tuple[Record, bool]:
        """Replaces an object (or its status). Returns it, and False. Raises StatusError."""

        def decoded() -> Object:
            obj = self.decode(resource, body, options)
            self.check_identity(resource, key, obj)
            self._check_uid(resource, key, obj)
            return obj

        obj = decoded()
        if not obj["metadata"].get("resourceVersion") and not resource.rules.update_without_version:
            self._existing(resource, key)
            none = "0" if self._details.values_are_json else "0x0"
            problem = invalid_value("metadata.resourceVersion", none, "must be specified for an update")
            raise invalid(resource.group, resource.plural, key.name, [problem])
        # An attempt to write an object changes it.
        first = iter((obj,))
        return self.change(resource, key, subresource, lambda _: next(first, None) or decoded(), options), False

    def change(
        self,
        resource: Resource,
        key: Key,
        subresource: str,
        transform: Transform,
        options: WriteOptions,
        *,
        applied: bool = False,
    ) -> Record:
        """Writes what ``transform`` makes of an object. An unchanged object is not written.

        Raises:
            StatusError: among others 409, it was overtaken by other writes again and again.
        """
        return self._repeated(
            resource,
            key,
            options,
            lambda: self._change(resource, key, subresource, transform, options, applied=applied),
        )

    def _repeated(self, resource: Resource, key: Key, options: WriteOptions, attempt: Callable[[], Record]) -> Record:
        """Makes a write again while it is overtaken. Raises StatusError."""
        warnings = list(options.warnings)
        for _ in range(_ATTEMPTS):
            options.warnings[:] = warnings
            try:
                return attempt()
            except _Overtaken:
                continue
        raise conflict(resource.group, resource.plural, key.name, _MODIFIED)

    def _change(
        self,
        resource: Resource,
        key: Key,
        subresource: str,
        transform: Transform,
        options: WriteOptions,
        *,
        applied: bool,
    ) -> Record:
        """One attempt. Raises _Overtaken."""
        record = self._existing(resource, key)
        old = record.copy()
        obj = transform(record.copy())
        self._check_versions(resource, key, obj, old)
        self._prepare_update(resource, obj, old, subresource)
        # A real server checks the metadata in two places, and reports its findings twice.
        metadata_problems = validate_metadata_update(obj, old, numbers_owners=self._details.owners_are_numbered)
        problems = [*metadata_problems, *metadata_problems, *self._problems(resource, obj, old, subresource)]
        self._raise(resource, key.name, problems)
        self._review("UPDATE", resource, subresource, key, obj, old, options)
        options.warnings.extend(resource.rules.warn(obj))
        if not applied:
            self.tracking.updated(resource, old, obj, subresource, options)
        if is_same(obj, old):
            return record
        if options.dry_run:
            return unstored(key, obj)
        drafted = _draft(obj)
        return on_loop(lambda: self._commit(resource, record, obj, drafted))

    def _review(
        self,
        operation: Operation,
        resource: Resource,
        subresource: str,
        key: Key,
        obj: Object,
        old: Object | None,
        options: WriteOptions,
    ) -> None:
        """Asks whether a valid write is admitted. Raises StatusError."""
        if options.user is not None:
            write = Attributes(operation, resource, subresource, key, obj, old, options.user, options.dry_run)
            self._admission.review(write, options.warnings.append)

    def _commit(self, resource: Resource, record: Record, obj: Object, drafted: bytes) -> Record:
        """Stores the object in the place of the one that it was made from. Raises _Overtaken."""
        collection = self._store.collection(resource.storage_key)
        if collection.get(record.key) is not record:
            raise _Overtaken
        if is_finished(obj):
            return collection.remove(record.key, obj)
        written = collection.put(record.key, drafted)
        if resource.kind == "CustomResourceDefinition" and not resource.custom:
            self.on_crd(written.copy())
        return written

    def force_change(self, resource: Resource, key: Key, transform: Transform, options: WriteOptions) -> Record:
        """Writes spec and status together, unchecked: for the server's own changes, such as a binding."""

        def attempt() -> Record:
            record = self._existing(resource, key)
            obj = transform(record.copy())
            if options.dry_run:
                return unstored(key, obj)
            self.tracking.updated(resource, record.copy(), obj, "", options)
            drafted = _draft(obj)
            return on_loop(lambda: self._commit(resource, record, obj, drafted))

        return self._repeated(resource, key, options, attempt)

    def _existing(self, resource: Resource, key: Key) -> Record:
        record = self._store.collection(resource.storage_key).get(key)
        if record is None:
            raise not_found(resource.group, resource.plural, key.name)
        return record

    def check_identity(self, resource: Resource, key: Key, obj: Object) -> None:
        """The object must be the one that the URL names. Raises StatusError (400)."""
        metadata = obj["metadata"]
        if metadata.get("name", "") != key.name:
            given = metadata.get("name", "")
            raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({key.name})")
        self.place(resource, key.namespace, obj)

    def _check_uid(self, resource: Resource, key: Key, obj: Object) -> None:
        """A PUT with a UID is meant for that very object."""
        record = self._store.collection(resource.storage_key).get(key)
        given, present = obj["metadata"].get("uid"), record.value["metadata"]["uid"] if record is not None else ""
        if given and given != present:
            detail = f"Precondition failed: UID in precondition: {given}, UID in object meta: {present}"
            raise storage_error(resource, key, detail)

    def _check_versions(self, resource: Resource, key: Key, obj: Object, old: Object) -> None:
        metadata, before = obj["metadata"], old["metadata"]
        version = metadata.get("resourceVersion") or before["resourceVersion"]
        if not version.isdecimal():
            raise internal_error(f'strconv.ParseUint: parsing "{version}": invalid syntax')
        metadata["uid"] = metadata.get("uid") or before["uid"]
        if version != before["resourceVersion"]:
            raise conflict(resource.group, resource.plural, key.name, _MODIFIED)
        metadata["resourceVersion"] = version

    def _prepare_update(self, resource: Resource, obj: Object, old: Object, subresource: str) -> None:
        metadata, before = obj["metadata"], old["metadata"]
        for name in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            if name in before:
                metadata[name] = before[name]
            else:
                metadata.pop(name, None)
        if before.get("generateName") and not metadata.get("generateName"):
            metadata["generateName"] = before["generateName"]
        if subresource == "status":
            self._keep_all_but_status(resource, obj, old)
        elif resource.has_status:
            if "status" in old:
                obj["status"] = old["status"]
            else:
                obj.pop("status", None)
        if resource.kind == "Namespace" and subresource != "finalize":
            obj["spec"] = old["spec"]
        self._default(resource, obj)
        resource.rules.prepare(obj, old)
        is_generational = resource.rules.has_generation or resource.kind == "CustomResourceDefinition"
        if is_generational and subresource != "status" and desired(resource, obj) != desired(resource, old):
            metadata["generation"] = before.get("generation", 0) + 1
        resource.rules.drop_fields(obj, old)

    def _keep_all_but_status(self, resource: Resource, obj: Object, old: Object) -> None:
        for name in [name for name in obj if name not in ("metadata", "status", "kind", "apiVersion")]:
            del obj[name]
        obj.update({name: value for name, value in old.items() if name not in ("metadata", "status")})
        for name in kept_by_status(resource):
            if name in old["metadata"]:
                obj["metadata"][name] = old["metadata"][name]
            else:
                obj["metadata"].pop(name, None)

    # --- what they share ---

    def decode(self, resource: Resource, body: Object, options: WriteOptions, known: Object | None = None) -> Object:
        """The body as an object of that kind: known fields only, of the right types.

        Args:
            resource: its kind.
            body: what was sent, or made of it.
            options: of the write.
            known: the stored object, where parts of that are in the body: they are not looked at again.
        """
        if resource.custom:
            obj, unknown = self.decode_custom(resource, body)
        else:
            obj, unknown = decode_builtin(body, resource.type, resource.kind, resource.version, known)
        judge_unknown(unknown, resource.kind, resource.version, options)
        for name in ("kind", "apiVersion"):
            obj.pop(name, None)
        obj.setdefault("metadata", {})
        return resource.to_stored(obj)

    def decode_custom(self, resource: Resource, body: Object) -> tuple[Object, list[str]]:
        """A body as an object of a custom kind, and the fields that it does not know. Raises StatusError (400)."""
        obj: Object = whole_numbers(body)
        meta_type = self._types.named(OBJECT_META)
        metadata = body.get("metadata")
        if metadata is not None and not isinstance(metadata, dict):
            raise cannot_handle(resource.kind, resource.version, "metadata is not an object")
        try:
            obj["metadata"], unknown = decode_builtin(metadata or {}, meta_type, "ObjectMeta", resource.version)
        except StatusError as error:
            detail = error.message.partition("cannot be handled as a ObjectMeta: ")[2]
            raise cannot_handle(resource.kind, resource.version, detail) from error
        unknown = [f"metadata.{field}" for field in unknown]
        unknown += prune_custom(obj, resource.type)
        return obj, unknown

    def _default(self, resource: Resource, obj: Object) -> None:
        if resource.custom:
            apply_defaults(obj, resource.type)
            return
        if resource.kind == "CustomResourceDefinition":
            default_crd(obj)
        resource.rules.set_defaults(obj)

    def _problems(self, resource: Resource, obj: Object, old: Object | None, subresource: str) -> list[Problem]:
        if resource.custom:
            part = subresource if subresource == "status" else ""
            return validate_custom(obj, resource.type, old, part=part, details=self._details)
        if resource.kind == "CustomResourceDefinition":
            return [*validate_crd(obj), *(validate_crd_update(obj, old) if old is not None else ())]
        rules = resource.rules
        if subresource == "status" and old is not None and rules.validate_status is not None:
            return rules.validate_status(obj, old)
        problems = rules.validate(obj) if old is None or rules.revalidates else []
        if old is not None:
            problems = [*rules.validate_update(obj, old), *problems]
        return problems or shape_problems(resource.from_stored(obj).get("spec"), resource.type.field("spec"), "spec")

    def _raise(self, resource: Resource, name: str, problems: list[Problem]) -> None:
        if problems:
            raise invalid(resource.group, resource.kind, name, problems)


def _draft(obj: Object) -> bytes:
    """The object as the store takes it. Raises StatusError: 500, as on a real server, if it is too large for that."""
    drafted = draft(obj)
    if len(drafted) > _MAX_OBJECT_BYTES:
        raise internal_error("etcdserver: request is too large")
    return drafted


def judge_unknown(unknown: Sequence[str], kind: str, version: str, options: WriteOptions) -> None:
    """Refuses, reports or ignores duplicate and unknown fields, as the client asks. Raises StatusError."""
    strange = [*options.duplicates, *(f"unknown field {go_quoted(each)}" for each in unknown[:_MAX_STRICT_ERRORS])]
    if strange and options.validation == "Strict":
        raise cannot_handle(kind, version, f"strict decoding error: {', '.join(strange)}")
    if options.validation == "Warn":
        options.warnings.extend(strange)


def storage_error(resource: Resource, key: Key, detail: str) -> StatusError:
    """409: a precondition that the store itself checks does not hold."""
    parts = [part for part in ("/registry", resource.group, resource.plural, *key) if part]
    head = f"StorageError: invalid object, Code: 4, Key: {'/'.join(parts)}, ResourceVersion: 0"
    return conflict(resource.group, resource.plural, key.name, f"{head}, AdditionalErrorMsg: {detail}")
