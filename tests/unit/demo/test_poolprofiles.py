"""Profiles of node pools, as the chart is told them."""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.cluster import ClusterError, NodePool, NodeTaint
from fake_dra_driver.demo.install import driver_manifests
from fake_dra_driver.demo.poolprofiles import PROFILE_LABEL, with_profiles

OWN: Mapping[str, Any] = {"deviceProfiles": [{"name": "mine", "spec": {"priority": 4}}, {"name": "other", "spec": {}}]}


def _profiles(values: Mapping[str, Any]) -> Mapping[str, tuple[object, int]]:
    """By name: what the profile selects, and its priority."""
    return {
        each["name"]: (each["spec"].get("nodeSelector"), each["spec"].get("priority", 0))
        for each in values["deviceProfiles"]
    }


def _selected(name: str, priority: int) -> tuple[object, int]:
    return {"matchLabels": {PROFILE_LABEL: name}}, priority


def test_profiles_of_presets_bring_their_driver() -> None:
    pools, values = with_profiles(
        [
            NodePool(name="new", profile="nvidia-h100"),
            NodePool(name="old", profile="nvidia-a100"),
            NodePool(name="cpu"),
        ],
        {"controller": {"replicas": 2}},
    )
    assert [pool.labels for pool in pools] == [{PROFILE_LABEL: "nvidia-h100"}, {PROFILE_LABEL: "nvidia-a100"}, {}]
    assert (values["driverName"], values["controller"]) == ("gpu.nvidia.com", {"replicas": 2})
    assert {each["name"] for each in values["deviceClasses"]} == {
        "gpu.nvidia.com",
        "mig.nvidia.com",
        "vfio.gpu.nvidia.com",
    }
    # The other nodes have no devices.
    assert _profiles(values) == {
        "no-devices": (None, -1),
        "nvidia-h100": _selected("nvidia-h100", 1),
        "nvidia-a100": _selected("nvidia-a100", 1),
    }
    kinds = [each["kind"] for each in driver_manifests("1.37", values)]
    assert (kinds.count("DeviceProfile"), kinds.count("DeviceClass")) == (3, 3)


def test_a_profile_of_the_values_comes_before_others() -> None:
    pools, values = with_profiles([NodePool(name="a", labels={"x": "y"}, profile="mine"), NodePool(name="b")], OWN)
    assert pools[0].labels == {"x": "y", PROFILE_LABEL: "mine"}
    assert _profiles(values) == {"other": (None, 0), "mine": _selected("mine", 5)}


def test_without_profiles_the_values_stay() -> None:
    assert with_profiles([NodePool(name="a")], OWN)[1] == OWN


def test_the_plugin_tolerates_the_taints_of_pools() -> None:
    pools = [NodePool(name="a", taints=(NodeTaint(key="gpu", value="true", effect="NoSchedule"),))]
    assert with_profiles(pools, {})[1] == {
        "kubeletPlugin": {"tolerations": [{"key": "gpu", "value": "true", "effect": "NoSchedule"}]}
    }
    told: Mapping[str, Any] = {"kubeletPlugin": {"tolerations": []}}
    assert with_profiles(pools, told)[1] == told


@pytest.mark.parametrize(
    ("profiles", "values", "said"),
    [
        (["nvidia-h100", "nope"], {}, r"^pools\[1\]\.profile: there is no profile nope\. There are: .*, nvidia-h100$"),
        (
            ["nvidia-h100", "amd-mi300x"],
            {},
            r"started with one: gpu\.nvidia\.com \(nvidia-h100\) and gpu\.amd\.com \(amd-mi300x\)\. Install",
        ),
        (
            ["nvidia-h100"],
            {"driverName": "x.com"},
            r"gpu\.nvidia\.com \(nvidia-h100\) and x\.com \(the chart's values\)",
        ),
        (["mine", "nvidia-h100"], OWN, r"fake\.resource\.3-shake\.com \(mine\) and gpu\.nvidia\.com \(nvidia-h100\)"),
    ],
)
def test_profiles_that_cannot_be(profiles: list[str], values: Mapping[str, Any], said: str) -> None:
    pools = [NodePool(name=f"p{at}", profile=profile) for at, profile in enumerate(profiles)]
    with pytest.raises(ClusterError, match=said):
        with_profiles(pools, values)
