"""What people are told when a claim cannot be had, and that it goes on once what was missing is there."""

import asyncio

import pytest

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    DeviceClassParameters,
    FakeClaimParameters,
)
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import (
    ResourceClaim,
    ResourceClass,
)
from tests.support.half_states import run
from tests.support.soundness import devices_of_claims
from tests.support.world import Brain, World
from tests.unit.driver.classic.negotiating import class_selects, messages

pytestmark = pytest.mark.looptime


async def test_a_claim_is_allocated_as_soon_as_its_late_parameters_arrive() -> None:
    world = World()
    world.node("a")
    world.claim("c")
    late = world.api.read(FakeClaimParameters, "c", "default")
    world.api.delete(FakeClaimParameters, "c", "default")
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        (message,) = messages(brain, "c")
        assert message == (
            "ParametersNotFound: FakeClaimParameters default/c do not exist: "
            "create them, and the claim goes on by itself"
        )
        world.api.apply(late.model_copy(update={"metadata": ObjectMeta(name="c", namespace="default")}))
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["a-0"]}


async def test_no_warning_when_the_parameters_come_a_moment_after_the_claim() -> None:
    world = World()
    world.node("a")
    world.claim("c")
    late = world.api.read(FakeClaimParameters, "c", "default")
    world.api.delete(FakeClaimParameters, "c", "default")
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"creationTimestamp": "2026-01-01T00:10:00Z"}})
    brain = Brain(world)
    async with brain.running():
        brain.deliver()
        await asyncio.sleep(0.1)
        world.api.apply(late.model_copy(update={"metadata": ObjectMeta(name="c", namespace="default")}))
        await brain.settle()
    assert brain.events.events == []


async def test_a_claim_is_allocated_as_soon_as_its_parameters_are_corrected() -> None:
    """Objects from before the bounds, or that came in past them: the controller checks once more."""
    world = World()
    world.node("a")
    world.claim("c")
    world.api.update(FakeClaimParameters, "c", "default", {"spec": {"count": 0}})
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert any("spec.count: Input should be greater than or equal to 1" in text for text in messages(brain, "c"))
        assert devices_of_claims(world) == {}
        world.api.update(FakeClaimParameters, "c", "default", {"spec": {"count": 1}})
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["a-0"]}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"count": 0}, "spec.count: Input should be greater than or equal to 1"),
        ({"count": -1}, "spec.count: Input should be greater than or equal to 1"),
        ({"count": 129}, "spec.count: Input should be less than or equal to 128"),
        ({"split": 65}, "spec.split: Input should be less than or equal to 64"),
        ({"split": -1}, "spec.split: Input should be greater than or equal to 0"),
        ({"count": 128, "split": 9}, "count times split must be at most 1024"),
        ({"selector": {"model": ""}}, "spec.selector.model: String should have at least 1 character"),
    ],
)
async def test_existing_bad_parameters_get_an_event_and_affect_no_other_claim(
    spec: dict[str, object], words: str
) -> None:
    world = World()
    world.node("a")
    world.claim("bad")
    world.api.update(FakeClaimParameters, "bad", "default", {"spec": spec})
    world.pod("p", ["bad"], selected="a")
    world.claim("good")
    world.pod("q", ["good"], selected="a")
    brain = await run(world)
    warnings = [text for text in messages(brain, "bad") if words in text]
    assert len(warnings) == 2, "one on the parameters, one on the claim"
    assert devices_of_claims(world) == {"good": ["a-0"]}


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ({"apiGroup": DRIVER_NAME, "kind": "DeviceClassParameters"}, f"DeviceClassParameters.{DRIVER_NAME} c"),
        ({"apiGroup": "example.com", "kind": "FakeClaimParameters"}, "FakeClaimParameters.example.com c"),
        ({"apiGroup": "", "kind": "ConfigMap"}, "ConfigMap c"),
    ],
)
async def test_reference_of_a_wrong_kind_is_quoted_with_the_right_one(reference: dict[str, str], found: str) -> None:
    world = World()
    world.node("a")
    world.claim("c")
    world.api.update(ResourceClaim, "c", "default", {"spec": {"parametersRef": {**reference, "name": "c"}}})
    brain = await run(world)
    assert messages(brain, "c") == [
        f"InvalidParameters: ResourceClaim default/c names {found} as its parameters; driver {DRIVER_NAME} takes only "
        f"kind FakeClaimParameters with apiGroup {DRIVER_NAME}: correct parametersRef"
    ]


async def test_a_claim_is_allocated_as_soon_as_its_late_class_parameters_arrive() -> None:
    world = World()
    world.node("a")
    class_selects(world, "*")
    late = world.api.read(DeviceClassParameters, "dcp")
    world.api.delete(DeviceClassParameters, "dcp")
    world.claim("c")
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        expected = (
            "ParametersNotFound: ResourceClass fake names DeviceClassParameters dcp, which do not exist: "
            "create them, or correct the name in parametersRef"
        )
        assert messages(brain, "fake") == [expected]
        assert messages(brain, "c") == [expected]
        world.api.apply(late.model_copy(update={"metadata": ObjectMeta(name="dcp")}))
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["a-0"]}


async def test_no_warning_when_class_parameters_come_a_moment_after_the_class() -> None:
    world = World()
    class_selects(world, "*")
    late = world.api.read(DeviceClassParameters, "dcp")
    world.api.delete(DeviceClassParameters, "dcp")
    world.api.update(ResourceClass, "fake", "", {"metadata": {"creationTimestamp": "2026-01-01T00:10:00Z"}})
    brain = Brain(world)
    async with brain.running():
        brain.deliver()
        await asyncio.sleep(0.1)
        world.api.apply(late.model_copy(update={"metadata": ObjectMeta(name="dcp")}))
        await brain.settle()
    assert brain.events.events == []


async def test_class_whose_parameters_are_deleted_gets_an_event() -> None:
    world = World()
    class_selects(world, "*")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert brain.events.events == []
        world.api.delete(DeviceClassParameters, "dcp")
        await brain.settle()
    (message,) = messages(brain, "fake")
    assert message.startswith("ParametersNotFound: ResourceClass fake names DeviceClassParameters dcp")


async def test_unusable_class_parameters_are_reported() -> None:
    """Objects from before the bounds, or that came in past them."""
    world = World()
    class_selects(world, "*")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.api.update(DeviceClassParameters, "dcp", "", {"spec": {"deviceSelector": []}})
        await brain.settle()
    (message,) = messages(brain, "dcp")
    assert message.startswith("InvalidParameters: spec.deviceSelector")


async def test_a_late_claim_is_allocated_for_its_pod_at_once() -> None:
    world = World()
    world.node("a")
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert brain.events.events == []
        world.claim("c")
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["a-0"]}


async def test_claim_that_is_being_deleted_gets_nothing() -> None:
    world = World()
    world.node("a")
    world.claim("c")
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"finalizers": ["example.com/other"]}})
    world.api.delete(ResourceClaim, "c", "default")
    world.pod("p", ["c"], selected="a")
    brain = await run(world)
    assert brain.client.calls == []


async def test_immediate_claim_is_not_allocated_in_the_negotiation_for_a_pod() -> None:
    world = World()
    world.node("a")
    world.claim("c", mode="Immediate")
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    brain.deliver()
    await brain.pass_over("podschedulingcontext", "p")
    assert devices_of_claims(world) == {}


async def test_a_claim_is_allocated_as_soon_as_its_late_class_arrives() -> None:
    world = World()
    world.node("a")
    world.claim("c")
    world.api.delete(ResourceClass, "fake")
    world.pod("p", ["c"], selected="a")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.api.apply(ResourceClass(metadata=ObjectMeta(name="fake"), driver_name=DRIVER_NAME))
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["a-0"]}
