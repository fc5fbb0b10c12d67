"""Every step of the quickstart that comes out wrong is found out."""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.cluster import DEFAULT_NODE
from fake_dra_driver.demo.expectations import (
    DemoError,
    Logs,
    check_allocated,
    check_initial,
    check_logs,
    check_prepared,
    check_split,
    devices_in,
)
from fake_dra_driver.device.inventory import make_uuids
from fake_dra_driver.device.split import children

UUIDS = make_uuids(DEFAULT_NODE, 8)
LOGS: Logs = {
    ("test1", "pod0", "ctr0"): UUIDS[0:1],
    ("test1", "pod1", "ctr0"): UUIDS[1:2],
    ("test2", "pod0", "ctr0"): UUIDS[2:3],
    ("test2", "pod0", "ctr1"): UUIDS[2:3],
    ("test3", "pod0", "ctr0"): UUIDS[3:4],
    ("test3", "pod1", "ctr0"): UUIDS[3:4],
    ("test4", "pod0", "ctr0"): UUIDS[4:8],
}


def _state(
    allocated: Mapping[str, Any] | None = None, prepared: Mapping[str, Any] | None = None, count: int = 8
) -> NodeAllocationState:
    devices = [{"fake": {"name": "LATEST-FAKE-MODEL", "uuid": uuid}} for uuid in UUIDS[:count]]
    spec = {"allocatableDevice": devices, "allocatedClaims": allocated or {}, "preparedDevices": prepared or {}}
    return NodeAllocationState.from_wire({"metadata": {"name": DEFAULT_NODE}, "spec": spec})


def _fake(*devices: Mapping[str, Any]) -> dict[str, Any]:
    return {"fake": {"devices": list(devices)}}


PREPARED = {
    str(number): _fake(*({"uuid": uuid} for uuid in devices))
    for number, devices in enumerate(dict.fromkeys(map(tuple, LOGS.values())))
}
SPLIT = [{"uuid": uuid, "split": 2} for uuid in UUIDS[:4]]
CHILDREN = [{"uuid": child, "parentUUID": uuid} for uuid in UUIDS[:4] for child in children(uuid, 2)]


def test_quotes_of_both_kinds_of_shells_are_read() -> None:
    log = f"export PATH='/bin'\nexport FAKE_DEVICE_1=\"{UUIDS[1]}\"\nexport FAKE_DEVICE_0='{UUIDS[0]}'\n"
    assert devices_in(log) == list(UUIDS[:2])
    with pytest.raises(DemoError, match=r"not numbered from 0 on: \[1\]"):
        devices_in(f"export FAKE_DEVICE_1='{UUIDS[1]}'")


def test_as_the_quickstart_has_it() -> None:
    check_initial(_state())
    check_logs(LOGS, DEFAULT_NODE)
    check_prepared(_state(PREPARED, PREPARED), LOGS)
    split = _state({"c": _fake(*SPLIT)}, {"c": _fake(*CHILDREN)})
    check_allocated(split, count=4, split=2)
    check_split(split, {("test5", "pod0", "ctr0"): [child["uuid"] for child in CHILDREN]})


@pytest.mark.parametrize("state", [_state(count=7), _state(allocated=PREPARED), _state(prepared=PREPARED)])
def test_not_the_initial_state(state: NodeAllocationState) -> None:
    with pytest.raises(DemoError, match="Wrong result"):
        check_initial(state)


@pytest.mark.parametrize(
    "changed",
    [
        {("test1", "pod1", "ctr0"): UUIDS[0:1]},
        {("test2", "pod0", "ctr1"): UUIDS[3:4]},
        {("test3", "pod1", "ctr0"): UUIDS[2:3]},
        {("test4", "pod0", "ctr0"): UUIDS[4:7]},
        {("test4", "pod1", "ctr0"): ()},
        {("test1", "pod0", "ctr0"): ("FAKE-00000000-0000-0000-0000-000000000000",)},
    ],
)
def test_wrong_logs(changed: Logs) -> None:
    with pytest.raises(DemoError, match="Wrong result"):
        check_logs({**LOGS, **changed}, DEFAULT_NODE)


def test_prepared_is_not_what_was_printed_or_allocated() -> None:
    without = dict(list(PREPARED.items())[1:])
    with pytest.raises(DemoError, match="prepared devices"):
        check_prepared(_state(PREPARED, without), LOGS)
    with pytest.raises(DemoError, match="claims with allocated devices"):
        check_prepared(_state(without, PREPARED), LOGS)


def test_wrong_children() -> None:
    with pytest.raises(DemoError, match="splits"):
        check_allocated(_state({"c": _fake(*SPLIT[:3])}), count=4, split=2)
    with pytest.raises(DemoError, match="children"):
        check_split(_state({"c": _fake(*SPLIT)}, {"c": _fake(*CHILDREN[::-1])}), {})
    with pytest.raises(DemoError, match="printed"):
        check_split(_state({"c": _fake(*SPLIT)}, {"c": _fake(*CHILDREN)}), {("test5", "pod0", "ctr0"): ["FAKE-1"]})
