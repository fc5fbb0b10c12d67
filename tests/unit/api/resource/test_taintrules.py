"""DeviceTaintRules: which devices they are about, in every version."""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import TAINT_RULES

TAINT = {"key": "example.com/broken", "effect": "NoExecute", "timeAdded": "2026-01-02T03:04:05Z"}


@pytest.mark.parametrize(
    ("selector", "applies"),
    [
        (None, False),
        ({}, True),
        ({"driver": "d"}, True),
        ({"driver": "other"}, False),
        ({"pool": "p"}, True),
        ({"driver": "d", "pool": "other"}, False),
        ({"driver": "d", "pool": "p", "device": "dev-0"}, True),
        ({"device": "dev-1"}, False),
        ({"driver": "d", "deviceClassName": "of-1.34"}, False),
    ],
)
def test_all_that_a_selector_names_must_be_the_devices(selector: Mapping[str, str] | None, applies: bool) -> None:
    spec = {"taint": TAINT, **({} if selector is None else {"deviceSelector": selector})}
    rule = v1.DeviceTaintRule.from_wire({"metadata": {"name": "r"}, "spec": spec})
    assert rule.spec.applies_to("d", "p", "dev-0") is applies


@pytest.mark.parametrize("version", TAINT_RULES)
def test_a_rule_is_written_as_it_was_read(version: str) -> None:
    wire: dict[str, Any] = {
        "metadata": {"name": "r"},
        "spec": {"deviceSelector": {"deviceClassName": "of-1.34", "pool": "p"}, "taint": TAINT},
    }
    kind = TAINT_RULES[version]
    again = kind.from_wire(wire).to_wire()
    assert again["apiVersion"] == f"resource.k8s.io/{version}"
    assert again["spec"] == wire["spec"]
