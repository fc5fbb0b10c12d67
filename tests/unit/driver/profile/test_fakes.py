"""A node's devices in its ResourceSlices: names, order and attributes, with the UUIDs of every earlier release."""

import re

from fake_dra_driver import __version__
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.driver.profile.fakes import fake_node

NODE = "fake-dra-driver-cluster-worker"


def test_a_device_has_what_selectors_ask_for() -> None:
    first, second = [
        device.published for device in fake_node(NODE, make_inventory(NODE, 2, ["ULTRA_10", "ULTRA_100"])).devices
    ]
    assert first.to_wire() == {
        "name": "fake-0",
        "attributes": {
            "driverVersion": {"version": __version__},
            "index": {"int": 0},
            "model": {"string": "ULTRA_10"},
            "type": {"string": "fake"},
            "uuid": {"string": "FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5"},
        },
    }
    assert second.name == "fake-1"
    assert second.attributes["uuid"].string == "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a"
    assert second.attributes["model"].string == "ULTRA_100"


def test_the_api_server_takes_what_is_published() -> None:
    """Names are DNS labels and C identifiers, strings have at most 64 characters, versions are semantic ones."""
    inventory = make_inventory("n" * 253, 1000, ["M" * 63])
    devices = [device.published for device in fake_node("n" * 253, inventory).devices]
    assert len({device.name for device in devices}) == 1000
    for device in devices:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", device.name)
        for name, value in device.attributes.items():
            assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,31}", name)
            assert value.string is None or 0 < len(value.string) <= 64
            assert value.version is None or re.fullmatch(r"\d+\.\d+\.\d+", value.version)
