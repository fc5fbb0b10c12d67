"""StatefulSets: pods with stable names, one after the other, and replaced from the last to the first."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from fake_dra_driver.cluster.controllers.statefulsets import statefulset_controller
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, StatefulSet
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.unit.cluster.controllers.workloads import LABELS, make_ready, orphan, template, workload

pytestmark = pytest.mark.looptime

STS = ref("web")


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    def controllers(plane: ControlPlane, client: Client, cache: Cache, events: EventRecorder) -> Sequence[Controller]:
        return (statefulset_controller(client, cache, events, plane.now),)

    kinds = (ControllerRevision, StatefulSet, Pod)
    async with control_plane({"kube-controller-manager": controllers}, kinds) as plane:
        yield plane


async def start(plane: ControlPlane, replicas: int = 3, **spec: Any) -> StatefulSet:
    whole = {**workload(), "serviceName": "svc", "replicas": replicas, **spec}
    return await plane.create(StatefulSet, "web", spec=whole)


def names(plane: ControlPlane) -> list[str]:
    """Of all pods, also those that are being deleted."""
    return [pod.metadata.name for pod in plane.list(Pod)]


def images(plane: ControlPlane) -> Mapping[str, str]:
    return {pod.metadata.name: pod.spec.containers[0].image for pod in plane.list(Pod)}


async def settle(plane: ControlPlane) -> None:
    """Lets kubelets do what there is to do, until nothing happens any more."""
    before: object = None
    while before != (before := [pod.to_wire() for pod in plane.list(Pod)]):
        for pod in plane.list(Pod):
            if pod.condition("Ready") is None and not pod.is_finished:
                await make_ready(plane, pod)
        await plane.pass_time(2)


async def update(plane: ControlPlane, **spec: Any) -> None:
    await plane.patch(StatefulSet, STS, {"spec": spec})
    await plane.pass_time(1)


def status(plane: ControlPlane) -> dict[str, Any]:
    found: dict[str, Any] = plane.get(StatefulSet, STS).to_wire()["status"]
    return found


async def test_each_pod_waits_for_the_one_before(plane: ControlPlane) -> None:
    await start(plane)
    await plane.pass_time(1)
    assert names(plane) == ["web-0"]
    await plane.pass_time(60)
    assert names(plane) == ["web-0"]
    await make_ready(plane, *plane.list(Pod))
    await plane.pass_time(1)
    assert names(plane) == ["web-0", "web-1"]
    await settle(plane)
    assert names(plane) == ["web-0", "web-1", "web-2"]
    assert [text for reason, text in plane.events("web") if reason == "SuccessfulCreate"] == [
        f"Create Pod web-{at} in StatefulSet web successful" for at in range(3)
    ]


async def test_parallel_pods_do_not_wait(plane: ControlPlane) -> None:
    await start(plane, podManagementPolicy="Parallel")
    await plane.pass_time(1)
    assert names(plane) == ["web-0", "web-1", "web-2"]
    await update(plane, replicas=1)
    assert names(plane) == ["web-0"]


async def test_a_pod_knows_who_it_is(plane: ControlPlane) -> None:
    owner = await start(plane, 1, ordinals={"start": 5})
    await plane.pass_time(1)
    [pod] = plane.list(Pod)
    spec = pod.spec.to_wire()
    assert (pod.metadata.name, spec["hostname"], spec["subdomain"]) == ("web-5", "web-5", "svc")
    [revision] = plane.list(ControllerRevision)
    assert pod.metadata.labels == {
        "app": "a",
        "statefulset.kubernetes.io/pod-name": "web-5",
        "apps.kubernetes.io/pod-index": "5",
        "controller-revision-hash": revision.metadata.name,
    }
    assert [each.uid for each in pod.metadata.owner_references] == [owner.uid]


async def test_claims_of_a_template_are_those_of_each_pod(plane: ControlPlane) -> None:
    entries = [{"name": "gpu", "source": {"resourceClaimTemplateName": "one"}}]
    await start(plane, 1, template=template(resourceClaims=entries))
    await plane.pass_time(1)
    [pod] = plane.list(Pod)
    assert pod.spec.to_wire()["resourceClaims"] == entries


async def test_the_last_pod_goes_first(plane: ControlPlane) -> None:
    await start(plane)
    await settle(plane)
    await plane.patch(Pod, ref("web-2"), {"metadata": {"finalizers": ["example.com/kept"]}})
    await update(plane, replicas=1)
    assert names(plane) == ["web-0", "web-1", "web-2"]
    assert [pod.is_deleting for pod in plane.list(Pod)] == [False, False, True]
    await plane.patch(Pod, ref("web-2"), {"metadata": {"finalizers": None}})
    await plane.pass_time(2)
    assert names(plane) == ["web-0"]


async def test_an_update_goes_from_the_last_to_the_first(plane: ControlPlane) -> None:
    await start(plane)
    await settle(plane)
    await update(plane, template=template("busybox:2"))
    await plane.pass_time(2)
    assert images(plane) == {"web-0": "busybox:1", "web-1": "busybox:1", "web-2": "busybox:2"}
    first = status(plane)
    assert (first["currentReplicas"], first["updatedReplicas"]) == (2, 1)
    assert first["currentRevision"] != first["updateRevision"]
    await settle(plane)
    assert set(images(plane).values()) == {"busybox:2"}
    assert status(plane) == {
        "observedGeneration": 2,
        "replicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "currentRevision": first["updateRevision"],
        "updateRevision": first["updateRevision"],
        "collisionCount": 0,
    }


async def test_pods_below_the_partition_keep_their_template(plane: ControlPlane) -> None:
    await start(plane, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    await settle(plane)
    await update(plane, template=template("busybox:2"))
    await settle(plane)
    assert images(plane) == {"web-0": "busybox:1", "web-1": "busybox:1", "web-2": "busybox:2"}
    await plane.delete(Pod, ref("web-0"), grace_period_seconds=0)
    await settle(plane)
    assert images(plane)["web-0"] == "busybox:1"
    await update(plane, updateStrategy={"rollingUpdate": {"partition": 0}})
    await settle(plane)
    assert set(images(plane).values()) == {"busybox:2"}


async def test_on_delete_pods_are_updated_when_someone_deletes_them(plane: ControlPlane) -> None:
    await start(plane, updateStrategy={"type": "OnDelete"})
    await settle(plane)
    await update(plane, template=template("busybox:2"))
    await settle(plane)
    assert set(images(plane).values()) == {"busybox:1"}
    await plane.delete(Pod, ref("web-1"), grace_period_seconds=0)
    await settle(plane)
    assert images(plane) == {"web-0": "busybox:1", "web-1": "busybox:2", "web-2": "busybox:1"}


async def test_as_many_are_replaced_at_once_as_may_be_unavailable(plane: ControlPlane) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
    await start(plane, updateStrategy=rolling, podManagementPolicy="Parallel")
    await settle(plane)
    await update(plane, template=template("busybox:2"))
    await plane.pass_time(2)
    assert images(plane) == {"web-0": "busybox:1", "web-1": "busybox:2", "web-2": "busybox:2"}


async def test_a_pod_that_has_ended_is_made_again(plane: ControlPlane) -> None:
    await start(plane, 2)
    await settle(plane)
    before = plane.get(Pod, ref("web-0")).uid
    await plane.finish("web-0", "Failed")
    await settle(plane)
    assert plane.get(Pod, ref("web-0")).uid != before
    text = "StatefulSet default/web is recreating failed Pod web-0"
    assert ("RecreatingFailedPod", text) in plane.events("web")


async def test_a_pod_is_available_once_it_has_been_ready_for_long_enough(plane: ControlPlane) -> None:
    await start(plane, 2, minReadySeconds=10)
    await plane.pass_time(1)
    await make_ready(plane, *plane.list(Pod))
    await plane.pass_time(5)
    assert names(plane) == ["web-0"]
    assert (status(plane)["readyReplicas"], status(plane)["availableReplicas"]) == (1, 0)
    await plane.pass_time(10)
    assert names(plane) == ["web-0", "web-1"]


async def test_earlier_templates_are_kept_and_can_come_back(plane: ControlPlane) -> None:
    await start(plane, 1, revisionHistoryLimit=1)
    await settle(plane)
    for image in ("busybox:2", "busybox:3"):
        await update(plane, template=template(image))
        await settle(plane)
    kept = {each.revision: each.data["spec"]["template"]["spec"] for each in plane.list(ControllerRevision)}
    assert {at: each["containers"][0]["image"] for at, each in kept.items()} == {2: "busybox:2", 3: "busybox:3"}
    await update(plane, template=template("busybox:2"))
    await settle(plane)
    assert set(images(plane).values()) == {"busybox:2"}
    assert sorted(each.revision for each in plane.list(ControllerRevision)) == [3, 4]


async def test_a_name_that_is_taken_is_said(plane: ControlPlane) -> None:
    await plane.pod("web-0")
    await start(plane, 1)
    await plane.until(lambda: plane.events("web"))
    reason, text = plane.events("web")[0]
    assert reason == "FailedCreate"
    assert text.startswith("Create Pod web-0 in StatefulSet web failed error: ")


async def test_pods_and_revisions_that_were_orphaned_are_adopted(plane: ControlPlane) -> None:
    await start(plane, 2)
    await settle(plane)
    pods = {pod.metadata.name: pod.uid for pod in plane.list(Pod)}
    [revision] = plane.list(ControllerRevision)
    await orphan(plane, StatefulSet, "web", Pod, ControllerRevision)
    owner = await start(plane, 3, podManagementPolicy="Parallel")
    await settle(plane)
    now = {pod.metadata.name: pod.uid for pod in plane.list(Pod)}
    assert (set(now), now.items() > pods.items()) == ({"web-0", "web-1", "web-2"}, True)
    assert [each.uid for each in plane.list(ControllerRevision)] == [revision.uid]
    owners = [obj.metadata.owner_references for obj in (*plane.list(Pod), *plane.list(ControllerRevision))]
    assert [[each.uid for each in references] for references in owners] == [[owner.uid]] * 4
    assert (status(plane)["readyReplicas"], status(plane)["currentReplicas"]) == (3, 3)
    assert not [reason for reason, _ in plane.events("web") if reason.startswith("Failed")]


async def test_orphans_of_another_template_are_replaced(plane: ControlPlane) -> None:
    await start(plane, 2)
    await settle(plane)
    await orphan(plane, StatefulSet, "web", Pod, ControllerRevision)
    await start(plane, 2, template=template("busybox:2"))
    await settle(plane)
    assert images(plane) == {"web-0": "busybox:2", "web-1": "busybox:2"}
    assert sorted(each.revision for each in plane.list(ControllerRevision)) == [1, 2]


async def test_a_pod_of_another_name_is_not_adopted(plane: ControlPlane) -> None:
    pod = {"containers": [{"name": "ctr0", "image": "busybox:1"}]}
    await plane.create(Pod, "other-0", labels=LABELS, spec=pod)
    await start(plane, 1)
    await settle(plane)
    assert names(plane) == ["other-0", "web-0"]
    assert plane.get(Pod, ref("other-0")).metadata.owner_references == ()


async def test_another_workload_has_a_revision_of_that_name(plane: ControlPlane) -> None:
    """Such as a DaemonSet with the same name and template, or the StatefulSet before, which is being collected."""
    await start(plane, 1)
    await settle(plane)
    await plane.delete(StatefulSet, STS)
    for pod in plane.list(Pod):
        await plane.delete(Pod, pod.key)
    owner = await start(plane, 1)
    await settle(plane)
    assert status(plane)["readyReplicas"] == 1
    assert owner.uid in [each.metadata.owner_references[0].uid for each in plane.list(ControllerRevision)]
    assert len(plane.list(ControllerRevision)) == 2
