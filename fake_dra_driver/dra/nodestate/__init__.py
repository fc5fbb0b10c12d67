"""A node in one object, its NodeAllocationState: its devices, who holds them, what is prepared. For any driver.

- ``layout``: the seam: how a kind of object carries all that. ``ledgerlayout`` is the part of it that the ledger of
  classic DRA needs; ``kind`` is the kind of drivers that have none of their own.
- ``sharing``: devices that several claims have shares of, as far as their capacity goes.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.dra.nodestate.layout import NodeStateLayout
    from fake_dra_driver.dra.nodestate.published import Restore
    from fake_dra_driver.dra.nodestate.state import closed_reason

__all__ = [
    "NodeStateLayout",
    "Restore",
    "closed_reason",
]

_MODULES: Final = {
    "NodeStateLayout": "layout",
    "Restore": "published",
    "closed_reason": "state",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
