"""What the NodeAllocationState of any driver says, as its author's devices, and as what claims have of them."""

import pytest

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.dra.driver.device import Capacity, Device, Taint, Version
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.driver.state import DriverStateLayout, claim_entry
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.nodestate.deviceuse import DeviceUse, device_uses
from fake_dra_driver.dra.nodestate.kind import ClaimedDevice, ClaimEntry, NodeState

LAMP = "lamp.example.com"
LAYOUT = DriverStateLayout(LAMP)

PLAIN = Device("lamp-0", {"model": "LED"})
EVERYTHING = Device(
    "lamp-1",
    {"model": "Neon", "watts": 40, "dimmable": False, "firmware": Version("2.1.0"), "example.com/zero": 0, "note": ""},
    {"light": "800", "power": Capacity("40", default="10", least="5", most="40", step="5")},
    shared=True,
    health=Health.UNHEALTHY,
    message="flickers",
    taints=(Taint("example.com/flickers"), Taint("example.com/old", "yes", "NoExecute")),
)


def written(
    *inventory: Device, prepared: dict[str, PreparedClaim[DriverPreparedDevice]] | None = None, node: str = "n"
) -> NodeState:
    """The object of a node as the API server has it."""
    wire = LAYOUT.spec_for(inventory, prepared or {}).to_wire()
    return LAYOUT.kind.from_wire({"metadata": {"name": node}, "spec": wire, "status": "Ready"})


def claim(uid: str, *devices: DriverPreparedDevice) -> PreparedClaim[DriverPreparedDevice]:
    return PreparedClaim(uid, "default", uid, devices)


def shared(device: str, **capacity: str) -> DriverPreparedDevice:
    """A share of a device."""
    result = RequestResult("lamps", "n", device, share_id="share")
    return DriverPreparedDevice(device, 0, "", tuple(sorted(capacity.items())), result, ContainerEdits())


def test_devices_are_read_as_they_were_published() -> None:
    assert LAYOUT.inventory_of(written(PLAIN, EVERYTHING)) == (PLAIN, EVERYTHING)


def test_what_is_as_it_mostly_is_is_not_written() -> None:
    assert LAYOUT.spec_for([Device("lamp-0")], {}).to_wire()["allocatableDevices"] == [{"name": "lamp-0"}]


def test_types_of_attributes_survive() -> None:
    (device,) = LAYOUT.inventory_of(written(EVERYTHING))
    assert {name: type(value) for name, value in device.attributes.items()} == {
        "model": str,
        "watts": int,
        "dimmable": bool,
        "firmware": Version,
        "example.com/zero": int,
        "note": str,
    }


@pytest.mark.parametrize(
    ("attributes", "model"),
    [({"model": "LED"}, "LED"), ({f"{LAMP}/model": "LED"}, "LED"), ({"model": 7}, ""), ({}, "")],
)
def test_a_model_is_an_attribute(attributes: dict[str, str | int], model: str) -> None:
    assert LAYOUT.model_of(Device("lamp-0", attributes)) == model


def test_an_inventory_that_changes_is_read_again() -> None:
    assert LAYOUT.inventory_of(written(PLAIN)) == (PLAIN,)
    assert LAYOUT.inventory_of(written(PLAIN, EVERYTHING)) == (PLAIN, EVERYTHING)
    assert LAYOUT.inventory_of(written(node="other")) == ()


def test_what_makes_no_sense_is_read_as_far_as_it_does() -> None:
    published = {"name": "x", "attributes": {"nothing": {}}, "taints": [{"key": "k", "effect": "Odd"}], "health": "?"}
    state = LAYOUT.kind.from_wire({"metadata": {"name": "n"}, "spec": {"allocatableDevices": [published]}})
    assert LAYOUT.inventory_of(state) == (Device("x", taints=(Taint("k"),)),)


def test_what_is_prepared_is_listed_by_claim() -> None:
    watched = DriverPreparedDevice("lamp-0", 0, "", result=RequestResult("look", "n", "lamp-0", admin_access=True))
    prepared = {
        "whole": claim("whole", DriverPreparedDevice("lamp-0", 0, "{}")),
        "share": claim("share", shared("lamp-1", power="10")),
        "monitor": claim("monitor", watched),
    }
    state = written(prepared=prepared)
    assert LAYOUT.prepared_of(state) == {"whole": ["lamp-0"], "share": ["lamp-1"]}
    assert LAYOUT.prepared_holdings_of(state) == {"whole": {"lamp-0": None}, "share": {"lamp-1": {"power": 10**10}}}


def test_what_is_prepared_can_be_restored_from_the_object() -> None:
    prepared = {"uid": claim("uid", DriverPreparedDevice("lamp-0", 0, "{}"), shared("lamp-1", power="10"))}
    state = written(PLAIN, EVERYTHING, prepared=prepared)
    assert LAYOUT.restored(UID("uid"), state) == [
        DriverPreparedDevice("lamp-0", 0, ""),
        DriverPreparedDevice("lamp-1", 1, "", (("power", "10"),), RequestResult("", "n", "lamp-1", share_id="uid")),
    ]
    assert LAYOUT.restored(UID("unknown"), state) == []


def test_a_device_that_is_still_being_prepared_is_taken_and_not_ready() -> None:
    ready = DriverPreparedDevice("lamp-0", 0, "", edits=ContainerEdits())
    state = written(
        PLAIN, Device("lamp-1"), prepared={"uid": claim("uid", ready, DriverPreparedDevice("lamp-1", 1, ""))}
    )
    assert LAYOUT.prepared_of(state) == {"uid": ["lamp-0", "lamp-1"]}
    assert LAYOUT.prepared_holdings_of(state) == {"uid": {"lamp-0": None, "lamp-1": None}}
    assert LAYOUT.being_prepared_of(state) == {"uid"}
    for entries in ({}, {"uid": claim_entry([ready, DriverPreparedDevice("lamp-1", 1, "")])}):
        assert device_uses(LAYOUT, state, entries) == [
            DeviceUse("lamp-0", "LED", "allocated", UID("uid")),
            DeviceUse("lamp-1", "", "allocated", UID("uid")),
        ]


def test_what_is_ready_is_written_without_a_word() -> None:
    ready = DriverPreparedDevice("lamp-0", 0, "", edits=ContainerEdits())
    wire = written(PLAIN, prepared={"uid": claim("uid", ready)}).spec.to_wire()
    assert wire["preparedDevices"] == {"uid": {"devices": [{"name": "lamp-0"}]}}


def test_an_entry_says_what_a_claim_holds() -> None:
    entry = claim_entry([DriverPreparedDevice("lamp-0", 0, '{"watts":5}'), shared("lamp-1", power="10")])
    assert LAYOUT.to_wire(entry) == {
        "devices": [
            {"name": "lamp-0", "config": '{"watts":5}'},
            {"name": "lamp-1", "shared": True, "capacity": {"power": "10"}},
        ]
    }
    assert LAYOUT.devices_of(entry) == ["lamp-0", "lamp-1"]
    assert LAYOUT.holding_of(entry) == {"lamp-0": None, "lamp-1": {"power": 10**10}}


def test_an_entry_says_once_what_is_the_same_for_all_devices() -> None:
    entry = claim_entry([DriverPreparedDevice(f"lamp-{number}", number, '{"watts":5}') for number in range(2)])
    assert LAYOUT.to_wire(entry) == {"config": '{"watts":5}', "devices": [{"name": "lamp-0"}, {"name": "lamp-1"}]}


def test_an_entry_leaves_out_what_is_too_long_to_be_shown() -> None:
    long, short = f'{{"note":"{"x" * 9000}"}}', '{"watts":5}'
    assert LAYOUT.to_wire(claim_entry([DriverPreparedDevice("lamp-0", 0, long)])) == {"devices": [{"name": "lamp-0"}]}
    both = claim_entry([DriverPreparedDevice("lamp-0", 0, long), DriverPreparedDevice("lamp-1", 1, short)])
    assert LAYOUT.to_wire(both) == {"devices": [{"name": "lamp-0"}, {"name": "lamp-1", "config": short}]}


def test_a_share_that_cannot_be_read_is_all_of_the_device() -> None:
    entry = ClaimEntry(devices=(ClaimedDevice(name="lamp-1", shared=True, capacity={"power": "much"}),))
    assert LAYOUT.holding_of(entry) == {"lamp-1": None}


def test_capacities_are_those_of_devices_that_claims_share() -> None:
    odd = Device("odd", capacity={"power": "much", "light": "1"}, shared=True)
    state = written(PLAIN, Device("solid", capacity={"power": "1"}), EVERYTHING, odd)
    assert LAYOUT.capacities_of(state) == {
        "lamp-1": {"light": 800 * 10**9, "power": 40 * 10**9},
        "odd": {"power": 0, "light": 10**9},
    }


def test_metrics_and_status_see_what_devices_are_doing() -> None:
    ready = DriverPreparedDevice("lamp-0", 0, "", edits=ContainerEdits())
    state = written(PLAIN, EVERYTHING, prepared={"uid": claim("uid", ready)})
    entries = {"uid": claim_entry([DriverPreparedDevice("lamp-0", 0, ""), DriverPreparedDevice("gone", 1, "")])}
    assert device_uses(LAYOUT, state, entries) == [
        DeviceUse("lamp-0", "LED", "prepared", UID("uid")),
        DeviceUse("lamp-1", "Neon", "unavailable", problem="Unhealthy: flickers"),
        DeviceUse("gone", "", "missing", UID("uid")),
    ]
    assert LAYOUT.annotations_of(state, entries) == {"nas.lamp.example.com/allocated-devices": "2/2"}


def test_a_new_object_is_empty() -> None:
    made = LAYOUT.make(ObjectMeta(name="n", namespace="lamps"), "NotReady")
    assert made.to_wire() == {
        "apiVersion": "nas.lamp.example.com/v1alpha1",
        "kind": "NodeAllocationState",
        "metadata": {"name": "n", "namespace": "lamps"},
        "spec": {},
        "status": "NotReady",
    }


def test_a_device_that_is_not_healthy_is_not_free() -> None:
    broken = Device("lamp-1", {"model": "LED"}, health=Health.UNHEALTHY, message="flickers")
    lost = Device("lamp-2", health=Health.UNKNOWN)
    assert device_uses(LAYOUT, written(PLAIN, broken, lost)) == [
        DeviceUse("lamp-0", "LED", "free"),
        DeviceUse("lamp-1", "LED", "unavailable", problem="Unhealthy: flickers"),
        DeviceUse("lamp-2", "", "unavailable", problem="Unknown"),
    ]


def test_a_device_that_claims_share_is_shown_with_all_of_them() -> None:
    device = Device("lamp-0", capacity={"power": "40"}, shared=True)
    state = written(device, prepared={"b": claim("b", shared("lamp-0", power="10"))})
    entries = {uid: claim_entry([shared("lamp-0", power="10")]) for uid in "abc"}
    assert device_uses(LAYOUT, state, entries) == [
        DeviceUse("lamp-0", "", "prepared", UID("b"), others=(UID("a"), UID("c")))
    ]
