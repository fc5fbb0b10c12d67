"""The devices of a node in structured DRA, while faults hit them and their profile changes."""

from datetime import UTC, datetime

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device, make_inventory
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.node.prepared import RequestResult
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.driver.fault.effects import FaultEffects, HealthFault
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode, ProfileName
from fake_dra_driver.driver.structured.pool import FakePool

NODE = "n"
INVENTORY = make_inventory(NODE, 3, ["M"])
COUNTERS = v1.CounterSet(name="gpu-0", counters={"memory": v1.Counter(value="8Gi")})


class Story:
    """A pool of a node, and the time."""

    def __init__(self, node: MockNode) -> None:
        self.node = LiveNode(node)
        self.second = 0
        self.pool = FakePool(self.node, FakePlanner(lambda: self.node.present, dict), now=self._now)

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, second=self.second, tzinfo=UTC)

    @property
    def names(self) -> list[str]:
        return [device.name for device in self.pool.slice_devices()]

    def trouble(self, place: int) -> str | None:
        result = RequestResult("r", NODE, f"fake-{place}")
        found = self.pool.trouble([FakePreparedDevice(INVENTORY[place].uuid, "M", result=result)])
        return None if found is None else found.reason


@pytest.fixture
def story() -> Story:
    return Story(fake_node(NODE, INVENTORY))


def test_faults_taint_devices_and_make_them_vanish(story: Story) -> None:
    taint = v1.DeviceTaint(key="example.com/broken", effect="NoExecute")
    story.node.apply(FaultEffects(taints={"fake-0": (taint,)}, vanished=frozenset({"fake-1"})))
    assert [(device.name, device.taints) for device in story.pool.slice_devices()] == [
        ("fake-0", (taint,)),
        ("fake-2", ()),
    ]
    assert [each.device_name for each in story.pool.health()] == ["fake-0", "fake-2"]
    assert (story.pool.key_of("fake-1"), story.pool.key_of("fake-2")) == (None, INVENTORY[2].uuid)
    story.node.apply(FaultEffects(slices_lost=True))
    assert story.names == []


def test_more_taints_than_fit_leave_the_worst() -> None:
    own = v1.DeviceTaint(key="example.com/own", value="old", effect="NoSchedule")
    device = MockDevice(Device("GPU-0", "A"), v1.Device(name="gpu-0", taints=(own,)))
    story = Story(MockNode(NODE, ProfileName("a"), (device,)))
    again = own.model_copy(update={"value": "new"})
    story.node.apply(FaultEffects(taints={"gpu-0": (again,)}))
    assert story.pool.slice_devices()[0].taints == (again,), "two of one key and effect are refused"
    many = tuple(v1.DeviceTaint(key=f"example.com/{n}", effect="None" if n < 3 else "NoExecute") for n in range(18))
    story.node.apply(FaultEffects(taints={"gpu-0": many}))
    kept = story.pool.slice_devices()[0].taints
    assert [taint.effect for taint in kept] == ["NoSchedule", *["NoExecute"] * 15]


def test_a_device_has_been_ill_since_it_became_so(story: Story) -> None:
    assert {each.since.second for each in story.pool.health()} == {0}
    story.second = 5
    story.node.apply(FaultEffects(health={"fake-1": HealthFault(Health.UNHEALTHY, "too hot")}))
    assert [(each.health, each.since.second, each.message) for each in story.pool.health()] == [
        (Health.HEALTHY, 0, ""),
        (Health.UNHEALTHY, 5, "too hot"),
        (Health.HEALTHY, 0, ""),
    ]
    story.second = 9
    assert [each.since.second for each in story.pool.health()] == [0, 5, 0]


def test_claims_are_told_what_is_wrong_with_their_devices(story: Story) -> None:
    ill = {"fake-1": HealthFault(Health.UNHEALTHY, "too hot")}
    story.node.apply(FaultEffects(health=ill, vanished=frozenset({"fake-2"})))
    assert [story.trouble(place) for place in range(3)] == [None, "Unhealthy", "Vanished"]
    story.node.apply(FaultEffects())
    story.node.take(fake_node(NODE, [INVENTORY[0], Device("OTHER", "M")]))
    assert [story.trouble(place) for place in range(3)] == [None, "Removed", "Removed"], "also one of the same name"


def test_without_counters_the_parts_of_devices_are_not_offered() -> None:
    """Or the scheduler would give away a device together with its parts."""
    used = (v1.DeviceCounterConsumption(counter_set="gpu-0", counters={"memory": v1.Counter(value="1Gi")}),)
    whole = MockDevice(Device("GPU-0", "A"), v1.Device(name="gpu-0", consumes_counters=used))
    part = MockDevice(Device("MIG-0", "A"), v1.Device(name="gpu-0-mig", consumes_counters=used), parent="gpu-0")
    story = Story(MockNode(NODE, ProfileName("a"), (whole, part), (COUNTERS,)))
    assert (story.names, story.pool.counter_sets()) == (["gpu-0", "gpu-0-mig"], (COUNTERS,))
    dropped = DroppedFields(("devices[].consumesCounters", "sharedCounters"))
    assert not story.pool.fields_dropped(DroppedFields(("devices[].taints",)))
    assert story.pool.fields_dropped(dropped)
    assert [device.to_wire() for device in story.pool.slice_devices()] == [{"name": "gpu-0"}]
    assert story.pool.counter_sets() == ()
    assert [device.uuid for device in story.node.devices] == ["GPU-0"], "nor are they listed"
    assert not story.pool.fields_dropped(dropped), "nothing else is offered any more"
    story.node.take(MockNode(NODE, ProfileName("b"), (whole, part), (COUNTERS,)))
    assert story.names == ["gpu-0", "gpu-0-mig"], "another profile is tried again: the gate may be on by now"
