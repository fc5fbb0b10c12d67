"""The Fake device behind the kubelet's calls, in either mode of DRA."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from typing_extensions import override

from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import NodeDriver, ReadyDevice
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.driver.node.preparer import Preparer
from fake_dra_driver.driver.node.retry import RetryBudget

__all__ = ["FakeNodeDriver"]

ClaimT = TypeVar("ClaimT", bound=NodeClaim)


class FakeNodeDriver(NodeDriver[ClaimT]):
    """Finds out what a claim is to get, and has it prepared.

    Args:
        preparer: does the work.
        wanted: the devices that a claim of the kubelet's is to get on this node. Raises PrepareError: it holds none
            here, or what says so cannot be read; RuntimeLayerError: the API server cannot be asked.
    """

    def __init__(self, preparer: Preparer, wanted: Callable[[ClaimT], Awaitable[Sequence[WantedDevice]]]) -> None:
        self._preparer = preparer
        self._wanted = wanted

    @override
    async def prepare(self, claim: ClaimT) -> Sequence[ReadyDevice]:
        budget = RetryBudget()
        wanted = await budget.run(lambda: self._wanted(claim), f"find out which devices claim {claim} holds")
        return await self._preparer.prepare(claim, wanted, budget)

    @override
    async def unprepare(self, claim: ClaimT) -> None:
        # From local data alone: the claim object may be gone, and the API server away.
        await self._preparer.unprepare(claim)
