"""The protocol of Dynamic Resource Allocation, for any device.

What is here knows Kubernetes and does not know which device it serves. A driver's author implements two seams, and in
structured DRA, where the scheduler allocates, the last one and a publisher:

- ``ControllerDriver``: what a claim asks for, which devices a node has (``NodeDevices``), and which of the free ones
  the claim gets. ``ClassicControllers`` do the rest of classic DRA, such as the negotiation with the scheduler; which
  claim holds which devices is in a ``Ledger``, at the place that a ``LedgerLayout`` names.
- ``NodeDriver``: makes the devices of a claim ready on a node, or raises ``PrepareError``. ``KubeletPlugin`` does the
  rest: registration with the kubelet, sockets, and every gRPC version that kubelets speak (``KubeletInterface``).
  ``HealthReports`` take what the kubelet is to know about the health of devices. Where the old and the new pod of a
  driver may serve at once, ``FolderLock`` says whose turn it is to work on what is prepared.
- ``SlicePublisher`` offers the devices of a ``Pool`` to the scheduler of structured DRA, and keeps them on offer.
  ``ClaimReader`` says what a claim was allocated of them, with its opaque parameters (``structured.config``);
  ``DeviceStatusWriter`` reports on them in the claim's status, ``DeviceMetadata`` in files for containers.

A ``Reason`` says why an Event is written, and what a person can do about it.

``classic`` is the controller's side of classic DRA, ``structured`` what a driver does in structured DRA, ``node`` the
kubelet's side of both. Names are imported when they are first used: a controller loads no gRPC, a kubelet plugin no
controllers.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.dra.classic.caches import ClassicCaches
    from fake_dra_driver.dra.classic.driver import ControllerDriver, NodeDevices, ParametersError, Unsuitable
    from fake_dra_driver.dra.classic.ledger import Ledger
    from fake_dra_driver.dra.classic.observer import AllocationObserver
    from fake_dra_driver.dra.classic.refusal import ParametersReconciler
    from fake_dra_driver.dra.classic.setup import ClassicControllers
    from fake_dra_driver.dra.node.calls import CallObserver
    from fake_dra_driver.dra.node.claim import NodeClaim
    from fake_dra_driver.dra.node.classic import ClassicClaim
    from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
    from fake_dra_driver.dra.node.folderlock import FolderLock
    from fake_dra_driver.dra.node.health import DeviceHealth, Health, HealthReports
    from fake_dra_driver.dra.node.interface import CLASSIC, KUBELETS, STRUCTURED, KubeletInterface
    from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin
    from fake_dra_driver.dra.node.pluginsockets import PluginSockets
    from fake_dra_driver.dra.nodestate.ledgerlayout import LedgerLayout
    from fake_dra_driver.dra.reason import Reason
    from fake_dra_driver.dra.structured.claims import AllocatedClaim, ClaimReader, HoldsNothingError
    from fake_dra_driver.dra.structured.config import ConfigError
    from fake_dra_driver.dra.structured.metadata import DeviceMetadata
    from fake_dra_driver.dra.structured.pool import Pool
    from fake_dra_driver.dra.structured.poollimits import PoolError
    from fake_dra_driver.dra.structured.publisher import SlicePublisher
    from fake_dra_driver.dra.structured.publishobserver import PublishObserver
    from fake_dra_driver.dra.structured.status import DeviceStatusWriter

__all__ = [
    "CLASSIC",
    "KUBELETS",
    "STRUCTURED",
    "AllocatedClaim",
    "AllocationObserver",
    "CallObserver",
    "ClaimReader",
    "ClassicCaches",
    "ClassicClaim",
    "ClassicControllers",
    "ConfigError",
    "ControllerDriver",
    "DeviceHealth",
    "DeviceMetadata",
    "DeviceStatusWriter",
    "FolderLock",
    "Health",
    "HealthReports",
    "HoldsNothingError",
    "KubeletInterface",
    "KubeletPlugin",
    "Ledger",
    "LedgerLayout",
    "NodeClaim",
    "NodeDevices",
    "NodeDriver",
    "ParametersError",
    "ParametersReconciler",
    "PluginSockets",
    "Pool",
    "PoolError",
    "PrepareError",
    "PublishObserver",
    "ReadyDevice",
    "Reason",
    "SlicePublisher",
    "Unsuitable",
]

_MODULES: Final = {
    "AllocationObserver": "classic.observer",
    "ClassicCaches": "classic.caches",
    "ClassicControllers": "classic.setup",
    "ControllerDriver": "classic.driver",
    "NodeDevices": "classic.driver",
    "ParametersError": "classic.driver",
    "Unsuitable": "classic.driver",
    "Ledger": "classic.ledger",
    "ParametersReconciler": "classic.refusal",
    "CallObserver": "node.calls",
    "NodeClaim": "node.claim",
    "ClassicClaim": "node.classic",
    "NodeDriver": "node.driver",
    "PrepareError": "node.driver",
    "ReadyDevice": "node.driver",
    "FolderLock": "node.folderlock",
    "DeviceHealth": "node.health",
    "Health": "node.health",
    "HealthReports": "node.health",
    "CLASSIC": "node.interface",
    "KUBELETS": "node.interface",
    "STRUCTURED": "node.interface",
    "KubeletInterface": "node.interface",
    "KubeletPlugin": "node.kubeletplugin",
    "PluginSockets": "node.pluginsockets",
    "LedgerLayout": "nodestate.ledgerlayout",
    "Reason": "reason",
    "AllocatedClaim": "structured.claims",
    "ClaimReader": "structured.claims",
    "HoldsNothingError": "structured.claims",
    "ConfigError": "structured.config",
    "DeviceMetadata": "structured.metadata",
    "Pool": "structured.pool",
    "PoolError": "structured.poollimits",
    "SlicePublisher": "structured.publisher",
    "PublishObserver": "structured.publishobserver",
    "DeviceStatusWriter": "structured.status",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
