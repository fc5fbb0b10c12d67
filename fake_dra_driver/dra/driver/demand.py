"""How much a claim takes of a shared device in classic DRA, where no scheduler reckons it. Pure.

By the rules of structured DRA (KEP-5075): what is asked for is rounded up to what can be had of a capacity; of one that
is not asked for a claim takes the default, or else all of it.
"""

from collections.abc import Mapping

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.capacity import CapacityError, demand_on
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.slicedevices import slice_device
from fake_dra_driver.quantity import Quantity

__all__ = ["share_of"]

_RULES = Behaviour()


def share_of(driver: str, device: Device, asked: Mapping[str, str]) -> Mapping[str, Quantity] | None:
    """How much of each capacity a claim takes; None where the device cannot give what is asked for, even alone.

    Args:
        driver: name of the driver.
        device: one that claims share.
        asked: quantities by name of a capacity.
    """
    wanted = frozenset((name, Quantity.parse(quantity)) for name, quantity in asked.items())
    try:
        demand = demand_on(slice_device(driver, device).capacity, wanted, _RULES)
    except CapacityError:
        return None
    return demand.consumed if demand.unknown is None and demand.refused is None and demand.fits_alone else None
