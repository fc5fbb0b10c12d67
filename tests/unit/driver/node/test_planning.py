"""What containers get for what a claim holds."""

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, WantedDevice
from fake_dra_driver.driver.profile.fakes import fake_node

CLAIM = NodeClaim("default", "c", UID("uid-c"))
RESULT = RequestResult("fakes", "worker", "fake-0")
ADMIN = RequestResult("look", "worker", "fake-0", admin_access=True)
A, B = Device("FAKE-a", "ULTRA_10"), Device("FAKE-b", "ULTRA_100")
PLANNER = FakePlanner(lambda: fake_node("worker", [A, B]), dict)


def test_a_device_comes_with_its_result_and_so_does_each_of_its_children() -> None:
    wanted = [WantedDevice(B.uuid, 2, RESULT), WantedDevice(A.uuid, result=ADMIN)]
    first, second = children(B.uuid, 2)
    assert PLANNER.devices(CLAIM, wanted) == [
        FakePreparedDevice(first, "ULTRA_100", B.uuid, RESULT),
        FakePreparedDevice(second, "ULTRA_100", B.uuid, RESULT),
        FakePreparedDevice(A.uuid, "ULTRA_10", None, ADMIN),
    ]


def test_a_device_of_another_node_is_refused() -> None:
    with pytest.raises(DeviceMissingError, match="claim default/c: this node has no device FAKE-c"):
        PLANNER.devices(CLAIM, [WantedDevice("FAKE-c")])


def test_what_a_claim_is_prepared_with_stays_its_own() -> None:
    """Also when the node was given fewer devices since."""
    part = FakePreparedDevice("FAKE-c-0", "ULTRA_10", "FAKE-c")
    record = PreparedClaim(CLAIM.uid, CLAIM.namespace, CLAIM.name, (part,))
    prepared: dict[str, FakePreparedClaim] = {CLAIM.uid: record}
    planner = FakePlanner(lambda: fake_node("worker", [A]), lambda: prepared)
    assert planner.devices(CLAIM, [WantedDevice("FAKE-c")]) == [FakePreparedDevice("FAKE-c", "ULTRA_10")]
    with pytest.raises(DeviceMissingError):
        planner.devices(NodeClaim("default", "other", UID("uid-other")), [WantedDevice("FAKE-c")])
