"""The rules that hold for the kubelet's calls of every version."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.failurereason import FailureReason
from fake_dra_driver.dra.node.calls import (
    MAX_CLAIMS,
    ClaimCalls,
    Failure,
    Outcome,
    Verb,
)
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.classic import MAX_HANDLE_SIZE_BYTES, ClassicClaim
from fake_dra_driver.dra.node.driver import PrepareError
from tests.unit.dra.node.standin import LogWatch, SteeredDriver, ready_lamps


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.work: list[tuple[str, str]] = []
        self.answers: list[tuple[str, str]] = []
        self.failures: list[tuple[str, str, str]] = []

    def worked(self, verb: Verb, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.work.append((verb, result))

    def answered(self, verb: Verb, result: str) -> None:
        self.answers.append((verb, result))

    def failed(self, verb: Verb, claim: NodeClaim, message: str) -> None:
        self.failures.append((verb, claim.uid, message))


def claim(uid: str, *, name: str = "desk", namespace: str = "test3") -> NodeClaim:
    return NodeClaim(namespace, name, UID(uid))


def classic_claim(uid: str, handle: str) -> ClassicClaim:
    return ClassicClaim("test3", "desk", UID(uid), handle)


def failure(outcome: Outcome) -> Failure:
    assert isinstance(outcome, Failure)
    return outcome


@pytest.fixture
async def calls(driver: SteeredDriver) -> AsyncIterator[ClaimCalls[NodeClaim]]:
    async with ClaimCalls(driver) as value:
        yield value


async def test_each_claim_gets_an_outcome_of_its_own(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    driver.refuse("b")
    outcomes = await calls.run("prepare", [claim("a"), claim("b"), claim("c")], None)
    assert outcomes == {
        "a": ready_lamps("a"),
        "b": Failure(FailureReason.REFUSED, "b holds nothing here"),
        "c": ready_lamps("c"),
    }
    assert set(driver.prepared) == {"a", "c"}


async def test_claims_of_one_call_are_worked_on_at_the_same_time(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver
) -> None:
    gates = [driver.hold_up(uid) for uid in "abc"]
    call = asyncio.ensure_future(calls.run("prepare", [claim(uid) for uid in "abc"], None))
    for uid in "abc":
        await driver.wait_started(uid)
    assert driver.most_busy == 3
    for gate in gates:
        gate.set()
    assert set(await call) == {"a", "b", "c"}


async def test_a_repeated_call_joins_the_work_in_progress(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    gate = driver.hold_up("a")
    first = asyncio.ensure_future(calls.run("prepare", [claim("a")], None))
    await driver.wait_started("a")
    second = asyncio.ensure_future(calls.run("prepare", [claim("a")], None))
    await asyncio.sleep(0)
    gate.set()
    assert await first == await second == {"a": ready_lamps("a")}
    assert driver.log == [("prepare", "a")]


async def test_opposite_calls_for_one_claim_run_one_after_another_in_order(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver
) -> None:
    gate = driver.hold_up("a")
    running = []
    for verb in ("prepare", "unprepare", "prepare"):
        running.append(asyncio.ensure_future(calls.run(verb, [claim("a")], None)))
        await asyncio.sleep(0)
    await driver.wait_started("a")
    gate.set()
    await asyncio.gather(*running)
    assert driver.log == [("prepare", "a"), ("unprepare", "a"), ("prepare", "a")]
    assert not driver.overlapped
    assert set(driver.prepared) == {"a"}


async def test_a_third_call_waits_for_the_second_when_the_first_is_done(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver
) -> None:
    """The first work is done, the second runs: a third must not begin beside it."""
    first_gate = driver.hold_up("a")
    prepare = asyncio.ensure_future(calls.run("prepare", [claim("a")], None))
    await driver.wait_started("a")
    unprepare = asyncio.ensure_future(calls.run("unprepare", [claim("a")], None))
    await asyncio.sleep(0)
    driver.gates[UID("a")] = second_gate = asyncio.Event()
    first_gate.set()
    await prepare
    again = asyncio.ensure_future(calls.run("prepare", [claim("a")], None))
    await asyncio.sleep(0)
    second_gate.set()
    await asyncio.gather(unprepare, again)
    assert driver.log == [("prepare", "a"), ("unprepare", "a"), ("prepare", "a")]
    assert not driver.overlapped
    assert set(driver.prepared) == {"a"}


async def test_the_error_of_earlier_work_is_not_inherited(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    gate = driver.hold_up("a")
    driver.refuse("a")
    prepare = asyncio.ensure_future(calls.run("prepare", [claim("a")], None))
    await driver.wait_started("a")
    unprepare = asyncio.ensure_future(calls.run("unprepare", [claim("a")], None))
    await asyncio.sleep(0)
    gate.set()
    assert failure((await prepare)["a"]).reason is FailureReason.REFUSED
    assert await unprepare == {"a": ()}


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("remaining_seconds", "answer_after_seconds"), [(10.0, 9.0), (45.0, 40.0), (None, 40.0), (0.0, 0.0)]
)
async def test_the_caller_is_answered_before_its_deadline_while_the_work_goes_on(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver, remaining_seconds: float | None, answer_after_seconds: float
) -> None:
    gate = driver.hold_up("slow")
    loop = asyncio.get_running_loop()
    started = loop.time()
    outcomes = await calls.run("prepare", [claim("slow"), claim("quick")], remaining_seconds)
    assert loop.time() - started == pytest.approx(answer_after_seconds)
    assert failure(outcomes["slow"]).reason is FailureReason.TOO_SLOW
    assert f"longer than {answer_after_seconds:.1f} s" in failure(outcomes["slow"]).message
    if answer_after_seconds:
        assert outcomes["quick"] == ready_lamps("quick")
    gate.set()
    assert await calls.run("prepare", [claim("slow")], 10) == {"slow": ready_lamps("slow")}
    assert driver.log.count(("prepare", UID("slow"))) == 1, "the second call gets what the first one began"


@pytest.mark.looptime
async def test_the_answer_says_what_takes_so_long(driver: SteeredDriver) -> None:
    gate = driver.hold_up("slow")
    async with ClaimCalls[NodeClaim](driver, doing=lambda uid: f"LampDriver.prepare({uid}-0) has taken 9 s") as calls:
        outcomes = await calls.run("prepare", [claim("slow")], 10)
        assert failure(outcomes["slow"]).message == (
            "prepare takes longer than 9.0 s and goes on: LampDriver.prepare(slow-0) has taken 9 s; the kubelet's next "
            "attempt gets its result"
        )
        gate.set()


async def test_work_survives_a_caller_that_goes_away(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    gate = driver.hold_up("a")
    call = asyncio.ensure_future(calls.run("prepare", [claim("a")], None))
    await driver.wait_started("a")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    gate.set()
    await calls.drain(10)
    assert set(driver.prepared) == {"a"}


async def test_an_unexpected_exception_is_that_claims_error_and_one_log_entry(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver, log_watch: LogWatch
) -> None:
    driver.refuse("a", ZeroDivisionError("boom"))
    outcomes = await calls.run("prepare", [claim("a"), claim("b")], None)
    assert failure(outcomes["a"]).reason is FailureReason.INTERNAL
    assert "ZeroDivisionError: boom" in failure(outcomes["a"]).message
    assert outcomes["b"] == ready_lamps("b")
    (entry,) = [line for line in log_watch.lines if line.startswith("ERROR")]
    assert "Traceback" in entry
    assert "boom" in entry


async def test_an_error_without_a_message_still_gets_one(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    driver.refuse("a", PrepareError(), verb="unprepare")
    assert failure((await calls.run("unprepare", [claim("a")], None))["a"]).message == "unprepare failed"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (claim(""), "has no UID"),
        (claim("../../etc/passwd"), "UID '../../etc/passwd'"),
        (claim("a" * 129), "too long"),
        (claim("a\n"), "UID"),
        (claim("a", name="Not_A_Name"), "'Not_A_Name' is not the name of a claim"),
        (claim("a", name=""), "is not the name of a claim"),
        (claim("a", name="x" * 254), "is not the name of a claim"),
        (claim("a", name=".."), "is not the name of a claim"),
        (claim("a", namespace="a/b"), "'a/b' is not the name of a namespace"),
        (claim("a", namespace="x" * 64), "is not the name of a namespace"),
        (classic_claim("a", handle="x" * (MAX_HANDLE_SIZE_BYTES + 1)), "the resource handle has 16385 bytes"),
        (classic_claim("a", handle="ü" * (MAX_HANDLE_SIZE_BYTES // 2 + 1)), "at most 16384 are allowed"),
    ],
)
async def test_an_invalid_claim_is_refused_without_affecting_others(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver, bad: NodeClaim, words: str
) -> None:
    good = ClassicClaim("x" * 63, "a.b-c", UID("good"), "x" * MAX_HANDLE_SIZE_BYTES)
    outcomes = await calls.run("prepare", [bad, good], None)
    assert failure(outcomes[bad.uid]).reason is FailureReason.INVALID
    assert words in failure(outcomes[bad.uid]).message
    assert outcomes["good"] == ready_lamps("good")
    assert driver.log == [("prepare", "good")]


async def test_one_uid_with_two_handles_is_refused(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    outcomes = await calls.run(
        "prepare", [classic_claim("a", handle="1"), classic_claim("a", handle="2"), claim("b")], None
    )
    assert "twice" in failure(outcomes["a"]).message
    assert driver.log == [("prepare", "b")]


async def test_a_claim_that_a_pod_names_twice_is_prepared_once(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver
) -> None:
    assert await calls.run("prepare", [claim("a"), claim("a")], None) == {"a": ready_lamps("a")}
    assert driver.log == [("prepare", "a")]


async def test_unprepare_ignores_handles(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    assert await calls.run("unprepare", [classic_claim("a", handle="1"), classic_claim("a", handle="2")], None) == {
        "a": ()
    }
    assert driver.log == [("unprepare", "a")]


async def test_when_a_call_names_too_many_claims_each_is_refused(
    calls: ClaimCalls[NodeClaim], driver: SteeredDriver
) -> None:
    claims = [claim(f"uid-{number}") for number in range(MAX_CLAIMS + 1)]
    outcomes = await calls.run("prepare", claims, None)
    assert set(outcomes) == {one.uid for one in claims}
    assert {failure(outcome).message for outcome in outcomes.values()} == {
        "the call names 257 claims, at most 256 are allowed"
    }
    assert driver.log == []
    assert len(await calls.run("prepare", claims[:-1], None)) == MAX_CLAIMS
    assert len(driver.log) == MAX_CLAIMS


async def test_a_call_without_claims_has_no_outcomes(calls: ClaimCalls[NodeClaim]) -> None:
    assert await calls.run("prepare", [], None) == {}


async def test_leaving_cancels_running_work_and_its_callers_learn_why(driver: SteeredDriver) -> None:
    driver.hold_up("a")
    async with ClaimCalls(driver) as calls:
        call = asyncio.ensure_future(calls.run("prepare", [claim("a")], None))
        await driver.wait_started("a")
    assert failure((await call)["a"]).reason is FailureReason.STOPPING
    assert driver.busy == set()


@pytest.mark.looptime
async def test_draining_waits_no_longer_than_its_limit(calls: ClaimCalls[NodeClaim], driver: SteeredDriver) -> None:
    driver.hold_up("a")
    call = asyncio.ensure_future(calls.run("prepare", [claim("a")], 5))
    await driver.wait_started("a")
    loop = asyncio.get_running_loop()
    started = loop.time()
    await calls.drain(3)
    assert loop.time() - started == pytest.approx(3)
    call.cancel()
    await asyncio.wait((call,))


async def test_the_observer_is_notified_of_each_piece_of_work(driver: SteeredDriver) -> None:
    observer = Observer()
    driver.refuse("b")
    async with ClaimCalls(driver, observer=observer, on_failure=observer.failed) as calls:
        await calls.run("prepare", [claim("a"), claim("b"), claim("")], None)
        await calls.run("unprepare", [claim("a")], None)
    assert observer.work == [("prepare", "success"), ("prepare", "refused"), ("unprepare", "success")]
    assert sorted(observer.answers) == [
        ("prepare", "invalid"),
        ("prepare", "refused"),
        ("prepare", "success"),
        ("unprepare", "success"),
    ]
    assert observer.failures == [("prepare", "b", "b holds nothing here")]


async def test_an_answer_before_the_work_is_done_is_counted_as_too_slow(driver: SteeredDriver) -> None:
    observer = Observer()
    gate = driver.hold_up("a")
    async with ClaimCalls(driver, observer=observer, on_failure=observer.failed) as calls:
        await calls.run("prepare", [claim("a")], 0)
        assert (observer.work, observer.answers) == ([], [("prepare", "too_slow")])
        gate.set()
        await calls.run("prepare", [claim("a")], None)
    assert (observer.work, observer.answers[1:]) == ([("prepare", "success")], [("prepare", "success")])
