"""Which claims hold the devices of a node, as the ledger has it. Pure."""

from collections import defaultdict
from collections.abc import Callable

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.driver.fault.target import Holders
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.statelayout import FakeStateLayout

__all__ = ["holders_in"]

_LAYOUT = FakeStateLayout()


def holders_in(
    state: NodeAllocationState | None, node: MockNode, claim_of: Callable[[UID], NamespacedName | None]
) -> Holders:
    """By name of the device.

    Args:
        state: has the ledger; None: it has no entries.
        node: has the names of the devices.
        claim_of: the claim of that UID; None where there is none.
    """
    holders = defaultdict[str, list[NamespacedName]](list)
    names = {device.device.uuid: device.name for device in node.devices}
    for uid, entry in {} if state is None else _LAYOUT.entries_of(state).items():
        claim = claim_of(UID(uid))
        for device in () if claim is None else _LAYOUT.devices_of(entry):
            if claim is not None and device in names:
                holders[names[device]].append(claim)
    return holders
