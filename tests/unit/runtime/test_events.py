import asyncio
import random
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Event, Node, ObjectReference
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.runtime.correlator import MAX_MESSAGES
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    ApiError,
    DeadlineError,
    ForbiddenError,
    InvalidObjectError,
    NotFoundError,
    RuntimeLayerError,
    ServerError,
    Status,
    TooManyRequestsError,
    TransportError,
)
from fake_dra_driver.runtime.events import MAX_MESSAGE, MAX_QUEUED, MAX_TRIES, EventRecorder
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, id_of
from tests.unit.runtime.fakes import at_least, logged, pod, sample, settle

pytestmark = pytest.mark.looptime

KEY = NamespacedName("default", "a")
BEGIN = datetime(2026, 1, 1, 12, 0, 0, 987_654, tzinfo=UTC)


def api_error(kind: type[ApiError], code: int, **details: Any) -> ApiError:
    return kind(Status(code, details=details), "create", Event.resource, KEY)


class FakeEvents:
    """Keeps Events as an API server does, and fails as told."""

    def __init__(self) -> None:
        self.stored: dict[NamespacedName, dict[str, Any]] = {}
        self.calls: list[tuple[float, str]] = []
        self.errors: list[RuntimeLayerError | None] = []
        """What the next calls raise, in order; None: they succeed."""
        self.seconds = 0.0
        """How long a call takes."""

    async def create(self, obj: Event) -> Event:
        await self.call("create")
        if obj.key in self.stored:
            raise api_error(AlreadyExistsError, 409)
        self.stored[obj.key] = obj.to_wire()
        return obj

    async def merge_patch(self, kind: type[Event], key: NamespacedName, patch: Mapping[str, Any]) -> Event:
        await self.call("patch")
        if key not in self.stored:
            raise api_error(NotFoundError, 404)
        self.stored[key] = {**self.stored[key], **patch}
        return kind.from_wire(self.stored[key])

    async def call(self, name: str) -> None:
        self.calls.append((asyncio.get_running_loop().time(), name))
        await asyncio.sleep(self.seconds)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.calls]

    def only(self) -> dict[str, Any]:
        [found] = self.stored.values()
        return found


class Bench:
    def __init__(self) -> None:
        self.api = FakeEvents()
        self.metrics = Metrics()
        self.recorder = EventRecorder(
            self.api,
            "resource driver example",
            host="node-0",
            metrics=self.metrics,
            now=lambda: BEGIN + timedelta(seconds=asyncio.get_running_loop().time()),
            rng=random.Random(0),
        )

    def tell(self, message: str = "no room", name: str = "a") -> None:
        self.recorder.event(pod(name), "Warning", "Failed", message)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.recorder.run(), name="events")
            yield
            await self.recorder.flush()
            task.cancel()

    def count(self, result: str) -> float:
        return sample(self.metrics.registry, "event_recorder_events_total", result=result)


# --- What an Event looks like ---


async def test_an_event_as_client_go_writes_it() -> None:
    bench = Bench()
    async with bench.running():
        bench.tell("8 devices asked for, 3 free")
    nanoseconds = int(BEGIN.timestamp() * 1_000_000) * 1_000
    assert bench.api.only() == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"a.{nanoseconds:x}", "namespace": "default"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "default",
            "name": "a",
            "uid": "uid-a",
            "resourceVersion": "7",
        },
        "type": "Warning",
        "reason": "Failed",
        "message": "8 devices asked for, 3 free",
        "source": {"component": "resource driver example", "host": "node-0"},
        "count": 1,
        "firstTimestamp": "2026-01-01T12:00:00Z",
        "lastTimestamp": "2026-01-01T12:00:00Z",
        "reportingComponent": "resource driver example",
        "reportingInstance": "node-0",
    }
    assert bench.count("created") == 1


async def test_events_of_objects_without_namespace_are_in_default() -> None:
    bench = Bench()
    async with bench.running():
        bench.recorder.event(Node(metadata=ObjectMeta(name="node-0")), "Normal", "Seen", "hello")
    assert bench.api.only()["metadata"]["namespace"] == "default"
    assert bench.api.only()["involvedObject"]["namespace"] == ""


async def test_a_reference_is_taken_as_it_is() -> None:
    bench = Bench()
    about = ObjectReference(api_version="example.com/v1", kind="Widget", namespace="there", name="w")
    async with bench.running():
        bench.recorder.event(about, "Normal", "Seen", "hello")
    assert bench.api.only()["metadata"]["namespace"] == "there"
    assert bench.api.only()["involvedObject"] == about.to_wire()


async def test_the_parts_of_a_program_report_under_their_own_names() -> None:
    """What two of them say of one object are two Events, even in the same words."""
    bench = Bench()
    async with bench.running():
        bench.tell()
        bench.recorder.reporting_as("another part").event(pod("a"), "Warning", "Failed", "no room")
    names = [(each["source"]["component"], each["reportingComponent"]) for each in bench.api.stored.values()]
    assert names == [("resource driver example",) * 2, ("another part",) * 2]
    assert bench.api.names == ["create", "create"]


async def test_a_very_long_message_is_shortened() -> None:
    bench = Bench()
    async with bench.running():
        bench.tell("x" * 5000)
        bench.tell("y" * MAX_MESSAGE)
    first, second = [stored["message"] for stored in bench.api.stored.values()]
    assert re.fullmatch(r"x{900,}… \(\d+ more characters\)", first)
    assert len(first) == MAX_MESSAGE
    assert second == "y" * MAX_MESSAGE


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=id_of)
async def test_what_others_wrote_is_one_harmless_line(name: str) -> None:
    bench = Bench()
    async with bench.running():
        for _ in range(MAX_MESSAGES):  # the last ones are combined
            bench.tell(f"{name} does not exist")
    for stored in bench.api.stored.values():
        assert_harmless(stored["message"], longest=1024)


# --- Aggregation ---


async def test_the_same_again_patches_the_count() -> None:
    bench = Bench()
    async with bench.running():
        for _ in range(3):
            bench.tell()
            await asyncio.sleep(60)
    stored = bench.api.only()
    assert bench.api.names == ["create", "patch", "patch"]
    assert (stored["count"], stored["message"]) == (3, "no room")
    assert (stored["firstTimestamp"], stored["lastTimestamp"]) == ("2026-01-01T12:00:00Z", "2026-01-01T12:02:00Z")
    assert (bench.count("created"), bench.count("patched")) == (1, 2)


async def test_similar_events_are_combined_and_show_the_latest_message() -> None:
    bench = Bench()
    async with bench.running():
        for number in range(12):
            bench.tell(f"message {number}")
    assert len(bench.api.stored) == 10
    *_, combined = bench.api.stored.values()
    assert combined["message"] == "(combined from similar events): message 11"
    assert combined["count"] == 3


async def test_an_event_that_was_deleted_meanwhile_is_created_again() -> None:
    bench = Bench()
    async with bench.running():
        bench.tell()
        await settle()
        bench.api.stored.clear()
        bench.tell()
    assert bench.api.names == ["create", "patch", "create"]
    assert bench.api.only()["count"] == 2


async def test_spam_is_dropped_and_counted() -> None:
    bench = Bench()
    async with bench.running():
        for _ in range(30):
            bench.tell()
    assert len(bench.api.calls) == 25
    assert bench.count("spam") == 5


# --- The queue ---


async def test_event_never_waits_and_a_full_queue_drops_the_oldest() -> None:
    bench = Bench()
    with logged() as records:
        for number in range(MAX_QUEUED + 3):
            bench.tell(name=f"pod-{number}")
        assert bench.api.calls == []
        async with bench.running():
            await settle()
    found = [stored["involvedObject"]["name"] for stored in bench.api.stored.values()]
    assert found == [f"pod-{number}" for number in range(3, MAX_QUEUED + 3)]
    assert bench.count("overflow") == 3
    assert at_least("WARNING", records) == [("WARNING", "Too many events at once, the oldest are dropped")], "once"


def test_event_needs_no_event_loop() -> None:
    recorder = EventRecorder(FakeEvents(), "example")
    recorder.event(pod("a"), "Normal", "Seen", "hello {braces} %s")


async def test_flush_waits_for_what_is_queued_and_for_what_is_being_written() -> None:
    bench = Bench()
    bench.api.seconds = 5
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.recorder.run(), name="events")
        await bench.recorder.flush()
        assert asyncio.get_running_loop().time() == 0, "nothing to wait for"
        bench.tell(name="a")
        bench.tell(name="b")
        await asyncio.sleep(7)
        await bench.recorder.flush()
        assert asyncio.get_running_loop().time() == 10
        task.cancel()
    assert len(bench.api.stored) == 2


async def test_what_is_not_written_at_the_end_is_told() -> None:
    bench = Bench()
    bench.api.seconds = 5
    with logged() as records:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bench.recorder.run(), name="events")
            for name in "abc":
                bench.tell(name=name)
            await asyncio.sleep(7)
            task.cancel()
    [found] = [record for record in records if record["level"].name == "WARNING"]
    assert found["message"] == "Stopped before all events were written"
    assert found["extra"]["queued"] == 2


# --- Failures ---


@pytest.mark.parametrize(
    "error",
    [
        DeadlineError("create", Event.resource, KEY, 10),
        TransportError("create", Event.resource, KEY, "connection refused"),
        api_error(ServerError, 503),
        api_error(TooManyRequestsError, 429),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_trouble_with_the_api_server_is_tried_again_and_nothing_is_lost(error: RuntimeLayerError) -> None:
    bench = Bench()
    bench.api.errors = [error, error]
    with logged() as records:
        async with bench.running():
            bench.tell()
            bench.tell("next")
    assert bench.api.names == ["create"] * 4
    assert [stored["message"] for stored in bench.api.stored.values()] == ["no room", "next"]
    assert 0.5 <= bench.api.calls[1][0] <= 0.75
    assert 1 <= bench.api.calls[2][0] - bench.api.calls[1][0] <= 1.5
    assert at_least("WARNING", records) == []


async def test_an_event_is_dropped_when_its_last_try_fails() -> None:
    bench = Bench()
    bench.api.errors = [api_error(ServerError, 503)] * MAX_TRIES
    with logged() as records:
        async with bench.running():
            bench.tell()
            bench.tell("next")
    assert len(bench.api.calls) == MAX_TRIES + 1
    assert 60 <= bench.api.calls[MAX_TRIES - 1][0] <= 150
    assert bench.api.only()["message"] == "next"
    assert bench.count("given_up") == 1
    assert at_least("WARNING", records) == [("WARNING", "Event not written, dropped")]


async def test_a_write_whose_answer_was_lost_is_not_done_twice() -> None:
    bench = Bench()
    create = bench.api.create

    async def create_and_lose_the_answer(obj: Event) -> Event:
        await create(obj)
        raise DeadlineError("create", Event.resource, obj.key, 10)

    bench.api.create = create_and_lose_the_answer  # type: ignore[method-assign]  # a fake of ours, for one call
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.recorder.run(), name="events")
        bench.tell()
        await settle()
        bench.api.create = create  # type: ignore[method-assign]
        await bench.recorder.flush()
        bench.tell()
        await bench.recorder.flush()
        task.cancel()
    assert bench.api.names == ["create", "create", "patch"]
    assert bench.api.only()["count"] == 2


async def test_an_answer_that_the_model_refuses_is_an_event_that_was_written() -> None:
    bench = Bench()
    refusal = InvalidObjectError(Event.resource, KEY, {}, ["source: not an object"])
    bench.api.errors = [refusal, refusal]
    async with bench.running():
        bench.tell()
        bench.tell()
    assert bench.api.names == ["create", "patch"]
    assert (bench.count("created"), bench.count("patched")) == (1, 1)


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (api_error(NotFoundError, 404), "DEBUG"),
        (api_error(ForbiddenError, 403, causes=[{"reason": "NamespaceTerminating"}]), "DEBUG"),
        (api_error(ForbiddenError, 403), "WARNING"),
        (api_error(ApiError, 418), "WARNING"),
    ],
)
async def test_a_refused_event_is_dropped_and_the_next_one_written(error: ApiError, level: str) -> None:
    bench = Bench()
    bench.api.errors = [error]
    with logged() as records:
        async with bench.running():
            bench.tell()
            bench.tell("next")
    assert bench.api.names == ["create", "create"]
    assert bench.api.only()["message"] == "next"
    assert bench.count("rejected") == 1
    assert at_least("DEBUG", records) == [(level, "Event refused by the API server")]


async def test_an_event_that_was_refused_is_created_when_it_happens_again() -> None:
    bench = Bench()
    bench.api.errors = [api_error(ForbiddenError, 403)]
    async with bench.running():
        bench.tell()
        bench.tell()
    assert bench.api.names == ["create", "create"]
    assert bench.api.only()["count"] == 2
