"""Which node a pod gets: nodes that are full, too small, NotReady or without devices, and what changes that."""

from collections import Counter
from collections.abc import Mapping

from fake_dra_driver.api.fake import NodeAllocationState
from tests.e2e.driver import DRIVER_NAMESPACE
from tests.scenarios.classic.manifests import claim, claim_parameters, claim_template, pod
from tests.scenarios.classic.static_nodes import StaticNode
from tests.scenarios.classic.world import AT_ONCE_SECONDS, World

Nodes = Mapping[str, StaticNode]


def test_full_nodes_are_refused_and_chosen_again(world: World, nodes: Nodes) -> None:
    capacity = {node.name: node.count for node in nodes.values()}
    names = [f"pod{index:02}" for index in range(sum(capacity.values()))]
    world.create(claim_template("one", world.namespace))
    world.create(*(pod(name, world.namespace, templates={"device": "one"}) for name in names))
    placed = world.wait_bound(*names, seconds=120)
    assert Counter(placed.values()) == capacity

    world.create(pod("late", world.namespace, templates={"device": "one"}))
    world.wait_message(
        "Pod", "late", "1 device", *(f"{node.name}: 0 of {node.count} devices free" for node in nodes.values())
    )
    world.check_pending("late")

    ended = names[5]
    world.end_pod(ended)
    assert world.wait_bound("late") == {"late": placed[ended]}


def test_two_claims_of_a_pod_fit_together_on_one_node_only(world: World, nodes: Nodes) -> None:
    """Each claim alone fits on the mixed node too: 3 of 4, and 2 of 4."""
    world.create(
        claim_parameters("three", world.namespace, count=3),
        claim_parameters("two", world.namespace, count=2, split=2),
        claim_template("three", world.namespace, "three"),
        claim_template("two", world.namespace, "two"),
        pod("pod0", world.namespace, templates={"first": "three", "second": "two"}),
    )
    assert world.wait_bound("pod0") == {"pod0": nodes["large"].name}
    held = [world.devices_of(world.claim_of("pod0", entry))[nodes["large"].name] for entry in ("first", "second")]
    assert [len(devices) for devices in held] == [3, 2]


def test_two_claims_that_fit_together_nowhere_hold_nothing(world: World) -> None:
    """The claim that would fit must not keep its devices from others while the pod cannot be placed."""
    world.create(
        claim_parameters("eight", world.namespace, count=8),
        claim_template("eight", world.namespace, "eight"),
        claim_template("one", world.namespace),
        pod("greedy", world.namespace, templates={"first": "eight", "second": "one"}),
    )
    world.wait_message("Pod", "greedy", "8 devices and 1 device")
    world.check_pending("greedy")
    world.create(pod("modest", world.namespace, templates={"device": "eight"}))
    world.wait_bound("modest")
    world.check_pending("greedy")


def test_more_devices_than_any_node_has(world: World, nodes: Nodes) -> None:
    world.create(
        claim_parameters("many", world.namespace, count=9),
        claim_template("many", world.namespace, "many"),
        pod("pod0", world.namespace, templates={"device": "many"}),
    )
    where = [f"{node.name}: {node.count} of {node.count} devices free" for node in nodes.values()]
    world.wait_message("Pod", "pod0", "9 devices", *where)
    world.check_pending("pod0")
    world.correct("many", count=8)
    assert world.wait_bound("pod0", seconds=AT_ONCE_SECONDS) == {"pod0": nodes["large"].name}


def test_waits_for_devices_that_another_claim_holds(world: World, nodes: Nodes) -> None:
    world.create(
        claim_parameters("all", world.namespace, count=8),
        claim_template("all", world.namespace, "all"),
        pod("first", world.namespace, templates={"device": "all"}),
    )
    world.wait_bound("first")
    world.create(pod("second", world.namespace, templates={"device": "all"}))
    world.wait_message("Pod", "second", "8 devices", f"{nodes['large'].name}: 0 of 8 devices free")
    world.check_pending("second")
    world.end_pod("first")
    assert world.wait_bound("second") == {"second": nodes["large"].name}


def test_node_that_is_not_ready_gets_no_claim(world: World, nodes: Nodes) -> None:
    def set_status(status: str) -> None:
        for node in nodes.values():
            world.client.patch(NodeAllocationState, node.name, {"status": status}, DRIVER_NAMESPACE)

    set_status("NotReady")
    try:
        world.create(claim_template("one", world.namespace), pod("pod0", world.namespace, templates={"device": "one"}))
        world.wait_message("Pod", "pod0", "NotReady")
        world.check_pending("pod0")
        mixed = nodes["mixed"].name
        world.client.patch(NodeAllocationState, mixed, {"status": "Ready"}, DRIVER_NAMESPACE)
        assert world.wait_bound("pod0", seconds=AT_ONCE_SECONDS) == {"pod0": mixed}
    finally:
        set_status("Ready")


def test_node_without_devices_gets_no_claim_until_it_has_some(world: World) -> None:
    bare = StaticNode("static-bare", 2, pool="without-plugin")
    bare.create(world.client, with_devices=False)
    try:
        world.create(
            claim_template("one", world.namespace),
            pod("pod0", world.namespace, templates={"device": "one"}, pool=bare.pool),
        )
        world.wait_message("Pod", "pod0", bare.name)
        world.check_pending("pod0")
        bare.publish_devices(world.client)
        assert world.wait_bound("pod0") == {"pod0": bare.name}
        world.end_pod("pod0")
        world.wait("ledger empty", lambda: not world.nas(bare.name).spec.allocated_claims)
    finally:
        bare.delete(world.client)


def test_standing_claim_keeps_its_pods_on_its_node(world: World) -> None:
    names = ["pod0", "pod1", "pod2"]
    world.create(claim("shared", world.namespace))
    world.create(*(pod(name, world.namespace, claims={"device": "shared"}) for name in names))
    placed = world.wait_bound(*names)
    assert len(set(placed.values())) == 1
    shared = world.claims()["shared"]
    assert len(shared.status.reserved_for) == 3
    assert [len(devices) for devices in world.devices_of(shared).values()] == [1]

    for name in names[:2]:
        world.end_pod(name)
    world.wait("one reservation left", lambda: len(world.claims()["shared"].status.reserved_for) == 1)
    assert world.devices_of(shared) == world.devices_of(world.claims()["shared"])
    world.end_pod(names[2])
    # The controller manager requests deallocation once no pod reserves a claim that waits for its first consumer.
    world.wait("claim is deallocated", lambda: world.claims()["shared"].status.allocation is None)
    world.wait("its devices are free", lambda: not world.devices_of(shared))
    world.create(pod("pod3", world.namespace, claims={"device": "shared"}))
    world.wait_bound("pod3")
