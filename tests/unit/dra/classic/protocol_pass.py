"""One pass of the protocol for ``protocol_model``: the driver's own code, run up to its next effect.

``protocol`` decides, and ``ledgerchange`` plans the ledger's writes. A pass that is under way is the results that it
has got so far, from which its coroutine is run up to its next effect (once: the answer is remembered).
"""

from collections.abc import Awaitable, Collection, Generator, Hashable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.classic import ledgerchange, protocol
from fake_dra_driver.dra.classic.ledgerchange import LedgerChange, LedgerMemory, LedgerState
from fake_dra_driver.dra.classic.protocol import Claim
from fake_dra_driver.dra.nodestate.sharing import Share
from fake_dra_driver.groupcommit import Pending

Entry = tuple[str, ...]
"""An entry of the ledger: the devices that it names."""
ENTRY: Entry = ("device",)
SHARE = {"seats": 1}
"""What a claim has of a device that is shared."""


class Seen(NamedTuple):
    """A version of a claim; None stands for one that is gone."""

    protected: bool = False
    node: int = 0
    reserved: bool = False
    deleting: bool = False
    deallocation_requested: bool = False


Book = tuple[int, int]
"""A version of a node's ledger: revision, and the claims with an entry as bits."""


class _Effect:
    def __init__(self, *what: Any) -> None:
        self._what = what

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._what)


class _Effects:
    """Every effect of the protocol: it stops there, and goes on with what the model says came of it."""

    async def protect(self, claim: Any) -> Any:
        if isinstance(claim, Sequence):
            return [await self.protect(one) for one in claim]
        return claim if claim.is_protected else view(await _Effect("protect"))

    async def unprotect(self, claim: Any) -> None:
        await _Effect("unprotect")

    async def clear(self, claim: Any) -> Any:
        return view(await _Effect("clear"))

    async def read(self, claim: Any) -> Any:
        found = await _Effect("read")
        return None if found is None else view(found)

    async def alive(self) -> Collection[UID]:
        return [UID(str(claim)) for claim in await _Effect("alive")]

    def mark(self, nodes: Sequence[str]) -> Any:
        return {}

    async def forget(self, uid: UID, nodes: Sequence[str], marks: Any) -> None:
        await _Effect("forget", marks is not None)

    async def record(self) -> None:
        await _Effect("record", False)

    async def correct(self, live: Any, marks: Any) -> None:
        await _Effect("record", True)

    async def write_status(self, claims: Any, records: Any) -> None:
        await _Effect("status")


def view(seen: Seen) -> Claim[None]:
    node = str(seen.node) if seen.node else None
    return Claim(
        None,
        UID(""),
        is_protected=seen.protected,
        is_protected_by_others=False,
        is_deleting=seen.deleting,
        is_deallocation_requested=seen.deallocation_requested,
        is_reserved=seen.reserved,
        is_ours=bool(seen.node),
        is_allocated=bool(seen.node),
        node=node,
    )


def _coroutine(kind: str, claim: int, seen: Seen | None, nodes: tuple[int, ...]) -> Awaitable[object]:
    do, names, shown = _Effects(), [str(node) for node in nodes], view(seen or Seen())
    match kind:
        case "allocate":
            return protocol.allocate(do, [shown])
        case "release":
            return protocol.release(do, shown, names)
        case "forget elsewhere":
            return protocol.forget_elsewhere(do, shown, names)
        case "restore":
            return protocol.restore(do, shown, names[0], do.correct)
    return protocol.forget_gone(do, names[0], [UID(str(claim))], lambda _: kind == "forget deleted")


@cache
def next_effect(
    kind: str, claim: int, seen: Seen | None, nodes: tuple[int, ...], results: tuple[Any, ...]
) -> tuple[Any, ...] | None:
    """The effect that a pass comes to after these results; None: it has ended."""
    coroutine: Any = _coroutine(kind, claim, seen, nodes)
    try:
        effect: tuple[Any, ...] = coroutine.send(None)
        for result in results:
            effect = coroutine.send(result)
    except StopIteration:
        return None
    finally:
        coroutine.close()
    return effect


@cache
def plan(claim: int, is_put: bool, known: Book | None, book: Book, seats: int) -> int | Literal["void", "done"]:
    """The value that the ledger's write leads to, by the driver's own code.

    Args:
        known: the ledger as it was at the mark.
        seats: how many claims can share the device; 0: it is not shared.
    """
    memory: LedgerMemory[Entry] = LedgerMemory()
    mark = None
    if known is not None:
        memory.see(_ledger(known))
        mark = memory.foreign_changes
    state = _ledger(book)
    memory.see(state)
    wish: LedgerChange[Entry] = LedgerChange({UID(str(claim)): ENTRY if is_put else None}, mark)
    change = Pending(wish)
    capacities: Mapping[Hashable, Share] = {"device": {"seats": seats}} if seats else {}
    wanted = ledgerchange.plan(
        "n",
        state.entries,
        [change],
        memory.foreign_changes,
        lambda entry: dict.fromkeys(entry, SHARE if seats else None),
        capacities,
    )
    if wanted is None:
        return "done" if change.error is None else "void"
    return sum(1 << int(uid) for uid in wanted)


def _ledger(book: Book) -> LedgerState[Entry]:
    return LedgerState("uid", str(book[0]), {str(bit): ENTRY for bit in range(4) if book[1] >> bit & 1})
