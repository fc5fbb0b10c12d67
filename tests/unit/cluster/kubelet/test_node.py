"""The node's object and its lease: made, kept alive, and not any more."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.cluster.kinds import Node
from tests.unit.cluster.kubelet.world import NODE, World

LEASE = NamespacedName("kube-node-lease", NODE)


def ready(node: Node) -> str:
    return next(condition.status for condition in node.status.conditions if condition.type == "Ready")


async def renewed(world: World) -> datetime:
    at = (await world.client.get(Lease, LEASE)).spec.renew_time
    assert at is not None
    return at


async def renewed_after(world: World, before: datetime) -> datetime:
    return await world.eventually(lambda: renewed(world), lambda at: at > before)


async def test_a_node_is_registered_with_what_it_is(world: World) -> None:
    await world.start(kubernetes_version="1.29.14", labels={"example.com/rack": "1"})
    node = await world.node()
    extra: dict[str, Any] = node.status.model_extra or {}
    assert node.metadata.labels["kubernetes.io/hostname"] == NODE
    assert node.metadata.labels["example.com/rack"] == "1"
    assert {condition.type: condition.status for condition in node.status.conditions} == {
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
        "Ready": "True",
    }
    assert extra["addresses"] == [
        {"type": "InternalIP", "address": "127.0.0.1"},
        {"type": "Hostname", "address": NODE},
    ]
    assert extra["nodeInfo"]["kubeletVersion"] == "v1.29.14"
    assert extra["nodeInfo"]["containerRuntimeVersion"] == "process://1"
    assert set(extra["capacity"]) == {"cpu", "ephemeral-storage", "memory", "pods"}
    assert extra["capacity"] == node.status.allocatable
    await world.until_event(NODE, "Starting")
    await world.until_event(NODE, "NodeReady")


async def test_the_lease_is_the_nodes_and_is_renewed_until_the_kubelet_stops(node: World) -> None:
    lease = await node.client.get(Lease, LEASE)
    assert (lease.spec.holder_identity, lease.spec.lease_duration_seconds) == (NODE, 40)
    owner = lease.metadata.owner_references[0]
    assert (owner.kind, owner.name, owner.uid) == ("Node", NODE, (await node.node()).uid)
    await renewed_after(node, await renewed(node))
    await node.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("kubelet")] == []
    assert ready(await node.node()) == "True"


async def test_a_restarted_kubelet_takes_its_node_over(node: World) -> None:
    before = await node.node()
    await node.client.merge_patch(Node, before.key, {"metadata": {"labels": {"kubernetes.io/os": "beos", "mine": "x"}}})
    await node.stop()
    await node.start()
    after = await node.node()
    assert after.uid == before.uid
    assert after.metadata.labels["kubernetes.io/os"] == before.metadata.labels["kubernetes.io/os"]
    assert after.metadata.labels["mine"] == "x"
    assert "Rebooted" not in [reason for reason, _ in await node.events(NODE)]


async def test_a_node_that_others_call_not_ready_says_that_it_is(node: World) -> None:
    found = await node.node()
    wire = [{**condition.to_wire(), "status": "Unknown"} for condition in found.status.conditions]
    await node.client.merge_patch(Node, found.key, {"status": {"conditions": wire}}, subresource="status")
    await node.eventually(node.node, lambda node: ready(node) == "True")


async def test_a_lease_that_was_deleted_is_made_again(node: World) -> None:
    await node.client.delete(Lease, LEASE)
    await node.eventually(lambda: node.client.list(Lease, "kube-node-lease"), lambda found: found.items)
    assert (await node.client.get(Lease, LEASE)).spec.holder_identity == NODE


async def test_a_kubelet_waits_for_the_api_server_and_goes_on_after_it_was_away(world: World) -> None:
    await world.server.kill()
    starting = asyncio.ensure_future(world.start())
    await asyncio.sleep(0)
    await world.server.start()
    await starting
    last = await renewed(world)
    await world.server.restart()
    assert await renewed_after(world, last) - last < timedelta(minutes=1)


@pytest.mark.parametrize("release", ["1.26", "1.31.0", "1", "one"])
async def test_a_release_of_which_nothing_is_known_is_refused(world: World, release: str) -> None:
    with pytest.raises(ClusterError, match=f"behave like Kubernetes {release}; known releases: 1.27, 1.28, 1.29, 1.30"):
        await world.start(kubernetes_version=release)
