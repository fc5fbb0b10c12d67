"""What a node is told of a claim in classic DRA, and what it makes of it."""

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.driver.classichandle import claimed_device, classic_entry, entry_of_handle, handle_of_entry
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.helddevices import DriverHeldDevices
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.nodestate.kind import ClaimedDevice, ClaimEntry

CLAIM = NodeClaim("default", "claim", UID("uid"))
CONFIG = '{"bandwidth":"2G"}'


def entry(*devices: tuple[str, dict[str, str] | None], config: str = CONFIG) -> ClaimEntry:
    return classic_entry(config, [claimed_device(name, share) for name, share in devices])


@pytest.mark.parametrize(
    ("held", "handle"),
    [
        pytest.param(
            entry(("lamp-0", None), config=""), '{"version":"v1","devices":[{"name":"lamp-0"}]}', id="as it mostly is"
        ),
        pytest.param(
            entry(("card-1", {"bandwidth": "2G"}), ("card-0", {"bandwidth": "2G"})),
            r'{"version":"v1","config":"{\"bandwidth\":\"2G\"}","devices":['
            '{"name":"card-1","shared":true,"capacity":{"bandwidth":"2G"}},'
            '{"name":"card-0","shared":true,"capacity":{"bandwidth":"2G"}}]}',
            id="shares",
        ),
        pytest.param(
            entry(("bus", {}), config=""),
            '{"version":"v1","devices":[{"name":"bus","shared":true}]}',
            id="a share of what has no capacity",
        ),
    ],
)
def test_a_handle_says_what_the_entry_says(held: ClaimEntry, handle: str) -> None:
    assert handle_of_entry(held) == handle
    assert entry_of_handle(handle) == held
    assert entry_of_handle(handle).to_wire() == held.to_wire()


@pytest.mark.parametrize(
    "edited",
    [
        pytest.param(ClaimEntry(), id="no devices"),
        pytest.param(entry(("a", None), ("a", None)), id="one twice"),
        pytest.param(
            ClaimEntry(devices=(ClaimedDevice(name="a"), ClaimedDevice(name="b", config=CONFIG))), id="two configs"
        ),
    ],
)
def test_an_entry_that_no_controller_has_written_has_no_handle(edited: ClaimEntry) -> None:
    with pytest.raises(ValueError, match="the entry names no devices, one of them twice, or configures them differ"):
        handle_of_entry(edited)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("garbage", "is not JSON: expected value at line 1 column 1"),
        ("{}", "version: must be set; devices: must be set"),
        ('{"version":"v2","devices":[{"name":"a"}]}', "version: must be 'v1', is \"v2\""),
        ('{"version":"v1","devices":[]}', "devices: must not be empty"),
        ('{"version":"v1","devices":[{"name":""}]}', r"devices\[0\].name: must not be empty"),
        ('{"version":"v1","devices":[{"name":"a"},{"name":"a"}]}', "it names a device twice"),
    ],
)
def test_a_handle_that_cannot_be_used_says_why_in_one_line(data: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        entry_of_handle(data)


def held_devices(*prepared: DriverPreparedDevice) -> DriverHeldDevices:
    """Of a node that has the devices a and b, and has these prepared for the claim."""
    devices = {name: Device(name) for name in "ab"}
    record = {"uid": PreparedClaim("uid", "default", "claim", prepared)} if prepared else {}
    return DriverHeldDevices("n", devices.get, lambda: record)


def test_a_node_prepares_what_the_handle_says() -> None:
    handle = handle_of_entry(entry(("b", None), ("a", {"bandwidth": "2G"})))
    devices = held_devices().by_handle(CLAIM, handle)
    assert devices == [
        DriverPreparedDevice("b", 0, CONFIG),
        DriverPreparedDevice(
            "a", 1, CONFIG, (("bandwidth", "2G"),), RequestResult("", pool="n", device="a", share_id="uid")
        ),
    ]
    assert held_devices().by_entry(CLAIM, entry_of_handle(handle)) == devices
    assert held_devices().keys_of(handle) == ["b", "a"]


def test_a_device_that_the_node_does_not_have_cannot_be_prepared() -> None:
    with pytest.raises(DeviceMissingError, match="claim default/claim: this node has no device gone any more"):
        held_devices().by_entry(CLAIM, entry(("a", None), ("gone", None)))


def test_a_device_that_was_prepared_for_the_claim_stays_its_own() -> None:
    held = held_devices(DriverPreparedDevice("gone", 0, ""))
    assert [device.name for device in held.by_entry(CLAIM, entry(("gone", None)))] == ["gone"]
