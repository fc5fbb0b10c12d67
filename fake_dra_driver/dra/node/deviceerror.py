"""Why a claim cannot have a device on a node. A module of its own, since controllers ask too, which load no gRPC."""

from fake_dra_driver.dra.node.driver import PrepareError

__all__ = ["DeviceInUseError", "DeviceMissingError", "NotEndedError"]


class DeviceInUseError(PrepareError):
    """A device of the claim is prepared for another claim, which still holds it, or whose pod may still run."""


class NotEndedError(DeviceInUseError):
    """The other claim holds nothing any more, and neither the kubelet nor the controller has said that it is unused.

    As a rule the kubelet is just stopping its containers.
    """


class DeviceMissingError(PrepareError):
    """The node does not have a device of the claim."""
