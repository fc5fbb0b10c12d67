"""Profiles for tests, from YAML."""

from typing import Any

import yaml

from fake_dra_driver.api.deviceprofile import DeviceProfile

__all__ = ["make_profile"]


def make_profile(spec: str, name: str = "p", **metadata: Any) -> DeviceProfile:
    """The profile with this spec, in YAML."""
    return DeviceProfile.model_validate({"metadata": {"name": name, **metadata}, "spec": yaml.safe_load(spec)})
