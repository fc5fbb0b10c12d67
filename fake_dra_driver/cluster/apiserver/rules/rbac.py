"""Defaults and rules of roles and their bindings.

Follows k8s.io/kubernetes/pkg/apis/rbac (v1/defaults.go, validation/validation.go). They are checked and stored, but
have no effect: there is no authorization here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import Problem, go_value, invalid_value, required, unsupported_value
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_subdomain, path_segment
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["RBAC_RULES"]

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


def _default_binding(obj: Object) -> None:
    reference = obj.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = _GROUP
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _GROUP)


def _validate_role(*, namespaced: bool) -> Callable[[Object], list[Problem]]:
    def validate(obj: Object) -> list[Problem]:
        rules = enumerate(obj.get("rules") or ())
        return [
            problem for at, rule in rules for problem in _validate_rule(rule, f"rules[{at}]", namespaced=namespaced)
        ]

    return validate


def _validate_rule(rule: Mapping[str, Any], path: str, *, namespaced: bool) -> list[Problem]:
    problems = []
    if not rule.get("verbs"):
        problems.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        field, value = f"{path}.nonResourceURLs", f"[]string{{{', '.join(go_value(each) for each in urls)}}}"
        if namespaced:
            problems.append(invalid_value(field, value, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            problems.append(invalid_value(field, value, detail))
        return problems
    if not rule.get("apiGroups"):
        problems.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        problems.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return problems


def _validate_binding(*, namespaced: bool) -> Callable[[Object], list[Problem]]:
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)

    def validate(obj: Object) -> list[Problem]:
        reference, problems = obj["roleRef"], []
        if reference["apiGroup"] != _GROUP:
            problems.append(unsupported_value("roleRef.apiGroup", reference["apiGroup"], (_GROUP,)))
        if reference.get("kind") not in kinds:
            problems.append(unsupported_value("roleRef.kind", reference.get("kind", ""), kinds))
        name = reference.get("name")
        if not name:
            problems.append(required("roleRef.name"))
        else:
            problems += [invalid_value("roleRef.name", go_value(name), each) for each in path_segment(name)]
        for at, subject in enumerate(obj.get("subjects") or ()):
            problems += _validate_subject(subject, f"subjects[{at}]", namespaced=namespaced)
        return problems

    return validate


def _validate_subject(subject: Mapping[str, Any], path: str, *, namespaced: bool) -> list[Problem]:
    name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
    problems = [] if name else [required(f"{path}.name")]
    if kind == "ServiceAccount":
        if name:
            problems += [invalid_value(f"{path}.name", go_value(name), each) for each in dns_subdomain(name)]
        if group:
            problems.append(unsupported_value(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            problems.append(required(f"{path}.namespace"))
    elif kind not in _SUBJECTS:
        problems.append(unsupported_value(f"{path}.kind", kind, _SUBJECTS))
    elif group != _GROUP:
        problems.append(unsupported_value(f"{path}.apiGroup", group, (_GROUP,)))
    return problems


def _reference_is_immutable(obj: Object, old: Object) -> list[Problem]:
    reference = obj["roleRef"]
    if reference == old["roleRef"]:
        return []
    fields = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
    inner = ", ".join(f"{go}:{go_value(reference.get(name, ''))}" for go, name in fields)
    return [invalid_value("roleRef", f"rbac.RoleRef{{{inner}}}", "cannot change roleRef")]


def _binding(*, namespaced: bool) -> Rules:
    return Rules(
        name_problems=path_segment,
        set_defaults=_default_binding,
        validate=_validate_binding(namespaced=namespaced),
        validate_update=_reference_is_immutable,
    )


RBAC_RULES: Mapping[str, Rules] = {
    "Role": Rules(name_problems=path_segment, validate=_validate_role(namespaced=True)),
    "ClusterRole": Rules(name_problems=path_segment, validate=_validate_role(namespaced=False)),
    "RoleBinding": _binding(namespaced=True),
    "ClusterRoleBinding": _binding(namespaced=False),
}
"""By kind."""
