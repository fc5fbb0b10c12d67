"""Which node a pod gets: nodes that are full, too small, tainted or without devices, and what changes that."""

from collections import Counter
from collections.abc import Mapping

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.resource import v1
from tests.scenarios.structured.manifests import claim_template, pod, request
from tests.scenarios.structured.static_nodes import StaticNode
from tests.scenarios.structured.world import AT_ONCE_SECONDS, World, devices_of

Nodes = Mapping[str, StaticNode]


def test_full_nodes_are_refused_and_chosen_again(world: World, nodes: Nodes) -> None:
    capacity = {node.name: node.count for node in nodes.values()}
    names = [f"pod{index:02}" for index in range(sum(capacity.values()))]
    world.create(claim_template("one", world.namespace))
    world.create(*(pod(name, world.namespace, templates={"device": "one"}) for name in names))
    placed = world.wait_bound(*names, seconds=120)
    assert Counter(placed.values()) == capacity

    world.create(pod("late", world.namespace, templates={"device": "one"}))
    world.wait_refused("late", "0/4 nodes are available", "3 cannot allocate all claims")
    ended = names[5]
    world.end_pod(ended)
    assert world.wait_bound("late") == {"late": placed[ended]}


def test_two_claims_of_a_pod_fit_together_on_one_node_only(world: World, nodes: Nodes) -> None:
    """Each claim alone fits on the mixed node too: 3 of 4, and 2 of 4."""
    world.create(
        claim_template("three", world.namespace, request(count=3)),
        claim_template("two", world.namespace, request(count=2)),
        pod("pod0", world.namespace, templates={"first": "three", "second": "two"}),
    )
    assert world.wait_bound("pod0") == {"pod0": nodes["large"].name}
    held = [len(devices_of(world.claim_of("pod0", entry))) for entry in ("first", "second")]
    assert held == [3, 2]


def test_two_claims_that_fit_together_nowhere_hold_nothing(world: World) -> None:
    """The claim that would fit must not keep its devices from others while the pod cannot be placed."""
    world.create(
        claim_template("eight", world.namespace, request(count=8)),
        claim_template("one", world.namespace),
        pod("greedy", world.namespace, templates={"first": "eight", "second": "one"}),
    )
    world.wait_refused("greedy", "3 cannot allocate all claims")
    world.create(pod("modest", world.namespace, templates={"device": "eight"}))
    world.wait_bound("modest")
    world.check_pending("greedy")


def test_waits_for_devices_that_another_claim_holds(world: World, nodes: Nodes) -> None:
    world.create(
        claim_template("all", world.namespace, request(count=8)),
        pod("first", world.namespace, templates={"device": "all"}),
    )
    world.wait_bound("first")
    world.create(pod("second", world.namespace, templates={"device": "all"}))
    world.wait_refused("second", "3 cannot allocate all claims")
    world.end_pod("first")
    assert world.wait_bound("second") == {"second": nodes["large"].name}


def test_node_without_devices_gets_no_claim_until_it_has_some(world: World) -> None:
    bare = StaticNode("static-bare", 2, pool="without-plugin")
    bare.create(world.client, with_devices=False)
    try:
        world.create(
            claim_template("one", world.namespace),
            pod("pod0", world.namespace, templates={"device": "one"}, pool=bare.pool),
        )
        world.wait_refused("pod0", "1 cannot allocate all claims")
        bare.publish_devices(world.client)
        assert world.wait_bound("pod0", seconds=AT_ONCE_SECONDS) == {"pod0": bare.name}
        world.end_pod("pod0")
        world.wait("claim gone", lambda: not world.claims())
    finally:
        bare.delete(world.client)


def test_node_whose_pool_is_not_complete_gets_no_claim(world: World) -> None:
    node = StaticNode("static-halved", 2, pool="halved")
    node.create(world.client)
    try:
        count = {"spec": {"pool": {"resourceSliceCount": 2}}}
        world.client.patch(v1.ResourceSlice, node.slice_name, count)
        world.create(
            claim_template("one", world.namespace),
            pod("pod0", world.namespace, templates={"device": "one"}, pool=node.pool),
        )
        world.wait_refused("pod0", "1 cannot allocate all claims")
        world.client.patch(v1.ResourceSlice, node.slice_name, {"spec": {"pool": {"resourceSliceCount": 1}}})
        world.wait_bound("pod0", seconds=AT_ONCE_SECONDS)
        world.end_pod("pod0")
        world.wait("claim gone", lambda: not world.claims())
    finally:
        node.delete(world.client)


def test_tainted_devices_are_for_claims_that_tolerate_it(world: World, nodes: Nodes) -> None:
    taint = {"key": "example.com/repair", "value": "now", "effect": "NoSchedule"}
    world.create(
        {
            "apiVersion": v1.DeviceTaintRule.resource.api_version,
            "kind": v1.DeviceTaintRule.resource.kind,
            "metadata": {"name": world.namespace},
            "spec": {"deviceSelector": {"driver": DRIVER_NAME, "pool": nodes["large"].name}, "taint": taint},
        }
    )
    try:
        patient, tolerant = request(count=8), request(count=8)
        tolerant["exactly"]["tolerations"] = [{"key": taint["key"], "operator": "Exists"}]
        world.create(
            claim_template("patient", world.namespace, patient),
            claim_template("tolerant", world.namespace, tolerant),
            pod("waiting", world.namespace, templates={"device": "patient"}),
        )
        world.wait_refused("waiting", "3 cannot allocate all claims")
        world.create(pod("repair", world.namespace, templates={"device": "tolerant"}))
        assert world.wait_bound("repair") == {"repair": nodes["large"].name}
        world.end_pod("repair")
    finally:
        world.client.delete(v1.DeviceTaintRule, world.namespace)
    assert world.wait_bound("waiting") == {"waiting": nodes["large"].name}
