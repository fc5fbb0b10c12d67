"""A claim from its creation to its end: allocated with its first pod, shared, released, deleted in each phase."""

from collections.abc import Iterator, Mapping

import pytest

from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.resource import v1
from tests.e2e.driver import COMMON_CDI_FILE
from tests.scenarios.structured.manifests import claim, claim_template, pod, request
from tests.scenarios.structured.static_nodes import StaticNode
from tests.scenarios.structured.world import World, devices_of, nodes_of

Nodes = Mapping[str, StaticNode]


def test_standing_claim_is_allocated_with_its_first_pod_and_released_with_its_last(world: World) -> None:
    names = ["pod0", "pod1", "pod2"]
    world.create(claim("shared", world.namespace))
    assert world.claims()["shared"].status.allocation is None
    world.create(*(pod(name, world.namespace, claims={"device": "shared"}) for name in names))
    assert len(set(world.wait_bound(*names).values())) == 1
    shared = world.claims()["shared"]
    assert len(shared.status.reserved_for) == 3
    assert len(devices_of(shared)) == 1

    for name in names[:2]:
        world.end_pod(name)
    world.wait("one reservation left", lambda: len(world.claims()["shared"].status.reserved_for) == 1)
    assert devices_of(world.claims()["shared"]) == devices_of(shared)
    world.end_pod(names[2])
    world.wait("released", lambda: world.claims()["shared"].status.allocation is None)
    world.wait("no finalizer", lambda: v1.CLAIM_FINALIZER not in world.claims()["shared"].metadata.finalizers)
    world.create(pod("pod3", world.namespace, claims={"device": "shared"}))
    world.wait_bound("pod3")


def test_claim_of_a_template_lives_as_long_as_its_pod(world: World) -> None:
    world.create(
        claim_template("one", world.namespace),
        pod("pod0", world.namespace, templates={"device": "one"}),
    )
    world.wait_bound("pod0")
    found = world.claim_of("pod0", "device")
    assert found.key.name.startswith("pod0-device-")
    assert found.metadata.annotations[v1.POD_CLAIM_ANNOTATION] == "device"
    (owner,) = found.metadata.owner_references
    assert (owner.kind, owner.uid, owner.controller) == ("Pod", world.pods()["pod0"].uid, True)
    world.end_pod("pod0")
    world.wait("claim gone", lambda: not world.claims())


@pytest.mark.parametrize("phase", ["pending", "refused", "reserved"])
def test_deletion_in_each_phase(world: World, phase: str) -> None:
    world.create(claim("claim", world.namespace, request(count=32 if phase == "refused" else 1)))
    if phase != "pending":
        world.create(pod("pod0", world.namespace, claims={"device": "claim"}))
    match phase:
        case "refused":
            world.wait_refused("pod0", "cannot allocate all claims")
        case "reserved":
            world.wait_bound("pod0")

    world.delete(v1.ResourceClaim, "claim")
    if phase == "reserved":
        found = world.claims()["claim"]
        assert found.is_deleting
        assert devices_of(found), "a claim that a pod uses stays"
        world.end_pod("pod0")
    world.wait("claim gone", lambda: not world.claims())


def test_deletion_while_a_pod_runs(world: World) -> None:
    """On the cluster's own node: what is prepared stays until the pod has ended, then nothing of the claim is left."""
    driver = world.driver
    world.create(claim("claim", world.namespace), pod("pod0", world.namespace, claims={"device": "claim"}, pool=None))
    world.wait("prepared", lambda: world.claims()["claim"].uid in driver.prepared_claims())
    world.wait("running", lambda: world.pods()["pod0"].is_ready)

    world.delete(v1.ResourceClaim, "claim")
    found = world.claims()["claim"]
    assert found.is_deleting
    assert found.uid in driver.prepared_claims(), "a claim that a pod uses stays"
    world.delete(Pod, "pod0")
    world.wait("claim gone", lambda: not world.claims())
    world.wait("nothing prepared", lambda: not driver.prepared_claims())
    assert driver.cdi_files() == [COMMON_CDI_FILE]


def test_pod_that_has_finished_leaves_its_devices(world: World) -> None:
    """On the cluster's own node: the claim goes although the pod stays."""
    world.create(
        claim_template("one", world.namespace),
        pod("pod0", world.namespace, templates={"device": "one"}, pool=None, command="export"),
    )
    world.wait("finished", lambda: world.pods()["pod0"].status.phase == "Succeeded")
    world.wait("claim gone", lambda: not world.claims())
    world.wait("nothing prepared", lambda: not world.driver.prepared_claims())


@pytest.fixture
def passing_node(world: World) -> Iterator[StaticNode]:
    """A node that the scenario deletes; its pool holds no other."""
    node = StaticNode("static-passing", 2, pool="passing")
    node.delete(world.client)
    node.create(world.client)
    yield node
    node.delete(world.client)


def test_node_goes_and_a_standing_claim_moves_on(world: World, nodes: Nodes, passing_node: StaticNode) -> None:
    world.create(
        claim("standing", world.namespace),
        pod("pod0", world.namespace, claims={"device": "standing"}, pool=passing_node.pool),
    )
    world.wait_bound("pod0")
    world.client.delete(Node, passing_node.name)
    world.wait(
        "slice gone",
        lambda: passing_node.slice_name not in {each.metadata.name for each in world.client.list(v1.ResourceSlice)},
    )
    assert nodes_of(world.claims()["standing"]) == [passing_node.name], "what a pod uses stays allocated"
    world.end_pod("pod0")
    world.wait("released", lambda: world.claims()["standing"].status.allocation is None)
    world.create(pod("pod1", world.namespace, claims={"device": "standing"}))
    assert world.wait_bound("pod1")["pod1"] in {node.name for node in nodes.values()}
