"""A driver's devices in structured DRA: what is offered, what claims get, and what stays theirs whatever happens."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.device import Device, Taint
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.driver.state import DriverStateLayout
from fake_dra_driver.dra.driver.structured import DriverPool, DriverStructured
from fake_dra_driver.dra.driver.structuredconfig import DriverConfigs
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import ConfigError
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from tests.unit.dra.driver.bulbs import DRIVER, PLAIN, RED, BulbConfig, BulbDriver, Bulbs, claim, config
from tests.unit.dra.driver.lamp import NODE

CONFIGS = DriverConfigs(AuthorCalls(BulbDriver()))
BEGUN = datetime(2026, 1, 2, tzinfo=UTC)


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.time = BEGUN

    def __call__(self) -> datetime:
        return self.time


def pool_of(bulbs: Bulbs, now: Clock | None = None) -> DriverPool[BulbConfig]:
    return DriverPool(DRIVER, NODE, bulbs, CONFIGS, now or Clock())


def names(pool: DriverPool[BulbConfig]) -> list[str]:
    return [device.name for device in pool.slice_devices()]


def on_record(
    allocated: AllocatedClaim, devices: Sequence[DriverPreparedDevice]
) -> PreparedClaim[DriverPreparedDevice]:
    identity = allocated.identity
    return PreparedClaim(identity.uid, identity.namespace, identity.name, tuple(devices))


# --- What a claim gets


def test_a_claim_gets_its_devices_in_the_order_of_the_allocation() -> None:
    allocated = claim(config("b", color="red"), a="lamp-1", b="lamp-0")
    assert pool_of(Bulbs([RED, PLAIN])).prepared(allocated, None) == [
        DriverPreparedDevice("lamp-1", 0, "", result=RequestResult("a", NODE, "lamp-1")),
        DriverPreparedDevice("lamp-0", 1, '{"color":"red"}', result=RequestResult("b", NODE, "lamp-0")),
    ]


def test_a_share_comes_with_its_capacity_and_another_request_may_only_look() -> None:
    share = {"device": "lamp-1", "shareID": "5c2a", "consumedCapacity": {"watts": "5", "hours": "1k"}}
    watcher = {"device": "lamp-1", "adminAccess": True}
    first, second = pool_of(Bulbs([PLAIN])).prepared(claim(a=share, b_small=watcher), None)
    assert first.capacity == (("hours", "1k"), ("watts", "5"))
    assert first.result == RequestResult("a", NODE, "lamp-1", share_id="5c2a")
    assert second.result == RequestResult("b", NODE, "lamp-1", admin_access=True)


def test_a_device_that_does_not_fit_is_refused() -> None:
    allocated = claim(config(color="green"), a="lamp-0")
    with pytest.raises(ConfigError, match="device lamp-0, which was allocated for request a, does not fit BulbConfig"):
        pool_of(Bulbs([RED])).prepared(allocated, None)


def test_a_device_that_the_node_does_not_have_is_refused() -> None:
    with pytest.raises(DeviceMissingError, match="claim home/bulbs: this node has no device lamp-7, which was alloc"):
        pool_of(Bulbs([RED])).prepared(claim(a="lamp-7"), None)


def test_an_allocation_that_has_a_device_twice_is_refused() -> None:
    with pytest.raises(PrepareError, match="its allocation has device lamp-1 twice"):
        pool_of(Bulbs([PLAIN])).prepared(claim(a="lamp-1", b="lamp-1"), None)


# --- While claims hold them, devices go, come, and change


def test_what_a_claim_has_stays_its_own_when_the_device_is_gone() -> None:
    bulbs = Bulbs([RED, PLAIN])
    pool = pool_of(bulbs)
    allocated = claim(a="lamp-1")
    prepared = pool.prepared(allocated, None)

    bulbs.devices = [RED]

    assert names(pool) == ["lamp-0"], "nothing is offered that is not there"
    assert pool.prepared(allocated, on_record(allocated, prepared)) == prepared
    with pytest.raises(DeviceMissingError):
        pool.prepared(allocated, None)


def test_what_a_claim_has_stays_its_own_when_the_device_does_not_fit_any_more() -> None:
    bulbs = Bulbs([PLAIN])
    pool = pool_of(bulbs)
    allocated = claim(config(color="blue"), a="lamp-1")
    prepared = pool.prepared(allocated, None)

    bulbs.devices = [replace(PLAIN, attributes={"color": "red"})]

    assert pool.prepared(allocated, on_record(allocated, prepared)) == prepared
    with pytest.raises(ConfigError):
        pool.prepared(allocated, None)


def test_another_share_of_a_device_is_not_what_the_claim_has() -> None:
    pool = pool_of(Bulbs([]))
    record = on_record(
        claim(a={"device": "lamp-1", "shareID": "1"}),
        [DriverPreparedDevice("lamp-1", 0, "", result=RequestResult("a", NODE, "lamp-1", "1"))],
    )
    with pytest.raises(DeviceMissingError):
        pool.prepared(claim(a={"device": "lamp-1", "shareID": "2"}), record)


def test_a_new_device_is_offered_in_the_order_of_the_driver() -> None:
    bulbs = Bulbs([PLAIN])
    pool = pool_of(bulbs)
    bulbs.devices = [RED, PLAIN]
    assert names(pool) == ["lamp-0", "lamp-1"]


def test_a_device_that_is_not_healthy_gets_no_new_claims_and_keeps_those_that_it_has() -> None:
    bulbs = Bulbs([RED, PLAIN])
    pool = pool_of(bulbs)
    allocated = claim(a="lamp-1")
    prepared = pool.prepared(allocated, None)

    bulbs.devices = [RED, replace(PLAIN, health=Health.UNHEALTHY)]

    (taint,) = pool.slice_devices()[1].taints
    assert (taint.key, taint.effect) == (f"{DRIVER}/unhealthy", "NoSchedule")
    assert pool.prepared(allocated, on_record(allocated, prepared)) == prepared


def test_where_taints_are_dropped_a_device_that_is_not_healthy_is_not_offered() -> None:
    burnt = Device("lamp-2", health=Health.UNHEALTHY, taints=[Taint("example.com/burnt")])
    bulbs = Bulbs([RED, replace(PLAIN, health=Health.UNKNOWN), burnt])
    pool = pool_of(bulbs)
    assert not pool.fields_dropped(DroppedFields(("devices[].allowMultipleAllocations",)))
    assert names(pool) == ["lamp-0", "lamp-1", "lamp-2"]

    assert pool.fields_dropped(DroppedFields(("devices[].taints",)))

    assert names(pool) == ["lamp-0"]
    assert not pool.fields_dropped(DroppedFields(("devices[].taints",))), "that is known already"
    bulbs.devices = [RED, PLAIN]
    assert names(pool) == ["lamp-0", "lamp-1"]


# --- What people and the kubelet are told


def test_the_kubelet_learns_what_is_wrong_and_since_when() -> None:
    clock, bulbs = Clock(), Bulbs([RED, PLAIN])
    pool = pool_of(bulbs, clock)
    pool.health()
    clock.time += timedelta(minutes=1)
    bulbs.devices = [RED, replace(PLAIN, health=Health.UNHEALTHY, message="burnt out")]
    pool.health()
    clock.time += timedelta(minutes=1)

    well, ill = pool.health()

    assert (well.device_name, well.health, well.since) == ("lamp-0", Health.HEALTHY, BEGUN)
    assert (ill.pool_name, ill.device_name, ill.health, ill.message) == (NODE, "lamp-1", Health.UNHEALTHY, "burnt out")
    assert ill.since == BEGUN + timedelta(minutes=1)


def test_a_claim_tells_what_its_devices_are() -> None:
    pool = pool_of(Bulbs([RED]))
    share = {"device": "lamp-0", "shareID": "1", "consumedCapacity": {"watts": "5"}}
    (device,) = pool.prepared(claim(config(color="red"), a=share), None)
    assert pool.status_data([device]) == {"attributes": {"color": "red"}, "capacity": {"watts": "5"}}
    assert pool_of(Bulbs([])).status_data([replace(device, capacity=())]) == {}


def test_containers_can_read_the_attributes_of_a_device() -> None:
    pool = pool_of(Bulbs([RED]))
    assert {name: value.to_wire() for name, value in pool.attributes("lamp-0").items()} == {"color": {"string": "red"}}
    assert pool.attributes("lamp-7") == {}


# --- The controller


def controlled() -> DriverStructured[BulbConfig]:
    return DriverStructured(CONFIGS, DriverStateLayout(DRIVER))


def test_an_entry_shows_what_a_claim_holds_and_how_it_is_configured() -> None:
    share = {"device": "lamp-1", "shareID": "1", "consumedCapacity": {"watts": "5"}}
    allocated = claim(config(source="FromClass", color="blue"), config("b", watts=9), a="lamp-7", b=share)
    entry = controlled().entry_maker([])(allocated)
    assert entry.to_wire() == {
        "devices": [
            {"name": "lamp-7", "config": '{"color":"blue"}'},
            {"name": "lamp-1", "config": '{"watts":9}', "shared": True, "capacity": {"watts": "5"}},
        ]
    }


def test_an_entry_is_shown_also_where_the_configuration_cannot_be_read() -> None:
    allocated = claim(config(watts=900), a="lamp-1")
    entry = controlled().entry_maker([])(allocated)
    assert entry.to_wire() == {"devices": [{"name": "lamp-1"}]}


def test_the_controller_compares_what_was_allocated_as_far_as_it_knows_the_devices() -> None:
    driver, allocated = controlled(), claim(config(color="green"), a="lamp-0")
    driver.check_allocation(allocated, [])
    with pytest.raises(ConfigError, match="device lamp-0"):
        driver.check_allocation(allocated, [RED, PLAIN])
    with pytest.raises(ConfigError, match=r"spec\.count"):
        driver.check_allocation(claim(config(count=2), a="lamp-1"), [PLAIN])
