"""Restarts of the kubelet, of the node and of the API server, and what others do to pods meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.cluster.kubelet.pod import Pod
from tests.unit.cluster.kubelet.standin import StandInPlugin
from tests.unit.cluster.kubelet.waiting import gone, is_alive, until
from tests.unit.cluster.kubelet.world import FOREVER, NODE, World, container, pod, status_of

PID = f"echo $$$$; {FOREVER}"


@pytest.fixture
async def plugin(node: World) -> AsyncIterator[StandInPlugin]:
    async with StandInPlugin(node.root).running() as plugin:
        await plugin.registered()
        yield plugin


async def with_claim(world: World, name: str, claim: str, **spec: Any) -> Pod:
    created = await world.create(pod(name, container(PID), claims=[claim], **spec))
    await world.allocate(claim, created)
    return await world.until_ready(name)


async def test_containers_outlive_a_restart_of_the_kubelet(node: World) -> None:
    before = await node.run(pod("pod0", container(PID)))
    pid = await node.number("pod0")
    await node.stop()
    assert is_alive(pid)
    await node.start()
    await until(lambda: node.kubelet.is_ready.is_set())
    after = await node.pod("pod0")
    assert status_of(after).container_id == status_of(before).container_id
    assert is_alive(pid)
    os.kill(pid, 9)
    await node.until("pod0", lambda pod: status_of(pod).restart_count == 1 and status_of(pod).ready)


async def test_what_ended_while_the_kubelet_was_away_is_seen_when_it_is_back(node: World) -> None:
    await node.run(pod("pod0", container(PID)))
    await node.run(pod("pod1", container(PID), restartPolicy="Never"))
    pids = [await node.number(name) for name in ("pod0", "pod1")]
    await node.stop()
    for pid in pids:
        os.kill(pid, 9)
        await gone(pid)
    await node.start()
    await node.until("pod0", lambda pod: status_of(pod).restart_count == 1 and status_of(pod).ready)
    failed = await node.until_phase("pod1", "Failed")
    assert status_of(failed).state.terminated is not None


async def test_what_was_asked_while_the_kubelet_was_away_is_done_when_it_is_back(node: World) -> None:
    await node.run(pod("pod0", container(PID)))
    pid = await node.number("pod0")
    await node.stop()
    await node.delete("pod0")
    await node.create(pod("pod1"))
    await node.start()
    await node.until_ready("pod1")
    await node.until_gone("pod0")
    await gone(pid)


async def test_a_finished_pod_stays_finished_after_a_restart(node: World) -> None:
    await node.create(pod("pod0", container("echo once"), restartPolicy="Never"))
    before = await node.until_phase("pod0", "Succeeded")
    await node.stop()
    await node.start()
    await node.run(pod("pod1"))
    after = await node.pod("pod0")
    assert after.status == before.status
    assert await node.log("pod0") == "once\n"
    await node.delete("pod0")
    await node.until_gone("pod0")
    await until(lambda: [each.name for each in node.runtime.pods()] == ["pod1"])


async def test_a_kubelet_that_was_stopped_in_the_middle_of_a_deletion_finishes_it(
    node: World, plugin: StandInPlugin
) -> None:
    await with_claim(node, "pod0", "a")
    plugin.gate.clear()
    plugin.arrived.clear()
    await node.delete("pod0")
    await plugin.arrived.wait()
    await node.stop()
    plugin.gate.set()
    await node.start()
    await node.until_gone("pod0")
    assert plugin.verbs[-1] == ("NodeUnprepareResources", ["a"])


async def test_after_a_reboot_everything_is_started_and_claims_are_prepared_again(
    node: World, plugin: StandInPlugin
) -> None:
    init = [container(f"echo init >> {node.root}/trace", "init0")]
    before = await with_claim(node, "pod0", "a", initContainers=init)
    await node.create(pod("pod1", container(PID), restartPolicy="Never"))
    await node.until_ready("pod1")
    pid = await node.number("pod0")
    await node.stop()
    await node.runtime.reboot()
    assert not is_alive(pid)
    assert not (node.root / "var/run/cdi").exists()
    await node.start()
    after = await node.until(
        "pod0", lambda pod: status_of(pod).container_id != status_of(before).container_id and status_of(pod).ready
    )
    last = status_of(after).last_state.terminated
    assert last is not None
    assert (last.exit_code, last.reason, status_of(after).restart_count) == (255, "Unknown", 1)
    assert (node.root / "trace").read_text() == "init\ninit\n"
    assert [verb for verb, _ in plugin.verbs] == ["NodePrepareResources"] * 2
    assert (node.root / "var/run/cdi/a.yaml").exists()
    failed = await node.until_phase("pod1", "Failed")
    assert status_of(failed).restart_count == 0
    await node.until_event(NODE, "Rebooted", f"Node {NODE} has been rebooted, boot id: {node.runtime.boot_id}")


async def test_containers_run_on_and_are_started_again_while_the_api_server_is_away(node: World) -> None:
    await node.run(pod("pod0", container(PID)))
    pid = await node.number("pod0")
    (first,) = node.runtime.pods()
    await node.server.kill()
    os.kill(pid, 9)
    await until(lambda: [each.state for each in node.runtime.containers(first.uid)] == ["exited", "running"])
    await node.server.start()
    await node.until("pod0", lambda pod: status_of(pod).restart_count == 1 and status_of(pod).ready)


async def test_a_watch_that_breaks_or_is_compacted_loses_nothing(node: World) -> None:
    await node.run(pod("pod0"))
    node.server.drop_watches()
    await node.run(pod("pod1"))
    node.server.compact()
    node.server.drop_watches()
    await node.delete("pod0")
    await node.until_gone("pod0")
    await node.run(pod("pod2"))


async def test_a_status_that_others_have_changed_is_put_right(node: World) -> None:
    running = await node.run(pod("pod0"))
    wrong = {"phase": "Pending", "containerStatuses": None, "message": "mine"}
    await node.client.merge_patch(Pod, running.key, {"status": wrong}, subresource="status")
    right = await node.until("pod0", lambda pod: pod.status.phase == "Running" and pod.status.container_statuses)
    assert (status_of(right).ready, right.status.message) == (True, "")


async def test_pods_of_other_nodes_are_left_alone(node: World) -> None:
    other = pod("other")
    other["spec"]["nodeName"] = "node-1"
    await node.create(other)
    await node.run(pod("pod0"))
    assert (await node.pod("other")).status.phase == "Pending"
    assert [each.name for each in node.runtime.pods()] == ["pod0"]


async def test_leaving_ends_all_processes(node: World) -> None:
    for number in range(3):
        await node.run(pod(f"pod{number}", container(PID)))
    pids = [await node.number(f"pod{number}") for number in range(3)]
    await node.close()
    for pid in pids:
        await gone(pid)
    await asyncio.sleep(0)
