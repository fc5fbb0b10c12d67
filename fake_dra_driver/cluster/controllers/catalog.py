"""Every kind whose objects can be deleted because of others: with their owners, or with their namespace.

The built-in kinds are listed here, which stands in for the discovery of kube-controller-manager's garbage collector;
custom kinds come and go with their definitions. Each has an informer, of metadata alone where no controller needs more.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from loguru import logger

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.meta import KubeObject, OwnerReference, ResourceKind
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.conditions import is_true
from fake_dra_driver.cluster.jobkinds import CronJob, Job
from fake_dra_driver.cluster.kinds import (
    CustomResourceDefinition,
    Namespace,
    Node,
    Pod,
    ResourceClaimTemplate,
    ServiceAccount,
)
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.store import Change

__all__ = ["Catalog", "Watched", "built_in_kinds"]

log = logger.bind(component="garbage-collector")

_RBAC: Final = "rbac.authorization.k8s.io"
_TYPED: Final[tuple[type[KubeObject], ...]] = (
    *(ControllerRevision, CronJob, DaemonSet, Deployment, Job, Lease, Namespace, Node, Pod, ReplicaSet, ServiceAccount),
    StatefulSet,
)
"""Kinds that other controllers watch in every release: their informers serve here, too."""
_METADATA_ALONE: Final = (
    ResourceKind("", "v1", "ConfigMap", "configmaps"),
    ResourceKind("", "v1", "Endpoints", "endpoints"),
    ResourceKind("", "v1", "Secret", "secrets"),
    ResourceKind("", "v1", "Service", "services"),
    *(
        ResourceKind("admissionregistration.k8s.io", "v1", kind, plural, namespaced=False)
        for kind, plural in (
            ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
            ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
            ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
            ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
        )
    ),
    ResourceKind("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", namespaced=False),
    ResourceKind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    ResourceKind(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
    ResourceKind(_RBAC, "v1", "RoleBinding", "rolebindings"),
    ResourceKind(_RBAC, "v1", "Role", "roles"),
    ResourceKind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False),
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A kind and what is known of its objects."""

    kind: type[KubeObject]
    informer: Informer[Any]


def built_in_kinds(release: Release) -> Iterator[type[KubeObject]]:
    """The kinds that a release has, except two: definitions of custom kinds, which are watched in another way, and
    Events, which own nothing, have no owner, and are many."""
    typed = _typed_kinds(release)
    yield from typed
    known = {kind.resource for kind in typed}
    # Of several versions one is enough: the one that other controllers use.
    dra = [each for each in release.resource_kinds if each.version == (release.structured_version or "v1alpha2")]
    for resource in (*_METADATA_ALONE, *dra):
        if resource not in known:
            yield _metadata_kind(resource)


def _typed_kinds(release: Release) -> tuple[type[KubeObject], ...]:
    """The kinds that other controllers watch."""
    if release.structured_version:
        api = RESOURCE_APIS[release.structured_version]
        return (*_TYPED, api.claims, api.templates)
    return (*_TYPED, PodSchedulingContext, ResourceClaim, ResourceClaimTemplate)


class Catalog:
    """The kinds that are served at the moment."""

    def __init__(self, cache: Cache, release: Release) -> None:
        self._cache = cache
        self._watched: dict[tuple[str, str], Watched] = {}
        """By group and kind: an owner may be named in any version."""
        self._listeners: list[Callable[[Watched], None]] = []
        typed = _typed_kinds(release)
        for kind in built_in_kinds(release):
            informer: Informer[Any] = cache.informer(kind, metadata_only=kind not in typed)
            self._add(kind, informer)
        definitions = cache.informer(CustomResourceDefinition, transform=_without_schema)
        self._add(CustomResourceDefinition, definitions)
        definitions.subscribe(self._on_definition)

    def _add(self, kind: type[KubeObject], informer: Informer[Any]) -> Watched:
        watched = self._watched[kind.resource.group, kind.resource.kind] = Watched(kind, informer)
        return watched

    def subscribe(self, listener: Callable[[Watched], None]) -> None:
        """Calls ``listener`` for each kind, now and whenever one is added."""
        self._listeners.append(listener)
        for each in list(self._watched.values()):
            listener(each)

    def owner_kind(self, owner: OwnerReference) -> Watched | None:
        """The kind that an owner is of; None: there is no such kind."""
        group, slash, _ = owner.api_version.rpartition("/")
        return self._watched.get((group if slash else "", owner.kind))

    def namespaced(self) -> Iterator[Watched]:
        """The kinds that live in namespaces."""
        return (each for each in list(self._watched.values()) if each.kind.resource.namespaced)

    def _on_definition(self, change: Change[CustomResourceDefinition]) -> None:
        definition = change.new
        if definition is None:
            if change.old is not None:
                self._watched.pop((change.old.spec.group, change.old.spec.names.kind), None)
            return
        place = (definition.spec.group, definition.spec.names.kind)
        version = next((each.name for each in definition.spec.versions if each.served), None)
        if version is None or place in self._watched or not is_true(definition.status.conditions or (), "Established"):
            return
        names, namespaced = definition.spec.names, definition.spec.scope == "Namespaced"
        kind = _metadata_kind(ResourceKind(place[0], version, names.kind, names.plural, namespaced=namespaced))
        watched = self._add(kind, self._cache.informer(kind, metadata_only=True))
        log.debug("custom kind watched", kind=str(kind.resource))
        for listener in self._listeners:
            listener(watched)


def _metadata_kind(resource: ResourceKind) -> type[KubeObject]:
    return type(resource.kind, (KubeObject,), {"resource": resource, "__module__": __name__})


def _without_schema(raw: dict[str, Any]) -> dict[str, Any]:
    """A definition without the schemas, which are most of it."""
    spec: Mapping[str, Any] = raw.get("spec", {})
    versions = [{name: each.get(name) for name in ("name", "served", "storage")} for each in spec.get("versions", ())]
    return {**raw, "spec": {**spec, "versions": versions}}
