"""Discovery: which groups, versions and resources there are, in the legacy and in the aggregated form.

Follows k8s.io/apiserver/pkg/endpoints/discovery. Made from the registry at each request: a CRD's resources are there as
soon as it is created, and gone with it.
"""

import base64
import hashlib
from typing import Any

from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.resource import Registry, Resource

__all__ = ["aggregated", "api_group", "api_groups", "api_resources", "api_versions"]


def api_versions(address: str) -> Object:
    """``/api``."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _group(registry: Registry, name: str) -> Object:
    versions = [{"groupVersion": f"{name}/{each}", "version": each} for each in registry.groups()[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def api_groups(registry: Registry) -> Object:
    """``/apis``."""
    groups = [_group(registry, name) for name in registry.groups() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(registry: Registry, name: str) -> Object | None:
    """``/apis/<group>``; None when there is no such group."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, name)} if name in registry.groups() else None


def api_resources(registry: Registry, group: str, version: str) -> Object | None:
    """``/api/v1`` and ``/apis/<group>/<version>``; None when nothing is there."""
    found = registry.in_version(group, version)
    if not found:
        return None
    entries: list[Object] = []
    for resource in found:
        entries.append(_resource(resource))
        entries += [_subresource(resource, each.name) for each in resource.subresources]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}


def _resource(resource: Resource) -> Object:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "list" in resource.verbs:
        entry["storageVersionHash"] = _hash(resource)
    return entry


def _hash(resource: Resource) -> str:
    text = f"{resource.group}/{resource.version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _subresource(resource: Resource, name: str) -> Object:
    found = resource.subresource(name)
    entry: Object = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if found is not None:
        if found.version:
            entry["group"], entry["version"] = found.group, found.version
        entry["kind"], entry["verbs"] = found.kind, list(found.verbs)
    return entry


def aggregated(registry: Registry, version: str, *, legacy: bool) -> Object:
    """APIGroupDiscoveryList: of the core group (``/api``), or of all others (``/apis``). ``version``: v2, v2beta1."""
    items: list[Object] = []
    for name, versions in registry.groups().items():
        if (name == "") is legacy:
            metadata: dict[str, Any] = {"name": name} if name else {}
            items.append(
                {
                    "metadata": {**metadata, "creationTimestamp": None},
                    "versions": [
                        {
                            "version": each,
                            "resources": [_aggregated(entry) for entry in registry.in_version(name, each)],
                            "freshness": "Current",
                        }
                        for each in versions
                    ],
                }
            )
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregated(resource: Resource) -> Object:
    # Kinds of the same group have neither group nor version here: that is how built-in groups are written.
    own = {"group": resource.group, "version": resource.version} if resource.custom else {"group": "", "version": ""}
    entry: Object = {
        "resource": resource.plural,
        "responseKind": {**own, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": each.name,
                "responseKind": {
                    **({"group": each.group, "version": each.version} if each.version else own),
                    "kind": each.kind,
                },
                "verbs": list(each.verbs),
            }
            for each in resource.subresources
        ]
    return entry
