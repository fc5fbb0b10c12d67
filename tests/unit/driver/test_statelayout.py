"""The NodeAllocationState of the Fake devices, as the layout reads it; also one that was edited by hand."""

from typing import Any

from fake_dra_driver.api.fake import MAX_SPLIT, AllocatedDevices, NodeAllocationState
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children
from fake_dra_driver.driver.statelayout import FakeStateLayout

LAYOUT = FakeStateLayout()


def state(**spec: Any) -> NodeAllocationState:
    return NodeAllocationState.from_wire({"metadata": {"name": "n"}, "spec": spec})


def entry(*devices: dict[str, Any]) -> AllocatedDevices:
    return AllocatedDevices.model_validate({"fake": {"devices": list(devices)}})


def test_devices_of_an_unknown_type_are_not_in_the_inventory() -> None:
    found = LAYOUT.inventory_of(state(allocatableDevice=[{"fake": {"uuid": "a", "name": "M"}}, {"other": {}}]))
    assert found == (Device("a", "M"),)


def test_what_a_profile_says_of_a_device_is_listed_and_left_out_of_others() -> None:
    gpu, fake = Device("GPU-1", "A100", "gpu", "gpu-0"), Device("FAKE-1", "M")
    spec = LAYOUT.spec_for([gpu, fake], {})
    assert spec.to_wire()["allocatableDevice"] == [
        {"fake": {"uuid": "GPU-1", "name": "A100", "type": "gpu", "device": "gpu-0"}},
        {"fake": {"uuid": "FAKE-1", "name": "M"}},
    ]
    assert LAYOUT.inventory_of(state(**spec.to_wire())) == (gpu, fake)


def test_an_entry_names_whole_devices_and_says_how_they_are_split() -> None:
    held = entry({"uuid": "a", "split": 3}, {"uuid": "b"})
    assert LAYOUT.devices_of(held) == ["a", "b"]
    assert LAYOUT.parts_of(held) == {"a": 3, "b": 0}
    assert LAYOUT.allocated_text({"x": held, "y": entry({"uuid": "b"})}, 8) == "2/8", "what claims share counts once"
    assert (LAYOUT.devices_of(AllocatedDevices()), LAYOUT.parts_of(AllocatedDevices())) == ([], {})


def test_of_a_device_that_an_entry_names_twice_the_first_counts() -> None:
    assert LAYOUT.parts_of(entry({"uuid": "a", "split": 2}, {"uuid": "a", "split": 5})) == {"a": 2}


def test_prepared_children_belong_to_their_devices() -> None:
    devices = [{"uuid": "a-0", "parentUUID": "a"}, {"uuid": "b"}, {"uuid": "a-1", "parentUUID": "a"}]
    prepared = {"x": {"fake": {"devices": devices}}, "empty": {}}
    found = state(preparedDevices=prepared)
    assert LAYOUT.prepared_of(found) == {"x": ["a", "b"], "empty": []}
    assert LAYOUT.prepared_parts_of(found) == {"x": {"a": ["a-0", "a-1"], "b": []}, "empty": {}}


def test_parts_are_children_of_which_there_are_only_so_many() -> None:
    assert LAYOUT.part_keys("a", 2) == children("a", 2)
    assert len(LAYOUT.part_keys("a", 10**9)) == MAX_SPLIT
    assert LAYOUT.part_keys("a", 0) == ()
