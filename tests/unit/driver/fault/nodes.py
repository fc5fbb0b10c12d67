"""Nodes and DeviceFaults for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.fault.target import Holders, Place
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode, ProfileName

DRIVER = "gpu.example.com"
START = datetime(2026, 1, 1, tzinfo=UTC)


def device(index: int, model: str = "A100", parent: str = "") -> MockDevice:
    name = f"{parent}-part-{index}" if parent else f"gpu-{index}"
    attributes = {"index": v1.DeviceAttribute(int_value=index), "model": v1.DeviceAttribute(string=model)}
    return MockDevice(
        Device(f"UUID-{name}", model), v1.Device(name=name, attributes=attributes), "gpu", index, parent=parent
    )


def place(
    *devices: MockDevice,
    node: str = "node-0",
    labels: Mapping[str, str] | None = None,
    holders: Holders | None = None,
    callers: Holders | None = None,
) -> Place:
    found = devices or tuple(device(index) for index in range(4))
    return Place(MockNode(node, ProfileName(), found), DRIVER, labels or {}, holders or {}, callers or {})


def fault(effects: Mapping[str, Any], *, name: str = "broken", start: datetime = START, **spec: Any) -> DeviceFault:
    """A fault as the API server has it."""
    return DeviceFault.from_wire(
        {
            "metadata": {
                "name": name,
                "uid": f"uid-of-{name}",
                "creationTimestamp": start.isoformat(),
                "generation": 1,
            },
            "spec": {"driverName": DRIVER, "effects": effects, **spec},
        }
    )
