"""Jobs: their pods, how they end, and what their status says meanwhile."""

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from fake_dra_driver.cluster.apiserver.http.routing import Target
from fake_dra_driver.cluster.controllers.jobcleanup import job_cleanup_controller
from fake_dra_driver.cluster.controllers.jobpods import TRACKING_FINALIZER, read_indexes, write_indexes
from fake_dra_driver.cluster.controllers.jobs import job_controller
from fake_dra_driver.cluster.jobkinds import Job
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.releases import RELEASES, Release
from tests.support.control_plane import ControlPlane, Make, control_plane, ref

pytestmark = pytest.mark.looptime

J = ref("j")
INDEX = "batch.kubernetes.io/job-completion-index"


def making(release: Release) -> Make:
    return lambda plane, client, cache, events: (
        job_controller(client, cache, events, release, plane.now),
        job_cleanup_controller(client, cache, plane.now),
    )


@pytest.fixture(params=["1.30", "1.37"])
def release(request: pytest.FixtureRequest) -> Release:
    return RELEASES[request.param]


@pytest.fixture
async def plane(release: Release) -> AsyncIterator[ControlPlane]:
    making_all = {"kube-controller-manager": making(release)}
    async with control_plane(making_all, (Job, Pod), kubernetes_version=release.name) as plane:
        yield plane


async def job(plane: ControlPlane, *, restart: str = "Never", **spec: Any) -> Job:
    containers = [{"name": "ctr0", "image": "busybox", "command": ["true"]}]
    template = {"spec": {"containers": containers, "restartPolicy": restart}}
    return await plane.create(Job, "j", spec={"template": template, **spec})


def pods_of(plane: ControlPlane) -> Sequence[Pod]:
    """The pods that have not ended, the oldest first."""
    alive = [pod for pod in plane.list(Pod) if not pod.is_finished and not pod.is_deleting]
    return sorted(alive, key=lambda pod: int(pod.metadata.resource_version))


async def pods(plane: ControlPlane, count: int) -> Sequence[Pod]:
    await plane.until(lambda: len(pods_of(plane)) == count)
    return pods_of(plane)


async def finish(plane: ControlPlane, pod: Pod, phase: str = "Succeeded") -> None:
    """What a kubelet says of a pod whose only container has ended now."""
    at = plane.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    terminated = {"exitCode": 0 if phase == "Succeeded" else 1, "finishedAt": at}
    containers = [{"name": "ctr0", "image": "", "imageID": "", "state": {"terminated": terminated}}]
    await plane.patch(Pod, pod.key, {"status": {"phase": phase, "containerStatuses": containers}}, "status")


def status(plane: ControlPlane) -> dict[str, Any]:
    """Status of the Job, without conditions and times."""
    wire = plane.get(Job, J).status.to_wire()
    return {name: value for name, value in wire.items() if name not in ("conditions", "startTime", "completionTime")}


def conditions(plane: ControlPlane) -> list[tuple[str, str, str]]:
    found = plane.get(Job, J).status.conditions
    return [(each.type, each.status, each.reason) for each in found]


async def ended(plane: ControlPlane) -> None:
    await plane.until(lambda: plane.get(Job, J).finished)


SETTLED = {"ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}


async def test_a_job_runs_its_pod_once(plane: ControlPlane, release: Release) -> None:
    made = await job(plane)
    [pod] = await pods(plane, 1)
    assert pod.metadata.name.startswith("j-")
    assert pod.metadata.finalizers == (TRACKING_FINALIZER,)
    uid = made.uid
    assert pod.metadata.labels == {
        "controller-uid": uid,
        "job-name": "j",
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": "j",
    }
    [owner] = pod.metadata.owner_references
    assert (owner.kind, owner.uid, owner.controller, owner.block_owner_deletion) == ("Job", uid, True, True)
    await plane.until(lambda: status(plane) == {"active": 1, **SETTLED})
    await finish(plane, pod)
    await ended(plane)
    done = plane.get(Job, J).status
    assert status(plane) == {"succeeded": 1, **SETTLED}
    assert done.completion_time is not None
    if release.jobs_end_in_two_steps:
        reason = "CompletionsReached"
        assert conditions(plane) == [("SuccessCriteriaMet", "True", reason), ("Complete", "True", reason)]
        assert done.conditions[1].message == "Reached expected number of succeeded pods"
    else:
        assert conditions(plane) == [("Complete", "True", "")]
    assert plane.get(Pod, pod.key).metadata.finalizers == ()
    await plane.until(lambda: len(plane.events("j")) == 2)
    assert plane.events("j") == [
        ("SuccessfulCreate", f"Created pod: {pod.metadata.name}"),
        ("Completed", "Job completed"),
    ]


async def test_a_pod_is_counted_in_steps(plane: ControlPlane) -> None:
    """At no time is it missing from the status, or in it twice."""
    seen: list[dict[str, Any]] = []
    plane.cache.informer(Job).subscribe(lambda change: seen.append(change.new.status.to_wire() if change.new else {}))
    await job(plane)
    [pod] = await pods(plane, 1)
    await finish(plane, pod)
    await ended(plane)
    counted = [(each.get("succeeded", 0), each.get("uncountedTerminatedPods", {})) for each in seen]
    assert (0, {"succeeded": [pod.uid]}) in counted
    assert counted[-1] == (1, {})
    assert all(number == 0 or not uncounted for number, uncounted in counted)


async def test_so_many_pods_at_a_time_until_enough_have_succeeded(plane: ControlPlane) -> None:
    await job(plane, completions=3, parallelism=2)
    for pod in await pods(plane, 2):
        await finish(plane, pod)
    [last] = await pods(plane, 1)
    await plane.until(lambda: status(plane) == {"active": 1, "succeeded": 2, **SETTLED})
    await finish(plane, last)
    await ended(plane)
    assert status(plane) == {"succeeded": 3, **SETTLED}


async def test_without_completions_one_success_is_enough(plane: ControlPlane) -> None:
    await job(plane, parallelism=2)
    first, second = await pods(plane, 2)
    await finish(plane, first)
    await plane.pass_time(60)
    assert plane.get(Job, J).finished is None
    assert len(plane.list(Pod)) == 2
    await finish(plane, second, "Failed")
    await ended(plane)
    assert status(plane) == {"succeeded": 1, "failed": 1, **SETTLED}


async def test_the_parallelism_can_change(plane: ControlPlane) -> None:
    await job(plane, completions=5, parallelism=1)
    await pods(plane, 1)
    await plane.patch(Job, J, {"spec": {"parallelism": 3}})
    await pods(plane, 3)
    await plane.patch(Job, J, {"spec": {"parallelism": 0}})
    await plane.until(lambda: not plane.list(Pod))
    await plane.until(lambda: status(plane) == SETTLED)


# --- failures ---


async def test_failed_pods_are_replaced_ever_later_and_not_for_ever(plane: ControlPlane, release: Release) -> None:
    await job(plane, backoffLimit=2)
    made = []
    for _ in range(3):
        [pod] = await pods(plane, 1)
        made.append(plane.seconds())
        await finish(plane, pod, "Failed")
    await ended(plane)
    first, second = (later - earlier for earlier, later in pairwise(made))
    assert 9 <= first <= 11
    assert 19 <= second <= 21
    assert status(plane) == {"failed": 3, **SETTLED}
    reason = "BackoffLimitExceeded"
    two_steps = [("FailureTarget", "True", reason)] if release.jobs_end_in_two_steps else []
    assert conditions(plane) == [*two_steps, ("Failed", "True", reason)]
    assert plane.get(Job, J).status.completion_time is None
    await plane.until(lambda: plane.events("j")[-1] == (reason, "Job has reached the specified backoff limit"))


async def test_a_job_that_fails_ends_its_other_pods(plane: ControlPlane, release: Release) -> None:
    await plane.node("n1")
    await job(plane, backoffLimit=0, completions=2, parallelism=2)
    first, second = await pods(plane, 2)
    binding = {"metadata": {"name": second.metadata.name}, "target": {"kind": "Node", "name": "n1"}}
    await plane.client.create_subresource(Pod, second.key, "binding", binding)
    await finish(plane, first, "Failed")
    await plane.until(lambda: plane.get(Pod, second.key).is_deleting)
    if release.jobs_end_in_two_steps:
        await plane.pass_time(5)
        assert plane.get(Job, J).finished is None
        assert conditions(plane) == [("FailureTarget", "True", "BackoffLimitExceeded")]
        assert status(plane)["terminating"] == 1
    await plane.delete(Pod, second.key, grace_period_seconds=0)
    await ended(plane)
    assert status(plane)["failed"] == 2


async def test_restarts_of_containers_count_where_pods_are_not_replaced(plane: ControlPlane) -> None:
    await job(plane, restart="OnFailure", backoffLimit=2)
    [pod] = await pods(plane, 1)
    for restarts in (1, 2):
        assert plane.get(Job, J).finished is None
        containers = [{"name": "ctr0", "image": "", "imageID": "", "restartCount": restarts}]
        await plane.patch(Pod, pod.key, {"status": {"phase": "Running", "containerStatuses": containers}}, "status")
        await plane.pass_time(1)
    await ended(plane)
    assert conditions(plane)[-1] == ("Failed", "True", "BackoffLimitExceeded")
    assert not pods_of(plane)


async def test_a_job_has_so_long_to_end(plane: ControlPlane) -> None:
    began = plane.seconds()
    await job(plane, activeDeadlineSeconds=30)
    await ended(plane)
    assert 29 <= plane.seconds() - began <= 31
    assert conditions(plane)[-1] == ("Failed", "True", "DeadlineExceeded")
    assert status(plane) == {"failed": 1, **SETTLED}
    await plane.until(lambda: len(plane.events("j")) == 3)
    assert plane.events("j")[-1] == ("DeadlineExceeded", "Job was active longer than specified deadline")


async def test_a_pod_that_is_deleted_counts_as_failed(plane: ControlPlane) -> None:
    await job(plane)
    [pod] = await pods(plane, 1)
    await plane.delete(Pod, pod.key)
    await plane.until(lambda: status(plane).get("failed") == 1)
    await pods(plane, 1)
    assert plane.find(Pod, pod.key) is None


def _no_new_pods(target: Target, _: object) -> Fault | None:
    is_meant = (target.verb, target.resource.plural) == ("create", "pods")
    return Fault.answer(500) if is_meant else None


async def test_what_the_api_server_refuses_is_told_and_does_not_stop_the_counting(plane: ControlPlane) -> None:
    await job(plane, completions=2, parallelism=1)
    [pod] = await pods(plane, 1)
    with plane.server.faults.injected(_no_new_pods):
        await finish(plane, pod)
        await plane.until(lambda: status(plane).get("succeeded") == 1)
        assert not pods_of(plane)
    await pods(plane, 1)
    assert "FailedCreate" in [reason for reason, _ in plane.events("j")]


# --- suspension ---


async def test_a_suspended_job_has_no_pods(plane: ControlPlane, release: Release) -> None:
    await job(plane, suspend=True, activeDeadlineSeconds=30)
    await plane.until(lambda: conditions(plane))
    assert conditions(plane) == [("Suspended", "True", "JobSuspended")]
    assert plane.get(Job, J).status.start_time is None
    await plane.pass_time(100)
    await plane.patch(Job, J, {"spec": {"suspend": False}})
    await pods(plane, 1)
    await plane.until(lambda: conditions(plane) == [("Suspended", "False", "JobResumed")])
    await plane.patch(Job, J, {"spec": {"suspend": True}})
    await plane.until(lambda: not plane.list(Pod))
    await plane.until(lambda: conditions(plane) == [("Suspended", "True", "JobSuspended")])
    assert status(plane) == SETTLED
    assert (plane.get(Job, J).status.start_time is None) is release.suspended_jobs_forget_start
    await plane.until(lambda: [reason for reason, _ in plane.events("j")].count("Suspended") == 1)
    assert ("Resumed", "Job resumed") in plane.events("j")


# --- indexes ---


async def test_each_pod_of_an_indexed_job_has_a_number(plane: ControlPlane) -> None:
    await job(plane, completionMode="Indexed", completions=3, parallelism=2)
    first, second = await pods(plane, 2)
    for index, pod in enumerate((first, second)):
        assert pod.metadata.name.startswith(f"j-{index}-")
        assert pod.metadata.annotations[INDEX] == pod.metadata.labels[INDEX] == str(index)
        wire = pod.to_wire()["spec"]
        assert wire["hostname"] == f"j-{index}"
        [variable] = wire["containers"][0]["env"]
        assert variable["name"] == "JOB_COMPLETION_INDEX"
        assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{INDEX}']"
    await finish(plane, second)
    await plane.until(lambda: len(pods_of(plane)) == 2 and status(plane).get("completedIndexes") == "1")
    assert sorted(pod.metadata.labels[INDEX] for pod in pods_of(plane)) == ["0", "2"]
    await finish(plane, first, "Failed")
    await plane.pass_time(30)
    for pod in await pods(plane, 2):
        await finish(plane, pod)
    await ended(plane)
    assert status(plane) == {"succeeded": 3, "failed": 1, "completedIndexes": "0-2", **SETTLED}


@pytest.mark.parametrize(
    ("text", "indexes"),
    [("", set()), ("3", {3}), ("0,1", {0, 1}), ("0-2", {0, 1, 2}), ("0,1,3-5,9", {0, 1, 3, 4, 5, 9})],
)
def test_indexes_as_text(text: str, indexes: set[int]) -> None:
    assert read_indexes(text, 10) == indexes
    assert write_indexes(indexes) == text


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ("0-99999999999", set()),
        ("0-9999999999", {0, 1, 2}),
        ("2,3,4-5", {2}),
        ("a,1,-3,2-1,1-b", {1}),
        ("0, 1", {0, 1}),
        ("²", set()),
    ],
)
def test_what_is_no_index_of_the_job_is_passed_over(text: str, indexes: set[int]) -> None:
    assert read_indexes(text, 3) == indexes


# --- the end ---


async def test_a_job_that_has_ended_goes_when_it_wants_to(plane: ControlPlane) -> None:
    await job(plane, ttlSecondsAfterFinished=60)
    [pod] = await pods(plane, 1)
    await finish(plane, pod)
    await ended(plane)
    began = plane.seconds()
    await plane.until(lambda: plane.get(Job, J).is_deleting)
    assert 58 <= plane.seconds() - began <= 61
    assert plane.get(Job, J).metadata.finalizers == ("foregroundDeletion",)


async def test_the_pods_of_a_job_that_is_gone_are_let_go(plane: ControlPlane) -> None:
    await job(plane)
    [pod] = await pods(plane, 1)
    await plane.delete(Job, J, propagation_policy="Background")
    await plane.until(lambda: plane.get(Pod, pod.key).metadata.finalizers == ())


async def test_a_pod_that_its_job_has_left_behind_is_let_go(plane: ControlPlane) -> None:
    await job(plane, parallelism=2, completions=2)
    first, second = await pods(plane, 2)
    await plane.patch(Pod, first.key, {"metadata": {"ownerReferences": None}})
    await plane.until(lambda: plane.get(Pod, first.key).metadata.finalizers == ())
    assert plane.get(Pod, second.key).metadata.finalizers == (TRACKING_FINALIZER,)


async def test_a_job_of_another_controller_is_left_alone(plane: ControlPlane, release: Release) -> None:
    if not release.jobs_end_in_two_steps:
        return
    await job(plane, managedBy="example.com/other")
    await plane.pass_time(60)
    assert not plane.list(Pod)
    assert status(plane) == {}
