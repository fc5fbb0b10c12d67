"""Structured DRA's allocator: nodes, slices, classes and claims in, kube-scheduler's choice out, or why there is none.

Pure: it reads no files, asks no server, has no clock and no randomness of its own, and knows neither the embedded
cluster nor a driver. Follows k8s.io/dynamic-resource-allocation/structured (KEP-4381 and those that build on it).

In the order in which a decision is made:

- ``allocator`` is told what there is, and decides (``Allocator``);
- ``pools`` finds the pools that a node sees, and which of them count (``contents``: what is in them; ``candidate``:
  devices as decisions look at them);
- ``usage`` knows which claims have which devices;
- ``requests`` reads what the claims ask for, with ``selectors`` in CEL;
- ``search`` goes through the candidates, depth first, and takes the first that fits (``pruning``: what it leaves out);
- ``checks`` says whether a candidate fits, with ``capacity``, ``counters``, ``taints`` and ``constraints``;
  what does not is an obstacle, with all the figures (``obstacles``);
- ``results`` writes down the choice as the API has it (``decision``);
- ``survey`` says for every device what is in its way, taken alone.

What releases of Kubernetes do differently is a field of ``Behaviour``.
Names are imported when they are first used: what reckons with capacities alone loads no CEL.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.allocation.allocator import DEFAULT_MAX_STEPS, Allocator, Budget
    from fake_dra_driver.allocation.behaviour import Behaviour
    from fake_dra_driver.allocation.decision import CANNOT_ALLOCATE, INVALID_POOLS, Allocation, Refusal, score_of
    from fake_dra_driver.allocation.errors import AllocationError, SearchTooLongError, SelectorFailedError
    from fake_dra_driver.allocation.identity import ClaimIdentity, DeviceId, Holder, PoolId, identity_of
    from fake_dra_driver.allocation.survey import PoolReport, Survey

__all__ = [
    "CANNOT_ALLOCATE",
    "DEFAULT_MAX_STEPS",
    "INVALID_POOLS",
    "Allocation",
    "AllocationError",
    "Allocator",
    "Behaviour",
    "Budget",
    "ClaimIdentity",
    "DeviceId",
    "Holder",
    "PoolId",
    "PoolReport",
    "Refusal",
    "SearchTooLongError",
    "SelectorFailedError",
    "Survey",
    "identity_of",
    "score_of",
]

_MODULES: Final = {
    "DEFAULT_MAX_STEPS": "allocator",
    "Allocator": "allocator",
    "Budget": "allocator",
    "Behaviour": "behaviour",
    "CANNOT_ALLOCATE": "decision",
    "INVALID_POOLS": "decision",
    "Allocation": "decision",
    "Refusal": "decision",
    "score_of": "decision",
    "AllocationError": "errors",
    "SearchTooLongError": "errors",
    "SelectorFailedError": "errors",
    "ClaimIdentity": "identity",
    "DeviceId": "identity",
    "Holder": "identity",
    "PoolId": "identity",
    "identity_of": "identity",
    "PoolReport": "survey",
    "Survey": "survey",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
