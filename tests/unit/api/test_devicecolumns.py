"""The devices of a node in little memory read as they always did, and are written as they were."""

from typing import Any

import pytest

from fake_dra_driver.api.devicecolumns import DeviceColumns
from fake_dra_driver.api.fake import AllocatableDevice, FakeDevice, NodeAllocationState, NodeAllocationStateSpec

PLAIN: list[dict[str, Any]] = [
    {"fake": {"uuid": "u-0", "name": "H100", "type": "gpu", "device": "gpu-0"}},
    {"fake": {"uuid": "u-1", "name": "H100"}},
    {"fake": {"uuid": "u-2", "name": "1g.10gb", "type": "mig"}},
    {"fake": {"uuid": "u-3", "name": "H100", "device": "gpu-3"}},
]


def read(devices: object) -> NodeAllocationStateSpec:
    return NodeAllocationState.from_wire({"metadata": {"name": "n"}, "spec": {"allocatableDevice": devices}}).spec


def test_entries_are_read_as_objects() -> None:
    devices: Any = read(PLAIN).allocatable_device
    assert isinstance(devices, DeviceColumns)
    expected = tuple(AllocatableDevice.model_validate(entry) for entry in PLAIN)
    assert (len(devices), tuple(devices), devices[1], devices[2:], devices[-1]) == (
        4,
        expected,
        expected[1],
        expected[2:],
        expected[3],
    )
    assert devices == expected
    assert expected == devices
    assert devices != expected[1:]
    assert repr(devices) == repr(expected)
    with pytest.raises(IndexError):
        devices[4]


@pytest.mark.parametrize(
    "devices",
    [
        PLAIN,
        [],
        [{}],
        [{"fake": {"uuid": "u", "name": ""}}],
        [{"fake": {"uuid": "u\nv", "name": "m"}}],
        [{"fake": {"uuid": "u", "name": "m", "type": ""}}],
        [*PLAIN, {"fake": {"uuid": "u", "name": "m", "device": ""}}],
    ],
    ids=str,
)
def test_what_was_read_is_written(devices: list[dict[str, Any]]) -> None:
    assert read(devices).to_wire()["allocatableDevice"] == devices
    assert len(read(devices).allocatable_device) == len(devices)


@pytest.mark.parametrize("devices", [{"a": 1}, ["u"], [{"fake": {"uuid": 1, "name": "m"}}], [{"fake": {"uuid": "u"}}]])
def test_what_is_no_device_is_refused(devices: object) -> None:
    with pytest.raises(ValueError, match="allocatableDevice"):
        read(devices)


def test_nodes_of_one_profile_share_what_they_have_in_common() -> None:
    one, other = read(PLAIN).allocatable_device, read([dict(entry) for entry in PLAIN]).allocatable_device
    assert one == other
    assert getattr(one, "_kinds") is getattr(other, "_kinds")  # noqa: B009 - the type of the field says a tuple
    another = read([{"fake": {**entry["fake"], "uuid": "x"}} for entry in PLAIN]).allocatable_device
    assert one != another


def test_objects_made_in_python_are_kept() -> None:
    devices = (AllocatableDevice(fake=FakeDevice(uuid="u", name="m")),)
    assert NodeAllocationStateSpec(allocatable_device=devices).to_wire() == {
        "allocatableDevice": [{"fake": {"uuid": "u", "name": "m"}}]
    }
