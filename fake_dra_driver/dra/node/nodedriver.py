"""The devices of a node behind the kubelet's calls, where one read at most says what a claim is to get."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from typing_extensions import override

from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import NodeDriver, ReadyDevice
from fake_dra_driver.dra.node.prepared import PreparedT
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.retry import RetryBudget

__all__ = ["PreparerDriver"]

ClaimT = TypeVar("ClaimT", bound=NodeClaim)


class PreparerDriver(NodeDriver[ClaimT], Generic[ClaimT, PreparedT]):
    """Finds out what a claim is to get, and has it prepared.

    Args:
        preparer: does the work.
        devices: the devices that a claim of the kubelet's is to get on this node. Raises PrepareError: it holds none
            here, the node does not have them, or what says so cannot be read; RuntimeLayerError: the API server cannot
            be asked.
    """

    def __init__(
        self, preparer: Preparer[PreparedT], devices: Callable[[ClaimT], Awaitable[Sequence[PreparedT]]]
    ) -> None:
        self._preparer = preparer
        self._devices = devices

    @override
    async def prepare(self, claim: ClaimT) -> Sequence[ReadyDevice]:
        budget = RetryBudget()
        devices = await budget.run(lambda: self._devices(claim), f"find out which devices claim {claim} holds")
        return await self._preparer.prepare(claim, devices, budget)

    @override
    async def unprepare(self, claim: ClaimT) -> None:
        # From local data alone: the claim object may be gone, and the API server away.
        await self._preparer.unprepare(claim)
