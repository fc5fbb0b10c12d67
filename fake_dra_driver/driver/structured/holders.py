"""Which claims hold the devices of a node, as the scheduler has allocated them. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.fault.target import Holders

__all__ = ["holders_among"]


def holders_among(claims: Iterable[v1.ResourceClaim], driver: str, node: str) -> Holders:
    """By name of the device.

    Args:
        claims: those that may hold some.
        driver: whose devices count.
        node: the node, whose name is that of its pool.
    """
    holders = defaultdict[str, list[NamespacedName]](list)
    for claim in claims:
        allocation = claim.status.allocation
        for result in () if allocation is None else allocation.devices.results:
            if (result.driver, result.pool) == (driver, node):
                holders[result.device].append(claim.key)
    return holders
