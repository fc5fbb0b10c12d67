"""CEL selectors say what the globs of DeviceClassParameters say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import DeviceSelector
from fake_dra_driver.cel import compile_rule
from fake_dra_driver.convert.selector import class_selectors, model_selector
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.request import Selector

DRIVER = 'device.driver == "fake.resource.3-shake.com"'
MODEL = 'device.attributes["fake.resource.3-shake.com"].model'
TYPE = 'device.attributes["fake.resource.3-shake.com"].type'


def selectors(*entries: tuple[str, str]) -> list[str]:
    return list(class_selectors([DeviceSelector(type=kind, name=name) for kind, name in entries]))


def holds(expression: str, kind: str, model: str) -> bool:
    device = {
        "driver": "fake.resource.3-shake.com",
        "attributes": {"fake.resource.3-shake.com": {"type": kind, "model": model}},
    }
    return compile_rule(re.sub(r"\bdevice\.", "self.", expression)).holds(device)


@pytest.mark.parametrize(
    ("glob", "condition"),
    [
        ("LATEST-FAKE-MODEL", f'{MODEL} == "LATEST-FAKE-MODEL"'),
        ("LATEST-*", f'{MODEL}.startsWith("LATEST-")'),
        ("*-MODEL", f'{MODEL}.endsWith("-MODEL")'),
        ("**FAKE*", f'{MODEL}.contains("FAKE")'),
        ("A*B", f'{MODEL}.startsWith("A") && {MODEL}.endsWith("B")'),
        ("AB*BC", f'{MODEL}.matches("(?s)^AB.*BC$")'),
        ("A*[0-9]?", f'{MODEL}.matches("(?s)^A.*[0-9].$")'),
        ('"\\', f'{MODEL} == "\\"\\\\"'),
        ("", f'{MODEL} == ""'),
    ],
)
def test_a_glob_as_a_person_would_write_it(glob: str, condition: str) -> None:
    assert selectors(("*", glob)) == [DRIVER, condition]


def test_one_of_several_entries_has_to_match() -> None:
    assert selectors() == [DRIVER]
    assert selectors(("*", "A"), ("fake", "B"), ("gpu", "*")) == [
        DRIVER,
        f'{MODEL} == "A" || ({TYPE} == "fake" && {MODEL} == "B") || {TYPE} == "gpu"',
    ]
    assert selectors(("*", "A"), ("*", "*")) == [DRIVER], "the second matches all"


texts = st.text(st.sampled_from("aAbB10-_.!^]\\\"'é [&"), max_size=6)
globs = st.lists(
    st.one_of(texts, st.sampled_from(["*", "?", "[ab]", "[!a]", "[]a]", "[b-a]", "[^a]", "[[:a]", "["])), max_size=4
).map("".join)


@given(kind=globs, name=globs, device_type=texts, model=texts)
def test_they_match_the_same_devices(kind: str, name: str, device_type: str, model: str) -> None:
    expected = Selector(kind, name).matches(Device(uuid="u", model=model, type=device_type))
    _, *conditions = selectors((kind, name))
    assert all(holds(condition, device_type, model) for condition in conditions) is expected


@given(texts, texts)
def test_a_model_is_matched_exactly(wanted: str, model: str) -> None:
    assert holds(model_selector(wanted), "fake", model) is (wanted == model)
