"""DeviceProfiles in a cluster: a node gets other devices while pods run, and what runs is not disturbed."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import PROFILE_ANNOTATION, PROFILE_PROBLEM_ANNOTATION
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.demo.install import NAMESPACE
from tests.integration.cluster.world import STRUCTURED, World, running_world

NAME = NamespacedName("", "gpus")
GPUS: Mapping[str, Any] = {"name": "gpu", "count": 3, "type": "gpu", "model": "A100", "uuid": "GPU-{{ uuid }}"}
MEMORY: Mapping[str, Any] = {"memory": "8Gi"}
PARTED: Mapping[str, Any] = {
    **GPUS,
    "sharedCounters": [{"name": "gpu-{{ index }}-counters", "counters": MEMORY}],
    "consumesCounters": [{"counters": MEMORY}],
    "partitions": [{"name": "half", "placements": [0, 1], "consumesCounters": [{"counters": {"memory": "4Gi"}}]}],
}


@asynccontextmanager
async def profile(world: World, **group: Any) -> AsyncIterator[None]:
    """A profile for all nodes, with one group, within the block."""
    wire = {"metadata": {"name": NAME.name}, "spec": {"groups": [group]}}
    await world.client.create(DeviceProfile.from_wire(wire))
    try:
        yield
    finally:
        await world.client.delete(DeviceProfile, NAME)
        await until_devices(world, 8, "fake")


async def until_devices(world: World, count: int, type_: str) -> None:
    """Waits until slices and NodeAllocationState say that the node has these devices."""

    async def so() -> bool:
        listed = [device.fake for device in (await world.state()).spec.allocatable_device if device.fake is not None]
        offered = [device for spec in (await world.offers()).values() for device in spec.get("devices", ())]
        return (
            len(listed) == count
            and {fake.type or "fake" for fake in listed} == {type_}
            and (world.api is None or len(offered) == count)
        )

    await world.cluster.wait_until(f"the node has {count} devices of type {type_}", so)


async def annotation(world: World, name: str) -> str:
    return (await world.state()).metadata.annotations.get(name, "")


async def test_a_profile_is_a_hotplug_which_disturbs_nothing_that_runs(world: World) -> None:
    await world.apply(1)
    await world.wait_running(1)
    before = await world.check_agreement(1)
    (claim, _) = await world.claims(1)
    state = NamespacedName(NAMESPACE, world.node)
    async with profile(world, **GPUS):
        await until_devices(world, 3, "gpu")
        assert await annotation(world, PROFILE_ANNOTATION) == "gpus: no other DeviceProfile is for this node"
        await world.wait_event(state, "ProfileInForce", "DeviceProfile gpus .* gives this node 3 devices")
        await world.wait_event(claim.key, "DeviceGone", "the claim keeps it until its pods end")
        if world.api is not None:
            await until_not_ready(world)
        assert await world.logs("test1") == before
        await world.client.merge_patch(DeviceProfile, NAME, {"spec": {"groups": [{**GPUS, "count": 5}]}})
        await until_devices(world, 5, "gpu")
        await world.delete(1)
        await world.wait_gone(1)
        await world.apply(2)
        await world.wait_running(2)
        await until_printed(world, "test2", r"FAKE_DEVICE_\d=.?GPU-")
        await world.delete(2)
        await world.wait_gone(2)
    assert await annotation(world, PROFILE_ANNOTATION) == ""


async def until_printed(world: World, namespace: str, pattern: str) -> None:
    """Waits until each container of a namespace has printed this."""

    async def so() -> bool:
        logs = [
            await world.kubectl("logs", "-n", namespace, pod.key.name, "-c", container.name)
            for pod in (await world.client.list(Pod, namespace)).items
            for container in pod.spec.containers
        ]
        return bool(logs) and all(re.search(pattern, log) for log in logs)

    await world.cluster.wait_until(f"the containers of {namespace} have printed {pattern}", so)


async def until_not_ready(world: World) -> None:
    """Waits until the claims of the first test say that their devices are not there any more."""

    async def so() -> bool:
        found = [
            (condition.type, condition.status, condition.reason)
            for claim in await world.claims(1)
            if isinstance(claim, v1.ResourceClaim)
            for device in claim.status.devices
            for condition in device.conditions or ()
        ]
        return found == [("Ready", "False", "Removed")] * 2

    await world.cluster.wait_until("the claims say that their devices have been removed", so)


async def test_a_profile_that_cannot_be_used_is_told_and_changes_nothing(world: World) -> None:
    state = NamespacedName(NAMESPACE, world.node)
    async with profile(world, **GPUS):
        await until_devices(world, 3, "gpu")
        await world.client.merge_patch(
            DeviceProfile, NAME, {"spec": {"groups": [{**GPUS, "deviceName": "{{ missing }}"}]}}
        )
        told = await world.wait_event(state, "ProfileRefused", r"spec\.groups\[0\]\.deviceName: .*missing")
        assert told.endswith("the node keeps the devices that it had")

        async def is_annotated() -> bool:
            return await annotation(world, PROFILE_PROBLEM_ANNOTATION) == told

        await world.cluster.wait_until("the node's object says it, too", is_annotated)
        await until_devices(world, 3, "gpu")
    assert await annotation(world, PROFILE_PROBLEM_ANNOTATION) == ""


@STRUCTURED
async def test_what_devices_have_in_common_is_published_apart_from_them(world: World) -> None:
    async with profile(world, **PARTED):

        async def so() -> bool:
            specs = (await world.offers()).values()
            counters = [one["name"] for spec in specs for one in spec.get("sharedCounters", ())]
            devices = [device["name"] for spec in specs for device in spec.get("devices", ())]
            beside = [spec for spec in specs if {"devices", "sharedCounters"} <= spec.keys()]
            return len(counters) == 3 and len(devices) == 9 and not beside

        await world.cluster.wait_until("three counter sets and nine devices are published", so)


async def test_a_release_that_keeps_no_counters_is_offered_whole_devices_alone_and_that_is_said_once() -> None:
    async with running_world("1.32") as world, profile(world, **PARTED):

        async def so() -> bool:
            offered = [device["name"] for spec in (await world.offers()).values() for device in spec["devices"]]
            return offered == ["gpu-0", "gpu-1", "gpu-2"]

        told = await world.wait_event(NamespacedName("", world.node), "ResourceSliceFieldsDropped", "consumesCounters")
        assert re.search("DRAPartitionableDevices .*Kubernetes 1.33 and later", told)
        await world.cluster.wait_until("the whole devices are published", so)
