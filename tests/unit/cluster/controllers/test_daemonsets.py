"""DaemonSets: a pod for each node, replaced one after the other."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.cluster.controllers.daemonsets import daemonset_controller
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, DaemonSet
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.unit.cluster.controllers.workloads import LABELS, make_ready, orphan, pods_of, workload

pytestmark = pytest.mark.looptime

DS = ref("d")


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, client, cache, events: (
            daemonset_controller(client, cache, events, plane.now),
        )
    }
    async with control_plane(make, (ControllerRevision, DaemonSet, Node, Pod)) as plane:
        yield plane


def status(plane: ControlPlane) -> dict[str, int]:
    found: dict[str, int] = plane.get(DaemonSet, DS).to_wire()["status"]
    return found


def node_of(pod: Pod) -> str:
    """The node that a pod is for, as the scheduler reads it."""
    assert pod.spec.affinity is not None
    assert pod.spec.affinity.node_affinity is not None
    selector = pod.spec.affinity.node_affinity.required_during_scheduling_ignored_during_execution
    assert selector is not None
    [term] = selector.node_selector_terms
    [requirement] = term.match_fields
    assert (requirement.key, requirement.operator, term.match_expressions) == ("metadata.name", "In", ())
    [name] = requirement.values
    return name


def placed(plane: ControlPlane) -> list[str]:
    return sorted(node_of(pod) for pod in pods_of(plane))


async def run_all(plane: ControlPlane) -> None:
    """Binds each pod to its node, and makes it ready."""
    for pod in pods_of(plane):
        if not pod.spec.node_name:
            binding = {"metadata": {"name": pod.metadata.name}, "target": {"name": node_of(pod)}}
            await plane.client.create_subresource(Pod, pod.key, "binding", binding)
    await plane.pass_time(1)
    await make_ready(plane, *[pod for pod in pods_of(plane) if pod.condition("Ready") is None])
    await plane.pass_time(1)


async def set_image(plane: ControlPlane, image: str) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "ctr0", "image": image}]}}}}
    await plane.patch(DaemonSet, DS, patch)


async def end_deleted(plane: ControlPlane) -> None:
    """What kubelets do with pods that are to go."""
    for pod in plane.list(Pod):
        if pod.is_deleting:
            await plane.delete(Pod, pod.key, grace_period_seconds=0)


async def test_each_node_gets_a_pod_that_only_it_may_run(plane: ControlPlane) -> None:
    for name in ("node-a", "node-b"):
        await plane.node(name)
    owner = await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: placed(plane) == ["node-a", "node-b"])
    for pod in pods_of(plane):
        assert pod.metadata.name.startswith("d-")
        assert pod.metadata.owner_references[0].uid == owner.uid
        assert pod.metadata.labels.keys() == {*LABELS, "controller-revision-hash", "pod-template-generation"}
        assert not pod.spec.node_name
    added = {(each.key, each.operator, each.effect) for each in pods_of(plane)[0].spec.tolerations}
    assert added == {
        (f"node.kubernetes.io/{name}", "Exists", effect)
        for name, effect in (
            ("not-ready", "NoExecute"),
            ("unreachable", "NoExecute"),
            ("disk-pressure", "NoSchedule"),
            ("memory-pressure", "NoSchedule"),
            ("pid-pressure", "NoSchedule"),
            ("unschedulable", "NoSchedule"),
        )
    }
    await plane.node("node-c")
    await plane.until(lambda: placed(plane) == ["node-a", "node-b", "node-c"])
    await plane.until(lambda: len(plane.events("d")) == 3)
    assert {reason for reason, _ in plane.events("d")} == {"SuccessfulCreate"}


async def test_other_affinity_of_the_template_is_kept(plane: ControlPlane) -> None:
    await plane.node("node-a", labels={"zone": "1"})
    await plane.node("node-b")
    expressions = [{"key": "zone", "operator": "Exists"}]
    affinity = {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []},
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
        },
    }
    await plane.create(DaemonSet, "d", spec=workload(pod={"affinity": affinity}))
    await plane.until(lambda: placed(plane) == ["node-a"])
    await plane.pass_time(10)
    assert placed(plane) == ["node-a"]
    assert "podAntiAffinity" in pods_of(plane)[0].to_wire()["spec"]["affinity"]


async def test_the_status_counts_nodes(plane: ControlPlane) -> None:
    for name in ("node-a", "node-b"):
        await plane.node(name)
    await plane.create(DaemonSet, "d", spec=workload(minReadySeconds=20))
    await plane.until(lambda: status(plane).get("updatedNumberScheduled") == 2)
    assert status(plane) == {
        "currentNumberScheduled": 2,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 2,
        "numberReady": 0,
        "observedGeneration": 1,
        "updatedNumberScheduled": 2,
        "numberUnavailable": 2,
    }
    await run_all(plane)
    await plane.until(lambda: status(plane)["numberReady"] == 2)
    assert "numberAvailable" not in status(plane)
    await plane.until(lambda: status(plane).get("numberAvailable") == 2)
    assert "numberUnavailable" not in status(plane)


@pytest.mark.parametrize(("effect", "stays"), [("NoSchedule", True), ("NoExecute", False)])
async def test_a_taint_keeps_pods_away_and_may_drive_them_out(plane: ControlPlane, effect: str, *, stays: bool) -> None:
    await plane.node("node-a")
    await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: placed(plane) == ["node-a"])
    await run_all(plane)
    await plane.patch(Node, ref("node-a", ""), {"spec": {"taints": [{"key": "k", "effect": effect}]}})
    await plane.pass_time(10)
    assert bool(pods_of(plane)) is stays
    assert status(plane)["desiredNumberScheduled"] == 0
    assert status(plane)["numberMisscheduled"] == 1


async def test_an_unschedulable_node_still_gets_its_pod(plane: ControlPlane) -> None:
    await plane.node("node-a")
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    await plane.patch(Node, ref("node-a", ""), {"spec": {"unschedulable": True, "taints": [taint]}})
    await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: placed(plane) == ["node-a"])


async def test_a_node_that_is_not_selected_any_more_loses_its_pod(plane: ControlPlane) -> None:
    await plane.node("node-a", labels={"devices": "yes"})
    await plane.node("node-b")
    await plane.create(DaemonSet, "d", spec=workload(pod={"nodeSelector": {"devices": "yes"}}))
    await plane.until(lambda: placed(plane) == ["node-a"])
    await plane.patch(Node, ref("node-a", ""), {"metadata": {"labels": {"devices": None}}})
    await plane.until(lambda: placed(plane) == [])
    await plane.patch(Node, ref("node-b", ""), {"metadata": {"labels": {"devices": "yes"}}})
    await plane.until(lambda: placed(plane) == ["node-b"])


async def test_a_pod_that_was_meant_for_a_node_that_has_gone_goes(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: placed(plane) == ["node-a"])
    await plane.delete(Node, ref("node-a", ""))
    await plane.until(lambda: placed(plane) == [])


async def test_a_pod_that_goes_is_replaced_once_it_has_gone(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: placed(plane) == ["node-a"])
    await run_all(plane)
    [first] = pods_of(plane)
    await plane.delete(Pod, first.key)
    await plane.pass_time(60)
    assert pods_of(plane) == [], "two pods of a DaemonSet must not be on one node"
    await end_deleted(plane)
    await plane.until(lambda: placed(plane) == ["node-a"])


async def test_a_pod_too_many_goes_the_youngest_first(plane: ControlPlane) -> None:
    await plane.node("node-a")
    owner = await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: placed(plane) == ["node-a"])
    [first] = pods_of(plane)
    await plane.pass_time(5)
    reference = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": owner.uid, "controller": True}
    twin = {**first.to_wire()["spec"]}
    await plane.create(Pod, "twin", metadata={"ownerReferences": [reference], "labels": LABELS}, spec=twin)
    await plane.until_gone(Pod, ref("twin"))
    assert [pod.uid for pod in pods_of(plane)] == [first.uid]


async def test_failed_pods_are_replaced_at_a_growing_distance(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.create(DaemonSet, "d", spec=workload())
    times: list[float] = []
    for _ in range(4):
        await plane.until(lambda: placed(plane) == ["node-a"])
        times.append(plane.seconds())
        await plane.finish(pods_of(plane)[0].metadata.name, "Failed")
        await plane.until(lambda: not pods_of(plane))
    gaps = [round(after - before) for before, after in itertools.pairwise(times)]
    assert gaps == [0, 1, 2]
    await plane.until(lambda: "FailedDaemonPod" in [reason for reason, _ in plane.events("d")])


async def test_a_rolling_update_replaces_one_node_after_the_other(plane: ControlPlane) -> None:
    for name in ("node-a", "node-b", "node-c"):
        await plane.node(name)
    await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: len(placed(plane)) == 3)
    await run_all(plane)
    await set_image(plane, "busybox:2")
    updated: list[str] = []
    for expected in ("node-a", "node-b", "node-c"):
        await plane.until(lambda: any(pod.is_deleting for pod in plane.list(Pod)))
        [going] = [pod for pod in plane.list(Pod) if pod.is_deleting]
        assert node_of(going) == expected
        await plane.pass_time(60)
        assert len(pods_of(plane)) == 2, "no second one goes before the first is back"
        await end_deleted(plane)
        await plane.until(lambda: len(pods_of(plane)) == 3)
        await plane.pass_time(60)
        assert len(pods_of(plane)) == 3, "nor before it is available"
        updated.append(expected)
        await run_all(plane)
    await plane.until(lambda: status(plane)["updatedNumberScheduled"] == 3)
    assert {pod.spec.containers[0].image for pod in pods_of(plane)} == {"busybox:2"}
    revisions = sorted((each.revision, each.data["spec"]["template"]) for each in plane.list(ControllerRevision))
    images = [(number, found["spec"]["containers"][0]["image"]) for number, found in revisions]
    assert images == [(1, "busybox:1"), (2, "busybox:2")]
    assert status(plane)["observedGeneration"] == 2


async def test_pods_that_do_not_work_are_replaced_at_once(plane: ControlPlane) -> None:
    for name in ("node-a", "node-b"):
        await plane.node(name)
    await plane.create(DaemonSet, "d", spec=workload("broken:1"))
    await plane.until(lambda: len(placed(plane)) == 2)
    await set_image(plane, "busybox:2")
    await plane.until(lambda: len(pods_of(plane, "busybox:2")) == 2)


async def test_several_at_once_where_that_is_allowed(plane: ControlPlane) -> None:
    for name in ("node-a", "node-b", "node-c", "node-d"):
        await plane.node(name)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}}
    await plane.create(DaemonSet, "d", spec=workload(updateStrategy=strategy))
    await plane.until(lambda: len(placed(plane)) == 4)
    await run_all(plane)
    await set_image(plane, "busybox:2")
    await plane.pass_time(60)
    assert sum(pod.is_deleting for pod in plane.list(Pod)) == 2


async def test_on_delete_leaves_old_pods_alone(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.create(DaemonSet, "d", spec=workload(updateStrategy={"type": "OnDelete"}))
    await plane.until(lambda: placed(plane) == ["node-a"])
    await run_all(plane)
    await set_image(plane, "busybox:2")
    await plane.until(lambda: status(plane)["observedGeneration"] == 2)
    await plane.pass_time(60)
    assert len(pods_of(plane, "busybox:1")) == 1
    assert "updatedNumberScheduled" not in status(plane)
    await plane.delete(Pod, pods_of(plane)[0].key, grace_period_seconds=0)
    await plane.until(lambda: len(pods_of(plane, "busybox:2")) == 1)


async def test_going_back_uses_the_old_revision_again_and_history_is_limited(plane: ControlPlane) -> None:
    await plane.create(DaemonSet, "d", spec=workload(revisionHistoryLimit=1))

    def revisions() -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for each in plane.list(ControllerRevision):
            template: dict[str, Any] = each.data["spec"]["template"]
            found.append((template["spec"]["containers"][0]["image"], each.revision))
        return sorted(found)

    await plane.until(lambda: revisions() == [("busybox:1", 1)])
    await set_image(plane, "busybox:2")
    await plane.until(lambda: revisions() == [("busybox:1", 1), ("busybox:2", 2)])
    await set_image(plane, "busybox:1")
    await plane.until(lambda: revisions() == [("busybox:1", 3), ("busybox:2", 2)])
    await set_image(plane, "busybox:3")
    await plane.until(lambda: revisions() == [("busybox:1", 3), ("busybox:3", 4)])


async def test_pods_and_revisions_that_were_orphaned_are_adopted(plane: ControlPlane) -> None:
    for name in ("a", "b"):
        await plane.node(name)
    await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: placed(plane) == ["a", "b"])
    before = {obj.uid for obj in (*plane.list(Pod), *plane.list(ControllerRevision))}
    await orphan(plane, DaemonSet, "d", Pod, ControllerRevision)
    owner = await plane.create(DaemonSet, "d", spec=workload())
    await plane.until(lambda: status(plane).get("currentNumberScheduled") == 2)
    found = [*plane.list(Pod), *plane.list(ControllerRevision)]
    assert {obj.uid for obj in found} == before
    assert {reference.uid for obj in found for reference in obj.metadata.owner_references} == {owner.uid}
