"""What people may read who run the commands of this project."""

from collections.abc import Sequence
from typing import Final

from fake_dra_driver.api.devicefault import DeviceFault
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
from fake_dra_driver.codegen import READ_VERBS, Rule
from fake_dra_driver.dra.program.permissions import status_reader
from fake_dra_driver.driver.names import NAMES

__all__ = ["status_rules", "why_reader"]

_DEVICES: Final = (DeviceClass, DeviceTaintRule, ResourceSlice)


def status_rules(kinds: Sequence[type[KubeObject]]) -> tuple[Rule, ...]:
    """What a person needs to run ``fake-dra-driver status``, which only reads.

    Args:
        kinds: those of claims and nodes that the driver has.
    """
    faults = Rule(
        "What goes wrong on purpose. It may be left out: the report then says that this is not known.",
        (DeviceFault,),
        READ_VERBS,
    )
    return (*status_reader(NAMES, kinds), faults)


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
