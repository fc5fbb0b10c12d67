"""How much a claim takes of a shared device in classic DRA, where no scheduler reckons it. Pure.

By the rules of structured DRA (KEP-5075): what is asked for is rounded up to what can be had of a capacity; of one that
is not asked for a claim takes the default, or else all of it.
"""

from collections.abc import Mapping
from functools import lru_cache

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.capacity import CapacityError, demand_on
from fake_dra_driver.dra.driver.device import Capacity, Device
from fake_dra_driver.dra.driver.slicedevices import slice_device
from fake_dra_driver.quantity import Quantity, QuantityError

__all__ = ["share_of"]

_RULES = Behaviour()


def share_of(device: Device, asked: Mapping[str, str]) -> Mapping[str, Quantity] | None:
    """How much of each capacity a claim takes; None where the device cannot give what is asked for, even alone.

    Args:
        device: one that claims share.
        asked: quantities by name of a capacity.
    """
    return _share(tuple(device.capacity.items()), tuple(asked.items()))


@lru_cache(maxsize=4096)  # devices are mostly alike, and so are claims: it is asked for each device of each node
def _share(
    capacities: tuple[tuple[str, str | int | Capacity], ...], asked: tuple[tuple[str, str], ...]
) -> Mapping[str, Quantity] | None:
    wanted = frozenset((name, Quantity.parse(quantity)) for name, quantity in asked)
    # No name is in what is made of the capacities.
    device = slice_device("", Device("", capacity=dict(capacities), shared=True))
    try:
        demand = demand_on(device.capacity, wanted, _RULES)
    except (CapacityError, QuantityError):  # anything may have been written into the object that says what there is
        return None
    return demand.consumed if demand.unknown is None and demand.refused is None and demand.fits_alone else None
