"""A node in one object, its NodeAllocationState: its devices, who holds them, what is prepared. For any driver.

- ``layout``: the seam: how a kind of object carries all that. ``ledgerlayout`` is the part of it that the ledger of
  classic DRA needs; ``kind`` is the kind of drivers that have none of their own.
- ``pluginpart``: what a plugin says of its node there, or a controller in the place of one.
- ``sharing``: devices that several claims have shares of, as far as their capacity goes.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.dra.nodestate.columns import models_of
    from fake_dra_driver.dra.nodestate.layout import NodeStateLayout
    from fake_dra_driver.dra.nodestate.pluginpart import (
        PluginPart,
        by_controller,
        is_by_controller,
        is_served_by_plugin,
        left_by_controller,
        owned_by,
    )
    from fake_dra_driver.dra.nodestate.published import Restore
    from fake_dra_driver.dra.nodestate.state import NOT_READY, READY, StateClient, closed_reason, patch_state
    from fake_dra_driver.runtime.patch import Operation

__all__ = [
    "NOT_READY",
    "READY",
    "NodeStateLayout",
    "Operation",
    "PluginPart",
    "Restore",
    "StateClient",
    "by_controller",
    "closed_reason",
    "is_by_controller",
    "is_served_by_plugin",
    "left_by_controller",
    "models_of",
    "owned_by",
    "patch_state",
]

_MODULES: Final = {
    "models_of": "columns",
    "NodeStateLayout": "layout",
    "PluginPart": "pluginpart",
    "by_controller": "pluginpart",
    "is_by_controller": "pluginpart",
    "is_served_by_plugin": "pluginpart",
    "left_by_controller": "pluginpart",
    "owned_by": "pluginpart",
    "Restore": "published",
    "NOT_READY": "state",
    "READY": "state",
    "StateClient": "state",
    "closed_reason": "state",
    "patch_state": "state",
    "Operation": "..runtime.patch",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
