"""The report as a person reads it: complete for a few nodes, short for hundreds."""

import re
from datetime import timedelta

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.status.table import NODE_STATES, Detail, table
from fake_dra_driver.tablelayout import Layout, width_of
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
    *,
    is_colored: bool = False,
) -> str:
    return table(report_of(world.api, nodes), NOW, detail, room, Layout(columns, is_colored))


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
    assert table_lines[0] == ["DEVICE", "STATE", "PARTS", "CLAIM", "POD"]
    assert ["n-0", "allocated", "-", "default/plain"] in table_lines
    assert ["n-3", "free"] in table_lines
    (parts,) = (cells[2] for cells in table_lines if "default/parts" in cells)
    assert parts == "2/3", "parts are counted, with those that are prepared"


@pytest.mark.parametrize("detail", [Detail.DEVICES, Detail.ALL])
async def test_parts_are_shown_where_a_node_is_named_or_details_are_asked_for(detail: Detail) -> None:
    lines = [line.split() for line in text(await small_world(), detail, nodes=("n",)).splitlines()]
    (parent,) = (index for index, cells in enumerate(lines) if "default/parts" in cells)
    branches = [(cells[0], cells[-1]) for cells in lines[parent + 1 : parent + 4]]
    assert branches == [("├─", "prepared"), ("├─", "prepared"), ("└─", "prepared")]


def test_models_are_in_a_column_where_they_differ() -> None:
    world = World()
    world.node("n")
    devices = [{"fake": {"uuid": "n-0", "name": "ONE"}}, {"fake": {"uuid": "n-1", "name": "TWO"}}]
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatableDevice": devices}})
    lines = text(world).splitlines()
    assert "FREE     1 of 1 ONE, 1 of 1 TWO" in lines
    assert "NODE n  Ready, 2 of 2 devices free: 1 of 1 ONE, 1 of 1 TWO" in lines
    assert [line.split() for line in lines[-3:]] == [
        ["DEVICE", "MODEL", "STATE"],
        ["n-0", "ONE", "free"],
        ["n-1", "TWO", "free"],
    ]


def test_sentences_go_on_below_their_row_where_the_terminal_ends() -> None:
    world = crowd(2)
    world.node("down", status="NotReady")
    whole, wrapped = text(world).splitlines(), text(world, columns=80).splitlines()
    assert max(map(len, whole)) > 80
    assert max(map(len, wrapped)) <= 80
    (head,) = (index for index, line in enumerate(wrapped) if line.startswith("WAITING CLAIM"))
    assert wrapped[head].split() == ["WAITING", "CLAIM", "FOR"]
    assert [line.split()[0] for line in wrapped[head + 1 : head + 4]] == [f"default/big-0{at}" for at in range(3)]
    assert wrapped[head + 4] == "and 27 more"
    assert wrapped[head + 5].startswith("  InsufficientDevices: asked for 20 devices"), "once, for all of them"
    assert wrapped[head + 6].startswith("  "), "it goes on there"


@pytest.mark.parametrize("columns", [20, 40, 80, 100, 160])
@pytest.mark.parametrize("nodes", [0, 1, 3, 50])
def test_no_line_is_wider_than_the_terminal(columns: int, nodes: int) -> None:
    world = crowd(nodes)
    world.node("a-node-with-a-name-that-is-as-long-as-the-names-of-clouds-are.example.com", status="NotReady")
    world.claim("a-claim-with-a-name-that-is-as-long-as-those-of-deployments-are-x7k2p", count=30, mode="Immediate")
    for detail in Detail:
        for line in text(world, detail, columns=columns).splitlines():
            assert width_of(line) <= columns


def test_names_are_shortened_in_the_middle_and_whole_in_a_pipe() -> None:
    world = World()
    world.node("n")
    name = "multiple-fakes-79648cbdbf-76p97-multiple-fakes-kq7lq"
    put_entry(world, world.claim(name).uid, "n-0")
    narrow = text(world, columns=60)
    assert f"default/{name}" in text(world)
    assert f"default/{name}" not in narrow
    assert "default/multiple-fa…ultiple-fakes-kq7lq" in narrow


def test_colours_take_no_room() -> None:
    world = crowd(3)
    world.node("down", status="NotReady")
    for columns in (None, 80):
        plain, colored = text(world, columns=columns), text(world, columns=columns, is_colored=True)
        assert "\x1b[31mNotReady\x1b[0m" in colored
        assert re.sub(r"\x1b\[[0-9]+m", "", colored) == plain


def test_what_a_node_is_in_one_word() -> None:
    world = World()
    for name in ("ready", "plugin", "stopped", "cordoned", "gone", "tainted"):
        world.node(name, status="NotReady" if name == "plugin" else "Ready")
    world.stop_reporting("stopped")
    world.cordon("cordoned")
    world.api.delete(Node, "gone")
    taint = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    world.api.update(Node, "tainted", "", {"spec": {"taints": [taint]}})
    rows = [line.split() for line in text(world).splitlines()]
    shown = {row[0]: row[1] for row in rows if row and row[-1] == "0" and len(row) > 5}
    assert set(shown.values()) < NODE_STATES.keys()
    assert shown == {
        "ready": "Ready",
        "plugin": "NotReady",
        "stopped": "NotReady",
        "cordoned": "Cordoned",
        "gone": "NodeGone",
        "tainted": "Closed",
    }


def test_models_are_counted_on_each_line() -> None:
    world = crowd(6)
    devices = [{"fake": {"uuid": f"new-{at}", "name": f"M{at // 2}"}} for at in range(10)]
    world.node("new", devices=1)
    world.api.update(NodeAllocationState, "new", NAMESPACE, {"spec": {"allocatableDevice": devices}})
    (line,) = (line for line in text(world).splitlines() if line.startswith("new "))
    assert line.endswith("  2 of 2 M0, 2 of 2 M1, 2 of 2 M2 and 2 more models")


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
    problem = lines[lines.index("PROBLEM ON                               WHAT") + 1]
    assert problem.startswith("node-049, node-099, node-149 and 3 more  its kubelet plugin is not ready")
    shown = [line.split()[0] for line in lines[6:9]]
    assert shown == ["default/big-00", "default/big-01", "default/big-02"]
    assert lines[9].startswith("and 27 more     -    InsufficientDevices: asked for 20 devices")


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
    assert "NODE node-006" not in found


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
    assert "  n-0     allocated  64     (gone) x\n" in text(world)
    assert text(world, Detail.ALL).count("─ ") == 64


def test_less_detail_where_there_is_less_room() -> None:
    world = crowd(5)
    whole = text(world)
    assert "node-004-7" in whole
    assert text(world, room=whole.count("\n")) == whole
    by_claim = text(world, room=whole.count("\n") - 1)
    assert "node-004-7" not in by_claim
    assert "NODE node-004  Ready, 5 of 8 MODEL free\n  DEVICES  STATE      CLAIM\n" in by_claim
    assert "  3        allocated  default/held-004\n  5        free\n" in by_claim
    by_node = text(world, room=by_claim.count("\n") - 1)
    assert "\nnode-004  Ready   8        5     3          0         1\n" in by_node
    assert "node-004-7" in text(world, Detail.ALL, room=10), "what was asked for stays"


def test_nodes_are_shown_beside_many_claims_that_wait() -> None:
    world = World()
    world.node("n", devices=2)
    for count in range(3, 20):
        world.claim(f"big-{count}", count=count, mode="Immediate")
    lines = text(world, room=24, columns=80).splitlines()
    assert len(lines) == 24
    assert any(line.startswith("n  ") for line in lines)
    assert sum(line.startswith("... ") for line in lines) == 1, "what is left out is counted"
    assert len(text(world, room=5, columns=80).split("\n\n")[1].splitlines()) == 8, "but some of them always"


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
