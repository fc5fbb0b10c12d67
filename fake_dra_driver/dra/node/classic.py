"""What the calls of classic DRA have in common in both of their versions: ``v1alpha2`` and ``v1alpha3``.

The kubelet passes on what the controller has written into the claim's allocation for the node, the resource handle, so
that a driver can prepare from the call alone. Structured DRA has no such thing: a driver reads the claim instead. The
handle therefore belongs to a claim of these calls (``ClassicClaim``), and the type of claim that a driver takes says
which calls can be served with it: one that takes any ``NodeClaim`` serves both modes, one that needs the handle only
classic DRA.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from typing_extensions import override

from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import ReadyDevice

__all__ = ["ClassicClaim", "cdi_device_ids"]

MAX_HANDLE_SIZE_BYTES = 16 * 1024
"""The API server refuses longer ones (resource.k8s.io ResourceHandleDataMaxSize)."""


@dataclass(frozen=True, slots=True)
class ClassicClaim(NodeClaim):
    """A claim with what its allocation says to the node."""

    resource_handle: str = ""
    """``status.allocation.resourceHandles[].data`` of this driver; empty when the allocation carries none."""

    @override
    def problem(self) -> str | None:
        # Not super(): a slotted dataclass is another class than the one that a bare super() would look for.
        if (problem := NodeClaim.problem(self)) is not None:
            return problem
        size_bytes = len(self.resource_handle.encode())
        if size_bytes > MAX_HANDLE_SIZE_BYTES:
            return f"the resource handle has {size_bytes} bytes, at most {MAX_HANDLE_SIZE_BYTES} are allowed"
        return None


def cdi_device_ids(devices: Iterable[ReadyDevice]) -> list[str]:
    """All that an answer of classic DRA has room for: the CDI names of the devices, in their order, each of them once.

    Devices may share a name, for what all of them bring into a container.
    """
    return list(dict.fromkeys(chain.from_iterable(device.cdi_device_ids for device in devices)))
