"""What people see: how wide it is, what is left out where there is much, and texts that others wrote."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fake_dra_driver.packaging.whyexamples import busy_cluster, partitioned_cards
from fake_dra_driver.tablelayout import Layout, width_of
from fake_dra_driver.why.report import NodeGroup, Report, Subject, Suggestion, Told
from fake_dra_driver.why.table import GROUPS, SUGGESTIONS, table
from tests.support.whycases import CASES, class_of, device, node_of, pending_claim, pod_of, request_for, slice_of
from tests.unit.why.world import explained

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REPORTS = [*(explained(case.objects) for case in CASES), busy_cluster(), partitioned_cards()]


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.message[:40])
def test_lines_fit_a_terminal(report: Report, columns: int) -> None:
    for details in (False, True):
        lines = table(report, NOW, details=details, layout=Layout(columns)).splitlines()
        assert max(map(width_of, lines)) <= columns
        assert not any(line.endswith(" ") for line in lines)


def test_a_pipe_gets_rows_in_one_line_each() -> None:
    lines = table(busy_cluster(), NOW).splitlines()
    (row,) = [line for line in lines if line.startswith("    gpu-0, gpu-1 and gpu-2  in use")]
    assert row.split("  ")[-1] == "in use by claim ml/search-0 (pod search-0)"


def test_colours_are_in_the_text_only_where_they_are_wanted() -> None:
    plain, colored = (table(busy_cluster(), NOW, layout=Layout(100, is_colored)) for is_colored in (False, True))
    assert "\x1b" not in plain
    assert "\x1b[31mPod train waits" in colored


def report_of(**fields: Any) -> Report:
    given = {
        "subject": Subject(kind="Pod", namespace="ml", name="train"),
        "verdict": "Impossible",
        "message": "it waits",
    }
    return Report(**{**given, **fields})


def test_of_many_groups_and_changes_the_nearest_are_shown() -> None:
    groups = [NodeGroup(names=(f"n-{at}",), fits=False, has_devices=False, summary="") for at in range(GROUPS + 2)]
    helping = [Suggestion(change="Other", message=f"change {at}", verified=False) for at in range(SUGGESTIONS + 3)]
    report = report_of(nodes=groups, suggestions=helping)
    short = table(report, NOW)
    assert f"NODE n-{GROUPS - 1}" in short
    assert f"NODE n-{GROUPS}" not in short
    assert "... and 2 nodes more in other ways: --details shows all" in short
    assert "... and 3 more: --details shows all" in short
    whole = table(report, NOW, details=True)
    assert f"NODE n-{GROUPS + 1}" in whole
    assert f"change {SUGGESTIONS + 2}" in whole
    assert "--details" not in whole


def test_details_have_each_device_on_a_line_with_all_that_is_in_its_way() -> None:
    driver = "gpu.example.com"
    taint = {"key": "out", "effect": "NoSchedule"}
    objects = [
        node_of("a"),
        class_of(driver, f'device.driver == "{driver}"'),
        slice_of(driver, "a", *(device(f"gpu-{at}", model="A100", taints=[taint]) for at in range(6))),
        pending_claim("gpu", request_for("main", driver, f'device.attributes["{driver}"].model == "H100"')),
        pod_of("gpu"),
    ]
    report = explained(objects)
    assert "gpu-0, gpu-1, gpu-2 and 3 more" in table(report, NOW)
    rows = [line.split() for line in table(report, NOW, details=True).splitlines() if line.startswith("    gpu-")]
    assert [row[0] for row in rows] == [f"gpu-{at}" for at in range(6)]
    assert all('"A100";' in row and "out:NoSchedule," in row for row in rows)


def test_the_claims_of_a_pod_that_has_ended_are_gone() -> None:
    pod = pod_of()
    pod["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "gpus"}]
    pod["status"] = {"phase": "Succeeded", "resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "train-gpu"}]}
    assert "\n(deleted)  gpu    gone\n" in table(explained([pod]), NOW)


def test_devices_of_other_classes_are_counted_after_the_others() -> None:
    driver, other = "gpu.example.com", "cpu.example.com"
    objects = [
        node_of("a"),
        class_of(driver, f'device.driver == "{driver}"'),
        slice_of(other, "a", *(device(f"cpu-{at}") for at in range(8))),
        slice_of(driver, "a", device("gpu-0", model="A100")),
        pending_claim("gpu", request_for("main", driver, f'device.attributes["{driver}"].model == "H100"')),
        pod_of("gpu"),
    ]
    text = table(explained(objects), NOW)
    assert "request main of claim gpu wants 1 device: 0 of 1 can be had" in text
    rows = [line.split()[:4] for line in text.splitlines() if line.startswith("    ")]
    assert [row[:2] for row in rows[1:3]] == [["gpu-0", "no"], ["8", "devices"]]
    assert rows[2][2:] == ["other", "class"]
    assert "cpu-7" in table(explained(objects), NOW, details=True)


def test_what_a_terminal_would_obey_is_escaped() -> None:
    evil = "\x1b[2J\u202egnp"
    told = Told(reason=evil, message=f"said {evil}", component=evil, last_seen=NOW)
    suggestion = Suggestion(change="Other", message=evil, nodes=(evil,), verified=True)
    group = NodeGroup(names=(evil, "b"), fits=True, has_devices=True, summary=evil)
    report = report_of(message=evil, told=told, suggestions=(suggestion,), nodes=(group,), notes=(evil,))
    for layout in (Layout(), Layout(80)):
        text = table(report, NOW, layout=layout)
        assert text.replace("\n", "").isprintable()
        assert "\\x1b[2J\\u202egnp" in text
