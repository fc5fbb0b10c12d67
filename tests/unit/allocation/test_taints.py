"""Taints and tolerations of devices."""

import pytest

from fake_dra_driver.allocation.obstacles import Tainted
from fake_dra_driver.allocation.taints import tolerates
from fake_dra_driver.api.resource.v1 import DeviceTaint, DeviceToleration
from tests.unit.allocation.gpus import (
    DRIVER,
    Json,
    allocator,
    claim,
    devices_of,
    granted,
    node,
    request,
    rule,
    slice_of,
    taint,
    toleration,
)

TAINT = DeviceTaint(key="k", value="v", effect="NoExecute")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "v", "operator": ""}, True),
        ({"key": "k", "value": "v", "effect": "NoExecute"}, True),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, False),
        ({"key": "k", "value": "other"}, False),
        ({"key": "other", "value": "v"}, False),
        ({"key": "k", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": "k", "value": "v", "operator": "Future"}, False),
    ],
)
def test_tolerations(fields: Json, outcome: bool) -> None:
    assert tolerates(DeviceToleration.model_validate(fields), TAINT) is outcome


@pytest.mark.parametrize(
    ("effect", "devices"), [("NoSchedule", []), ("NoExecute", []), ("None", ["a"]), ("Future", ["a"])]
)
def test_only_known_effects_keep_claims_away(effect: str, devices: list[str]) -> None:
    found = allocator(slice_of({"name": "a", "taints": [taint(effect=effect)]}))
    assert devices_of(found.allocate([claim()], node())) == devices


def test_each_taint_has_to_be_tolerated() -> None:
    found = allocator(slice_of({"name": "a", "taints": [taint("one"), taint("two")]}))
    one = toleration(key="one", operator="Exists")
    assert devices_of(found.allocate([claim(request(tolerations=[one]))], node())) == []
    both = [one, toleration(key="two")]
    decision = granted(found.allocate([claim(request(tolerations=both))], node()))
    assert devices_of(decision) == ["a"]
    [result] = decision.results[0].devices.results
    assert [each.key for each in result.tolerations] == ["one", "two"]


@pytest.mark.parametrize(
    ("selector", "devices"),
    [
        (None, ["a", "b"]),
        ({}, []),
        ({"driver": DRIVER}, []),
        ({"driver": "other.example.com"}, ["a", "b"]),
        ({"pool": "n1", "device": "a"}, ["b"]),
        ({"pool": "n2", "device": "a"}, ["a", "b"]),
    ],
)
def test_a_rule_taints_the_devices_that_it_selects(selector: Json | None, devices: list[str]) -> None:
    wanted = claim(request(allocationMode="ExactCount", count=max(len(devices), 1)))
    assert devices_of(allocator(slice_of("a", "b"), rule(selector=selector)).allocate([wanted], node())) == devices


def test_rules_come_and_go() -> None:
    found = allocator(slice_of("a"))
    assert devices_of(found.allocate([claim()], node())) == ["a"]
    found.put_taint_rule(rule(selector={}))
    assert devices_of(found.allocate([claim()], node())) == []
    survey = found.survey([claim()], node())
    [tainted] = survey.judge(survey.requests[0], survey.pools[0].devices[0])
    assert isinstance(tainted, Tainted)
    assert (tainted.rule, tainted.taint.key) == ("rule", "broken")
    found.drop_taint_rule("rule")
    found.drop_taint_rule("rule")
    assert devices_of(found.allocate([claim()], node())) == ["a"]


def test_without_the_features_nothing_is_kept_away() -> None:
    tainted = slice_of({"name": "a", "taints": [taint()]})
    assert devices_of(allocator(tainted, device_taints=False).allocate([claim()], node())) == ["a"]
    ruled = allocator(slice_of("a"), rule(selector={}), taint_rules=False)
    assert devices_of(ruled.allocate([claim()], node())) == ["a"]
