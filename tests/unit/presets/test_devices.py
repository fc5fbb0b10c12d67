"""What nodes have by each preset: names, attributes and counters as the vendors publish them."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache

import pytest

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.profile.rendering import render_profile
from fake_dra_driver.quantity import number_of
from tests.support.presetdemo import PRESETS, preset_values

Counters = Mapping[tuple[str, str], Decimal]
"""By counter set and counter."""


def profiles(preset: str) -> Mapping[str, DeviceProfile]:
    values = preset_values(preset)
    return {
        each["name"]: DeviceProfile.model_validate(
            {"metadata": {"name": each["name"]}, "spec": {"driverName": values["driverName"], **each["spec"]}}
        )
        for each in values["deviceProfiles"]
    }


@cache  # rendering takes a quarter of a second
def node_of(preset: str, profile: str = "") -> MockNode:
    return render_profile(profiles(preset)[profile or preset], "node-a", {})


def published(preset: str, profile: str = "") -> Mapping[str, v1.Device]:
    return {device.name: device.published for device in node_of(preset, profile).devices}


def available(node: MockNode) -> Counters:
    return {
        (each.name, name): number_of(counter.value)
        for each in node.counter_sets
        for name, counter in each.counters.items()
    }


def consumed(device: v1.Device) -> Counters:
    return {
        (each.counter_set, name): number_of(counter.value)
        for each in device.consumes_counters
        for name, counter in each.counters.items()
    }


def most_at_once(node: MockNode, devices: Sequence[v1.Device]) -> int:
    """How many of these devices the counters let be allocated at a time, the first that fit."""
    left, count = dict(available(node)), 0
    for device in devices:
        takes = consumed(device)
        if all(left[counter] >= amount for counter, amount in takes.items()):
            left = {counter: amount - takes.get(counter, 0) for counter, amount in left.items()}
            count += 1
    return count


@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_all_profiles_can_be_rendered(preset: str) -> None:
    for profile in profiles(preset).values():
        node = render_profile(profile, "node-a", {})
        names = [device.name for device in node.devices]
        assert len(set(names)) == len(names) > 0
        assert len({device.device.uuid for device in node.devices}) == len(names)


@pytest.mark.parametrize(
    ("preset", "profiles_of_mig"),
    [
        (
            "nvidia-a100",
            {"1g.5gb": 7, "1g.5gb+me": 1, "1g.10gb": 4, "2g.10gb": 3, "3g.20gb": 2, "4g.20gb": 1, "7g.40gb": 1},
        ),
        (
            "nvidia-h100",
            {"1g.10gb": 7, "1g.10gb+me": 1, "1g.20gb": 4, "2g.20gb": 3, "3g.40gb": 2, "4g.40gb": 1, "7g.80gb": 1},
        ),
    ],
)
def test_as_many_mig_devices_at_once_as_the_gpu_has_room_for(preset: str, profiles_of_mig: Mapping[str, int]) -> None:
    """NVIDIA's MIG User Guide says how many instances of each profile there can be."""
    node = node_of(preset)
    of_first = [device.published for device in node.devices if re.match(r"gpu-0(-|$)", device.name)]
    by_profile: dict[str, list[v1.Device]] = {}
    for device in of_first:
        if (profile := device.attributes.get("profile")) is not None:
            by_profile.setdefault(profile.string or "", []).append(device)
    assert {profile: most_at_once(node, devices) for profile, devices in by_profile.items()} == profiles_of_mig
    whole = next(device for device in of_first if device.name == "gpu-0")
    assert most_at_once(node, [by_profile["1g.5gb" if preset == "nvidia-a100" else "1g.10gb"][0], whole]) == 1


def test_devices_of_an_a100() -> None:
    devices = published("nvidia-a100")
    of_third = sorted(name for name in devices if re.match(r"gpu-(vfio-)?2(-|$)", name))
    starts = {
        "1g5gb-19": range(7),
        "1g5gbme-20": range(7),
        "1g10gb-15": (0, 2, 4, 6),
        "2g10gb-14": (0, 2, 4),
        "3g20gb-9": (0, 4),
        "4g20gb-5": (0,),
        "7g40gb-0": (0,),
    }
    migs = [f"gpu-2-mig-{profile}-{start}" for profile, places in starts.items() for start in places]
    assert of_third == sorted(["gpu-2", "gpu-vfio-2", *migs])
    assert len(devices) == 8 * 27

    gpu, mig, vfio = (devices[name] for name in ("gpu-2", "gpu-2-mig-2g10gb-14-4", "gpu-vfio-2"))
    standard = {"resource.kubernetes.io/pciBusID", "resource.kubernetes.io/pcieRoot", "productName", "type"}
    same = {"addressingMode", "architecture", "brand", "cudaComputeCapability", "cudaDriverVersion", "driverVersion"}
    assert set(gpu.attributes) == standard | same | {"index", "uuid"}
    assert set(mig.attributes) == standard | same | {"profile", "parentUUID"}
    assert set(vfio.attributes) == standard | {"uuid", "deviceID", "vendorID", "numa", "iommuFDEnabled"}
    assert gpu.attributes["index"].int_value == 2
    assert mig.attributes["parentUUID"].string == gpu.attributes["uuid"].string
    assert mig.attributes["profile"].string == "2g.10gb"
    assert [device.attributes["type"].string for device in (gpu, mig, vfio)] == ["gpu", "mig", "vfio"]
    assert mig.capacity["memory"].value == "9856Mi"

    slices = {name: amount for (_, name), amount in consumed(mig).items() if name.startswith("memory-slice-")}
    assert slices == {"memory-slice-4": 1, "memory-slice-5": 1}
    assert (
        consumed(gpu)
        == consumed(vfio)
        == {key: n for key, n in available(node_of("nvidia-a100")).items() if key[0] == "gpu-2-counter-set"}
    )


def test_gpus_of_the_example_driver() -> None:
    gpu = published("dra-example-gpu")["gpu-1"]
    assert gpu.attributes["index"].int_value == 1
    assert gpu.attributes["model"].string == "LATEST-GPU-MODEL"
    assert (gpu.attributes["uuid"].string or "").startswith("gpu-")
    assert gpu.attributes["driverVersion"].version == "1.0.0"
    assert {name: capacity.value for name, capacity in gpu.capacity.items()} == {"memory": "80Gi", "compute": "100"}
    assert gpu.allow_multiple_allocations is False

    parts = published("dra-example-gpu", "dra-example-gpu-partitions")
    names = list(parts)
    assert names[:5] == [*(f"gpu-0-partition-{number}" for number in range(4)), "gpu-0-full"], "in this order"
    assert most_at_once(node_of("dra-example-gpu", "dra-example-gpu-partitions"), list(parts.values())) == 8 * 4

    shared = published("dra-example-gpu", "dra-example-gpu-shared")["gpu-0"]
    policy = shared.capacity["memory"].request_policy
    assert policy is not None
    assert policy.default == "80Gi"
    assert policy.valid_range is not None
    assert (policy.valid_range.min, policy.valid_range.step, policy.valid_range.max) == ("1Gi", "1Gi", "80Gi")


def test_partitions_of_an_amd_gpu_are_numbered_in_a_row() -> None:
    parts = published("amd-mi300x", "amd-mi300x-partitions")
    assert len(parts) == 64
    assert list(parts)[8] == "gpu-8-136"
    buses = {name: part.attributes["resource.kubernetes.io/pciBusID"].string for name, part in parts.items()}
    assert buses["gpu-0-128"] == buses["gpu-7-135"] != buses["gpu-8-136"]


def test_names_of_intel_gpus() -> None:
    assert next(iter(published("intel-max-1550"))) == "0000-29-00-0-0x0bd5"
