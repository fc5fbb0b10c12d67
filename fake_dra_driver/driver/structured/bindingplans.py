"""What becomes of binding conditions: what the profile of a device says, and the faults that hit it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.fault.effects import BindingFault
from fake_dra_driver.driver.fault.evaluation import effects_of
from fake_dra_driver.driver.fault.target import Place
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.structured.binding import READY_AT_ONCE, BindingPlan
from fake_dra_driver.driver.structured.holders import holders_among

__all__ = ["BindingPlans"]


class BindingPlans:
    """Asks the catalog.

    Args:
        catalog: has profiles and faults.
        claims_on_node: those that hold devices of a node.
        now: the wall clock.
    """

    def __init__(
        self,
        catalog: MockCatalog,
        claims_on_node: Callable[[str], Sequence[v1.ResourceClaim]],
        now: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._claims_on_node = claims_on_node
        self._now = now

    async def plan(self, result: v1.DeviceRequestAllocationResult) -> BindingPlan:
        """What becomes of an allocated device. Raises RetryError as long as that is not known."""
        catalog, name = self._catalog, result.pool
        chosen = catalog.choose(name).profile
        node = await catalog.mock_node(name)
        if chosen is None or node is None:
            # A node without a profile has no such devices, and what cannot be used is the plugin's to tell of.
            return READY_AT_ONCE
        profile = f"DeviceProfile {chosen.metadata.name}"
        holders = holders_among(self._claims_on_node(name), catalog.driver, name)
        place = Place(node, catalog.driver, catalog.labels_of(name), holders)
        state = effects_of(catalog.faults.list(), place, self._now())
        device = next((each for each in node.devices if each.name == result.device), None)
        if device is None or device.name in state.effects.vanished:
            gone = f"{profile} has no such device any more" if device is None else "the device is gone"
            return BindingPlan(failure=gone, until=state.next_change)
        said = next(group.binding for group in chosen.spec.groups if group.name == device.group)
        fault = state.effects.binding.get(device.name, BindingFault(""))
        because = [
            *([profile] if said.delay_seconds or (said.failure and not fault.failure) else ()),
            *([f"DeviceFault {fault.fault}"] if fault.fault else ()),
        ]
        return BindingPlan(
            timedelta(seconds=said.delay_seconds + fault.delay_seconds),
            fault.failure or said.failure,
            " and ".join(because),
            state.next_change,
        )
