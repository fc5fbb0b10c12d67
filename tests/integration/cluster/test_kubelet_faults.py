"""What today's kubelets, and people, do to a driver of structured DRA: it restores what is gone, and loses nothing."""

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Pod
from tests.integration.cluster.structuredapp import NAMESPACE, claim, key, namespace, pod
from tests.integration.cluster.world import STRUCTURED, World

pytestmark = STRUCTURED

HEALTHY, UNKNOWN = "Healthy", "Unknown"


async def _until_health(world: World, health: str, count: int) -> None:
    """Waits until the pod shows that of so many devices."""

    async def shown() -> bool:
        statuses = (await world.client.get(Pod, key("c"))).status.container_statuses
        reported = [each for status in statuses for each in status.to_wire().get("allocatedResourcesStatus", ())]
        return [each["health"] for entry in reported for each in entry["resources"]] == [health] * count

    await world.cluster.wait_until(f"{count} devices are {health}", shown)


async def test_slices_that_a_kubelet_deletes_are_back_at_once_and_as_they_were(world: World) -> None:
    before = await world.offers()
    assert await world.cluster.faults.wipe_slices(world.node, DRIVER_NAME) == len(before)

    async def back() -> bool:
        return await world.offers() == before

    await world.cluster.wait_until("the slices are as before", back)
    await world.wait_event(NamespacedName("", world.node), "ResourceSlicesRestored", "")
    await world.apply(5)
    await world.wait_running(5)
    await world.check_agreement(5)


async def test_the_health_of_devices_is_told_again_after_its_stream_has_broken(world: World) -> None:
    await world.cluster.apply(namespace(), claim("c", count=2), pod("c"))
    await _until_health(world, HEALTHY, 2)
    assert world.cluster.faults.cut_health_streams(world.node) == [DRIVER_NAME]
    await _until_health(world, UNKNOWN, 2)
    await _until_health(world, HEALTHY, 2)


async def test_a_plugin_whose_registration_is_refused_is_registered_later(world: World) -> None:
    world.cluster.faults.refuse_registrations(world.node, DRIVER_NAME, times=2)
    await world.cluster.faults.restart_kubelet(world.node)
    await world.apply(5)
    await world.wait_running(5)
    await world.check_agreement(5)
    assert not world.cluster.faults.heal(), "none is left to be refused"


@pytest.mark.parametrize("strikes", [False, True], ids=["plugin-lives-on", "plugin-is-killed"])
async def test_devices_of_a_claim_that_was_lost_in_use_are_not_given_away(world: World, *, strikes: bool) -> None:
    """The scheduler knows no better, and gives them to the next claim; the plugin does."""
    await world.cluster.apply(namespace(), claim("c", count=8), pod("c"))
    await _until_health(world, HEALTHY, 8)
    held = await world.logs(NAMESPACE)
    lost = {"metadata": {"finalizers": None}}
    await world.client.delete(v1.ResourceClaim, key("c"))
    await world.client.merge_patch(v1.ResourceClaim, key("c"), lost)
    if strikes:
        await world.kill("plugin")
    await world.cluster.apply(claim("next", count=8), pod("next"))
    await world.wait_event(key("next"), "FailedPrepareDynamicResources", "c")
    await world.wait_event(key("c"), "ClaimLostInUse", "")
    assert (await world.client.get(Pod, key("next"))).status.phase == "Pending"
    (status,) = (await world.client.get(Pod, key("c"))).status.container_statuses
    assert (status.ready, status.restart_count) == (True, 0)
    await world.client.delete(Pod, key("c"))
    await world.inspector.wait("the next pod runs", lambda: world.inspector.pods_run([NAMESPACE], 1))
    assert sorted(*(await world.logs(NAMESPACE)).values()) == sorted(*held.values())
