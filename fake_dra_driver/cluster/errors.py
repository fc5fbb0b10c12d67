"""What goes wrong with an embedded cluster, in sentences for the person who started it.

::

    RuntimeLayerError
    └── ClusterError         cannot be started, or asked for something that it cannot do
        ├── DocumentError    a manifest is not YAML, or not a Kubernetes object (documents.py)
        ├── PodFailedError   a test's pod has not ended well (testing)
        └── UnmetError       what a test waits for has not come true in time (testing); also a TimeoutError
"""

from collections.abc import Iterable
from difflib import get_close_matches

from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ClusterError", "listed", "no_such"]

_LISTED = 10
"""More names than that are counted: a cluster may have 200 nodes."""
_CLOSE = 0.75
"""Of difflib: a100-1 is not meant to be h100-3."""


class ClusterError(RuntimeLayerError):
    """The message says what was tried, and what to do instead."""


def no_such(what: str, name: str, known: Iterable[str]) -> ClusterError:
    """The error for a name that is unknown: it says which was probably meant, or else which names there are."""
    names = sorted(known, key=natural_order)
    # The end of a name is enough to recognize it: nodes of one cluster, and pods of one set, begin alike.
    close = [each for each in names if each.endswith(name)] or get_close_matches(name, names, n=1, cutoff=_CLOSE)
    advice = f"Did you mean {close[0]}?" if name and close else f"There are: {listed(names)}."
    return ClusterError(f"There is no {what} {name}. {advice}")


def listed(names: Iterable[str]) -> str:
    """Names in their natural order, with commas; of many, the first."""
    ordered = sorted(names, key=natural_order)
    more = len(ordered) - _LISTED
    return ", ".join(ordered[:_LISTED]) + (f" and {more} more" if more > 0 else "") or "none"
