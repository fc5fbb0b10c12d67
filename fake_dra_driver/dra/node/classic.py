"""What the calls of classic DRA have in common in both of their versions: ``v1alpha2`` and ``v1alpha3``."""

from collections.abc import Iterable
from itertools import chain

from fake_dra_driver.dra.node.driver import ReadyDevice

__all__ = ["cdi_device_ids"]


def cdi_device_ids(devices: Iterable[ReadyDevice]) -> list[str]:
    """All that an answer of classic DRA has room for: the CDI names of the devices, in their order, each of them once.

    Devices may share a name, for what all of them bring into a container.
    """
    return list(dict.fromkeys(chain.from_iterable(device.cdi_device_ids for device in devices)))
