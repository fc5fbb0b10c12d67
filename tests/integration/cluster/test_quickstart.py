"""Each demo manifest, and the end state that the quickstart shows for it."""

import pytest

from fake_dra_driver.cluster import DEFAULT_NODE
from fake_dra_driver.demo.expectations import check_allocated, check_initial, check_logs, check_split
from fake_dra_driver.device.inventory import make_uuids
from fake_dra_driver.device.split import children
from tests.integration.cluster.world import World, running_world

UUIDS = {
    "FAKE-b944f3e9-c628-b1dc-edb1-262aaee87362",
    "FAKE-5bb9fd80-12c1-17f8-de47-7a3e76d565dc",
    "FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5",
    "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a",
    "FAKE-a1e41d9f-5b3a-d8f8-1b08-177352484a68",
    "FAKE-5d25fe96-37be-6082-ae92-d398d7d7038d",
    "FAKE-9fe9fc83-a0ec-2e8a-8749-e1a9423947d4",
    "FAKE-68cb1988-7257-2eff-4c68-f58c5ba83bd8",
}
"""The quickstart's own."""


async def walk(world: World) -> None:
    """The quickstart and its sixth test, from beginning to end."""
    check_initial(await world.state())
    await world.apply(1, 2, 3, 4)
    await world.wait_running(1, 2, 3, 4)
    check_logs(await world.check_agreement(1, 2, 3, 4), world.node)
    await world.delete(1, 2, 3, 4)
    await world.wait_gone(1, 2, 3, 4)
    await world.wait_initial()

    await world.apply(5)
    await world.wait_running(5)
    logs = await world.check_agreement(5)
    state = await world.state()
    check_allocated(state, count=4, split=2)
    check_split(state, logs)
    await world.delete(5)
    await world.wait_gone(5)

    await world.apply(6)
    await world.wait_running(6)
    printed = [device for devices in (await world.check_agreement(6)).values() for device in devices]
    assert sorted(printed) == sorted(child for uuid in make_uuids(world.node, 8) for child in children(uuid, 5))
    await world.delete(6)
    await world.wait_gone(6)
    await world.wait_initial()


async def test_devices_are_the_quickstarts(world: World) -> None:
    assert world.node == DEFAULT_NODE
    devices = (await world.state()).spec.allocatable_device
    assert {device.fake.uuid for device in devices if device.fake} == UUIDS


async def test_walk(world: World) -> None:
    await walk(world)


@pytest.mark.parametrize("version", ["1.27", "1.32", "1.34"])
async def test_walk_on_other_releases(version: str) -> None:
    """The oldest with either kind of DRA, and the first with structured DRA in v1."""
    async with running_world(version) as world:
        await walk(world)
