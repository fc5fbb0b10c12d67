"""The report as a person reads it: complete for a few nodes, short for hundreds."""

from datetime import timedelta

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.status.table import Detail, table
from tests.support.half_states import put_entry
from tests.support.world import NAMESPACE, NOW, World
from tests.unit.status.conftest import report_of
from tests.unit.status.worlds import crowd, small_world

pytestmark = pytest.mark.looptime


def text(
    world: World,
    detail: Detail = Detail.SHORT,
    room: int | None = None,
    nodes: tuple[str, ...] = (),
    columns: int | None = None,
) -> str:
    return table(report_of(world.api, nodes), NOW, detail, room, columns)


async def test_a_few_nodes_device_by_device() -> None:
    world = await small_world()
    world.api.update(ResourceClaim, "plain", "default", {"status": {"reservedFor": None}})
    lines = text(world).splitlines()
    assert lines[:4] == [
        "fake.resource.3-shake.com in fake-system",
        "NODES    1: 1 ready, 0 not ready",
        "DEVICES  4: 1 free, 1 allocated, 2 prepared",
        "CLAIMS   3 with devices, 0 waiting",
    ]
    assert lines[5] == "NODE n  Ready, 1 of 4 MODEL free"
    table_lines = [line.split() for line in lines[6:]]
    assert table_lines[0] == ["DEVICE", "STATE", "CLAIM", "POD"]
    assert ["n-0", "allocated", "default/plain"] in table_lines
    assert ["n-3", "free"] in table_lines
    (parent,) = (index for index, cells in enumerate(table_lines) if "default/parts" in cells)
    branches = [(cells[0], cells[-1]) for cells in table_lines[parent + 1 : parent + 4]]
    assert branches == [("├─", "prepared"), ("├─", "prepared"), ("└─", "prepared")]


def test_models_are_in_a_column_where_they_differ() -> None:
    world = World()
    world.node("n")
    devices = [{"fake": {"uuid": "n-0", "name": "ONE"}}, {"fake": {"uuid": "n-1", "name": "TWO"}}]
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatableDevice": devices}})
    lines = text(world).splitlines()
    assert "NODE n  Ready, 2 of 2 devices free" in lines
    assert [line.split() for line in lines[-3:]] == [
        ["DEVICE", "MODEL", "STATE"],
        ["n-0", "ONE", "free"],
        ["n-1", "TWO", "free"],
    ]


def test_sentences_go_on_in_the_next_line_where_the_terminal_ends() -> None:
    world = crowd(2)
    world.node("down", status="NotReady")
    whole, wrapped = text(world).splitlines(), text(world, columns=80).splitlines()
    assert max(map(len, whole)) > 80
    assert max(map(len, wrapped)) <= 80
    assert " ".join(" ".join(wrapped).split()) == " ".join(" ".join(whole).split()), "nothing is lost"
    (head,) = (index for index, line in enumerate(wrapped) if line.startswith("WAITING CLAIM"))
    start = wrapped[head].index("WHY")
    assert wrapped[head + 1][start:].startswith("InsufficientDevices: ")
    assert not wrapped[head + 2][:start].strip(), "it goes on below its own column"
    assert max(map(len, text(world, columns=40).splitlines())) > 40, "where there is no room it stays as it is"


def test_columns_are_aligned_and_lines_have_no_trailing_blanks() -> None:
    world = crowd(3)
    lines = text(world).splitlines()
    starts = {line.index("STATE") for line in lines if "STATE" in line}
    assert len(starts) == 1
    assert all(line == line.rstrip() for line in lines)


def test_waiting_claims_come_with_their_reasons_right_after_the_summary() -> None:
    world = World()
    world.node("n", devices=2)
    world.claim("big", count=3)
    world.pod("p", ["big"], potential=["n"])
    blocks = text(world).split("\n\n")
    head, row = blocks[1].splitlines()
    assert head.split() == ["WAITING", "CLAIM", "POD", "FOR", "WHY"]
    assert row.startswith("default/big    p    10m  InsufficientDevices: asked for 3 devices on one node")


def test_some_dozens_of_nodes_have_a_line_each() -> None:
    lines = text(crowd(30)).splitlines()
    (head,) = (index for index, line in enumerate(lines) if line.startswith("NODE "))
    rows = [line.split() for line in lines[head + 1 : head + 31]]
    assert [row[0] for row in rows] == [f"node-{number:03}" for number in range(30)]
    assert rows[1][1:] == ["Ready", "8", "5", "3", "0", "1"], "devices, free, allocated, prepared, claims"
    assert "name nodes, such as node-000, or use --details" in lines[-1]


def test_hundreds_of_nodes_fit_on_a_screen() -> None:
    found = text(crowd(300))
    lines = found.splitlines()
    assert len(lines) < 60
    assert lines[1] == "NODES    300: 294 ready, 6 not ready"
    assert lines[2].startswith("DEVICES  2400: ")
    (head,) = (index for index, line in enumerate(lines) if line.startswith("NODES  USE"))
    groups = [line.split("  ") for line in lines[head + 1 : head + 5]]
    assert [group[0].strip() for group in groups] == ["98", "98", "98", "6"]
    assert "node-049, node-099, node-149 and 3 more" in lines[head + 4]
    (problem,) = [line for line in lines if "is not ready" in line]
    assert problem.startswith("node-049, node-099, node-149 and 3 more  its kubelet plugin is not ready")
    assert lines[6].startswith("default/big-00 and 29 more  10m  InsufficientDevices: asked for 20 devices")


def test_a_long_list_of_different_reasons_is_cut() -> None:
    world = World()
    world.node("n")
    for number in range(30):
        world.claim(f"big-{number:02}", count=2 + number, mode="Immediate")
    lines = text(world).splitlines()
    assert len([line for line in lines if line.startswith("default/big-")]) == 20
    assert "... and 10 more: --details shows all" in lines


def test_named_nodes_are_shown_device_by_device_however_many_there_are() -> None:
    world = crowd(60)
    found = text(world, Detail.DEVICES, nodes=("node-004", "node-005"))
    assert "NODE node-004  Ready" in found
    assert "NODE node-005  Ready" in found
    assert "node-005-7" in found
    assert "node-006" not in found


def test_details_leave_nothing_out() -> None:
    world = crowd(60)
    found = text(world, Detail.ALL)
    assert all(f"node-{number:03}-{index}" in found for number in range(60) for index in range(8))
    assert all(f"default/big-{number:02}" in found for number in range(30))
    assert "--details" not in found


def test_many_free_devices_are_folded() -> None:
    world = World()
    world.node("n", devices=100)
    put_entry(world, "gone", "n-50")
    lines = text(world).splitlines()
    assert len(lines) < 15
    assert any("and 98 more like this" in line for line in lines)
    assert any(line.split()[:3] == ["n-50", "allocated", "(gone)"] for line in lines)


def test_many_parts_are_folded() -> None:
    world = World()
    world.node("n")
    entry = {"x": {"fake": {"devices": [{"uuid": "n-0", "split": 64}]}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": entry}})
    assert "└─ and 56 more parts" in text(world)
    assert text(world, Detail.ALL).count("─ ") == 64


def test_less_detail_where_there_is_less_room() -> None:
    world = crowd(5)
    whole = text(world)
    assert "node-004-7" in whole
    assert text(world, room=whole.count("\n")) == whole
    assert "node-004-7" not in text(world, room=whole.count("\n") - 1)
    assert "node-004 " in text(world, room=40)
    assert "node-004-7" in text(world, Detail.ALL, room=10), "what was asked for stays"


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (3599, "59m"), (3660, "1h1m"), (172_799, "47h59m"), (172_800, "2d")],
)
def test_ages(seconds: int, age: str) -> None:
    world = World()
    world.node("n")
    world.claim("c", count=2, mode="Immediate")
    report = report_of(world.api)
    created = report.waiting[0].since
    assert created is not None
    row = table(report, created + timedelta(seconds=seconds), Detail.SHORT).split("\n\n")[1].splitlines()[1]
    assert row.split()[1] == age


def test_a_cluster_without_nodes() -> None:
    assert text(World()) == "fake.resource.3-shake.com in fake-system: no node runs the kubelet plugin of this driver\n"
