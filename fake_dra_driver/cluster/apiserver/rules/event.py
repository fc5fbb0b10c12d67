"""Rules of events, which are served in two groups, and of leases.

Follows k8s.io/kubernetes/pkg/apis/core/validation/events.go and pkg/apis/coordination/validation.
"""

from collections.abc import Mapping

from fake_dra_driver.cluster.apiserver.errors import Problem, go_value, invalid_value, required
from fake_dra_driver.cluster.apiserver.rules.container import nonnegative
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import path_segment, qualified_name
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["EVENT_RULES", "event_rules"]


def _limited(value: str, path: str, limit: int) -> list[Problem]:
    problems = [] if value else [required(path)]
    return problems + (
        [invalid_value(path, '""', f"can have at most {limit} characters")] if len(value) > limit else []
    )


def event_rules(*, is_new_group: bool) -> Rules:
    """Rules of events in the core group, or, stricter, in events.k8s.io. Stored events have the names of the former."""
    reporter = "reportingController" if is_new_group else "reportingComponent"

    def validate(obj: Object) -> list[Problem]:
        namespace, about = obj["metadata"].get("namespace", ""), (obj.get("involvedObject") or {}).get("namespace", "")
        mismatch = invalid_value("involvedObject.namespace", go_value(about), "does not match event.namespace")
        problems: list[Problem] = []
        if obj.get("eventTime") is None:
            if namespace != about and (about or namespace != "default"):
                problems.append(mismatch)
        else:
            if not about and namespace not in ("default", "kube-system"):
                problems.append(mismatch)
            name = obj.get("reportingComponent", "")
            problems += [] if name else [required(reporter)]
            problems += [invalid_value(reporter, go_value(name), each) for each in qualified_name(name)]
            for field in ("reportingInstance", "action", "reason"):
                problems += _limited(obj.get(field, ""), field, 128)
            if len(obj.get("message", "")) > 1024:
                problems.append(invalid_value("message", '""', "can have at most 1024 characters"))
        return problems + (_strict(obj) if is_new_group else [])

    return Rules(name_problems=path_segment, validate=validate, selectable=_EVENT_FIELDS)


def _strict(obj: Object) -> list[Problem]:
    """What events.k8s.io/v1 requires in addition."""
    problems = [required("eventTime")] if obj.get("eventTime") is None else []
    if obj.get("type") not in ("Normal", "Warning"):
        problems.append(invalid_value("type", '""', f"has invalid value: {obj.get('type', '')}"))
    unset = ("firstTimestamp", "lastTimestamp", "count", "source")
    return problems + [invalid_value(name, '""', "needs to be unset") for name in unset if obj.get(name)]


_EVENT_FIELDS = (
    *(
        f"involvedObject.{name}"
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    ),
    "reason",
    "reportingComponent",
    "source",
    "type",
)


def _validate_lease(obj: Object) -> list[Problem]:
    spec = obj.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    problems = []
    if seconds is not None and seconds <= 0:
        problems.append(invalid_value("spec.leaseDurationSeconds", go_value(seconds), "must be greater than 0"))
    return problems + nonnegative(spec.get("leaseTransitions"), "spec.leaseTransitions")


EVENT_RULES: Mapping[str, Rules] = {
    "Event": event_rules(is_new_group=False),
    "Lease": Rules(validate=_validate_lease, update_without_version=False),
}
"""By kind."""
