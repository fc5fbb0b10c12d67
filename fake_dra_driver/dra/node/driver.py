"""The node's seam of a DRA driver: what the kubelet plugin asks of it about the devices of its own node.

The same for classic and structured DRA: whoever has chosen the devices of a claim, ``NodeDriver`` makes them ready. The
shapes follow the kubelet's DRA gRPC service (k8s.io/kubelet/pkg/apis/dra).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fake_dra_driver.api.kube.meta import UID

__all__ = ["NodeClaim", "NodeDriver", "PrepareError"]


class PrepareError(Exception):
    """A claim cannot be prepared or unprepared; the text goes to the kubelet as the error of that claim alone."""


@dataclass(frozen=True, slots=True)
class NodeClaim:
    """A claim as the kubelet names it in a call."""

    namespace: str
    name: str
    uid: UID
    resource_handle: str = ""
    """``status.allocation.resourceHandles[].data`` of this driver; empty when the allocation carries none."""


class NodeDriver(Protocol):
    """Makes the devices of claims ready on one node."""

    async def prepare(self, claim: NodeClaim) -> Sequence[str]:
        """Makes the claim's devices ready and returns their fully qualified CDI device names.

        Idempotent: the kubelet calls again after each of its restarts. Durable before it returns. Runs concurrently for
        different claims, and never twice at once for the same claim.

        Raises:
            PrepareError: the claim holds nothing here, or cannot be prepared.
        """
        ...

    async def unprepare(self, claim: NodeClaim) -> None:
        """Undoes ``prepare``. Succeeds for a claim that was never prepared, and when the claim object is gone.

        Raises:
            PrepareError: the claim's devices could not be released.
        """
        ...
