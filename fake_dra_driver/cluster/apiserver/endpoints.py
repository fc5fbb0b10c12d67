"""The verbs of resources: from a request to the layer that does the work, and back to an answer.

Follows k8s.io/apiserver/pkg/endpoints/handlers. Nothing here waits for anything: a request is done before the next one.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver.answers import View, deleted_status, error_event, json_answer
from fake_dra_driver.cluster.apiserver.bodies import body_of, optional_body_of, patch_of
from fake_dra_driver.cluster.apiserver.deletion import Deletion
from fake_dra_driver.cluster.apiserver.errors import (
    StatusError,
    bad_request,
    invalid,
    invalid_value,
    method_not_allowed,
)
from fake_dra_driver.cluster.apiserver.message import Answer, Request, Stream
from fake_dra_driver.cluster.apiserver.options import DeleteOptions, ListOptions, WriteOptions
from fake_dra_driver.cluster.apiserver.patch import APPLY_PATCH
from fake_dra_driver.cluster.apiserver.patching import Patching
from fake_dra_driver.cluster.apiserver.reading import Page, Reading, Selection
from fake_dra_driver.cluster.apiserver.resource import Registry, Resource
from fake_dra_driver.cluster.apiserver.routing import Target
from fake_dra_driver.cluster.apiserver.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store import Key, Object, encode
from fake_dra_driver.cluster.apiserver.subresources import Subresources
from fake_dra_driver.cluster.apiserver.tokens import User
from fake_dra_driver.cluster.apiserver.writing import Writing

__all__ = ["Endpoints", "Layers"]


@dataclass(frozen=True, slots=True)
class Layers:
    """What the endpoints call."""

    registry: Registry
    reading: Reading
    writing: Writing
    patching: Patching
    deletion: Deletion
    subresources: Subresources
    stamps: Stamps


class Endpoints:
    """Answers for all paths that name a resource."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers

    def serve(self, request: Request, target: Target, user: User) -> Answer | Stream:
        """Answers one request. Raises StatusError."""
        if target.subresource:
            return self._serve_subresource(request, target)
        if target.name:
            return self._serve_object(request, target)
        return self._serve_collection(request, target, user)

    # --- collections ---

    def _serve_collection(self, request: Request, target: Target, user: User) -> Answer | Stream:
        if target.verb not in target.resource.verbs:
            raise method_not_allowed()
        match target.verb:
            case "list":
                options = ListOptions.parse(request.query)
                view = self._view(request, target)
                selection = Selection.parse(target.resource, target.namespace, options)
                return view.list(self._layers.reading.page(target.resource, selection, options))
            case "watch":
                return self._watch(request, target)
            case "create" if bool(target.namespace) is target.resource.namespaced:
                return self._create(request, target, user)
            case "deletecollection" if bool(target.namespace) is target.resource.namespaced:
                return self._delete_collection(request, target)
        raise method_not_allowed()

    def _watch(self, request: Request, target: Target) -> Stream:
        options = ListOptions.parse(request.query)
        encode_line = self._view(request, target).event_encoder()
        selection = Selection.parse(target.resource, target.namespace, options)
        batches = self._layers.reading.watch(target.resource, selection, options)

        async def chunks() -> AsyncGenerator[bytes, None]:
            async with aclosing(batches):
                try:
                    async for batch in batches:
                        yield b"".join(encode_line(line) for line in batch)
                except StatusError as error:
                    yield error_event(error)

        return Stream(chunks())

    def _create(self, request: Request, target: Target, user: User) -> Answer:
        resource = target.resource
        options = WriteOptions.parse(request.query, request.header("user-agent"), "CreateOptions")
        body, duplicates = body_of(request, resource.kind)
        options.duplicates.extend(duplicates)
        _check_kind(self._layers.registry, resource, body)
        if "get" not in resource.verbs:
            return json_answer(self._layers.subresources.review(resource, user, body), 201)
        view = self._view(request, target)
        record = self._layers.writing.create(resource, target.namespace, body, options)
        return view.object(record, 201, options.warnings)

    def _delete_collection(self, request: Request, target: Target) -> Answer:
        resource = target.resource
        options = ListOptions.parse({**request.query, "watch": ""})
        selection = Selection.parse(resource, target.namespace, options)
        delete_options = DeleteOptions.parse(request.query, optional_body_of(request, "DeleteOptions"))
        page = self._layers.reading.page(resource, selection, options)
        deleted = self._layers.deletion.delete_collection(resource, page.records, delete_options)
        self._after_deletion(resource)
        return json_answer(self._view(request, target).list_bytes(Page(deleted, page.metadata)))

    # --- objects ---

    def _serve_object(self, request: Request, target: Target) -> Answer:
        resource, key, layers = target.resource, target.key, self._layers
        if "get" not in resource.verbs:
            raise method_not_allowed()
        match target.verb:
            case "get":
                return self._view(request, target).object(layers.reading.get(resource, key))
            case "update" | "patch":
                return self._write(request, target)
            case "delete":
                options = DeleteOptions.parse(request.query, optional_body_of(request, "DeleteOptions"))
                view = self._view(request, target)
                record, gone = layers.deletion.delete(resource, key, options)
                self._after_deletion(resource)
                if gone and not resource.rules.returns_deleted:
                    return json_answer(deleted_status(resource, record))
                return view.object(record)
        raise method_not_allowed()

    def _write(self, request: Request, target: Target) -> Answer:
        resource, key, sub = target.resource, target.key, target.subresource
        agent, view = request.header("user-agent"), self._view(request, target)
        if target.verb == "update":
            options = WriteOptions.parse(request.query, agent, "UpdateOptions")
            body, duplicates = body_of(request, resource.kind)
            options.duplicates.extend(duplicates)
            _check_kind(self._layers.registry, resource, body)
            record, created = self._layers.writing.update(resource, key, sub, body, options)
        else:
            content_type, patch = patch_of(request)
            options = WriteOptions.parse(request.query, agent, "PatchOptions", is_apply=content_type == APPLY_PATCH)
            record, created = self._layers.patching.patch(resource, key, sub, content_type, patch, options)
        self._after_deletion(resource)
        return view.object(record, 201 if created else 200, options.warnings)

    def _after_deletion(self, resource: Resource) -> None:
        """Lets a CRD that is being deleted go once its last object is gone."""
        if resource.custom:
            self._layers.deletion.finish_crd(Key("", f"{resource.plural}.{resource.group}"))

    def _view(self, request: Request, target: Target) -> View:
        return View.of(request, target.resource, self._layers.stamps.now())

    # --- subresources ---

    def _serve_subresource(self, request: Request, target: Target) -> Answer | Stream:
        resource, key, layers = target.resource, target.key, self._layers
        match target.subresource, target.verb:
            case "status", "get":
                return self._view(request, target).object(layers.reading.get(resource, key))
            case "status" | "finalize", "update" | "patch":
                return self._write(request, target)
            case "scale", "get":
                return json_answer(layers.subresources.get_scale(resource, key))
            case "scale", "update":
                options = WriteOptions.parse(request.query, request.header("user-agent"), "UpdateOptions")
                return json_answer(
                    layers.subresources.write_scale(resource, key, body_of(request, "Scale").object, options)
                )
            case "scale", "patch":
                options = WriteOptions.parse(request.query, request.header("user-agent"), "PatchOptions")
                return json_answer(layers.subresources.patch_scale(resource, key, *patch_of(request), options))
            case "binding", "create":
                options = WriteOptions.parse(request.query, request.header("user-agent"), "CreateOptions")
                return json_answer(
                    layers.subresources.bind(resource, key, body_of(request, "Binding").object, options), 201
                )
            case "eviction", "create":
                return json_answer(layers.subresources.evict(resource, key, body_of(request, "Eviction").object), 201)
            case "token", "create":
                return json_answer(
                    layers.subresources.issue_token(resource, key, body_of(request, "TokenRequest").object), 201
                )
            case "log", "get":
                return layers.subresources.log(resource, key, request.query)
            case "exec" | "attach" | "portforward", "get" | "create":
                raise layers.subresources.no_upgrade(resource, key)
        raise method_not_allowed()


def _check_kind(registry: Registry, resource: Resource, body: Object) -> None:
    """The body must say that it is what the path names; built-in kinds may leave that out."""
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if resource.custom:
        if not kind:
            shown = encode(body).decode()
            raise bad_request(
                f"the object provided is unrecognized (must be of type {resource.kind}): Object 'Kind' is missing in "
                f"'{shown}' ({shown})"
            )
        if api_version != resource.api_version:
            raise bad_request(
                f"the API version in the data ({api_version or ''}) does not match the expected API version "
                f"({resource.api_version})"
            )
        if kind != resource.kind:
            raise _wrong_custom_kind(resource, body)
        return
    version = str(api_version or resource.api_version).rpartition("/")[2]
    if kind and kind != resource.kind and registry.by_kind(str(api_version), str(kind)) is None:
        raise bad_request(
            f'{kind} in version "{version}" cannot be handled as a {resource.kind}: no kind "{kind}" is registered for '
            f'version "{api_version}" in scheme "pkg/runtime/scheme.go:100"'
        )
    if kind and kind != resource.kind:
        raise bad_request(
            f'{kind} in version "{version}" cannot be handled as a {resource.kind}: converting ({version}.{kind}) to '
            f"({resource.group.split('.')[0] or 'core'}.{resource.kind}): unknown conversion"
        )
    if api_version and api_version != resource.api_version:
        raise bad_request(
            f'{resource.kind} in version "{version}" cannot be handled as a {resource.kind}: no kind "{resource.kind}" '
            f'is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:100"'
        )


def _wrong_custom_kind(resource: Resource, body: Object) -> StatusError:
    kind, name = str(body["kind"]), str((body.get("metadata") or {}).get("name", ""))
    problem = invalid_value("kind", f'"{kind}"', f"must be {resource.kind}")
    return invalid(resource.group, kind, name, [problem])
