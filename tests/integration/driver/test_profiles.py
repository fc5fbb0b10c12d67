"""A node that DeviceProfiles describe, on an API server: which one is in force, and what people are told."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import CustomResourceDefinition
from fake_dra_driver.codegen import definition
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.program import NodeAccess
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.driver.live.devices import MockDevices
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.events import Recorder

DRIVER, NODE = "gpu.example.com", "node-a"


class Plugin:
    """What a kubelet plugin knows of its node."""

    def __init__(self, folder: Path, client: Client, cache: Cache) -> None:
        self.node = LiveNode(fake_node(NODE, make_inventory(NODE, 2, ["M"])))
        self.devices = MockDevices(self.node, DRIVER, folder)
        self.told: list[tuple[str, str]] = []
        self.events = Recorder()
        self.prepared: dict[str, FakePreparedClaim] = {}
        self.access: NodeAccess[FakePreparedDevice] = NodeAccess(
            node=NODE,
            namespace="fake-system",
            api=DraApi("v1"),
            client=client,
            cache=cache,
            events=self.events,
            metrics=Metrics(),
            prepared=lambda: self.prepared,
        )
        self._news = asyncio.Event()
        self.devices.subscribe(self._news.set)
        self.devices.report_to(self._tell)

    def _tell(self, reason: Reason, message: str) -> None:
        self.told.append((reason.name, message))
        self._news.set()

    @property
    def names(self) -> list[str]:
        return [device.name for device in self.node.current.devices]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self._news.clear()
                await self._news.wait()


class Cluster:
    """An API server with the driver's kinds and a node, and plugins of that node, one after the other."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self._folder = folder

    @asynccontextmanager
    async def plugin(self) -> AsyncIterator[Plugin]:
        cache = Cache(self.client)
        plugin = Plugin(self._folder, self.client, cache)
        tasks = [asyncio.create_task(cache.run()), asyncio.create_task(plugin.devices.run())]
        try:
            async with asyncio.timeout(20):
                await plugin.devices.connect(plugin.access)
            yield plugin
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def profile(self, name: str, count: int = 1, model: str = "A100", **spec: Any) -> DeviceProfile:
        groups = [{"name": "gpu", "count": count, "type": "gpu", "model": model}]
        return await self.client.create(
            DeviceProfile.from_wire(
                {"metadata": {"name": name}, "spec": {"driverName": DRIVER, "groups": groups, **spec}}
            )
        )

    async def change(self, name: str, **spec: Any) -> None:
        await self.client.merge_patch(DeviceProfile, NamespacedName("", name), {"spec": spec})

    async def label(self, labels: Mapping[str, str | None]) -> None:
        await self.client.merge_patch(Node, NamespacedName("", NODE), {"metadata": {"labels": labels}})


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster whose CRDs are of a release that knew no profiles."""
    async with ApiServer() as server:
        kubeconfig = tmp_path / "kubeconfig"
        await asyncio.to_thread(server.write_kubeconfig, kubeconfig)
        client = await Client.connect(kubeconfig=str(kubeconfig), user_agent="tests")
        await client.create(Node(metadata=ObjectMeta(name=NODE)))
        yield Cluster(client, tmp_path)
        await client.close()


@pytest.fixture
async def cluster(bare: Cluster) -> Cluster:
    for kind in (DeviceProfile, DeviceFault):
        await bare.client.create(CustomResourceDefinition.from_wire(definition(kind)))
    return bare


async def test_without_profiles_a_node_has_what_the_settings_say(cluster: Cluster) -> None:
    await cluster.profile("another", driverName="other.example.com")
    async with cluster.plugin() as plugin:
        assert plugin.names == ["fake-0", "fake-1"]
        assert plugin.told == []
        assert set(filter(None, plugin.devices.annotations().values())) == {DRIVER}


async def test_a_cluster_without_the_crd_is_told_of_once(bare: Cluster) -> None:
    async with bare.plugin() as plugin:
        assert plugin.names == ["fake-0", "fake-1"]
        (told,) = [message for reason, message in plugin.told if reason == "ProfilesUnreadable"]
        assert told == (
            "DeviceProfiles do not count: apply the CRD deviceprofiles.fake.resource.3-shake.com of this release; the "
            "node has the devices of the plugin's settings"
        )


async def test_a_profile_is_in_force_from_the_start_and_its_changes_follow(cluster: Cluster) -> None:
    await cluster.profile("a100", count=2)
    async with cluster.plugin() as plugin:
        assert plugin.names == ["gpu-0", "gpu-1"]
        assert [(device.model, device.type, device.name) for device in plugin.node.devices] == [
            ("A100", "gpu", "gpu-0"),
            ("A100", "gpu", "gpu-1"),
        ]
        reason = "no other DeviceProfile is for this node"
        assert plugin.told == [
            ("ProfileInForce", f"DeviceProfile a100 (generation 1) gives this node 2 devices: {reason}")
        ]
        assert f"a100: {reason}" in plugin.devices.annotations().values()
        await cluster.change("a100", groups=[{"name": "gpu", "count": 3, "model": "H100"}])
        await plugin.until(lambda: plugin.names == ["gpu-0", "gpu-1", "gpu-2"])
        await cluster.client.delete(DeviceProfile, NamespacedName("", "a100"))
        await plugin.until(lambda: plugin.names == ["fake-0", "fake-1"])
        assert plugin.told[-1] == (
            "ProfileInForce",
            "DeviceProfile a100 is not for this node any more, which has the devices of the settings",
        )


async def test_priority_and_labels_decide_between_profiles(cluster: Cluster) -> None:
    await cluster.profile("all", model="ALL")
    await cluster.profile("rack", model="RACK", priority=10, nodeSelector={"matchLabels": {"rack": "1"}})
    async with cluster.plugin() as plugin:
        assert plugin.node.devices[0].model == "ALL"
        await cluster.label({"rack": "1"})
        await plugin.until(lambda: plugin.node.devices[0].model == "RACK")
        assert plugin.node.current.profile.reason == (
            "its priority 10 is the highest of the DeviceProfiles for this node; the others are all (0)"
        )
        await cluster.label({"rack": None})
        await plugin.until(lambda: plugin.node.devices[0].model == "ALL")


BAD = [{"name": "gpu", "count": 2, "deviceName": "{{ nothing }}"}]


async def test_a_profile_that_cannot_be_used_leaves_the_devices_as_they_are(cluster: Cluster) -> None:
    await cluster.profile("a100", count=2)
    async with cluster.plugin() as plugin:
        await cluster.change("a100", groups=BAD)
        await plugin.until(lambda: bool(plugin.devices.refusal()))
        assert plugin.names == ["gpu-0", "gpu-1"]
        assert plugin.devices.refusal() in plugin.devices.annotations().values()
        reason, message = plugin.told[-1]
        assert (reason, message) == ("ProfileRefused", plugin.devices.refusal())
        assert "DeviceProfile a100 cannot be used on this node: spec.groups[0].deviceName: " in message
        assert message.endswith("; the node keeps the devices that it had")
        assert plugin.devices.problem() is None, "the node works"
    # Another process, which has never seen it right, knows what was in force.
    async with cluster.plugin() as successor:
        assert successor.names == ["gpu-0", "gpu-1"]
        assert "cannot be used" in successor.devices.refusal()
        await cluster.change("a100", groups=[{"name": "gpu", "count": 1}])
        await successor.until(lambda: successor.names == ["gpu-0"])
        assert successor.devices.refusal() == ""


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ({"capacity": {"memory": {"value": "1e99999999"}}}, "cannot be used on this node"),
        ({"environment": [{"name": "A", "value": "{{ nothing }}"}]}, r"spec\.groups\[0\]\.environment\[0\]"),
    ],
)
async def test_what_would_fail_later_is_refused_at_once(cluster: Cluster, group: dict[str, Any], problem: str) -> None:
    await cluster.profile("a100", groups=[{"name": "gpu", "count": 2, **group}])
    async with cluster.plugin() as plugin:
        assert plugin.names == ["fake-0", "fake-1"]
        assert re.search(problem, plugin.devices.refusal())


async def test_what_was_in_force_stays_so_when_another_profile_is_refused_also_across_a_restart(
    cluster: Cluster,
) -> None:
    await cluster.profile("good", count=3)
    async with cluster.plugin() as plugin:
        await cluster.profile("bad", groups=BAD, priority=10)
        await plugin.until(lambda: bool(plugin.devices.refusal()))
    async with cluster.plugin() as successor:
        assert successor.names == ["gpu-0", "gpu-1", "gpu-2"]
        assert "DeviceProfile bad cannot be used" in successor.devices.refusal()
        for name in ("bad", "good"):
            await cluster.client.delete(DeviceProfile, NamespacedName("", name))
        await successor.until(lambda: successor.names == ["fake-0", "fake-1"])
    await cluster.profile("bad", groups=BAD)
    async with cluster.plugin() as third:
        assert third.names == ["fake-0", "fake-1"], "and not what was in force before that"


async def test_a_profile_that_never_could_be_used_gives_no_devices(cluster: Cluster) -> None:
    await cluster.profile("broken", groups=BAD)
    async with cluster.plugin() as plugin:
        assert plugin.names == ["fake-0", "fake-1"]
        assert "DeviceProfile broken cannot be used" in plugin.devices.refusal()


async def test_a_claim_is_told_that_its_device_has_gone(cluster: Cluster) -> None:
    await cluster.profile("a100", count=2)
    async with cluster.plugin() as plugin:
        held = plugin.node.devices[1]
        plugin.prepared["uid-1"] = PreparedClaim(
            "uid-1", "default", "train", (FakePreparedDevice(held.uuid, held.model),)
        )
        await cluster.change("a100", groups=[{"name": "gpu", "count": 1}])
        await plugin.until(lambda: plugin.names == ["gpu-0"])
        assert plugin.events.events == [
            (
                "train",
                "DeviceGone",
                f"node node-a does not have device {held.uuid} any more; the claim keeps it until its pods end",
            )
        ]
