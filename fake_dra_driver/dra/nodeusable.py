"""Whether pods can run on a node, by its Node object alone: for devices that are chosen before a pod is there. Pure.

For a pod, kube-scheduler judges nodes, by the taints that the pod tolerates (its plugins NodeUnschedulable and
TaintToleration); nothing here takes part in that. Without a pod, as for a claim in mode Immediate, a node counts as
unusable where Kubernetes itself keeps every ordinary pod away.
"""

from collections.abc import Mapping
from typing import Any, Final

from fake_dra_driver.api.kube.core import Condition, Node
from fake_dra_driver.untrustedtext import short_name

__all__ = ["node_details", "unusable_reason"]

UNSCHEDULABLE_TAINT: Final = "node.kubernetes.io/unschedulable"
KUBERNETES_TAINTS: Final = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Prefixes of the taints that the controllers of Kubernetes set while a node cannot take pods, and remove afterwards.

Taints that people set do not count. A node with one has devices only where the kubelet plugin was told to tolerate it,
and then the pods that are to use the devices tolerate it as well.
"""
KEEPING_AWAY: Final = frozenset({"NoSchedule", "NoExecute"})


def unusable_reason(node: Node | None) -> str | None:
    """Why no ordinary pod can run on a node, in words for an event; None when one can.

    Args:
        node: None when there is no such object.
    """
    if node is None:
        return "its Node object does not exist"
    if node.is_deleting:
        return "its Node object is being deleted"
    ready = next((condition for condition in node.status.conditions if condition.type == "Ready"), None)
    if ready is None or ready.status != "True":
        return f"its node is NotReady ({_why_not_ready(ready)})"
    taints = [taint.key for taint in node.spec.taints if taint.effect in KEEPING_AWAY]
    if node.spec.unschedulable or UNSCHEDULABLE_TAINT in taints:
        return "its node is cordoned (SchedulingDisabled)"
    return next((f"its node has the taint {key}" for key in taints if key.startswith(KUBERNETES_TAINTS)), None)


def node_details(raw: dict[str, Any]) -> dict[str, Any]:
    """The few fields of a Node that ``unusable_reason`` reads, for a cache: most of a Node is labels and images."""
    status = _kept(raw, "status", "conditions")
    if isinstance(status, dict) and isinstance(conditions := status.get("conditions"), list):
        status["conditions"] = [
            each for each in conditions if not isinstance(each, dict) or each.get("type") == "Ready"
        ]
    return {
        "metadata": _kept(raw, "metadata", "name", "uid", "resourceVersion", "deletionTimestamp"),
        "spec": _kept(raw, "spec", "unschedulable", "taints"),
        "status": status,
    }


def _kept(raw: Mapping[str, Any], part: str, *names: str) -> Any:
    found = raw.get(part, {})
    if not isinstance(found, Mapping):
        return found  # for the model to refuse
    return {name: found[name] for name in names if name in found}


def _why_not_ready(ready: Condition | None) -> str:
    if ready is None:
        return "its kubelet has not reported yet"
    return short_name(ready.reason or f"condition Ready is {ready.status}")
