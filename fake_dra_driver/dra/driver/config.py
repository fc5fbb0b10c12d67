"""What claims may say about the devices of a driver: a pydantic model of the driver's author.

The same fields are the ``spec`` of a custom resource in classic DRA, which claims name as their parameters, and of the
opaque configuration of claims and classes in structured DRA. The kind has the name of the class, the group that of the
driver.
"""

from fake_dra_driver.api.schema import SchemaModel

__all__ = ["DeviceConfig", "NoConfig"]


class DeviceConfig(SchemaModel):
    """Base of such a model. Each field has a default: a claim need not say anything. Docstrings of fields are help."""


class NoConfig(DeviceConfig):
    """For devices that cannot be configured."""
