"""What each component of a driver may do in the cluster: exactly what it needs, each rule with its reason.

Classic and structured DRA need different things; a rule that one of them alone needs says so. What a role cannot say is
in ``admission``.
"""

from collections.abc import Sequence
from typing import Final

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1 import DeviceClass, ResourceClaimTemplate, ResourceSlice
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.codegen import CACHE_VERBS, CLASSIC, READ_VERBS, STRUCTURED, ComponentRules, Rule
from fake_dra_driver.dra.drivernames import DriverNames

__all__ = ["components", "status_reader"]

_EVENTS: Final = Rule(
    "To say what happened to a claim or a node, where people look for it: in the claim's namespace, which no role "
    "knows in advance. Admission policies keep each component to Events of its own.",
    (Event,),
    ("create", "patch"),
)


def status_reader(names: DriverNames, kinds: Sequence[type[KubeObject]]) -> tuple[Rule, ...]:
    """What a person needs to see the state of a driver, given the driver's own kinds: nothing is written."""
    return (
        Rule("Devices, and which claims hold them.", _in_group(names.state_group, kinds), READ_VERBS),
        Rule("Claims, and templates that claims are made from.", (ResourceClaim, ResourceClaimTemplate), READ_VERBS),
        Rule(
            "Their classes, and which devices the scheduler knows.",
            (DeviceClass, ResourceSlice),
            READ_VERBS,
            only=STRUCTURED,
        ),
        Rule(
            "Their classes, and the state of their pods' scheduling.",
            (ResourceClass, PodSchedulingContext),
            READ_VERBS,
            only=CLASSIC,
        ),
        *_parameters(names, kinds, READ_VERBS),
        Rule(
            "Whether nodes can run pods. It may be left out: the report then says that this is not known.",
            (Node,),
            READ_VERBS,
        ),
        Rule("Pods that wait, and what was reported about claims.", (Pod, Event), READ_VERBS),
    )


def components(names: DriverNames, kinds: Sequence[type[KubeObject]]) -> tuple[ComponentRules, ...]:
    """The controller and the kubelet plugin of a driver, given the driver's own kinds.

    Those in the group of its NodeAllocationState are its records, those in the group of its name are parameters of
    claims and classes, all of which the controller of classic DRA reads.
    """
    records = _in_group(names.state_group, kinds)
    controller = ComponentRules(
        "controller",
        "controller",
        cluster=(
            Rule("Which pods want which claims.", (Pod,), CACHE_VERBS),
            Rule("Whether nodes exist, and can run pods.", (Node,), READ_VERBS, only=CLASSIC),
            Rule(
                "The claims to serve, and where the scheduler wants them.",
                (ResourceClass, ResourceClaim, PodSchedulingContext),
                CACHE_VERBS,
                only=CLASSIC,
            ),
            Rule(
                "To set and to remove the finalizer of a claim, and to read it again. An admission policy keeps it to "
                "that.",
                (ResourceClaim,),
                ("get", "patch"),
                only=CLASSIC,
            ),
            Rule(
                "To record allocations, and to tell the scheduler about unsuitable nodes.",
                (ResourceClaim, PodSchedulingContext),
                ("patch",),
                "status",
                only=CLASSIC,
            ),
            *_parameters(names, kinds, CACHE_VERBS),
            Rule(
                "Which devices the scheduler gave to which claims, and how claims and classes configure them.",
                (ResourceClaim, ResourceClaimTemplate, DeviceClass),
                CACHE_VERBS,
                only=STRUCTURED,
            ),
            _EVENTS,
        ),
        namespaced=(
            Rule(
                "The record of each node: which claim holds which devices. An admission policy keeps it to that.",
                records,
                (*READ_VERBS, "patch"),
            ),
            Rule("To agree with other replicas on which of them works: by one Lease,", (Lease,), ("create",)),
            Rule("and by no other.", (Lease,), ("get", "update"), names=(names.controller,)),
        ),
    )
    kubelet_plugin = ComponentRules(
        "kubeletplugin",
        "kubeletPlugin",
        cluster=(
            Rule("The UID of its node, which owns what it publishes.", (Node,), ("get",)),
            Rule(
                "Which devices claims have. All are read only when the checkpoint was lost: what else says which of "
                "them were prepared has UIDs, and a get needs names.",
                (ResourceClaim,),
                ("get", "list"),
            ),
            Rule(
                "To publish the devices of its node. An admission policy keeps it to its node.",
                (ResourceSlice,),
                (*CACHE_VERBS, "create", "update", "delete"),
                only=STRUCTURED,
            ),
            Rule(
                "To say in a claim how its devices are. An admission policy keeps it to claims of its node.",
                (ResourceClaim,),
                ("patch",),
                "status",
                only=STRUCTURED,
            ),
            Rule(
                "The same from Kubernetes 1.36 on, for claims that are allocated on its own node.",
                (ResourceClaim,),
                ("associated-node:patch",),
                "driver",
                names=(names.driver,),
                only=STRUCTURED,
            ),
            _EVENTS,
        ),
        namespaced=(
            Rule(
                "To publish the devices of its node, and what is prepared there. An admission policy keeps it to its "
                "node.",
                records,
                (*READ_VERBS, "create", "patch"),
            ),
        ),
    )
    return controller, kubelet_plugin


def _in_group(group: str, kinds: Sequence[type[KubeObject]]) -> tuple[type[KubeObject], ...]:
    return tuple(kind for kind in kinds if kind.resource.group == group)


def _parameters(names: DriverNames, kinds: Sequence[type[KubeObject]], verbs: tuple[str, ...]) -> tuple[Rule, ...]:
    """In structured DRA they are part of the claims."""
    found = _in_group(names.group, kinds)
    return (Rule("What claims and classes ask for.", found, verbs, only=CLASSIC),) if found else ()
