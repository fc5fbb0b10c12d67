"""What a node has at a moment: the devices that have not vanished, under names that stay theirs."""

from dataclasses import replace

from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.driver.fault.effects import FaultEffects
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.profile.fakes import fake_node
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


def test_a_device_keeps_its_name_where_another_has_vanished() -> None:
    node = LiveNode(fake_node("n", INVENTORY))
    assert node.devices == INVENTORY, "as released versions write it"
    node.apply(FaultEffects(vanished=frozenset({"fake-1"})))
    assert node.devices == (INVENTORY[0], replace(INVENTORY[2], name="fake-2"))
    assert devices_by_name(node.devices)["fake-2"].uuid == INVENTORY[2].uuid
