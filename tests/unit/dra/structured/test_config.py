"""Which parameters apply to a device, and what is said about parameters that cannot be used."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.config import (
    ConfigError,
    config_for,
    decode,
    entries_of,
)
from fake_dra_driver.dra.structured.configcheck import ConfigCheck
from tests.unit.dra.structured.lamps import (
    DRIVER,
    KINDS,
    LAMP_VERSION,
    LampParameters,
    claim,
    config,
    exactly,
    from_claim,
    from_class,
    parameters,
    result,
)

CHECK = ConfigCheck(DRIVER, KINDS)
WHERE = "spec.devices.config[0].opaque.parameters"


def brightness_of(found: v1.ResourceClaim, request: str) -> int | None:
    """What the parameters that apply to a request say."""
    config = config_for(request, decode(entries_of(found, DRIVER), KINDS))
    if config is None:
        return None
    assert isinstance(config.parameters, LampParameters)
    return config.parameters.spec.brightness


def problems(parameters: Any) -> Sequence[str]:
    opaque = {"opaque": {"driver": DRIVER, "parameters": parameters}}
    spec = v1.ResourceClaimSpec.model_validate({"devices": {"config": [opaque]}})
    return [str(problem) for problem in CHECK.spec_problems(spec)]


# --- Precedence ----------------------------------------------------------------------------------------------------


def test_without_parameters_a_device_has_its_defaults() -> None:
    assert brightness_of(claim(result("lamp-0")), "lamp") is None


def test_an_entry_without_requests_is_for_all() -> None:
    found = claim(result("lamp-0", "a"), result("lamp-1", "b/left"), written=[config(brightness=1)])
    assert (brightness_of(found, "a"), brightness_of(found, "b/left")) == (1, 1)


def test_an_entry_is_for_its_requests_alone() -> None:
    found = claim(result("lamp-0", "a"), result("lamp-1", "b"), written=[config("b", brightness=1)])
    assert (brightness_of(found, "a"), brightness_of(found, "b")) == (None, 1)


def test_an_entry_for_a_request_covers_its_subrequests() -> None:
    found = claim(result("lamp-0", "a/left"), written=[config("a", brightness=1)])
    assert brightness_of(found, "a/left") == 1


def test_an_entry_for_a_subrequest_is_for_that_one_alone() -> None:
    found = claim(result("lamp-0", "a/left"), written=[config("a/right", brightness=1)])
    assert (brightness_of(found, "a/left"), brightness_of(found, "a")) == (None, None)


def test_the_later_entry_wins() -> None:
    found = claim(result("lamp-0"), written=[config(brightness=1), config("lamp", brightness=2), config(brightness=3)])
    assert brightness_of(found, "lamp") == 3


def test_the_claim_wins_over_the_class_in_whatever_order_they_come() -> None:
    copied = [from_claim(config(brightness=1)), from_class(config(brightness=2), "lamp")]
    assert brightness_of(claim(result("lamp-0"), written=[config(brightness=1)], copied=copied), "lamp") == 1


def test_a_class_is_for_the_requests_that_name_it() -> None:
    requests = [exactly("a", "lamps"), exactly("b", "others")]
    copied = [from_class(config(brightness=2), "a")]
    found = claim(result("lamp-0", "a"), result("lamp-1", "b"), requests=requests, copied=copied)
    assert (brightness_of(found, "a"), brightness_of(found, "b")) == (2, None)


def test_entries_that_a_scheduler_repeats_for_each_request_count_once() -> None:
    written = [config("a", "b", brightness=1), config("a", brightness=2)]
    copied = [from_claim(written[0]), from_claim(written[0]), from_claim(written[1])]
    requests = [exactly("a"), exactly("b")]
    found = claim(result("lamp-0", "a"), result("lamp-1", "b"), requests=requests, written=written, copied=copied)
    assert [entry.path for entry in entries_of(found, DRIVER)] == [
        "spec.devices.config[0].opaque.parameters",
        "spec.devices.config[1].opaque.parameters",
    ]
    assert (brightness_of(found, "a"), brightness_of(found, "b")) == (2, 1)


def test_parameters_of_other_drivers_are_not_looked_at() -> None:
    written = [config(driver="fans.example.com", speed="high"), config(brightness=1)]
    found = claim(result("lamp-0"), written=written)
    assert brightness_of(found, "lamp") == 1
    assert not CHECK.spec_problems(found.spec)


def test_a_claim_that_is_not_allocated_has_no_entries() -> None:
    assert entries_of(claim(written=[config(brightness=1)], is_allocated=False), DRIVER) == ()


# --- Where they were written ---------------------------------------------------------------------------------------


def paths(found: v1.ResourceClaim) -> Sequence[str]:
    return [entry.path.removesuffix(".opaque.parameters") for entry in entries_of(found, DRIVER)]


def test_an_entry_of_the_allocation_is_named_as_the_claim_has_it() -> None:
    written = [config(driver="fans.example.com"), config("b", brightness=1), config(brightness=2)]
    copied = [from_class(config(brightness=0), "lamp"), from_claim(written[0]), from_claim(written[2])]
    assert paths(claim(result("lamp-0"), written=written, copied=copied)) == [
        "DeviceClass lamps: spec.config[0]",
        "spec.devices.config[2]",
    ]


def test_equal_entries_of_a_claim_are_told_apart_by_their_order() -> None:
    written = [config(brightness=1), config(brightness=2), config(brightness=1)]
    assert paths(claim(result("lamp-0"), written=written)) == [f"spec.devices.config[{index}]" for index in range(3)]


def test_an_entry_whose_requests_were_left_out_is_found() -> None:
    written = [config("lamp", brightness=1)]
    assert paths(claim(result("lamp-0"), written=written, copied=[from_claim(config(brightness=1))])) == [
        "spec.devices.config[0]"
    ]


def test_entries_of_several_classes_are_counted_for_each() -> None:
    requests = [exactly("a", "bright"), exactly("b", "dim"), exactly("c", "bright")]
    entry, other = config(brightness=1), config(driver="fans.example.com")
    copied = [
        from_class(other, "a", "c"),
        from_class(entry, "a", "c"),
        from_class(entry, "b"),
        from_class(config(brightness=2), "b"),
    ]
    assert paths(claim(result("lamp-0", "a"), result("lamp-1", "b"), requests=requests, copied=copied)) == [
        "DeviceClass bright: spec.config[1]",
        "DeviceClass dim: spec.config[0]",
        "DeviceClass dim: spec.config[1]",
    ]


def test_the_class_of_an_alternative_is_that_of_the_chosen_one() -> None:
    alternatives = [{"name": "big", "deviceClassName": "bright"}, {"name": "small", "deviceClassName": "dim"}]
    requests = [{"name": "a", "firstAvailable": alternatives}]
    for name in ("a", "a/small"):
        copied = [from_class(config(brightness=1), name)]
        found = claim(result("lamp-0", "a/small"), requests=requests, copied=copied)
        assert paths(found) == ["DeviceClass dim: spec.config[0]"]


def test_a_class_that_cannot_be_told_is_named_by_the_allocation() -> None:
    requests = [exactly("a", "bright"), exactly("b", "dim")]
    copied = [from_class(config(brightness=1))]
    found = claim(result("lamp-0", "a"), result("lamp-1", "b"), requests=requests, copied=copied)
    assert paths(found) == ["status.allocation.devices.config[0]"]


def test_a_class_that_is_copied_for_each_of_its_requests_counts_once() -> None:
    """As Kubernetes 1.32 does, which leaves out the requests."""
    requests = [exactly("a"), exactly("b")]
    of_class = [config(driver="fans.example.com"), config(brightness=1), config(brightness=2)]
    copied = [from_class(entry) for _ in requests for entry in of_class]
    found = claim(result("lamp-0", "a"), result("lamp-1", "b"), requests=requests, copied=copied)
    assert paths(found) == ["DeviceClass lamps: spec.config[1]", "DeviceClass lamps: spec.config[2]"]
    assert (brightness_of(found, "a"), brightness_of(found, "b")) == (2, 2)


def test_an_entry_that_was_never_written_is_named_by_the_allocation() -> None:
    found = claim(result("lamp-0"), copied=[from_claim(config(brightness=1))])
    assert paths(found) == ["status.allocation.devices.config[0]"]


# --- Strict reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"brightness": 11}, f"{WHERE}.spec.brightness: must be at most 10, is 11"),
        ({"brightness": -1}, f"{WHERE}.spec.brightness: must be at least 0, is -1"),
        ({"brightness": "5"}, f'{WHERE}.spec.brightness: must be a whole number, is "5"'),
        ({"brightness": 5.5}, f"{WHERE}.spec.brightness: must be a whole number, is 5.5"),
        ({"brightness": True}, f"{WHERE}.spec.brightness: must be a whole number, is true"),
        ({"brightness": None}, f"{WHERE}.spec.brightness: must be a whole number, is null"),
        ({"isDimmed": "yes"}, f'{WHERE}.spec.isDimmed: must be true or false, is "yes"'),
        ({"is_dimmed": True}, f"{WHERE}.spec.is_dimmed: there is no such field, only brightness, isDimmed and shades"),
        ({"bright": 1}, f"{WHERE}.spec.bright: there is no such field, only brightness, isDimmed and shades"),
        ({"a.b/c": 1}, f'{WHERE}.spec["a.b/c"]: there is no such field, only brightness, isDimmed and shades'),
        ({"shades": {}}, f"{WHERE}.spec.shades: must be a list, is an object"),
        ({"shades": [3]}, f"{WHERE}.spec.shades[0]: must be an object, is 3"),
        ({"shades": [{}, {"size": 3}]}, f"{WHERE}.spec.shades[1].size: there is no such field, only colorName"),
        ({"shades": [{"colorName": ""}]}, f"{WHERE}.spec.shades[0].colorName: must not be empty"),
        (
            {"shades": [{"colorName": "x" * 9}]},
            f'{WHERE}.spec.shades[0].colorName: must have at most 8 characters, is "xxxxxxxxx"',
        ),
        ({"shades": [{"colorName": 3}]}, f"{WHERE}.spec.shades[0].colorName: must be a string, is 3"),
        (
            {"brightness": 8, "isDimmed": True},
            f"{WHERE}.spec: brightness of a dimmed lamp must be at most 7, is 8",
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_told_with_its_path(given: Mapping[str, Any], expected: str) -> None:
    assert problems(parameters(**given)) == [expected]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "neither kind nor apiVersion"),
        ({"kind": "LampParameters"}, 'kind "LampParameters"'),
        ({"kind": "Fan", "apiVersion": LAMP_VERSION}, f'kind "Fan", apiVersion "{LAMP_VERSION}"'),
        ({"kind": ["LampParameters"], "apiVersion": None}, "kind a list, apiVersion null"),
    ],
)
def test_a_kind_that_the_driver_does_not_take_is_told_with_those_it_takes(given: Any, found: str) -> None:
    allowed = f"kind LampParameters with apiVersion {LAMP_VERSION}"
    assert problems(given) == [f"{WHERE}: must be {allowed}, has {found}"]


@pytest.mark.parametrize(("given", "found"), [(None, "null"), ([], "a list"), ("text", '"text"'), (7, "7")])
def test_parameters_that_are_no_object_are_told(given: Any, found: str) -> None:
    assert problems(given) == [f"{WHERE}: must be an object, is {found}"]


def test_every_problem_of_every_entry_is_told() -> None:
    written = [config(brightness=11), config(brightness=1), config("lamp", brightness=12, height=1)]
    with pytest.raises(ConfigError) as caught:
        decode(entries_of(claim(result("lamp-0"), written=written), DRIVER), KINDS)
    assert [problem.path for problem in caught.value.problems] == [
        "spec.devices.config[0].opaque.parameters.spec.brightness",
        "spec.devices.config[2].opaque.parameters.spec.brightness",
        "spec.devices.config[2].opaque.parameters.spec.height",
    ]
    assert str(caught.value) == "; ".join(str(problem) for problem in caught.value.problems)


def test_text_that_is_not_unicode_is_told() -> None:
    [problem] = problems(parameters(shades=[{"colorName": "\ud800"}]))
    assert problem == f"{WHERE}: cannot be read: it holds text that is not Unicode"


def test_what_was_written_down_can_be_told_from_defaults() -> None:
    [found] = decode(entries_of(claim(result("lamp-0"), written=[config(isDimmed=True)]), DRIVER), KINDS)
    assert isinstance(found.parameters, LampParameters)
    assert found.parameters.spec.model_fields_set == {"is_dimmed"}
    assert found.parameters.spec.brightness == 5


def test_a_driver_adds_problems_of_its_own_under_the_same_path() -> None:
    [found] = decode(entries_of(claim(result("lamp-0"), written=[config(brightness=1)]), DRIVER), KINDS)
    assert str(found.problem("spec.brightness", "must be 2")) == f"{WHERE}.spec.brightness: must be 2"


def test_a_template_and_a_class_are_checked_too() -> None:
    spec = claim(written=[config(brightness=11)]).spec
    [in_template] = CHECK.spec_problems(spec, "spec.spec")
    assert in_template.path == "spec.spec.devices.config[0].opaque.parameters.spec.brightness"
    spec_of_class = v1.DeviceClassSpec.model_validate({"config": [config(brightness=1), config(brightness=11)]})
    [in_class] = CHECK.class_problems(v1.DeviceClass(spec=spec_of_class))
    assert in_class.path == "spec.config[1].opaque.parameters.spec.brightness"
