"""What a node's NodeAllocationState lists as prepared, as Fake devices."""

from collections.abc import Sequence

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.dra import NodeClaim
from fake_dra_driver.dra.nodestate import Restore
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice, WantedDevice
from fake_dra_driver.driver.statelayout import FakeStateLayout

__all__ = ["restored_by"]


def restored_by(planner: FakePlanner) -> Restore[NodeAllocationState, FakePreparedDevice]:
    """Makes devices of what the object of a node lists.

    Args:
        planner: of the same node.
    """
    layout = FakeStateLayout()

    def restore(claim: NodeClaim, state: NodeAllocationState) -> Sequence[FakePreparedDevice]:
        listed = layout.prepared_parts_of(state).get(claim.uid, {})
        return planner.devices(claim, [WantedDevice(uuid, len(children)) for uuid, children in listed.items()])

    return restore
