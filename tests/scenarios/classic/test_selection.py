"""Which devices a claim gets: the claim's model, and the globs of its class."""

from collections.abc import Iterator, Mapping

import pytest

from fake_dra_driver.api.fake import DeviceClassParameters
from fake_dra_driver.api.resource.v1alpha2 import ResourceClass
from tests.scenarios.classic.manifests import claim_parameters, claim_template, class_parameters, pod, resource_class
from tests.scenarios.classic.static_nodes import StaticNode
from tests.scenarios.classic.world import AT_ONCE_SECONDS, World

Nodes = Mapping[str, StaticNode]


@pytest.fixture
def class_name(world: World) -> Iterator[str]:
    """Name of a class, and of its parameters, that the scenario may create; both are gone afterwards."""
    yield world.namespace
    world.client.delete(ResourceClass, world.namespace)
    world.client.delete(DeviceClassParameters, world.namespace)


def test_model_of_the_claim(world: World, nodes: Nodes) -> None:
    """MODEL-A is on the mixed node alone, which has two of them."""
    world.create(
        claim_parameters("a", world.namespace, count=2, selector={"model": "MODEL-A"}),
        claim_template("a", world.namespace, "a"),
        pod("pod0", world.namespace, templates={"device": "a"}),
    )
    mixed = nodes["mixed"]
    assert world.wait_bound("pod0") == {"pod0": mixed.name}
    assert set(world.devices_of(world.claim_of("pod0", "device"))[mixed.name]) == {
        device.uuid for device in mixed.devices if device.model == "MODEL-A"
    }


def test_claims_of_two_models_in_a_pod(world: World, nodes: Nodes) -> None:
    """The claim that takes any device must leave the ones that only the other can use."""
    world.create(
        claim_parameters("b", world.namespace, count=2, selector={"model": "MODEL-B"}),
        claim_parameters("any", world.namespace, count=2),
        claim_template("b", world.namespace, "b"),
        claim_template("any", world.namespace, "any"),
        pod("pod0", world.namespace, templates={"first": "any", "second": "b"}),
    )
    assert world.wait_bound("pod0") == {"pod0": nodes["mixed"].name}


def test_model_that_no_node_has(world: World) -> None:
    world.create(
        claim_parameters("x", world.namespace, selector={"model": "MODEL-X"}),
        claim_template("x", world.namespace, "x"),
        pod("pod0", world.namespace, templates={"device": "x"}),
    )
    world.wait_message("Pod", "pod0", "MODEL-X")
    world.check_pending("pod0")
    world.correct("x", selector={"model": "MODEL-B"})
    world.wait_bound("pod0", seconds=AT_ONCE_SECONDS)


def test_selectors_of_the_class_are_ored(world: World, nodes: Nodes, class_name: str) -> None:
    """Six devices match: 4 of the mixed node, 2 of the small one; none of the large one, which has room for all."""
    world.create(
        class_parameters(class_name, [("fake", "*-A"), ("f?ke", "MODEL-[BC]"), ("other", "*")]),
        resource_class(class_name, class_name),
        claim_template("one", world.namespace, class_name=class_name),
    )
    names = [f"pod{index}" for index in range(6)]
    world.create(*(pod(name, world.namespace, templates={"device": "one"}) for name in names))
    assert set(world.wait_bound(*names).values()) == {nodes["mixed"].name, nodes["small"].name}
    world.create(pod("late", world.namespace, templates={"device": "one"}))
    world.wait_message("Pod", "late", "fake/*-A or f?ke/MODEL-[BC] or other/*", "0 of 4 matching", "0 of 2 matching")
    world.check_pending("late")


def test_class_and_claim_select_together(world: World, nodes: Nodes, class_name: str) -> None:
    world.create(
        class_parameters(class_name, [("fake", "MODEL-*")]),
        resource_class(class_name, class_name),
        claim_parameters("latest", world.namespace, selector={"model": "LATEST-FAKE-MODEL"}),
        claim_template("latest", world.namespace, "latest", class_name=class_name),
        pod("pod0", world.namespace, templates={"device": "latest"}),
    )
    world.wait_message("Pod", "pod0", "LATEST-FAKE-MODEL")
    world.check_pending("pod0")
    world.client.patch(
        DeviceClassParameters, class_name, {"spec": {"deviceSelector": [{"type": "fake", "name": "LATEST-*"}]}}
    )
    assert world.wait_bound("pod0", seconds=AT_ONCE_SECONDS) == {"pod0": nodes["large"].name}


def test_parameters_of_the_class_that_come_late(world: World, nodes: Nodes, class_name: str) -> None:
    world.create(
        resource_class(class_name, class_name),
        claim_template("one", world.namespace, class_name=class_name),
        pod("pod0", world.namespace, templates={"device": "one"}),
    )
    world.wait("claim is there", lambda: bool(world.claims()))
    claim = next(iter(world.claims()))
    world.wait_message("ResourceClaim", claim, "DeviceClassParameters", class_name)
    world.check_pending("pod0")
    world.create(class_parameters(class_name, [("fake", "LATEST-*")]))
    assert world.wait_bound("pod0", seconds=AT_ONCE_SECONDS) == {"pod0": nodes["large"].name}


def test_class_that_comes_late(world: World, class_name: str) -> None:
    world.create(
        claim_template("one", world.namespace, class_name=class_name),
        pod("pod0", world.namespace, templates={"device": "one"}),
    )
    world.wait("claim is there", lambda: bool(world.claims()))
    world.create(resource_class(class_name))
    world.wait_bound("pod0")
