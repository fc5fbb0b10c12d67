"""A claim from its creation to its end: Immediate allocation, deletion in each phase, and nodes that go away."""

from collections.abc import Iterator, Mapping

import pytest

from fake_dra_driver.api.fake import CLAIM_FINALIZER
from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from tests.e2e.driver import COMMON_CDI_FILE
from tests.e2e.objects import RunningPod
from tests.scenarios.classic.manifests import claim, claim_parameters, claim_template, pod
from tests.scenarios.classic.static_nodes import StaticNode
from tests.scenarios.classic.world import AT_ONCE_SECONDS, World, allocated_node

Nodes = Mapping[str, StaticNode]


def test_immediate_claim_is_allocated_without_a_pod(world: World, nodes: Nodes) -> None:
    world.create(
        claim_parameters("a", world.namespace, count=2, split=3, selector={"model": "MODEL-A"}),
        claim("now", world.namespace, "a", mode="Immediate"),
    )
    mixed = nodes["mixed"].name
    world.wait("allocated", lambda: allocated_node(world.claims()["now"]) == mixed, AT_ONCE_SECONDS)
    world.create(pod("pod0", world.namespace, claims={"device": "now"}))
    assert world.wait_bound("pod0") == {"pod0": mixed}
    world.end_pod("pod0")
    world.wait("not reserved", lambda: not world.claims()["now"].status.reserved_for)
    assert allocated_node(world.claims()["now"]) == mixed, "an Immediate claim keeps its devices without a pod"


def test_immediate_claim_waits_for_devices(world: World, nodes: Nodes) -> None:
    world.create(
        claim_parameters("a", world.namespace, count=2, selector={"model": "MODEL-A"}),
        claim("first", world.namespace, "a", mode="Immediate"),
    )
    world.wait("allocated", lambda: allocated_node(world.claims()["first"]) == nodes["mixed"].name)
    world.create(claim("second", world.namespace, "a", mode="Immediate"))
    world.wait_message("ResourceClaim", "second", "2", "MODEL-A")
    assert world.claims()["second"].status.allocation is None
    world.delete(ResourceClaim, "first")
    world.wait("allocated", lambda: allocated_node(world.claims()["second"]) == nodes["mixed"].name)
    world.check()


def test_immediate_claim_with_parameters_that_come_late(world: World) -> None:
    world.create(claim("now", world.namespace, "late", mode="Immediate"))
    world.wait_message("ResourceClaim", "now", "FakeClaimParameters", f"{world.namespace}/late")
    world.create(claim_parameters("late", world.namespace, count=2))
    world.wait("allocated", lambda: allocated_node(world.claims()["now"]) is not None, AT_ONCE_SECONDS)


@pytest.mark.parametrize("phase", ["waiting for parameters", "too big", "allocated", "reserved"])
def test_deletion_in_each_phase(world: World, phase: str) -> None:
    parameters, count = ("missing", 1) if phase == "waiting for parameters" else ("there", 1)
    if phase == "too big":
        count = 100
    world.create(claim_parameters("there", world.namespace, count=count))
    mode = "Immediate" if phase == "allocated" else "WaitForFirstConsumer"
    world.create(claim("claim", world.namespace, parameters, mode=mode))
    if phase != "allocated":
        world.create(pod("pod0", world.namespace, claims={"device": "claim"}))
    match phase:
        case "waiting for parameters":
            world.wait_message("ResourceClaim", "claim", "FakeClaimParameters")
        case "too big":
            world.wait_message("Pod", "pod0", "100")
        case "allocated":
            world.wait("allocated", lambda: world.claims()["claim"].status.allocation is not None)
        case "reserved":
            world.wait_bound("pod0")

    world.delete(ResourceClaim, "claim")
    if phase == "reserved":
        found = world.claims()["claim"]
        assert found.is_deleting
        assert CLAIM_FINALIZER in found.metadata.finalizers, "a claim that a pod uses stays"
        assert world.devices_of(found)
        world.end_pod("pod0")
    world.wait("claim gone", lambda: not world.claims())
    world.wait("ledgers empty", lambda: not any(nas.spec.allocated_claims for nas in world.driver.nodes()))


def test_deletion_while_a_pod_runs(world: World) -> None:
    """On the cluster's own node: what is prepared stays until the pod has ended, then nothing of the claim is left."""
    driver = world.driver
    world.create(claim("claim", world.namespace), pod("pod0", world.namespace, claims={"device": "claim"}, pool=None))
    world.wait("prepared", lambda: world.claims()["claim"].uid in driver.prepared_claims())
    world.wait("running", lambda: world.client.get(RunningPod, "pod0", world.namespace).is_ready)

    world.delete(ResourceClaim, "claim")
    found = world.claims()["claim"]
    assert found.is_deleting
    assert found.uid in driver.prepared_claims(), "a claim that a pod uses stays"
    assert world.devices_of(found)
    world.delete(Pod, "pod0")
    world.wait("claim gone", lambda: not world.claims())
    world.wait("ledgers empty", lambda: not any(nas.spec.allocated_claims for nas in driver.nodes()))
    world.wait("nothing prepared", lambda: not driver.prepared_claims())
    assert driver.cdi_files() == [COMMON_CDI_FILE]


@pytest.fixture
def passing_node(world: World) -> Iterator[StaticNode]:
    """A node that the scenario deletes; its pool holds no other."""
    node = StaticNode("static-passing", 2, pool="passing")
    node.delete(world.client)
    node.create(world.client)
    yield node
    node.delete(world.client)


def delete_node(world: World, node: StaticNode) -> None:
    """Deletes the Node alone; the garbage collector takes its NodeAllocationState."""
    world.client.delete(Node, node.name)
    world.wait("NodeAllocationState gone", lambda: node.name not in {nas.metadata.name for nas in world.driver.nodes()})


def test_node_goes_while_a_template_claim_is_on_it(world: World, passing_node: StaticNode) -> None:
    world.create(
        claim_template("one", world.namespace),
        pod("pod0", world.namespace, templates={"device": "one"}, pool=passing_node.pool),
    )
    world.wait_bound("pod0")
    delete_node(world, passing_node)
    world.end_pod("pod0")
    world.wait("claim gone", lambda: not world.claims())


def test_node_goes_and_a_standing_claim_moves_on(world: World, nodes: Nodes, passing_node: StaticNode) -> None:
    world.create(
        claim("standing", world.namespace),
        pod("pod0", world.namespace, claims={"device": "standing"}, pool=passing_node.pool),
    )
    world.wait_bound("pod0")
    delete_node(world, passing_node)
    claim_now = world.claims()["standing"]
    assert claim_now.status.reserved_for == () or claim_now.status.allocation is not None
    world.end_pod("pod0")
    world.wait("released", lambda: world.claims()["standing"].status.allocation is None)
    world.create(pod("pod1", world.namespace, claims={"device": "standing"}))
    assert world.wait_bound("pod1")["pod1"] in {node.name for node in nodes.values()}


def test_node_goes_and_comes_back_with_its_claim(world: World, passing_node: StaticNode) -> None:
    """The ledger is rebuilt from the claims that are allocated there."""
    world.create(
        claim("standing", world.namespace),
        pod("pod0", world.namespace, claims={"device": "standing"}, pool=passing_node.pool),
    )
    world.wait_bound("pod0")
    held = world.devices_of(world.claims()["standing"])
    delete_node(world, passing_node)
    if world.claims()["standing"].status.allocation is None:
        pytest.fail("released although a pod reserves it")
    passing_node.create(world.client)
    world.wait("entry is back", lambda: world.devices_of(world.claims()["standing"]) == held)
    world.check()
    world.create(
        claim_template("one", world.namespace),
        *(
            pod(f"other{index}", world.namespace, templates={"device": "one"}, pool=passing_node.pool)
            for index in range(2)
        ),
    )
    world.wait(
        "one of two finds the free device",
        lambda: sum(bool(p.spec.node_name) for n, p in world.pods().items() if n != "pod0") == 1,
    )
    world.check()
