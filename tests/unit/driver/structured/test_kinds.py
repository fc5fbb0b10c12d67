"""Configuration of the kinds that a profile lists: which are read, what is wrong with it, which devices it is for."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import ConfigError
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.driver.profile.containers import FAKE_CLAIM_PARAMETERS, ConfigKind
from fake_dra_driver.driver.structured.parameters import MockConfigs
from fake_dra_driver.driver.structured.wanted import wanted_devices

Config = v1.DeviceAllocationConfiguration

DRIVER = "gpu.example.com"
VERSION = "gpu.example.com/v1"
STRATEGY = {"type": "string", "enum": ["TimeSlicing", "MPS"]}
INTERVAL = {"type": "string", "default": "Default"}
SCHEMA = {"type": "object", "properties": {"strategy": STRATEGY, "interval": INTERVAL}, "required": ["strategy"]}
GPU_CONFIG = ConfigKind(VERSION, "GpuConfig", SCHEMA, types=("gpu",))
MIG_CONFIG = ConfigKind(VERSION, "MigConfig", types=("mig",))
DEVICES = {
    "gpu-0": Device("GPU-0", "A100", "gpu"),
    "gpu-1": Device("GPU-1", "A100", "gpu"),
    "gpu-0-mig-0": Device("MIG-0", "A100", "mig"),
}


def opaque(parameters: Mapping[str, Any], *requests: str, source: str = "FromClaim") -> Config:
    return Config.model_validate(
        {
            "source": source,
            "requests": list(requests),
            "opaque": {"driver": DRIVER, "parameters": {"apiVersion": VERSION, **parameters}},
        }
    )


def gpu_config(*requests: str, source: str = "FromClaim", **fields: Any) -> Config:
    return opaque({"kind": "GpuConfig", **fields}, *requests, source=source)


def result(device: str, request: str = "a", **fields: Any) -> v1.DeviceRequestAllocationResult:
    return v1.DeviceRequestAllocationResult(request=request, driver=DRIVER, pool="worker", device=device, **fields)


def wanted(
    results: Sequence[v1.DeviceRequestAllocationResult],
    *config: Config,
    kinds: Sequence[ConfigKind] = (GPU_CONFIG, MIG_CONFIG),
) -> Sequence[WantedDevice]:
    devices = v1.DeviceAllocationResult(results=tuple(results), config=tuple(config))
    status = v1.ResourceClaimStatus(allocation=v1.AllocationResult(devices=devices))
    claim = v1.ResourceClaim(metadata=ObjectMeta(name="c", namespace="default"), status=status)
    configs = MockConfigs(DRIVER, lambda: kinds)
    return wanted_devices(AllocatedClaim.of(claim, DRIVER, "worker"), DEVICES, configs)


def configs(*config: Config, results: Sequence[v1.DeviceRequestAllocationResult]) -> list[Any]:
    return [device.config for device in wanted(results, *config)]


def problems(*config: Config, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        wanted(more.pop("results", [result("gpu-0")]), *config, **more)
    return list(map(str, caught.value.problems))


def test_a_configuration_is_read_with_the_defaults_of_its_schema() -> None:
    assert configs(gpu_config(strategy="MPS"), results=[result("gpu-0")]) == [
        {"apiVersion": VERSION, "kind": "GpuConfig", "strategy": "MPS", "interval": "Default"}
    ]


def test_without_a_configuration_there_is_none() -> None:
    assert configs(results=[result("gpu-0")]) == [None]


def test_a_claim_has_precedence_over_a_class_and_the_later_entry_wins() -> None:
    of_class = gpu_config(source="FromClass", strategy="MPS")
    slicing = gpu_config(strategy="TimeSlicing")
    found = configs(of_class, gpu_config(strategy="MPS", interval="Long"), slicing, results=[result("gpu-0")])
    assert [each["strategy"] for each in found] == ["TimeSlicing"]


def test_a_configuration_for_a_request_is_for_its_subrequests_too() -> None:
    found = configs(gpu_config("a", strategy="MPS"), results=[result("gpu-0", "a/first"), result("gpu-1", "b")])
    assert [each and each["strategy"] for each in found] == ["MPS", None]


def test_each_device_has_the_configuration_for_its_type() -> None:
    mig = opaque({"kind": "MigConfig", "any": "thing"})
    found = configs(mig, gpu_config(strategy="MPS"), results=[result("gpu-1"), result("gpu-0-mig-0")])
    assert [each["kind"] for each in found] == ["GpuConfig", "MigConfig"]


def test_a_configuration_that_names_a_request_has_to_be_for_its_devices() -> None:
    assert problems(gpu_config("a", strategy="MPS"), results=[result("gpu-0-mig-0")]) == [
        "status.allocation.devices.config[0].opaque.parameters.kind: GpuConfig is for devices of type gpu, and "
        "gpu-0-mig-0, which was allocated for request a, is of type mig"
    ]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (gpu_config(), ".strategy: must be set"),
        (gpu_config(strategy="Never"), '.strategy: must be "TimeSlicing" or "MPS", is "Never"'),
        (gpu_config(strategy="MPS", intervl="Long"), ".intervl: there is no such field, only interval, strategy"),
        (
            opaque({"kind": "OtherConfig"}),
            f": must be kind GpuConfig with apiVersion {VERSION} or kind MigConfig with apiVersion {VERSION}, has kind "
            f'"OtherConfig", apiVersion "{VERSION}"',
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_path(config: Config, expected: str) -> None:
    assert problems(config) == [f"status.allocation.devices.config[0].opaque.parameters{expected}"]


def test_a_profile_may_accept_no_configuration() -> None:
    (problem,) = problems(gpu_config(strategy="MPS"), kinds=())
    assert problem.endswith(
        f'.parameters: must be left out, since the driver takes none, has kind "GpuConfig", apiVersion "{VERSION}"'
    )


def test_of_several_schemas_for_one_kind_one_has_to_fit() -> None:
    other = ConfigKind(VERSION, "GpuConfig", {"type": "object", "properties": {"mode": {"type": "string"}}})
    kinds = (GPU_CONFIG, other)
    assert len(wanted([result("gpu-0")], gpu_config(mode="any"), kinds=kinds)) == 1
    path = "status.allocation.devices.config[0].opaque.parameters"
    assert problems(gpu_config(mode=1), kinds=kinds) == [
        f"{path}.strategy: must be set",
        f"{path}.mode: there is no such field, only interval, strategy",
    ]


def test_what_a_claim_has_of_a_shared_device_is_known() -> None:
    share = UID("29af2b1c-7d3e-4f5a-9b60-000000000001")
    (device,) = wanted([result("gpu-0", share_id=share, consumed_capacity={"memory": "16Gi"})])
    assert (device.capacity, device.result and device.result.share_id) == ({"memory": "16Gi"}, share)


def test_parameters_of_the_quickstart_are_read_where_they_are_listed() -> None:
    parameters = Config.model_validate(
        {
            "source": "FromClaim",
            "opaque": {
                "driver": DRIVER,
                "parameters": {
                    "apiVersion": FAKE_CLAIM_PARAMETERS.api_version,
                    "kind": FAKE_CLAIM_PARAMETERS.kind,
                    "spec": {"split": 2},
                },
            },
        }
    )
    (device,) = wanted([result("gpu-0")], parameters, kinds=(GPU_CONFIG, FAKE_CLAIM_PARAMETERS))
    assert device.split == 2
    assert problems(parameters)[0].startswith("status.allocation.devices.config[0].opaque.parameters: must be kind")


def test_kinds_that_have_changed_are_checked_as_they_are_now() -> None:
    accepted = [GPU_CONFIG]
    check = MockConfigs(DRIVER, lambda: accepted).check
    spec = v1.ResourceClaimSpec.model_validate(
        {
            "devices": {
                "requests": [{"name": "a", "exactly": {"deviceClassName": DRIVER}}],
                "config": [{"opaque": {"driver": DRIVER, "parameters": {"apiVersion": VERSION, "kind": "GpuConfig"}}}],
            }
        }
    )
    assert list(map(str, check.spec_problems(spec))) == [
        "spec.devices.config[0].opaque.parameters.strategy: must be set"
    ]
    accepted[0] = ConfigKind(VERSION, "GpuConfig", {"type": "object"})
    assert check.spec_problems(spec) == []
    accepted.clear()
    assert len(check.spec_problems(spec)) == 1
