"""The built-in resources: names, scopes and subresources as the discovery of a real API server has them.

A kind that is not here is not served: the cluster has what a driver and its users need, and answers 404 to the rest.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fake_dra_driver.cluster.apiserver.conversion.conversion import Conversion, renaming
from fake_dra_driver.cluster.apiserver.conversion.resource_v1beta1 import V1BETA1
from fake_dra_driver.cluster.apiserver.rules.bykind import RULES
from fake_dra_driver.cluster.apiserver.rules.event import event_rules
from fake_dra_driver.cluster.apiserver.rules.resource_v1alpha2 import CLASSIC_RULES
from fake_dra_driver.cluster.apiserver.rules.structured.kinds import structured_rules
from fake_dra_driver.cluster.apiserver.rules.surroundings import Surroundings
from fake_dra_driver.cluster.apiserver.tables.printers import printer_of
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry
from fake_dra_driver.cluster.apiserver.types.resource import ALL_VERBS, Resource, Rules, ScalePaths, Subresource
from fake_dra_driver.cluster.releases import ApiDetails

__all__ = ["builtin_resources"]

_STATUS_VERBS = ("get", "patch", "update")
_CONNECT = ("create", "get")
_WORKLOAD_SCALE = ScalePaths("spec.replicas", "status.replicas", "spec.selector")


class _Kind(NamedTuple):
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: str = ""
    categories: tuple[str, ...] = ()
    extra: tuple[Subresource, ...] = ()
    scale: bool = False
    create_only: bool = False
    collection: bool = True
    rules: Rules | None = None
    """None: those of the kind."""
    conversion: Conversion | None = None


def _connect(name: str, kind: str) -> Subresource:
    return Subresource(name, kind, _CONNECT)


_ADMISSION = "admissionregistration.k8s.io"
_CRD = "apiextensions.k8s.io"
_AUTHZ = "authorization.k8s.io"
_EVENTS = "events.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_ALL = ("all",)
_EXTENSIONS = ("api-extensions",)
_POD_SUBRESOURCES = (
    _connect("attach", "PodAttachOptions"),
    Subresource("binding", "Binding", ("create",)),
    Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
    _connect("exec", "PodExecOptions"),
    Subresource("log", "Pod", ("get",)),
    _connect("portforward", "PodPortForwardOptions"),
)
_EVENT_CONVERSION = renaming(
    {
        "regarding": "involvedObject",
        "note": "message",
        "reportingController": "reportingComponent",
        "deprecatedSource": "source",
        "deprecatedFirstTimestamp": "firstTimestamp",
        "deprecatedLastTimestamp": "lastTimestamp",
        "deprecatedCount": "count",
    }
)
"""Events are the same objects in both groups; in events.k8s.io these fields have other names."""
_KINDS = (
    _Kind("", "v1", "Binding", "bindings", create_only=True),
    _Kind("", "v1", "ConfigMap", "configmaps", short="cm"),
    _Kind("", "v1", "Endpoints", "endpoints", short="ep"),
    _Kind("", "v1", "Event", "events", short="ev"),
    _Kind(
        "", "v1", "Namespace", "namespaces", False, "ns",
        extra=(Subresource("finalize", "Namespace", ("update",)),), collection=False,
    ),
    _Kind("", "v1", "Node", "nodes", False, "no"),
    _Kind("", "v1", "Pod", "pods", short="po", categories=_ALL, extra=_POD_SUBRESOURCES),
    _Kind("", "v1", "Secret", "secrets"),
    _Kind("", "v1", "Service", "services", short="svc", categories=_ALL),
    _Kind(
        "", "v1", "ServiceAccount", "serviceaccounts", short="sa",
        extra=(Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
    ),
    _Kind(
        _ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False, "", _EXTENSIONS,
    ),
    _Kind(_ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", False, "", _EXTENSIONS),
    _Kind(
        _ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", False, "",
        _EXTENSIONS,
    ),
    _Kind(
        _ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False, "", _EXTENSIONS,
    ),
    _Kind(_CRD, "v1", "CustomResourceDefinition", "customresourcedefinitions", False, "crd crds", _EXTENSIONS),
    _Kind("apps", "v1", "ControllerRevision", "controllerrevisions"),
    _Kind("apps", "v1", "DaemonSet", "daemonsets", short="ds", categories=_ALL),
    _Kind("apps", "v1", "Deployment", "deployments", short="deploy", categories=_ALL, scale=True),
    _Kind("apps", "v1", "ReplicaSet", "replicasets", short="rs", categories=_ALL, scale=True),
    _Kind("apps", "v1", "StatefulSet", "statefulsets", short="sts", categories=_ALL, scale=True),
    _Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False, create_only=True),
    _Kind("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", False, create_only=True),
    _Kind(_AUTHZ, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", create_only=True),
    _Kind(_AUTHZ, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False, create_only=True),
    _Kind(_AUTHZ, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", False, create_only=True),
    _Kind(_AUTHZ, "v1", "SubjectAccessReview", "subjectaccessreviews", False, create_only=True),
    _Kind("batch", "v1", "CronJob", "cronjobs", short="cj", categories=_ALL),
    _Kind("batch", "v1", "Job", "jobs", categories=_ALL),
    _Kind("coordination.k8s.io", "v1", "Lease", "leases"),
    _Kind(
        _EVENTS, "v1", "Event", "events", short="ev",
        rules=event_rules(is_new_group=True), conversion=_EVENT_CONVERSION,
    ),
    _Kind("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", False),
    _Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    _Kind(_RBAC, "v1", "ClusterRole", "clusterroles", False),
    _Kind(_RBAC, "v1", "RoleBinding", "rolebindings"),
    _Kind(_RBAC, "v1", "Role", "roles"),
    _Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", False, "pc"),
)  # fmt: skip
_WITHOUT_STATUS_SUBRESOURCE = frozenset({"Event", "Endpoints"})


def builtin_resources(types: TypeRegistry, surroundings: Surroundings) -> Iterator[Resource]:
    """Every built-in resource of a release, whose types are given."""
    for each in (*_KINDS, *_dra_kinds(surroundings)):
        yield _resource(each, types, surroundings.release.details)


def _dra_kinds(surroundings: Surroundings) -> Iterator[_Kind]:
    """The kinds of resource.k8s.io, which releases have in different versions, the preferred one first."""
    for each in surroundings.release.resource_kinds:
        yield _Kind(
            each.group,
            each.version,
            each.kind,
            each.plural,
            each.namespaced,
            rules=_dra_rules(each.version, surroundings)[each.kind],
            conversion=V1BETA1.get(each.kind) if each.version == "v1beta1" else None,
        )


def _dra_rules(version: str, surroundings: Surroundings) -> Mapping[str, Rules]:
    return CLASSIC_RULES if version == "v1alpha2" else structured_rules(surroundings, version)


def _resource(each: _Kind, types: TypeRegistry, details: ApiDetails) -> Resource:
    type_ = types.named(types.name_of(each.group, each.version, each.kind))
    has_status = "status" in type_.fields and not each.create_only and each.kind not in _WITHOUT_STATUS_SUBRESOURCE
    extra = list(each.extra)
    if has_status:
        extra.append(Subresource("status", each.kind, _STATUS_VERBS))
    if each.scale:
        extra.append(Subresource("scale", "Scale", _STATUS_VERBS, "autoscaling", "v1"))
    verbs = ("create",) if each.create_only else ALL_VERBS
    columns, cells = printer_of(each.version, each.kind, details)
    return Resource(
        group=each.group,
        version=each.version,
        kind=each.kind,
        plural=each.plural,
        namespaced=each.namespaced,
        type=type_,
        singular=each.kind.lower(),
        list_kind=each.kind + "List",
        short_names=tuple(each.short.split()),
        categories=each.categories,
        verbs=verbs if each.collection else tuple(verb for verb in verbs if verb != "deletecollection"),
        subresources=tuple(sorted(extra, key=lambda sub: sub.name)),
        has_status=has_status,
        scale=_WORKLOAD_SCALE if each.scale else None,
        columns=columns,
        cells=cells,
        rules=each.rules or RULES.get(each.kind, Rules()),
        storage_group="" if each.group == _EVENTS else None,
        conversion=each.conversion,
    )
