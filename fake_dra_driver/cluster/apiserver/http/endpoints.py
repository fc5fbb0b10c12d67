"""The verbs of resources: from a request to the layer that does the work, and back to an answer.

Follows k8s.io/apiserver/pkg/endpoints/handlers. A request is done before the next one, unless it is so heavy that it is
carried out in a thread, or waits for the account of a namespace that has just been made.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from fake_dra_driver.cluster.apiserver.admission.admission import Admission
from fake_dra_driver.cluster.apiserver.admission.attributes import Attributes
from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, method_not_allowed
from fake_dra_driver.cluster.apiserver.heavywork import HeavyWork, on_loop
from fake_dra_driver.cluster.apiserver.http.answers import View, deleted_status, json_answer
from fake_dra_driver.cluster.apiserver.http.bodies import (
    body_of,
    body_weight,
    is_protobuf,
    optional_body_of,
    patch_of,
)
from fake_dra_driver.cluster.apiserver.http.bodykind import check_builtin_kind, check_kind
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.merge.patchformats import APPLY_PATCH
from fake_dra_driver.cluster.apiserver.message import Answer, Request, Stream, Upgrade
from fake_dra_driver.cluster.apiserver.rules.serviceaccounts import DefaultAccountMissingError
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Record
from fake_dra_driver.cluster.apiserver.types.decode import decode_builtin
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry
from fake_dra_driver.cluster.apiserver.types.resource import Registry, Resource
from fake_dra_driver.cluster.apiserver.types.user import User
from fake_dra_driver.cluster.apiserver.verbs.deletion import Deletion
from fake_dra_driver.cluster.apiserver.verbs.identities import Identities
from fake_dra_driver.cluster.apiserver.verbs.options import DeleteOptions, ListOptions, WriteOptions
from fake_dra_driver.cluster.apiserver.verbs.patching import Patching
from fake_dra_driver.cluster.apiserver.verbs.podverbs import PodVerbs
from fake_dra_driver.cluster.apiserver.verbs.reading import Page, Reading, Selection
from fake_dra_driver.cluster.apiserver.verbs.scaling import Scaling
from fake_dra_driver.cluster.apiserver.verbs.writing import Writing, judge_unknown
from fake_dra_driver.cluster.releases import Release

__all__ = ["Endpoints", "Layers"]

_SELECTED_AT_ONCE = 50
"""An object is compared with so many signs of a selector while a byte of it is sent."""
_MADE_WEIGHT = 5
"""Each column of a row of a Table takes as long as so many bytes."""
_PIECE_BYTES = 256 * 1024
"""The events of a watch are sent in pieces of about that size, so that slow clients hold no more than one."""


_ACCOUNT_ATTEMPTS = 10
"""How often the account of a pod is looked for that may be about to be made: that of a new namespace."""
_ACCOUNT_RETRY_SECONDS = 0.15
"""A real server waits 0.1 to 0.2 s."""
_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


@dataclass(frozen=True, slots=True)
class Layers:
    """What the endpoints call."""

    registry: Registry
    reading: Reading
    writing: Writing
    patching: Patching
    deletion: Deletion
    scaling: Scaling
    podverbs: PodVerbs
    identities: Identities
    types: TypeRegistry
    stamps: Stamps
    release: Release
    admission: Admission


class Endpoints:
    """Answers for all paths that name a resource."""

    def __init__(self, layers: Layers, heavy: HeavyWork) -> None:
        self._layers = layers
        self._heavy = heavy

    async def serve(self, request: Request, target: Target, user: User) -> Answer | Stream | Upgrade:
        """Answers one request. Raises StatusError."""
        for _ in range(_ACCOUNT_ATTEMPTS - 1):
            try:
                return await self._run(request, target, user)
            except DefaultAccountMissingError:
                await asyncio.sleep(_ACCOUNT_RETRY_SECONDS)
        return await self._run(request, target, user)

    async def _run(self, request: Request, target: Target, user: User) -> Answer | Stream | Upgrade:
        return await self._heavy.run(self._weight(request, target), self._serve, request, target, user)

    def _weight(self, request: Request, target: Target) -> int:
        """How long the request takes; see ``HEAVY``."""
        match target.verb:
            case "create" | "update" | "patch":
                return body_weight(request) + self._layers.writing.size_bytes(target.resource, target.key)
            case "list" | "watch":
                return body_weight(request) + self._weight_of_all(request, target.resource)
            case "deletecollection":
                weight = self._layers.writing.sizes_bytes(target.resource, target.namespace)
                return body_weight(request) + weight + self._weight_of_all(request, target.resource)
        return body_weight(request)

    def _weight_of_all(self, request: Request, resource: Resource) -> int:
        """How long it takes to select and show all objects of a resource."""
        selectors = len(request.query.get("labelSelector", "")) + len(request.query.get("fieldSelector", ""))
        is_made = resource.conversion is not None or "as=" in request.header("accept")
        for_each = 1 + selectors // _SELECTED_AT_ONCE + (_MADE_WEIGHT * len(resource.columns) if is_made else 0)
        return for_each * self._layers.reading.size(resource)

    def _serve(self, request: Request, target: Target, user: User) -> Answer | Stream | Upgrade:
        if target.subresource:
            return self._serve_subresource(request, target, user)
        if target.name:
            return self._serve_object(request, target, user)
        return self._serve_collection(request, target, user)

    # --- collections ---

    def _serve_collection(self, request: Request, target: Target, user: User) -> Answer | Stream:
        if target.verb not in target.resource.verbs:
            raise method_not_allowed()
        match target.verb:
            case "list":
                options = self._list_options(request.query)
                view = self._view(request, target)
                selection = Selection.parse(target.resource, target.namespace, options)
                return view.list(self._layers.reading.page(target.resource, selection, options))
            case "watch":
                return self._watch(request, target)
            case "create" if bool(target.namespace) is target.resource.namespaced:
                return self._create(request, target, user)
            case "deletecollection" if bool(target.namespace) is target.resource.namespaced:
                return self._delete_collection(request, target, user)
        raise method_not_allowed()

    def _watch(self, request: Request, target: Target) -> Stream:
        options = self._list_options(request.query)
        view = self._view(request, target)
        encode_line = view.event_encoder()
        selection = Selection.parse(target.resource, target.namespace, options)
        batches = self._layers.reading.watch(target.resource, selection, options)

        async def chunks() -> AsyncGenerator[bytes, None]:
            async with aclosing(batches):
                try:
                    async for batch in batches:
                        piece = bytearray()
                        for line in batch:
                            piece += encode_line(line)
                            if len(piece) >= _PIECE_BYTES:
                                yield bytes(piece)
                                piece.clear()
                        if piece:
                            yield bytes(piece)
                except StatusError as error:
                    yield view.error_event(error)

        return Stream(chunks(), view.stream_type)

    def _create(self, request: Request, target: Target, user: User) -> Answer:
        resource = target.resource
        options = self._options(request, user, "CreateOptions")
        body, duplicates = body_of(request, resource.kind, resource.api_version)
        options.duplicates.extend(duplicates)
        check_kind(self._layers.registry, resource, body)
        if "get" not in resource.verbs:
            return json_answer(self._create_only(target, user, body, options), 201)
        view = self._view(request, target)
        record = self._layers.writing.create(resource, target.namespace, body, options)
        return view.object(record, 201, options.warnings)

    def _create_only(self, target: Target, user: User, body: Object, options: WriteOptions) -> Object:
        """What is answered and not stored: reviews, and bindings, which do the same as a pod's subresource."""
        resource, layers = target.resource, self._layers
        obj = layers.writing.decode(resource, body, options)
        if resource.kind != "Binding":
            return layers.identities.review(resource, target.namespace, user, obj)
        layers.writing.place(resource, target.namespace, obj)
        pods, name = layers.registry.by_kind("v1", "Pod"), obj["metadata"].get("name", "")
        if pods is None or not name:
            raise bad_request("Name parameter required.")
        return layers.podverbs.bind(pods, Key(target.namespace, name), obj, options)

    def _delete_collection(self, request: Request, target: Target, user: User) -> Answer:
        resource = target.resource
        options = self._list_options({**request.query, "watch": ""})
        selection = Selection.parse(resource, target.namespace, options)
        delete_options = self._delete_options(request)
        page = self._layers.reading.page(resource, selection, options)
        for record in page.records:
            self._admit_deletion(resource, record, delete_options, user)
        deleted = self._layers.deletion.delete_collection(resource, page.records, delete_options)
        self._after_deletion(resource)
        return json_answer(self._view(request, target).list_bytes(Page(deleted, page.metadata)))

    def _list_options(self, query: Mapping[str, str]) -> ListOptions:
        return ListOptions.parse(query, watch_list=self._layers.release.is_enabled("WatchList"))

    # --- objects ---

    def _serve_object(self, request: Request, target: Target, user: User) -> Answer:
        resource, key, layers = target.resource, target.key, self._layers
        if "get" not in resource.verbs:
            raise method_not_allowed()
        match target.verb:
            case "get":
                return self._view(request, target).object(layers.reading.get(resource, key))
            case "update" | "patch":
                return self._write(request, target, user)
            case "delete":
                options = self._delete_options(request)
                view = self._view(request, target)
                warnings = self._admit_deletion(resource, layers.reading.get(resource, key), options, user)
                record, gone = on_loop(lambda: layers.deletion.delete(resource, key, options))
                self._after_deletion(resource)
                if gone and not resource.rules.returns_deleted:
                    return json_answer(deleted_status(resource, record))
                warnings += [resource.rules.orphan_warning] if options.propagation is None else []
                return view.object(record, warnings=warnings)
        raise method_not_allowed()

    def _write(self, request: Request, target: Target, user: User) -> Answer:
        resource, key, sub = target.resource, target.key, target.subresource
        view = self._view(request, target)
        if target.verb == "update":
            options = self._options(request, user, "UpdateOptions")
            body, duplicates = body_of(request, resource.kind, resource.api_version)
            options.duplicates.extend(duplicates)
            check_kind(self._layers.registry, resource, body)
            record, created = self._layers.writing.update(resource, key, sub, body, options)
        else:
            content_type, patch = patch_of(request, self._layers.release.details)
            options = self._options(request, user, "PatchOptions", is_apply=content_type == APPLY_PATCH)
            record, created = self._layers.patching.patch(resource, key, sub, content_type, patch, options)
        self._after_deletion(resource)
        return view.object(record, 201 if created else 200, options.warnings)

    def _after_deletion(self, resource: Resource) -> None:
        """Removes a CRD that is being deleted once its last object is gone."""
        if resource.custom:
            on_loop(lambda: self._layers.deletion.finish_crd(Key("", f"{resource.plural}.{resource.group}")))

    def _admit_deletion(self, resource: Resource, record: Record, options: DeleteOptions, user: User) -> list[str]:
        """What policies and webhooks warn of. Raises StatusError when one of them denies it."""
        warnings: list[str] = []
        write = Attributes("DELETE", resource, "", record.key, None, record.value, user, options.dry_run)
        self._layers.admission.review(write, warnings.append)
        return warnings

    def _delete_options(self, request: Request) -> DeleteOptions:
        body, type_ = optional_body_of(request, "DeleteOptions"), self._layers.types.named(_DELETE_OPTIONS)
        return DeleteOptions.parse(request.query, decode_builtin(body, type_, "DeleteOptions", "v1")[0] if body else {})

    def _view(self, request: Request, target: Target) -> View:
        return View.of(request, target.resource, self._layers.stamps.now())

    # --- subresources ---

    def _serve_subresource(self, request: Request, target: Target, user: User) -> Answer | Stream | Upgrade:
        resource, key, layers = target.resource, target.key, self._layers
        match target.subresource, target.verb:
            case "status", "get":
                return self._view(request, target).object(layers.reading.get(resource, key))
            case "status" | "finalize", "update" | "patch":
                return self._write(request, target, user)
            case "scale", "get":
                return json_answer(layers.scaling.get(resource, key))
            case "scale", "update":
                options = self._options(request, user, "UpdateOptions")
                scale = self._subresource_body(request, target, options)
                if (name := scale["metadata"].get("name", "")) != key.name:
                    raise bad_request(
                        f"the name of the object ({name}) does not match the name on the URL ({key.name})"
                    )
                return json_answer(layers.scaling.write(resource, key, scale, options))
            case "scale", "patch":
                options = self._options(request, user, "PatchOptions")
                return json_answer(
                    layers.scaling.patch(resource, key, *patch_of(request, self._layers.release.details), options)
                )
            case "log", "get":
                return layers.podverbs.log(resource, key, request.query)
            case "exec" | "attach" | "portforward", "get" | "create":
                return layers.podverbs.connect(resource, key, target.subresource, request)
            case "binding" | "eviction" | "token", "create":
                return json_answer(self._create_subresource(request, target, user), 201)
        raise method_not_allowed()

    def _create_subresource(self, request: Request, target: Target, user: User) -> Object:
        resource, key, layers = target.resource, target.key, self._layers
        options = self._options(request, user, "CreateOptions")
        body = self._subresource_body(request, target, options)
        match target.subresource:
            case "binding":
                return layers.podverbs.bind(resource, key, body, options)
            case "eviction":
                return on_loop(lambda: layers.podverbs.evict(resource, key, body, options))
        return on_loop(lambda: layers.identities.issue_token(resource, key, body))

    def _subresource_body(self, request: Request, target: Target, options: WriteOptions) -> Object:
        """The body of a subresource that is a kind of its own. Raises StatusError."""
        sub = target.resource.subresource(target.subresource)
        if sub is None:
            raise method_not_allowed()
        group, version = (sub.group, sub.version) if sub.version else (target.resource.group, target.resource.version)
        body, duplicates = body_of(request, sub.kind, f"{group}/{version}".removeprefix("/"))
        options.duplicates.extend(duplicates)
        check_builtin_kind(self._layers.registry, group, version, sub.kind, body)
        types = self._layers.types
        obj, unknown = decode_builtin(body, types.named(types.name_of(group, version, sub.kind)), sub.kind, version)
        judge_unknown(unknown, sub.kind, version, options)
        obj.setdefault("metadata", {})
        self._layers.writing.place(target.resource, target.namespace, obj)
        return obj

    def _options(self, request: Request, user: User, kind: str, *, is_apply: bool = False) -> WriteOptions:
        options = WriteOptions.parse(request.query, request.header("user-agent"), kind, is_apply=is_apply, user=user)
        # Go passes over the fields of a message that it does not know.
        return replace(options, validation="Ignore") if is_protobuf(request) else options
