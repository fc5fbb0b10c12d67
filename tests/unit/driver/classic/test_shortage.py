"""What people are told when no node can take a claim: what is wrong, and what they can do."""

from collections.abc import Callable

import pytest

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from tests.support.half_states import run
from tests.support.world import World
from tests.unit.driver.classic.negotiating import class_selects, messages, models, occupy, select_model

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """A node with eight devices, and one with four."""
    world = World()
    world.node("a", devices=8)
    world.node("b", devices=4)
    return world


def too_many(world: World) -> None:
    world.claim("c", count=9)


def in_use(world: World) -> None:
    occupy(world, "a", *(f"a-{number}" for number in range(7)))
    occupy(world, "b", "b-0", "b-1", "b-2")
    world.claim("c", count=2)


def other_model(world: World) -> None:
    models(world, "b", "A100", "H100")
    world.claim("c")
    select_model(world, "c", "B200")


def other_class(world: World) -> None:
    class_selects(world, "LATEST-*", "H?00")
    world.claim("c", count=2)


def model_outside_of_class(world: World) -> None:
    models(world, "b", "A100", "H100")
    class_selects(world, "A*")
    world.claim("c")
    select_model(world, "c", "H100")


def few_of_a_model(world: World) -> None:
    models(world, "b", "A100", "H100")
    class_selects(world, "?100")
    world.claim("c", count=2)
    select_model(world, "c", "H100")


def no_devices(world: World) -> None:
    models(world, "a")
    models(world, "b")
    world.claim("c")


def no_room_at_all(world: World) -> None:
    world.claim("c", count=6)
    world.claim("d", count=6)


Case = tuple[Callable[[World], None], str, str, str]
CASES: list[Case] = [
    (
        too_many,
        "9 devices",
        "a: 8 of 8 devices free; b: 4 of 4 devices free",
        "no node has more than 8: ask for 8 at most, or add nodes that have more",
    ),
    (
        in_use,
        "2 devices",
        "a: 1 of 8 devices free; b: 1 of 4 devices free",
        "wait until devices become free (held by holder-of-a and holder-of-b), ask for fewer, or add nodes",
    ),
    (
        other_model,
        "1 device of model B200",
        "a and b: no matching device",
        "no node has model B200, there are only A100, H100 and MODEL: correct selector.model in the claim's "
        "FakeClaimParameters, or add nodes that have it",
    ),
    (
        other_class,
        "2 devices that match fake/LATEST-* or fake/H?00",
        "a and b: no matching device",
        "the claim's class takes only devices that match fake/LATEST-* or fake/H?00, and there is only MODEL: correct "
        "deviceSelector in its DeviceClassParameters, or use another class",
    ),
    (
        model_outside_of_class,
        "1 device of model H100 that matches fake/A*",
        "a and b: no matching device",
        "the claim's class takes only devices that match fake/A*, which H100 does not: ask for another model, or use "
        "another class",
    ),
    (
        few_of_a_model,
        "2 devices of model H100 that match fake/?100",
        "a: no matching device; b: 1 of 1 matching device free",
        "no node has more than 1: ask for 1 at most, or add nodes that have more",
    ),
    (
        no_devices,
        "1 device",
        "a and b: no devices",
        "no node has devices: raise the number of devices of the kubelet plugin (--device-count)",
    ),
]


def shortage(asked: str, nodes: str, advice: str) -> str:
    return f"InsufficientDevices: asked for {asked} on one node, which no node can give now: {advice} ({nodes})"


@pytest.mark.parametrize(("make", "asked", "nodes", "advice"), CASES, ids=[case[0].__name__ for case in CASES])
@pytest.mark.parametrize("mode", ["WaitForFirstConsumer", "Immediate"])
async def test_people_are_told_what_is_wrong_and_what_to_do(
    world: World, mode: str, make: Callable[[World], None], asked: str, nodes: str, advice: str
) -> None:
    make(world)
    world.api.update(ResourceClaim, "c", "default", {"spec": {"allocationMode": mode}})
    world.pod("p", ["c"], selected="a", potential=["a", "b"])
    brain = await run(world)
    assert messages(brain, "c") == [shortage(asked, nodes, advice)]


async def test_claims_that_fit_only_one_by_one_are_told_so(world: World) -> None:
    no_room_at_all(world)
    world.pod("p", ["c", "d"], selected="a", potential=["a", "b"])
    brain = await run(world)
    assert messages(brain, "p") == [
        shortage(
            "6 devices and 6 devices",
            "a: 8 of 8 devices free, too few for all claims of the pod together; b: 4 of 4 devices free",
            "nodes have enough for each claim of the pod, but none for all of them: ask for fewer, or add nodes",
        )
    ]


async def test_a_pod_is_told_which_node_the_scheduler_does_not_offer_though_it_has_the_devices(world: World) -> None:
    world.cordon("a")
    world.claim("c", count=6)
    world.pod("p", ["c"], potential=["b"])
    brain = await run(world)
    why = "its node is cordoned (SchedulingDisabled)"
    advice = f"a has what is asked for, and the scheduler does not offer it for the pod: {why}"
    assert messages(brain, "p") == [shortage("6 devices", "b: 4 of 4 devices free", advice)]


async def test_claims_of_other_namespaces_are_counted_and_not_named(world: World) -> None:
    occupy(world, "a", *(f"a-{number}" for number in range(8)))
    holder = world.api.read(ResourceClaim, "holder-of-a", "default")
    world.api.delete(ResourceClaim, "holder-of-a", "default")
    metadata = ObjectMeta(name="secret", namespace="other", uid=holder.uid)
    world.api.apply(holder.model_copy(update={"metadata": metadata}))
    world.claim("c", count=5)
    world.pod("p", ["c"], selected="a", potential=["a", "b"])
    brain = await run(world)
    (message,) = messages(brain, "p")
    assert "(held by 1 claim of other namespaces)" in message


async def test_many_nodes_are_listed_by_what_they_have_in_common() -> None:
    world = World()
    for number in range(12):
        world.node(f"worker{number}", devices=number % 2 + 1)
    world.claim("c", count=3, mode="Immediate")
    world.cordon("worker10")
    brain = await run(world)
    (message,) = messages(brain, "c")
    listed = (
        "worker0, worker2, worker4 and 2 more: 1 of 1 device free",
        "worker1, worker3, worker5 and 3 more: 2 of 2 devices free",
        "worker10: its node is cordoned (SchedulingDisabled)",
    )
    assert f"({'; '.join(listed)})" in message


async def test_a_claim_that_fits_nowhere_since_nothing_is_left_is_not_told_to_ask_for_fewer(world: World) -> None:
    occupy(world, "a", *(f"a-{number}" for number in range(8)))
    occupy(world, "b", *(f"b-{number}" for number in range(4)))
    world.claim("c", mode="Immediate")
    brain = await run(world)
    (message,) = messages(brain, "c")
    assert ": wait until devices become free (held by holder-of-a and holder-of-b), or add nodes (" in message


async def test_claims_that_are_being_allocated_count_among_those_that_hold_devices(world: World) -> None:
    for number in range(13):
        world.claim(f"c{number}", mode="Immediate")
    brain = await run(world)
    (message,) = brain.events.messages("InsufficientDevices")
    assert "(held by c0, c1, c2 and 9 more)" in message
