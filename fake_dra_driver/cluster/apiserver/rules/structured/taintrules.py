"""DeviceTaintRules: which devices they are about, their taint, and what the status says of pods that have to go.

Follows pkg/registry/resource/devicetaintrule and ValidateDeviceTaintRule of Kubernetes 1.37.
"""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import Problem
from fake_dra_driver.cluster.apiserver.rules.structured.conditions import validate_conditions
from fake_dra_driver.cluster.apiserver.rules.structured.fields import driver_name, label, pool_name, taint
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["date_effect", "default_taint_of_rule", "validate_rule_spec", "validate_rule_status"]

_MAX_CONDITIONS = 8


def default_taint_of_rule(obj: Object, now_text: str) -> None:
    """Dates the taint if it comes without a time: each time it is written."""
    taint_of_rule = obj["spec"].setdefault("taint", {})
    taint_of_rule.setdefault("timeAdded", now_text)


def date_effect(obj: Object, old: Object | None, now_text: str) -> None:
    """Dates a taint whose effect has changed, unless the client gives another time itself.

    What pods tolerate for a while is counted from the time of the effect, not from that of the rule.
    """
    new, before = obj["spec"]["taint"], ((old or {}).get("spec") or {}).get("taint") or {}
    if old is not None and new.get("effect") != before.get("effect") and new["timeAdded"] == before.get("timeAdded"):
        new["timeAdded"] = now_text


def validate_rule_spec(spec: Object, path: str) -> list[Problem]:
    """What is wrong with the spec of a rule."""
    problems = _selector(spec.get("deviceSelector") or {}, f"{path}.deviceSelector")
    return problems + taint(spec.get("taint") or {}, f"{path}.taint")


def _selector(selector: Mapping[str, Any], path: str) -> list[Problem]:
    checks = (("driver", driver_name), ("pool", pool_name), ("device", label))
    return [
        problem
        for name, check in checks
        if selector.get(name) is not None
        for problem in check(selector[name], f"{path}.{name}")
    ]


def validate_rule_status(rule: Object, _: Object) -> list[Problem]:
    """What is wrong with the new status of a rule."""
    conditions = (rule.get("status") or {}).get("conditions") or ()
    return validate_conditions(conditions, "status.conditions", _MAX_CONDITIONS)
