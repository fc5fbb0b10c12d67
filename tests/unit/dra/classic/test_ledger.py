"""The ledger, whatever an entry says: where it writes, what it compares, and when a mark is void."""

import asyncio

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.classic.ledger import Ledger, LedgerChangedError, WriteResult
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import TransportError
from fake_dra_driver.runtime.listwatch import Selection
from tests.support.memory_api import MemoryClient
from tests.unit.dra.classic.lockers import NAMESPACE, Entry, LockerLayout, LockerWorld, Rack

C, D = UID("c"), UID("d")


class Book:
    """A ledger with a client and a cache of its own."""

    def __init__(self, world: LockerWorld) -> None:
        self.client = MemoryClient(world.api)
        self.written: list[tuple[WriteResult, int]] = []
        self._racks = Informer(Rack, Selection(Rack.resource, None, "", ""))
        self._world = world
        self.client.add_write_observer(lambda _, raw: self._racks.observe(raw))
        self.ledger: Ledger[Rack, Entry] = Ledger(
            LockerLayout(), self.client, self._racks, NAMESPACE, lambda *what: self.written.append(what)
        )
        self.deliver()

    def deliver(self) -> None:
        for event, kind, wire in self._world.api.events:
            if kind == "Rack":
                self._racks.handle(event, wire)


@pytest.fixture
def world() -> LockerWorld:
    world = LockerWorld()
    world.node("n", lockers=3)
    return world


@pytest.fixture
async def book(world: LockerWorld) -> Book:
    return Book(world)


def revision(world: LockerWorld) -> str:
    return world.api.read(Rack, "n", NAMESPACE).metadata.annotations["example.com/revision"]


# --- Writes


async def test_an_object_that_a_write_finds_gone_is_gone_at_once(world: LockerWorld, book: Book) -> None:
    """A watch that lags would show its entries for a while, and a claim would be released from there over and over."""
    await book.ledger.put("n", {C: ("n-0",)})
    world.api.delete(Rack, "n", NAMESPACE)
    assert book.ledger.nodes_of(C) == ["n"]
    await book.ledger.remove("n", C, None)
    assert book.ledger.nodes_of(C) == []
    assert book.ledger.state("n") is None


async def test_an_entry_is_written_into_an_object_without_a_map_of_entries(world: LockerWorld, book: Book) -> None:
    await book.ledger.put("n", {C: ("n-0", "n-1")})
    wire = world.api.wire(Rack, "n", NAMESPACE)
    assert wire is not None
    assert wire["status"] == {"held": {"c": ["n-0", "n-1"]}}
    assert wire["spec"] == {"lockers": ["n-0", "n-1", "n-2"]}
    assert revision(world) == "1"


async def test_each_write_raises_the_revision_and_leaves_other_fields_alone(world: LockerWorld, book: Book) -> None:
    world.update_rack("n", status={"seen": {"c": ["n-2"]}})
    book.deliver()
    await book.ledger.put("n", {C: ("n-0",)})
    await book.ledger.put("n", {C: ("n-0",)})
    await book.ledger.put("n", {D: ("n-1",)})
    assert (world.ledger("n"), revision(world)) == ({"c": ("n-0",), "d": ("n-1",)}, "3")
    assert world.api.read(Rack, "n", NAMESPACE).status.seen == {"c": ("n-2",)}
    assert book.written == [("written", 1)] * 3


async def test_the_map_is_removed_with_its_last_entry(world: LockerWorld, book: Book) -> None:
    await book.ledger.put("n", {C: ("n-0",)})
    await book.ledger.remove("n", C, book.ledger.mark("n"))
    wire = world.api.wire(Rack, "n", NAMESPACE)
    assert wire is not None
    assert "held" not in wire["status"]


async def test_removing_a_missing_entry_writes_nothing(book: Book) -> None:
    await book.ledger.remove("n", C, book.ledger.mark("n"))
    await book.ledger.remove("gone", C, None)
    assert book.written == []


async def test_a_device_of_another_claim_is_refused_and_the_rest_of_the_batch_written(
    world: LockerWorld, book: Book
) -> None:
    await book.ledger.put("n", {C: ("n-0",)})
    outcome = await asyncio.gather(
        book.ledger.put("n", {D: ("n-0", "n-1")}),
        book.ledger.put("n", {UID("e"): ("n-2",)}),
        return_exceptions=True,
    )
    assert isinstance(outcome[0], LedgerChangedError)
    assert world.ledger("n") == {"c": ("n-0",), "e": ("n-2",)}
    assert book.written == [("written", 1), ("written", 1)]


async def test_other_devices_of_the_same_claim_are_refused_without_a_mark(world: LockerWorld, book: Book) -> None:
    await book.ledger.put("n", {C: ("n-0",)})
    with pytest.raises(LedgerChangedError, match="claim c holds other devices on node n by now"):
        await book.ledger.put("n", {C: ("n-1",)})
    await book.ledger.correct("n", C, ("n-1",), book.ledger.mark("n"))
    assert world.ledger("n") == {"c": ("n-1",)}


async def test_a_node_without_an_object_has_no_ledger(book: Book) -> None:
    with pytest.raises(LedgerChangedError, match="there is no Rack lockers/gone"):
        await book.ledger.put("gone", {C: ("n-0",)})


async def test_a_revision_that_was_edited_into_nonsense_counts_as_none(world: LockerWorld, book: Book) -> None:
    world.api.update(Rack, "n", NAMESPACE, {"metadata": {"annotations": {"example.com/revision": "many"}}})
    book.deliver()
    await book.ledger.put("n", {C: ("n-0",)})
    assert revision(world) == "1"


# --- Other writers


async def test_a_write_based_on_a_stale_cache_conflicts_and_is_repeated(world: LockerWorld, book: Book) -> None:
    other = Book(world)
    await other.ledger.put("n", {D: ("n-0",)})
    await book.ledger.put("n", {C: ("n-1",)})
    assert world.ledger("n") == {"c": ("n-1",), "d": ("n-0",)}
    assert book.written == [("conflict", 1), ("written", 1)]


async def test_a_field_that_was_created_meanwhile_is_not_replaced(world: LockerWorld, book: Book) -> None:
    """The cache shows no ``status`` yet: it is made only if there still is none."""
    world.update_rack("n", status={"seen": {"c": ["n-2"]}})
    await book.ledger.put("n", {C: ("n-0",)})
    assert world.api.read(Rack, "n", NAMESPACE).status.seen == {"c": ("n-2",)}


async def test_a_mark_survives_own_writes_and_is_void_after_those_of_others(world: LockerWorld, book: Book) -> None:
    await book.ledger.put("n", {C: ("n-0",)})
    mark = book.ledger.mark("n")
    await book.ledger.put("n", {D: ("n-1",)})
    await book.ledger.remove("n", D, mark)
    other = Book(world)
    await other.ledger.put("n", {C: ("n-0",)})  # the same again: only the revision tells
    with pytest.raises(LedgerChangedError, match="changed by another writer"):
        await book.ledger.remove("n", C, mark)
    assert world.ledger("n") == {"c": ("n-0",)}
    await book.ledger.remove("n", C, None)
    assert world.ledger("n") == {}


async def test_a_mark_is_void_once_its_node_went_and_came_back(world: LockerWorld, book: Book) -> None:
    await book.ledger.put("n", {C: ("n-0",)})
    mark = book.ledger.mark("n")
    world.api.delete(Rack, "n", NAMESPACE)
    world.node("n", lockers=3)
    world.update_rack("n", status={"held": {"c": ["n-0"]}})
    book.deliver()
    with pytest.raises(LedgerChangedError):
        await book.ledger.remove("n", C, mark)


async def test_a_write_that_fails_fails_for_all_that_share_it(book: Book) -> None:
    failure = TransportError("patch", Rack.resource, Rack().key, "connection reset")

    async def fail(verb: str, kind: str) -> None:
        raise failure

    book.client.before_write = fail
    outcome = await asyncio.gather(
        book.ledger.put("n", {C: ("n-0",)}), book.ledger.put("n", {D: ("n-1",)}), return_exceptions=True
    )
    assert [*outcome] == [failure, failure]
    assert book.written == [("failed", 2)]


async def test_a_caller_cancelled_during_a_write_does_not_cancel_it_for_the_others(
    world: LockerWorld, book: Book
) -> None:
    reached = asyncio.Event()

    async def hang(verb: str, kind: str) -> None:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()

    book.client.after_write = hang
    async with asyncio.TaskGroup() as group:
        first = group.create_task(book.ledger.put("n", {C: ("n-0",)}))
        second = group.create_task(book.ledger.put("n", {D: ("n-1",)}))
        await reached.wait()
        first.cancel()
        await second
    assert world.ledger("n") == {"c": ("n-0",), "d": ("n-1",)}, "whether the first took place cannot be known"
