"""Configuration that cannot be used: what is found, where it is told, and when."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.structured.parameters import MockConfigs
from tests.support.structuredworld import (
    CLASS,
    StructuredBrain,
    StructuredWorld,
    opaque,
    parameters,
    result,
)

pytestmark = pytest.mark.looptime

TOO_MUCH = opaque(parameters(split=65))
TOO_MUCH_MESSAGE = "spec.devices.config[0].opaque.parameters.spec.split: must be at most 64, is 65"


@pytest.fixture
def world() -> StructuredWorld:
    world = StructuredWorld()
    world.node("n")
    return world


def told(brain: StructuredBrain) -> list[tuple[str, str]]:
    return [(about, message) for about, reason, message in brain.events.events if reason == "InvalidParameters"]


async def test_a_claim_is_told_as_soon_as_it_is_there(world: StructuredWorld) -> None:
    world.claim("c", config=[TOO_MUCH])
    world.claim("good", config=[opaque(parameters(split=64)), opaque({"any": "thing"}, driver="other.example.com")])
    brain = await world.run()
    assert told(brain) == [("c", TOO_MUCH_MESSAGE)]


async def test_a_claim_is_told_again_when_it_is_allocated_and_not_at_other_changes(world: StructuredWorld) -> None:
    world.claim("c", config=[TOO_MUCH])
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        world.api.update(v1.ResourceClaim, "c", "default", {"metadata": {"labels": {"a": "b"}}})
        await brain.settle()
        assert len(told(brain)) == 1
        allocation = {"devices": {"results": [result("n", 0)]}}
        world.api.update(v1.ResourceClaim, "c", "default", {"status": {"allocation": allocation}})
        await brain.settle()
        consumers = [{"resource": "pods", "name": "p", "uid": "p"}]
        world.api.update(v1.ResourceClaim, "c", "default", {"status": {"reservedFor": consumers}})
        await brain.settle()
    assert told(brain) == [("c", TOO_MUCH_MESSAGE)] * 2


async def test_what_a_class_has_brought_into_an_allocation_counts(world: StructuredWorld) -> None:
    config = [{**TOO_MUCH, "requests": ["fakes"]}]
    world.claim("c", result("n", 0), class_config=config)
    brain = await world.run()
    path = f"DeviceClass {CLASS}: spec.config[0].opaque.parameters.spec.split"
    assert told(brain) == [("c", f"{path}: must be at most 64, is 65")]


async def test_what_differs_from_the_allocation_is_told_when_it_is_there(world: StructuredWorld) -> None:
    config = [opaque(parameters(count=2, selector={"model": "OTHER"}))]
    requests = [exactly("fakes", None, allocationMode="All")]
    world.claim("waiting", config=config, requests=requests)
    world.claim("c", result("n", 0), config=config, requests=requests)
    brain = await world.run()
    path = "spec.devices.config[0].opaque.parameters.spec"
    assert told(brain) == [
        (
            "c",
            f"{path}.count: must be 1, the number of devices that were allocated, or left out; is 2; "
            f"{path}.selector.model: must be the model of each allocated device, or left out; is OTHER, and fake-0 is "
            "of model MODEL",
        )
    ]


async def test_a_device_that_the_node_does_not_have_is_no_matter_of_configuration(world: StructuredWorld) -> None:
    world.claim("c", result("n", 99), config=[opaque(parameters(split=2))])
    assert told(await world.run()) == []


async def test_templates_and_classes_are_told(world: StructuredWorld) -> None:
    template = {
        "metadata": {"name": "t", "namespace": "default"},
        "spec": {"spec": {"devices": {"config": [opaque({"kind": "Other"})]}}},
    }
    world.api.apply(v1.ResourceClaimTemplate.from_wire(template))
    spec = v1.DeviceClassSpec.model_validate({"config": [opaque(parameters(spilt=2))]})
    world.api.apply(v1.DeviceClass(metadata=ObjectMeta(name="wrong"), spec=spec))
    brain = await world.run()
    assert sorted(told(brain)) == [
        (
            "t",
            "spec.spec.devices.config[0].opaque.parameters: must be kind FakeClaimParameters with apiVersion "
            'fake.resource.3-shake.com/v1alpha1, has kind "Other"',
        ),
        (
            "wrong",
            "spec.config[0].opaque.parameters.spec.spilt: there is no such field, only count, selector and split",
        ),
    ]


async def test_every_problem_is_named(world: StructuredWorld) -> None:
    world.claim("c", config=[opaque(parameters(split=-1, count=0)), opaque("text")])
    brain = await world.run()
    ((_, message),) = told(brain)
    assert message.split("; ") == [
        "spec.devices.config[0].opaque.parameters.spec.count: must be at least 1, is 0",
        "spec.devices.config[0].opaque.parameters.spec.split: must be at least 0, is -1",
        'spec.devices.config[1].opaque.parameters: must be an object, is "text"',
    ]


# --- A count that no allocation can agree with


def exactly(name: str, count: int | None = 1, **more: object) -> dict[str, Any]:
    asked: dict[str, Any] = {"deviceClassName": CLASS, **more}
    return {"name": name, "exactly": asked if count is None else {**asked, "count": count}}


ONE_OF_TWO = {
    "name": "either",
    "firstAvailable": [
        {"name": "many", "deviceClassName": CLASS, "count": 4},
        {"name": "few", "deviceClassName": CLASS, "count": 2},
    ],
}


def problems(requests: Sequence[Mapping[str, Any]], *config: Mapping[str, Any]) -> list[str]:
    spec = v1.ResourceClaimSpec.model_validate({"devices": {"requests": list(requests), "config": list(config)}})
    return [str(problem) for problem in MockConfigs(DRIVER_NAME).check.spec_problems(spec)]


@pytest.mark.parametrize(
    ("requests", "covered", "count"),
    [
        ([exactly("a", 3)], [], 3),
        ([exactly("a", None)], [], 1),
        ([exactly("a", 1), exactly("b", 3)], [], 4),
        ([exactly("a", 1), exactly("b", 3)], ["b"], 3),
        # The other request may be for devices of another driver.
        ([exactly("a", 1), exactly("b", 3)], [], 1),
        ([exactly("a", None, allocationMode="All")], [], 17),
        ([ONE_OF_TWO], [], 4),
        ([ONE_OF_TWO], ["either"], 2),
        ([ONE_OF_TWO], ["either/few"], 2),
        ([ONE_OF_TWO, exactly("a")], [], 5),
        # What the entry is for does not exist: the API server says so.
        ([exactly("a", 3)], ["typo"], 7),
    ],
)
def test_a_count_that_some_allocation_agrees_with(
    requests: Sequence[Mapping[str, Any]], covered: Sequence[str], count: int
) -> None:
    assert problems(requests, opaque(parameters(count=count), *covered)) == []


@pytest.mark.parametrize(
    ("requests", "covered", "count", "allowed"),
    [
        ([exactly("a", 3)], [], 2, "3"),
        ([exactly("a", None)], [], 4, "1"),
        ([exactly("a", 1), exactly("b", 3)], [], 2, "1 or 3 or 4"),
        ([exactly("a", 1), exactly("b", 3)], ["a"], 3, "1"),
        ([ONE_OF_TWO], [], 3, "2 or 4"),
        ([ONE_OF_TWO], ["either/many"], 2, "4"),
    ],
)
def test_a_count_that_no_allocation_agrees_with(
    requests: Sequence[Mapping[str, Any]], covered: Sequence[str], count: int, allowed: str
) -> None:
    assert problems(requests, opaque(parameters(count=count), *covered)) == [
        f"spec.devices.config[0].opaque.parameters.spec.count: must be {allowed}, the number of devices that its "
        f"requests ask for, is {count}; or leave it out"
    ]


def test_a_count_that_a_later_entry_replaces_is_of_no_account() -> None:
    assert problems([exactly("a", 3)], opaque(parameters(count=2)), opaque(parameters(split=2))) == []
    assert problems([exactly("a", 3)], opaque(parameters(split=2)), opaque(parameters(count=2))) != []


# --- A split that no allocation can be given


ONE_OR_MANY = {
    "name": "either",
    "firstAvailable": [
        {"name": "many", "deviceClassName": CLASS, "count": 32},
        {"name": "one", "deviceClassName": CLASS},
    ],
}


@pytest.mark.parametrize(
    ("requests", "config"),
    [
        ([exactly("a", 16)], [opaque(parameters(split=64))]),
        ([exactly("a", 32)], [opaque(parameters(split=32))]),
        ([exactly("a", None, allocationMode="All")], [opaque(parameters(split=64))]),
        ([exactly("a", 32)], [opaque(parameters(split=64)), opaque(parameters(split=2), "a")]),
        ([exactly("a", 32)], [opaque(parameters(split=64), "typo")]),
        # The larger request may be for devices of another driver.
        ([exactly("a", 32), exactly("b")], [opaque(parameters(split=64))]),
        ([ONE_OR_MANY], [opaque(parameters(split=64))]),
        ([ONE_OR_MANY], [opaque(parameters(split=64), "either/many")]),
    ],
)
def test_a_split_that_suits_some_allocation(
    requests: Sequence[Mapping[str, Any]], config: Sequence[Mapping[str, Any]]
) -> None:
    assert problems(requests, *config) == []


@pytest.mark.parametrize(
    ("requests", "covered", "count", "allowed"),
    [
        ([exactly("a", 17)], [], 17, 60),
        ([exactly("a", 32)], ["a"], 32, 32),
        ([exactly("a", 32), exactly("b")], ["a"], 32, 32),
        ([exactly("a", 32), exactly("b", 20)], [], 20, 51),
    ],
)
def test_a_split_that_suits_no_allocation(
    requests: Sequence[Mapping[str, Any]], covered: Sequence[str], count: int, allowed: int
) -> None:
    assert problems(requests, opaque(parameters(split=64), *covered)) == [
        f"spec.devices.config[0].opaque.parameters.spec.split: must be at most {allowed}, is 64: a claim has at most "
        f"1024 children, and its requests ask for at least {count} devices"
    ]


def test_configuration_of_other_drivers_is_none_of_our_business() -> None:
    assert problems([exactly("a")], opaque("anything", driver=f"x{DRIVER_NAME}")) == []
