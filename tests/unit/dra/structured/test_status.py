"""Reports on devices: what is written when, and what happens where nothing can be written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.claims import results_of
from fake_dra_driver.dra.structured.status import (
    WITHDRAW_DELAY_SECONDS,
    WRITE_DELAY_SECONDS,
    DeviceStatusWriter,
    not_ready,
    ready,
    status_of,
)
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import DeadlineError
from tests.unit.dra.structured.lamps import DRIVER, POOL, claim, result
from tests.unit.dra.structured.statusserver import StatusServer, refusal

pytestmark = pytest.mark.looptime

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
SOON = WRITE_DELAY_SECONDS + 0.1
LATE = WITHDRAW_DELAY_SECONDS + 0.1
READY = ready("Prepared", "it shines")


class Bench:
    """A writer, the server that it writes to, and what it has said."""

    def __init__(self, server: StatusServer) -> None:
        self.server = server
        self.said: list[str] = []
        self.writer = DeviceStatusWriter(server, RESOURCE_APIS["v1"], DRIVER, POOL, self.said.append, self._now)

    def report(self, *conditions: v1.StatusCondition, found: v1.ResourceClaim | None = None, **data: Any) -> None:
        """Reports on all lamps of the claim as it is, or as it was read earlier."""
        found = found or self.server.read()
        devices = [status_of(each, *(conditions or (READY,)), data=data or None) for each in results_of(found, DRIVER)]
        self.writer.report(found, devices)

    def update(self, *conditions: v1.StatusCondition, uid: str = "") -> None:
        """Says something else of all lamps of the claim, which is not read for it."""
        found = self.server.read()
        devices = [status_of(each, *conditions) for each in results_of(found, DRIVER)]
        self.writer.update(found.key, UID(uid or found.uid), devices)

    def withdraw(self) -> None:
        found = self.server.read()
        self.writer.withdraw(found.key, found.uid)

    def asked(self) -> list[str]:
        """The requests since the last call."""
        found, self.server.requests = self.server.requests, []
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.writer.controller.run(), name="devicestatus")
            yield
            self.writer.controller.stop()
            task.cancel()

    def _now(self) -> datetime:
        return MIDNIGHT + timedelta(seconds=loop_time())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """With a claim that has two lamps."""
    bench = Bench(StatusServer())
    bench.server.put(claim(result("lamp-0"), result("lamp-1"), result("fan-0", driver="fans.example.com")))
    async with bench.running():
        yield bench


def since(bench: Bench) -> set[str]:
    """When the conditions became what they are."""
    return {entry["conditions"][0]["lastTransitionTime"] for entry in bench.server.devices()}


# --- Writing -------------------------------------------------------------------------------------------------------


async def test_what_becomes_of_devices_is_written_on_claims_that_were_reported_on(bench: Bench) -> None:
    broken = not_ready("Vanished", "it has vanished")
    bench.update(broken)
    await asyncio.sleep(SOON)
    assert bench.asked() == [], "nothing is known of the claim"
    bench.report()
    await asyncio.sleep(SOON)
    assert bench.asked() == ["apply"]
    bench.update(broken, uid="another")
    bench.update(READY)
    await asyncio.sleep(SOON)
    assert bench.asked() == [], "it says so already"
    bench.update(broken)
    await asyncio.sleep(SOON)
    assert bench.asked() == ["apply"]
    assert [entry["conditions"][0]["reason"] for entry in bench.server.devices()] == ["Vanished"] * 2
    bench.withdraw()
    bench.update(READY)
    await asyncio.sleep(LATE)
    assert bench.server.devices() == [], "what is withdrawn stays so"


async def test_a_report_is_written_behind(bench: Bench) -> None:
    bench.report(color="white")
    await asyncio.sleep(0)
    assert bench.asked() == []
    await asyncio.sleep(SOON)
    assert bench.asked() == ["apply"]
    assert bench.server.devices() == [
        {
            "driver": DRIVER,
            "pool": "study",
            "device": device,
            "data": {"color": "white"},
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Prepared",
                    "message": "it shines",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }
            ],
        }
        for device in ("lamp-0", "lamp-1")
    ]
    assert bench.said == []


async def test_a_share_is_named() -> None:
    shared = v1.DeviceRequestAllocationResult.model_validate({**result("lamp-0"), "shareID": "7"})
    assert status_of(shared, READY).to_wire()["shareID"] == "7"


async def test_reports_that_come_close_together_share_a_write(bench: Bench) -> None:
    for status in (READY, not_ready("Broken", "it flickers"), READY):
        bench.report(status)
    await asyncio.sleep(SOON)
    assert bench.asked() == ["apply"]


async def test_a_claim_that_says_it_all_costs_no_request(bench: Bench) -> None:
    bench.report(color="white", sizes=(1, 2))
    await asyncio.sleep(SOON)
    for _ in range(2):  # as it was read, and as a new process reads it
        bench.asked()
        bench.report(color="white", sizes=(1, 2))
        await asyncio.sleep(SOON)
        assert bench.asked() == []
        again = Bench(bench.server)
        async with again.running():
            again.report(color="white", sizes=(1, 2))
            await asyncio.sleep(SOON)
        assert again.asked() == []


async def test_a_change_is_written_and_a_transition_has_its_time(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(3600)
    bench.report(ready("Prepared", "it glows"))
    await asyncio.sleep(3600)
    assert since(bench) == {"2026-01-01T00:00:00Z"}
    assert bench.server.devices()[0]["conditions"][0]["message"] == "it glows"
    bench.report(not_ready("Broken", "it flickers"))
    await asyncio.sleep(SOON)
    assert since(bench) == {"2026-01-01T02:00:00Z"}
    assert bench.asked() == ["apply"] * 3


async def test_a_new_process_keeps_the_time_of_a_transition(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(3600)
    again = Bench(bench.server)
    async with again.running():
        again.report(ready("Prepared", "by the next process"))
        await asyncio.sleep(SOON)
    assert since(bench) == {"2026-01-01T00:00:00Z"}


async def test_a_claim_that_was_read_before_a_write_was_answered_changes_nothing(bench: Bench) -> None:
    read_before = bench.server.read()
    bench.report()
    await asyncio.sleep(3600)
    bench.report(found=read_before)
    await asyncio.sleep(SOON)
    assert bench.asked() == ["apply"]
    assert since(bench) == {"2026-01-01T00:00:00Z"}


async def test_a_write_whose_answer_was_lost_keeps_its_times(bench: Bench) -> None:
    key = bench.server.read().key
    bench.server.lost = [DeadlineError("patch", v1.ResourceClaim.resource, key, 10)]
    bench.report()
    await asyncio.sleep(3600)
    assert bench.asked() == ["apply"] * 2
    assert since(bench) == {"2026-01-01T00:00:00Z"}


async def test_what_others_report_is_left_alone(bench: Bench) -> None:
    bench.server.report({"driver": "fans.example.com", "pool": "study", "device": "fan-0", "conditions": None})
    bench.report()
    await asyncio.sleep(SOON)
    assert [entry["device"] for entry in bench.server.devices()] == ["fan-0", "lamp-0", "lamp-1"]


async def test_conditions_of_others_in_our_entries_do_not_count(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    bound = {**bench.server.devices()[0]["conditions"][0], "type": "Bound"}
    bench.server.devices()[0]["conditions"].append(bound)
    bench.asked()
    bench.report()
    await asyncio.sleep(SOON)
    assert bench.asked() == []


async def test_a_claim_of_another_uid_starts_from_nothing(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(3600)
    bench.server.put(claim(result("lamp-0"), uid="uid-2"))
    bench.report()
    await asyncio.sleep(SOON)
    assert since(bench) == {"2026-01-01T01:00:00Z"}


# --- Withdrawing ---------------------------------------------------------------------------------------------------


async def test_entries_of_a_claim_that_stays_allocated_are_withdrawn(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    bench.withdraw()
    await asyncio.sleep(LATE)
    assert bench.asked() == ["apply", "get", "apply"]
    assert bench.server.devices() == []


@pytest.mark.parametrize("end", [StatusServer.deallocate, StatusServer.delete])
async def test_entries_that_went_with_the_allocation_cost_no_write(bench: Bench, end: Any) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    bench.withdraw()
    end(bench.server)
    await asyncio.sleep(LATE)
    assert bench.asked() == ["apply", "get"]


async def test_a_claim_that_is_made_for_a_pod_costs_no_request(bench: Bench) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "pod", "uid": "1", "controller": True}
    made = claim(result("lamp-0")).to_wire()
    bench.server.put(v1.ResourceClaim.from_wire({**made, "metadata": {**made["metadata"], "ownerReferences": [owner]}}))
    bench.report()
    await asyncio.sleep(SOON)
    bench.withdraw()
    await asyncio.sleep(LATE)
    assert bench.asked() == ["apply"]


async def test_a_claim_that_is_prepared_again_keeps_its_entries(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    bench.withdraw()
    await asyncio.sleep(1)
    bench.report()
    await asyncio.sleep(LATE)
    assert bench.asked() == ["apply"]
    assert len(bench.server.devices()) == 2


async def test_a_claim_that_is_prepared_again_while_its_entries_are_withdrawn_has_them_in_the_end(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    read_before = bench.server.read()
    bench.server.gate = asyncio.Event()
    bench.withdraw()
    await asyncio.sleep(LATE)
    bench.report(found=read_before)
    bench.server.gate.set()
    await asyncio.sleep(SOON)
    assert len(bench.server.devices()) == 2


async def test_entries_of_an_earlier_process_are_withdrawn(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    again = Bench(bench.server)
    async with again.running():
        again.withdraw()
        await asyncio.sleep(LATE)
    assert bench.server.devices() == []


async def test_the_successor_of_a_claim_is_left_alone(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    bench.withdraw()
    entries = bench.server.devices()
    bench.server.put(claim(result("lamp-0"), result("lamp-1"), uid="uid-2"))
    bench.server.report(*entries)
    await asyncio.sleep(LATE)
    assert bench.asked() == ["apply", "get"]


def allocate_elsewhere(server: StatusServer) -> None:
    """The scheduler, and then the plugin of the other node."""
    server.put(claim(result("lamp-0", pool="attic")))
    server.report({"driver": DRIVER, "pool": "attic", "device": "lamp-0", "conditions": None})


async def test_what_another_node_reports_on_a_claim_that_was_here_is_left_alone(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    bench.withdraw()
    bench.server.deallocate()
    allocate_elsewhere(bench.server)
    await asyncio.sleep(LATE)
    assert bench.asked() == ["apply", "get"]
    assert [entry["pool"] for entry in bench.server.devices()] == ["attic"]


async def test_a_claim_that_goes_to_another_node_during_the_withdrawal_is_left_alone(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    bench.server.after_read = allocate_elsewhere
    bench.withdraw()
    await asyncio.sleep(LATE + 1)
    assert bench.asked() == ["apply", "get", "apply", "get"]
    assert [entry["pool"] for entry in bench.server.devices()] == ["attic"]
    assert bench.said == []


# --- What cannot be written ----------------------------------------------------------------------------------------


async def test_a_gate_that_is_off_is_said_once_and_ends_all_writes() -> None:
    bench = Bench(StatusServer(has_gate=False))
    for name in ("a", "b"):
        bench.server.put(claim(result("lamp-0"), name=name))
    async with bench.running():
        bench.report(found=bench.server.read("a"))
        await asyncio.sleep(SOON)
        bench.report(found=bench.server.read("b"))
        bench.writer.withdraw(bench.server.read("a").key, bench.server.read("a").uid)
        await asyncio.sleep(LATE)
    assert bench.asked() == ["apply"]
    [said] = bench.said
    assert "switch on its feature gate DRAResourceClaimDeviceStatus" in said


FORBIDDEN = {"reason": "FieldValueForbidden", "field": "status.devices", "message": "resourceclaims/driver"}


@pytest.mark.parametrize("error", [refusal(422, FORBIDDEN), refusal(403, reason="Forbidden"), refusal(413)])
async def test_a_refusal_is_said_once_and_not_tried_again_before_the_next_report(
    bench: Bench, error: Exception
) -> None:
    bench.server.errors = [error, error]
    for _ in range(2):
        bench.report()
        await asyncio.sleep(3600)
        assert bench.asked() == ["apply"]
    [said] = bench.said
    assert said.startswith("devices cannot be reported on their claims: patch resourceclaims")
    bench.report()
    await asyncio.sleep(SOON)
    assert len(bench.server.devices()) == 2
    bench.server.errors = [error]
    bench.report(not_ready("Broken", "it flickers"))
    await asyncio.sleep(SOON)
    assert len(bench.said) == 2


async def test_a_claim_that_is_gone_or_not_allocated_any_more_is_no_problem(bench: Bench) -> None:
    for change in (StatusServer.deallocate, StatusServer.delete):
        bench.report(found=claim(result("lamp-0")))
        change(bench.server)
        await asyncio.sleep(3600)
        assert bench.asked() == ["apply"]
    bench.server.put(claim(result("lamp-0"), uid="uid-2"))
    bench.report(found=claim(result("lamp-0")))
    await asyncio.sleep(3600)
    assert bench.asked() == ["apply"]
    assert bench.said == []


@pytest.mark.parametrize("error", [refusal(409, reason="Conflict"), refusal(500, reason="InternalError"), refusal(429)])
async def test_what_heals_by_itself_is_tried_again(bench: Bench, error: Exception) -> None:
    bench.server.errors = [error]
    bench.report()
    await asyncio.sleep(3600)
    assert bench.asked() == ["apply"] * 2
    assert len(bench.server.devices()) == 2
    assert bench.said == []


async def test_data_that_is_too_long_is_left_out_and_said_once(bench: Bench) -> None:
    for _ in range(2):
        bench.report(text="x" * 10240)
        await asyncio.sleep(SOON)
    assert [sorted(entry) for entry in bench.server.devices()] == [["conditions", "device", "driver", "pool"]] * 2
    assert bench.said == [
        "data of device lamp-0 in pool study is left out of its report: it has 10251 bytes, at most 10240 are allowed"
    ]


async def test_a_claim_is_reported_though_its_predecessor_is_withdrawn_later(bench: Bench) -> None:
    bench.report()
    await asyncio.sleep(SOON)
    before = bench.server.read()
    bench.server.put(claim(result("lamp-0"), result("lamp-1"), uid="uid-2"))
    bench.report()
    bench.writer.withdraw(before.key, before.uid)
    await asyncio.sleep(LATE)
    assert len(bench.server.devices()) == 2
