"""Which devices a DeviceFault means."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.devicefault import FaultTarget
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.driver.fault.selection import select_devices
from fake_dra_driver.driver.fault.target import Place, find_devices, is_about_node
from tests.unit.driver.fault.nodes import DRIVER, device, place


def target(**fields: Any) -> FaultTarget:
    return FaultTarget.model_validate(fields)


def found(where: Place, **fields: Any) -> Sequence[str]:
    return find_devices(target(**fields), where).devices


@pytest.mark.parametrize(
    ("fields", "is_meant"),
    [
        ({}, True),
        ({"nodes": ["node-0"]}, True),
        ({"nodes": ["node-1", "node-?"]}, True),
        ({"nodes": ["node-1"]}, False),
        ({"nodeSelector": {"matchLabels": {"rack": "a"}}}, True),
        ({"nodeSelector": {"matchLabels": {"rack": "b"}}}, False),
        ({"nodes": ["node-0"], "nodeSelector": {"matchLabels": {"rack": "b"}}}, False),
        ({"nodeSelector": {"matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["a"]}]}}, False),
        ({"nodeSelector": {"matchExpressions": [{"key": "row", "operator": "DoesNotExist"}]}}, True),
    ],
)
def test_nodes_are_meant_by_name_and_labels(fields: Mapping[str, Any], *, is_meant: bool) -> None:
    assert is_about_node(target(**fields), place().node.node, {"rack": "a"}) is is_meant


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["gpu-0", "gpu-1", "gpu-0-part-0"]),
        ({"devices": ["gpu-1"]}, ["gpu-1"]),
        ({"devices": ["gpu-0"]}, ["gpu-0", "gpu-0-part-0"]),
        ({"devices": ["*-part-?"]}, ["gpu-0-part-0"]),
        ({"devices": ["UUID-gpu-1"]}, ["gpu-1"]),
        ({"models": ["H*"]}, ["gpu-1"]),
        ({"models": ["H100"], "devices": ["gpu-0"]}, []),
        ({"cel": 'device.attributes["gpu.example.com"].index == 1'}, ["gpu-1"]),
        ({"cel": 'device.driver == "other.example.com"'}, []),
        ({"count": 2}, ["gpu-0", "gpu-1"]),
        ({"count": 7}, ["gpu-0", "gpu-1", "gpu-0-part-0"]),
    ],
)
def test_devices_are_meant_by_all_that_is_given(fields: Mapping[str, Any], names: Sequence[str]) -> None:
    where = place(device(0), device(1, "H100"), device(0, "1g", parent="gpu-0"))
    assert list(found(where, **fields)) == names


def test_an_expression_that_is_none_hits_nothing_and_says_so() -> None:
    result = find_devices(target(cel="device.attributes ="), place())
    assert not result.devices
    assert result.problem.startswith("spec.target.cel: compilation failed: ERROR")


def test_a_device_for_which_the_expression_fails_is_left_out_and_named() -> None:
    result = find_devices(target(cel='device.attributes["gpu.example.com"].serial == "7"'), place(device(0), device(1)))
    assert not result.devices
    assert result.problem == "spec.target.cel fails for gpu-0: no such key: serial, and 1 others"


def test_an_expression_has_one_budget_for_all_devices() -> None:
    numbers = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
    loops = f"{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, a + b + c >= 0)))"
    assert found(place(device(0)), cel=loops) == ("gpu-0",)
    result = find_devices(target(cel=loops), place(*(device(index) for index in range(4096))))
    assert not result.devices
    assert result.problem == "spec.target.cel costs too much for 4096 devices"


def test_an_expression_is_evaluated_once_for_the_devices_of_a_node() -> None:
    node = place(*(device(index) for index in range(4))).node
    expression = 'device.attributes["gpu.example.com"].index > 1'
    selection = select_devices(expression, DRIVER, node)
    assert selection.names == {"gpu-2", "gpu-3"}
    assert select_devices(expression, DRIVER, node) is selection
    other = replace(node, devices=node.devices[:3])
    assert select_devices(expression, DRIVER, other).names == {"gpu-2"}


def test_the_devices_of_a_claim_are_those_that_are_prepared_for_it() -> None:
    claim = {"namespace": "default", "name": "mine"}
    mine, other = NamespacedName("default", "mine"), NamespacedName("default", "other")
    where = place(holders={"gpu-1": {mine, other}, "gpu-2": {other}})
    result = find_devices(target(claim=claim), where)
    assert result.devices == ("gpu-1",)
    assert result.any_claim == ("gpu-0", "gpu-1", "gpu-2", "gpu-3")


@given(seed=st.integers(0, 2**53), count=st.integers(1, 20), devices=st.integers(1, 20))
def test_a_seed_chooses_the_same_devices_each_time(seed: int, count: int, devices: int) -> None:
    where = place(*(device(index) for index in range(devices)))
    chosen = found(where, count=count, seed=seed)
    assert len(chosen) == min(count, devices)
    assert chosen == found(where, count=count, seed=seed)
    # A device that is not chosen can go, and none of the others moves.
    left = tuple(each for each in where.node.devices if each.name in chosen)
    assert found(replace(where, node=replace(where.node, devices=left)), count=count, seed=seed) == chosen


def test_seeds_and_nodes_choose_differently() -> None:
    devices = [device(index) for index in range(64)]
    choices = {found(place(*devices), count=4, seed=seed) for seed in range(5)}
    choices |= {found(place(*devices, node=f"node-{number}"), count=4, seed=0) for number in range(1, 5)}
    assert len(choices) == 9
