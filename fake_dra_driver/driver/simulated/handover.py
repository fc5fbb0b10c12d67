"""Who speaks for a node that is to be simulated: the controller, or a kubelet plugin that runs there all the same.

The node's NodeAllocationState says so (``dra.nodestate.pluginpart``). Where a plugin serves, the controller steps back:
it has neither slices nor claims there, and leaves the object alone.
"""

from collections.abc import Callable
from typing import Final

from fake_dra_driver.api.fake import SIMULATED_LABEL, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.nodestate import is_served_by_plugin
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime import Change, Informer, InvalidObjectError

__all__ = ["SERVED", "ServedNodes"]

SERVED: Final = (
    f"a kubelet plugin serves this node, which is to be simulated, so the controller leaves it alone; where no plugin "
    f"runs, delete this NodeAllocationState ({SIMULATED_LABEL} is not true in it), and where one is to run, take "
    "away from the Node what the controller's selector of simulated nodes matches"
)

_LAYOUT: Final = FakeStateLayout()


class ServedNodes:
    """Tells which nodes have a plugin.

    Args:
        states: the cache of the objects.
        namespace: in which they are.
    """

    def __init__(self, states: Informer[NodeAllocationState], namespace: str) -> None:
        self._states = states
        self._namespace = namespace

    def is_served_by_plugin(self, node: str) -> bool:
        """Whether a plugin speaks for a node. Where that cannot be read, one may."""
        try:
            state = self._states.get(NamespacedName(self._namespace, node))
        except InvalidObjectError:
            return True
        return _is_served(state)

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the name of each node of which the answer may be another one."""

        def handle(change: Change[NodeAllocationState]) -> None:
            if _is_served(change.old) != _is_served(change.new):
                changed(change.key.name)

        self._states.subscribe(handle)


def _is_served(state: NodeAllocationState | None) -> bool:
    return state is not None and is_served_by_plugin(_LAYOUT, state)
