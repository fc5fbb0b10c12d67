"""What is reported of nodes, devices and claims, and in which shape."""

import json

import pytest
import yaml

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.fake import FakeClaimParameters, NodeAllocationState
from fake_dra_driver.device.split import children
from fake_dra_driver.status.report import REASONS_TO_WAIT, ClaimReport, Counts, Report, WaitReason
from fake_dra_driver.status.screen import Style
from tests.support.half_states import put_entry
from tests.support.world import NAMESPACE, NOW, World
from tests.unit.status.cards import CardWorld, held
from tests.unit.status.conftest import node_of, report_of, waiting_of
from tests.unit.status.worlds import small_world

pytestmark = pytest.mark.looptime


async def test_devices_with_their_claims_pods_and_parts() -> None:
    world = await small_world()
    node = node_of(report_of(world.api), "n")
    assert (node.status, node.ready, node.problems, node.claims) == ("Ready", True, (), 3)
    assert node.counts == Counts(devices=4, free=1, allocated=1, prepared=2)
    by_claim = {device.claim.name if device.claim else "": device for device in node.devices}
    assert {name: device.state for name, device in by_claim.items()} == {
        "plain": "allocated",
        "parts": "prepared",
        "shared": "prepared",
        "": "free",
    }
    assert by_claim["shared"].claim == ClaimReport(
        namespace="default", name="shared", uid=world.read_claim("shared").uid, pods=("shared-pod", "other")
    )
    parts = by_claim["parts"]
    assert [child.uuid for child in parts.children] == list(children(parts.uuid, 3))
    assert [child.prepared for child in parts.children] == [True, True, False]
    assert by_claim["plain"].children == ()


async def test_summary_is_of_the_whole_cluster_whichever_nodes_are_named() -> None:
    world = await small_world()
    world.node("m", devices=2, status="NotReady")
    report = report_of(world.api, ["m"])
    assert [node.name for node in report.nodes] == ["m"]
    assert (report.summary.nodes, report.summary.ready_nodes, report.summary.claims) == (2, 1, 3)
    assert report.summary.counts == Counts(devices=6, free=1, allocated=1, prepared=2, unavailable=2)


async def test_problems_of_nodes() -> None:
    world = await small_world()
    world.node("down", status="NotReady")
    world.node("odd", devices=2)
    put_entry(world, "gone", "odd-0", "never-there", node="odd")
    prepared = {"stale": {"fake": {"devices": [{"uuid": "odd-1"}]}}}
    world.api.update(NodeAllocationState, "odd", NAMESPACE, {"spec": {"preparedDevices": prepared}})
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": None}})
    world.node("broken")
    world.api.update(NodeAllocationState, "broken", NAMESPACE, {"spec": {"allocatableDevice": 3}})
    report = report_of(world.api)
    problems = {node.name: node.problems for node in report.nodes}
    assert problems["down"] == ("its kubelet plugin is not ready (NodeAllocationState status is NotReady)",)
    assert problems["odd"] == (
        "claims hold devices that the node does not have: never-there",
        "devices are on record for claims that do not exist: gone",
        "prepared for claims that hold nothing here: stale",
    )
    lost = "claims are allocated here but not on record: default/parts, default/plain, default/shared"
    assert lost in problems["n"]
    (problem,) = problems["broken"]
    assert problem.startswith("its NodeAllocationState cannot be read: spec.allocatableDevice")
    assert not node_of(report, "broken").ready
    odd = node_of(report, "odd")
    assert [device.state for device in odd.devices] == ["allocated", "prepared", "missing"]
    assert odd.devices[0].claim == ClaimReport(uid="gone", exists=False)


async def test_a_record_edited_into_nonsense_does_not_make_endless_reports() -> None:
    world = World()
    world.node("n")
    entry = {"x": {"fake": {"devices": [{"uuid": "n-0", "split": 10**9}]}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": entry}})
    assert len(report_of(world.api).nodes[0].devices[0].children) == 64


def test_a_cluster_without_nodes() -> None:
    report = report_of(World().api)
    assert (report.nodes, report.waiting, report.summary.counts) == ((), (), Counts())


# --- The shape


async def test_json_and_yaml_are_the_same_and_can_be_read_back() -> None:
    world = await small_world()
    world.claim("unused")
    world.claim("wrong", mode="Immediate")
    world.api.delete(FakeClaimParameters, "wrong", "default")
    report = report_of(world.api)
    as_json = Style("json").text(report, NOW)
    assert Report.model_validate_json(as_json) == report
    assert yaml.safe_load(Style("yaml").text(report, NOW)) == json.loads(as_json)
    assert Style("json").text(report, NOW, is_stream=True).count("\n") == 1
    assert Style("yaml").text(report, NOW, is_stream=True).startswith("---\n")


async def test_field_names_are_stable() -> None:
    """Who adds a field adds it here; who removes or renames one breaks the programs of others."""
    world = await small_world()
    world.claim("big", count=9, mode="Immediate")
    document = json.loads(Style("json").text(report_of(world.api), NOW))
    node, waiting = document["nodes"][0], document["waiting"][0]
    assert document.keys() == {"version", "driver", "namespace", "summary", "nodes", "waiting", "faults", "notes"}
    assert document["version"] == "v1"
    assert document["summary"].keys() == {
        *("nodes", "readyNodes", "cordonedNodes", "simulatedNodes", "counts", "closedDevices", "models", "claims"),
        *("waiting", "unused"),
    }
    counts = {"devices", "free", "allocated", "prepared", "unavailable", "missing", "shareable"}
    assert document["summary"]["counts"].keys() == node["counts"].keys() == counts
    assert node.keys() == {
        *("name", "status", "ready", "nodeStatus", "counts", "models", "claims", "devices", "counterSets"),
        *("simulated", "profile", "faults", "problems"),
    }
    assert node["models"][0].keys() == {"type", "model", "counts"}
    assert node["devices"][0].keys() == {
        *("uuid", "name", "type", "model", "state", "parent", "claim", "sharedWith", "children", "problem"),
        *("taints", "shared", "shares", "capacity", "counters", "lacks", "faults", "health"),
    }
    held = [device for device in node["devices"] if device["claim"]]
    assert held[0]["claim"].keys() == {"namespace", "name", "uid", "pods", "exists"}
    assert next(device for device in held if device["children"])["children"][0].keys() == {"uuid", "prepared"}
    assert waiting.keys() == {
        *("namespace", "name", "uid", "className", "mode", "since", "pods"),
        *("reason", "message", "selectedNode", "unsuitableNodes", "told"),
    }
    assert waiting_of(report_of(world.api), "big").since is not None


def test_field_names_of_partitions_and_shares_are_stable() -> None:
    world = CardWorld()
    world.held_by("a", held("nic-0", shareID="1", consumedCapacity={"bandwidth": "1G"}))
    world.taint("nic-0", key="k", effect="None")
    on_node = {"node": "n", "devices": ["nic-0"], "deviceCount": 1}
    spec, status = {"effects": {"vanish": True}}, {"nodes": [on_node]}
    world.api.apply(DeviceFault.from_wire({"metadata": {"name": "f"}, "spec": spec, "status": status}))
    document = json.loads(Style("json").text(report_of(world.api, version="v1"), NOW))
    fault, node = document["faults"][0], document["nodes"][0]
    assert fault.keys() == {"name", "effects", "reason", "message", "since", "until", "nodes"}
    assert fault["nodes"][0].keys() == {"name", "devices", "deviceCount", "since", "failedCalls", "message"}
    nic = next(device for device in node["devices"] if device["name"] == "nic-0")
    assert nic["taints"][0].keys() == {"key", "value", "effect", "since"}
    assert nic["shares"][0].keys() == {"id", "claim", "capacity"}
    assert nic["capacity"][0].keys() == {"name", "value", "left"}
    assert node["counterSets"][0].keys() == {"name", "counters"}
    assert node["counterSets"][0]["counters"][0].keys() == {"name", "value", "left"}


def test_every_reason_to_wait_is_explained() -> None:
    assert set(REASONS_TO_WAIT) == set(WaitReason.__args__)  # type: ignore[attr-defined] # of a Literal
