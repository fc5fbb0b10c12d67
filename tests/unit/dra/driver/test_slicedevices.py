"""A device of a driver in a ResourceSlice: attributes, capacity, shares and taints, as an API server takes them."""

from typing import Any

import pytest

from fake_dra_driver.dra.driver.device import AttributeValue, Capacity, Device, Taint, Version
from fake_dra_driver.dra.driver.slicedevices import slice_device
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.structured.pool import Pool
from fake_dra_driver.dra.structured.poollimits import check_pools

DRIVER = "lamp.example.com"


def wire(device: Device) -> dict[str, Any]:
    """The device as it is sent, which nothing is wrong with."""
    found = slice_device(DRIVER, device)
    check_pools(DRIVER, "node-a", [Pool("node-a", (found,), node_name="node-a")])
    return found.to_wire()


def test_attributes_have_the_kinds_of_their_values() -> None:
    attributes: dict[str, AttributeValue] = {
        "color": "red",
        "count": 3,
        "dimmable": True,
        "firmware": Version("2.1.0"),
        "resource.kubernetes.io/pcieRoot": "pci0000:00",
    }
    assert wire(Device("lamp-0", attributes)) == {
        "name": "lamp-0",
        "attributes": {
            "color": {"string": "red"},
            "count": {"int": 3},
            "dimmable": {"bool": True},
            "firmware": {"version": "2.1.0"},
            "resource.kubernetes.io/pcieRoot": {"string": "pci0000:00"},
        },
        "capacity": {},
    }


@pytest.mark.parametrize("value", ["8Gi", Capacity("8Gi")])
def test_a_device_for_one_claim_has_its_capacity_and_no_more(value: str | Capacity) -> None:
    assert wire(Device("lamp-0", capacity={"memory": value, "hours": 4000})) == {
        "name": "lamp-0",
        "attributes": {},
        "capacity": {"memory": {"value": "8Gi"}, "hours": {"value": "4000"}},
    }


@pytest.mark.parametrize(
    ("capacity", "policy"),
    [
        (Capacity("100G"), None),
        (Capacity("100G", default="1G"), {"default": "1G"}),
        (Capacity("100G", least="1G"), {"default": "100G", "validRange": {"min": "1G"}}),
        (Capacity("100G", step="10G"), {"default": "100G", "validRange": {"min": "0", "step": "10G"}}),
        (
            Capacity("100G", default="5G", least="1G", most="50G", step="1G"),
            {"default": "5G", "validRange": {"min": "1G", "max": "50G", "step": "1G"}},
        ),
        (Capacity(100, default=0, most=10), {"default": "0", "validRange": {"min": "0", "max": "10"}}),
    ],
)
def test_a_shared_device_says_what_a_claim_may_take(capacity: Capacity, policy: dict[str, Any] | None) -> None:
    found = wire(Device("nic-0", capacity={"bandwidth": capacity}, shared=True))
    assert found["allowMultipleAllocations"] is True
    assert found["capacity"]["bandwidth"].get("requestPolicy") == policy


def test_a_device_that_is_not_healthy_is_tainted() -> None:
    for health in (Health.UNHEALTHY, Health.UNKNOWN):
        taints = wire(Device("lamp-0", health=health))["taints"]
        assert taints == [{"key": "lamp.example.com/unhealthy", "effect": "NoSchedule"}]
    assert "taints" not in wire(Device("lamp-0"))


def test_a_device_that_its_driver_has_tainted_gets_no_other_taint() -> None:
    device = Device("lamp-0", health=Health.UNHEALTHY, taints=[Taint("example.com/burnt", "out", "NoExecute")])
    assert wire(device)["taints"] == [{"key": "example.com/burnt", "value": "out", "effect": "NoExecute"}]
