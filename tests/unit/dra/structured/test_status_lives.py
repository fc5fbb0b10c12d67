"""Reports on a claim in random lives: whatever comes between, the last word is what the claim says in the end."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from typing import Any

import looptime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.claims import results_of
from fake_dra_driver.dra.structured.status import DeviceStatusWriter, not_ready, ready, status_of
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import DeadlineError
from tests.crash.bounds import examples
from tests.unit.dra.structured.lamps import DRIVER, POOL, claim, result
from tests.unit.dra.structured.statusserver import StatusServer, refusal

LONG_SECONDS = 3600
"""Long enough for every retry and every withdrawal."""
LATENCY_SECONDS = 1.0
CONDITIONS = (ready("Prepared"), ready("Prepared", "again"), not_ready("Broken", "it flickers"))
DEVICES = [["lamp-0"], ["lamp-0", "lamp-1"]]


class WatchedServer(StatusServer):
    """Answers a while after each write, and keeps what the entries of the driver were over time."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[tuple[str, Sequence[dict[str, Any]]]] = []
        """UID of the claim, and its entries."""

    @override
    async def apply(self, *args: Any, **kwargs: Any) -> Any:
        answer = await super().apply(*args, **kwargs)
        await asyncio.sleep(LATENCY_SECONDS)
        return answer

    @override
    def _store(self, wire: dict[str, Any]) -> v1.ResourceClaim:
        self.history.append((wire["metadata"]["uid"], wire.get("status", {}).get("devices", [])))
        return super()._store(wire)


class Life:
    """One claim, its server, and the plugin that reports on it, which may be started again."""

    def __init__(self) -> None:
        self.server = WatchedServer()
        self.uid = 0
        self.wanted: v1.StatusCondition | None = None
        """What the claim is to say in the end; None: nothing, while it is not prepared."""
        self.make_claim("lamp-0")
        self.read_earlier = self.server.read()
        self.start()

    def start(self) -> None:
        self.writer = DeviceStatusWriter(self.server, RESOURCE_APIS["v1"], DRIVER, POOL, pytest.fail, self._now)
        self.task = asyncio.create_task(self.writer.controller.run(), name="devicestatus")

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    def make_claim(self, *devices: str) -> None:
        self.uid += 1
        self.server.put(claim(*(result(device) for device in devices), uid=f"uid-{self.uid}"))

    async def do(self, step: str, detail: Any) -> None:
        match step:
            case "report":
                condition, is_stale = detail
                found = self.read_earlier if is_stale else self.server.read()
                if found.uid == self.server.read().uid and results_of(found, DRIVER):
                    self.wanted = CONDITIONS[condition]
                    self.report(found, self.wanted)
            case "read":
                self.read_earlier = self.server.read()
            case "unprepare":
                self.writer.withdraw(self.server.read().key, self.server.read().uid)
                self.wanted = None
            case "replace":
                self.make_claim(*detail)
                self.wanted = None
            case "fail":
                self.server.errors.append(detail)
            case "lose":
                self.server.lost.append(detail)
            case "wait":
                await asyncio.sleep(detail)
            case "restart":
                await self.stop()
                self.start()
                # A plugin that starts looks at each claim that is prepared, and at none that is not.
                if self.wanted is not None:
                    self.report(self.server.read(), self.wanted)
                else:
                    self.writer.withdraw(self.server.read().key, self.server.read().uid)

    def report(self, found: v1.ResourceClaim, condition: v1.StatusCondition) -> None:
        self.writer.report(found, [status_of(each, condition) for each in results_of(found, DRIVER)])

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=loop_time())


KEY = claim().key
HEALING = [refusal(409, reason="Conflict"), refusal(500, reason="InternalError"), refusal(429)]
LOST = DeadlineError("patch", v1.ResourceClaim.resource, KEY, 10)
WAIT = st.tuples(st.just("wait"), st.sampled_from([0.1, 0.3, 5.0, 40.0]))
STEP = st.one_of(
    st.tuples(st.just("report"), st.tuples(st.integers(0, 2), st.booleans())),
    st.tuples(st.sampled_from(["unprepare", "restart", "read"]), st.none()),
    st.tuples(st.just("replace"), st.sampled_from(DEVICES)),
    st.tuples(st.just("fail"), st.sampled_from(HEALING)),
    st.tuples(st.just("lose"), st.just(LOST)),
)
# In pairs, so that much happens between two writes, and much while one is under way.
STEPS = st.lists(st.tuples(STEP, WAIT), min_size=5, max_size=15).map(chain.from_iterable).map(list)


@examples(80, 20_000)
@given(steps=STEPS)
def test_the_last_report_is_what_the_claim_says_in_the_end(steps: Sequence[tuple[str, Any]]) -> None:
    async def live() -> None:
        life = Life()
        for step, detail in steps:
            await life.do(step, detail)
        await asyncio.sleep(LONG_SECONDS)
        await life.stop()
        check(life)

    loop = looptime.new_event_loop(start=0, _enabled=True)
    try:
        loop.run_until_complete(live())
    finally:
        loop.close()


def check(life: Life) -> None:
    found = life.server.read()
    devices = [each.device for each in results_of(found, DRIVER)]
    if life.wanted is None:
        assert life.server.devices() == []
    else:
        assert [each["device"] for each in life.server.devices()] == devices
        for each in life.server.devices():
            [condition] = each["conditions"]
            said = (condition["status"], condition["reason"], condition["message"])
            assert said == (life.wanted.status, life.wanted.reason, life.wanted.message)
    # A condition that stays what it is keeps its time.
    for (uid_before, before), (uid, after) in pairwise(life.server.history):
        times = {each["device"]: each["conditions"][0] for each in before} if uid_before == uid else {}
        for each in after:
            condition, previous = each["conditions"][0], times.get(each["device"])
            if previous is not None and previous["status"] == condition["status"]:
                assert previous["lastTransitionTime"] == condition["lastTransitionTime"]
