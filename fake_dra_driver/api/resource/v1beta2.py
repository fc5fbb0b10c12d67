"""The kinds of ``resource.k8s.io/v1beta2``, Kubernetes 1.33 to 1.38: those of ``v1`` under another version.

DeviceTaintRule is there from 1.36 on.
"""

from dataclasses import replace
from typing import Final

from fake_dra_driver.api.resource import v1

__all__ = ["DeviceClass", "DeviceTaintRule", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"]

VERSION: Final = "v1beta2"


class ResourceSlice(v1.ResourceSlice):
    """A ``v1.ResourceSlice`` as v1beta2 has it."""

    resource = replace(v1.ResourceSlice.resource, version=VERSION)


class ResourceClaim(v1.ResourceClaim):
    """A ``v1.ResourceClaim`` as v1beta2 has it."""

    resource = replace(v1.ResourceClaim.resource, version=VERSION)


class ResourceClaimTemplate(v1.ResourceClaimTemplate):
    """A ``v1.ResourceClaimTemplate`` as v1beta2 has it."""

    resource = replace(v1.ResourceClaimTemplate.resource, version=VERSION)


class DeviceClass(v1.DeviceClass):
    """A ``v1.DeviceClass`` as v1beta2 has it."""

    resource = replace(v1.DeviceClass.resource, version=VERSION)


class DeviceTaintRule(v1.DeviceTaintRule):
    """A ``v1.DeviceTaintRule`` as v1beta2 has it."""

    resource = replace(v1.DeviceTaintRule.resource, version=VERSION)
