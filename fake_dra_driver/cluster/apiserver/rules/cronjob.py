"""Defaults and rules of CronJobs.

Follows k8s.io/kubernetes/pkg/apis/batch and pkg/registry/batch/cronjob.
"""

from dataclasses import replace

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.container import nonnegative
from fake_dra_driver.cluster.apiserver.rules.job import validate_job_spec
from fake_dra_driver.cluster.apiserver.rules.workload import selector_text
from fake_dra_driver.cluster.apiserver.rules.workloaddefaults import default_template
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_label
from fake_dra_driver.cluster.apiserver.types.resource import Rules
from fake_dra_driver.cluster.cronschedule import ScheduleError, parse_schedule, time_zone

__all__ = ["CRON_JOB_RULES"]

_LONGEST_NAME = 52
"""A Job's name has eleven characters more."""
_POLICIES = ("Allow", "Forbid", "Replace")
_TEMPLATE = "spec.jobTemplate.spec"


def _default(obj: Object) -> None:
    """Fills in what a CronJob leaves out; of its Jobs, only their pods: the rest once there is a Job."""
    spec = obj["spec"]
    for name, value in (
        ("concurrencyPolicy", "Allow"),
        ("suspend", False),
        ("successfulJobsHistoryLimit", 3),
        ("failedJobsHistoryLimit", 1),
    ):
        spec.setdefault(name, value)
    default_template({"spec": spec.setdefault("jobTemplate", {}).setdefault("spec", {})})


def _validate(obj: Object) -> list[Problem]:
    metadata, spec = obj["metadata"], obj["spec"]
    problems = _schedule(spec)
    for name in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        problems += nonnegative(spec.get(name), f"spec.{name}")
    if spec.get("concurrencyPolicy") not in _POLICIES:
        problems.append(unsupported_value("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _POLICIES))
    problems += _job_template(spec["jobTemplate"]["spec"])
    name = metadata.get("name", "")
    if "resourceVersion" not in metadata and len(name) > _LONGEST_NAME:
        detail = f"must be no more than {_LONGEST_NAME} characters"
        problems.append(invalid_value("metadata.name", go_value(name), detail))
    return problems


def _schedule(spec: Object) -> list[Problem]:
    schedule, zone = spec.get("schedule") or "", spec.get("timeZone")
    problems = []
    if not schedule:
        problems.append(required("spec.schedule"))
    else:
        try:
            parse_schedule(schedule)
        except ScheduleError as error:
            problems.append(invalid_value("spec.schedule", go_value(schedule), str(error)))
        if "TZ" in schedule:
            detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            problems.append(invalid_value("spec.schedule", go_value(schedule), detail))
    if zone is not None:
        problems += _time_zone(zone)
    return problems


def _time_zone(zone: str) -> list[Problem]:
    if not zone:
        return [invalid_value("spec.timeZone", go_value(zone), "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid_value("spec.timeZone", go_value(zone), detail)]
    try:
        time_zone(zone)
    except ScheduleError as error:
        return [invalid_value("spec.timeZone", go_value(zone), str(error))]
    return []


def _job_template(spec: Object) -> list[Problem]:
    defaults = {"completionMode": "NonIndexed", "podReplacementPolicy": _replacement(spec)}
    found = validate_job_spec({**defaults, **{name: each for name, each in spec.items() if each is not None}})
    problems = [replace(each, field=f"{_TEMPLATE}{each.field.removeprefix('spec')}") for each in found]
    if spec.get("selector") is not None:
        text = selector_text(spec["selector"])
        problems.append(invalid_value(f"{_TEMPLATE}.selector", text, "`selector` will be auto-generated"))
    if spec.get("manualSelector"):
        problems.append(unsupported_value(f"{_TEMPLATE}.manualSelector", True, ("nil", "false")))
    return problems


def _replacement(spec: Object) -> str:
    return "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"


def _warn(obj: Object) -> list[str]:
    if not (problems := dns_label(obj["metadata"].get("name", ""))):
        return []
    told = (
        "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended"
    )
    return [f"metadata.name: {told}: [{' '.join(problems)}]"]


CRON_JOB_RULES = Rules(
    set_defaults=_default,
    validate=_validate,
    warn=_warn,
    status_on_create={},
    has_generation=True,
)
