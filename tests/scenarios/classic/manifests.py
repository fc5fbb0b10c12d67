"""Manifests as a user would write them; every field that a scenario varies is a parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from tests.e2e.client import Manifest

__all__ = [
    "POOL_LABEL",
    "ParametersReference",
    "claim",
    "claim_parameters",
    "claim_template",
    "class_parameters",
    "pod",
    "resource_class",
]

POOL_LABEL = "fake-dra-driver.test/pool"
"""Label and taint of the static nodes: only the scenarios' pods are selected for, and tolerate, a pool."""

_RESOURCE_API = "resource.k8s.io/v1alpha2"
_PARAMETERS_API = f"{DRIVER_NAME}/v1alpha1"


@dataclass(frozen=True, slots=True)
class ParametersReference:
    """A ``parametersRef``; the defaults are what is right for a claim of this driver."""

    name: str
    kind: str = "FakeClaimParameters"
    api_group: str = DRIVER_NAME

    def to_manifest(self) -> Manifest:
        return {"apiGroup": self.api_group, "kind": self.kind, "name": self.name}


def pod(
    name: str,
    namespace: str,
    *,
    claims: Mapping[str, str] | None = None,
    templates: Mapping[str, str] | None = None,
    pool: str | None = "static",
) -> Manifest:
    """A pod for the nodes of a pool; ``claims`` and ``templates`` map its entries to names of such objects.

    Without a pool it goes to a node with a kubelet, and runs.
    """
    sources = {entry: {"resourceClaimName": value} for entry, value in (claims or {}).items()}
    sources |= {entry: {"resourceClaimTemplateName": value} for entry, value in (templates or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            **(
                {"nodeSelector": {POOL_LABEL: pool}, "tolerations": [{"key": POOL_LABEL, "operator": "Exists"}]}
                if pool
                else {}
            ),
            "resourceClaims": [{"name": entry, "source": source} for entry, source in sources.items()],
            "containers": [
                {
                    "name": "ctr0",
                    "image": "busybox:1.37",
                    "command": ["sh", "-c", "export; exec sleep infinity"],
                    "resources": {"claims": [{"name": entry} for entry in sources]},
                }
            ],
        },
    }


def _claim_spec(parameters: ParametersReference | str | None, class_name: str, mode: str) -> Manifest:
    if isinstance(parameters, str):
        parameters = ParametersReference(parameters)
    spec: dict[str, object] = {"resourceClassName": class_name, "allocationMode": mode}
    if parameters is not None:
        spec["parametersRef"] = parameters.to_manifest()
    return spec


def claim(
    name: str,
    namespace: str,
    parameters: ParametersReference | str | None = None,
    *,
    class_name: str = RESOURCE_CLASS_NAME,
    mode: str = "WaitForFirstConsumer",
) -> Manifest:
    """A ResourceClaim; without parameters it asks for one whole device."""
    return {
        "apiVersion": _RESOURCE_API,
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": _claim_spec(parameters, class_name, mode),
    }


def claim_template(
    name: str,
    namespace: str,
    parameters: ParametersReference | str | None = None,
    *,
    class_name: str = RESOURCE_CLASS_NAME,
) -> Manifest:
    """A ResourceClaimTemplate."""
    return {
        "apiVersion": _RESOURCE_API,
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"spec": _claim_spec(parameters, class_name, "WaitForFirstConsumer")},
    }


def claim_parameters(name: str, namespace: str, **spec: object) -> Manifest:
    """FakeClaimParameters; ``spec`` as in the API: count, split, selector."""
    return {
        "apiVersion": _PARAMETERS_API,
        "kind": "FakeClaimParameters",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def class_parameters(name: str, selectors: Sequence[tuple[str, str]]) -> Manifest:
    """DeviceClassParameters with ``deviceSelector`` entries of type and name."""
    return {
        "apiVersion": _PARAMETERS_API,
        "kind": "DeviceClassParameters",
        "metadata": {"name": name},
        "spec": {"deviceSelector": [{"type": type_, "name": glob} for type_, glob in selectors]},
    }


def resource_class(name: str, parameters: str | None = None) -> Manifest:
    """A ResourceClass of this driver."""
    manifest: dict[str, object] = {
        "apiVersion": _RESOURCE_API,
        "kind": "ResourceClass",
        "metadata": {"name": name},
        "driverName": DRIVER_NAME,
    }
    if parameters is not None:
        reference = ParametersReference(parameters, kind="DeviceClassParameters")
        manifest["parametersRef"] = reference.to_manifest()
    return manifest
