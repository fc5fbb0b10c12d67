"""The controller's side of classic DRA: ``resource.k8s.io/v1alpha2`` of Kubernetes 1.27 to 1.30 (KEP-3063).

What k8s.io/dynamic-resource-allocation/controller is for Go drivers: the negotiation with the scheduler, the claim's
finalizer and status, allocation and deallocation, and the record of who has what, for any device.

A ``ControllerDriver`` says what a claim asks for, which devices a node has (``NodeDevices``), and which of the free
ones the claim gets. ``ClassicControllers`` do the rest; which claim holds which devices is in a ``Ledger``, at the
place that a ``LedgerLayout`` names. The modules inside, which may change:

- ``claims``: the ResourceClaim reconciler: Immediate allocation, deallocation, claims whose node is gone, leftovers.
- ``deletion``: how long a claim that has lost its pod may wait for its deletion.
- ``scheduling``: the PodSchedulingContext reconciler: unsuitable nodes, and allocation on the node that was selected.
- ``classes``: the ResourceClass reconciler: tells people about parameters that cannot be used.
- ``repair``: the reconciler of the ledgers: what is lost is restored, what is left over is taken out.
- ``driver``: the seam: what a driver says about its devices; where its ledger is says ``nodestate.ledgerlayout``.
- ``allocation``, ``matching``: which devices claims get. ``allocationresult``: what their status says of it.
- ``parameters``: what claims and classes name as their parameters.
- ``protocol``: what is to be done about a claim, and in which order; pure. ``writer``: the writes that this takes.
- ``ledger``: which claim holds which devices. ``ledgerchange``: what may be written into it when; pure.
- ``reason``, ``refusal``: what people are told about the ledger, and about parameters that cannot be used.
- ``shortage``, ``waitingevents``: what they are told of a claim that waits, in which words, and where.
- ``logcontext``: what log lines say about claims and pods. ``observer``, ``metrics``: what is counted.
- ``caches``: what all of them read, and how they find it.
- ``setup``, ``routes``: which change of which object leads to which reconcile.
- ``claimlookup``: what a node asks about its claims, the only module here for the kubelet plugin.

The order of writes is finalizer, ledger, claim status; the undo goes claim first, ledger last (rules 2 and
4, see ``protocol``). A claim's writes are serialised by a lock on its UID; several are taken in the order of the UIDs.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.dra.classic.caches import ClassicCaches
    from fake_dra_driver.dra.classic.claimlookup import ClassicClaimLookup, HeldDevices, LookupClient
    from fake_dra_driver.dra.classic.driver import ControllerDriver, NodeDevices, ParametersError, Unsuitable
    from fake_dra_driver.dra.classic.ledger import Ledger
    from fake_dra_driver.dra.classic.matching import Wish, assign
    from fake_dra_driver.dra.classic.observer import AllocationObserver
    from fake_dra_driver.dra.classic.parameters import ClaimParameters, ClassParameters
    from fake_dra_driver.dra.classic.refusal import ParametersReconciler
    from fake_dra_driver.dra.classic.setup import ClassicControllers, make_classic_controllers
    from fake_dra_driver.dra.classic.shortage import (
        Supply,
        advise_on_numbers,
        count_devices,
        describe_supplies,
        list_names,
    )
    from fake_dra_driver.dra.nodestate.ledgerlayout import LedgerLayout
    from fake_dra_driver.dra.nodestate.sharing import Holding, Share
    from fake_dra_driver.dra.nodestate.state import closed_reason
    from fake_dra_driver.untrustedtext import short_name

__all__ = [
    "AllocationObserver",
    "ClaimParameters",
    "ClassParameters",
    "ClassicCaches",
    "ClassicClaimLookup",
    "ClassicControllers",
    "ControllerDriver",
    "HeldDevices",
    "Holding",
    "Ledger",
    "LedgerLayout",
    "LookupClient",
    "NodeDevices",
    "ParametersError",
    "ParametersReconciler",
    "Share",
    "Supply",
    "Unsuitable",
    "Wish",
    "advise_on_numbers",
    "assign",
    "closed_reason",
    "count_devices",
    "describe_supplies",
    "list_names",
    "make_classic_controllers",
    "short_name",
]

_MODULES: Final = {
    "ClassicCaches": "caches",
    "ClassicClaimLookup": "claimlookup",
    "HeldDevices": "claimlookup",
    "LookupClient": "claimlookup",
    "ControllerDriver": "driver",
    "NodeDevices": "driver",
    "ParametersError": "driver",
    "Unsuitable": "driver",
    "Ledger": "ledger",
    "Wish": "matching",
    "assign": "matching",
    "AllocationObserver": "observer",
    "ClaimParameters": "parameters",
    "ClassParameters": "parameters",
    "ParametersReconciler": "refusal",
    "ClassicControllers": "setup",
    "make_classic_controllers": "setup",
    "Supply": "shortage",
    "advise_on_numbers": "shortage",
    "count_devices": "shortage",
    "describe_supplies": "shortage",
    "list_names": "shortage",
    "LedgerLayout": ".nodestate.ledgerlayout",
    "Holding": ".nodestate.sharing",
    "Share": ".nodestate.sharing",
    "closed_reason": ".nodestate.state",
    "short_name": "..untrustedtext",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
