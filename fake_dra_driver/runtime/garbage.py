"""The garbage collector, told what lives long: modules, classes, and the objects in the caches.

Python looks for cycles every 700 new objects, and now and then through everything there is. A cached object is some 50
Python objects, all of them frozen models without cycles, so that for a controller with 5,000 claims most of the time
that it needed to read its first lists was spent in the collector, with pauses of 300 ms, and each pause of its later
life was as long. ``docs/performance.md`` has the figures.
"""

import gc
from typing import Final

from fake_dra_driver.hosting.process import shared_process

__all__ = ["spare_long_lived"]

_THRESHOLDS: Final = (10_000, 50, 10)
"""New objects before the youngest are looked through; how often, before those are that survived it; how often again,
before all are that are not spared."""


def spare_long_lived() -> None:
    """Takes everything that is alive out of the collector's sight, for good, and makes it look less often at the rest.

    For the whole process: to be called by a program, not by a library, once its modules are loaded, and again once its
    caches are filled. What is spared still goes when nothing refers to it; only cycles among it stay. For one of many
    programs in a process it does nothing: with each of their starts, cycles of all others would stay.
    """
    if shared_process.get() is not None:
        return
    gc.set_threshold(*_THRESHOLDS)
    gc.freeze()
