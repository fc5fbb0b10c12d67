"""What the controller and the webhook accept: the kinds of all profiles of their driver."""

from typing import Any

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.structured.profilekinds import ProfileKinds

DRIVER = "gpu.example.com"
GPU_CONFIG = {"apiVersion": "gpu.example.com/v1", "kind": "GpuConfig", "schema": {"type": "object"}}


def profile(name: str, *configs: dict[str, Any], driver: str = DRIVER, generation: int = 1) -> DeviceProfile:
    return DeviceProfile.from_wire(
        {
            "metadata": {"name": name, "uid": f"uid-{name}", "generation": generation},
            "spec": {"driverName": driver, "configs": list(configs)},
        }
    )


def accepted(*profiles: DeviceProfile, driver: str = DRIVER) -> list[str]:
    return [kind.kind for kind in ProfileKinds(driver, lambda: profiles)()]


def test_the_kinds_of_all_profiles_of_the_driver_are_accepted() -> None:
    other = {"apiVersion": "gpu.example.com/v1", "kind": "MigConfig"}
    foreign = profile("c", {"apiVersion": "a", "kind": "Foreign"}, driver="other.example.com")
    assert accepted(profile("a", GPU_CONFIG), profile("b", other), foreign) == ["GpuConfig", "MigConfig"]


def test_without_profiles_the_quickstarts_parameters_are_accepted() -> None:
    assert accepted() == ["FakeClaimParameters"]
    assert accepted(profile("a", driver="other.example.com")) == ["FakeClaimParameters"]


def test_nodes_without_a_profile_are_only_expected_under_the_drivers_own_name() -> None:
    assert accepted(profile("a", GPU_CONFIG)) == ["GpuConfig"]
    assert accepted(profile("a", GPU_CONFIG, driver=NAMES.driver), driver=NAMES.driver) == [
        "GpuConfig",
        "FakeClaimParameters",
    ]


def test_a_schema_that_cannot_be_used_refuses_nothing() -> None:
    (kind,) = ProfileKinds(DRIVER, lambda: [profile("a", {**GPU_CONFIG, "schema": {"type": "map"}})])()
    assert kind.schema is None


def test_a_schema_is_read_once_for_each_state_of_its_profile() -> None:
    there = [profile("a", GPU_CONFIG)]
    kinds = ProfileKinds(DRIVER, lambda: there)
    (first,) = kinds()
    assert kinds()[0] is first
    there[0] = profile("a", {**GPU_CONFIG, "schema": {"type": "object", "description": "new"}}, generation=2)
    assert kinds()[0].schema == {"type": "object", "description": "new"}
