"""Which nodes can run pods, by their Node objects, and what a cache keeps of those."""

from typing import Any

import pytest
from pydantic import ValidationError

from fake_dra_driver.api.kube.core import Condition, Node, NodeSpec, NodeStatus, Taint
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.dra.nodeusable import node_details, unusable_reason

READY = Condition(type="Ready", status="True", reason="KubeletReady")


def node(*taints: Taint, ready: Condition | None = READY, unschedulable: bool = False) -> Node:
    others = (Condition(type="MemoryPressure", status="False"),)
    conditions = others if ready is None else (*others, ready)
    return Node(
        metadata=ObjectMeta(name="a"),
        spec=NodeSpec(unschedulable=unschedulable, taints=taints),
        status=NodeStatus(conditions=conditions),
    )


def taint(key: str, effect: str = "NoSchedule") -> Taint:
    return Taint(key=key, effect=effect)


@pytest.mark.parametrize(
    "usable",
    [
        node(),
        node(taint("nvidia.com/gpu")),
        node(taint("node-role.kubernetes.io/control-plane", "NoExecute")),
        node(taint("node.kubernetes.io/memory-pressure", "PreferNoSchedule")),
    ],
)
def test_a_node_that_is_ready_and_takes_pods_is_usable(usable: Node) -> None:
    assert unusable_reason(usable) is None


@pytest.mark.parametrize(
    ("unusable", "reason"),
    [
        (None, "its Node object does not exist"),
        (node(ready=None), "its node is NotReady (its kubelet has not reported yet)"),
        (
            node(ready=Condition(type="Ready", status="Unknown", reason="NodeStatusUnknown")),
            "its node is NotReady (NodeStatusUnknown)",
        ),
        (node(ready=Condition(type="Ready", status="False")), "its node is NotReady (condition Ready is False)"),
        (node(unschedulable=True), "its node is cordoned (SchedulingDisabled)"),
        (node(taint("node.kubernetes.io/unschedulable")), "its node is cordoned (SchedulingDisabled)"),
        (
            node(taint("gpu"), taint("node.kubernetes.io/unreachable", "NoExecute")),
            "its node has the taint node.kubernetes.io/unreachable",
        ),
        (
            node(taint("node.cloudprovider.kubernetes.io/uninitialized")),
            "its node has the taint node.cloudprovider.kubernetes.io/uninitialized",
        ),
    ],
)
def test_a_node_that_cannot_take_pods_says_why(unusable: Node | None, reason: str) -> None:
    assert unusable_reason(unusable) == reason


def test_a_node_that_is_being_deleted_is_unusable() -> None:
    metadata = {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    going = Node.from_wire({**node().to_wire(), "metadata": metadata})
    assert unusable_reason(going) == "its Node object is being deleted"


def wire() -> dict[str, Any]:
    return {
        "metadata": {
            "name": "a",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"kubernetes.io/hostname": "a"},
            "annotations": {"a": "b"},
        },
        "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": True, "taints": [{"key": "k", "effect": "NoExecute"}]},
        "status": {
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            "images": [{"names": ["image"]}],
        },
    }


def test_a_cache_keeps_what_the_answer_needs() -> None:
    assert node_details(wire()) == {
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "7"},
        "spec": {"unschedulable": True, "taints": [{"key": "k", "effect": "NoExecute"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert unusable_reason(Node.from_wire(node_details(wire()))) == unusable_reason(Node.from_wire(wire()))


def test_a_node_without_spec_and_status_is_kept_as_one_that_is_not_ready() -> None:
    bare = {"metadata": {"name": "a", "uid": "u", "resourceVersion": "7"}}
    assert unusable_reason(Node.from_wire(node_details(bare))) == unusable_reason(node(ready=None))


@pytest.mark.parametrize("part", [{"spec": []}, {"status": "x"}, {"status": {"conditions": ["x"]}}])
def test_what_the_model_refuses_is_left_for_it(part: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Node.from_wire(node_details({**wire(), **part}))
