"""Partitions, shares and taints as a person reads them: a tree that fits on a terminal."""

import pytest

from fake_dra_driver.status.table import Detail, table
from fake_dra_driver.tablelayout import Layout, width_of
from tests.support.world import NOW
from tests.unit.status.cards import CardWorld, held
from tests.unit.status.conftest import report_of


def text(world: CardWorld, detail: Detail = Detail.SHORT, columns: int | None = None) -> str:
    return table(report_of(world.api, version="v1"), NOW, detail, None, Layout(columns))


def devices_of(world: CardWorld, detail: Detail = Detail.SHORT, columns: int | None = 80) -> list[str]:
    """The lines about devices, without the heading."""
    lines = text(world, detail, columns).splitlines()
    return lines[next(at for at, line in enumerate(lines) if line.startswith("  DEVICE")) + 1 :]


def busy() -> CardWorld:
    world = CardWorld()
    world.held_by("train", held("gpu-0-quarter-1"))
    world.held_by("one", held("nic-0", shareID="a", consumedCapacity={"bandwidth": "1G"}))
    world.held_by("two", held("nic-0", shareID="b", consumedCapacity={"bandwidth": "2G"}))
    world.taint("gpu-1-half-2", key="example.com/xid", value="79", effect="NoExecute")
    return world


def test_partitions_and_shares_stand_below_their_device() -> None:
    assert [" ".join(line.split()) for line in devices_of(busy())] == [
        "gpu-0 gpu A100 unavailable",
        "left of gpu-0-counters: memory 30Gi of 40Gi, memory-slice-* 3 of 4",
        "├─ gpu-0-quarter-1 mig 1g.10gb allocated default/train train-pod",
        "├─ 3 partitions mig 1g.10gb free",
        "├─ 1 partition mig 2g.20gb unavailable",
        "└─ 1 partition mig 2g.20gb free",
        "gpu-1 gpu A100 free",
        "├─ gpu-1-half-2 mig 2g.20gb unavailable",
        "taint example.com/xid=79:NoExecute",
        "├─ 4 partitions mig 1g.10gb free",
        "└─ 1 partition mig 2g.20gb free",
        "nic-0 nic X710 allocated",
        "left: bandwidth 7G of 10G",
        "├─ share: bandwidth 1G allocated default/one one-pod",
        "└─ share: bandwidth 2G allocated default/two two-pod",
    ]


def test_models_of_several_types_are_told_apart() -> None:
    world = CardWorld()
    names = [("gpu-0", "gpu"), ("gpu-1", "gpu"), ("vfio-0", "vfio")]
    model = {"model": {"string": "A100"}}
    world.publish(
        [
            {"name": name, "attributes": {**model, "type": {"string": type_}, "uuid": {"string": name}}}
            for name, type_ in names
        ]
    )
    assert "FREE     2 of 2 A100 (gpu), 1 of 1 A100 (vfio)\n" in text(world)


def test_counters_that_a_set_has_none_of_are_left_out() -> None:
    world = CardWorld()
    takes = [{"counterSet": "s", "counters": {"memory": {"value": "1Gi"}, "encoders": {"value": "0"}}}]
    attributes = {"model": {"string": "M"}, "uuid": {"string": "a"}}
    half = {
        "name": "a-0",
        "attributes": {**attributes, "uuid": {"string": "b"}},
        "consumesCounters": [{"counterSet": "s", "counters": {"memory": {"value": "512Mi"}}}],
    }
    counters = {"memory": {"value": "1Gi"}, "encoders": {"value": "0"}}
    world.publish(
        [{"name": "a", "attributes": attributes, "consumesCounters": takes}, half],
        [{"name": "s", "counters": counters}],
    )
    world.held_by("one", held("a-0"))
    assert any(line.strip() == "left of s: memory 512Mi of 1Gi" for line in devices_of(world))


def test_shares_that_are_left_are_in_the_summary() -> None:
    assert "DEVICES  15: 10 free, 2 allocated, 0 prepared, 3 unavailable, 1 with shares left\n" in text(busy())


def test_idle_partitions_that_are_alike_take_one_line() -> None:
    lines = devices_of(CardWorld())
    assert [line.split() for line in lines] == [
        ["gpu-0", "gpu", "A100", "free"],
        ["└─", "6", "partitions", "free"],
        ["gpu-1", "gpu", "A100", "free"],
        ["└─", "6", "partitions", "free"],
        ["nic-0", "nic", "X710", "free"],
    ]


def test_details_show_each_partition() -> None:
    lines = devices_of(CardWorld(), Detail.ALL)
    assert len(lines) == 15
    assert lines[1].split() == ["├─", "gpu-0-quarter-0", "mig", "1g.10gb", "free"]
    assert lines[6].split() == ["└─", "gpu-0-half-2", "mig", "2g.20gb", "free"]


def test_partitions_alone_stand_below_their_counter_set() -> None:
    world = CardWorld(whole=False, parent_uuids=False)
    world.held_by("train", held("gpu-1-quarter-0"))
    lines = [line.split() for line in devices_of(world)]
    assert lines[0] == ["nic-0", "nic", "X710", "free"]
    assert lines[1:3] == [["gpu-0-counters"], ["└─", "6", "partitions", "free"]]
    assert lines[3] == ["gpu-1-counters"]
    assert " ".join(lines[4]) == "left of gpu-1-counters: memory 30Gi of 40Gi, memory-slice-* 3 of 4"


def test_many_idle_devices_are_folded_by_what_they_are() -> None:
    world = CardWorld()
    names = [("big", at) for at in range(6)] + [("small", at) for at in range(6)]
    world.publish(
        [
            {"name": f"{name}-{at}", "attributes": {"model": {"string": name}, "uuid": {"string": f"{name}-{at}"}}}
            for name, at in names
        ]
    )
    world.taint("big-3", key="k", effect="NoSchedule")
    assert [" ".join(line.split()) for line in devices_of(world)] == [
        "big-0 big free",
        "and 4 more like this free",
        "big-3 big unavailable",
        "taint k:NoSchedule",
        "small-0 small free",
        "and 5 more like this free",
    ]


def test_in_a_pipe_everything_about_a_device_is_in_one_line() -> None:
    lines = devices_of(busy(), columns=None)
    assert lines[0].split("  ")[-1] == "left of gpu-0-counters: memory 30Gi of 40Gi, memory-slice-* 3 of 4"
    (tainted,) = [line for line in lines if "gpu-1-half-2" in line]
    assert tainted.endswith("taint example.com/xid=79:NoExecute")


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    for detail in Detail:
        for line in text(busy(), detail, columns).splitlines():
            assert width_of(line) <= columns


def test_devices_of_the_default_profile_are_called_by_their_uuids() -> None:
    world = CardWorld()
    fake = {"attributes": {"model": {"string": "M"}, "uuid": {"string": "FAKE-0"}, "type": {"string": "fake"}}}
    world.publish([{"name": "fake-0", **fake}])
    assert devices_of(world) == ["  FAKE-0  free"]
