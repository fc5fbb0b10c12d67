"""What is in the way of each device taken alone."""

import pytest

from fake_dra_driver.allocation import DeviceId
from fake_dra_driver.allocation.obstacles import InUse, SelectorFailed, SelectorFalse, SelectorOrigin
from tests.unit.allocation.gpus import (
    DRIVER,
    allocated,
    allocator,
    claim,
    device_class,
    names,
    node,
    request,
    slice_of,
    taint,
)

A = DeviceId(DRIVER, "n1", "a")


def test_all_obstacles_are_found_in_the_order_of_the_search() -> None:
    device = {
        "name": "a",
        "nodeName": "n2",
        "capacity": {"memory": {"value": "1Gi"}},
        "consumesCounters": [{"counterSet": "set", "counters": {"x": {"value": "2"}}}],
        "taints": [taint()],
        "bindingConditions": ["ready"],
        "bindingFailureConditions": ["failed"],
    }
    counters = slice_of(name="s1", count=2, sharedCounters=[{"name": "set", "counters": {"x": {"value": "1"}}}])
    devices = slice_of(device, {"name": "b", "nodeName": "n1"}, name="s2", count=2, perDeviceNodeSelection=True)
    wanted = claim(
        request("r", "false", capacity={"requests": {"memory": "2Gi"}}),
        constraints=[{"matchAttribute": f"{DRIVER}/numa"}],
    )
    found = allocator(counters, devices, allocated(claim(name="used"), "a"), binding_conditions=False)
    survey = found.survey([wanted], node())
    assert names(survey.judge(survey.requests[0], A)) == [
        "InUse",
        "FeatureOff",
        "SelectorFalse",
        "OnOtherNode",
        "CapacityShort",
        "CountersShort",
        "Tainted",
        "ConstraintBroken",
    ]


def test_a_device_in_use_says_by_whom() -> None:
    found = allocator(slice_of("a"), allocated(claim(name="used"), "a"))
    survey = found.survey([claim()], node())
    [obstacle] = survey.judge(survey.requests[0], A)
    assert isinstance(obstacle, InUse)
    assert [(str(each.claim), each.request, each.in_flight) for each in obstacle.holders] == [
        ("default/used", "gpu", False)
    ]


def test_a_selector_says_where_it_is_written() -> None:
    found = allocator(slice_of("a"), device_class("none", "true", "false"))
    survey = found.survey([claim(request("r", deviceClassName="none")), claim(request("r", "true", "false"))], node())
    obstacles = [survey.judge(each, A)[0] for each in survey.requests]
    assert [each.origin for each in obstacles if isinstance(each, SelectorFalse)] == [
        SelectorOrigin("none", "r", 1, "false"),
        SelectorOrigin(None, "r", 1, "false"),
    ]


def test_a_selector_that_fails_is_an_obstacle_here() -> None:
    expression = f'device.attributes["{DRIVER}"].model == "x"'
    survey = allocator(slice_of("a")).survey([claim(request("r", expression))], node())
    [obstacle] = survey.judge(survey.requests[0], A)
    assert isinstance(obstacle, SelectorFailed)
    assert (obstacle.problem, obstacle.message) == ("runtime", "no such key: model")


def test_requests_and_alternatives_are_listed() -> None:
    alternatives = [{**request()["exactly"], "name": name} for name in ("big", "small")]
    survey = allocator(slice_of("a")).survey(
        [claim(request("one"), name="c1"), claim({"name": "two", "firstAvailable": alternatives}, name="c2")], node()
    )
    assert [(each.claim, each.base, each.name) for each in survey.requests] == [
        (0, "one", "one"),
        (1, "two", "two/big"),
        (1, "two", "two/small"),
    ]


def test_devices_that_the_node_does_not_see_are_not_known() -> None:
    survey = allocator(slice_of("a")).survey([claim()], node("n2"))
    assert survey.pools == ()
    with pytest.raises(KeyError):
        survey.device(A)
    assert allocator(slice_of("a")).survey([claim()], node()).device(A).name == "a"
