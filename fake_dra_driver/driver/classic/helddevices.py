"""What the claims of a node hold in classic DRA, by handles and ledger: the Fake devices that containers get."""

from collections.abc import Collection, Sequence

from typing_extensions import override

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra import NodeClaim
from fake_dra_driver.dra.classic import ClassicClaimLookup, HeldDevices, LookupClient
from fake_dra_driver.driver.classic.holdings import wanted_by_entry, wanted_by_handle
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime import Informer

__all__ = ["FakeClaimLookup", "make_claim_lookup"]

FakeClaimLookup = ClassicClaimLookup[NodeAllocationState, AllocatedDevices, FakePreparedDevice]


class FakeHeldDevices(HeldDevices[AllocatedDevices, FakePreparedDevice]):
    """By the handles of this driver; by the ledger for allocations of the Go driver, which have none.

    Args:
        planner: of the node.
    """

    def __init__(self, planner: FakePlanner) -> None:
        self._planner = planner

    @override
    def by_handle(self, claim: NodeClaim, handle: str) -> Sequence[FakePreparedDevice]:
        return self._planner.devices(claim, wanted_by_handle(handle))

    @override
    def by_entry(self, claim: NodeClaim, entry: AllocatedDevices) -> Sequence[FakePreparedDevice]:
        return self._planner.devices(claim, wanted_by_entry(entry))

    @override
    def keys_of(self, handle: str) -> Collection[str]:
        return {device.uuid for device in wanted_by_handle(handle)}


def make_claim_lookup(
    state_key: NamespacedName,
    states: Informer[NodeAllocationState],
    client: LookupClient,
    planner: FakePlanner,
    driver: str = NAMES.driver,
) -> FakeClaimLookup:
    """What is asked about claims on a node.

    Args:
        state_key: of the node's NodeAllocationState.
        states: a cache that has that object.
        client: for what is not asked of a cache.
        planner: of the node.
        driver: name of the driver.
    """
    return ClassicClaimLookup(driver, FakeStateLayout(), state_key, states, client, FakeHeldDevices(planner))
