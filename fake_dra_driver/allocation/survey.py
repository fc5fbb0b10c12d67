"""What there is on a node for the claims of a pod, and what is in the way of each device taken alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.checks import CHECKS, Case, Trial
from fake_dra_driver.allocation.identity import DeviceId, PoolId
from fake_dra_driver.allocation.obstacles import CountersShort, InUse, Obstacle, PoolObstacle
from fake_dra_driver.allocation.pools import NodeView
from fake_dra_driver.allocation.requests import Plan, Problem, Request
from fake_dra_driver.api.resource.v1 import Device

__all__ = ["PoolReport", "Survey"]


@dataclass(frozen=True, slots=True)
class PoolReport:
    """A pool that the node sees."""

    id: PoolId
    generation: int
    slices: int
    """How many slices of this generation there are."""
    expected_slices: int
    devices: tuple[DeviceId, ...]
    """Those that the node sees, in the order of trying."""
    obstacle: PoolObstacle | None
    """Why none of them can be had."""


class Survey:
    """Looks at everything, and chooses nothing: uses the checks of the search, with nothing chosen before."""

    def __init__(self, plan: Plan, view: NodeView, behaviour: Behaviour) -> None:
        """Has looked at nothing yet.

        Args:
            plan: what is asked for.
            view: the pools of the node.
            behaviour: that of the release.
        """
        self._plan = plan
        self._view = view
        self._trial = Trial(plan, behaviour)
        self._places = {
            candidate.id: (pool, candidate) for pool in reversed(view.pools) for candidate in reversed(pool.candidates)
        }

    @property
    def pools(self) -> tuple[PoolReport, ...]:
        """The pools that the node sees, in the order of trying, those included that do not count."""
        return tuple(
            PoolReport(
                pool.id,
                pool.generation,
                pool.slices,
                pool.expected_slices,
                tuple(candidate.id for candidate in pool.candidates),
                pool.obstacle,
            )
            for pool in self._view.pools
        )

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests, and alternatives of prioritized lists, that can be handled at all."""
        return tuple(
            request
            for ask in self._plan.asks
            for alternatives in ask.requests
            if not isinstance(alternatives, Problem)
            for request in alternatives
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """Why requests cannot be handled, on whichever node."""
        found = [each for ask in self._plan.asks for each in (*ask.requests, ask.constraints)]
        return tuple(each.text for each in found if isinstance(each, Problem))

    def device(self, device: DeviceId) -> Device:
        """A device that the node sees. Raises KeyError."""
        return self._places[device][1].device

    def judge(self, request: Request, device: DeviceId) -> Sequence[Obstacle]:
        """Everything that is in the way of a device for a request, in the order in which the search would find it.

        Of a device that is in use, not what it uses up itself.

        Raises:
            KeyError: the node does not see the device.
            AllocationError: an amount of capacity cannot be reckoned with.
        """
        case = Case(request, *self._places[device])
        found = [each for check in CHECKS if (each := check(self._trial, case)) is not None]
        if any(isinstance(each, InUse) for each in found):
            found = [_by_others(each) if isinstance(each, CountersShort) else each for each in found]
        return tuple(each for each in found if not isinstance(each, CountersShort) or each.shortages)


def _by_others(short: CountersShort) -> CountersShort:
    """The counters that would be short as well if the device were not in use."""
    shortages = (each for each in short.shortages if each.without(short.device) < each.needed.nanos)
    return replace(short, shortages=tuple(shortages))
