"""What a reflector does about each way in which a list or a watch can go wrong, in simulated time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.runtime.errors import (
    DeadlineError,
    RuntimeLayerError,
    Status,
    TransportError,
    api_error,
)
from fake_dra_driver.runtime.informer import Informer
from fake_dra_driver.runtime.listwatch import Page, Selection, WatchEvent
from fake_dra_driver.runtime.reflector import Reflector, ReflectorOptions
from fake_dra_driver.runtime.store import Change
from tests.unit.runtime.fakes import at_least, logged

pytestmark = pytest.mark.looptime

NODES = Node.resource
EVERYTHING = NamespacedName("", "")

List = Sequence[Page | RuntimeLayerError]
"""The pages of one list, or how it fails."""
Watch = Sequence[WatchEvent | RuntimeLayerError | None]
"""The events of one watch, or how it fails; None: it goes on without a word. It ends where the sequence does."""


def raw(name: str, version: int, label: str = "") -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version), "labels": {"is": label}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


def page(version: int, *items: dict[str, Any]) -> Page:
    return Page(items, str(version))


def bookmark(version: int) -> WatchEvent:
    return WatchEvent("BOOKMARK", {"kind": "Node", "metadata": {"resourceVersion": str(version)}})


def answered(code: int, retry_after: float | None = None, verb: str = "watch") -> RuntimeLayerError:
    return api_error(Status(code, retry_after_seconds=retry_after), verb, NODES, EVERYTHING)


class Script:
    """An API server that answers each list and watch as written; a last watch says nothing more."""

    def __init__(self, lists: Sequence[List], watches: Sequence[Watch]) -> None:
        self._lists = list(lists)
        self._watches = list(watches)
        self.asked: list[tuple[float, str]] = []
        """Loop time of each list and watch, and what it began with."""
        self.page_sizes: list[int] = []
        self.at_end = asyncio.Event()

    def _note(self, what: str) -> None:
        self.asked.append((asyncio.get_running_loop().time(), what))

    async def pages(
        self, selection: Selection, *, page_size: int, timeout_seconds: float
    ) -> AsyncGenerator[Page, None]:
        self._note("list")
        self.page_sizes.append(page_size)
        for answer in self._lists.pop(0):
            if isinstance(answer, RuntimeLayerError):
                raise answer
            yield answer

    async def watch(
        self, selection: Selection, resource_version: str, *, timeout_seconds: float, inactivity_seconds: float
    ) -> AsyncGenerator[WatchEvent, None]:
        self._note(f"watch {resource_version}")
        if not self._watches:
            self.at_end.set()
            await asyncio.Event().wait()
        for event in self._watches.pop(0):
            if event is None:
                await asyncio.sleep(inactivity_seconds)
                raise DeadlineError("watch", NODES, EVERYTHING, inactivity_seconds)
            if isinstance(event, RuntimeLayerError):
                raise event
            yield event

    @property
    def order(self) -> list[str]:
        return [what for _, what in self.asked]

    def delay(self, before: int) -> float:
        """Seconds between one list or watch and the one before it."""
        return self.asked[before][0] - self.asked[before - 1][0]


@asynccontextmanager
async def reflected(script: Script, informer: Informer[Node] | None = None) -> AsyncIterator[Informer[Node]]:
    """An informer after the whole script has been played."""
    informer = informer or Informer(Node, Selection(NODES))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(Reflector(script, informer).run(), name="reflector")
        await script.at_end.wait()
        yield informer
        running.cancel()


def labels(informer: Informer[Node]) -> dict[str, str]:
    return {node.metadata.name: node.metadata.labels["is"] for node in informer.list()}


async def test_lists_once_and_watches_from_the_lists_version() -> None:
    script = Script(
        [[page(10, raw("a", 3, "listed")), page(10, raw("b", 4, "listed"))]],
        [[WatchEvent("MODIFIED", raw("a", 11, "changed")), WatchEvent("DELETED", raw("b", 12))]],
    )
    async with reflected(script) as informer:
        assert labels(informer) == {"a": "changed"}
    assert script.order == ["list", "watch 10", "watch 12"], "a watch that ends goes on from its last event"
    assert script.delay(2) == 0, "it had told something: nothing to be wary of"


async def test_bookmarks_move_the_version_on() -> None:
    script = Script([[page(10)]], [[bookmark(900)]])
    async with reflected(script) as informer:
        assert informer.version == 900
    assert script.order == ["list", "watch 10", "watch 900"]


@pytest.mark.parametrize(
    "failure",
    [
        TransportError("watch", NODES, EVERYTHING, "connection reset"),
        answered(429),
        answered(500),
        answered(503),
        answered(401),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_goes_on_from_where_a_watch_broke(failure: RuntimeLayerError) -> None:
    script = Script([[page(10)]], [[WatchEvent("ADDED", raw("a", 11)), failure]])
    async with reflected(script) as informer:
        assert list(labels(informer)) == ["a"]
    assert script.order == ["list", "watch 10", "watch 11"]
    assert script.delay(2) > 0


async def test_lists_again_at_410_and_drops_what_is_gone() -> None:
    script = Script(
        [[page(10, raw("a", 3, "old"), raw("b", 4, "old"))], [page(50, raw("a", 40, "new"), raw("c", 41, "new"))]],
        [[answered(410)]],
    )
    async with reflected(script) as informer:
        assert labels(informer) == {"a": "new", "c": "new"}
        assert informer.was_deleted(raw("b", 4)["metadata"]["uid"])
    assert script.order == ["list", "watch 10", "list", "watch 50"]


async def test_lists_at_once_when_a_server_that_was_away_is_back_without_its_history() -> None:
    away = TransportError("watch", NODES, EVERYTHING, "refused")
    script = Script(
        [[page(10)], [page(20)], [page(30)]], [*([away] for _ in range(8)), [answered(410)], [answered(410)]]
    )
    async with reflected(script):
        pass
    assert script.order[-5:] == ["watch 10", "list", "watch 20", "list", "watch 30"]
    back, again = len(script.order) - 4, len(script.order) - 2
    assert script.delay(back) == 0, "it answers"
    assert script.delay(again) > 0, "it takes back what it has just said"


@pytest.mark.parametrize("code", [400, 403, 404])
async def test_lists_again_after_an_error_that_says_nothing_about_the_version(code: int) -> None:
    script = Script([[page(10)], [page(20)]], [[answered(code)]])
    async with reflected(script):
        pass
    assert script.order == ["list", "watch 10", "list", "watch 20"]
    assert script.delay(2) > 0


async def test_trouble_is_told_as_long_as_it_lasts() -> None:
    lists: list[List] = [[answered(500, verb="list")], [page(5)]]
    watches: list[Watch] = [[TransportError("watch", NODES, EVERYTHING, "reset")], [bookmark(6)]]
    reflector = Reflector(Script(lists, watches), Informer(Node, Selection(NODES)))
    told = [reflector.trouble]
    for _ in range(3):  # the list fails; it works, and the watch fails; the watch works
        await reflector._pass()
        told.append(reflector.trouble)
    assert told[0] == told[3] == ""
    assert "500" in told[1]
    assert "reset" in told[2]


async def test_silence_is_a_dead_connection_or_a_version_that_the_server_does_not_know() -> None:
    script = Script([[page(10)], [page(12)]], [[bookmark(11), None]])
    async with reflected(script):
        pass
    assert script.order == ["list", "watch 10", "list", "watch 12"]
    assert script.delay(2) >= ReflectorOptions().inactivity_seconds


METADATA = raw("a", 11)["metadata"]
VERSIONS: Sequence[Any] = (None, 11, 1e308, float("inf"), "", "-1", "1e3", "eleven", "²", "9" * 20, "9" * 5000, [], {})
NONSENSE: Mapping[str, Mapping[str, Any]] = {
    "no metadata": {"metadata": None},
    "metadata that is a number": {"metadata": 7},
    "no name": {"metadata": {**METADATA, "name": ""}},
    "a name that is a list": {"metadata": {**METADATA, "name": []}},
    "no UID": {"metadata": {**METADATA, "uid": None}},
    "a UID that is a list": {"metadata": {**METADATA, "uid": []}},
    "a namespace in a kind that has none": {"metadata": {**METADATA, "namespace": "default"}},
    **{f"resourceVersion {each!r:.20}": {"metadata": {**METADATA, "resourceVersion": each}} for each in VERSIONS},
}
"""What no API server says of a Node."""


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED", "DELETED"])
async def test_an_event_that_makes_no_sense_has_the_list_asked_for_again(
    type_: str, nonsense: Mapping[str, Any]
) -> None:
    bad = WatchEvent(type_, nonsense)
    script = Script([[page(10, raw("a", 9, "old"))], [page(20, raw("a", 15, "new"))]], [[bad]])
    with logged() as records:
        async with reflected(script) as informer:
            assert labels(informer) == {"a": "new"}, "what the event should have told is in the list"
    assert script.order == ["list", "watch 10", "list", "watch 20"]
    assert script.delay(2) > 0
    assert at_least("WARNING", records) == [("WARNING", "Watch failed, trying again")]


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_a_list_with_an_object_that_makes_no_sense_deletes_nothing(nonsense: Mapping[str, Any]) -> None:
    bad: List = [page(20, dict(nonsense), raw("b", 14))]
    script = Script([[page(10, raw("a", 9, "here"))], bad, bad, [page(30, raw("b", 14, "new"))]], [[answered(410)]])
    seen: list[Change[Node]] = []
    informer = Informer(Node, Selection(NODES))
    informer.subscribe(seen.append)
    with logged() as records:
        async with reflected(script, informer):
            assert labels(informer) == {"b": "new"}
    assert [change.key.name for change in seen] == ["a", "a", "b"]
    assert script.delay(3) > 0
    assert len(at_least("WARNING", records)) == 1, "the second of the same kind is no news"


@pytest.mark.parametrize("version", ["", "0x10", "²", "9" * 5000])
async def test_a_list_without_a_version_is_not_believed(version: str) -> None:
    script = Script([[Page([raw("a", 3)], version)], [page(10, raw("b", 3, "good"))]], [])
    async with reflected(script) as informer:
        assert labels(informer) == {"b": "good"}


async def test_a_watch_that_brings_nothing_but_nonsense_counts_as_failing() -> None:
    bad = [WatchEvent("ADDED", {"metadata": {"resourceVersion": 7}})]
    script = Script([[page(10)]] * 9, [bad] * 8)
    reflector = Reflector(script, Informer(Node, Selection(NODES)))
    with logged() as records:
        delays = [await reflector._pass() for _ in range(8)]
    assert "an object without a name" in reflector.trouble, "readiness knows why"
    least = [min(0.25 * 2**n, 15) for n in range(8)]
    assert all(low <= delay <= 2 * low for low, delay in zip(least, delays, strict=True)), delays
    assert at_least("WARNING", records) == [("WARNING", "Watch failed, trying again")]


EVENT_AND_END: Watch = [WatchEvent("MODIFIED", raw("a", 11))]
EVENT_AND_GONE: Watch = [*EVENT_AND_END, answered(410)]


@pytest.mark.parametrize("watch", [EVENT_AND_END, EVENT_AND_GONE], ids=["ended", "gone"])
async def test_watches_that_work_and_end_at_once_are_not_asked_for_in_a_loop(watch: Watch) -> None:
    script = Script([[page(11)]] * 200, [watch] * 60)
    async with reflected(script):
        minutes = (script.asked[-1][0] - script.asked[0][0]) / 60
    assert minutes > 1, f"61 watches in {minutes:.2f} minutes"
    assert script.delay(4) == 0, "one that ends now and then costs no time"


async def test_waits_longer_after_each_failure_and_briefly_after_one_that_worked() -> None:
    broken = TransportError("watch", NODES, EVERYTHING, "refused")
    script = Script([[page(10)]], [*([broken] for _ in range(12)), [bookmark(11), broken]])
    async with reflected(script):
        pass
    options = ReflectorOptions()
    delays = [script.delay(index) for index in range(2, 14)]
    least = [min(options.initial_backoff_seconds * 2**n, options.max_backoff_seconds) for n in range(12)]
    assert all(low <= delay <= 2 * low for low, delay in zip(least, delays, strict=True)), delays
    assert script.delay(14) <= 2 * options.initial_backoff_seconds, "it had worked: the delays start over"


async def test_a_watch_that_ends_at_once_and_tells_nothing_is_not_asked_for_in_a_loop() -> None:
    script = Script([[page(10)]], [[], [], []])
    async with reflected(script):
        pass
    assert all(script.delay(index) > 0 for index in (2, 3, 4))


async def test_waits_as_long_as_the_server_asks_but_not_for_ever() -> None:
    script = Script(
        [[answered(429, 20, "list")], [answered(503, 86_400, "list")], [page(10)]],
        [],
    )
    async with reflected(script):
        pass
    assert 20 <= script.delay(1) < 21
    assert 60 <= script.delay(2) < 61


async def test_a_list_cut_short_by_compaction_is_asked_for_in_one_page_at_last() -> None:
    gone: List = [page(10, raw("a", 3, "worthless")), answered(410, verb="list")]
    script = Script([gone, gone, [page(30, raw("b", 20, "good"))]], [])
    async with reflected(script) as informer:
        assert labels(informer) == {"b": "good"}, "what came before the 410 counts for nothing"
    assert script.page_sizes == [500, 500, 0]


async def test_a_list_that_is_behind_is_not_believed_until_it_insists() -> None:
    behind: List = [page(5, raw("a", 2, "old"))]
    script = Script([[page(10, raw("a", 9, "new"))], behind, [page(12, raw("a", 9, "new"))]], [[answered(410)]])
    async with reflected(script) as informer:
        assert labels(informer) == {"a": "new"}
    restored = Script([[page(10, raw("a", 9, "new"))], *([behind] * 5)], [[answered(410)]])
    async with reflected(restored) as informer:
        assert labels(informer) == {"a": "old"}, "etcd was restored from a backup"
    assert restored.order[-1] == "watch 5"


async def test_a_kind_that_is_not_served_is_told_once_and_waited_for() -> None:
    missing: List = [answered(404, verb="list")]
    script = Script([missing, missing, missing, [page(10)]], [])
    with logged() as records:
        async with reflected(script) as informer:
            assert informer.has_synced
    told = [record["level"].name for record in records if "not served" in record["message"]]
    assert told == ["WARNING", "DEBUG", "DEBUG"]


@pytest.mark.parametrize("metadata", [None, 7, {}, {"resourceVersion": 11}, {"resourceVersion": "9" * 5000}])
async def test_a_bookmark_without_a_version_has_the_list_asked_for_again(metadata: object) -> None:
    script = Script([[page(10)], [page(20)]], [[WatchEvent("BOOKMARK", {"metadata": metadata})]])
    async with reflected(script):
        pass
    assert script.order == ["list", "watch 10", "list", "watch 20"]
