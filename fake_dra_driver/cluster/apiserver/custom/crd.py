"""CustomResourceDefinitions at work: their defaults and status, and the resources that they make.

Follows k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1 (defaults) and pkg/controller/establish. Names are
accepted, and the resource is served, as soon as the CRD is created.
"""

from collections.abc import Iterator, Mapping

from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.tables.table import columns_of_crd
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry
from fake_dra_driver.cluster.apiserver.types.resource import Resource, Rules, ScalePaths, Subresource

__all__ = [
    "CLEANUP_FINALIZER",
    "accepted_status",
    "custom_resources",
    "default_crd",
    "initial_status",
]

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_STATUS_VERBS = ("get", "patch", "update")
_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


def default_crd(crd: Object) -> None:
    """Fills in what a CRD leaves out."""
    names = crd["spec"].setdefault("names", {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", kind + "List" if kind else "")
    crd["spec"].setdefault("conversion", {"strategy": "None"})
    for version in crd["spec"].get("versions") or ():
        # The gate CustomResourceFieldSelectors is off in 1.30.
        version.pop("selectableFields", None)


def accepted_status(crd: Object, time: str) -> Object:
    """The status of a CRD that is served."""
    conditions = [
        {
            "type": "NamesAccepted",
            "status": "True",
            "lastTransitionTime": time,
            "reason": "NoConflicts",
            "message": "no conflicts found",
        },
        {
            "type": "Established",
            "status": "True",
            "lastTransitionTime": time,
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]
    stored = [each["name"] for each in crd["spec"]["versions"] if each.get("storage")]
    before = (crd.get("status") or {}).get("storedVersions") or []
    return {
        "conditions": (crd.get("status") or {}).get("conditions") or conditions,
        "acceptedNames": dict(crd["spec"]["names"]),
        "storedVersions": list(dict.fromkeys((*before, *stored))),
    }


def initial_status(crd: Object) -> Object:
    """The status of a new CRD, as its creator sees it."""
    stored = [each["name"] for each in crd["spec"].get("versions") or () if each.get("storage")]
    return {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}


def custom_resources(crd: Object, types: TypeRegistry) -> Iterator[Resource]:
    """The resources of a CRD: one for each version that is served."""
    spec, names = crd["spec"], crd["spec"]["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        schema = version["schema"]["openAPIV3Schema"]
        subresources = version.get("subresources") or {}
        scale = subresources.get("scale")
        extra = []
        if "status" in subresources:
            extra.append(Subresource("status", names["kind"], _STATUS_VERBS))
        if scale is not None:
            extra.append(Subresource("scale", "Scale", _STATUS_VERBS, "autoscaling", "v1"))
        yield Resource(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            namespaced=spec["scope"] == "Namespaced",
            type=types.custom(schema),
            singular=names["singular"],
            list_kind=names["listKind"],
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            verbs=_CUSTOM_VERBS,
            subresources=tuple(extra),
            custom=True,
            has_status="status" in subresources,
            scale=_scale_paths(scale) if scale is not None else None,
            columns=columns_of_crd(version.get("additionalPrinterColumns") or ()),
            rules=Rules(has_generation=True, update_without_version=False),
        )


def _scale_paths(scale: Mapping[str, str]) -> ScalePaths:
    names = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    return ScalePaths(*(scale.get(name, "").lstrip(".") for name in names))
