"""What people get wrong in structured DRA, and what they are told. Nothing of it holds other pods up.

The admission webhook is not installed: what it would refuse is found when the claim is seen, and once more when it is
prepared.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime.errors import InvalidError
from tests.integration.cluster.structuredapp import (
    NAMESPACE,
    claim,
    config,
    key,
    namespace,
    parameters,
    pod,
    template,
)
from tests.integration.cluster.world import STRUCTURED, World

pytestmark = STRUCTURED

PATH = r"spec\.devices\.config\[0\]\.opaque\.parameters"
UNUSABLE: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "unknown-field": (parameters(colour="red"), rf"{PATH}\.spec\.colour: .*"),
    "wrong-type": (parameters(split="two"), rf"{PATH}\.spec\.split: .*"),
    "split-too-large": (parameters(split=65), rf"{PATH}\.spec\.split: .*64"),
    "split-negative": (parameters(split=-1), rf"{PATH}\.spec\.split: .*"),
    "count-differs": (parameters(count=2), rf"{PATH}\.spec\.count: .*"),
    "another-kind": (
        {**parameters(), "kind": "Other"},
        rf"{PATH}: must be kind FakeClaimParameters .*, has kind .Other",
    ),
    "another-version": (
        {**parameters(), "apiVersion": f"{DRIVER_NAME}/v9"},
        rf"{PATH}: must be kind FakeClaimParameters .*/v1alpha1, has .*/v9",
    ),
}
"""Parameters that the scheduler allocates for, by name of their claim, and what is wrong with them."""
RIGHT = parameters(split=2)


async def _is_pending(world: World, name: str) -> bool:
    return (await world.client.get(Pod, key(name))).status.phase == "Pending"


async def _until_running(world: World, *names: str) -> None:
    async def run() -> bool:
        pods = {each.key.name: each for each in (await world.client.list(Pod, NAMESPACE)).items}
        return all(
            name in pods and (ready := pods[name].condition("Ready")) is not None and ready.status == "True"
            for name in names
        )

    await world.cluster.wait_until(f"{names} run", run)


async def _delete(world: World, *names: str) -> None:
    """Deletes pods with their claims, and waits for their end."""
    for name in names:
        await world.client.delete(Pod, key(name))
        await world.client.delete(v1.ResourceClaim, key(name))

    async def gone() -> bool:
        left = [*(await world.client.list(Pod, NAMESPACE)).items, *(await world.claims(9))]
        return not {each.key.name for each in left}.intersection(names)

    await world.cluster.wait_until(f"{names} are gone", gone)


async def test_parameters_that_cannot_be_used_are_told_and_put_right_by_a_new_claim(world: World) -> None:
    await world.cluster.apply(namespace())
    for name, (wrong, _) in UNUSABLE.items():
        await world.cluster.apply(claim(name, config(wrong)), pod(name))
    await world.cluster.apply(claim("good", config(RIGHT)), pod("good"))
    await _until_running(world, "good")
    for name, (_, problem) in UNUSABLE.items():
        await world.wait_event(key(name), "InvalidParameters", problem)
        await world.wait_event(key(name), "FailedPrepareDynamicResources", problem)
        assert await _is_pending(world, name), name
    await _delete(world, *UNUSABLE)
    for name in UNUSABLE:
        await world.cluster.apply(claim(name, config(RIGHT)), pod(name))
    await _until_running(world, "good", *UNUSABLE)
    printed = await world.logs(NAMESPACE)
    assert sorted(map(len, printed.values())) == [2] * (len(UNUSABLE) + 1)
    assert len({device for devices in printed.values() for device in devices}) == 2 * (len(UNUSABLE) + 1)


async def test_what_cannot_be_allocated_is_told_and_waits(world: World) -> None:
    selectors = [{"cel": {"expression": 'device.attributes["fake.resource.3-shake.com"].model == "NO-SUCH-MODEL"'}}]
    broken = [{"cel": {"expression": 'device.attributes["fake.resource.3-shake.com"].colour == "red"'}}]
    waiting = {
        "no-such-class": (claim("no-such-class", device_class="x.example.com"), "device class x.example.com does not"),
        "too-many": (claim("too-many", count=9), "cannot allocate all claims"),
        "no-such-model": (claim("no-such-model", selectors=selectors), "cannot allocate all claims"),
        "no-such-attribute": (claim("no-such-attribute", selectors=broken), "no such key: colour"),
    }
    await world.cluster.apply(namespace())
    for name, (wrong, _) in waiting.items():
        await world.cluster.apply(wrong, pod(name))
    await world.cluster.apply(pod("no-such-claim"), pod("no-such-template", resourceClaimTemplateName="missing"))
    await world.cluster.apply(claim("good"), pod("good"))
    await _until_running(world, "good")
    for name, (_, message) in waiting.items():
        await world.wait_event(key(name), "FailedScheduling", message)
    await world.wait_event(key("no-such-template"), "FailedResourceClaimCreation", '"missing" not found')
    for name in (*waiting, "no-such-claim", "no-such-template"):
        assert await _is_pending(world, name), name
    # What was missing comes late.
    await world.cluster.apply(claim("no-such-claim"), template("missing", config(RIGHT)))
    await _until_running(world, "no-such-claim", "no-such-template")


async def test_parameters_for_another_driver_are_none_of_ours(world: World) -> None:
    others = config(
        {"apiVersion": "gpu.example.com/v1", "kind": "GpuConfig", "colour": "red"}, driver="gpu.example.com"
    )
    await world.cluster.apply(namespace(), claim("c", others), pod("c"))
    await _until_running(world, "c")
    assert [len(devices) for devices in (await world.logs(NAMESPACE)).values()] == [1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (claim("c", selectors=[{"cel": {"expression": "device.driver =="}}]), "Syntax error"),
        (claim("c", selectors=[{"cel": {"expression": "device.colour"}}]), "undefined field 'colour'"),
        (claim("c", selectors=[{"cel": {"expression": '"text"'}}]), "must evaluate to bool"),
        (claim("c", count=-1), "count: Invalid value"),
        (claim("c", config(parameters(), driver="Not a name")), "driver: Invalid value"),
        (claim("c", [{**config(parameters())[0], "requests": ["other"]}]), "must be the name of a request"),
    ],
    ids=["syntax", "unknown-field", "no-bool", "count", "driver", "request"],
)
async def test_what_the_api_server_refuses(world: World, wrong: Mapping[str, Any], message: str) -> None:
    await world.cluster.apply(namespace())
    with pytest.raises(InvalidError, match=message):
        await world.cluster.apply(wrong)


async def test_a_class_with_wrong_parameters_stops_its_own_claims_alone(world: World) -> None:
    selectors = [{"cel": {"expression": f'device.driver == "{DRIVER_NAME}"'}}]
    wrong = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": "wrong.example.com"},
        "spec": {"selectors": selectors, "config": config(parameters(split=65))},
    }
    await world.cluster.apply(namespace(), wrong)
    try:
        await world.cluster.apply(claim("wrong", device_class="wrong.example.com"), pod("wrong"))
        await world.cluster.apply(claim("good"), pod("good"))
        await _until_running(world, "good")
        problem = r"DeviceClass wrong\.example\.com: spec\.config\[0\]\.opaque\.parameters\.spec\.split"
        await world.wait_event(key("wrong"), "FailedPrepareDynamicResources", problem)
        assert await _is_pending(world, "wrong")
        # The class is corrected, and the claim, whose allocation has a copy of what it was, is made again.
        await world.cluster.apply({**wrong, "spec": {"selectors": selectors, "config": config(RIGHT)}})
        await _delete(world, "wrong")
        await world.cluster.apply(claim("wrong", device_class="wrong.example.com"), pod("wrong"))
        await _until_running(world, "wrong")
    finally:
        await asyncio.shield(world.cluster.delete(wrong))
