"""What was found out about one node: whether the claims can be had there, and what stands in the way."""

from dataclasses import dataclass
from typing import Final

from fake_dra_driver.allocation.decision import Allocation, Refusal
from fake_dra_driver.allocation.errors import AllocationError
from fake_dra_driver.allocation.identity import DeviceId
from fake_dra_driver.allocation.obstacles import Obstacle, PoolObstacle, SelectorFailed, SelectorFalse
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1 import DeviceAttribute, DeviceSubRequest, ExactDeviceRequest

__all__ = ["BrokenConstraint", "Candidate", "Combination", "Finding", "RequestFinding", "Requested"]

ALL: Final = "All"


@dataclass(frozen=True, slots=True)
class Requested:
    """A request of a claim, or one of the alternatives of a request."""

    claim: int
    """Which of the claims to allocate."""
    name: str
    """Name of the request; of an alternative ``request/alternative``."""
    spec: ExactDeviceRequest | DeviceSubRequest

    @property
    def request(self) -> str:
        """Name of the request, without that of the alternative."""
        return self.name.partition("/")[0]

    @property
    def wanted(self) -> int | None:
        """How many devices it wants; None: all that match."""
        return None if self.spec.allocation_mode == ALL else max(self.spec.count, 1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device that the node sees."""

    device: DeviceId
    obstacles: tuple[Obstacle, ...]
    """All that stands in its way, taken by itself."""

    @property
    def decisive(self) -> tuple[Obstacle, ...]:
        """What matters of that: a device for which a selector is false is not asked for, and all else is beside it."""
        selectors = tuple(each for each in self.obstacles if isinstance(each, SelectorFalse | SelectorFailed))
        return selectors[:1] or self.obstacles

    @property
    def is_of_other_class(self) -> bool:
        """Whether a selector of the class is false for it."""
        return any(isinstance(each, SelectorFalse) and each.origin.class_name is not None for each in self.obstacles)


@dataclass(frozen=True, slots=True)
class RequestFinding:
    """What the devices of the node are to a request."""

    requested: Requested
    candidates: tuple[Candidate, ...]
    """In the order in which they are tried."""
    is_met: bool
    """Whether it could be met if it were alone."""

    @property
    def suitable(self) -> int:
        """How many devices have nothing in their way."""
        return sum(not each.obstacles for each in self.candidates)


@dataclass(frozen=True, slots=True)
class BrokenConstraint:
    """A constraint of a claim that no choice of devices satisfies."""

    claim: int
    """Which of the claims to allocate."""
    index: int
    """Its place among the constraints of the claim."""
    values: tuple[tuple[DeviceId, DeviceAttribute | None], ...]
    """The devices that could be had otherwise, and what they have; None: they lack the attribute."""


@dataclass(frozen=True, slots=True)
class Combination:
    """Each request could be met, and all of them cannot."""

    constraints: tuple[BrokenConstraint, ...] = ()
    """What is in the way: it is enough to drop any of them, or, where ``needs_all`` is set, all of them. None: the
    requests compete for the same devices."""
    needs_all: bool = False
    shortage_among: tuple[Requested, ...] = ()
    """Requests that want more devices together than there are that suit any of them."""
    shortage_of: int = 0
    """So many devices suit them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about a node."""

    node: Node
    outcome: Allocation | Refusal | AllocationError
    pools: tuple[PoolObstacle, ...] = ()
    """What stands in the way of whole pools."""
    requests: tuple[RequestFinding, ...] = ()
    combination: Combination | None = None

    @property
    def fits(self) -> bool:
        """Whether the claims can be had there."""
        return isinstance(self.outcome, Allocation)

    @property
    def unmet(self) -> int:
        """How many requests could not even be met alone."""
        by_request: dict[tuple[int, str], bool] = {}
        for each in self.requests:
            key = (each.requested.claim, each.requested.request)
            by_request[key] = by_request.get(key, False) or each.is_met
        return sum(not is_met for is_met in by_request.values())
