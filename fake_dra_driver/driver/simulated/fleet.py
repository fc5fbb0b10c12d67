"""The nodes that have no kubelet plugin, and what each of them has at each moment."""

from collections.abc import Callable, Collection
from typing import Protocol

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.driver.simulated.simulatednode import SimulatedNode

__all__ = ["Fleet"]


class Fleet(Protocol):
    """What those need of ``SimulatedFleet`` who publish what its nodes have."""

    def nodes(self) -> Collection[str]:
        """Names of those that are simulated now: selected, and without a plugin that serves them."""
        ...

    def uid_of(self, name: str) -> UID | None:
        """UID of the Node; None where the node is not, or no longer, simulated."""
        ...

    async def node(self, name: str) -> SimulatedNode | None:
        """What a node has now; None where it is not, or no longer, simulated. Costs milliseconds; a few are kept."""
        ...

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the name of each node that is simulated, and then at each change of what ``node``
        answers, also when it is simulated no longer. In the event loop; must not raise."""
        ...
