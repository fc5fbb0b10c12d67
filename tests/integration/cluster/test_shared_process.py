"""Plugins of several nodes in one process: each lives, logs, fails and is updated as if it had one of its own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
import pytest_asyncio

from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.workloadkinds import DaemonSet
from fake_dra_driver.demo.install import NAMESPACE
from tests.integration.cluster.world import LATEST, PLUGIN, World, running_world

pytestmark = pytest.mark.asyncio(loop_scope="package")

KILLED = 137


@pytest_asyncio.fixture(
    scope="module", loop_scope="package", params=["1.30", LATEST.name], ids=["classic", "structured"]
)
async def shared_world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Three nodes."""
    async with running_world(request.param, nodes=3, share_processes=True, restart_seconds=0.2) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="package")
async def world(shared_world: World) -> AsyncIterator[World]:
    yield shared_world
    await shared_world.clean_up()


async def plugins(world: World) -> Mapping[str, Pod]:
    """The plugins' pods, by node."""
    pods = (await world.client.list(Pod, NAMESPACE)).items
    return {pod.spec.node_name: pod for pod in pods if pod.spec.containers[0].name == PLUGIN and not pod.is_deleting}


async def restarts(world: World) -> Mapping[str, Sequence[int]]:
    """Exit codes of the containers before the present ones, by node; each once it has been restarted."""
    return {
        node: [
            each.last_state.terminated.exit_code for each in pod.status.container_statuses if each.last_state.terminated
        ]
        for node, pod in (await plugins(world)).items()
    }


async def restart_counts(world: World) -> Mapping[str, int]:
    """How often each container of a plugin was started again, by node."""
    return {
        node: sum(each.restart_count for each in pod.status.container_statuses)
        for node, pod in (await plugins(world)).items()
    }


async def until_restarted(world: World, expected: Mapping[str, Sequence[int]]) -> None:
    async def so() -> bool:
        return await restarts(world) == expected

    await world.cluster.wait_until(f"plugins have ended like this: {expected}", so)
    await world.wait_ready()


async def test_pods_get_devices_on_each_node(world: World) -> None:
    await world.apply(1, 2, 5)
    await world.wait_running(1, 2, 5)
    logs = await world.logs("test1", "test2", "test5")
    assert all(logs.values())
    assert world.cluster.hosts is not None
    assert len(world.cluster.hosts.pids) == 1


async def test_each_plugin_has_its_own_log(world: World) -> None:
    for node, pod in (await plugins(world)).items():
        log = await world.kubectl("logs", "-n", NAMESPACE, pod.key.name)
        assert '"msg":"Kubelet plugin is serving"' in log.replace('": "', '":"')
        assert f'"node": "{node}"' in log
        assert not [other for other in world.cluster.nodes if f'"node": "{other}"' in log and other != node]


async def test_a_plugin_that_is_killed_leaves_the_others_alone(world: World) -> None:
    victim = (await plugins(world))[world.node]
    await world.apply(5)
    await world.wait_running(5)
    world.cluster.faults.send_signal(victim.key, PLUGIN, signal.SIGKILL)
    await until_restarted(world, {node: [KILLED] if node == world.node else [] for node in world.cluster.nodes})
    await world.apply(6)
    await world.wait_running(5, 6)


async def test_a_plugin_that_is_asked_to_stop_ends_as_it_should(world: World) -> None:
    victim = (await plugins(world))[world.node]
    before = (await restart_counts(world))[world.node]
    world.cluster.faults.send_signal(victim.key, PLUGIN, signal.SIGTERM)

    async def ended() -> bool:
        counts = await restart_counts(world)
        return counts[world.node] == before + 1 and (await restarts(world))[world.node] == [0]

    await world.cluster.wait_until("the plugin has ended with status 0", ended)
    logs = world.cluster.node_root(world.node) / f"var/log/pods/{NAMESPACE}_{victim.key.name}_{victim.uid}" / PLUGIN
    count = (await restart_counts(world))[world.node]
    assert "Deregistered from the kubelet" in await asyncio.to_thread((logs / f"{count - 1}.log").read_text)
    await world.wait_ready()


async def test_a_process_that_dies_takes_all_plugins_with_it_and_they_come_back(world: World) -> None:
    await world.apply(5)
    await world.wait_running(5)
    before = await restart_counts(world)
    hosts = world.cluster.hosts
    assert hosts is not None
    (pid,) = hosts.pids
    os.kill(pid, signal.SIGKILL)

    async def restarted() -> bool:
        return await restart_counts(world) == {node: count + 1 for node, count in before.items()}

    await world.cluster.wait_until("all plugins have been restarted", restarted)
    assert {codes[-1] for codes in (await restarts(world)).values()} == {KILLED}
    await world.wait_ready()
    assert hosts.pids != [pid]
    await world.apply(6)
    await world.wait_running(5, 6)


async def test_a_node_that_reboots_gets_its_plugin_back(world: World) -> None:
    await world.cluster.faults.reboot_node(world.node)
    await world.wait_ready()
    await world.apply(1)
    await world.wait_running(1)


async def test_the_old_plugin_and_the_new_one_of_a_node_share_a_process(world: World) -> None:
    old = await plugins(world)
    (daemonset,) = (await world.client.list(DaemonSet, NAMESPACE)).items
    template = {"spec": {"template": {"metadata": {"annotations": {"updated": "yes"}}}}}
    await world.client.merge_patch(DaemonSet, daemonset.key, template)
    await world.apply(1, 5)

    async def updated() -> bool:
        new = await plugins(world)
        return len(new) == len(old) and not {pod.uid for pod in new.values()} & {pod.uid for pod in old.values()}

    await world.cluster.wait_until("all plugins are new ones", updated)
    await world.wait_running(1, 5)
    await world.wait_ready()
