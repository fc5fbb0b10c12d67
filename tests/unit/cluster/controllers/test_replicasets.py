"""ReplicaSets keep their number of pods."""

from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.controllers.replicasets import replicaset_controller
from fake_dra_driver.cluster.kinds import Namespace, Pod
from fake_dra_driver.cluster.workloadkinds import ReplicaSet
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.unit.cluster.controllers.workloads import LABELS, make_ready, orphan, pods_of, workload

pytestmark = pytest.mark.looptime


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, client, cache, events: (
            replicaset_controller(client, cache, events, plane.now),
        )
    }
    async with control_plane(make, (Pod, ReplicaSet, Namespace)) as plane:
        yield plane


def status(plane: ControlPlane) -> dict[str, int]:
    found: dict[str, int] = plane.get(ReplicaSet, ref("r")).to_wire()["status"]
    return found


async def test_pods_are_made_from_the_template(plane: ControlPlane) -> None:
    owner = await plane.create(ReplicaSet, "r", spec=workload(replicas=2))
    await plane.until(lambda: len(pods_of(plane)) == 2)
    await plane.until(lambda: status(plane).get("fullyLabeledReplicas") == 2)
    for pod in pods_of(plane):
        assert pod.metadata.name.startswith("r-")
        assert pod.metadata.labels == LABELS
        assert pod.spec.containers[0].image == "busybox:1"
        [reference] = pod.metadata.owner_references
        assert (reference.uid, reference.controller, reference.block_owner_deletion) == (owner.uid, True, True)
    assert status(plane) == {"replicas": 2, "fullyLabeledReplicas": 2, "observedGeneration": 1}
    await plane.until(lambda: len(plane.events("r")) == 2)
    assert [reason for reason, _ in plane.events("r")] == ["SuccessfulCreate"] * 2


async def test_a_pod_that_goes_or_ends_is_replaced(plane: ControlPlane) -> None:
    await plane.create(ReplicaSet, "r", spec=workload(replicas=2))
    await plane.until(lambda: len(pods_of(plane)) == 2)
    first, second = pods_of(plane)
    await plane.delete(Pod, first.key)
    await plane.until(lambda: len(pods_of(plane)) == 2 and first.uid not in {pod.uid for pod in pods_of(plane)})
    await plane.finish(second.metadata.name, "Failed")
    await plane.until(lambda: len(pods_of(plane)) == 2)
    await plane.pass_time(60)
    assert len(pods_of(plane)) == 2


async def test_a_pod_that_is_being_deleted_does_not_count(plane: ControlPlane) -> None:
    await plane.create(ReplicaSet, "r", spec=workload(replicas=1, pod={"nodeName": "node-a"}))
    await plane.until(lambda: len(pods_of(plane)) == 1)
    [first] = pods_of(plane)
    await plane.delete(Pod, first.key)
    await plane.until(lambda: len(plane.list(Pod)) == 2)
    assert plane.get(Pod, first.key).is_deleting


async def test_those_that_are_missed_least_go_first(plane: ControlPlane) -> None:
    await plane.create(ReplicaSet, "r", spec=workload(replicas=3, pod={"nodeName": "node-a"}))
    await plane.until(lambda: len(pods_of(plane)) == 3)
    ready = pods_of(plane)[1]
    await make_ready(plane, ready)
    await plane.pass_time(1)
    await plane.patch(ReplicaSet, ref("r"), {"spec": {"replicas": 1}})
    await plane.until(lambda: len(pods_of(plane)) == 1)
    assert pods_of(plane)[0].uid == ready.uid
    await plane.until(lambda: plane.events("r")[-1][0] == "SuccessfulDelete")


async def test_ready_and_available_are_counted(plane: ControlPlane) -> None:
    await plane.create(ReplicaSet, "r", spec=workload(replicas=2, minReadySeconds=30))
    await plane.until(lambda: len(pods_of(plane)) == 2)
    await make_ready(plane, *pods_of(plane))
    await plane.until(lambda: status(plane).get("readyReplicas") == 2)
    assert "availableReplicas" not in status(plane)
    began = plane.seconds()
    await plane.until(lambda: status(plane).get("availableReplicas") == 2)
    assert 28 <= plane.seconds() - began <= 31
    await make_ready(plane, pods_of(plane)[0], ready=False)
    await plane.until(lambda: status(plane).get("availableReplicas") == 1)


async def test_a_change_is_observed(plane: ControlPlane) -> None:
    await plane.create(ReplicaSet, "r", spec=workload(replicas=1))
    await plane.patch(ReplicaSet, ref("r"), {"spec": {"replicas": 0}})
    await plane.until(lambda: status(plane).get("observedGeneration") == 2 and not pods_of(plane))
    assert status(plane) == {"replicas": 0, "observedGeneration": 2}


async def test_a_deletion_makes_no_pods(plane: ControlPlane) -> None:
    await plane.create(ReplicaSet, "r", metadata={"finalizers": ["example.com/stay"]}, spec=workload(replicas=1))
    await plane.until(lambda: len(pods_of(plane)) == 1)
    await plane.delete(ReplicaSet, ref("r"))
    await plane.delete(Pod, pods_of(plane)[0].key)
    await plane.pass_time(60)
    assert pods_of(plane) == []


async def test_what_the_api_server_refuses_is_told_once_for_a_pass(plane: ControlPlane) -> None:
    with plane.server.faults.injected(on(Fault.answer(500), verb="create", resource="pods", times=1)):
        await plane.create(ReplicaSet, "r", spec=workload(replicas=40))
        await plane.until(lambda: len(pods_of(plane)) == 40)
    await plane.until(lambda: "FailedCreate" in [reason for reason, _ in plane.events("r")])
    [message] = [message for reason, message in plane.events("r") if reason == "FailedCreate"]
    assert message.startswith("Error creating: ")
    await plane.pass_time(60)
    assert len(plane.list(Pod)) == 40


async def test_in_a_namespace_that_goes_nothing_is_made(plane: ControlPlane) -> None:
    await plane.create(Namespace, "n")
    await plane.create(ReplicaSet, "r", namespace="n", spec=workload(replicas=0))
    await plane.delete(Namespace, ref("n", ""))
    await plane.patch(ReplicaSet, ref("r", "n"), {"spec": {"replicas": 3}})
    await plane.pass_time(600)
    assert plane.list(Pod) == []
    assert plane.events("r") == []


async def test_pods_that_were_orphaned_are_adopted(plane: ControlPlane) -> None:
    await plane.create(ReplicaSet, "r", spec=workload(replicas=2))
    await plane.until(lambda: len(pods_of(plane)) == 2)
    before = {pod.uid for pod in pods_of(plane)}
    await orphan(plane, ReplicaSet, "r", Pod)
    owner = await plane.create(ReplicaSet, "r", spec=workload(replicas=2))
    await plane.until(lambda: status(plane).get("replicas") == 2)
    assert {pod.uid for pod in pods_of(plane)} == before
    assert {reference.uid for pod in pods_of(plane) for reference in pod.metadata.owner_references} == {owner.uid}
