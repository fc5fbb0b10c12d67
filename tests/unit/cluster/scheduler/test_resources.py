"""CPU, memory and the number of pods decide where pods run, and a pod that waits for room gets it; in both DRAs."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.cluster.scheduler import make_scheduler
from tests.support.control_plane import ControlPlane, control_plane, ref

pytestmark = pytest.mark.looptime

SMALL = {"cpu": "2", "memory": "4Gi", "pods": "3"}


@pytest.fixture(params=["1.30", "1.37"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[ControlPlane]:
    version = request.param
    make = {"default-scheduler": lambda plane, *parts: make_scheduler(*parts, release=RELEASES[version], now=plane.now)}
    async with control_plane(make, (Node, Pod), kubernetes_version=version) as plane:
        yield plane


async def start(plane: ControlPlane, name: str, **requests: str) -> Pod:
    containers = [{"name": "main", "image": "busybox", "resources": {"requests": requests}}]
    return await plane.pod(name, containers=containers)


async def node_of(plane: ControlPlane, name: str) -> str:
    await plane.until(lambda: plane.get(Pod, ref(name)).spec.node_name)
    return plane.get(Pod, ref(name)).spec.node_name


def bound(plane: ControlPlane, *names: str) -> Sequence[str]:
    """Which of the pods have a node."""
    return [name for name in names if plane.get(Pod, ref(name)).spec.node_name]


async def refusal(plane: ControlPlane, name: str) -> str:
    """What is said of the nodes, without what preemption says."""
    message = await refused(plane, name)
    return message.partition(". ")[0].removeprefix("0/")


async def refused(plane: ControlPlane, name: str) -> str:
    def condition() -> Any:
        return plane.get(Pod, ref(name)).condition("PodScheduled")

    await plane.until(condition)
    message: str = condition().message
    return message


async def test_a_node_takes_what_it_has_room_for(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable=SMALL)
    await start(plane, "one", cpu="1500m")
    assert await node_of(plane, "one") == "node-a"
    await start(plane, "two", cpu="1")
    assert await refusal(plane, "two") == "1 nodes are available: 1 Insufficient cpu"
    await start(plane, "three", cpu="500m", memory="4Gi")
    assert await node_of(plane, "three") == "node-a"


async def test_each_shortage_of_each_node_is_counted(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable={**SMALL, "pods": "0"})
    await plane.node("node-b", allocatable=SMALL)
    await plane.node("node-c", allocatable={**SMALL, "cpu": "4"})
    await plane.node("node-d")
    await plane.patch(Node, ref("node-d", ""), {"spec": {"unschedulable": True}})
    await plane.pass_time(1)
    await start(plane, "one", cpu="3", memory="8Gi", **{"ephemeral-storage": "1Gi"})
    assert await refusal(plane, "one") == (
        "4 nodes are available: 1 Too many pods, 1 node(s) were unschedulable, 2 Insufficient cpu, "
        "3 Insufficient ephemeral-storage, 3 Insufficient memory"
    )


async def test_preemption_could_help_where_the_node_is_big_enough(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable=SMALL)
    await start(plane, "one", cpu="2")
    await node_of(plane, "one")
    await start(plane, "two", cpu="2")
    assert (await refused(plane, "two")).endswith(
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


async def test_a_pod_that_ends_makes_room(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable=SMALL)
    await start(plane, "one", cpu="2")
    await node_of(plane, "one")
    for name in ("two", "three"):
        await start(plane, name, cpu="2")
        await refused(plane, name)
    await plane.finish("one")
    await plane.until(lambda: bound(plane, "two", "three"))
    [first] = bound(plane, "two", "three")
    await plane.delete(Pod, ref(first), grace_period_seconds=0)
    await node_of(plane, "three" if first == "two" else "two")


async def test_one_place_that_gets_free_is_given_once(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable=SMALL)
    for at in range(3):
        await start(plane, f"p{at}")
        await node_of(plane, f"p{at}")
    for name in ("four", "five"):
        await start(plane, name)
        assert await refusal(plane, name) == "1 nodes are available: 1 Too many pods"
    await plane.finish("p1")
    await plane.pass_time(30)
    assert len(bound(plane, "four", "five")) == 1


async def test_a_node_that_comes_or_grows_makes_room(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable=SMALL)
    await start(plane, "one", cpu="3")
    await start(plane, "two", cpu="6")
    await refused(plane, "one")
    await refused(plane, "two")
    await plane.node("node-b", allocatable={**SMALL, "cpu": "4"})
    assert await node_of(plane, "one") == "node-b"
    await plane.patch(Node, ref("node-a", ""), {"status": {"allocatable": {"cpu": "6"}}}, "status")
    assert await node_of(plane, "two") == "node-a"


async def test_room_is_there_again_when_a_binding_has_failed(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable=SMALL)
    fault = on(Fault.answer(500), verb="create", resource="pods", subresource="binding", times=1)
    with plane.server.faults.injected(fault):
        await start(plane, "one", cpu="2")
        assert await node_of(plane, "one") == "node-a"


async def test_pods_go_where_most_is_left(plane: ControlPlane) -> None:
    await plane.node("node-a", allocatable=SMALL)
    await plane.node("node-b", allocatable={**SMALL, "cpu": "8", "memory": "16Gi"})
    await start(plane, "one", cpu="1", memory="1Gi")
    assert await node_of(plane, "one") == "node-b"
    await start(plane, "two", cpu="4", memory="8Gi")
    assert await node_of(plane, "two") == "node-b"
    await start(plane, "three", cpu="500m", memory="1Gi")
    assert await node_of(plane, "three") == "node-a"


async def test_what_runs_when_the_scheduler_starts_counts(plane: ControlPlane) -> None:
    await plane.pod(
        "fixed", nodeName="node-a", containers=[{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}]
    )
    await plane.node("node-a", allocatable=SMALL)
    await plane.pass_time(1)
    await start(plane, "one", cpu="1")
    assert await refusal(plane, "one") == "1 nodes are available: 1 Insufficient cpu"
