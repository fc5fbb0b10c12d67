import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_dra_driver.api.kube.coordination import Lease, LeaseSpec
from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.runtime.errors import DeadlineError, ForbiddenError, Status, TransportError, api_error
from fake_dra_driver.runtime.leaderelection import LeaderElector, LeaseLostError, LeaseTiming, identity
from fake_dra_driver.runtime.metrics import Metrics
from tests.unit.runtime.fakes import at_least, logged, sample

pytestmark = pytest.mark.looptime

KEY = NamespacedName("fake-system", "fake-dra-controller")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def now() -> float:
    return asyncio.get_running_loop().time()


class Leases:
    """An API server's one lease."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self._versions = 0

    def store(self, lease: Lease) -> Lease:
        self._versions += 1
        metadata = lease.metadata.model_copy(update={"resource_version": str(self._versions)})
        # Over the wire and back, so that formats count.
        self.lease = Lease.from_wire(lease.model_copy(update={"metadata": metadata}).to_wire())
        return self.lease

    def edit(self, **spec: Any) -> None:
        """What a person does to it with kubectl edit."""
        assert self.lease is not None
        self.store(self.lease.model_copy(update={"spec": self.lease.spec.model_copy(update=spec)}))

    @property
    def spec(self) -> LeaseSpec:
        assert self.lease is not None
        return self.lease.spec


Fault = Callable[[str], Awaitable[None]]
"""Gets the verb, and may wait or raise."""


async def _none(verb: str) -> None:
    """No fault."""


class FakeClient:
    """One process's way to the API server."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.calls: list[tuple[float, str]] = []
        self.before: Fault = _none
        self.after: Fault = _none

    async def get(self, kind: type[Lease], key: NamespacedName, *, timeout_seconds: float | None = None) -> Lease:
        async def read() -> Lease:
            if self.leases.lease is None:
                raise self._error(404, "NotFound", "get")
            return self.leases.lease

        return await self._call("get", timeout_seconds, read)

    async def create(self, obj: Lease, *, timeout_seconds: float | None = None) -> Lease:
        async def write() -> Lease:
            if self.leases.lease is not None:
                raise self._error(409, "AlreadyExists", "create")
            return self.leases.store(obj)

        return await self._call("create", timeout_seconds, write)

    async def update(self, obj: Lease, *, timeout_seconds: float | None = None) -> Lease:
        async def write() -> Lease:
            there = self.leases.lease
            if there is None:
                raise self._error(404, "NotFound", "update")
            if there.metadata.resource_version != obj.metadata.resource_version:
                raise self._error(409, "Conflict", "update")
            return self.leases.store(obj)

        return await self._call("update", timeout_seconds, write)

    async def _call(self, verb: str, timeout_seconds: float | None, do: Callable[[], Awaitable[Lease]]) -> Lease:
        assert timeout_seconds is not None, "every call has a deadline"
        self.calls.append((now(), verb))
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.before(verb)
                found = await do()
                await self.after(verb)
                return found
        except TimeoutError as error:
            raise DeadlineError(verb, Lease.resource, KEY, timeout_seconds) from error

    @staticmethod
    def _error(code: int, reason: str, verb: str) -> Exception:
        return api_error(Status(code, reason, "", {"name": KEY.name}), verb, Lease.resource, KEY)


class Candidate:
    """A process: a client, an elector, a wall clock that may be wrong, and when it worked."""

    def __init__(self, leases: Leases, name: str, *, skew: timedelta = timedelta(), seed: int = 0) -> None:
        self.client = FakeClient(leases)
        self.name = name
        self.metrics = Metrics()
        self.events: list[str] = []
        self.led: list[tuple[float, float | None]] = []
        """From when to when it led; None: it still does."""
        self.elector = LeaderElector(
            self.client,
            KEY,
            name,
            events=self,
            metrics=self.metrics,
            now=lambda: EPOCH + skew + timedelta(seconds=now()),
            rng=random.Random(seed),
        )

    def event(self, obj: KubeObject | ObjectReference, type_: str, reason: str, message: str) -> None:
        assert isinstance(obj, Lease)
        self.events.append(f"{type_} {reason} {message}")

    async def run(self) -> None:
        """As the manager: leads until the lease is lost, or releases it when it is cancelled."""
        await self.elector.acquire()
        self.led.append((now(), None))
        try:
            await self.elector.renew()
        finally:
            self.led[-1] = (self.led[-1][0], now())
            await self.elector.release()

    @property
    def master_status(self) -> float:
        return sample(self.metrics.registry, "leader_election_master_status", name=KEY.name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.get_running_loop().create_task(self.run(), name=self.name)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=60)


@pytest.fixture
def leases() -> Leases:
    return Leases()


@pytest.fixture
def one(leases: Leases) -> Candidate:
    return Candidate(leases, "one")


@pytest.fixture
def other(leases: Leases) -> Candidate:
    return Candidate(leases, "other", seed=1)


async def refuse(verb: str) -> None:
    raise TransportError(verb, Lease.resource, KEY, "connection refused")


async def hang(verb: str) -> None:
    await asyncio.Event().wait()


# --- Acquire and renew --------------------------------------------------------------------------------------------


async def test_the_first_makes_the_lease_and_leads_at_once(leases: Leases, one: Candidate) -> None:
    assert one.master_status == 0
    async with one.running():
        await asyncio.sleep(1)
        assert one.elector.is_leading
        assert one.master_status == 1
        assert one.events == ["Normal LeaderElection one became leader"]
        assert leases.lease is not None
        assert leases.lease.key == KEY
        assert leases.spec.to_wire() == {
            "holderIdentity": "one",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T00:00:00.000000Z",
            "renewTime": "2026-01-01T00:00:00.000000Z",
            "leaseTransitions": 0,
        }


async def test_a_leader_renews_with_one_write_every_two_seconds(leases: Leases, one: Candidate) -> None:
    async with one.running():
        await asyncio.sleep(6.5)
        assert one.client.calls == [(0, "get"), (0, "create"), (2, "update"), (4, "update"), (6, "update")]
        assert leases.spec.renew_time == EPOCH + timedelta(seconds=6)
        assert leases.spec.acquire_time == EPOCH
        assert leases.spec.lease_transitions == 0


async def test_fields_of_newer_api_servers_stay(leases: Leases, one: Candidate) -> None:
    async with one.running():
        await asyncio.sleep(1)
        assert leases.lease is not None
        leases.edit(preferredHolder="someone", strategy="OldestEmulationVersion")
        await asyncio.sleep(10)
        assert leases.spec.to_wire()["preferredHolder"] == "someone"
        assert one.elector.is_leading


async def test_who_stands_by_only_looks(leases: Leases, one: Candidate, other: Candidate) -> None:
    async with one.running(), other.running():
        await asyncio.sleep(100)
        assert one.led == [(0, None)]
        assert other.led == []
        assert other.master_status == 0
        assert {verb for _, verb in other.client.calls} == {"get"}
        pauses = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(other.client.calls)]
        assert all(2 <= pause <= 2 * 2.2 for pause in pauses)
        assert len(set(pauses)) > 10, "candidates do not ask in step"


@pytest.mark.parametrize("seed", range(5))
async def test_of_two_that_start_together_one_leads(leases: Leases, seed: int) -> None:
    candidates = [Candidate(leases, name, seed=seed + number) for number, name in enumerate(("one", "other"))]

    async def slow(verb: str) -> None:
        await asyncio.sleep(0.1)  # both have read before either writes

    for candidate in candidates:
        candidate.client.before = slow
    async with candidates[0].running(), candidates[1].running():
        await asyncio.sleep(60)
        assert sorted(len(candidate.led) for candidate in candidates) == [0, 1]


async def test_a_foreign_change_of_the_object_is_only_a_conflict(leases: Leases, one: Candidate) -> None:
    async with one.running():
        for _ in range(10):
            await asyncio.sleep(3)
            assert leases.lease is not None
            metadata = leases.lease.metadata.model_copy(update={"annotations": {"touched": str(now())}})
            leases.store(leases.lease.model_copy(update={"metadata": metadata}))
        assert one.led == [(0, None)]
        assert leases.lease is not None
        assert "touched" in leases.lease.metadata.annotations, "and it stays"


async def test_an_answer_that_is_lost_does_not_lose_the_lease(leases: Leases, one: Candidate) -> None:
    async with one.running():
        await asyncio.sleep(1)
        one.client.after = refuse
        await asyncio.sleep(3)
        one.client.after = _none
        await asyncio.sleep(60)
        assert one.led == [(0, None)]
        assert leases.spec.lease_transitions == 0


async def test_an_acquisition_whose_answer_is_lost_is_noticed_by_the_name(leases: Leases, one: Candidate) -> None:
    one.client.after = refuse
    async with one.running():
        await asyncio.sleep(1)
        assert leases.spec.holder_identity == "one"
        assert one.led == []
        one.client.after = _none
        await asyncio.sleep(5)
        assert one.elector.is_leading
        assert (leases.spec.acquire_time, leases.spec.lease_transitions) == (EPOCH, 0)


async def test_what_hinders_a_candidate_is_said(one: Candidate) -> None:
    async def forbid(verb: str) -> None:
        raise ForbiddenError(Status(403, "Forbidden", "no access to leases"), verb, Lease.resource, KEY)

    one.client.before = forbid
    with logged() as records:
        async with one.running():
            await asyncio.sleep(1)
    assert at_least("WARNING", records) == [("WARNING", "Lease could not be read or written")]
    assert "no access to leases" in records[-1]["extra"]["error"]


# --- The lease changes hands --------------------------------------------------------------------------------------


async def test_another_takes_over_when_the_leader_died(leases: Leases, one: Candidate, other: Candidate) -> None:
    async with other.running():
        leases.store(Lease(metadata=_metadata(), spec=_held_by("dead")))
        await asyncio.sleep(14.9)
        assert other.led == []
        await asyncio.sleep(5)
        assert len(other.led) == 1
        assert 15 <= other.led[0][0] <= 15 + 2 * 4.4
        assert (leases.spec.holder_identity, leases.spec.lease_transitions) == ("other", 4)
        assert leases.spec.acquire_time == EPOCH + timedelta(seconds=other.led[0][0])


@pytest.mark.parametrize("skew", [timedelta(days=-1000), timedelta(hours=-1), timedelta(hours=1), timedelta(days=1000)])
async def test_the_clock_of_the_other_does_not_matter(leases: Leases, one: Candidate, skew: timedelta) -> None:
    wrong = Candidate(leases, "wrong", skew=skew, seed=1)
    async with wrong.running(), one.running():
        await asyncio.sleep(100)
        assert [len(one.led), len(wrong.led)] in ([0, 1], [1, 0]), "an old renewTime is no reason to take over"
        # ``one`` has released it if it had it.
    leases.edit(holder_identity="dead", lease_duration_seconds=15, renew_time=EPOCH + skew)
    died_at = now()
    fresh = Candidate(leases, "fresh")
    async with fresh.running():
        await asyncio.sleep(14)
        assert fresh.led == [], "nor is it a reason to wait any less than the whole duration"
        await asyncio.sleep(60)
        assert died_at + 15 <= fresh.led[0][0] <= died_at + 15 + 4.4, (
            "and a renewTime in the future none to wait longer"
        )


async def test_the_duration_that_counts_is_the_holders(leases: Leases, one: Candidate) -> None:
    leases.store(Lease(metadata=_metadata(), spec=_held_by("dead", lease_duration_seconds=60)))
    async with one.running():
        await asyncio.sleep(59)
        assert one.led == []
        await asyncio.sleep(6)
        assert len(one.led) == 1


async def test_a_leader_that_is_cut_off_steps_down_before_another_takes_over(
    leases: Leases, one: Candidate, other: Candidate
) -> None:
    async with one.running() as task, other.running():
        await asyncio.sleep(20.5)
        one.client.before = refuse
        await asyncio.sleep(60)
        assert isinstance(task.exception(), LeaseLostError)
        last_renewal = 20
        assert one.led == [(0, last_renewal + 10)], "the renew deadline, counted from the last renewal"
        assert one.led[0][1] is not None
        assert other.led[0][0] >= last_renewal + 15 > one.led[0][1]
        assert one.master_status == 0
        assert one.events[-1] == "Normal LeaderElection one stopped leading"


async def test_the_deadline_runs_from_the_sending_of_the_last_renewal(leases: Leases, one: Candidate) -> None:
    """Its answer was slow; others may have seen it long before."""

    async def slow(verb: str) -> None:
        await asyncio.sleep(4)

    async with one.running() as task:
        await asyncio.sleep(1)
        one.client.after = slow
        await asyncio.sleep(2)  # sent at 2, answered at 6
        one.client.before = hang
        await asyncio.sleep(60)
        assert isinstance(task.exception(), LeaseLostError)
        assert one.led == [(0, 2 + 10)]


async def test_one_call_that_hangs_is_not_yet_the_end(leases: Leases, one: Candidate) -> None:
    async with one.running():
        await asyncio.sleep(1)
        one.client.before = hang
        await asyncio.sleep(5)
        one.client.before = _none
        await asyncio.sleep(100)
        assert one.led == [(0, None)]


async def test_a_leader_that_was_held_up_too_long_does_not_go_on(leases: Leases, one: Candidate) -> None:
    """Stopped, swapped out, or its event loop was busy: another may lead by now."""

    async def stop_the_world(verb: str) -> None:
        leases.edit(holder_identity="other", renew_time=EPOCH)
        await asyncio.sleep(30)

    async with one.running() as task:
        await asyncio.sleep(1)
        one.client.before = stop_the_world
        await asyncio.wait([task], timeout=60)
        assert isinstance(task.exception(), LeaseLostError)
        assert leases.spec.holder_identity == "other", "nor does it give away what is not its own"


async def test_a_leader_that_finds_another_name_steps_down_at_once(leases: Leases, one: Candidate) -> None:
    async with one.running() as task:
        await asyncio.sleep(1)
        leases.edit(holder_identity="other")
        await asyncio.wait([task], timeout=60)
        assert now() == 2
        with pytest.raises(LeaseLostError, match=r"lease fake-system/fake-dra-controller is lost: other has taken it"):
            task.result()


async def test_a_lease_that_was_deleted_is_made_again(leases: Leases, one: Candidate) -> None:
    async with one.running():
        await asyncio.sleep(1)
        leases.lease = None
        await asyncio.sleep(60)
        assert one.led == [(0, None)]
        assert leases.spec.holder_identity == "one"


# --- Release ------------------------------------------------------------------------------------------------------


async def test_a_released_lease_is_taken_at_the_next_look(leases: Leases, one: Candidate, other: Candidate) -> None:
    async with other.running():
        leases.store(Lease(metadata=_metadata(), spec=_held_by("dead")))
        await asyncio.sleep(1)
        leases.lease = None
        async with one.running():
            await asyncio.sleep(0.1)
            assert one.elector.is_leading
        released_at = now()
        assert leases.spec.to_wire() == {
            "holderIdentity": "",
            "leaseDurationSeconds": 1,
            "acquireTime": "2026-01-01T00:00:01.100000Z",
            "renewTime": "2026-01-01T00:00:01.100000Z",
            "leaseTransitions": 0,
        }
        assert one.events[-1] == "Normal LeaderElection one stopped leading"
        assert one.master_status == 0
        await asyncio.sleep(5)
        assert released_at <= other.led[0][0] <= released_at + 4.4
        assert leases.spec.lease_transitions == 1


async def test_a_renewal_cut_short_that_took_place_does_not_keep_it_from_releasing(
    leases: Leases, one: Candidate
) -> None:
    async with one.running():
        await asyncio.sleep(1)
        one.client.after = hang
        await asyncio.sleep(2)  # the renewal of second 2 has been written, and its answer is on its way
        one.client.after = _none
    assert leases.spec.holder_identity == ""


async def test_a_release_that_fails_is_no_error(leases: Leases, one: Candidate) -> None:
    async with one.running() as task:
        await asyncio.sleep(1)
        one.client.before = refuse
        task.cancel()
        await asyncio.wait([task], timeout=60)
        assert task.cancelled()
    assert leases.spec.holder_identity == "one"
    assert not one.elector.is_leading


async def test_a_release_gives_away_nothing_that_others_have(leases: Leases, one: Candidate) -> None:
    async with one.running():
        await asyncio.sleep(1)
        leases.edit(holder_identity="other")
    assert leases.spec.holder_identity == "other"


async def test_who_does_not_lead_has_nothing_to_release(leases: Leases, one: Candidate, other: Candidate) -> None:
    async with one.running():
        await asyncio.sleep(0)
        await other.elector.release()
        assert other.client.calls == []
        assert leases.spec.holder_identity == "one"


# --- Never two ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
async def test_two_never_lead_at_once_whatever_happens_to_their_connections(leases: Leases, seed: int) -> None:
    """Calls are slow, fail before or after they took place, or hang; candidates are killed, stopped and started."""
    rng = random.Random(seed)
    candidates: list[Candidate] = []
    modes: dict[str, tuple[float, float]] = {}

    def fault(name: str, moment: str) -> Fault:
        async def happen(verb: str) -> None:
            chance, seconds = modes[name]
            await asyncio.sleep(rng.random() * seconds)
            if rng.random() < chance:
                await rng.choice((refuse, hang))(f"{verb}, {moment}")

        return happen

    async def life(name: str) -> None:
        """One process after another under the same host name."""
        for number in range(8):
            candidate = Candidate(leases, f"{name}-{number}", skew=timedelta(seconds=rng.randint(-99, 99)), seed=seed)
            candidates.append(candidate)
            candidate.client.before, candidate.client.after = fault(name, "before"), fault(name, "after")
            async with candidate.running() as task:
                for _ in range(rng.randint(1, 6)):
                    modes[name] = rng.choice(((0.0, 0.1), (0.1, 1.0), (0.6, 3.0), (1.0, 0.1)))
                    await asyncio.wait([task], timeout=rng.uniform(1, 30))
                if rng.random() < 0.5:  # killed: releases nothing
                    candidate.client.before = refuse
            await asyncio.sleep(rng.uniform(0, 5))

    async with asyncio.TaskGroup() as group:
        for name in ("one", "other", "third"):
            modes[name] = (0.0, 0.0)
            group.create_task(life(name), name=name)
    spans = sorted((start, end or now(), c.name) for c in candidates for start, end in c.led)
    assert len(spans) > 5, "the lease has changed hands"
    for (_, end, name), (start, _, successor) in itertools.pairwise(spans):
        assert end <= start, f"{name} led until {end}, {successor} from {start}"


# --- Settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "problem"),
    [
        ((10, 10, 2), "longer than the renew deadline"),
        ((15, 10, 9), "longer than 1.2 retry periods"),
    ],
)
def test_durations_that_would_let_two_lead_are_refused(timing: tuple[int, float, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LeaseTiming(*timing)


def test_identities_differ_also_on_one_host() -> None:
    assert identity() != identity()


def _metadata() -> ObjectMeta:
    return ObjectMeta(name=KEY.name, namespace=KEY.namespace)


def _held_by(holder: str, **fields: Any) -> LeaseSpec:
    spec = LeaseSpec(
        holder_identity=holder,
        lease_duration_seconds=15,
        acquire_time=EPOCH,
        renew_time=EPOCH,
        lease_transitions=3,
    )
    return spec.model_copy(update=fields)
