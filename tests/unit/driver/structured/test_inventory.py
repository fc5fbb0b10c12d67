"""A node's devices under the names that allocations have for them."""

from fake_dra_driver.device.inventory import Device, make_inventory
from fake_dra_driver.driver.structured.inventory import devices_by_name


def test_a_device_is_found_by_its_place() -> None:
    inventory = make_inventory("worker", 12, ["M"])
    assert devices_by_name(inventory)["fake-11"] == inventory[11]
    assert list(devices_by_name(inventory).values()) == list(inventory)


def test_a_device_that_has_a_name_is_found_by_it() -> None:
    gpu = Device("GPU-1", "A100", "gpu", "gpu-0")
    assert devices_by_name([gpu]) == {"gpu-0": gpu}
