"""What people are told about a node's slices: on the Node, where ``kubectl describe node`` shows it."""

from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.sliceevents import SliceEvents
from tests.support.events import Recorder
from tests.support.node import NODE


def test_repairs_are_told_on_the_node_with_the_slices() -> None:
    recorder = Recorder()
    events = SliceEvents(recorder, NODE)
    events.slices_restored("worker", ["a", "b"])
    events.slices_corrected("worker", ["a"])
    events.slices_removed("worker", ["c"])
    assert recorder.events == [
        (NODE, "ResourceSlicesRestored", "ResourceSlices of pool worker were gone, and are published again: a, b"),
        (NODE, "ResourceSlicesCorrected", "ResourceSlices of pool worker were changed, and are written again: a"),
        (
            NODE,
            "ResourceSlicesRemoved",
            "ResourceSlices of pool worker that the plugin has not made were deleted: c",
        ),
    ]
    assert recorder.uids == {NODE}, "the UID by which kubectl describe node looks for Events"


def test_what_the_api_server_does_not_keep_is_told_with_what_brings_it_back() -> None:
    recorder = Recorder()
    events = SliceEvents(recorder, NODE)
    dropped = DroppedFields(("devices[].taints",))
    events.fields_dropped("worker", dropped)
    events.status_not_written("switch on the gate")
    assert recorder.events == [
        (NODE, "ResourceSliceFieldsDropped", f"pool worker: {dropped}"),
        (NODE, "DeviceStatusNotWritten", "switch on the gate"),
    ]
