"""Rules of the node selectors in classes, allocations and pods.

Follows k8s.io/kubernetes/pkg/apis/core/validation (ValidateNodeSelector) and apimachinery's labels.NewRequirement.
"""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import Problem, forbidden, go_value, invalid_value, required
from fake_dra_driver.cluster.apiserver.types.metadata import dns_subdomain, qualified_name

__all__ = ["validate_node_selector", "validate_node_selector_term"]

_BY_LIST = ("In", "NotIn")
_BY_PRESENCE = ("Exists", "DoesNotExist")
_BY_NUMBER = ("Gt", "Lt")


def validate_node_selector(selector: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with a NodeSelector."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    problems: list[Problem] = []
    for at, term in enumerate(terms):
        problems += validate_node_selector_term(term, f"{path}.nodeSelectorTerms[{at}]")
    return problems


def validate_node_selector_term(term: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with one of its terms."""
    problems: list[Problem] = []
    for at, requirement in enumerate(term.get("matchExpressions") or ()):
        problems += _expression(requirement, f"{path}.matchExpressions[{at}]")
    for at, requirement in enumerate(term.get("matchFields") or ()):
        problems += _field(requirement, f"{path}.matchFields[{at}]")
    return problems


def _expression(requirement: Mapping[str, Any], path: str) -> list[Problem]:
    operator, values, key = requirement.get("operator"), requirement.get("values") or (), requirement.get("key", "")
    problems: list[Problem] = []
    if operator in _BY_LIST:
        if not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            problems.append(required(f"{path}.values", detail))
    elif operator in _BY_PRESENCE:
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            problems.append(forbidden(f"{path}.values", detail))
    elif operator in _BY_NUMBER:
        if len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            problems.append(required(f"{path}.values", detail))
    else:
        problems.append(_bad_operator(operator, path))
    return problems + [invalid_value(f"{path}.key", go_value(key), detail) for detail in qualified_name(key)]


def _field(requirement: Mapping[str, Any], path: str) -> list[Problem]:
    operator, values, key = requirement.get("operator"), requirement.get("values") or (), requirement.get("key", "")
    problems: list[Problem] = []
    if operator not in _BY_LIST:
        problems.append(_bad_operator(operator, path))
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        problems.append(required(f"{path}.values", detail))
    if key != "metadata.name":
        problems.append(invalid_value(f"{path}.key", go_value(key), "not a valid field selector key"))
    else:
        for at, value in enumerate(values):
            problems += [invalid_value(f"{path}.values[{at}]", go_value(value), each) for each in dns_subdomain(value)]
    return problems


def _bad_operator(operator: Any, path: str) -> Problem:
    return invalid_value(f"{path}.operator", go_value(operator or ""), "not a valid selector operator")
