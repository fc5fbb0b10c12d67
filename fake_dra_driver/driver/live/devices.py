"""The mock devices of a node for as long as its plugin runs: what watches profiles and faults, put together."""

from collections.abc import Callable, Mapping

from typing_extensions import override

from fake_dra_driver.dra import Reason
from fake_dra_driver.dra.program import LiveDevices, NodeAccess
from fake_dra_driver.driver.live.faults import LiveFaults
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.node.prepared import FakePreparedDevice

__all__ = ["MockDevices"]


class MockDevices(LiveDevices):
    """Keeps a node in line with what describes it.

    Args:
        node: is told what it has.
        faults: of the node.
    """

    def __init__(self, node: LiveNode, faults: LiveFaults) -> None:
        self._node = node
        self._faults = faults

    async def connect(self, access: NodeAccess[FakePreparedDevice]) -> None:
        """Returns once it is known what the node has."""
        await self._faults.connect(access)

    @override
    async def run(self) -> None:
        await self._faults.run()

    @override
    def subscribe(self, changed: Callable[[], None]) -> None:
        self._node.subscribe(changed)

    @override
    def report_to(self, tell: Callable[[Reason, str], None]) -> None:
        self._node.report_to(tell)

    @override
    def refusal(self) -> str:
        return ""

    @override
    def problem(self) -> str | None:
        return None

    def annotations(self) -> Mapping[str, str]:
        """What the node's NodeAllocationState says of its profile."""
        return {}
