"""Patches and server-side apply: from the stored object to the one to write.

Follows k8s.io/apiserver/pkg/endpoints/handlers/patch.go. What a patch type does is in ``patchformats``, who owns
which field in ``managedfields``; the write itself is that of ``writing``.
"""

import json
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    StatusError,
    bad_request,
    conflict,
    internal_error,
    not_found,
    unsupported_media_type,
)
from fake_dra_driver.cluster.apiserver.merge.managedfields import apply_configuration
from fake_dra_driver.cluster.apiserver.merge.patchformats import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    patched,
    unfit,
)
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Record, Store
from fake_dra_driver.cluster.apiserver.types.decode import decode_builtin, json_kind
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.verbs.options import WriteOptions
from fake_dra_driver.cluster.apiserver.verbs.writing import Writing
from fake_dra_driver.cluster.releases import ApiDetails

__all__ = ["Patching"]

_KUBECTL = "kubectl"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Patching:
    """The patches of all resources on one store."""

    def __init__(self, store: Store, writing: Writing, details: ApiDetails) -> None:
        self._store = store
        self._details = details
        self._writing = writing

    def patch(
        self, resource: Resource, key: Key, subresource: str, content_type: str, patch: Any, options: WriteOptions
    ) -> tuple[Record, bool]:
        """Applies a patch. Returns the object, and whether it is a new one (server-side apply). Raises StatusError."""
        if content_type == APPLY_PATCH:
            return self._apply(resource, key, subresource, patch, options)
        if content_type == STRATEGIC_PATCH and resource.custom:
            raise unsupported_media_type((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))

        def transform(present: Object) -> Object:
            shown = resource.from_stored(present)
            present = {"apiVersion": resource.api_version, "kind": resource.kind, **shown}
            result = patched(present, content_type, patch, resource.type)
            # What a merge patch leaves alone is in the result as it was.
            known = present if content_type == MERGE_PATCH else None
            try:
                obj = self._writing.decode(resource, result, options, known)
            except StatusError as error:
                if error.code != 400 or "strict decoding" in error.message:
                    raise
                detail = error.message.partition(f"cannot be handled as a {resource.kind}: ")[2] or error.message
                raise unfit(result, detail) from error
            self._writing.check_identity(resource, key, obj)
            return obj

        return self._writing.change(resource, key, subresource, transform, options), False

    def _apply(
        self, resource: Resource, key: Key, subresource: str, applied: Any, options: WriteOptions
    ) -> tuple[Record, bool]:
        self._check_applied(resource, key, applied)
        writer = self._writing.tracking.writer(resource, "Apply", subresource, options)
        collection = self._store.collection(resource.storage_key)
        if collection.get(key) is None:
            if subresource:
                raise not_found(resource.group, resource.plural, key.name)
            live: Object = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}}
            merged = apply_configuration(live, applied, resource.type, writer, force=options.force)
            obj = self._writing.decode(resource, merged, options)
            self._writing.place(resource, key.namespace, obj)
            if applied["metadata"].get("uid"):
                raise conflict(
                    resource.group, resource.plural, key.name,
                    f"uid mismatch: the provided object specified uid {applied['metadata']['uid']}, and no existing "
                    "object was found",
                )  # fmt: skip
            return self._writing.store_new(resource, obj, options, applied=True), True

        def transform(present: Object) -> Object:
            version = applied["metadata"].get("resourceVersion")
            present = self._writing.tracking.live_for_apply(resource, present)
            shown = resource.from_stored(present)
            present = {"apiVersion": resource.api_version, "kind": resource.kind, **shown}
            is_kubectl = options.manager == _KUBECTL
            before = _last_applied(present) if is_kubectl else None
            merged = apply_configuration(
                present, applied, resource.type, writer, force=options.force, applied_before=before
            )
            if is_kubectl:
                _follow_in_annotation(merged, applied)
            if version:
                merged["metadata"]["resourceVersion"] = version
            return self._writing.decode(resource, merged, options)

        return self._writing.change(resource, key, subresource, transform, options, applied=True), False

    def _check_applied(self, resource: Resource, key: Key, applied: Any) -> None:
        if applied is None:
            applied = {}
        if not isinstance(applied, dict):
            problem = f"json: cannot unmarshal {json_kind(applied)} into Go value of type map[string]interface {{}}"
            what = "patch" if self._details.patches_are_read_first else "YAML"
            raise bad_request(f"error decoding {what}: error unmarshaling JSON: while decoding JSON: {problem}")
        if applied.get("apiVersion") != resource.api_version or applied.get("kind") != resource.kind:
            group, slash, version = str(applied.get("apiVersion", "")).rpartition("/")
            shown = f"{group}/{version}, Kind={applied.get('kind', '')}"
            if slash or applied.get("apiVersion"):
                raise bad_request(f"invalid object type: {shown}")
            raise bad_request(f"invalid object type: /, Kind={applied.get('kind', '')}")
        metadata = applied["metadata"] = {} if applied.get("metadata") is None else applied["metadata"]
        if not isinstance(metadata, dict):
            raise _untyped(resource, key, f".metadata: expected map, got &{{{metadata}}}")
        for name in ("name", "namespace"):
            if not isinstance(metadata.get(name), str | None):
                raise _untyped(resource, key, f".metadata.{name}: expected string, got {json_kind(metadata[name])}")
        if metadata.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        metadata.setdefault("name", key.name)
        if metadata["name"] != key.name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({key.name})"
            )
        self._writing.place(resource, key.namespace, applied)
        unknown = self._unknown_fields(resource, applied)
        if unknown:
            raise _untyped(resource, key, "\n".join(f".{field}: field not declared in schema" for field in unknown))

    def _unknown_fields(self, resource: Resource, applied: Object) -> list[str]:
        copy = json.loads(json.dumps(applied))
        if resource.custom:
            return self._writing.decode_custom(resource, copy)[1]
        return decode_builtin(copy, resource.type, resource.kind, resource.version)[1]


def _untyped(resource: Resource, key: Key, problem: str) -> StatusError:
    """500, as on a real server: a configuration does not have the fields of its kind."""
    where = f"{key.namespace}/{key.name}; {resource.group}/{resource.version}, Kind={resource.kind}"
    return internal_error(f"failed to create typed patch object ({where}): {problem}")


def _last_applied(obj: Object) -> Object | None:
    """The configuration that client-side apply has recorded; None if there is none, or it cannot be read."""
    text = (obj["metadata"].get("annotations") or {}).get(_LAST_APPLIED, "")
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _follow_in_annotation(obj: Object, applied: Object) -> None:
    """Keeps the annotation of client-side apply up to date where kubectl has gone over to server-side apply.

    So one can go back to client-side apply (lastappliedupdater.go). The annotation gets no new owner.
    """
    if _LAST_APPLIED not in (obj["metadata"].get("annotations") or {}):
        return
    metadata = dict(applied["metadata"])
    if _LAST_APPLIED in (metadata.get("annotations") or {}):
        metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != _LAST_APPLIED}
    text = json.dumps({**applied, "metadata": metadata}, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    obj["metadata"]["annotations"][_LAST_APPLIED] = text + "\n"
