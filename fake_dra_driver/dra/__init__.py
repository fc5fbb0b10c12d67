"""The protocol of Dynamic Resource Allocation, for any device.

What is here knows Kubernetes and does not know which device it serves. A driver's author implements two seams:

- ``ControllerDriver``: what a claim asks for, and which devices of which node it gets. ``ClassicControllers`` do the
  rest of classic DRA, such as the negotiation with the scheduler.
- ``NodeDriver``: makes the devices of a claim ready on a node, or raises ``PrepareError``. ``KubeletPlugin`` does the
  rest: registration with the kubelet, sockets, and every gRPC version of the mode (``KubeletInterface``).

A ``Reason`` says why an Event is written, and what a person can do about it.

``classic`` is the controller's side, ``node`` the kubelet's. Names are imported when they are first used: a controller
loads no gRPC, a kubelet plugin no controllers.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.dra.classic.caches import ClassicCaches
    from fake_dra_driver.dra.classic.driver import ControllerDriver, ParametersError, Unsuitable
    from fake_dra_driver.dra.classic.observer import AllocationObserver
    from fake_dra_driver.dra.classic.setup import ClassicControllers
    from fake_dra_driver.dra.node.calls import CallObserver
    from fake_dra_driver.dra.node.claim import NodeClaim
    from fake_dra_driver.dra.node.classic import ClassicClaim
    from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
    from fake_dra_driver.dra.node.interface import CLASSIC, KubeletInterface
    from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin, PluginSockets
    from fake_dra_driver.dra.reason import EventSink, Reason

__all__ = [
    "CLASSIC",
    "AllocationObserver",
    "CallObserver",
    "ClassicCaches",
    "ClassicClaim",
    "ClassicControllers",
    "ControllerDriver",
    "EventSink",
    "KubeletInterface",
    "KubeletPlugin",
    "NodeClaim",
    "NodeDriver",
    "ParametersError",
    "PluginSockets",
    "PrepareError",
    "ReadyDevice",
    "Reason",
    "Unsuitable",
]

_MODULES: Final = {
    "AllocationObserver": "classic.observer",
    "ClassicCaches": "classic.caches",
    "ClassicControllers": "classic.setup",
    "ControllerDriver": "classic.driver",
    "ParametersError": "classic.driver",
    "Unsuitable": "classic.driver",
    "CallObserver": "node.calls",
    "NodeClaim": "node.claim",
    "ClassicClaim": "node.classic",
    "NodeDriver": "node.driver",
    "PrepareError": "node.driver",
    "ReadyDevice": "node.driver",
    "CLASSIC": "node.interface",
    "KubeletInterface": "node.interface",
    "KubeletPlugin": "node.kubeletplugin",
    "PluginSockets": "node.kubeletplugin",
    "EventSink": "reason",
    "Reason": "reason",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
