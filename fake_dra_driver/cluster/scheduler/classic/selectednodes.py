"""The nodes that PodSchedulingContexts select, as part of each node's load.

After a restart they are all that tells which nodes pods are on their way to.
"""

from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext
from fake_dra_driver.cluster.owners import controller_of
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.runtime.store import Change

__all__ = ["note_selected_node"]


def note_selected_node(load: Load, change: Change[PodSchedulingContext]) -> None:
    """Handler for PodSchedulingContexts."""
    context = change.new or change.old
    owner = controller_of(context) if context is not None else None
    if owner is None:
        return
    if change.new is not None and change.new.spec.selected_node:
        load.choose(owner.uid, change.new.spec.selected_node)
    else:
        load.release(owner.uid)
