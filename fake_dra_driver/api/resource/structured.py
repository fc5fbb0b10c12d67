"""The versions in which a cluster may serve structured DRA, each with the classes that read and write it as ``v1``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.resource import v1, v1alpha3, v1beta1, v1beta2

__all__ = ["RESOURCE_APIS", "TAINT_RULES", "ResourceApi"]


@dataclass(frozen=True, slots=True)
class ResourceApi:
    """The kinds of ``resource.k8s.io`` in one version. Whatever is read through them is a model of ``v1``.

    Patches are the exception: their paths are those of the version. What this project patches, ``status.devices`` of
    claims, is the same in all of them.
    """

    version: str
    slices: type[v1.ResourceSlice]
    claims: type[v1.ResourceClaim]
    templates: type[v1.ResourceClaimTemplate]
    classes: type[v1.DeviceClass]


RESOURCE_APIS: Final[Mapping[str, ResourceApi]] = {
    api.version: api
    for api in (
        ResourceApi("v1", v1.ResourceSlice, v1.ResourceClaim, v1.ResourceClaimTemplate, v1.DeviceClass),
        ResourceApi(
            "v1beta2",
            v1beta2.ResourceSlice,
            v1beta2.ResourceClaim,
            v1beta2.ResourceClaimTemplate,
            v1beta2.DeviceClass,
        ),
        ResourceApi(
            "v1beta1",
            v1beta1.ResourceSlice,
            v1beta1.ResourceClaim,
            v1beta1.ResourceClaimTemplate,
            v1beta1.DeviceClass,
        ),
    )
}
"""By version, the one to prefer first."""

TAINT_RULES: Final[Mapping[str, type[v1.DeviceTaintRule]]] = {
    "v1": v1.DeviceTaintRule,
    "v1beta2": v1beta2.DeviceTaintRule,
    "v1alpha3": v1alpha3.DeviceTaintRule,
}
"""By version, the one to prefer first. Which of them there is differs from the other kinds: it came later."""
