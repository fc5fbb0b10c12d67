"""Pods that name a node which has no room for them."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.cluster.kinds import Node
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.kubelet.pods.admission import Admission, Rejection
from fake_dra_driver.runtime.clock import utc_now
from tests.unit.cluster.kubelet.standin import StandInPlugin
from tests.unit.cluster.kubelet.world import (
    FOREVER,
    NODE,
    World,
    container,
    is_ready,
    pod,
    running_world,
    status_of,
)

CPUS = os.cpu_count() or 1


def asking(name: str, script: str = FOREVER, **requests: str) -> dict[str, Any]:
    resources = {"requests": {key.replace("_", "-"): each for key, each in requests.items()}}
    return pod(name, container(script, resources=resources))


def decided(*pods: Pod, **allocatable: str) -> list[Rejection | None]:
    """What becomes of pods that come one after the other."""
    node = Node.from_wire({"metadata": {"name": NODE}, "status": {"allocatable": allocatable}})
    admission = Admission(lambda: node)
    return [admission.admit(each) for each in pods]


def made(name: str, **requests: str) -> Pod:
    wire = asking(name, **requests)
    return Pod.from_wire({**wire, "metadata": {**wire["metadata"], "uid": name}})


def test_the_words_are_those_of_a_kubelet() -> None:
    found = decided(made("one", cpu="1500m"), made("two", cpu="1"), made("three"), cpu="2", memory="1Gi", pods="1")
    assert found == [
        None,
        Rejection("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 1, capacity: 1"),
        Rejection("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 1, capacity: 1"),
    ]
    [_, second] = decided(made("one", cpu="1500m"), made("two", cpu="1"), cpu="2", pods="9")
    assert second == Rejection(
        "OutOfcpu", "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"
    )


def test_extended_resources_that_the_node_does_not_have_are_no_concern_of_its() -> None:
    gpu = {"example.com/gpu": "1"}
    assert decided(made("one", **gpu), pods="9") == [None]
    [_, second] = decided(made("one", **gpu), made("two", **gpu), pods="9", **gpu)
    assert second is not None
    assert second.reason == "OutOfexample.com/gpu"


def test_what_has_ended_makes_room() -> None:
    node = Node.from_wire({"metadata": {"name": NODE}, "status": {"allocatable": {"pods": "1"}}})
    admission = Admission(lambda: node)
    one = made("one")
    assert admission.admit(one) is None
    assert admission.admit(made("two")) is not None
    admission.release(one.uid)
    assert admission.admit(made("three")) is None


def test_before_the_node_is_known_every_pod_is_taken() -> None:
    assert Admission(lambda: None).admit(made("one", cpu="1000")) is None


def test_what_an_earlier_kubelet_has_taken_stays_and_counts_in_full() -> None:
    node = Node.from_wire({"metadata": {"name": NODE}, "status": {"allocatable": {"cpu": "2", "pods": "9"}}})
    admission = Admission(lambda: node)
    for name in ("one", "two"):
        assert admission.admit(made(name, cpu="2"), was_taken=True) is None
    assert admission.admit(made("three", cpu="100m")) == Rejection(
        "OutOfcpu", "Node didn't have enough resource: cpu, requested: 100, used: 4000, capacity: 2000"
    )


def test_an_extended_resource_that_the_node_gets_later_is_given_once() -> None:
    gpu = {"example.com/gpu": "1"}
    allocatable: dict[str, str] = {"pods": "9"}

    def read() -> Node:
        return Node.from_wire({"metadata": {"name": NODE}, "status": {"allocatable": allocatable}})

    admission = Admission(read)
    assert admission.admit(made("one", **gpu)) is None
    allocatable.update(gpu)
    second = admission.admit(made("two", **gpu))
    assert second is not None
    assert second.reason == "OutOfexample.com/gpu"


async def test_a_pod_that_is_too_big_fails_and_can_be_deleted(node: World) -> None:
    await node.create(asking("big", cpu=str(CPUS + 1)))
    failed = await node.until_phase("big", "Failed")
    words = f"Node didn't have enough resource: cpu, requested: {(CPUS + 1) * 1000}, used: 0, capacity: {CPUS * 1000}"
    assert (failed.status.reason, failed.status.message) == ("OutOfcpu", f"Pod was rejected: {words}")
    assert failed.status.container_statuses == ()
    await node.until_event("big", "OutOfcpu", words)
    assert not node.runtime.containers(failed.uid)
    await node.delete("big")
    await node.until_gone("big")


async def test_a_pod_that_has_ended_leaves_its_room_to_the_next(node: World) -> None:
    await node.create(asking("first", cpu=str(CPUS)))
    await node.create(asking("second", cpu="100m"))
    assert (await node.until_phase("second", "Failed")).status.reason == "OutOfcpu"
    await node.delete("first")
    await node.until_gone("first")
    await node.run(asking("third", cpu=str(CPUS)))


@pytest.mark.parametrize("is_rebooted", [False, True], ids=["restart", "reboot"])
async def test_a_pod_keeps_its_room_from_one_that_came_while_the_kubelet_was_away(
    node: World, *, is_rebooted: bool
) -> None:
    await node.run(asking("older", cpu=str(CPUS)))
    await node.stop()
    if is_rebooted:
        await node.runtime.reboot()
    await node.create(asking("newer", cpu="100m"))
    await node.start()
    assert (await node.until_phase("newer", "Failed")).status.reason == "OutOfcpu"
    older = await node.until("older", lambda pod: status_of(pod).restart_count == int(is_rebooted) and is_ready(pod))
    assert [each.state for each in node.runtime.containers(older.uid)][-1] == "running"


async def test_what_runs_keeps_its_room_even_if_the_api_server_was_never_told(node: World) -> None:
    older = await node.run(asking("older", cpu=str(CPUS)))
    await node.stop()
    await node.client.merge_patch(Pod, older.key, {"status": {"startTime": None}}, subresource="status")
    await node.create(asking("newer", cpu="100m"))
    await node.start()
    assert (await node.until_phase("newer", "Failed")).status.reason == "OutOfcpu"
    await node.until("older", lambda pod: pod.status.start_time is not None and is_ready(pod))


async def test_a_pod_whose_claims_are_being_prepared_keeps_its_room(node: World) -> None:
    async with StandInPlugin(node.root).running() as plugin:
        await plugin.registered()
        plugin.gate.clear()
        resources = {"requests": {"cpu": str(CPUS)}, "claims": [{"name": "a"}]}
        older = await node.create(pod("older", container(FOREVER, resources=resources), claims=["a"]))
        await node.allocate("a", older)
        await plugin.arrived.wait()
        await node.stop()
        await node.client.merge_patch(Pod, older.key, {"status": {"startTime": None}}, subresource="status")
        await node.create(asking("newer", cpu="100m"))
        plugin.gate.set()
        await node.start()
        assert (await node.until_phase("newer", "Failed")).status.reason == "OutOfcpu"
        await node.until_ready("older")


async def test_of_pods_that_came_while_the_kubelet_was_away_the_oldest_are_taken(root: Path) -> None:
    at = utc_now()
    async with running_world(root, now=lambda: at) as world:
        await world.create(asking("z-older", cpu=str(CPUS)))
        at += timedelta(seconds=1)
        await world.create(asking("a-newer", cpu="100m"))
        await world.start()
        assert (await world.until_phase("a-newer", "Failed")).status.reason == "OutOfcpu"
        await world.until_ready("z-older")
