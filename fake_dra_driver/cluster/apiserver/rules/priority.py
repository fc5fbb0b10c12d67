"""Priorities of pods: the admission plugin Priority, and the classes that each cluster has.

Follows k8s.io/kubernetes/plugin/pkg/admission/priority and pkg/apis/scheduling. The scheduler here ignores
priorities, but a manifest that is wrong about them is refused all the same.
"""

from collections.abc import Mapping
from typing import Final

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    not_admitted,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.store.store import Object, Record, Store
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["PRIORITY_CLASS_RULES", "SYSTEM_PRIORITY_CLASSES", "admit_priority"]

SYSTEM_PRIORITY_CLASSES: Final[Mapping[str, int]] = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}
"""Values by name; these classes always exist and cannot be deleted."""
_MAX_USER_PRIORITY = 1_000_000_000
"""HighestUserDefinablePriority."""
_POLICIES = ("PreemptLowerPriority", "Never")


def admit_priority(store: Store, pod: Object) -> None:
    """Gives a new pod the priority of its class. Raises StatusError: 403, it has none, or names another priority."""
    spec, name = pod["spec"], pod["metadata"].get("name", "")
    classes = list(store.collection(("scheduling.k8s.io", "priorityclasses")).records())
    priority, policy = 0, _POLICIES[0]
    if wanted := spec.get("priorityClassName"):
        found = next((each.value for each in classes if each.key.name == wanted), None)
        if found is None:
            raise not_admitted("", "pods", name, f"no PriorityClass with name {wanted} was found")
        priority, policy = found.get("value", 0), found["preemptionPolicy"]
    elif default := _default_class(classes):
        spec["priorityClassName"] = default["metadata"]["name"]
        priority, policy = default.get("value", 0), default["preemptionPolicy"]
    _settle(spec, name, "priority", "the integer value of priority", priority)
    _settle(spec, name, "preemptionPolicy", "the string value of PreemptionPolicy", policy)


def _default_class(classes: list[Record]) -> Object | None:
    """The class of pods that name none: of several that are global defaults, the one with the lowest value."""
    defaults = [each.value for each in classes if each.value.get("globalDefault")]
    return min(defaults, key=lambda each: int(each.get("value", 0)), default=None)


def _settle(spec: Object, pod: str, field: str, title: str, value: int | str) -> None:
    given = spec.get(field)
    if given is not None and given != value:
        message = (
            f"{title} ({given}) must not be provided in pod spec; priority admission controller computed {value} from "
            "the given PriorityClass name"
        )
        raise not_admitted("", "pods", pod, message)
    spec[field] = value


def _default(obj: Object) -> None:
    obj.setdefault("preemptionPolicy", _POLICIES[0])


def _validate(obj: Object) -> list[Problem]:
    name, value = obj["metadata"].get("name", ""), obj.get("value", 0)
    problems: list[Problem] = []
    if SYSTEM_PRIORITY_CLASSES.get(name) == value:
        return problems
    if name.startswith("system-"):
        detail = "priority class names with 'system-' prefix are reserved for system use only. error: "
        problems.append(forbidden("metadata.name", f"{detail}{name} is not a known system priority class"))
    elif value > _MAX_USER_PRIORITY:
        detail = f"maximum allowed value of a user defined priority is {_MAX_USER_PRIORITY}"
        problems.append(forbidden("value", detail))
    if obj["preemptionPolicy"] not in _POLICIES:
        problems.append(unsupported_value("preemptionPolicy", obj["preemptionPolicy"], _POLICIES))
    return problems


def _validate_update(obj: Object, old: Object) -> list[Problem]:
    problems = []
    if obj.get("value", 0) != old.get("value", 0):
        problems.append(forbidden("value", "may not be changed in an update."))
    if obj["preemptionPolicy"] != old["preemptionPolicy"]:
        problems.append(invalid_value("preemptionPolicy", go_value(obj["preemptionPolicy"]), "field is immutable"))
    return problems


PRIORITY_CLASS_RULES: Final = Rules(
    set_defaults=_default, validate=_validate, validate_update=_validate_update, has_generation=True
)
