"""Partitions, shares, taints and counters of a node's devices, from ResourceSlices and claims."""

from collections.abc import Sequence

import pytest

from fake_dra_driver.api.fake import PROFILE_ANNOTATION, PROFILE_PROBLEM_ANNOTATION, NodeAllocationState
from fake_dra_driver.api.resource import v1
from fake_dra_driver.status.report import DeviceReport, NodeReport, TaintReport
from fake_dra_driver.status.structured.pool import lean_slice
from tests.support.world import NAMESPACE
from tests.unit.status.cards import CardWorld, held
from tests.unit.status.conftest import node_of, report_of


def node(world: CardWorld) -> NodeReport:
    return node_of(report_of(world.api, version="v1"), "n")


def device(world: CardWorld, name: str) -> DeviceReport:
    return next(device for device in node(world).devices if device.name == name)


def named(world: CardWorld, state: str) -> Sequence[str]:
    return [device.name for device in node(world).devices if device.state == state]


def left(world: CardWorld, counter_set: str) -> dict[str, str]:
    return {
        counter.name: counter.left
        for found in node(world).counter_sets
        if found.name == counter_set
        for counter in found.counters
    }


# --- Partitions


@pytest.mark.parametrize("parent_uuids", [True, False], ids=["by attribute", "by counters"])
def test_partitions_belong_to_the_device_that_they_are_parts_of(parent_uuids: bool) -> None:
    world = CardWorld(parent_uuids=parent_uuids)
    parents = {found.name: found.parent for found in node(world).devices}
    assert parents["gpu-0"] == parents["gpu-1"] == parents["nic-0"] == ""
    for card in ("gpu-0", "gpu-1"):
        assert {name for name, parent in parents.items() if parent == card} == {
            *(f"{card}-quarter-{at}" for at in range(4)),
            *(f"{card}-half-{at}" for at in (0, 2)),
        }


def test_partitions_alone_have_no_parent() -> None:
    world = CardWorld(whole=False, parent_uuids=False)
    assert {found.parent for found in node(world).devices} == {""}
    assert device(world, "gpu-1-half-0").counters == ("gpu-1-counters",)


def test_what_a_partition_uses_up_is_not_left_for_the_others() -> None:
    world = CardWorld()
    world.held_by("train", held("gpu-0-quarter-1"))
    assert named(world, "unavailable") == ["gpu-0", "gpu-0-half-0"]
    assert left(world, "gpu-0-counters") == {
        "memory": "30Gi",
        **{f"memory-slice-{at}": "0" if at == 1 else "1" for at in range(4)},
    }
    assert device(world, "gpu-0-half-0").lacks == ("gpu-0-counters/memory-slice-1",)
    assert "gpu-0-counters/memory" in device(world, "gpu-0").lacks
    assert set(left(world, "gpu-1-counters").values()) == {"40Gi", "1"}


def test_a_whole_device_takes_all_of_its_partitions() -> None:
    world = CardWorld()
    world.held_by("train", held("gpu-1"))
    assert named(world, "unavailable") == [found.name for found in node(world).devices if found.parent == "gpu-1"]
    assert set(left(world, "gpu-1-counters").values()) == {"0"}


def test_who_looks_on_takes_nothing() -> None:
    world = CardWorld()
    world.held_by("monitor", held("gpu-0", adminAccess=True))
    assert named(world, "unavailable") == []


# --- Shares


def test_shares_of_a_device_and_what_they_leave() -> None:
    world = CardWorld()
    world.held_by("one", held("nic-0", shareID="a", consumedCapacity={"bandwidth": "1G"}))
    world.held_by("two", held("nic-0", shareID="b", consumedCapacity={"bandwidth": "2500M"}))
    nic = device(world, "nic-0")
    assert nic.shared
    shares = {share.claim.name: (share.id, share.capacity, share.claim.pods) for share in nic.shares}
    assert shares == {
        "one": ("a", {"bandwidth": "1G"}, ("one-pod",)),
        "two": ("b", {"bandwidth": "2500M"}, ("two-pod",)),
    }
    assert [(each.name, each.value, each.left) for each in nic.capacity] == [("bandwidth", "10G", "6500M")]


def test_a_device_with_shares_left_is_counted() -> None:
    world = CardWorld()
    world.held_by("one", held("nic-0", shareID="a", consumedCapacity={"bandwidth": "9G"}))
    assert node(world).counts.shareable == 1
    world.held_by("two", held("nic-0", shareID="b", consumedCapacity={"bandwidth": "1G"}))
    assert node(world).counts.shareable == 0


def test_all_claims_of_a_shared_device_that_is_gone_are_shown() -> None:
    world = CardWorld()
    for name in ("one", "two"):
        world.held_by(name, held("nic-7", shareID=name))
    gone = next(found for found in node(world).devices if found.state == "missing")
    assert gone.claim is not None
    assert {gone.claim.name, *(claim.name for claim in gone.shared_with)} == {"one", "two"}


def test_a_device_for_one_claim_has_nothing_left() -> None:
    world = CardWorld()
    world.publish(
        [
            {
                "name": "a",
                "attributes": {"model": {"string": "M"}, "uuid": {"string": "a"}},
                "capacity": {"m": {"value": "4Gi"}},
            }
        ]
    )
    assert [each.left for each in device(world, "a").capacity] == ["4Gi"]
    world.held_by("one", held("a"))
    assert [each.left for each in device(world, "a").capacity] == ["0"]


# --- Taints, types


@pytest.mark.parametrize(
    ("effect", "state"), [("NoSchedule", "unavailable"), ("NoExecute", "unavailable"), ("None", "free")]
)
def test_a_taint_that_keeps_claims_away_makes_a_device_unavailable(effect: str, state: str) -> None:
    world = CardWorld()
    world.taint("nic-0", key="example.com/flaps", value="often", effect=effect)
    nic = device(world, "nic-0")
    assert nic.state == state
    assert nic.taints == (TaintReport(key="example.com/flaps", value="often", effect=effect),)


def test_devices_are_counted_by_type_and_model() -> None:
    report = report_of(CardWorld().api, version="v1")
    counted = [(found.type, found.model, found.counts.devices) for found in report.summary.models]
    assert counted == [("gpu", "A100", 2), ("mig", "1g.10gb", 8), ("mig", "2g.20gb", 4), ("nic", "X710", 1)]


def test_attributes_may_be_named_with_the_domain_of_the_driver() -> None:
    world = CardWorld()
    domain = "fake.resource.3-shake.com"
    attributes = {
        f"{domain}/type": {"string": "tpu"},
        f"{domain}/uuid": {"string": "T-0"},
        "other.com/type": {"string": "x"},
    }
    world.publish(
        [{"name": "tpu-0", "attributes": {**attributes, "model": {"string": "M"}, "uuid": {"string": "T-0"}}}]
    )
    assert device(world, "tpu-0").type == "tpu"


def test_a_device_needs_no_uuid_among_its_attributes() -> None:
    world = CardWorld()
    world.publish([{"name": "nic-3", "attributes": {"type": {"string": "nic"}}}])
    world.api.update(
        NodeAllocationState,
        "n",
        NAMESPACE,
        {"spec": {"allocatableDevice": [{"fake": {"uuid": "U", "name": "M", "device": "nic-3"}}]}},
    )
    world.held_by("one", held("nic-3"))
    found = device(world, "nic-3")
    assert (found.uuid, found.type, found.state) == ("U", "nic", "allocated")


def test_a_node_says_which_profile_describes_it() -> None:
    world = CardWorld()
    annotations = {PROFILE_ANNOTATION: "cards: no other", PROFILE_PROBLEM_ANNOTATION: "groups[0].count: too many"}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"metadata": {"annotations": annotations}})
    assert node(world).profile == "cards: no other"
    assert node(world).problems == ("groups[0].count: too many",)


# --- Slices


def test_slices_of_an_older_generation_count_for_nothing() -> None:
    world = CardWorld()
    old = world.api.read(v1.ResourceSlice, "n-slice").to_wire()
    old["metadata"] = {"name": "old", "uid": "old"}
    old["spec"]["pool"]["generation"] = 0
    old["spec"]["devices"] = old["spec"]["devices"][:1]
    old["spec"]["devices"][0]["attributes"]["type"] = {"string": "old"}
    world.api.apply(v1.ResourceSlice.from_wire(old))
    assert device(world, "gpu-0").type == "gpu"


def test_only_what_is_looked_at_is_kept_of_slices() -> None:
    attributes = {"type": {"string": "gpu"}, "numa": {"int": 0}, "a.com/uuid": {"string": "u"}}
    new = {"spec": {"devices": [{"name": "a", "attributes": attributes}, "nonsense"]}}
    old = {"spec": {"devices": [{"name": "a", "basic": {"attributes": attributes}}]}}
    assert lean_slice(new)["spec"]["devices"][0]["attributes"].keys() == {"type", "a.com/uuid"}
    assert lean_slice(new)["spec"]["devices"][1] == "nonsense"
    assert lean_slice(old)["spec"]["devices"][0]["basic"]["attributes"].keys() == {"type", "a.com/uuid"}
    for odd in ({}, {"spec": None}, {"spec": {"devices": None}}):
        assert lean_slice(odd) == odd
