"""From a request's path, method and body to the layer that does the work, and back to an answer.

Follows k8s.io/apiserver/pkg/endpoints (RequestInfo, handlers). One function serves all paths: resources come and go.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from fake_dra_driver.cluster.apiserver import discovery
from fake_dra_driver.cluster.apiserver.answers import (
    deleted_status,
    json_response,
    line_encoder,
    list_bytes,
    page_not_found,
)
from fake_dra_driver.cluster.apiserver.deletion import Deletion
from fake_dra_driver.cluster.apiserver.errors import (
    StatusError,
    bad_request,
    invalid,
    invalid_value,
    method_not_allowed,
    not_served,
)
from fake_dra_driver.cluster.apiserver.negotiation import Accept, decode_body
from fake_dra_driver.cluster.apiserver.openapi import OpenApi
from fake_dra_driver.cluster.apiserver.options import DeleteOptions, ListOptions, WriteOptions
from fake_dra_driver.cluster.apiserver.patching import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Patching
from fake_dra_driver.cluster.apiserver.reading import Reading, Selection, whole
from fake_dra_driver.cluster.apiserver.resource import Registry, Resource
from fake_dra_driver.cluster.apiserver.store import Key, Object, Record, encode
from fake_dra_driver.cluster.apiserver.subresources import LogSource, Subresources, check_log_request
from fake_dra_driver.cluster.apiserver.table import partial_metadata, table
from fake_dra_driver.cluster.apiserver.tokens import User
from fake_dra_driver.cluster.apiserver.writing import Writing

__all__ = ["Endpoints", "Layers"]

_PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
_DISCOVERY_TYPE = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class Layers:
    """What the endpoints call."""

    registry: Registry
    reading: Reading
    writing: Writing
    patching: Patching
    deletion: Deletion
    subresources: Subresources
    openapi: OpenApi
    version: Object
    """The answer of ``/version``."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path names."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)


class Endpoints:
    """All paths of the API server."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self.logs: LogSource | None = None
        self.closing = False

    async def serve(self, request: web.Request, user: User) -> web.StreamResponse:
        """Answers one request. Raises StatusError."""
        path = request.path.rstrip("/") or "/"
        parts = path.split("/")[1:]
        fixed = self._fixed(path)
        if fixed is not None:
            return fixed
        if parts[0] not in ("api", "apis"):
            return page_not_found()
        target = self._target(parts)
        if target is None:
            return self._discover(parts, request)
        if target.subresource:
            return await self._serve_subresource(request, target)
        if target.name:
            return await self._serve_object(request, target)
        return await self._serve_collection(request, target, user)

    # --- what is not a resource ---

    def _fixed(self, path: str) -> web.Response | None:
        if path in ("/healthz", "/readyz", "/livez") or path.startswith(("/healthz/", "/readyz/", "/livez/")):
            return web.Response(text="ok")
        match path:
            case "/":
                return json_response({"paths": self._paths()})
            case "/version":
                return json_response(self._layers.version)
            case "/openapi/v2":
                return json_response(self._layers.openapi.legacy())
            case "/openapi/v3":
                return json_response(self._layers.openapi.index())
        if path.startswith("/openapi/v3/"):
            parts = path.split("/")[3:]
            group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else ("", "")
            if parts[0] == "apis" and len(parts) == 3:
                group, version = parts[1], parts[2]
            document = self._layers.openapi.document(group, version)
            return json_response(document) if document is not None else page_not_found()
        return None

    def _paths(self) -> list[str]:
        groups = self._layers.registry.groups()
        paths = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
        for group, versions in groups.items():
            if group:
                paths += [f"/apis/{group}", *(f"/apis/{group}/{version}" for version in versions)]
        return sorted(paths)

    def _discover(self, parts: list[str], request: web.Request) -> web.Response:
        registry = self._layers.registry
        if len(parts) == 1:
            version = _aggregated_version(request.headers.get("Accept", ""))
            if version:
                found = discovery.aggregated(registry, version, legacy=parts[0] == "api")
                return json_response(found, content_type=_DISCOVERY_TYPE.format(version=version))
            if parts[0] == "api":
                return json_response(discovery.api_versions(request.host))
            return json_response(discovery.api_groups(registry))
        if parts[0] == "apis" and len(parts) == 2:
            group = discovery.api_group(registry, parts[1])
            return json_response(group) if group is not None else page_not_found()
        group_name, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
        resources = discovery.api_resources(registry, group_name, rest[0])
        if resources is None:
            return page_not_found()
        if len(rest) == 1:
            return json_response(resources)
        raise not_served()

    def _target(self, parts: list[str]) -> _Target | None:
        """The resource, object or subresource of a path; None when it names none that is served there."""
        group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[2:])
        if len(rest) < 2:
            return None
        version, rest = rest[0], rest[1:]
        namespace = ""
        if (
            rest[0] == "namespaces"
            and len(rest) > 2
            and not (not group and rest[2] in ("status", "finalize") and len(rest) == 3)
        ):
            namespace, rest = rest[1], rest[2:]
        resource = self._layers.registry.get(group, version, rest[0])
        if resource is None or (namespace and not resource.namespaced) or len(rest) > 3:
            return None
        name, subresource = (*rest[1:], "", "")[:2]
        if name and resource.namespaced and not namespace:
            return None
        if subresource and resource.subresource(subresource) is None:
            return None
        return _Target(resource, namespace, name, subresource)

    # --- resources ---

    async def _serve_collection(self, request: web.Request, target: _Target, user: User) -> web.StreamResponse:
        resource = target.resource
        match request.method:
            case "GET" if "list" in resource.verbs:
                options = ListOptions.parse(request.query)
                if options.watch:
                    return await self._watch(request, target, options)
                return self._list(request, target, options)
            case "POST":
                return await self._create(request, target, user)
            case "DELETE" if "deletecollection" in resource.verbs and bool(target.namespace) is resource.namespaced:
                options = ListOptions.parse({**request.query, "watch": ""})
                selection = Selection.parse(resource, target.namespace, options)
                body = await _optional_body(request, "DeleteOptions")
                page = self._layers.reading.page(resource, selection, options)
                deleted = self._layers.deletion.delete_collection(
                    resource, page.records, DeleteOptions.parse(request.query, body)
                )
                self._after_deletion(resource)
                return json_response(list_bytes(resource, deleted, page.metadata))
        raise method_not_allowed()

    async def _create(self, request: web.Request, target: _Target, user: User) -> web.Response:
        resource = target.resource
        if "create" not in resource.verbs or (resource.namespaced and not target.namespace):
            raise method_not_allowed()
        options = WriteOptions.parse(request.query, request.headers.get("User-Agent", ""), "CreateOptions")
        body = await _body(request, resource)
        _check_kind(resource, body)
        if "get" not in resource.verbs:
            return json_response(self._layers.subresources.review(resource, user, body), 201)
        record = self._layers.writing.create(resource, target.namespace, body, options)
        return self._answer(request, resource, record, 201, options)

    async def _serve_object(self, request: web.Request, target: _Target) -> web.StreamResponse:
        resource, key, layers = target.resource, target.key, self._layers
        if "get" not in resource.verbs:
            raise method_not_allowed()
        match request.method:
            case "GET":
                return self._answer(request, resource, layers.reading.get(resource, key), 200)
            case "PUT" | "PATCH":
                return await self._write(request, target)
            case "DELETE":
                body = await _optional_body(request, "DeleteOptions")
                record, gone = layers.deletion.delete(resource, key, DeleteOptions.parse(request.query, body))
                self._after_deletion(resource)
                if gone and not resource.rules.returns_deleted:
                    return json_response(deleted_status(resource, record))
                return self._answer(request, resource, record, 200)
        raise method_not_allowed()

    async def _write(self, request: web.Request, target: _Target) -> web.Response:
        resource, key, sub = target.resource, target.key, target.subresource
        agent = request.headers.get("User-Agent", "")
        if request.method == "PUT":
            options = WriteOptions.parse(request.query, agent, "UpdateOptions")
            body = await _body(request, resource)
            _check_kind(resource, body)
            record, created = self._layers.writing.update(resource, key, sub, body, options)
        else:
            content_type = _media(request)
            options = WriteOptions.parse(request.query, agent, "PatchOptions", is_apply=content_type == APPLY_PATCH)
            patch = await _patch_body(request, content_type)
            record, created = self._layers.patching.patch(resource, key, sub, content_type, patch, options)
        self._after_deletion(resource)
        return self._answer(request, resource, record, 201 if created else 200, options)

    def _after_deletion(self, resource: Resource) -> None:
        """Lets a CRD that is being deleted go once its last object is gone."""
        if resource.custom:
            self._layers.deletion.finish_crd(Key("", f"{resource.plural}.{resource.group}"))

    async def _serve_subresource(self, request: web.Request, target: _Target) -> web.StreamResponse:
        resource, key, layers = target.resource, target.key, self._layers
        method, name = request.method, target.subresource
        agent = request.headers.get("User-Agent", "")
        if name in ("status", "finalize") and method in ("PUT", "PATCH"):
            return await self._write(request, target)
        record = layers.reading.get(resource, key) if name != "token" else None
        match (name, method):
            case ("status", "GET"):
                return self._answer(request, resource, layers.reading.get(resource, key), 200)
            case ("scale", "GET"):
                return json_response(layers.subresources.get_scale(resource, layers.reading.get(resource, key)))
            case ("scale", "PUT"):
                options = WriteOptions.parse(request.query, agent, "UpdateOptions")
                body = decode_body(await request.read(), request.headers.get("Content-Type", ""), "Scale")
                return json_response(layers.subresources.write_scale(resource, key, body, options))
            case ("scale", "PATCH"):
                options = WriteOptions.parse(request.query, agent, "PatchOptions")
                content_type = _media(request)
                patch = await _patch_body(request, content_type)
                return json_response(layers.subresources.patch_scale(resource, key, content_type, patch, options))
            case ("binding", "POST"):
                options = WriteOptions.parse(request.query, agent, "CreateOptions")
                body = decode_body(await request.read(), request.headers.get("Content-Type", ""), "Binding")
                return json_response(layers.subresources.bind(resource, key, body, options), 201)
            case ("eviction", "POST"):
                body = decode_body(await request.read(), request.headers.get("Content-Type", ""), "Eviction")
                return json_response(layers.subresources.evict(resource, key, body), 201)
            case ("token", "POST"):
                body = decode_body(await request.read(), request.headers.get("Content-Type", ""), "TokenRequest")
                return json_response(layers.subresources.issue_token(key, body), 201)
            case ("log", "GET") if record is not None:
                return await self._log(request, record.value)
            case ("exec" | "attach" | "portforward", "GET" | "POST") if record is not None:
                if not record.value["spec"].get("nodeName"):
                    raise bad_request(f"pod {key.name} does not have a host assigned")
                raise bad_request("Upgrade request required")
        raise method_not_allowed()

    async def _log(self, request: web.Request, pod: Object) -> web.StreamResponse:
        container = check_log_request(pod, request.query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            return web.Response(body=b"", content_type="text/plain")
        if self.logs is None:
            raise StatusError(404, "NotFound", "no kubelet runs in this cluster: there are no logs", {})
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        stream = self.logs.stream(pod, container, request.query)
        await response.prepare(request)
        async for chunk in stream:
            await response.write(chunk)
        return response

    # --- answers ---

    def _answer(
        self, request: web.Request, resource: Resource, record: Record, status: int, options: WriteOptions | None = None
    ) -> web.Response:
        accept = Accept.parse(request.headers.get("Accept", ""))
        if accept.form == "Table":
            metadata = {"resourceVersion": record.value["metadata"].get("resourceVersion", "")}
            include = request.query.get("includeObject", "Metadata")
            response = json_response(table(resource, [record.value], metadata, include), status)
        elif accept.form == "PartialObjectMetadata":
            response = json_response(partial_metadata(record.value), status)
        else:
            response = json_response(whole(resource, record), status)
        for warning in options.warnings if options is not None else ():
            escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{escaped}"')
        return response

    def _list(self, request: web.Request, target: _Target, options: ListOptions) -> web.Response:
        resource = target.resource
        accept = Accept.parse(request.headers.get("Accept", ""))
        selection = Selection.parse(resource, target.namespace, options)
        page = self._layers.reading.page(resource, selection, options)
        if accept.form == "Table":
            include = request.query.get("includeObject", "Metadata")
            return json_response(table(resource, [each.value for each in page.records], page.metadata, include))
        if accept.form:
            items = [partial_metadata(each.value) for each in page.records]
            return json_response(
                {
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": page.metadata,
                    "items": items,
                }
            )
        return json_response(list_bytes(resource, page.records, page.metadata))

    async def _watch(self, request: web.Request, target: _Target, options: ListOptions) -> web.StreamResponse:
        accept = Accept.parse(request.headers.get("Accept", ""))
        selection = Selection.parse(target.resource, target.namespace, options)
        lines = self._layers.reading.watch(target.resource, selection, options)
        encode_line = line_encoder(target.resource, accept, request.query.get("includeObject", "Metadata"))
        response: web.StreamResponse | None = None
        seconds = options.timeout_seconds
        try:
            async with asyncio.timeout(seconds if seconds and seconds > 0 else None):
                pending = asyncio.ensure_future(anext(lines, None))
                try:
                    # Headers go out before the first event comes; an error that is known at once is an HTTP status.
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                    if pending.done():
                        pending.result()
                    response = web.StreamResponse(headers={"Content-Type": "application/json"})
                    await response.prepare(request)
                    while (line := await pending) is not None and not self.closing:
                        pending = asyncio.ensure_future(anext(lines, None))
                        await response.write(encode_line(line))
                finally:
                    pending.cancel()
                    await asyncio.gather(pending, return_exceptions=True)
                    await lines.aclose()
        except TimeoutError:
            if response is None:
                response = web.StreamResponse(headers={"Content-Type": "application/json"})
                await response.prepare(request)
        except StatusError as error:
            if response is None:
                raise
            await response.write(b'{"type":"ERROR","object":' + encode(error.to_object()) + b"}\n")
        return response


def _aggregated_version(accept: str) -> str:
    """The version of aggregated discovery that a client asks for first; empty: it wants the legacy form."""
    for part in accept.split(","):
        if "as=APIGroupDiscoveryList" in part and "protobuf" not in part:
            for version in ("v2beta1", "v2"):
                if f"v={version};" in part + ";":
                    return version
        elif part.strip().startswith("application/json"):
            return ""
    return ""


def _media(request: web.Request) -> str:
    media = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if media not in _PATCH_TYPES:
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return media


async def _body(request: web.Request, resource: Resource) -> Object:
    body: Object = decode_body(await request.read(), request.headers.get("Content-Type", ""), resource.kind)
    return body


async def _optional_body(request: web.Request, kind: str) -> Object:
    raw = await request.read()
    if not raw:
        return {}
    body: Object = decode_body(raw, request.headers.get("Content-Type", ""), kind)
    return body


async def _patch_body(request: web.Request, content_type: str) -> Any:
    raw = await request.read()
    if content_type == APPLY_PATCH:
        return decode_body(raw, content_type, "", types_checked=False)
    try:
        return decode_body(raw, "application/json", "", types_checked=False)
    except StatusError as error:
        problem = error.message.partition("json parse error: ")[2].rpartition(" (")[0]
        raise bad_request(f"error decoding patch: {problem}") from error


def _check_kind(resource: Resource, body: Object) -> None:
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
