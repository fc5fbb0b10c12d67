"""The controller's seam of classic DRA: what the protocol asks of a driver about the devices of a cluster.

``dra`` speaks with Kubernetes and does not know which device it serves. In classic DRA a driver chooses the devices of
a claim itself, behind ``ControllerDriver``; where they are made ready is ``dra.node.driver.NodeDriver``. The shapes
follow k8s.io/dynamic-resource-allocation/controller (KEP-3063).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceClaim, ResourceClass

__all__ = [
    "ControllerDriver",
    "Hold",
    "Marks",
    "ParametersError",
    "PendingClaim",
    "Unsuitable",
]

RequestT = TypeVar("RequestT")
"""What a claim asks for, in the device side's own terms; the protocol side passes it on unread."""


class ParametersError(Exception):
    """The parameters of a claim or class cannot be used; the text becomes an event on the object that is at fault.

    ``missing`` tells parameters that do not exist (yet) from those that exist and are wrong: the former are often just
    applied a moment after the claim, so nobody is warned about them at once.
    """

    def __init__(self, message: str, *, at_fault: Literal["claim", "class"], missing: bool = False) -> None:
        super().__init__(message)
        self.at_fault = at_fault
        self.missing = missing


@dataclass(frozen=True, slots=True)
class PendingClaim(Generic[RequestT]):
    """A claim that waits for devices, with what it asks for."""

    claim: ResourceClaim
    request: RequestT


@dataclass(frozen=True, slots=True)
class Unsuitable:
    """Why a node cannot take the claims of a pod, in words for an event: what was asked, what there is."""

    reason: str


class Hold(Protocol):
    """Devices set aside on one node, in memory, for claims of one pod, until they are recorded or the hold ends."""

    async def record(self) -> Mapping[UID, AllocationResult]:
        """Writes down durably which claim gets which devices; returns the allocation of each claim, by its UID.

        Raises:
            ConflictError: another writer was faster; nothing was recorded.
        """
        ...


Marks = Mapping[str, int]
"""By node: which of the changes made by others to the node's records had been seen when the mark was made."""


class ControllerDriver(Protocol[RequestT]):
    """Chooses devices for claims, and keeps a durable record of which claim holds which.

    Everything here answers from caches; only ``record``, ``forget`` and ``is_gone`` talk to the API server.
    """

    name: str
    """``driverName`` of the classes that this driver serves."""
    finalizer: str
    """Finalizer that keeps a claim in existence while it may hold devices."""

    def check_class(self, resource_class: ResourceClass) -> None:
        """Raises ParametersError when the parameters of the class cannot be used."""
        ...

    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> RequestT:
        """What the claim asks for, from its parameters and those of its class. Raises ParametersError."""
        ...

    def unsuitable_nodes(
        self, pending: Sequence[PendingClaim[RequestT]], nodes: Sequence[str]
    ) -> Mapping[str, Unsuitable]:
        """Those of ``nodes`` that cannot take all of the claims together, and why."""
        ...

    def describe_shortage(self, pending: Sequence[PendingClaim[RequestT]], unsuitable: Mapping[str, Unsuitable]) -> str:
        """For an event: what the claims ask for, and what each of the unsuitable nodes has instead."""
        ...

    def nodes(self) -> Sequence[str]:
        """Every node that has devices of this driver."""
        ...

    def choose_node(self, pending: PendingClaim[RequestT]) -> str | None:
        """A node for a claim in mode Immediate, or None when none has room."""
        ...

    def hold(self, pending: Sequence[PendingClaim[RequestT]], node: str) -> AbstractContextManager[Hold] | Unsuitable:
        """Sets devices aside for all of the claims on ``node``, or says why that cannot be.

        Devices that a claim has on record there are held again. The caller has made sure with ``fits_record`` that such
        a record is what the claim asks for.
        """
        ...

    def recorded_nodes(self, uid: UID) -> Sequence[str]:
        """The nodes on which a record says that the claim holds devices."""
        ...

    def fits_record(self, pending: PendingClaim[RequestT], node: str) -> bool:
        """Whether what is on record for the claim on ``node`` is what it asks for now (true when nothing is)."""
        ...

    def mark(self, nodes: Sequence[str]) -> Marks:
        """To be taken before the write that fences a claim, and given to ``forget`` after it (design rule 5)."""
        ...

    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        """Takes the claim's records on ``nodes`` out. Without marks: the claim no longer exists.

        Raises:
            ConflictError: somebody else changed a record since its mark: look again and fence again.
        """
        ...

    def node_of(self, allocation: AllocationResult) -> str | None:
        """The node that an allocation of this driver is on."""
        ...

    async def is_gone(self, node: str) -> bool:
        """Whether the node no longer exists, confirmed by the API server."""
        ...
