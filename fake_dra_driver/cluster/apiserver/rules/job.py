"""Defaults and rules of Jobs.

Follows k8s.io/kubernetes/pkg/apis/batch and pkg/registry/batch/job. Not here: what policies for failing pods and for
success say, which the embedded cluster does not act on, and in which order the fields of a status may change.
"""

from collections.abc import Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.container import nonnegative
from fake_dra_driver.cluster.apiserver.rules.pod import validate_pod_spec
from fake_dra_driver.cluster.apiserver.rules.workload import labels_text, selector_text
from fake_dra_driver.cluster.apiserver.rules.workloaddefaults import default_template
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_label, validate_template_metadata
from fake_dra_driver.cluster.apiserver.types.resource import Rules
from fake_dra_driver.cluster.apiserver.types.selectors import label_selector_problems, match_label_selector

__all__ = ["JOB_RULES", "validate_job_spec"]

_UID_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
_MAX_INT32 = 2**31 - 1
_MAX_INDEXED_PARALLELISM = 100_000
_NUMBERS = (
    *("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"),
    *("backoffLimitPerIndex", "maxFailedIndexes"),
)
_IMMUTABLE = ("selector", "template", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy")
_SCHEDULING = ("nodeSelector", "tolerations", "affinity", "schedulingGates")
"""Fields of a template's pods that may change while the Job is suspended and has never started."""
_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


def _default(obj: Object) -> None:
    """Fills in what a Job leaves out."""
    spec = obj["spec"]
    if spec.get("parallelism") is None:
        # With a parallelism, completions may stay unset: the job then ends when one of its pods succeeds.
        spec.setdefault("completions", 1)
    is_policed = spec.get("podFailurePolicy") is not None
    for name, value in (
        ("parallelism", 1),
        ("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else _MAX_INT32),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
        ("podReplacementPolicy", "Failed" if is_policed else "TerminatingOrFailed"),
        ("manualSelector", False),
    ):
        spec.setdefault(name, value)
    default_template(obj)


def _admit(obj: Object) -> None:
    """Makes a new job select its pods by its UID, which their labels have."""
    if obj["spec"].get("manualSelector"):
        return
    uid, name = obj["metadata"]["uid"], obj["metadata"].get("name", "")
    labels = obj["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})
    for keys, value in ((_UID_LABELS, uid), (_NAME_LABELS, name)):
        for key in keys:
            labels.setdefault(key, value)
    obj["metadata"].setdefault("labels", dict(labels))
    selector = obj["spec"].setdefault("selector", {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), _UID_LABELS[1]: uid}


def _validate(obj: Object) -> list[Problem]:
    metadata, spec = obj["metadata"], obj["spec"]
    is_new = "resourceVersion" not in metadata
    problems = _generated_selector(obj) if is_new else []
    problems += validate_job_spec(spec) + _selector(spec)
    highest = (spec.get("completions") or 0) - 1
    if spec.get("completionMode") == "Indexed" and highest >= 0:
        hostname = f"{metadata.get('name', '')}-{highest}"
        if dns_label(hostname):
            detail = f"will not able to create pod with invalid DNS label: {hostname}"
            problems.append(invalid_value("metadata.name", go_value(metadata.get("name", "")), detail))
    return problems


def validate_job_spec(spec: Object) -> list[Problem]:
    """What is wrong with a Job, or with the template of one, beside its selector."""
    return _numbers(spec) + _completion_mode(spec) + _replacement(spec) + _template(spec)


def _generated_selector(obj: Object) -> list[Problem]:
    """What is wrong with the selector that the Job was given, because of labels that the client has set."""
    if obj["spec"].get("manualSelector"):
        return []
    labels = obj["spec"]["template"]["metadata"]["labels"]
    uid, name = obj["metadata"]["uid"], obj["metadata"].get("name", "")
    wanted = {_UID_LABELS[0]: uid, _NAME_LABELS[0]: name, _UID_LABELS[1]: uid, _NAME_LABELS[1]: name}
    problems = [
        invalid_value(f"spec.template.metadata.labels[{key}]", labels_text(labels), f"must be '{value}'")
        for key, value in wanted.items()
        if labels.get(key) != value
    ]
    selector = obj["spec"]["selector"]
    if not label_selector_problems(selector, "") and not match_label_selector(selector, wanted):
        problems.append(invalid_value("spec.selector", selector_text(selector), "`selector` not auto-generated"))
    return problems


def _numbers(spec: Object) -> list[Problem]:
    problems = [problem for name in _NUMBERS for problem in nonnegative(spec.get(name), f"spec.{name}")]
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        problems.append(required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    return problems


def _completion_mode(spec: Object) -> list[Problem]:
    mode, problems = spec.get("completionMode"), []
    if mode == "NonIndexed":
        return [
            invalid_value(f"spec.{name}", go_value(spec[name]), "requires indexed completion mode")
            for name in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy")
            if spec.get(name) is not None
        ]
    if mode != "Indexed":
        return [unsupported_value("spec.completionMode", mode, ("NonIndexed", "Indexed"))]
    completions, parallelism = spec.get("completions"), spec.get("parallelism", 0)
    if completions is None:
        problems.append(required("spec.completions", "when completion mode is Indexed"))
    if parallelism > _MAX_INDEXED_PARALLELISM:
        detail = f"must be less than or equal to {_MAX_INDEXED_PARALLELISM} when completion mode is Indexed"
        problems.append(invalid_value("spec.parallelism", go_value(parallelism), detail))
    failed = spec.get("maxFailedIndexes")
    if completions is not None and failed is not None and failed > completions:
        detail = "must be less than or equal to completions"
        problems.append(invalid_value("spec.maxFailedIndexes", go_value(failed), detail))
    return problems


def _replacement(spec: Object) -> list[Problem]:
    choices = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    policy = spec.get("podReplacementPolicy")
    return [] if policy in choices else [unsupported_value("spec.podReplacementPolicy", policy, choices)]


def _template(spec: Object) -> list[Problem]:
    template, path = spec.get("template") or {}, "spec.template"
    problems = validate_template_metadata(template.get("metadata") or {}, path)
    problems += validate_pod_spec(template.get("spec") or {}, f"{path}.spec")
    policy, at = (template.get("spec") or {}).get("restartPolicy"), f"{path}.spec.restartPolicy"
    if policy == "Always":
        problems.append(required(at, 'valid values: "OnFailure", "Never"'))
    elif policy not in ("OnFailure", "Never"):
        problems.append(unsupported_value(at, policy, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        problems.append(invalid_value(at, go_value(policy), detail))
    return problems


def _selector(spec: Object) -> list[Problem]:
    selector = spec.get("selector")
    problems = [required("spec.selector")] if selector is None else label_selector_problems(selector, "spec.selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if selector is None or (not problems and not match_label_selector(selector, labels)):
        detail = "`selector` does not match template `labels`"
        problems.append(invalid_value("spec.template.metadata.labels", labels_text(labels), detail))
    return problems


def _validate_update(obj: Object, old: Object) -> list[Problem]:
    spec, before, problems = obj["spec"], old["spec"], _validate(obj)
    completions = spec.get("completions")
    if completions != before.get("completions"):
        at, value = "spec.completions", go_value(completions)
        if spec.get("completionMode") != "Indexed":
            problems.append(invalid_value(at, value, "field is immutable"))
        elif completions is not None and completions != spec.get("parallelism"):
            problems.append(invalid_value(at, value, "can only be modified in tandem with spec.parallelism"))
    is_waiting = bool(before.get("suspend")) and not (old.get("status") or {}).get("startTime")
    for name in _IMMUTABLE:
        new, kept = spec.get(name), before.get(name)
        if name == "template" and is_waiting:
            new, kept = _without_scheduling(new), _without_scheduling(kept)
        if new != kept:
            problems.append(invalid_value(f"spec.{name}", go_value(spec.get(name)), "field is immutable"))
    return problems


def _without_scheduling(template: Object) -> Object:
    pod = {name: value for name, value in template["spec"].items() if name not in _SCHEDULING}
    metadata = {
        name: value for name, value in (template.get("metadata") or {}).items() if name not in ("annotations", "labels")
    }
    return {**template, "metadata": metadata, "spec": pod}


def _validate_status(obj: Object, _: Object) -> list[Problem]:
    status = obj.get("status") or {}
    names = ("active", "succeeded", "failed", "ready", "terminating")
    problems = [problem for name in names for problem in nonnegative(status.get(name), f"status.{name}")]
    uncounted: dict[str, Sequence[Any]] = status.get("uncountedTerminatedPods") or {}
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for at, uid in enumerate(uncounted.get(name) or ()):
            path = f"status.uncountedTerminatedPods.{name}[{at}]"
            if not uid:
                problems.append(invalid_value(path, '""', "must not be empty"))
            elif uid in seen:
                problems.append(duplicate(path, go_value(uid)))
            seen.add(uid)
    return problems


JOB_RULES = Rules(
    set_defaults=_default,
    admit=_admit,
    validate=_validate,
    validate_update=_validate_update,
    revalidates=False,
    validate_status=_validate_status,
    status_on_create={},
    has_generation=True,
    orphan_warning=_ORPHANS,
    selectable=("status.successful",),
)
