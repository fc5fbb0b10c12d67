"""Deployments: what kubectl apply, scale, rollout status, undo and delete rely on."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fake_dra_driver.cluster.controllers.deployments import deployment_controller
from fake_dra_driver.cluster.controllers.replicasets import replicaset_controller
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.workloadkinds import Deployment, ReplicaSet
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.unit.cluster.controllers.workloads import LABELS, make_ready, pods_of, workload

pytestmark = pytest.mark.looptime

D = ref("d")
REVISION = "deployment.kubernetes.io/revision"


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, client, cache, events: (
            deployment_controller(client, cache, events, plane.now),
            replicaset_controller(client, cache, events, plane.now),
        )
    }
    async with control_plane(make, (Deployment, Pod, ReplicaSet)) as plane:
        yield plane


def deployment(plane: ControlPlane) -> Deployment:
    return plane.get(Deployment, D)


def set_of(plane: ControlPlane, image: str) -> ReplicaSet:
    [found] = [each for each in plane.list(ReplicaSet) if each.spec.template.spec.containers[0].image == image]
    return found


def progress(plane: ControlPlane) -> tuple[str, str, str]:
    [found] = [each for each in deployment(plane).status.conditions if each.type == "Progressing"]
    return found.status, found.reason, found.message


def is_rolled_out(plane: ControlPlane) -> bool:
    """What ``kubectl rollout status`` looks at (pkg/polymorphichelpers/rollout_status.go)."""
    found = deployment(plane)
    status, wanted = found.status, found.spec.replicas
    return (
        status.observed_generation >= found.metadata.generation
        and status.updated_replicas >= wanted
        and status.replicas <= status.updated_replicas
        and status.available_replicas >= status.updated_replicas
    )


async def roll_out(plane: ControlPlane, check: Callable[[], None] = lambda: None) -> None:
    """Makes pods ready as they come, until the rollout is through."""
    while not is_rolled_out(plane):
        check()
        await make_ready(plane, *[pod for pod in pods_of(plane) if pod.condition("Ready") is None])
        await plane.pass_time(1)


async def set_image(plane: ControlPlane, image: str) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "ctr0", "image": image}]}}}}
    await plane.patch(Deployment, D, patch)


async def test_a_deployment_makes_a_set_which_makes_pods(plane: ControlPlane) -> None:
    owner = await plane.create(
        Deployment, "d", metadata={"annotations": {"a": "b"}}, spec=workload(replicas=2, minReadySeconds=0)
    )
    await plane.until(lambda: len(pods_of(plane)) == 2)
    made = set_of(plane, "busybox:1")
    hashed = made.metadata.labels["pod-template-hash"]
    assert made.metadata.name == f"d-{hashed}"
    assert made.metadata.labels == {**LABELS, "pod-template-hash": hashed}
    assert made.spec.selector.match_labels == {**LABELS, "pod-template-hash": hashed}
    assert made.metadata.annotations == {
        "a": "b",
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "2",
        "deployment.kubernetes.io/max-replicas": "3",
    }
    assert made.metadata.owner_references[0].uid == owner.uid
    assert all(pod.metadata.labels == {**LABELS, "pod-template-hash": hashed} for pod in pods_of(plane))
    await plane.until(lambda: deployment(plane).status.updated_replicas == 2)
    assert deployment(plane).metadata.annotations[REVISION] == "1"
    assert progress(plane)[:2] == ("True", "ReplicaSetUpdated")
    assert not is_rolled_out(plane)
    await plane.until(lambda: plane.events("d"))
    assert plane.events("d") == [("ScalingReplicaSet", f"Scaled up replica set d-{hashed} to 2")]


async def test_it_is_rolled_out_once_its_pods_are_available(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", spec=workload(replicas=2))
    await plane.until(lambda: len(pods_of(plane)) == 2)
    first, second = pods_of(plane)
    await make_ready(plane, first)
    await plane.until(lambda: deployment(plane).status.ready_replicas == 1)
    available = {each.type: each.status for each in deployment(plane).status.conditions}["Available"]
    assert (available, is_rolled_out(plane)) == ("False", False)
    await make_ready(plane, second)
    await plane.until(lambda: is_rolled_out(plane))
    status = deployment(plane).to_wire()["status"]
    conditions = {each.pop("type"): each for each in status.pop("conditions")}
    assert status == {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    name = set_of(plane, "busybox:1").metadata.name
    assert progress(plane) == (
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name}" has successfully progressed.',
    )
    assert conditions["Available"]["reason"] == "MinimumReplicasAvailable"
    assert conditions["Available"]["lastUpdateTime"]


async def test_scaling(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", spec=workload(replicas=1))
    await roll_out(plane)
    await plane.patch(Deployment, D, {"spec": {"replicas": 4}})
    await plane.until(lambda: len(pods_of(plane)) == 4)
    assert not is_rolled_out(plane)
    await roll_out(plane)
    await plane.patch(Deployment, D, {"spec": {"replicas": 2}})
    await plane.until(lambda: len(pods_of(plane)) == 2)
    await roll_out(plane)
    await plane.patch(Deployment, D, {"spec": {"replicas": 0}})
    await plane.until(lambda: not pods_of(plane))
    await plane.until(lambda: is_rolled_out(plane))
    name = set_of(plane, "busybox:1").metadata.name
    assert [message for _, message in plane.events("d")] == [
        f"Scaled up replica set {name} to 1",
        f"Scaled up replica set {name} to 4 from 1",
        f"Scaled down replica set {name} to 2 from 4",
        f"Scaled down replica set {name} to 0 from 2",
    ]
    assert deployment(plane).metadata.annotations[REVISION] == "1", "no new revision"


async def test_a_rolling_update_keeps_to_its_bounds(plane: ControlPlane) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    await plane.create(Deployment, "d", spec=workload(replicas=4, strategy=strategy))
    await roll_out(plane)

    def check() -> None:
        assert len(pods_of(plane)) <= 5
        ready = [pod for pod in pods_of(plane) if (found := pod.condition("Ready")) and found.status == "True"]
        assert len(ready) >= 3

    await set_image(plane, "busybox:2")
    await plane.until(lambda: pods_of(plane, "busybox:2"))
    await roll_out(plane, check)
    assert len(pods_of(plane, "busybox:2")) == 4
    assert pods_of(plane, "busybox:1") == []
    assert set_of(plane, "busybox:1").spec.replicas == 0
    assert deployment(plane).metadata.annotations[REVISION] == "2"


async def test_a_rolling_update_waits_for_new_pods_that_do_not_come_up(plane: ControlPlane) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    await plane.create(Deployment, "d", spec=workload(replicas=2, strategy=strategy, progressDeadlineSeconds=60))
    await roll_out(plane)
    await set_image(plane, "broken:1")
    await plane.until(lambda: pods_of(plane, "broken:1"))
    began = plane.seconds()
    await plane.until(lambda: progress(plane)[1] == "ProgressDeadlineExceeded")
    assert 59 <= plane.seconds() - began <= 63
    assert progress(plane)[0] == "False"
    assert len(pods_of(plane, "busybox:1")) == 2
    await set_image(plane, "busybox:1")
    await plane.until(lambda: not pods_of(plane, "broken:1"))
    await plane.until(lambda: progress(plane)[1] == "NewReplicaSetAvailable")


async def test_going_back_uses_the_old_set_again(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", spec=workload(replicas=1))
    await roll_out(plane)
    first = set_of(plane, "busybox:1")
    await set_image(plane, "busybox:2")
    await plane.until(lambda: pods_of(plane, "busybox:2"))
    await roll_out(plane)
    await set_image(plane, "busybox:1")
    await plane.until(lambda: pods_of(plane, "busybox:1"))
    await roll_out(plane)
    assert set_of(plane, "busybox:1").uid == first.uid
    assert set_of(plane, "busybox:1").metadata.annotations[REVISION] == "3"
    assert deployment(plane).metadata.annotations[REVISION] == "3"


async def test_history_is_limited(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", spec=workload(replicas=1, revisionHistoryLimit=1))
    for number in range(1, 5):
        await set_image(plane, f"busybox:{number}")
        await plane.until(lambda number=number: pods_of(plane, f"busybox:{number}"))  # type: ignore[misc]
        await roll_out(plane)
    await plane.until(lambda: len(plane.list(ReplicaSet)) == 2)
    images = {each.spec.template.spec.containers[0].image for each in plane.list(ReplicaSet)}
    assert images == {"busybox:3", "busybox:4"}


async def test_recreate_lets_old_pods_end_first(plane: ControlPlane) -> None:
    await plane.create(
        Deployment, "d", spec=workload(replicas=2, strategy={"type": "Recreate"}, pod={"nodeName": "node-a"})
    )
    await roll_out(plane)
    await set_image(plane, "busybox:2")
    await plane.until(lambda: not pods_of(plane))
    await plane.pass_time(600)
    assert pods_of(plane) == []
    for pod in plane.list(Pod):
        await plane.delete(Pod, pod.key, grace_period_seconds=0)
    await plane.until(lambda: len(pods_of(plane, "busybox:2")) == 2)


async def test_a_paused_deployment_scales_but_does_not_roll(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", spec=workload(replicas=1))
    await roll_out(plane)
    await plane.patch(Deployment, D, {"spec": {"paused": True}})
    await set_image(plane, "busybox:2")
    await plane.until(lambda: progress(plane)[1] == "DeploymentPaused")
    await plane.patch(Deployment, D, {"spec": {"replicas": 3}})
    await plane.until(lambda: len(pods_of(plane)) == 3)
    await plane.pass_time(60)
    assert pods_of(plane, "busybox:2") == []
    assert deployment(plane).status.observed_generation == deployment(plane).metadata.generation
    await plane.patch(Deployment, D, {"spec": {"paused": False}})
    await plane.until(lambda: pods_of(plane, "busybox:2"))


async def test_a_name_that_is_taken_leads_to_another(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", spec=workload(replicas=1))
    await roll_out(plane)
    name = set_of(plane, "busybox:1").metadata.name
    # Its set is still there, since the garbage collector has not come yet.
    await plane.delete(Deployment, D)
    await plane.create(Deployment, "d", spec=workload(replicas=1))
    await plane.until(lambda: len(plane.list(ReplicaSet)) == 2)
    assert name in {each.metadata.name for each in plane.list(ReplicaSet)}
    assert deployment(plane).status.collision_count == 1


async def test_a_deployment_that_is_being_deleted_makes_nothing(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", metadata={"finalizers": ["example.com/stay"]}, spec=workload(replicas=1))
    await roll_out(plane)
    await plane.delete(Deployment, D)
    await plane.delete(ReplicaSet, set_of(plane, "busybox:1").key)
    await plane.pass_time(60)
    assert plane.list(ReplicaSet) == []


async def test_the_demo_of_two_pods(plane: ControlPlane) -> None:
    """With maxSurge 25% and maxUnavailable 25% of 2: one more at most, none fewer."""
    await plane.create(Deployment, "d", spec=workload(replicas=2))
    await roll_out(plane)
    seen: list[Any] = []
    await set_image(plane, "busybox:2")
    await plane.until(lambda: pods_of(plane, "busybox:2"))
    await roll_out(plane, lambda: seen.append(len(pods_of(plane))))
    assert max(seen) == 3
    assert min(seen) >= 2


async def test_a_set_that_was_orphaned_is_adopted(plane: ControlPlane) -> None:
    await plane.create(Deployment, "d", spec=workload(replicas=2))
    await plane.until(lambda: len(pods_of(plane)) == 2)
    before = {pod.uid for pod in pods_of(plane)}
    await plane.delete(Deployment, D)
    found = set_of(plane, "busybox:1")
    await plane.patch(ReplicaSet, found.key, {"metadata": {"ownerReferences": None}})
    owner = await plane.create(Deployment, "d", spec=workload(replicas=2))
    await plane.until(lambda: deployment(plane).status.replicas == 2)
    assert set_of(plane, "busybox:1").metadata.owner_references[0].uid == owner.uid
    assert {pod.uid for pod in pods_of(plane)} == before
