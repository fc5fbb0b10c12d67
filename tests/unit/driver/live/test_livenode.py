"""What a node has at a moment: the devices that have not vanished, under names that stay theirs."""

from dataclasses import replace

from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device, make_inventory
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode, ProfileName
from fake_dra_driver.driver.structured.inventory import devices_by_name

INVENTORY = make_inventory("n", 3, ["M"])


def test_those_who_serve_it_are_told_of_changes_alone() -> None:
    node = LiveNode(fake_node("n", INVENTORY))
    told: list[int] = []
    node.subscribe(lambda: told.append(len(node.devices)))
    node.take(fake_node("n", INVENTORY))
    node.apply(FaultEffects())
    assert told == []
    node.take(fake_node("n", INVENTORY[:2]))
    node.apply(FaultEffects(vanished=frozenset({"fake-0"})))
    assert told == [2, 1]


def test_classic_dra_which_knows_no_counters_has_no_parts_of_devices() -> None:
    whole = MockDevice(Device("GPU-0", "A", "gpu"), v1.Device(name="gpu-0"))
    part = MockDevice(Device("MIG-0", "A", "mig"), v1.Device(name="gpu-0-mig"), parent="gpu-0")
    node = LiveNode(MockNode("n", ProfileName("a"), (part, whole)))
    assert [device.name for device in node.devices] == ["gpu-0-mig", "gpu-0"]
    node.serve_classic()
    assert node.devices == (Device("GPU-0", "A", "gpu", "gpu-0"),)
    assert [device.name for device in node.present.devices] == ["gpu-0"]


def test_a_device_keeps_its_name_where_another_has_vanished() -> None:
    node = LiveNode(fake_node("n", INVENTORY))
    assert node.devices == INVENTORY, "as released versions write it"
    node.apply(FaultEffects(vanished=frozenset({"fake-1"})))
    assert node.devices == (INVENTORY[0], replace(INVENTORY[2], name="fake-2"))
    assert devices_by_name(node.devices)["fake-2"].uuid == INVENTORY[2].uuid
