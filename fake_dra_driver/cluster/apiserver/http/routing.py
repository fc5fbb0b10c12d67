"""What a request addresses: the resource that its path names, and the verb.

Follows k8s.io/apiserver/pkg/endpoints/request (RequestInfo). Resources come and go with their CRDs: each request is
looked up in the current registry.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.apiserver.store.store import Key
from fake_dra_driver.cluster.apiserver.types.resource import Registry, Resource
from fake_dra_driver.cluster.apiserver.verbs.options import is_set

__all__ = ["Target", "path_parts", "route"]

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OWN_SUBRESOURCES = ("status", "finalize")
"""Subresources of namespaces: their paths look like those of resources in the namespace."""


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, one of its objects, or a subresource of that."""

    verb: str
    """As RBAC names it: get, list, watch, create, update, patch, delete, deletecollection; empty: none of these."""
    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def key(self) -> Key:
        """Where the object is stored."""
        return Key(self.namespace, self.name)


def path_parts(path: str) -> list[str]:
    """The parts of a path; a slash at its end does not count."""
    return path.strip("/").split("/")


def route(registry: Registry, request: Request) -> Target | None:
    """The target of a request; None when its path names nothing that is served as a resource."""
    root, *parts = path_parts(request.path)
    if root == "api":
        group = ""
    elif root == "apis" and parts:
        group, *parts = parts
    else:
        return None
    if len(parts) < 2:
        return None
    version, *parts = parts
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and not _is_own_subresource(group, parts):
        _, namespace, *parts = parts
    resource = registry.get(group, version, parts[0])
    if resource is None or len(parts) > 3 or (namespace and not resource.namespaced):
        return None
    name, subresource = (*parts[1:], "", "")[:2]
    if name and resource.namespaced and not namespace:
        return None
    if subresource and resource.subresource(subresource) is None:
        return None
    return Target(_verb(request, name), resource, namespace, name, subresource)


def _is_own_subresource(group: str, parts: Sequence[str]) -> bool:
    return not group and len(parts) == 3 and parts[2] in _OWN_SUBRESOURCES


def _verb(request: Request, name: str) -> str:
    if name:
        return _VERBS.get(request.method, "")
    verb = _COLLECTION_VERBS.get(request.method, "")
    return "watch" if verb == "list" and is_set(request.query.get("watch")) else verb
