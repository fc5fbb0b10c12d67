"""What goes wrong on purpose, as ``status`` tells it."""

from datetime import timedelta
from typing import Any

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.status.faults import FAULTS_HIDDEN
from fake_dra_driver.status.report import FaultReport
from fake_dra_driver.status.table import Detail, table
from fake_dra_driver.tablelayout import Layout
from tests.support.world import NOW
from tests.unit.status.cards import CardWorld
from tests.unit.status.conftest import node_of, report_of

_Json = dict[str, Any]


class FaultWorld(CardWorld):
    def fault(
        self,
        name: str,
        effects: _Json,
        *hits: _Json,
        active: tuple[str, str] = ("Active", ""),
        driver: str = DRIVER_NAME,
        **spec: object,
    ) -> None:
        """A DeviceFault from three minutes ago, as the controller and plugins have seen it."""
        reason, message = active
        condition = {"type": "Active", "status": "True", "reason": reason, "message": message}
        status = {"conditions": [{**condition, "lastTransitionTime": NOW.isoformat()}], "nodes": list(hits)}
        wire = {
            "metadata": {"name": name, "creationTimestamp": (NOW - timedelta(minutes=3)).isoformat()},
            "spec": {"driverName": driver, "effects": effects, **spec},
            "status": status,
        }
        self.api.apply(DeviceFault.from_wire(wire))

    def only(self) -> FaultReport:
        (fault,) = report_of(self.api, version="v1").faults
        return fault

    def lines(self, columns: int | None = None) -> list[str]:
        """The lines about faults, without the heading."""
        shown = table(report_of(self.api, version="v1"), NOW, Detail.SHORT, None, Layout(columns)).splitlines()
        first = next(at for at, line in enumerate(shown) if line.startswith("FAULT")) + 1
        return shown[first : shown.index("", first)]


def hit(*devices: str, node: str = "n", **more: object) -> _Json:
    return {"node": node, "devices": list(devices), "deviceCount": len(devices), **more}


@pytest.fixture
def world() -> FaultWorld:
    return FaultWorld()


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        ({"health": {"state": "Unknown"}}, ["Unknown"]),
        ({"health": {"message": "hot"}}, ["Unhealthy (hot)"]),
        ({"taint": {"key": "a.com/b", "value": "c", "effect": "None"}}, ["taint a.com/b=c:None"]),
        ({"vanish": True}, ["vanished"]),
        ({"prepare": {"fail": {"times": 3, "message": "busy"}}}, ["preparing fails 3 times (busy)"]),
        ({"prepare": {"fail": {"times": 1, "message": "busy"}}}, ["preparing fails once (busy)"]),
        (
            {"unprepare": {"fail": {"message": "stuck"}, "delaySeconds": 2.5}},
            ["unpreparing fails (stuck)", "unpreparing takes 2.5 s longer"],
        ),
        ({"binding": {"failure": "no"}}, ["binding fails (no)"]),
        ({"binding": {"delaySeconds": 30}}, ["binding takes 30 s longer"]),
        ({"slicesLost": True, "deregister": True}, ["ResourceSlices lost", "plugin not registered"]),
    ],
)
def test_each_effect_in_words(world: FaultWorld, effects: _Json, said: list[str]) -> None:
    world.fault("f", effects)
    assert list(world.only().effects) == said


def test_what_is_hit_stands_at_the_device_and_at_the_node(world: FaultWorld) -> None:
    world.fault("hot", {"health": {"message": "hot"}}, hit("gpu-1"))
    world.fault("gone", {"vanish": True}, hit("nic-0", node="other"), hit(node="n"))
    found = node_of(report_of(world.api, version="v1"), "n")
    assert found.faults == ("hot",)
    said = {device.name: (device.faults, device.health) for device in found.devices if device.faults or device.health}
    assert said == {"gpu-1": (("hot",), "Unhealthy (hot)")}


def test_a_person_reads_what_is_hit_and_for_how_long(world: FaultWorld) -> None:
    world.fault("xid", {"health": {}}, hit("gpu-0", "gpu-1", times=4), hit("gpu-1", node="m"), duration="5m")
    assert world.lines() == [
        "xid    3 devices on 2 nodes  3m   Unhealthy; gpu-1 of m; gpu-0, gpu-1 of n; 4 calls failed; ends in 2m"
    ]
    assert world.lines(80) == [
        "xid    3 devices on 2 nodes  3m",
        "  Unhealthy; gpu-1 of m; gpu-0, gpu-1 of n; 4 calls failed; ends in 2m",
    ]


def test_devices_that_the_status_does_not_name_are_counted(world: FaultWorld) -> None:
    world.fault("all", {"vanish": True}, {"node": "n", "devices": ["a", "b", "c", "d"], "deviceCount": 60})
    assert world.lines()[0].endswith("vanished; a, b, c and 57 more of n")


def test_nodes_beyond_the_first_few_are_counted(world: FaultWorld) -> None:
    world.fault("all", {"vanish": True}, *(hit("a", node=f"n{at}") for at in range(5)))
    assert world.lines()[0].endswith("vanished; a of n0; a of n1; a of n2; and on 2 more nodes")


def test_partitions_that_are_hit_with_their_device_share_a_row(world: FaultWorld) -> None:
    names = ["gpu-0", *(f"gpu-0-quarter-{at}" for at in range(4)), "gpu-0-half-0", "gpu-0-half-2"]
    world.fault("hot", {"health": {"message": "hot"}}, hit(*names))
    shown = table(report_of(world.api, version="v1"), NOW, Detail.SHORT, None, Layout(80)).splitlines()
    (at,) = [at for at, line in enumerate(shown) if line.startswith("  gpu-0 ")]
    assert [" ".join(line.split()) for line in shown[at + 1 : at + 3]] == [
        "Unhealthy (hot); fault hot",
        "└─ 6 partitions free",
    ]


def test_a_fault_that_hits_nothing_says_why(world: FaultWorld) -> None:
    world.fault("old", {"vanish": True}, duration="1m", active=("Expired", "its duration of 1m is over"))
    world.fault("typo", {"vanish": True}, active=("NothingMatches", "no node has a device tpu-*"))
    world.fault("wrong", {"vanish": True}, hit(message="cel: no such key"))
    assert [line.split("  ")[-1].strip() for line in world.lines()] == [
        "vanished; has ended; Expired: its duration of 1m is over",
        "vanished; NothingMatches: no node has a device tpu-*",
        "vanished; n: cel: no such key",
    ]


def test_faults_of_other_drivers_are_not_shown(world: FaultWorld) -> None:
    world.fault("theirs", {"vanish": True}, hit("gpu-1"), driver="gpu.example.com")
    report = report_of(world.api, version="v1")
    assert (report.faults, report.nodes[0].faults) == ((), ())


def test_where_there_are_no_faults_to_read_the_report_is_as_it_was(world: FaultWorld) -> None:
    world.fault("hot", {"health": {}}, hit("gpu-1"))
    absent = report_of(world.api, version="v1", faults="absent")
    hidden = report_of(world.api, version="v1", faults="hidden")
    assert (absent.faults, absent.notes) == ((), ())
    assert (hidden.faults, hidden.notes) == ((), (FAULTS_HIDDEN,))


def test_nodes_line_by_line_have_a_column_for_faults(world: FaultWorld) -> None:
    for number in range(8):
        world.node(f"m{number}", devices=1)
    world.fault("hot", {"health": {}}, hit("gpu-1"))
    shown = table(report_of(world.api, version="v1"), NOW, Detail.SHORT).splitlines()
    (head,) = [line.split() for line in shown if line.startswith("NODE ")]
    (line,) = [line.split() for line in shown if line.startswith("n ")]
    assert line[head.index("FAULTS")] == "1"
