"""Which claims can have a device at the same time, and which claim is in the way of another."""

import pytest

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult, disputed_devices, find_holder
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice

RESULT = RequestResult("fakes", "worker", "fake-0")
ADMIN = RequestResult("look", "worker", "fake-0", admin_access=True)
SHARE = RequestResult("part", "worker", "fake-0", share_id="1")
OTHER_SHARE = RequestResult("part", "worker", "fake-0", share_id="2")
A, B = Device("FAKE-a", "ULTRA_10"), Device("FAKE-b", "ULTRA_100")


def claim(uid: str, *devices: FakePreparedDevice) -> FakePreparedClaim:
    return PreparedClaim(uid, "default", f"claim-{uid}", devices)


def with_result(uid: str, *results: RequestResult | None) -> FakePreparedClaim:
    """A claim that has device A as each of the results."""
    return claim(uid, *(FakePreparedDevice(A.uuid, A.model, result=result) for result in results))


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
    assert not disputed_devices(
        with_result("1", RESULT), claim("2", FakePreparedDevice(B.uuid, B.model, result=RESULT))
    )


def test_children_stand_for_their_device() -> None:
    split = claim("1", *(FakePreparedDevice(f"{A.uuid}-{part}", A.model, A.uuid, RESULT) for part in range(2)))
    assert disputed_devices(split, with_result("2", RESULT)) == {A.uuid}


def test_the_holder_is_the_first_other_claim_that_cannot_have_the_device_as_well() -> None:
    wanted = with_result("wanted", RESULT)
    claims = {each.uid: each for each in (wanted, with_result("a", ADMIN), with_result("c", RESULT))}
    assert find_holder(claims, wanted) == claims["c"]
    assert find_holder(claims | {"b": with_result("b", None)}, wanted) == with_result("b", None)
    assert find_holder({"a": claims["a"], "wanted": wanted}, wanted) is None
