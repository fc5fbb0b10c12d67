"""With which values a selector was false."""

from typing import Any

import pytest

from fake_dra_driver.allocation import DeviceId
from fake_dra_driver.allocation.explanation import false_part, value_text, values_read
from fake_dra_driver.allocation.explanation.reading import guarded_expression
from fake_dra_driver.allocation.obstacles import SelectorFailed, SelectorFalse, SelectorOrigin
from fake_dra_driver.api.resource.v1 import Device, DeviceAttribute

DRIVER = "gpu.example.com"
DEVICE = Device.model_validate(
    {
        "name": "gpu-0",
        "attributes": {"model": {"string": "A100"}, "numa": {"int": 1}, "other.example.com/ok": {"bool": True}},
        "capacity": {"memory": {"value": "40Gi"}},
    }
)
MODEL = f'device.attributes["{DRIVER}"].model'
MEMORY = f'device.capacity["{DRIVER}"].memory.isGreaterThan(quantity("64Gi"))'


def false(expression: str) -> SelectorFalse:
    origin = SelectorOrigin(None, "main", 0, expression)
    return SelectorFalse(DeviceId(DRIVER, "pool", "gpu-0"), origin, DEVICE)


@pytest.mark.parametrize(
    ("expression", "part", "values"),
    [
        (f'{MODEL} == "H100"', f'{MODEL} == "H100"', {"model": '"A100"'}),
        (f'device.driver == "{DRIVER}" && {MODEL} == "H100"', f'{MODEL} == "H100"', {"model": '"A100"'}),
        (f'{MODEL} == "A100" && {MEMORY}', MEMORY, {"memory": "40Gi"}),
        ('device.driver == "x"', 'device.driver == "x"', {"driver": f'"{DRIVER}"'}),
        (
            '!device.attributes["other.example.com"].ok',
            '!device.attributes["other.example.com"].ok',
            {"other.example.com/ok": "true"},
        ),
        (
            f'device.attributes["{DRIVER}"].?rack.orValue("") == "1"',
            f'device.attributes["{DRIVER}"].?rack.orValue("") == "1"',
            {"rack": None},
        ),
        (
            f'cel.bind(own, device.attributes["{DRIVER}"], own.model == "H100" && own.numa == 0)',
            f'cel.bind(own, device.attributes["{DRIVER}"], own.model == "H100" && own.numa == 0)',
            {"model": '"A100"', "numa": "1"},
        ),
        (
            f'device.attributes["{DRIVER}"].index == 1 && {MODEL} == "H100"',
            f'{MODEL} == "H100"',
            {"model": '"A100"'},
        ),
    ],
)
def test_the_false_part_is_named_with_its_values(expression: str, part: str, values: dict[str, Any]) -> None:
    found = false_part(false(expression))
    assert (found.text, dict(found.values)) == (part, values)


def test_all_values_of_a_selector_are_read() -> None:
    read = values_read(false(f'device.driver == "{DRIVER}" && {MODEL} == "H100" && {MEMORY}'))
    assert dict(read) == {"driver": f'"{DRIVER}"', "model": '"A100"', "memory": "40Gi"}


@pytest.mark.parametrize(
    ("expression", "guarded"),
    [
        (
            f'device.attributes["{DRIVER}"].index == 1',
            f'"index" in device.attributes["{DRIVER}"] && (device.attributes["{DRIVER}"].index == 1)',
        ),
        (f"{MODEL} == 1 + 1", None),
    ],
)
def test_a_question_comes_before_what_a_device_lacks(expression: str, guarded: str | None) -> None:
    origin = SelectorOrigin(None, "main", 0, expression)
    failed = SelectorFailed(DeviceId(DRIVER, "pool", "gpu-0"), origin, DEVICE, "runtime", "no such key: index")
    assert guarded_expression(failed) == guarded


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ({"string": "a"}, '"a"'),
        ({"version": "1.2.3"}, '"1.2.3"'),
        ({"int": 0}, "0"),
        ({"bool": False}, "false"),
        ({"ints": [1, 2]}, "[1, 2]"),
        ({"strings": ["a", "b"]}, '["a", "b"]'),
    ],
)
def test_a_value_is_written_as_cel_writes_it(attribute: dict[str, Any], text: str) -> None:
    assert value_text(DeviceAttribute.model_validate(attribute)) == text
