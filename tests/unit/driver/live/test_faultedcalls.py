"""Calls of the kubelet that a fault hits."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.dra import PreparedClaim, PrepareError, RequestResult
from fake_dra_driver.driver.fault.effects import NO_FAULTS, CallFault
from fake_dra_driver.driver.live.failurecounts import FILE_NAME, FailureCounts
from fake_dra_driver.driver.live.faultedcalls import FaultedCalls
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from tests.unit.driver.fault.nodes import place

MINE = NamespacedName("default", "mine")


def claim(*devices: str, name: str = "mine", is_classic: bool = False) -> FakePreparedClaim:
    found = tuple(
        FakePreparedDevice(
            f"UUID-{device}", "A100", None, None if is_classic else RequestResult("request", "node-0", device)
        )
        for device in devices
    )
    return PreparedClaim(f"uid-of-{name}", "default", name, found)


def call(fault: str = "broken", message: str = "no answer", **fields: object) -> CallFault:
    return replace(CallFault(fault, UID(f"uid-of-{fault}"), message), **fields)  # type: ignore[arg-type]  # a test's


class Bench:
    """A node, with faults by device, and calls for it."""

    def __init__(self, folder: Path) -> None:
        self.node = LiveNode(place().node)
        self.failed: list[tuple[str, str]] = []
        self.met = 0
        counts = FailureCounts(folder)
        self.calls = FaultedCalls(self.node, counts, lambda: [UID("uid-of-broken")], self._note, self._meet)

    def _note(self, fault: str, call: str) -> None:
        self.failed.append((fault, call))

    def _meet(self) -> None:
        self.met += 1

    def break_(self, prepare: Mapping[str, Sequence[CallFault]]) -> None:
        self.node.apply(replace(NO_FAULTS, prepare={name: tuple(faults) for name, faults in prepare.items()}))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("is_classic", [False, True])
async def test_a_call_for_a_device_fails_with_the_fault_s_name(bench: Bench, *, is_classic: bool) -> None:
    bench.break_({"gpu-1": [call()]})
    with pytest.raises(PrepareError, match=r"^no answer \(DeviceFault broken\)$"):
        await bench.calls.before_prepare(claim("gpu-0", "gpu-1", is_classic=is_classic))
    assert bench.failed == [("broken", "prepare")]
    await bench.calls.before_prepare(claim("gpu-0", is_classic=is_classic))
    await bench.calls.before_unprepare(claim("gpu-1", is_classic=is_classic))


async def test_a_call_fails_once_for_all_of_its_devices(bench: Bench) -> None:
    bench.break_({name: [call(times=2)] for name in ("gpu-0", "gpu-1")})
    for _ in range(2):
        with pytest.raises(PrepareError):
            await bench.calls.before_prepare(claim("gpu-0", "gpu-1"))
    await bench.calls.before_prepare(claim("gpu-0", "gpu-1"))


async def test_calls_of_other_claims_do_not_fail(bench: Bench) -> None:
    bench.break_({"gpu-0": [call(claim=MINE)]})
    await bench.calls.before_prepare(claim("gpu-0", name="other"))
    with pytest.raises(PrepareError):
        await bench.calls.before_prepare(claim("gpu-0"))


@pytest.mark.looptime
async def test_a_claim_that_is_meant_is_known_while_the_kubelet_asks(bench: Bench) -> None:
    bench.break_({"gpu-0": [call(claim=MINE)], "gpu-1": [call()]})
    with pytest.raises(PrepareError):
        await bench.calls.before_prepare(claim("gpu-1", name="other"))
    assert bench.calls.callers() == {}
    for _ in range(9):
        with pytest.raises(PrepareError):
            await bench.calls.before_prepare(claim("gpu-0", "gpu-2"))
        await asyncio.sleep(60)
        assert bench.calls.callers() == {"gpu-0": {MINE}, "gpu-2": {MINE}}
    assert bench.met == 1
    await asyncio.sleep(600)
    assert bench.calls.callers() == {}


@pytest.mark.looptime
async def test_a_claim_whose_call_waits_is_known_all_the_while(bench: Bench) -> None:
    bench.break_({"gpu-0": [call(message="", delay_seconds=3000, claim=MINE)]})
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(bench.calls.before_prepare(claim("gpu-0")))
        await asyncio.sleep(2999)
        assert bench.calls.callers() == {"gpu-0": {MINE}}
        assert not waiting.done()


async def test_a_failure_that_cannot_be_counted_is_one_all_the_same(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    bench.break_({"gpu-0": [call(times=1)]})
    with pytest.raises(PrepareError, match=r"no answer \(DeviceFault broken; it is not counted: "):
        await bench.calls.before_prepare(claim("gpu-0"))


@pytest.mark.looptime
async def test_a_call_takes_as_long_as_the_slowest_fault_says(bench: Bench) -> None:
    bench.break_({"gpu-0": [call("a", "", delay_seconds=5), call("b", "", delay_seconds=9)]})
    begun = asyncio.get_running_loop().time()
    await bench.calls.before_prepare(claim("gpu-0"))
    assert asyncio.get_running_loop().time() - begun == pytest.approx(9)
    assert bench.calls.doing("uid-of-mine") == ""


@pytest.mark.looptime
async def test_a_call_that_waits_goes_on_when_the_fault_is_gone(bench: Bench) -> None:
    bench.break_({"gpu-0": [call(delay_seconds=3000)]})
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(bench.calls.before_prepare(claim("gpu-0")))
        await asyncio.sleep(1)
        assert bench.calls.doing("uid-of-mine") == "DeviceFault broken delays it"
        bench.node.apply(NO_FAULTS)
    assert waiting.done()
    assert asyncio.get_running_loop().time() < 60
    assert bench.failed == []


@pytest.mark.looptime
async def test_a_call_that_waits_and_is_cancelled_leaves_nothing(bench: Bench) -> None:
    bench.break_({"gpu-0": [call(delay_seconds=3000)]})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await bench.calls.before_prepare(claim("gpu-0"))
    assert bench.calls.doing("uid-of-mine") == ""
