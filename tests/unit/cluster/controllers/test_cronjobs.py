"""CronJobs: Jobs that start when they are due, and go when there are too many."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from fake_dra_driver.cluster.controllers.cronjobs import cronjob_controller
from fake_dra_driver.cluster.jobkinds import CronJob, Job
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from tests.support.control_plane import ControlPlane, control_plane, ref

pytestmark = pytest.mark.looptime

CRON = ref("tick")
MINUTE = int(datetime(2026, 1, 2, 3, 5, tzinfo=UTC).timestamp()) // 60
"""The first full one after the beginning of a test, at 3:04:05."""


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    def controllers(plane: ControlPlane, client: Client, cache: Cache, events: EventRecorder) -> Sequence[Controller]:
        return (cronjob_controller(client, cache, events, plane.now),)

    async with control_plane({"kube-controller-manager": controllers}, (CronJob, Job)) as plane:
        yield plane


async def start(plane: ControlPlane, schedule: str = "* * * * *", **spec: Any) -> CronJob:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
    template = {"metadata": {"labels": {"app": "a"}, "annotations": {"b": "c"}}, "spec": {"template": {"spec": pod}}}
    return await plane.create(CronJob, "tick", spec={"schedule": schedule, "jobTemplate": template, **spec})


def names(plane: ControlPlane) -> list[str]:
    return [job.metadata.name for job in plane.list(Job) if not job.is_deleting]


def minutes(plane: ControlPlane) -> list[int]:
    """For which minutes there are Jobs, counted from the first."""
    return [int(name.removeprefix("tick-")) - MINUTE for name in names(plane)]


async def end(plane: ControlPlane, minute: int, type_: str = "Complete") -> None:
    """What the controller of Jobs says of one that has ended."""
    now = plane.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": type_, "status": "True", "lastTransitionTime": now}
    status = {"conditions": [condition], "startTime": now, **({"completionTime": now} if type_ == "Complete" else {})}
    await plane.patch(Job, ref(f"tick-{MINUTE + minute}"), {"status": status}, "status")
    await plane.pass_time(1)


async def test_a_job_starts_each_minute(plane: ControlPlane) -> None:
    owner = await start(plane)
    await plane.pass_time(50)
    assert names(plane) == []
    await plane.pass_time(10)
    [job] = plane.list(Job)
    assert job.metadata.name == f"tick-{MINUTE}"
    assert job.metadata.labels["app"] == "a"
    assert job.metadata.annotations == {
        "b": "c",
        "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-02T03:05:00Z",
    }
    assert [(each.kind, each.uid, each.controller) for each in job.metadata.owner_references] == [
        ("CronJob", owner.uid, True)
    ]
    status = plane.get(CronJob, CRON).status
    assert [each.name for each in status.active] == [job.metadata.name]
    assert status.last_schedule_time == datetime(2026, 1, 2, 3, 5, tzinfo=UTC)
    assert plane.events("tick") == [("SuccessfulCreate", f"Created job tick-{MINUTE}")]
    await plane.pass_time(120)
    assert minutes(plane) == [0, 1, 2]


async def test_a_job_that_has_ended_is_active_no_more(plane: ControlPlane) -> None:
    await start(plane)
    await plane.pass_time(60)
    await end(plane, 0)
    status = plane.get(CronJob, CRON).status
    assert status.active == ()
    assert status.last_successful_time is not None
    assert ("SawCompletedJob", f"Saw completed job: tick-{MINUTE}, condition: Complete") in plane.events("tick")


async def test_a_job_that_is_gone_is_active_no_more(plane: ControlPlane) -> None:
    await start(plane)
    await plane.pass_time(60)
    await plane.delete(Job, ref(f"tick-{MINUTE}"), propagation_policy="Background")
    await plane.pass_time(1)
    assert plane.get(CronJob, CRON).status.active == ()
    assert ("MissingJob", f"Active job went missing: tick-{MINUTE}") in plane.events("tick")
    assert names(plane) == []


async def test_forbid_waits_for_the_one_before(plane: ControlPlane) -> None:
    await start(plane, concurrencyPolicy="Forbid")
    await plane.pass_time(150)
    assert minutes(plane) == [0]
    text = "Not starting job because prior execution is running and concurrency policy is Forbid"
    assert ("JobAlreadyActive", text) in plane.events("tick")
    await end(plane, 0)
    await plane.pass_time(1)
    assert len(minutes(plane)) == 2


async def test_replace_ends_the_one_before(plane: ControlPlane) -> None:
    await start(plane, concurrencyPolicy="Replace")
    await plane.pass_time(120)
    assert minutes(plane) == [1]
    assert ("SuccessfulDelete", f"Deleted job tick-{MINUTE}") in plane.events("tick")
    assert [each.name for each in plane.get(CronJob, CRON).status.active] == [f"tick-{MINUTE + 1}"]


async def test_a_suspended_one_starts_nothing_and_then_the_last_that_was_missed(plane: ControlPlane) -> None:
    await start(plane, suspend=True)
    await plane.pass_time(300)
    assert names(plane) == []
    await plane.patch(CronJob, CRON, {"spec": {"suspend": False}})
    await plane.pass_time(1)
    assert minutes(plane) == [4]


async def test_what_is_too_late_does_not_start(plane: ControlPlane) -> None:
    await start(plane, "0 * * * *", suspend=True, startingDeadlineSeconds=60)
    await plane.pass_time(3600)
    await plane.patch(CronJob, CRON, {"spec": {"suspend": False}})
    await plane.pass_time(1)
    assert names(plane) == []
    await plane.pass_time(3600)
    assert len(names(plane)) == 1


async def test_the_oldest_of_those_that_have_ended_go(plane: ControlPlane) -> None:
    await start(plane, successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1)
    for minute in range(4):
        await plane.pass_time(60)
        await end(plane, minute)
    assert minutes(plane) == [2, 3]
    for minute in range(4, 6):
        await plane.pass_time(60)
        await end(plane, minute, "Failed")
    assert minutes(plane) == [2, 3, 5]


async def test_a_job_is_due_at_a_time_of_its_zone(plane: ControlPlane) -> None:
    await start(plane, "10 4 * * *", timeZone="Europe/Berlin")
    await plane.pass_time(400)
    [job] = plane.list(Job)
    due = job.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert due == "2026-01-02T04:10:00+01:00"


async def test_after_a_long_time_only_the_last_starts(plane: ControlPlane) -> None:
    await start(plane, suspend=True)
    await plane.pass_time(86_400)
    await plane.patch(CronJob, CRON, {"spec": {"suspend": False}})
    await plane.pass_time(1)
    assert minutes(plane) == [24 * 60 - 1]
    text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
    assert ("TooManyMissedTimes", text) in plane.events("tick")


async def test_the_job_of_another_of_that_name_is_left_alone(plane: ControlPlane) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
    await plane.create(Job, f"tick-{MINUTE}", spec={"template": {"spec": pod}})
    await start(plane)
    await plane.pass_time(60)
    assert plane.get(CronJob, CRON).status.active == ()
    assert names(plane) == [f"tick-{MINUTE}"]
