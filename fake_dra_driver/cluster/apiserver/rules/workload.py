"""Rules of workloads: Deployment, DaemonSet, ReplicaSet, StatefulSet.

Follows k8s.io/kubernetes/pkg/apis/apps/validation and their strategies.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.container import nonnegative
from fake_dra_driver.cluster.apiserver.rules.pod import validate_pod_spec
from fake_dra_driver.cluster.apiserver.rules.workloaddefaults import (
    count_template,
    default_daemonset,
    default_deployment,
    default_replicaset,
    default_statefulset,
)
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import validate_template_metadata
from fake_dra_driver.cluster.apiserver.types.resource import Rules
from fake_dra_driver.cluster.apiserver.types.selectors import label_selector_problems, match_label_selector

__all__ = ["WORKLOAD_RULES", "labels_text", "selector_text"]


def _validate_pods(spec: Object, kind: str = "deployment") -> list[Problem]:
    """Selector and template of a workload that keeps pods running. A ReplicaSet's errors call it a deployment."""
    selector, problems = spec.get("selector"), _validate_selector(spec, kind)
    if selector is None or not label_selector_problems(selector, "spec.selector"):
        return problems + _validate_template(spec, selector)
    if kind == "daemonset":
        return problems + _validate_template(spec, {})
    return [*problems, invalid_value("spec.selector", selector_text(selector), "invalid label selector")]


def _validate_template(spec: Object, selector: Object | None, path: str = "spec.template") -> list[Problem]:
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    problems: list[Problem] = []
    if selector is None or not match_label_selector(selector, labels):
        problems.append(
            invalid_value(f"{path}.metadata.labels", labels_text(labels), "`selector` does not match template `labels`")
        )
    pod = template.get("spec") or {}
    problems += validate_template_metadata(template.get("metadata") or {}, path)
    problems += validate_pod_spec(pod, f"{path}.spec")
    if pod.get("restartPolicy") != "Always":
        problems.append(unsupported_value(f"{path}.spec.restartPolicy", pod.get("restartPolicy"), ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        is_stateful = "podManagementPolicy" in spec
        kind = "StatefulSet" if is_stateful else "ReplicaSet" if "replicas" in spec else "DaemonSet"
        problems.append(
            forbidden(f"{path}.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported")
        )
    return problems


def _validate_selector(spec: Object, kind: str) -> list[Problem]:
    selector = spec.get("selector")
    if selector is None:
        return [] if kind == "daemonset" else [required("spec.selector")]
    problems = label_selector_problems(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        text = selector_text(selector)
        problems.append(invalid_value("spec.selector", text, f"empty selector is invalid for {kind}"))
    return problems


def _validate_deployment(obj: Object) -> list[Problem]:
    spec = obj["spec"]
    problems = nonnegative(spec.get("replicas"), "spec.replicas") + _validate_pods(spec)
    problems += _validate_strategy(spec.get("strategy") or {})
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        problems += nonnegative(spec.get(name), f"spec.{name}")
    deadline = spec.get("progressDeadlineSeconds", 600)
    if deadline <= spec.get("minReadySeconds", 0):
        problems.append(
            invalid_value("spec.progressDeadlineSeconds", go_value(deadline), "must be greater than minReadySeconds")
        )
    return problems


def _validate_strategy(strategy: Object) -> list[Problem]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is None:
            return []
        detail = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden("spec.strategy.rollingUpdate", detail)]
    if kind != "RollingUpdate":
        return [unsupported_value("spec.strategy", strategy, ("Recreate", "RollingUpdate"))]
    path = "spec.strategy.rollingUpdate"
    unavailable, surge = (rolling or {}).get("maxUnavailable"), (rolling or {}).get("maxSurge")
    problems = _share(unavailable, f"{path}.maxUnavailable") + _share(surge, f"{path}.maxSurge")
    if not problems and _amount(unavailable) == 0 and _amount(surge) == 0:
        text = _int_or_string(unavailable)
        problems.append(invalid_value(f"{path}.maxUnavailable", text, "may not be 0 when `maxSurge` is 0"))
    return problems + _at_most_all(unavailable, f"{path}.maxUnavailable")


def _int_or_string(value: Any) -> str:
    """As Go prints an IntOrString."""
    if isinstance(value, int):
        return f'intstr.IntOrString{{Type:0, IntVal:{value}, StrVal:""}}'
    return f"intstr.IntOrString{{Type:1, IntVal:0, StrVal:{go_value(value)}}}"


def _share(value: Any, path: str) -> list[Problem]:
    if isinstance(value, int):
        return nonnegative(value, path)
    if value is None or re.fullmatch("[0-9]+%", value):
        return []
    detail = (
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used "
        "for validation is '[0-9]+%')"
    )
    return [invalid_value(path, _int_or_string(value), detail)]


def _amount(value: Any) -> int:
    return value if isinstance(value, int) else int(value[:-1]) if isinstance(value, str) else 0


def _at_most_all(value: Any, path: str) -> list[Problem]:
    if isinstance(value, str) and re.fullmatch("[0-9]+%", value) and int(value[:-1]) > 100:
        return [invalid_value(path, _int_or_string(value), "must not be greater than 100%")]
    return []


def _validate_replicaset(obj: Object) -> list[Problem]:
    spec, problems = obj["spec"], []
    for name in ("replicas", "minReadySeconds"):
        problems += nonnegative(spec.get(name), f"spec.{name}")
    return problems + _validate_pods(spec)


def _validate_daemonset(obj: Object) -> list[Problem]:
    spec = obj["spec"]
    problems = _validate_pods(spec, "daemonset")
    problems += nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "RollingUpdate":
        path = "spec.updateStrategy.rollingUpdate"
        rolling = strategy.get("rollingUpdate") or {}
        unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
        problems += _share(unavailable, f"{path}.maxUnavailable") + _share(surge, f"{path}.maxSurge")
        problems += _at_most_all(unavailable, f"{path}.maxUnavailable") + _at_most_all(surge, f"{path}.maxSurge")
        if not problems and _amount(unavailable) and _amount(surge):
            detail = "may not be set when maxUnavailable is non-zero"
            problems.append(invalid_value(f"{path}.maxSurge", _int_or_string(surge), detail))
        elif not problems and not _amount(unavailable) and not _amount(surge):
            problems.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    elif strategy.get("type") != "OnDelete":
        problems.append(unsupported_value("spec.updateStrategy", strategy, ("RollingUpdate", "OnDelete")))
    return problems + nonnegative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")


def _validate_statefulset(obj: Object) -> list[Problem]:
    spec, problems = obj["spec"], []
    policy = spec.get("podManagementPolicy")
    if policy not in ("OrderedReady", "Parallel"):
        detail = "must be 'OrderedReady' or 'Parallel'"
        problems.append(invalid_value("spec.podManagementPolicy", go_value(policy), detail))
    problems += _validate_statefulset_strategy(spec.get("updateStrategy") or {})
    if spec.get("volumeClaimTemplates"):
        detail = "this cluster has no PersistentVolumeClaims: use an emptyDir in the pod template"
        problems.append(forbidden("spec.volumeClaimTemplates", detail))
    for name in ("replicas", "minReadySeconds"):
        problems += nonnegative(spec.get(name), f"spec.{name}")
    problems += nonnegative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start")
    return problems + _validate_pods(spec, "statefulset")


def _validate_statefulset_strategy(strategy: Object) -> list[Problem]:
    kind, rolling, path = strategy.get("type"), strategy.get("rollingUpdate"), "spec.updateStrategy"
    if kind not in ("RollingUpdate", "OnDelete"):
        value = f"apps.StatefulSetUpdateStrategy{{Type:{go_value(kind)}}}"
        return [invalid_value(path, value, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    if kind == "OnDelete":
        detail = "only allowed for updateStrategy 'RollingUpdate'"
        return [invalid_value(f"{path}.rollingUpdate", "apps.RollingUpdateStatefulSetStrategy", detail)]
    return nonnegative(rolling.get("partition"), f"{path}.rollingUpdate.partition")


def _statefulset_is_immutable(obj: Object, old: Object) -> list[Problem]:
    problems = _selector_is_immutable(obj, old)
    for name in ("serviceName", "podManagementPolicy"):
        new = obj["spec"].get(name)
        if new != old["spec"].get(name):
            problems.append(invalid_value(f"spec.{name}", go_value(new or ""), "field is immutable"))
    return problems


def _selector_is_immutable(obj: Object, old: Object) -> list[Problem]:
    selector = obj["spec"].get("selector")
    if selector == old["spec"].get("selector"):
        return []
    return [invalid_value("spec.selector", selector_text(selector or {}), "field is immutable")]


def labels_text(labels: Mapping[str, Any] | None) -> str:
    """As Go's %#v prints labels."""
    inner = ", ".join(f"{go_value(key)}:{go_value(each)}" for key, each in sorted((labels or {}).items()))
    return f"map[string]string{{{inner}}}" if labels else "map[string]string(nil)"


def selector_text(selector: Object) -> str:
    """As Go's %#v prints a selector of labels."""
    shown = labels_text(selector.get("matchLabels"))
    return f"v1.LabelSelector{{MatchLabels:{shown}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}"


def _validate_counts(*names: str, of_replicas: tuple[str, ...] = ()) -> Callable[[Object, Object], list[Problem]]:
    """The numbers of a status: none below 0, and some at most the number of replicas."""

    def validate(obj: Object, _: Object) -> list[Problem]:
        status = obj.get("status") or {}
        problems = [problem for name in names for problem in nonnegative(status.get(name), f"status.{name}")]
        replicas = status.get("replicas", 0)
        for name in of_replicas:
            if status.get(name, 0) > replicas:
                detail = "cannot be greater than status.replicas"
                problems.append(invalid_value(f"status.{name}", go_value(status[name]), detail))
        if of_replicas and status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
            value = go_value(status["availableReplicas"])
            problems.append(invalid_value("status.availableReplicas", value, "cannot be greater than readyReplicas"))
        return problems

    return validate


WORKLOAD_RULES: Mapping[str, Rules] = {
    "Deployment": Rules(
        set_defaults=default_deployment,
        validate=_validate_deployment,
        validate_update=_selector_is_immutable,
        validate_status=_validate_counts(
            "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
            "unavailableReplicas", of_replicas=("updatedReplicas", "readyReplicas", "availableReplicas"),
        ),
        status_on_create={},
        has_generation=True,
        counts_annotations=True,
    ),
    "DaemonSet": Rules(
        set_defaults=default_daemonset,
        prepare=count_template,
        validate=_validate_daemonset,
        validate_update=_selector_is_immutable,
        validate_status=_validate_counts(
            "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady",
            "observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable",
        ),
        status_on_create={},
        has_generation=True,
    ),
    "ReplicaSet": Rules(
        set_defaults=default_replicaset,
        validate=_validate_replicaset,
        validate_update=_selector_is_immutable,
        validate_status=_validate_counts(
            "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
            of_replicas=("fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
        ),
        status_on_create={},
        has_generation=True,
        selectable=("status.replicas",),
    ),
    "StatefulSet": Rules(
        set_defaults=default_statefulset,
        validate=_validate_statefulset,
        validate_update=_statefulset_is_immutable,
        validate_status=_validate_counts(
            "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
            "observedGeneration", "collisionCount",
            of_replicas=("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
        ),
        status_on_create={"replicas": 0, "availableReplicas": 0},
        has_generation=True,
    ),
}  # fmt: skip
"""By kind."""
