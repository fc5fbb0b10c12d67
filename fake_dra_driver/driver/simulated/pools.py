"""What the nodes of a fleet offer in structured DRA: each is a pool, as its plugin would have it."""

from typing import Final

from typing_extensions import override

from fake_dra_driver.dra.structured import DroppedFields, FleetPool, FleetSource, Pool, Unchanged
from fake_dra_driver.driver.fault.offer import offered_devices
from fake_dra_driver.driver.simulated.fleet import SimulatedFleet

__all__ = ["SimulatedPools"]

_CONSUMPTION: Final = "devices[].consumesCounters"


class SimulatedPools(FleetSource):
    """Asks the fleet.

    Args:
        fleet: has the nodes.
    """

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet
        self._is_counted = True
        """Whether the API server keeps what devices use up in common."""

    @override
    async def pool(self, node: str) -> FleetPool | Unchanged | None:
        found = await self._fleet.node(node)
        if found is None:
            return None
        if found.mock is None:
            return Unchanged()
        devices = offered_devices(found.mock, found.effects, with_counters=self._is_counted)
        counters = found.mock.counter_sets if self._is_counted else ()
        return FleetPool(Pool(node, tuple(devices), node_name=node, shared_counters=counters), found.uid)

    @override
    def fields_dropped(self, dropped: DroppedFields) -> None:
        # Without them the scheduler would give away a device together with its parts. They come back with the next
        # start of the program: whoever switches a gate on restarts the API server, not this.
        if _CONSUMPTION in dropped.fields:
            self._is_counted = False
            self._fleet.leave_out_parts()
