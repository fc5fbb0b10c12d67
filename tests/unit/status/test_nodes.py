"""Nodes that are stopped, cordoned, gone, or hidden from the person who asks."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from fake_dra_driver.api.fake import SIMULATED_LABEL, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource import v1
from fake_dra_driver.status.nodes import NODES_HIDDEN
from fake_dra_driver.status.report import Counts, NodeReport
from fake_dra_driver.status.table import Detail, table
from tests.support.half_states import put_entry
from tests.support.structuredworld import StructuredWorld, result
from tests.support.world import NAMESPACE, World
from tests.unit.status.conftest import node_of, report_of

Change = Callable[[World | StructuredWorld], object]


def update(**patch: object) -> Change:
    """Changes the Node n."""
    return lambda world: world.api.update(Node, "n", "", patch)


def taint(key: str) -> Change:
    return update(spec={"taints": [{"key": key, "effect": "NoSchedule"}]})


def not_ready(status: str) -> Change:
    return update(status={"conditions": [{"type": "Ready", "status": status, "reason": "NodeStatusUnknown"}]})


CASES = [
    (not_ready("Unknown"), "NotReady", "its node is NotReady (NodeStatusUnknown)"),
    (not_ready("False"), "NotReady", "its node is NotReady (NodeStatusUnknown)"),
    (update(status=None), "Unknown", "its node is NotReady (its kubelet has not reported yet)"),
    (update(spec={"unschedulable": True}), "Ready,SchedulingDisabled", "its node is cordoned (SchedulingDisabled)"),
    (taint("node.kubernetes.io/disk-pressure"), "Ready", "its node has the taint node.kubernetes.io/disk-pressure"),
    (lambda world: world.api.delete(Node, "n"), "Missing", "its Node object does not exist"),
    (update(spec="?"), "Unknown", "its Node object cannot be read: spec: "),
]


@pytest.fixture(params=["classic", "structured"])
def world(request: pytest.FixtureRequest) -> World | StructuredWorld:
    """Node n with three devices, of which a claim holds the first, and node m with one."""
    world: World | StructuredWorld
    if request.param == "classic":
        world = World()
        world.node("n", devices=3)
        claim = world.claim("held")
        put_entry(world, claim.uid, "n-0")
    else:
        world = StructuredWorld()
        world.node("n", devices=3)
        world.claim("held", result("n", 0))
    world.node("m", devices=1)
    return world


def reported(world: World | StructuredWorld) -> NodeReport:
    return node_of(report_of(world.api, version=version_of(world)), "n")


def version_of(world: World | StructuredWorld) -> str:
    return "v1alpha2" if isinstance(world, World) else "v1"


@pytest.mark.parametrize(("change", "status", "problem"), CASES)
def test_a_node_that_takes_no_pods_has_nothing_free(
    world: World | StructuredWorld, change: Change, status: str, problem: str
) -> None:
    assert reported(world).counts == Counts(devices=3, free=2, allocated=1)
    change(world)
    node = reported(world)
    assert (node.status, node.node_status, node.ready) == ("Ready", status, False)
    assert [said.startswith(problem) for said in node.problems] == [True]
    assert node.counts == Counts(devices=3, allocated=1, unavailable=2), "what is held stays held"
    assert [device.state for device in node.devices] == ["allocated", "unavailable", "unavailable"]
    summary = report_of(world.api, version=version_of(world)).summary
    assert (summary.nodes, summary.ready_nodes, summary.counts.free) == (2, 1, 1)


def test_a_cordoned_node_is_told_from_one_that_is_not_ready(world: World | StructuredWorld) -> None:
    world.node("closed", devices=5)
    update(spec={"unschedulable": True})(world)
    world.api.update(Node, "closed", "", {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
    report = report_of(world.api, version=version_of(world))
    assert (report.summary.ready_nodes, report.summary.cordoned_nodes, report.summary.closed_devices) == (1, 1, 7)
    lines = table(report, datetime(2026, 1, 1, tzinfo=UTC), Detail.SHORT).splitlines()
    assert lines[1] == "NODES    3: 1 ready, 1 cordoned, 1 not ready"
    assert lines[2].endswith(", 7 unavailable (7 on nodes that take no claims)")


def test_taints_of_people_and_other_conditions_change_nothing(world: World | StructuredWorld) -> None:
    taint("example.com/fake-devices")(world)
    assert (reported(world).ready, reported(world).problems) == (True, ())


def test_both_that_the_plugin_and_that_the_node_are_not_ready_are_told() -> None:
    world = World()
    world.node("n", status="NotReady")
    world.cordon("n")
    node = node_of(report_of(world.api), "n")
    assert node.problems == (
        "its kubelet plugin is not ready (NodeAllocationState status is NotReady)",
        "its node is cordoned (SchedulingDisabled)",
    )


def test_where_nodes_are_hidden_the_report_says_that_it_does_not_know(world: World | StructuredWorld) -> None:
    not_ready("Unknown")(world)
    report = report_of(world.api, version=version_of(world), nodes_hidden=True)
    assert report.notes == (NODES_HIDDEN,)
    node = node_of(report, "n")
    assert (node.ready, node.node_status, node.problems) == (True, "", ())
    assert report_of(world.api, version=version_of(world)).notes == ()


def test_nodes_are_in_the_order_that_people_expect() -> None:
    world = World()
    for name in ("worker10", "worker2", "worker"):
        world.node(name)
    assert [node.name for node in report_of(world.api).nodes] == ["worker", "worker2", "worker10"]


def test_devices_that_the_scheduler_does_not_know_are_not_free() -> None:
    """What is left of a node whose plugin was killed: its NodeAllocationState, which says Ready."""
    world = StructuredWorld()
    world.node("n", devices=2)
    world.api.delete(v1.ResourceSlice, "n-slice")
    node = reported(world)
    assert (node.status, node.ready, node.counts) == ("Ready", False, Counts(devices=2, unavailable=2))
    assert node.problems == (
        "its devices are in no ResourceSlice, so that the scheduler does not know them: look at its kubelet plugin",
    )
    world.node("m", devices=0)
    world.api.delete(v1.ResourceSlice, "m-slice")
    assert node_of(report_of(world.api, version="v1"), "m").ready, "there is nothing to publish"


def test_a_node_without_a_plugin_is_marked(world: World | StructuredWorld) -> None:
    assert not reported(world).simulated
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"metadata": {"labels": {SIMULATED_LABEL: "true"}}})
    report = report_of(world.api, version=version_of(world))
    assert [node.simulated for node in report.nodes] == [False, True]
    assert report.summary.simulated_nodes == 1
    text = table(report, datetime(2026, 1, 1, tzinfo=UTC), Detail.SHORT)
    assert "NODES    2: 2 ready, 0 not ready, 1 simulated" in text
    assert text.count("\n  simulated\n") == 1
