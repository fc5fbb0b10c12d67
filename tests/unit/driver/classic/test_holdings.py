"""What a claim holds on a node, from whatever says so."""

from typing import Any

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, MAX_COUNT, MAX_SPLIT, AllocatedDevices
from fake_dra_driver.api.resource.v1alpha2 import MAX_RESOURCE_HANDLE_BYTES, AllocationResult, ResourceClaim
from fake_dra_driver.device.inventory import make_uuids
from fake_dra_driver.dra.classic.allocationresult import handle_of, node_of
from fake_dra_driver.dra.classic.claimlookup import still_held
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.driver.classic.handle import ClaimHandle, HandleDevice
from fake_dra_driver.driver.classic.holdings import wanted_by_entry, wanted_by_handle
from fake_dra_driver.driver.node.prepared import FakePreparedDevice, WantedDevice

PREPARED = PreparedClaim(
    "uid",
    "default",
    "claim",
    (FakePreparedDevice("A", "M"), FakePreparedDevice("B-0", "M", "B"), FakePreparedDevice("B-1", "M", "B")),
)


def handle(*uuids: str) -> str:
    return ClaimHandle(devices=tuple(HandleDevice(uuid=uuid) for uuid in uuids)).to_data()


def live(**changes: Any) -> ResourceClaim:
    """The claim as it was when its devices were prepared, but for the changes."""
    node, data, driver = (
        changes.get("node", "n"),
        changes.get("data", handle("A", "B")),
        changes.get("driver", DRIVER_NAME),
    )
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    allocation = {
        "resourceHandles": [{"driverName": DRIVER_NAME, "data": data}] if data else [],
        "availableOnNodes": {"nodeSelectorTerms": terms} if node else None,
    }
    return ResourceClaim.from_wire(
        {
            "metadata": {
                "namespace": "default",
                "name": "claim",
                "uid": changes.get("uid", "uid"),
            },
            "status": {
                "driverName": driver,
                "allocation": allocation if changes.get("allocated", True) else None,
            },
        }
    )


@pytest.mark.parametrize(
    ("claim", "held"),
    [
        pytest.param(live(), {"A", "B"}, id="as it was"),
        pytest.param(None, set(), id="gone"),
        pytest.param(live(uid="successor"), set(), id="another claim of that name"),
        pytest.param(live(allocated=False), set(), id="deallocated"),
        pytest.param(live(driver="other.example.com"), set(), id="another driver's now"),
        pytest.param(live(node="other"), set(), id="allocated again on another node"),
        pytest.param(live(data=handle("C")), set(), id="allocated again, with another device"),
        pytest.param(live(data=handle("B", "C")), {"B"}, id="allocated again, with one of the devices"),
        pytest.param(live(data=""), {"A", "B"}, id="allocated by the Go driver"),
        pytest.param(live(data="{"), {"A", "B"}, id="with unknown devices"),
        pytest.param(live(node=None), {"A", "B"}, id="on an unknown node"),
    ],
)
def test_devices_that_are_still_held(claim: ResourceClaim | None, held: set[str]) -> None:
    def keys_of(handle: str) -> set[str]:
        return {device.uuid for device in wanted_by_handle(handle)}

    assert still_held(PREPARED, claim, "n", DRIVER_NAME, keys_of) == held


def test_only_the_handle_of_this_driver_counts() -> None:
    def allocation(*handles: tuple[str, str]) -> AllocationResult:
        return AllocationResult.model_validate(
            {"resourceHandles": [{"driverName": driver, "data": data} for driver, data in handles]}
        )

    assert handle_of(allocation(("other.example.com", "theirs"), (DRIVER_NAME, "ours")), DRIVER_NAME) == "ours"
    assert handle_of(allocation(("", "of the driver of the status")), DRIVER_NAME) == "of the driver of the status"
    assert handle_of(allocation(("other.example.com", "theirs")), DRIVER_NAME) == ""
    assert handle_of(allocation((DRIVER_NAME, "")), DRIVER_NAME) == ""


def test_devices_of_a_handle_keep_their_order() -> None:
    data = ClaimHandle(devices=(HandleDevice(uuid="B", split=2), HandleDevice(uuid="A"))).to_data()
    assert wanted_by_handle(data) == [WantedDevice("B", 2), WantedDevice("A", 0)]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("garbage", "is not JSON: expected value at line 1 column 1"),
        ("[]", "object"),
        ("{}", "devices"),
        ('{"version":"v2","devices":[{"uuid":"A"}]}', "version"),
        ('{"version":"v1","devices":[{"uuid":"A","split":65}]}', "split"),
        ('{"version":"v1","devices":[{"uuid":"A","split":-1}]}', "split"),
        ('{"version":"v1","devices":[{}]}', "uuid"),
        ('{"version":"v1","devices":[]}', "names no devices"),
        ('{"version":"v1","devices":[{"uuid":"A"},{"uuid":"A","split":2}]}', "names a device twice"),
    ],
)
def test_a_handle_that_cannot_be_used_says_why_in_one_line(data: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        wanted_by_handle(data)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "node"),
    [
        ([{"key": "metadata.name", "operator": "In", "values": ["n"]}], "n"),
        ([{"key": "metadata.name", "operator": "In", "values": ["n", "m"]}], None),
        ([{"key": "metadata.name", "operator": "NotIn", "values": ["n"]}], None),
        ([{"key": "metadata.namespace", "operator": "In", "values": ["n"]}], None),
        ([], None),
    ],
)
def test_node_of_an_allocation_is_the_only_one_that_its_selector_allows(
    fields: list[dict[str, Any]], node: str | None
) -> None:
    selector = {"nodeSelectorTerms": [{"matchFields": fields}]}
    assert node_of(AllocationResult.model_validate({"availableOnNodes": selector})) == node
    assert node_of(AllocationResult()) is None


def test_the_largest_handle_fits_into_a_claims_status() -> None:
    devices = tuple(HandleDevice(uuid=uuid, split=MAX_SPLIT) for uuid in make_uuids("node", MAX_COUNT))
    assert len(ClaimHandle(devices=devices).to_data().encode()) <= MAX_RESOURCE_HANDLE_BYTES


def test_devices_of_an_entry_of_the_ledger() -> None:
    entry = AllocatedDevices.model_validate({"fake": {"devices": [{"uuid": "B", "split": 2}, {"uuid": "A"}]}})
    assert wanted_by_entry(entry) == [WantedDevice("B", 2), WantedDevice("A", 0)]
    assert wanted_by_entry(None) == wanted_by_entry(AllocatedDevices()) == []
