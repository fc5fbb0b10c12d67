"""A cluster with structured DRA: claims are made, allocated, and prepared on the node.

The driver is a stand-in too: a plugin whose answers a test decides, and a slice that the test publishes for it.
"""

from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.jobkinds import Job
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.pb import dra_health_v1_pb2 as health
from tests.unit.cluster.driverworld import DRIVER, NODE, World, world_of
from tests.unit.cluster.kubelet.standin import StandInPlugin

STRUCTURED = [each for each in RELEASES.values() if each.structured_version]


@pytest.fixture(params=STRUCTURED, ids=lambda release: release.name)
async def each_world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A cluster of each release."""
    async with world_of(request.param) as world:
        yield world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A cluster of the latest release."""
    async with world_of(RELEASES["1.37"]) as world:
        yield world


async def test_from_a_template_to_a_container_and_back(each_world: World) -> None:
    world = each_world
    async with world.plugin() as plugin:
        await world.publish("dev-0")
        requests = [{"name": "req", "exactly": {"deviceClassName": "class"}}]
        await world.create(world.api.templates, "template", {"spec": {"devices": {"requests": requests}}})
        await world.pod("pod", {"name": "entry", "resourceClaimTemplateName": "template"})
        printed = await world.environment("pod")
        [claim] = (await world.cluster.client.list(world.api.claims)).items
        assert f"DEVICE_{claim.metadata.name.upper().replace('-', '_')}" in printed
        assert claim.metadata.finalizers == (v1.CLAIM_FINALIZER,)
        assert claim.status.allocation is not None
        [result] = claim.status.allocation.devices.results
        assert (result.request, result.driver, result.pool, result.device) == ("req", DRIVER, NODE, "dev-0")
        await world.cluster.client.delete(Pod, NamespacedName("default", "pod"))
        await world.until_gone(world.api.claims, claim.metadata.name)
        assert [verb for verb, _ in plugin.verbs] == ["NodePrepareResources", "NodeUnprepareResources"]


async def test_two_pods_share_a_claim_that_is_prepared_once(world: World) -> None:
    async with world.plugin() as plugin:
        await world.publish("dev-0")
        await world.claim("shared")
        entry = {"name": "entry", "resourceClaimName": "shared"}
        for name in ("one", "two"):
            await world.pod(name, entry)
            assert "DEVICE_SHARED" in await world.environment(name)
        assert plugin.verbs == [("NodePrepareResources", ["shared"])]
        for name in ("one", "two"):
            await world.cluster.client.delete(Pod, NamespacedName("default", name))
            await world.until_gone(Pod, name)
        assert plugin.verbs[1:] == [("NodeUnprepareResources", ["shared"])]
        await world.cluster.wait_until("the claim is deallocated", lambda: world.is_deallocated("shared"))


async def test_a_container_gets_the_devices_of_the_request_that_it_uses(world: World) -> None:
    async with world.plugin() as plugin:
        plugin.requests = ("first", "second")
        await world.publish("dev-0", "dev-1")
        wanted = {"deviceClassName": "class"}
        await world.claim("c", {"name": "first", "exactly": wanted}, {"name": "second", "exactly": wanted})
        entry = {"name": "entry", "resourceClaimName": "c"}
        await world.pod("pod", entry, uses=[{"name": "entry", "request": "second"}])
        printed = await world.environment("pod")
        assert "DEVICE_C_SECOND" in printed
        assert "DEVICE_C_FIRST" not in printed


async def test_a_claim_that_no_container_uses_is_prepared_all_the_same(world: World) -> None:
    async with world.plugin() as plugin:
        await world.publish("dev-0")
        await world.claim("c")
        containers = [{"name": "main", "image": "busybox:1.37", "command": ["sh", "-c", "export; exec sleep 1000"]}]
        await world.pod("pod", {"name": "entry", "resourceClaimName": "c"}, containers=containers)
        assert "DEVICE_C" not in await world.environment("pod")
        assert plugin.verbs == [("NodePrepareResources", ["c"])]


async def test_what_a_plugin_cannot_prepare_is_tried_again(world: World) -> None:
    async with world.plugin() as plugin:
        plugin.errors["prepare", "c"] = "the device is on fire"
        await world.publish("dev-0")
        await world.claim("c")
        await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
        await world.until_event("pod", "FailedPrepareDynamicResources", "the device is on fire")
        plugin.errors.clear()
        assert "DEVICE_C" in await world.environment("pod")


async def test_a_pod_whose_driver_is_not_there_waits_and_can_be_deleted(each_world: World) -> None:
    world = each_world
    await world.publish("dev-0")
    await world.claim("c")
    await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
    is_early = world.api.version == "v1beta1"
    words = "not found in the list of registered DRA plugins" if is_early else f"DRA driver {DRIVER} is not registered"
    await world.until_event("pod", "FailedPrepareDynamicResources", words)
    await world.cluster.client.delete(Pod, NamespacedName("default", "pod"))
    if is_early:  # its kubelet has noted the claim, and asks for the driver
        await world.until_event("pod", "FailedUnprepareDynamicResources", words)
        async with world.plugin():
            await world.until_gone(Pod, "pod")
    else:
        await world.until_gone(Pod, "pod")


async def test_a_container_gets_the_devices_that_it_asks_for_as_a_resource(world: World) -> None:
    async with world.plugin() as plugin:
        spec = {"extendedResourceName": "example.com/device", "selectors": []}
        await world.create(world.api.classes, "resource", spec)
        await world.publish("dev-0")
        plugin.requests = ("container-0-request-0",)
        asks = {"limits": {"example.com/device": "1"}}
        command = ["sh", "-c", "export; exec sleep 1000"]
        containers = [
            {"name": name, "image": "busybox:1.37", "command": command, "resources": resources}
            for name, resources in (("main", asks), ("other", {}))
        ]
        await world.pod("pod", containers=containers)
        assert "_CONTAINER_0_REQUEST_0" in await world.environment("pod")
        assert "_CONTAINER_0_REQUEST_0" not in await world.environment("pod", "other")
        await world.cluster.client.delete(Pod, NamespacedName("default", "pod"))
        await world.until_gone(Pod, "pod")
        assert [verb for verb, _ in plugin.verbs] == ["NodePrepareResources", "NodeUnprepareResources"]


async def test_a_pod_shows_the_health_of_its_devices(world: World) -> None:
    async with world.plugin("v1", "health") as plugin:
        await world.publish("dev-0")
        await world.claim("c")
        await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
        await world.environment("pod")
        for status, message, shown in ((1, "", "Healthy"), (2, "too hot", "Unhealthy")):
            device = health.DeviceHealth(health=health.HealthStatus.ValueType(status), message=message)
            device.device.pool_name, device.device.device_name = "pool", "dev-0"
            plugin.health.put_nowait(health.NodeWatchResourcesResponse(devices=[device]))
            await world.until_health("pod", shown, message)
        plugin.health.put_nowait(None)
        await world.until_health("pod", "Unknown", "")


async def test_the_pods_of_a_job_have_a_device_one_after_the_other(world: World) -> None:
    """The claim of a pod goes when the pod has ended, although the pod itself stays."""
    async with world.plugin() as plugin:
        await world.publish("dev-0")
        requests = [{"name": "req", "exactly": {"deviceClassName": "class"}}]
        await world.create(world.api.templates, "template", {"spec": {"devices": {"requests": requests}}})
        uses = {"claims": [{"name": "entry"}]}
        container = {"name": "main", "image": "busybox:1.37", "command": ["true"], "resources": uses}
        entries = [{"name": "entry", "resourceClaimTemplateName": "template"}]
        pod = {"containers": [container], "resourceClaims": entries, "restartPolicy": "Never"}
        spec = {"completions": 3, "parallelism": 2, "template": {"spec": pod}}
        client = world.cluster.client
        await client.create(Job.from_wire({"metadata": {"name": "job", "namespace": "default"}, "spec": spec}))

        async def ended() -> bool:
            return (await client.get(Job, NamespacedName("default", "job"))).condition("Complete") is not None

        async def no_claims() -> bool:
            return not (await client.list(world.api.claims)).items

        await world.cluster.wait_until("the job has ended", ended)
        await world.cluster.wait_until("its claims are gone", no_claims)
        assert [each.status.phase for each in (await client.list(Pod)).items] == ["Succeeded"] * 3
        assert [verb for verb, _ in plugin.verbs] == ["NodePrepareResources", "NodeUnprepareResources"] * 3


async def test_a_pod_leaves_a_device_that_breaks(world: World) -> None:
    async with world.plugin() as plugin:
        await world.publish("dev-0")
        await world.claim("c")
        await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
        await world.environment("pod")
        taint = {"key": "example.com/broken", "effect": "NoExecute"}
        rule = {"deviceSelector": {"driver": DRIVER, "device": "dev-0"}, "taint": taint}
        await world.create(v1.DeviceTaintRule, "broken", rule)
        await world.until_gone(Pod, "pod")
        await world.until_event("pod", "DeviceTaintManagerEviction", "Marking for deletion")
        assert plugin.verbs[-1] == ("NodeUnprepareResources", ["c"])
        await world.cluster.wait_until("the claim is deallocated", lambda: world.is_deallocated("c"))


async def test_a_pod_waits_until_there_are_enough_devices(world: World) -> None:
    async with world.plugin():
        await world.publish("dev-0")
        await world.claim("c", {"name": "req", "exactly": {"deviceClassName": "class", "count": 2}})
        await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
        await world.until_event("pod", "FailedScheduling", "0/1 nodes are available: 1 cannot allocate all claims. ")
        more = {"spec": {"devices": [{"name": "dev-0"}, {"name": "dev-1"}]}}
        await world.cluster.client.merge_patch(world.api.slices, NamespacedName("", "slice-1"), more)
        assert "DEVICE_C" in await world.environment("pod")


async def test_the_first_service_that_a_plugin_lists_is_called(world: World) -> None:
    async with world.plugin("v1beta1", "v1") as plugin:
        await world.publish("dev-0")
        await world.claim("c")
        await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
        assert "DEVICE_C" in await world.environment("pod")
        assert plugin.services == ["v1beta1"]


async def test_of_two_instances_the_newest_is_asked(world: World) -> None:
    await world.publish("dev-0")
    await world.claim("c")
    async with world.plugin() as old:
        async with world.plugin(socket="-new.sock") as new:
            await world.pod("pod", {"name": "entry", "resourceClaimName": "c"})
            await world.environment("pod")
            assert (old.verbs, new.verbs) == ([], [("NodePrepareResources", ["c"])])
        # The old one serves again, as after an upgrade that was rolled back.
        await world.cluster.client.delete(Pod, NamespacedName("default", "pod"))
        await world.until_gone(Pod, "pod")
        assert old.verbs == [("NodeUnprepareResources", ["c"])]


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([], "empty list of supported gRPC services"),
        (
            ["1.0.0"],
            "none of services supported by the plugin (1.0.0) are supported by the kubelet (v1.DRAPlugin, v1be",
        ),
    ],
)
async def test_a_plugin_of_another_era_is_refused(world: World, versions: list[str], words: str) -> None:
    plugin = StandInPlugin(world.cluster.node_root(), name=DRIVER, serves=("v1",))
    plugin.versions = versions
    async with plugin.running():
        await plugin.registered()
        [(is_registered, error), *_] = plugin.statuses
        assert not is_registered
        assert words in error


async def test_slices_of_a_node_go_when_its_kubelet_starts(world: World) -> None:
    await world.publish("dev-0")
    await world.cluster.faults.restart_kubelet(NODE)

    async def gone() -> bool:
        return not await world.slices()

    await world.cluster.wait_until("the slices are gone", gone)
