"""What each component may do in the cluster: exactly what it needs, each rule with its reason.

The chart makes a ClusterRole of the rules for every namespace, and a Role in the driver's namespace of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass

__all__ = ["Component", "Rule", "components", "status_reader"]

_CACHE = ("list", "watch")
"""To hold all objects of a kind."""
_READ = ("get", *_CACHE)
"""To ask for one of them as well."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One PolicyRule (rbac.authorization.k8s.io/v1)."""

    why: str
    kinds: tuple[type[KubeObject], ...]
    verbs: tuple[str, ...]
    subresource: str = ""

    @property
    def group(self) -> str:
        """The API group of the kinds, which all have the same."""
        (group,) = {kind.resource.group for kind in self.kinds}
        return group

    @property
    def resources(self) -> tuple[str, ...]:
        """Resources as a rule names them."""
        below = f"/{self.subresource}" if self.subresource else ""
        return tuple(sorted(kind.resource.plural + below for kind in self.kinds))


@dataclass(frozen=True, slots=True)
class Component:
    """The rules of one component."""

    name: str
    """As in the names of its objects."""
    values_key: str
    cluster: tuple[Rule, ...]
    """For every namespace, and for what has none."""
    namespaced: tuple[Rule, ...]
    """For the driver's namespace alone."""


_EVENTS = Rule("To say what happened to a claim, where its owner looks for it.", (Event,), ("create", "patch"))


def status_reader(kinds: Sequence[type[KubeObject]]) -> tuple[Rule, ...]:
    """What a person needs who runs ``fake-dra-driver status``: everything is read, nothing written."""
    by_group: dict[str, list[type[KubeObject]]] = {}
    for kind in kinds:
        by_group.setdefault(kind.resource.group, []).append(kind)
    return (
        *(Rule("Devices, who holds them, and what is asked for.", tuple(by_group[group]), _READ) for group in by_group),
        Rule(
            "Claims, and how far the scheduling of their pods is.",
            (ResourceClass, ResourceClaim, PodSchedulingContext),
            _READ,
        ),
        Rule("Pods that wait, and what was reported about claims.", (Pod, Event), _READ),
    )


def components(kinds: Sequence[type[KubeObject]]) -> tuple[Component, ...]:
    """The components, given the kinds of this driver: the controller reads every kind of parameters."""
    parameters = tuple(kind for kind in kinds if kind.resource.group == DRIVER_NAME)
    controller = Component(
        "controller",
        "controller",
        cluster=(
            Rule("Which pods want which claims.", (Pod,), _CACHE),
            Rule("Whether nodes still exist.", (Node,), _READ),
            Rule(
                "The claims to serve, and where the scheduler wants them.",
                (ResourceClass, ResourceClaim, PodSchedulingContext),
                _CACHE,
            ),
            Rule(
                "To set and to remove the finalizer of a claim, and to look once more.",
                (ResourceClaim,),
                ("get", "patch"),
            ),
            Rule(
                "To record allocations, and to tell the scheduler about unsuitable nodes.",
                (ResourceClaim, PodSchedulingContext),
                ("patch",),
                "status",
            ),
            Rule("What claims and classes ask for.", parameters, _CACHE),
            _EVENTS,
        ),
        namespaced=(
            Rule(
                "The ledger of each node: which claim holds which devices.",
                (NodeAllocationState,),
                (*_READ, "patch"),
            ),
            Rule("To agree with other replicas on who allocates.", (Lease,), ("get", "create", "update")),
        ),
    )
    kubelet_plugin = Component(
        "kubeletplugin",
        "kubeletPlugin",
        cluster=(
            Rule("UID of its node, which owns the node's NodeAllocationState.", (Node,), ("get",)),
            Rule("Whether claims that it prepared still exist.", (ResourceClaim,), ("get", "list")),
            _EVENTS,
        ),
        namespaced=(
            Rule(
                "To publish the devices of its node, and what is prepared there.",
                (NodeAllocationState,),
                (*_READ, "create", "patch"),
            ),
        ),
    )
    return controller, kubelet_plugin
