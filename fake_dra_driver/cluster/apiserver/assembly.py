"""Puts the parts of a server together: the store, the layers on it, and the first objects."""

from collections.abc import Mapping
from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver.admission.admission import Admission
from fake_dra_driver.cluster.apiserver.admission.webhooks import Webhooks
from fake_dra_driver.cluster.apiserver.builtin import builtin_resources
from fake_dra_driver.cluster.apiserver.custom.crd import custom_resources
from fake_dra_driver.cluster.apiserver.discovery.openapi import OpenApi
from fake_dra_driver.cluster.apiserver.heavywork import HeavyWork
from fake_dra_driver.cluster.apiserver.http.endpoints import Endpoints, Layers
from fake_dra_driver.cluster.apiserver.http.handler import Handler
from fake_dra_driver.cluster.apiserver.http.nonresource import Catalog
from fake_dra_driver.cluster.apiserver.http.requestfaults import Faults
from fake_dra_driver.cluster.apiserver.rules.priority import SYSTEM_PRIORITY_CLASSES
from fake_dra_driver.cluster.apiserver.rules.surroundings import Surroundings
from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Store
from fake_dra_driver.cluster.apiserver.types.decode import zero_value
from fake_dra_driver.cluster.apiserver.types.objecttype import OBJECT_META, TypeRegistry
from fake_dra_driver.cluster.apiserver.types.resource import Registry
from fake_dra_driver.cluster.apiserver.verbs.deletion import Deletion
from fake_dra_driver.cluster.apiserver.verbs.identities import Identities
from fake_dra_driver.cluster.apiserver.verbs.options import WriteOptions
from fake_dra_driver.cluster.apiserver.verbs.patching import Patching
from fake_dra_driver.cluster.apiserver.verbs.podverbs import PodVerbs
from fake_dra_driver.cluster.apiserver.verbs.reading import Reading
from fake_dra_driver.cluster.apiserver.verbs.scaling import Scaling
from fake_dra_driver.cluster.apiserver.verbs.tokens import Tokens
from fake_dra_driver.cluster.apiserver.verbs.writing import Writing
from fake_dra_driver.cluster.releases import Release

__all__ = ["Parts", "assemble"]

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a server uses once it is assembled."""

    store: Store
    registry: Registry
    reading: Reading
    podverbs: PodVerbs
    handler: Handler
    webhooks: Webhooks


def assemble(
    *,
    release: Release,
    admin_token: str,
    stamps: Stamps,
    faults: Faults,
    heavy: HeavyWork,
    admits_accounts: bool = False,
) -> Parts:
    """A server whose store only has the namespaces and priority classes of every cluster."""
    store, registry = Store(), Registry()
    tokens = Tokens(admin_token, stamps, store)
    types = TypeRegistry.load(release.name)
    surroundings = _surroundings(release, store, stamps)
    admission = Admission(store, registry, surroundings.namespace_labels)
    for resource in builtin_resources(types, surroundings):
        registry.add(resource)
    reading = Reading(store, registry.has, zero_value(types.named(OBJECT_META)))
    writing = Writing(store, types, stamps, admission, release.details, admits_accounts=admits_accounts)
    deletion = Deletion(store, stamps)
    podverbs = PodVerbs(reading, writing, deletion, stamps)
    _follow_crds(registry, store, types, writing, deletion)
    _make_what_each_cluster_has(registry, writing)
    layers = Layers(
        registry=registry,
        reading=reading,
        writing=writing,
        patching=Patching(store, writing, release.details),
        deletion=deletion,
        scaling=Scaling(reading, writing),
        podverbs=podverbs,
        identities=Identities(registry, reading, tokens, stamps, release.details),
        types=types,
        stamps=stamps,
        release=release,
        admission=admission,
    )
    version = release.api_server
    catalog = Catalog(registry, OpenApi(registry, types, version), _version(version))
    handler = Handler(registry, tokens, catalog, Endpoints(layers, heavy), faults, heavy)
    return Parts(store, registry, reading, podverbs, handler, admission.webhooks)


def _surroundings(release: Release, store: Store, stamps: Stamps) -> Surroundings:
    def labels_of(namespace: str) -> Mapping[str, str]:
        record = store.collection(("", "namespaces")).get(Key("", namespace))
        found: Mapping[str, str] | None = record.value["metadata"].get("labels") if record is not None else None
        return found or {}

    return Surroundings(release, stamps.now_text, labels_of)


def _follow_crds(registry: Registry, store: Store, types: TypeRegistry, writing: Writing, deletion: Deletion) -> None:
    """Adds and removes the resources of CRDs with them."""

    def serve(crd: Object) -> None:
        registry.remove(crd["spec"]["group"], crd["spec"]["names"]["plural"])
        for resource in custom_resources(crd, types):
            registry.add(resource)

    def forget(crd: Object) -> None:
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        registry.remove(group, plural)
        store.collection((group, plural)).wake()

    writing.on_crd, deletion.on_crd_gone = serve, forget


def _make_what_each_cluster_has(registry: Registry, writing: Writing) -> None:
    namespaces: list[tuple[str, str, Object]] = [
        ("v1", "Namespace", {"metadata": {"name": name}}) for name in _NAMESPACES
    ]
    classes: list[tuple[str, str, Object]] = [
        ("scheduling.k8s.io/v1", "PriorityClass", {"metadata": {"name": name}, "value": value})
        for name, value in SYSTEM_PRIORITY_CLASSES.items()
    ]
    for api_version, kind, body in (*namespaces, *classes):
        resource = registry.by_kind(api_version, kind)
        if resource is not None:
            writing.create(resource, "", body, WriteOptions(manager="kube-apiserver"))


def _version(git_version: str) -> Object:
    major, minor, _ = git_version.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "embedded",
    }
