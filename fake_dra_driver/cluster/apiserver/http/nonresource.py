"""What is served in addition to resources: health, version, discovery and OpenAPI.

Follows k8s.io/apiserver/pkg/server (routes, healthz) and pkg/endpoints/discovery.
"""

from collections.abc import Sequence

from fake_dra_driver.cluster.apiserver.discovery import apigroups
from fake_dra_driver.cluster.apiserver.discovery.openapi import OpenApi
from fake_dra_driver.cluster.apiserver.discovery.openapiproto import PROTOBUF
from fake_dra_driver.cluster.apiserver.errors import not_served
from fake_dra_driver.cluster.apiserver.http.answers import json_answer, page_not_found, text_answer
from fake_dra_driver.cluster.apiserver.http.routing import path_parts
from fake_dra_driver.cluster.apiserver.message import Answer, Request
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.resource import Registry

__all__ = ["Catalog", "is_public"]

_HEALTH = ("healthz", "livez", "readyz")
_DISCOVERY_TYPE = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


def is_public(path: str) -> bool:
    """Whether it is served without a token (ClusterRole system:public-info-viewer)."""
    parts = path_parts(path)
    return len(parts) == 1 and parts[0] in (*_HEALTH, "version")


class Catalog:
    """Answers for all paths that name no resource."""

    def __init__(self, registry: Registry, openapi: OpenApi, version: Object) -> None:
        self._registry = registry
        self._openapi = openapi
        self._version = version

    def serve(self, request: Request) -> Answer:
        """Answers one request. Raises StatusError."""
        match path_parts(request.path):
            case [""]:
                return json_answer({"paths": self._paths()})
            case [name, *_] if name in _HEALTH:
                return text_answer("ok")
            case ["version"]:
                return json_answer(self._version)
            case ["openapi", "v2"]:
                return self._legacy_openapi(request)
            case ["openapi", "v3"]:
                return json_answer(self._openapi.index())
            case ["openapi", "v3", "api", version]:
                return self._document("", version)
            case ["openapi", "v3", "apis", group, version]:
                return self._document(group, version)
            case ["api" | "apis" as root]:
                return self._discover(request, is_legacy=root == "api")
            case ["apis", group]:
                found = apigroups.api_group(self._registry, group)
                return json_answer(found) if found is not None else page_not_found()
            case ["api", version, *rest]:
                return self._resources("", version, rest)
            case ["apis", group, version, *rest]:
                return self._resources(group, version, rest)
        return page_not_found()

    def _legacy_openapi(self, request: Request) -> Answer:
        wanted = request.header("accept").replace("@", ".")
        if wanted.startswith(PROTOBUF):
            return Answer(200, self._openapi.legacy_protobuf(), PROTOBUF)
        return json_answer(self._openapi.legacy())

    def _discover(self, request: Request, *, is_legacy: bool) -> Answer:
        version = _aggregated_version(request.header("accept"))
        if version:
            found = apigroups.aggregated(self._registry, version, legacy=is_legacy)
            return json_answer(found, content_type=_DISCOVERY_TYPE.format(version=version))
        if is_legacy:
            return json_answer(apigroups.api_versions(request.header("host")))
        return json_answer(apigroups.api_groups(self._registry))

    def _resources(self, group: str, version: str, rest: Sequence[str]) -> Answer:
        resources = apigroups.api_resources(self._registry, group, version)
        if resources is None and group not in self._registry.groups():
            return page_not_found()
        if resources is None or rest:
            raise not_served()
        return json_answer(resources)

    def _document(self, group: str, version: str) -> Answer:
        document = self._openapi.document(group, version)
        return json_answer(document) if document is not None else page_not_found()

    def _paths(self) -> list[str]:
        paths = ["/api", "/api/v1", "/apis", "/openapi/v2", "/openapi/v3", "/version"]
        paths += [f"/{each}" for each in _HEALTH]
        for group, versions in self._registry.groups().items():
            if group:
                paths += [f"/apis/{group}", *(f"/apis/{group}/{version}" for version in versions)]
        return sorted(paths)


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
