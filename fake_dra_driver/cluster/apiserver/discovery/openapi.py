"""OpenAPI v3 (and a v2 that says as much, or less), which kubectl reads to validate, explain and merge.

Follows k8s.io/kube-openapi. A document has the schemas of its group and version, and paths with just the operations and
parameters that clients look for: which verbs a kind has, and whether ``fieldValidation`` and ``dryRun`` work.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.discovery.openapiproto import encode_document
from fake_dra_driver.cluster.apiserver.store.store import Object, encode
from fake_dra_driver.cluster.apiserver.types.objecttype import OBJECT_META, TypeRegistry
from fake_dra_driver.cluster.apiserver.types.resource import Registry, Resource

__all__ = ["OpenApi"]

_REFERENCE = "#/components/schemas/"
_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_ACTIONS = {"get": "get", "put": "put", "patch": "patch", "delete": "delete", "post": "post"}
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


class OpenApi:
    """Documents for what a registry has at the moment."""

    def __init__(self, registry: Registry, types: TypeRegistry, version: str) -> None:
        self._registry = registry
        self._types = types
        self._version = version

    def index(self) -> Object:
        """``/openapi/v3``: where the documents are. The hash lets clients keep what they have."""
        paths = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                path = f"apis/{group}/{version}" if group else f"api/{version}"
                document = encode(self.document(group, version))
                paths[path] = {
                    "serverRelativeURL": f"/openapi/v3/{path}?hash={hashlib.sha256(document).hexdigest().upper()}"
                }
        return {"paths": paths}

    def document(self, group: str, version: str) -> Object | None:
        """The document of a group and version; None when nothing is there."""
        found = self._registry.in_version(group, version)
        if not found:
            return None
        schemas: Object = {}
        for resource in found:
            schemas.update(self._schemas(resource))
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": self._version},
            "paths": {path: item for resource in found for path, item in _paths(resource)},
            "components": {"schemas": dict(sorted(schemas.items()))},
        }

    def legacy(self) -> Object:
        """``/openapi/v2`` as JSON."""
        schemas: Object = {}
        for resource in self._registry:
            schemas.update(self._schemas(resource))
        return {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": self._version},
            "paths": self._all_paths(),
            "definitions": _with_definitions(schemas),
        }

    def legacy_protobuf(self) -> bytes:
        """``/openapi/v2`` as protobuf, without definitions."""
        return encode_document("Kubernetes", self._version, self._all_paths())

    def _all_paths(self) -> Object:
        return {path: item for resource in self._registry for path, item in _paths(resource)}

    def _schemas(self, resource: Resource) -> Object:
        """Definitions that a resource needs, its own among them."""
        name = definition_name(resource)
        root: Mapping[str, Any] = resource.type.schema if resource.custom else self._types.definition(name)
        if resource.custom:
            gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
            properties = {
                **root["properties"],
                "metadata": {"allOf": [{"$ref": _REFERENCE + OBJECT_META}], "description": "Standard metadata."},
            }
            root = {**root, "properties": properties, "x-kubernetes-group-version-kind": [gvk]}
        of_list = _list_schema(resource, name)
        schemas: Object = {name: root, f"{name}List": of_list} if resource.list_kind else {name: root}
        queue = [*_references(root), *_references(of_list)]
        while queue:
            reference = queue.pop()
            if reference not in schemas:
                schemas[reference] = self._types.definition(reference)
                queue += _references(schemas[reference])
        return {each: _published(schema) for each, schema in schemas.items()}


def definition_name(resource: Resource) -> str:
    """Name of the definition of a kind: custom ones have their group's domain reversed."""
    if not resource.custom:
        return resource.type.reference
    domain = ".".join(reversed(resource.group.split(".")))
    return f"{domain}.{resource.version}.{resource.kind}"


def _list_schema(resource: Resource, name: str) -> Object:
    """The schema of a list of these objects."""
    text = {"type": "string"}
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.list_kind}
    return {
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": text,
            "kind": text,
            "metadata": {"$ref": _REFERENCE + _LIST_META},
            "items": {"type": "array", "items": {"$ref": _REFERENCE + name}},
        },
        "x-kubernetes-group-version-kind": [gvk],
    }


def _published(schema: Any, *, is_value: bool = False) -> Any:
    """The schema without the parts for this server's own use.

    A reference to the schema of a field or an item stands in an ``allOf``, where kubectl's explain looks for it.
    """
    if not isinstance(schema, Mapping):
        return schema
    published: Object = {}
    for name, value in schema.items():
        if name == "properties":
            published[name] = {field: _published(each, is_value=True) for field, each in value.items()}
        elif name == "$ref" and is_value:
            published["allOf"] = [{"$ref": value}]
        elif name not in ("x-go-pointer", "x-go-null"):
            published[name] = _published(value, is_value=name == "items")
    return published


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_REFERENCE)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _with_definitions(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            name: value.replace(_REFERENCE, "#/definitions/")
            if name == "$ref" and isinstance(value, str)
            else _with_definitions(value)
            for name, value in schema.items()
        }
    return [_with_definitions(each) for each in schema] if isinstance(schema, list) else schema


def _paths(resource: Resource) -> Iterator[tuple[str, Object]]:
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    collection = (
        f"{base}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{base}/{resource.plural}"
    )
    on_collection = {"post": "create", "get": "list", "delete": "deletecollection"}
    on_object = {"get": "get", "put": "update", "patch": "patch", "delete": "delete"}
    if resource.namespaced and "list" in resource.verbs:
        yield f"{base}/{resource.plural}", {"get": _operation(resource, "list", "get")}
    yield (
        collection,
        {
            method: _operation(resource, verb, method)
            for method, verb in on_collection.items()
            if verb in resource.verbs
        },
    )
    item = {method: _operation(resource, verb, method) for method, verb in on_object.items() if verb in resource.verbs}
    if item:
        yield f"{collection}/{{name}}", item


def _operation(resource: Resource, verb: str, method: str) -> Object:
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    scope = "Namespaced" if resource.namespaced else ""
    group = "".join(part.capitalize() for part in (resource.group.split(".")[0] or "core", resource.version))
    operation: Object = {
        "operationId": f"{verb}{group}{scope}{resource.kind}",
        "x-kubernetes-action": _ACTIONS[method] if verb not in ("list", "deletecollection") else verb,
        "x-kubernetes-group-version-kind": gvk,
        "responses": {"200": {"description": "OK"}},
    }
    if method != "get":
        names = ["dryRun"] if method == "delete" else ["dryRun", "fieldManager", "fieldValidation"]
        operation["parameters"] = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    if method == "patch":
        operation["requestBody"] = {"content": {each: {} for each in _PATCHES}}
    return operation
