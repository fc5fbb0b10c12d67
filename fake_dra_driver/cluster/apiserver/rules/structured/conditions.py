"""Conditions in the status of an object (metav1.Condition), whose fields are all needed but two.

Follows ValidateConditions of k8s.io/apimachinery/pkg/apis/meta/v1/validation.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    exceeds_bytes,
    go_value,
    invalid_value,
    required,
    too_many,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.types.metadata import qualified_name

__all__ = ["validate_conditions"]

_STATES = ("False", "True", "Unknown")
_MAX_REASON_BYTES = 1024
_MAX_MESSAGE_BYTES = 32 * 1024
_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_NO_REASON = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    f"'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '{_REASON}')"
)


def validate_conditions(conditions: Sequence[Mapping[str, Any]], path: str, limit: int) -> list[Problem]:
    """What is wrong with a list of conditions. Unlike other lists, one that is too long is looked at all the same."""
    problems = [too_many(path, len(conditions), limit)] if len(conditions) > limit else []
    seen: set[str] = set()
    for at, each in enumerate(conditions):
        type_ = each.get("type", "")
        if type_ in seen:
            problems.append(duplicate(f"{path}[{at}]", go_value(type_)))
        seen.add(type_)
        problems += _condition(each, f"{path}[{at}]")
    return problems


def _condition(condition: Mapping[str, Any], path: str) -> list[Problem]:
    type_, status = condition.get("type"), condition.get("status")
    problems = []
    if not type_:
        problems.append(required(f"{path}.type", "is required"))
    else:
        problems += [invalid_value(f"{path}.type", go_value(type_), each) for each in qualified_name(type_)]
    if not status:
        problems.append(required(f"{path}.status"))
    elif status not in _STATES:
        problems.append(unsupported_value(f"{path}.status", status, _STATES))
    generation = condition.get("observedGeneration", 0)
    if generation < 0:
        detail = "must be greater than or equal to zero"
        problems.append(invalid_value(f"{path}.observedGeneration", go_value(generation), detail))
    if not condition.get("lastTransitionTime"):
        problems.append(required(f"{path}.lastTransitionTime"))
    problems += _reason(condition.get("reason", ""), f"{path}.reason")
    if len(condition.get("message", "").encode()) > _MAX_MESSAGE_BYTES:
        problems.append(exceeds_bytes(f"{path}.message", _MAX_MESSAGE_BYTES))
    return problems


def _reason(reason: str, path: str) -> list[Problem]:
    if not reason:
        return [required(path)]
    problems = [] if re.fullmatch(_REASON, reason) else [invalid_value(path, go_value(reason), _NO_REASON)]
    return problems + ([exceeds_bytes(path, _MAX_REASON_BYTES)] if len(reason.encode()) > _MAX_REASON_BYTES else [])
