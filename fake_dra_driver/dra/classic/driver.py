"""The controller's seam of classic DRA: what a driver says about its devices, and the protocol does not know.

In classic DRA a driver chooses the devices of a claim itself (KEP-3063). Which device is free, what is on record and
who writes what when is the same for all drivers; behind ``ControllerDriver`` is the rest, all of it pure. How the
record of a node is kept is ``nodestate.ledgerlayout``; where devices are made ready is ``dra.node.driver.NodeDriver``.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from fake_dra_driver.api.kube.meta import UID, KubeObject
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra.nodestate.sharing import Share

__all__ = ["AnyControllerDriver", "ControllerDriver", "NodeDevices", "ParametersError", "Unsuitable"]

DeviceT = TypeVar("DeviceT")
EntryT = TypeVar("EntryT")
RequestT = TypeVar("RequestT")
StateT_contra = TypeVar("StateT_contra", bound=KubeObject, contravariant=True)


class ParametersError(Exception):
    """The parameters of a claim or class cannot be used; the text becomes an event on the object that is at fault.

    ``missing`` tells parameters that do not exist (yet) from those that exist and are wrong: the former are often just
    applied a moment after the claim, so that a warning at once would be too early.
    """

    def __init__(self, message: str, *, at_fault: Literal["claim", "class"], missing: bool = False) -> None:
        super().__init__(message)
        self.at_fault = at_fault
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Unsuitable:
    """Why a node cannot take the claims of a pod."""

    reason: str
    """In words for an event: what there is of what was asked for."""
    is_closed: bool = False
    """Whether it takes no claims at all at present, whatever devices it has."""


@dataclass(frozen=True, slots=True)
class NodeDevices(Generic[DeviceT]):
    """What a node has to offer."""

    devices: Mapping[Hashable, DeviceT]
    """By the keys that ``LedgerLayout.devices_of`` gives; in the order in which they are to be taken."""
    closed: str | None = None
    """Why the node takes no claims at all, in words for an event; None when it does."""
    withheld: Mapping[Hashable, str] = field(default_factory=dict)
    """More devices, which no new claim gets at present, each with why: such as "unhealthy". For the driver's words."""


class ControllerDriver(Protocol[RequestT, StateT_contra, DeviceT, EntryT]):
    """What claims ask for, what nodes have, and which of it a claim gets.

    The types, in their order: what a claim asks for, the object of a node with its ledger, a device, and what the
    ledger says of a claim. Nothing here may wait or have a side effect: it is called in the middle of a choice that
    other choices must not come between.
    """

    name: str
    """``driverName`` of the classes that this driver serves."""

    @property
    def finalizer(self) -> str:
        """Finalizer that keeps a claim in existence while it may hold devices."""
        return f"{self.name}/deletion-protection"

    def check_class(self, resource_class: ResourceClass) -> None:  # noqa: ARG002 - a default
        """Raises ParametersError when the parameters of the class cannot be used. By default classes have none."""
        return None  # noqa: RET501 - says to mypy that this is no abstract method

    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> RequestT:
        """What the claim asks for, from its parameters and those of its class. Raises ParametersError."""
        ...

    def devices_of(self, state: StateT_contra) -> NodeDevices[DeviceT]:
        """The devices of a node, held or free, that claims may have."""
        ...

    def rest_of(self, device: DeviceT, left: Share) -> DeviceT:  # noqa: ARG002 - a default
        """A shared device as ``choose`` is to see it, when claims have left this of its capacity.

        Only a driver whose ledger knows of shared devices (``LedgerLayout.capacities_of``) is asked.
        """
        return device

    def choose(
        self, node: NodeDevices[DeviceT], free: Sequence[DeviceT], requests: Sequence[RequestT]
    ) -> Sequence[EntryT] | Unsuitable:
        """Which of the free devices each request gets, as an entry of the ledger; or what there is too little of.

        The same input gives the same answer, and all requests are served or none. What requests get of a device
        together is no more than its capacity has room for, and all of it for one of them where it is not shared.
        """
        ...

    def advise(self, requests: Sequence[RequestT], nodes: Sequence[NodeDevices[DeviceT]]) -> str:  # noqa: ARG002
        """For an event: what a person can do about requests that none of the nodes could serve with all its devices.

        By default general advice; a driver that looks at the devices can say what is wrong.
        """
        return "ask for fewer, or add nodes that have as many"

    def handle_of(self, entry: EntryT) -> str:
        """What a claim's allocation tells the node: the contents of ``resourceHandles[].data``, at most 16 KiB.

        Raises ValueError for an entry that was edited into what ``choose`` would never give.
        """
        ...

    def says_the_same(self, entry: EntryT, other: EntryT) -> bool:
        """Whether two entries tell the node the same: by default, whether their handles are equal."""
        try:
            return entry == other or self.handle_of(entry) == self.handle_of(other)
        except ValueError:
            return False

    def entry_of(self, handle: str) -> EntryT:
        """The inverse of ``handle_of``. Raises ValueError, with what is wrong, on anything else."""
        ...

    def entry_without_handle(self, uid: UID, state: StateT_contra) -> EntryT | None:  # noqa: ARG002 - a default
        """What the node says of a claim whose allocation has no handle, and that is not on record; None: nothing.

        For drivers that take over from another implementation, which has written no handles. By default None.
        """
        return None

    def describe_request(self, request: RequestT) -> str:
        """For an event, after "asked for"."""
        ...

    def describe_entry(self, entry: EntryT) -> str:
        """The devices of an entry, for an event."""
        ...


AnyControllerDriver: TypeAlias = ControllerDriver[Any, Any, Any, Any]
"""For what asks nothing about devices."""
