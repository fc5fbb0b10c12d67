"""The only kind of ``resource.k8s.io/v1alpha3`` from Kubernetes 1.33 on, read and written as that of ``v1``.

Until 1.34 its selector has a device class and CEL expressions too, which are kept as all unknown fields are, and it has
no status.
"""

from dataclasses import replace
from typing import Final

from fake_dra_driver.api.resource import v1

__all__ = ["DeviceTaintRule"]

VERSION: Final = "v1alpha3"


class DeviceTaintRule(v1.DeviceTaintRule):
    """A ``v1.DeviceTaintRule`` as v1alpha3 has it."""

    resource = replace(v1.DeviceTaintRule.resource, version=VERSION)
