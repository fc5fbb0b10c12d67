"""Which claims can have a device at the same time, and what containers get for what a claim holds."""

import pytest

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children
from fake_dra_driver.driver.node.prepared import (
    PreparedClaim,
    PreparedDevice,
    RequestResult,
    UnknownDeviceError,
    WantedDevice,
    disputed_devices,
    find_holder,
    prepared_devices,
)

RESULT = RequestResult("fakes", "worker", "fake-0")
ADMIN = RequestResult("look", "worker", "fake-0", admin_access=True)
SHARE = RequestResult("part", "worker", "fake-0", share_id="1")
OTHER_SHARE = RequestResult("part", "worker", "fake-0", share_id="2")
A, B = Device("FAKE-a", "ULTRA_10"), Device("FAKE-b", "ULTRA_100")
INVENTORY = {device.uuid: device for device in (A, B)}


def claim(uid: str, *devices: PreparedDevice) -> PreparedClaim:
    return PreparedClaim(uid, "default", f"claim-{uid}", devices)


def with_result(uid: str, *results: RequestResult | None) -> PreparedClaim:
    """A claim that has device A as each of the results."""
    return claim(uid, *(PreparedDevice(A.uuid, A.model, result=result) for result in results))


def test_a_device_comes_with_its_result_and_so_does_each_of_its_children() -> None:
    wanted = [WantedDevice(B.uuid, 2, RESULT), WantedDevice(A.uuid, result=ADMIN)]
    first, second = children(B.uuid, 2)
    assert prepared_devices(INVENTORY, wanted) == (
        PreparedDevice(first, "ULTRA_100", B.uuid, RESULT),
        PreparedDevice(second, "ULTRA_100", B.uuid, RESULT),
        PreparedDevice(A.uuid, "ULTRA_10", None, ADMIN),
    )


def test_a_device_of_another_node_is_refused() -> None:
    with pytest.raises(UnknownDeviceError, match="this node has no device FAKE-c"):
        prepared_devices(INVENTORY, [WantedDevice("FAKE-c")])


@pytest.mark.parametrize(
    ("one", "other", "is_disputed"),
    [
        ([None], [None], True),
        ([RESULT], [RESULT], True),
        ([None], [RESULT], True),
        ([ADMIN], [RESULT], False),
        ([ADMIN], [ADMIN], False),
        ([ADMIN], [SHARE], False),
        ([ADMIN], [None], False),
        ([SHARE], [OTHER_SHARE], False),
        ([SHARE], [SHARE], True),
        ([SHARE], [RESULT], True),
        ([SHARE, OTHER_SHARE], [OTHER_SHARE], True),
    ],
)
def test_a_device_can_be_in_two_claims_by_admin_access_or_as_different_shares(
    one: list[RequestResult | None], other: list[RequestResult | None], is_disputed: bool
) -> None:
    first, second = with_result("1", *one), with_result("2", *other)
    expected = {A.uuid} if is_disputed else set()
    assert disputed_devices(first, second) == expected
    assert disputed_devices(second, first) == expected


def test_different_devices_are_not_disputed() -> None:
    assert not disputed_devices(with_result("1", RESULT), claim("2", PreparedDevice(B.uuid, B.model, result=RESULT)))


def test_children_stand_for_their_device() -> None:
    split = claim("1", *prepared_devices(INVENTORY, [WantedDevice(A.uuid, 2, RESULT)]))
    assert disputed_devices(split, with_result("2", RESULT)) == {A.uuid}


def test_the_holder_is_the_first_other_claim_that_cannot_have_the_device_as_well() -> None:
    wanted = with_result("wanted", RESULT)
    claims = {each.uid: each for each in (wanted, with_result("a", ADMIN), with_result("c", RESULT))}
    assert find_holder(claims, wanted) == claims["c"]
    assert find_holder(claims | {"b": with_result("b", None)}, wanted) == with_result("b", None)
    assert find_holder({"a": claims["a"], "wanted": wanted}, wanted) is None
