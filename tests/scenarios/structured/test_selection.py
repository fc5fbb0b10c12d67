"""Which devices a claim gets: selectors of requests and classes, alternatives, constraints, and errors in CEL."""

from collections.abc import Mapping

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from fake_dra_driver.api.resource import v1
from tests.scenarios.structured.manifests import claim, claim_template, device_class, model_is, pod, request
from tests.scenarios.structured.static_nodes import StaticNode
from tests.scenarios.structured.world import AT_ONCE_SECONDS, World, devices_of

Nodes = Mapping[str, StaticNode]


def test_model_that_one_node_has(world: World, nodes: Nodes) -> None:
    """MODEL-A is on the mixed node alone, which has two of them: the first and the third."""
    world.create(
        claim_template("a", world.namespace, request(count=2, select=[model_is("MODEL-A")])),
        pod("pod0", world.namespace, templates={"device": "a"}),
    )
    mixed = nodes["mixed"].name
    assert world.wait_bound("pod0") == {"pod0": mixed}
    assert devices_of(world.claim_of("pod0", "device")) == [(mixed, "fake-0"), (mixed, "fake-2")]


def test_claims_of_two_models_in_a_pod(world: World, nodes: Nodes) -> None:
    """The claim that takes any device must leave the ones that only the other can use."""
    world.create(
        claim_template("b", world.namespace, request(count=2, select=[model_is("MODEL-B")])),
        claim_template("any", world.namespace, request(count=2)),
        pod("pod0", world.namespace, templates={"first": "any", "second": "b"}),
    )
    mixed = nodes["mixed"].name
    assert world.wait_bound("pod0") == {"pod0": mixed}
    held = {entry: [device for _, device in devices_of(world.claim_of("pod0", entry))] for entry in ("first", "second")}
    assert held == {"first": ["fake-0", "fake-2"], "second": ["fake-1", "fake-3"]}


def test_model_that_no_node_has_until_one_gets_it(world: World, nodes: Nodes) -> None:
    world.create(
        claim_template("x", world.namespace, request(select=[model_is("MODEL-X")])),
        pod("pod0", world.namespace, templates={"device": "x"}),
    )
    world.wait_refused("pod0", "3 cannot allocate all claims")
    newcomer = StaticNode("static-newcomer", 1, ("MODEL-X",))
    newcomer.create(world.client)
    try:
        assert world.wait_bound("pod0", seconds=AT_ONCE_SECONDS) == {"pod0": newcomer.name}
    finally:
        world.end_pod("pod0")
        newcomer.delete(world.client)


def test_class_and_request_select_together(world: World, nodes: Nodes, class_name: str) -> None:
    world.create(
        device_class(class_name, f'device.attributes["{DRIVER_NAME}"].model.startsWith("MODEL-")'),
        claim_template("b", world.namespace, request(class_name=class_name, select=[model_is("MODEL-B")])),
    )
    # Two on each of two nodes.
    names = [f"pod{index}" for index in range(4)]
    world.create(*(pod(name, world.namespace, templates={"device": "b"}) for name in names))
    assert set(world.wait_bound(*names).values()) == {nodes["mixed"].name, nodes["small"].name}
    world.create(pod("late", world.namespace, templates={"device": "b"}))
    world.wait_refused("late", "3 cannot allocate all claims")
    # A class may be changed at any time, and counts as it is.
    wider = device_class(class_name, f'device.attributes["{DRIVER_NAME}"].index == 7')
    world.client.patch(v1.DeviceClass, class_name, {"spec": wider["spec"]})
    world.create(
        claim_template("seventh", world.namespace, request(class_name=class_name)),
        pod("other", world.namespace, templates={"device": "seventh"}),
    )
    assert world.wait_bound("other") == {"other": nodes["large"].name}


def test_class_that_comes_late(world: World, class_name: str) -> None:
    world.create(
        claim_template("one", world.namespace, request(class_name=class_name)),
        pod("pod0", world.namespace, templates={"device": "one"}),
    )
    world.wait_refused("pod0", f"request fake: device class {class_name} does not exist")
    world.create(device_class(class_name))
    world.wait_bound("pod0", seconds=AT_ONCE_SECONDS)


def test_selector_that_fails_on_a_device(world: World, nodes: Nodes, class_name: str) -> None:
    """It ends the attempt, although the devices of other drivers and nodes might do, until the class is mended."""
    world.create(
        device_class(class_name, f'device.attributes["{DRIVER_NAME}"].colour == "red"'),
        claim_template("red", world.namespace, request(class_name=class_name)),
        pod("pod0", world.namespace, templates={"device": "red"}),
    )
    world.wait_refused("pod0", f"class {class_name}: selector #1", "CEL runtime error: no such key: colour")
    mended = device_class(class_name, f'device.attributes["{DRIVER_NAME}"].?colour.orValue("red") == "red"')
    world.client.patch(v1.DeviceClass, class_name, {"spec": mended["spec"]})
    world.wait_bound("pod0", seconds=AT_ONCE_SECONDS)


def test_the_first_alternative_that_some_node_has(world: World, nodes: Nodes) -> None:
    """The nodes that have the better alternative come first, as long as they have it."""
    alternatives = [
        {"name": name, "deviceClassName": RESOURCE_CLASS_NAME, "selectors": [{"cel": {"expression": expression}}]}
        for name, expression in (("best", model_is("MODEL-A")), ("good", model_is("LATEST-FAKE-MODEL")))
    ]
    world.create(claim_template("either", world.namespace, {"name": "fake", "firstAvailable": alternatives}))
    names = ["pod0", "pod1", "pod2"]
    for name in names:
        world.create(pod(name, world.namespace, templates={"device": "either"}))
        world.wait_bound(name)
    chosen = []
    for name in names:
        allocation = world.claim_of(name, "device").status.allocation
        assert allocation is not None
        chosen.append(allocation.devices.results[0].request)
    assert chosen == ["fake/best", "fake/best", "fake/good"]


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [("matchAttribute", ["fake-0", "fake-2"]), ("distinctAttribute", ["fake-0", "fake-1"])],
)
def test_devices_of_one_model_or_of_two(world: World, nodes: Nodes, constraint: str, expected: list[str]) -> None:
    mixed = f'device.attributes["{DRIVER_NAME}"].model in ["MODEL-A", "MODEL-B"]'
    world.create(
        claim(
            "pair",
            world.namespace,
            request(count=2, select=[mixed]),
            constraints=[{constraint: f"{DRIVER_NAME}/model"}],
        ),
        {
            **(wanted := pod("pod0", world.namespace, claims={"device": "pair"})),
            "spec": {
                **wanted["spec"],
                "nodeSelector": {**wanted["spec"]["nodeSelector"], "kubernetes.io/hostname": nodes["mixed"].name},
            },
        },
    )
    world.wait_bound("pod0")
    assert [device for _, device in devices_of(world.claims()["pair"])] == expected


def test_all_devices_of_a_node(world: World, nodes: Nodes) -> None:
    """Of the nodes whose devices are all free; one that is in use is not left out."""
    everything = {"deviceClassName": RESOURCE_CLASS_NAME, "allocationMode": "All"}
    world.create(
        claim_template("one", world.namespace, request(select=[model_is("MODEL-A")])),
        claim_template("all", world.namespace, {"name": "fake", "exactly": everything}),
        pod("user", world.namespace, templates={"device": "one"}),
    )
    assert world.wait_bound("user") == {"user": nodes["mixed"].name}
    names = ["pod0", "pod1"]
    world.create(*(pod(name, world.namespace, templates={"device": "all"}) for name in names))
    placed = world.wait_bound(*names)
    assert set(placed.values()) == {nodes["large"].name, nodes["small"].name}
    held = {placed[name]: len(devices_of(world.claim_of(name, "device"))) for name in names}
    assert held == {nodes["large"].name: 8, nodes["small"].name: 2}
