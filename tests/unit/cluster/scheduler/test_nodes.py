"""Which node a pod without claims gets, and what people read when it gets none."""

from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.apiserver.message import Request
from fake_dra_driver.cluster.kinds import Node, Pod
from tests.support.control_plane import ControlPlane, ref

pytestmark = pytest.mark.looptime

UNHELPFUL = (
    "no new claims to deallocate, preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."
)


def node_of(plane: ControlPlane, name: str) -> str:
    return plane.get(Pod, ref(name)).spec.node_name


async def scheduled(plane: ControlPlane, name: str) -> str:
    await plane.until(lambda: node_of(plane, name))
    return node_of(plane, name)


async def refused(plane: ControlPlane, name: str) -> str:
    """The message of the condition, which is that of the event as well."""

    def condition() -> Any:
        return plane.get(Pod, ref(name)).condition("PodScheduled")

    await plane.until(lambda: condition() and plane.events(name))
    found = condition()
    assert (found.status, found.reason) == ("False", "Unschedulable")
    assert plane.events(name)[-1] == ("FailedScheduling", found.message)
    assert not node_of(plane, name)
    message: str = found.message
    return message


async def test_pods_go_to_the_node_with_the_fewest_then_to_the_first_by_name(plane: ControlPlane) -> None:
    for name in ("node-c", "node-a", "node-b"):
        await plane.node(name)
    assert [await scheduled(plane, (await plane.pod(f"p{at}")).metadata.name) for at in range(4)] == [
        "node-a",
        "node-b",
        "node-c",
        "node-a",
    ]
    await plane.finish("p1")
    await plane.delete(Pod, ref("p2"), grace_period_seconds=0)
    await plane.pass_time(1)
    await plane.pod("p5")
    await plane.pod("p6")
    assert {await scheduled(plane, "p5"), await scheduled(plane, "p6")} == {"node-b", "node-c"}


async def test_pods_that_have_gone_do_not_count(plane: ControlPlane) -> None:
    for name in ("node-a", "node-b"):
        await plane.node(name)
    for at in range(4):
        await plane.pod(f"p{at}")
        await scheduled(plane, f"p{at}")
    await plane.finish("p0")
    await plane.delete(Pod, ref("p2"), grace_period_seconds=0)
    await plane.pass_time(1)
    for at in range(4, 6):
        await plane.pod(f"p{at}")
        assert await scheduled(plane, f"p{at}") == "node-a"


async def test_a_pod_is_bound_once_though_the_cache_does_not_show_it_yet(plane: ControlPlane) -> None:
    await plane.pod("p")
    await refused(plane, "p")
    bindings: list[str] = []

    def note(target: Target, _: Request) -> None:
        if target.subresource == "binding":
            bindings.append(target.name)

    await plane.pass_time(20)
    with plane.server.faults.injected(note), plane.server.late_events("", "pods"):
        await plane.node("node-a")
        await plane.pass_time(20)
        await plane.patch(Node, ref("node-a", ""), {"metadata": {"labels": {"wake": "up"}}})
        await plane.pass_time(20)
        assert bindings == ["p"]
    await scheduled(plane, "p")


async def test_a_burst_of_pods_is_spread_before_any_of_them_shows_up_as_bound(plane: ControlPlane) -> None:
    for name in ("node-a", "node-b", "node-c"):
        await plane.node(name)
    await plane.pass_time(1)
    with plane.server.late_events("", "pods"):
        for at in range(6):
            await plane.pod(f"p{at}")
    for at in range(6):
        await scheduled(plane, f"p{at}")
    nodes = [node_of(plane, f"p{at}") for at in range(6)]
    assert sorted(nodes) == ["node-a", "node-a", "node-b", "node-b", "node-c", "node-c"]


async def test_a_bound_pod_says_so(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.pod("p")
    await scheduled(plane, "p")
    await plane.until(lambda: plane.events("p"))
    assert plane.events("p") == [("Scheduled", "Successfully assigned default/p to node-a")]
    condition = plane.get(Pod, ref("p")).condition("PodScheduled")
    assert condition is not None
    assert condition.status == "True"


async def test_without_nodes_a_pod_waits_for_one(plane: ControlPlane) -> None:
    await plane.pod("p")
    assert await refused(plane, "p") == "no nodes available to schedule pods"
    await plane.node("node-a")
    assert await scheduled(plane, "p") == "node-a"


async def test_each_reason_is_counted(plane: ControlPlane) -> None:
    await plane.node("cordoned")
    await plane.patch(Node, ref("cordoned", ""), {"spec": {"unschedulable": True}})
    for name, effect in (("tainted", "NoSchedule"), ("evicting", "NoExecute"), ("avoided", "PreferNoSchedule")):
        await plane.node(name)
        await plane.patch(Node, ref(name, ""), {"spec": {"taints": [{"key": "k", "value": "v", "effect": effect}]}})
    await plane.pass_time(1)
    await plane.pod("p", nodeSelector={"disk": "ssd"})
    assert await refused(plane, "p") == (
        "0/4 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable, "
        f"2 node(s) had untolerated taint {{k: v}}. {UNHELPFUL.format(n=4)}"
    )


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "k", "operator": "Equal", "value": "v"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "other"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
async def test_tolerations(plane: ControlPlane, toleration: dict[str, str], *, fits: bool) -> None:
    await plane.node("node-a")
    await plane.patch(
        Node, ref("node-a", ""), {"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}}
    )
    await plane.pass_time(1)
    await plane.pod("p", tolerations=[toleration])
    await (scheduled if fits else refused)(plane, "p")


async def test_a_pod_may_tolerate_an_unschedulable_node(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.patch(Node, ref("node-a", ""), {"spec": {"unschedulable": True}})
    await plane.pass_time(1)
    await plane.pod("p", tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}])
    assert await scheduled(plane, "p") == "node-a"


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    selector = {"nodeSelectorTerms": list(terms)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector}}


def expression(operator: str, *values: str, key: str = "zone") -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("terms", "node"),
    [
        ([expression("In", "2", "9")], "node-b"),
        ([expression("NotIn", "1", "2")], "node-c"),
        ([expression("Exists", key="big")], "node-b"),
        ([expression("DoesNotExist")], "node-c"),
        ([expression("Gt", "1")], "node-b"),
        ([expression("Lt", "2")], "node-a"),
        ([expression("In", "9"), expression("In", "2")], "node-b"),
        ([{}, expression("In", "2")], "node-b"),
        ([{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-a"]}]}], "node-b"),
    ],
)
async def test_required_affinity(plane: ControlPlane, terms: list[dict[str, Any]], node: str) -> None:
    await plane.node("node-a", labels={"zone": "1"})
    await plane.node("node-b", labels={"zone": "2", "big": ""})
    await plane.node("node-c")
    await plane.pass_time(1)
    await plane.pod("p", affinity=affinity(*terms))
    assert await scheduled(plane, "p") == node


async def test_a_pod_of_a_daemonset_goes_to_its_node_alone(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.node("node-b")
    await plane.pass_time(1)
    only = affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-b"]}]})
    await plane.pod("p", affinity=only)
    assert await scheduled(plane, "p") == "node-b"
    await plane.patch(Node, ref("node-b", ""), {"spec": {"unschedulable": True}})
    await plane.pass_time(1)
    await plane.pod("q", affinity=only)
    assert await refused(plane, "q") == (
        "0/2 nodes are available: 1 node(s) didn't satisfy plugin(s) [NodeAffinity], 1 node(s) were unschedulable. "
        + UNHELPFUL.format(n=2)
    )


async def test_a_node_that_comes_to_fit_wakes_the_pod(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.pass_time(1)
    await plane.pod("p", nodeSelector={"disk": "ssd"})
    await refused(plane, "p")
    await plane.patch(Node, ref("node-a", ""), {"metadata": {"labels": {"disk": "ssd"}}})
    assert await scheduled(plane, "p") == "node-a"


async def test_what_a_node_reports_retries_no_pod(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.pass_time(1)
    await plane.pod("p", nodeSelector={"disk": "ssd"})
    await refused(plane, "p")
    await plane.pass_time(5)
    await plane.patch(
        Node, ref("node-a", ""), {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "status"
    )
    await plane.pass_time(100)
    [event] = [each for each in plane.events("p") if each[0] == "FailedScheduling"]
    assert plane.attempts("p") == 1, event


async def test_attempts_back_off_from_1_to_10_seconds(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.pass_time(1)
    await plane.pod("p", nodeSelector={"disk": "ssd"})
    await refused(plane, "p")
    times: list[float] = []
    for number in range(2, 8):
        began = plane.seconds()
        await plane.patch(Node, ref("node-a", ""), {"metadata": {"labels": {"number": str(number)}}})
        await plane.until(lambda number=number: plane.attempts("p") == number)  # type: ignore[misc]
        times.append(round(plane.seconds() - began, 1))
    assert times == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


async def test_after_5_minutes_a_pod_is_tried_again_though_nothing_has_happened(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.pass_time(1)
    await plane.pod("p", nodeSelector={"disk": "ssd"})
    await refused(plane, "p")
    await plane.pass_time(290)
    assert plane.attempts("p") == 1
    await plane.pass_time(20)
    assert plane.attempts("p") == 2


@pytest.mark.parametrize(
    "spec",
    [{"schedulerName": "another"}, {"schedulingGates": [{"name": "example.com/gate"}]}],
)
async def test_pods_that_are_none_of_its_business(plane: ControlPlane, spec: dict[str, Any]) -> None:
    refused: list[str] = []

    def note(target: Target, _: Request) -> None:
        if target.subresource == "binding":
            refused.append(target.name)

    await plane.node("node-a")
    with plane.server.faults.injected(note):
        await plane.pod("p", **spec)
        await plane.pass_time(600)
    assert not node_of(plane, "p")
    assert (plane.events("p"), refused) == ([], [])


async def test_a_pod_that_is_being_deleted_is_not_bound(plane: ControlPlane) -> None:
    await plane.pod("p", metadata={"finalizers": ["example.com/stay"]})
    await refused(plane, "p")
    await plane.delete(Pod, ref("p"))
    await plane.node("node-a")
    await plane.pass_time(600)
    assert not node_of(plane, "p")
