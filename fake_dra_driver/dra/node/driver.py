"""The node's seam of a DRA driver: what the kubelet plugin asks of it about the devices of its own node.

The same for classic and structured DRA: however the devices of a claim were chosen, ``NodeDriver`` makes them ready.
The shapes follow the kubelet's DRA gRPC service (k8s.io/kubelet/pkg/apis/dra).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fake_dra_driver.dra.node.claim import NodeClaim

__all__ = ["NodeDriver", "PrepareError", "ReadyDevice"]

ClaimT_contra = TypeVar("ClaimT_contra", bound=NodeClaim, contravariant=True)
"""What a driver has to be told about a claim: its identity, or more (``classic.ClassicClaim``)."""


class PrepareError(Exception):
    """A claim cannot be prepared or unprepared; the text goes to the kubelet as the error of that claim alone."""


@dataclass(frozen=True, slots=True)
class ReadyDevice:
    """A device that containers of a claim can use now (``Device`` of k8s.io/kubelet/pkg/apis/dra/v1)."""

    pool_name: str
    device_name: str
    cdi_device_ids: tuple[str, ...]
    """Fully qualified CDI names, in the order in which the runtime is to apply them. Devices may share some."""
    request_names: tuple[str, ...] = ()
    """The requests of the claim that it is for, without subrequests; empty: for every container that uses the claim.

    Classic claims have no requests.
    """
    share_id: str | None = None
    """Which share of the device the claim has; None: it has no other user."""


class NodeDriver(Protocol[ClaimT_contra]):
    """Makes the devices of claims ready on one node."""

    async def prepare(self, claim: ClaimT_contra) -> Sequence[ReadyDevice]:
        """Makes the claim's devices ready and returns them.

        Idempotent: the kubelet calls again after each of its restarts. Durable before it returns. Runs concurrently for
        different claims, and never twice at once for the same claim.

        Raises:
            PrepareError: the claim holds nothing here, or cannot be prepared.
        """
        ...

    async def unprepare(self, claim: ClaimT_contra) -> None:
        """Undoes ``prepare``. Succeeds for a claim that was never prepared, and when the claim object is gone.

        Raises:
            PrepareError: the claim's devices could not be released.
        """
        ...
