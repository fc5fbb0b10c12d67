"""What each component of this driver may do in the cluster: exactly what it needs, each rule with its reason."""

from collections.abc import Sequence

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.codegen import CACHE_VERBS, READ_VERBS, ComponentRules, Rule

__all__ = ["components", "status_reader"]

_EVENTS = Rule("To say what happened to a claim, where its owner looks for it.", (Event,), ("create", "patch"))


def status_reader(kinds: Sequence[type[KubeObject]]) -> tuple[Rule, ...]:
    """What a person needs to run ``fake-dra-driver status``, which only reads."""
    by_group: dict[str, list[type[KubeObject]]] = {}
    for kind in kinds:
        by_group.setdefault(kind.resource.group, []).append(kind)
    return (
        *(
            Rule("Devices, which claims hold them, and what claims ask for.", tuple(by_group[group]), READ_VERBS)
            for group in by_group
        ),
        Rule(
            "Claims, and the state of their pods' scheduling.",
            (ResourceClass, ResourceClaim, PodSchedulingContext),
            READ_VERBS,
        ),
        Rule("Pods that wait, and what was reported about claims.", (Pod, Event), READ_VERBS),
    )


def components(kinds: Sequence[type[KubeObject]]) -> tuple[ComponentRules, ...]:
    """The components, given the kinds of this driver: the controller reads every kind of parameters."""
    parameters = tuple(kind for kind in kinds if kind.resource.group == DRIVER_NAME)
    controller = ComponentRules(
        "controller",
        "controller",
        cluster=(
            Rule("Which pods want which claims.", (Pod,), CACHE_VERBS),
            Rule("Whether nodes still exist.", (Node,), READ_VERBS),
            Rule(
                "The claims to serve, and where the scheduler wants them.",
                (ResourceClass, ResourceClaim, PodSchedulingContext),
                CACHE_VERBS,
            ),
            Rule(
                "To set and to remove the finalizer of a claim, and to read it again.",
                (ResourceClaim,),
                ("get", "patch"),
            ),
            Rule(
                "To record allocations, and to tell the scheduler about unsuitable nodes.",
                (ResourceClaim, PodSchedulingContext),
                ("patch",),
                "status",
            ),
            Rule("What claims and classes ask for.", parameters, CACHE_VERBS),
            _EVENTS,
        ),
        namespaced=(
            Rule(
                "The ledger of each node: which claim holds which devices.",
                (NodeAllocationState,),
                (*READ_VERBS, "patch"),
            ),
            Rule("To agree with other replicas on which of them allocates.", (Lease,), ("get", "create", "update")),
        ),
    )
    kubelet_plugin = ComponentRules(
        "kubeletplugin",
        "kubeletPlugin",
        cluster=(
            Rule("The UID of its node, which owns the node's NodeAllocationState.", (Node,), ("get",)),
            Rule("Whether claims that it prepared still exist.", (ResourceClaim,), ("get", "list")),
            _EVENTS,
        ),
        namespaced=(
            Rule(
                "To publish the devices of its node, and what is prepared there.",
                (NodeAllocationState,),
                (*READ_VERBS, "create", "patch"),
            ),
        ),
    )
    return controller, kubelet_plugin
