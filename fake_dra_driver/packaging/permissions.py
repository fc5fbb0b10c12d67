"""What the components of this driver may do, and what people may read who run the commands of this project."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1 import (
    DeviceClass,
    DeviceTaintRule,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceSlice,
)
from fake_dra_driver.cluster.kinds import Namespace
from fake_dra_driver.codegen import CACHE_VERBS, READ_VERBS, STRUCTURED, ComponentRules, Rule
from fake_dra_driver.dra import DriverNames
from fake_dra_driver.dra.program.permissions import components, status_reader
from fake_dra_driver.driver.names import NAMES

__all__ = ["driver_components", "status_rules", "why_reader"]

_WEBHOOK: Final = (Rule("Which kinds configure devices.", (DeviceProfile,), READ_VERBS, only=STRUCTURED),)
_DEVICES: Final = (DeviceClass, DeviceTaintRule, ResourceSlice)


def driver_components(names: DriverNames, kinds: Sequence[type[KubeObject]]) -> tuple[ComponentRules, ...]:
    """The controller, the kubelet plugin and the webhook.

    Args:
        names: of the driver.
        kinds: those of claims and nodes that the driver has.
    """
    controller, kubelet_plugin = components(names, kinds)
    return (
        replace(
            controller,
            cluster=(*controller.cluster, *_controller_rules(names)),
            namespaced=(*controller.namespaced, _records_of_simulated_nodes(names, kinds)),
        ),
        replace(kubelet_plugin, cluster=(*kubelet_plugin.cluster, *_plugin_rules())),
        ComponentRules("webhook", "webhook", cluster=_WEBHOOK, namespaced=()),
    )


def _controller_rules(names: DriverNames) -> tuple[Rule, ...]:
    return (
        Rule("What devices are to be like, and what is to go wrong.", (DeviceProfile, DeviceFault), CACHE_VERBS),
        Rule(
            "To say whether that can be. An admission policy keeps it from what the nodes say.",
            (DeviceProfile, DeviceFault),
            ("patch",),
            "status",
        ),
        Rule(
            "Which labels nodes have, by which profiles choose them, and which of them have no kubelet plugin.",
            (Node,),
            READ_VERBS,
            only=STRUCTURED,
        ),
        Rule(
            "To say that devices are ready for the pods that are to be bound, and how those of nodes without a kubelet "
            "plugin are. An admission policy keeps it to devices of this driver.",
            (ResourceClaim,),
            ("patch",),
            "status",
            only=STRUCTURED,
        ),
        Rule(
            "The same from Kubernetes 1.36 on.",
            (ResourceClaim,),
            ("arbitrary-node:patch",),
            "driver",
            names=(names.driver,),
            only=STRUCTURED,
        ),
        Rule(
            "To see what is said of such a device before it is taken back.",
            (ResourceClaim,),
            ("get",),
            only=STRUCTURED,
        ),
        Rule(
            "To withdraw the devices of nodes that it does not simulate any more. An admission policy keeps it to "
            "slices of this driver and of single nodes, with a mark of its own.",
            (ResourceSlice,),
            (*READ_VERBS, "delete"),
            only=STRUCTURED,
        ),
        Rule(
            "To publish the devices of nodes without a kubelet plugin, where simulatedNodes selects any. The same "
            "policy is for them.",
            (ResourceSlice,),
            ("create", "update"),
            only=STRUCTURED,
            simulating=True,
        ),
    )


def _records_of_simulated_nodes(names: DriverNames, kinds: Sequence[type[KubeObject]]) -> Rule:
    records = tuple(kind for kind in kinds if kind.resource.group == names.state_group)
    return Rule(
        "The record of a node without a kubelet plugin, where simulatedNodes selects any. An admission policy keeps it "
        "from those of others.",
        records,
        ("create",),
        simulating=True,
    )


def _plugin_rules() -> tuple[Rule, ...]:
    return (
        Rule("What its devices are to be like, and what is to go wrong.", (DeviceProfile, DeviceFault), CACHE_VERBS),
        Rule("The labels of its node, by which they are chosen.", (Node,), CACHE_VERBS),
        Rule(
            "To say what a fault has hit. An admission policy keeps it to its node.",
            (DeviceFault,),
            ("patch",),
            "status",
        ),
    )


def status_rules(kinds: Sequence[type[KubeObject]]) -> tuple[Rule, ...]:
    """What a person needs to run ``fake-dra-driver status``, which only reads.

    Args:
        kinds: those of claims and nodes that the driver has.
    """
    return (
        *status_reader(NAMES, kinds),
        Rule(
            "What goes wrong on purpose. It may be left out: the report then says that this is not known.",
            (DeviceFault,),
            READ_VERBS,
        ),
        Rule(
            "Which parameters claims may have. It may be left out: what the controller says of them then counts.",
            (DeviceProfile,),
            READ_VERBS,
            only=STRUCTURED,
        ),
    )


def why_reader() -> tuple[Rule, ...]:
    """What a person needs to run ``fake-dra-driver why``, which only reads."""
    return (
        Rule("The pod that waits; for a claim, the pods that use it.", (Pod,), ("get", "list")),
        Rule("Its claims, and which claims have the devices.", (ResourceClaim,), ("get", "list")),
        Rule("Which devices there are, what classes stand for, and taints.", _DEVICES, ("list",)),
        Rule("Whether templates exist that the pod names.", (ResourceClaimTemplate,), ("get",)),
        Rule("Which nodes there are, and their labels and taints.", (Node,), ("list",)),
        Rule("Whether the namespace allows admin access.", (Namespace,), ("get",)),
        Rule("What the scheduler says about the pod.", (Event,), ("list",)),
    )
