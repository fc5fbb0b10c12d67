"""What claims of structured DRA say about a driver's devices: what applies, and what suits no device that they have."""

from typing import Any

import pytest
from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.driver.calls import AuthorCalls, DriverFaultError
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.structuredconfig import DriverConfigs
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import ConfigError
from tests.unit.dra.driver.bulbs import DRIVER, PLAIN, RED, BulbConfig, BulbDriver, claim, config

LAMPS = {device.name: device for device in (RED, PLAIN)}
CONFIGS = DriverConfigs(AuthorCalls(BulbDriver()))


def chosen(allocated: AllocatedClaim) -> list[tuple[str, str, int]]:
    return [(choice.result.device, choice.config.color, choice.config.watts) for choice in CONFIGS.choices(allocated)]


def test_without_a_word_the_defaults_apply() -> None:
    (choice,) = CONFIGS.choices(claim(a="lamp-0"))
    assert choice.config == BulbConfig()
    assert choice.source is None


def test_the_authors_own_class_is_what_applies() -> None:
    (choice,) = CONFIGS.choices(claim(config(color="red"), a="lamp-0"))
    assert type(choice.config) is BulbConfig
    assert choice.config == BulbConfig(color="red")
    assert choice.config.model_fields_set == {"color"}


def test_the_claim_wins_over_the_class_and_a_later_entry_over_an_earlier_one() -> None:
    entries = [
        config(source="FromClass", color="blue", watts=7),
        config(watts=8),
        config("b", watts=9),
    ]
    # Whole entries win, not their fields: that is how Kubernetes has it.
    assert chosen(claim(*entries, a="lamp-0", b_small="lamp-1")) == [
        ("lamp-0", "white", 8),
        ("lamp-1", "white", 9),
    ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (config(watts=61), "spec.watts: must be at most 60, is 61"),
        (config(color="black"), "spec: there is no black light"),
        (config(colour="red"), "spec.colour: there is no such field, only color, count and watts"),
        (config(watts="5"), 'spec.watts: must be a whole number, is "5"'),
        (
            config(kind="LampConfig"),
            f'must be kind BulbConfig with apiVersion {DRIVER}/v1alpha1, has kind "LampConfig", apiVersion '
            f'"{DRIVER}/v1alpha1"',
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_its_path(entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        CONFIGS.choices(claim(entry, a="lamp-0"))
    separator = "." if problem.startswith("spec") else ": "
    assert str(raised.value) == f"spec.devices.config[0].opaque.parameters{separator}{problem}"


def test_a_count_is_the_number_of_devices_or_left_out() -> None:
    assert len(CONFIGS.choices(claim(config(count=2), a="lamp-0", b="lamp-1"))) == 2
    with pytest.raises(ConfigError, match=r"spec\.count: must be 2, the number of devices .*; is 3"):
        CONFIGS.choices(claim(config(count=3), a="lamp-0", b="lamp-1"))


def test_a_device_that_does_not_fit_is_named_with_what_it_does_not_fit() -> None:
    allocated = claim(config(color="green"), a="lamp-0", b="lamp-1")
    with pytest.raises(ConfigError) as raised:
        CONFIGS.check_fit(allocated, CONFIGS.choices(allocated), LAMPS.get)
    assert str(raised.value) == (
        "spec.devices.config[0].opaque.parameters.spec: device lamp-0, which was allocated for request a, does not fit "
        'BulbConfig {"color":"green"}: let selectors of the request choose among devices that do'
    )


def test_a_device_that_does_not_fit_the_defaults_is_an_error_of_the_claim() -> None:
    allocated = claim(a="lamp-0")
    with pytest.raises(PrepareError, match=r"claim home/bulbs: device lamp-0.*does not fit BulbConfig \{\}") as raised:
        CONFIGS.check_fit(allocated, CONFIGS.choices(allocated), LAMPS.get)
    assert not isinstance(raised.value, ConfigError)


def test_a_device_that_is_not_known_is_not_compared() -> None:
    allocated = claim(config(color="green"), a="lamp-7", b="lamp-1")
    CONFIGS.check_fit(allocated, CONFIGS.choices(allocated), LAMPS.get)


def test_a_driver_that_cannot_say_it_is_at_fault_and_not_the_claim() -> None:
    class Broken(BulbDriver):
        @override
        def fits(self, device: Device, config: BulbConfig) -> bool:
            raise LookupError("color")

    configs = DriverConfigs(AuthorCalls(Broken()))
    allocated = claim(a="lamp-0")
    with pytest.raises(DriverFaultError, match=r"Broken\.fits\(lamp-0\) raised LookupError"):
        configs.check_fit(allocated, configs.choices(allocated), LAMPS.get)


def test_a_claim_is_checked_before_it_is_allocated() -> None:
    parameters = {"apiVersion": f"{DRIVER}/v1alpha1", "kind": "BulbConfig", "spec": {"count": 3, "watts": 7}}
    spec = v1.ResourceClaimSpec.model_validate(
        {
            "devices": {
                "requests": [{"name": "a", "exactly": {"deviceClassName": DRIVER, "count": 2}}],
                "config": [{"opaque": {"driver": DRIVER, "parameters": parameters}}],
            }
        }
    )
    (problem,) = CONFIGS.check.spec_problems(spec)
    assert str(problem).startswith("spec.devices.config[0].opaque.parameters.spec.count: must be 2, the number of")
