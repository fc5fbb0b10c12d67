"""CronJobs: defaults, what is refused, what may change, and their table."""

from typing import Any

import pytest

from tests.conformance.api import MERGE_PATCH, Api, Json


@pytest.fixture
def cron_jobs(namespace: str) -> str:
    """The CronJobs of the test's namespace."""
    return f"/apis/batch/v1/namespaces/{namespace}/cronjobs"


def cron(name: str = "c", *, job: Json | None = None, **spec: Any) -> Json:
    """A CronJob."""
    pod = {"containers": [{"name": "c", "image": "busybox"}], "restartPolicy": "Never"}
    template = {"spec": {"template": {"spec": pod}, **(job or {})}}
    whole = {"schedule": "0 0 1 1 *", "jobTemplate": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": whole}


def test_defaults(api: Api, cron_jobs: str) -> None:
    created = api.post(cron_jobs, cron())
    spec = created["spec"]
    assert {name: value for name, value in spec.items() if name != "jobTemplate"} == {
        "schedule": "0 0 1 1 *",
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    assert set(spec["jobTemplate"]["spec"]) == {"template"}
    assert spec["jobTemplate"]["spec"]["template"]["spec"]["schedulerName"] == "default-scheduler"
    assert created["status"] == {}
    assert created["metadata"]["generation"] == 1


@pytest.mark.parametrize("schedule", ["@hourly", "@every 1h30m", "*/5 8-18 * jan-mar MON-FRI", "0 12 ? * 1,3"])
def test_schedules(api: Api, cron_jobs: str, schedule: str) -> None:
    api.post(cron_jobs, cron(schedule=schedule, timeZone="Europe/Berlin"))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"schedule": ""}, "spec.schedule: Required value"),
        (
            {"schedule": "* * * *"},
            'spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]',
        ),
        ({"schedule": "60 * * * *"}, "end of range (60) above maximum (59): 60"),
        ({"schedule": "x * * * *"}, 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ({"schedule": "@often"}, "unrecognized descriptor: @often"),
        ({"schedule": "@every 5"}, 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ({"schedule": "@every x"}, 'failed to parse duration @every x: time: invalid duration "x"'),
        ({"schedule": "*/0 * * * *"}, "step of range should be a positive number: */0"),
        ({"schedule": "TZ=UTC 0 * * * *"}, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
        ({"timeZone": ""}, "timeZone must be nil or non-empty string"),
        ({"timeZone": "Local"}, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"),
        ({"timeZone": "Nowhere/Land"}, 'spec.timeZone: Invalid value: "Nowhere/Land": unknown time zone Nowhere/Land'),
        ({"timeZone": "../etc"}, "unknown time zone ../etc"),
        (
            {"concurrencyPolicy": "X"},
            'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forb',
        ),
        (
            {"startingDeadlineSeconds": -1},
            "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or eq",
        ),
        ({"successfulJobsHistoryLimit": -1}, "spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater"),
        (
            {"failedJobsHistoryLimit": -1},
            "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal",
        ),
        ({"job": {"parallelism": -1}}, "spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or"),
        ({"job": {"selector": {"matchLabels": {"a": "b"}}}}, "spec.jobTemplate.spec.selector: Invalid value: "),
        ({"job": {"manualSelector": True}}, "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported"),
        ({"job": {"template": {"spec": {}}}}, "spec.jobTemplate.spec.template.spec.containers: Required value"),
    ],
)
def test_what_is_wrong_with_a_cron_job(api: Api, cron_jobs: str, spec: Json, words: str) -> None:
    api.refused(422, "Invalid", "POST", cron_jobs, cron(**spec), says=words)


def test_names_leave_room_for_those_of_jobs(api: Api, cron_jobs: str) -> None:
    api.post(cron_jobs, cron("a" * 52))
    words = f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters'
    api.refused(422, "Invalid", "POST", cron_jobs, cron("a" * 53), says=words)


def test_what_changes(api: Api, cron_jobs: str) -> None:
    api.post(cron_jobs, cron())
    change = {"schedule": "@daily", "suspend": True, "concurrencyPolicy": "Replace"}
    assert api.patch(f"{cron_jobs}/c", {"spec": change})["metadata"]["generation"] == 2
    words = "expected exactly 5 fields"
    body = {"spec": {"schedule": "x"}}
    api.refused(422, "Invalid", "PATCH", f"{cron_jobs}/c", body, says=words, content_type=MERGE_PATCH)
    status = {"status": {"lastScheduleTime": "2026-01-02T03:04:05Z"}}
    written = api.patch(f"{cron_jobs}/c/status", status)
    assert written["status"] == {"lastScheduleTime": "2026-01-02T03:04:05Z"}
    assert written["metadata"]["generation"] == 2
