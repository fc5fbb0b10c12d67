"""A model of two controllers, an API server and a scheduler around the protocol; ``protocol_search`` goes through it.

The protocol itself is the driver's own (``protocol_pass``). The model is what is around it: objects with versions,
caches that show any version from the newest that their controller has written or acted on, and users, scheduler and
controller manager who act at any moment. A state is a tuple.

Kept small: each node has one device, which may be shared, each claim one pod, a controller one pass at a time, and
histories are as long as ``Scenario`` says. What a rule forbids can be allowed by ``without``, to see that the search
finds what comes of it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, NamedTuple

from fake_dra_driver.dra.classic import protocol
from fake_dra_driver.dra.classic.protocol import Duty
from tests.unit.dra.classic.protocol_pass import Book, Seen, next_effect, plan, view

Rule = Literal["revision", "order", "rewrite", "fence", "mark"]


class Pass(NamedTuple):
    """A pass under way."""

    kind: str
    claim: int
    node: int
    nodes: tuple[int, ...]
    seen: Seen | None
    results: tuple[Any, ...]
    is_fresh: bool
    """Whether the version of the claim that it holds is still the newest."""
    marks: tuple[Book | None, ...]
    swap: tuple[int, Book, int] | None = None
    """Node, expected state and new value of a compare-and-swap under way."""
    done: int = 0
    """How many nodes of the present ``forget`` are done."""


class Controller(NamedTuple):
    bounds: tuple[int, ...]
    """For each object: its oldest version that the cache may still show."""
    work: Pass | None = None


class State(NamedTuple):
    objects: tuple[tuple[Any, ...], ...]
    """Versions of each object, oldest first: claims, ledgers, then for each claim the node that its pod selected."""
    controllers: tuple[Controller, ...]
    events: int
    crashes: int


@dataclass(frozen=True)
class Scenario:
    """How much may happen."""

    claims: int = 2
    nodes: int = 1
    events: int = 3
    """What users and scheduler do, all together."""
    crashes: int = 1
    lag: int = 2
    """How many versions a cache may be behind."""
    seats: int = 0
    """How many claims can share a device; 0: none is shared."""
    without: Rule | None = None
    from_half_state: bool = False
    """Begins with what a stop before the status write leaves of claim 0, whose pod has turned to another node."""

    def start(self) -> State:
        """Every pod has selected the first node, and nothing has happened."""
        claims, books, pods = [Seen()] * self.claims, [(0, 0)] * self.nodes, [1] * self.claims
        if self.from_half_state:
            claims[0], books[0], pods[0] = Seen(protected=True), (0, 1), self.nodes + 1
        objects = tuple((first,) for first in (*claims, *books, *pods))
        fresh = Controller((0,) * len(objects))
        return State(objects, (fresh, fresh), self.events, self.crashes)


class Model:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._claims = scenario.claims
        self._books = range(scenario.claims, scenario.claims + scenario.nodes)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Everything that can happen next, in words, and the state that it leads to."""
        yield from self._others(state)
        for number, controller in enumerate(state.controllers):
            name = "AB"[number]
            if controller.work is None:
                for label, begun in self._begin(state, controller):
                    yield f"{name} {label}", self._put(state, number, begun)
                continue
            if state.crashes:
                crashed = self._put(state, number, Controller((0,) * len(state.objects)))
                yield f"{name} crashes and starts again", crashed._replace(crashes=state.crashes - 1)
            for label, after in self._perform(state, number, controller, controller.work):
                yield f"{name} {label}", after

    def _others(self, state: State) -> Iterator[tuple[str, State]]:
        for claim in range(self._claims):
            pod = self._books.stop + claim
            seen: Seen | None = state.objects[claim][-1]
            selected: int = state.objects[pod][-1]
            if state.events:
                fewer = state._replace(events=state.events - 1)
                for node in range(self.scenario.nodes + 2):
                    # Node 0: the pod is gone. The last node has no device at all: the scheduler has changed its mind.
                    if node != selected and seen is not None and not (seen.node and node):
                        told = f"selects node {node}" if node else "goes"
                        yield f"the pod of claim {claim} {told}", self._write(fewer, pod, node)
                if seen is not None and not seen.deleting:
                    after = seen._replace(deleting=True) if seen.protected else None
                    yield f"claim {claim} is deleted", self._write(fewer, claim, after)
            if seen is not None and seen.reserved and not selected:
                after = seen._replace(reserved=False, deallocation_requested=True)
                yield f"claim {claim} is not reserved any more", self._write(state, claim, after)

    def _begin(self, state: State, controller: Controller) -> Iterator[tuple[str, Controller]]:
        """Passes that begin, by what the cache may show."""

        def versions(index: int) -> list[tuple[int, Any, bool]]:
            found: dict[tuple[Any, bool], int] = {}
            history = state.objects[index]
            for at in range(controller.bounds[index], len(history)):
                found.setdefault((history[at], at == len(history) - 1), at)
            return [(at, value, newest) for (value, newest), at in found.items()]

        for claim in range(self._claims):
            pod = self._books.stop + claim
            indexes = (claim, pod, *self._books)
            for chosen in product(*map(versions, indexes)):
                (_, seen, is_fresh), (_, selected, _), *ledgers = chosen
                books = tuple(book for _, book, _ in ledgers)
                bounds = list(controller.bounds)
                for index, (at, _, _) in zip(indexes, chosen, strict=True):
                    bounds[index] = at
                for work in self._passes(claim, seen, is_fresh, selected, books):
                    if self._is_doomed(work):
                        continue
                    yield f"begins to {_told(work)}", Controller(tuple(bounds), work)

    def _is_doomed(self, work: Pass) -> bool:
        """Whether the next thing that a pass does is a write that fails: then it is as if it had failed already."""
        if work.is_fresh or self.scenario.without in ("order", "fence"):
            return False
        effect = next_effect(work.kind, work.claim, work.seen, work.nodes, work.results)
        return effect is not None and effect[0] in ("protect", "unprotect", "clear", "status")

    def _passes(
        self, claim: int, seen: Seen | None, is_fresh: bool, selected: int, books: tuple[Book, ...]
    ) -> Iterator[Pass]:
        records = tuple(node for node, (_, bits) in enumerate(books, 1) if bits >> claim & 1)

        def work(kind: str, nodes: tuple[int, ...], node: int = 0) -> Pass:
            marks = tuple(books[each - 1] for each in nodes)
            return Pass(kind, claim, node, nodes, seen, (), is_fresh, marks)

        if seen is None:
            for node in records:
                yield work("forget deleted", (node,))
                yield work("forget unseen", (node,))
            return
        shown, names = view(seen), [str(node) for node in records]
        match protocol.duty_of(shown, names, lambda node: node == str(selected)):
            case Duty.RELEASE | Duty.DROP:
                yield work("release", records)
            case Duty.KEEP:
                if elsewhere := tuple(node for node in records if node != seen.node):
                    yield work("forget elsewhere", elsewhere)
                if (
                    seen.node not in records
                    and self._has_room(books[seen.node - 1][1], claim)
                    and (seen.reserved or not seen.deallocation_requested)
                ):
                    yield work("restore", (seen.node,), seen.node)
            case Duty.ALLOCATE:
                if 0 < selected <= self.scenario.nodes and self._has_room(books[selected - 1][1], claim):
                    if protocol.is_outdated(names, str(selected)):
                        yield work("release", records)
                    else:
                        yield work("allocate", (), selected)

    def _perform(self, state: State, number: int, controller: Controller, work: Pass) -> Iterator[tuple[str, State]]:
        effect = next_effect(work.kind, work.claim, work.seen, work.nodes, work.results)
        if effect is None:
            return
        what = effect[0]
        if what in ("record", "forget"):
            yield from self._swap(state, number, controller, work, effect)
            return
        live: Seen | None = state.objects[work.claim][-1]
        if what == "read":
            yield f"reads claim {work.claim}", self._go_on(state, number, controller, work, live)
            return
        if what == "alive":
            alive = tuple(one for one in range(self._claims) if state.objects[one][-1] is not None)
            yield "lists the claims", self._go_on(state, number, controller, work, alive)
            return
        is_skipped = self.scenario.without == "fence" and work.nodes and what in ("unprotect", "protect")
        if is_skipped and live is not None and not live.deleting:
            yield f"does not fence claim {work.claim}", self._go_on(state, number, controller, work, work.seen)
            return
        is_current = work.is_fresh or (what == "status" and self.scenario.without == "order")
        after = None if live is None or not is_current else _changed(live, what, work.node)
        if after == "refused" or live is None or not is_current:
            label = f"finds claim {work.claim} changed"
            yield label, self._put(state, number, controller._replace(work=None))
            return
        written = self._write(state, work.claim, after)
        controller = self._caught_up(written, number, work.claim)
        work = work._replace(is_fresh=True)
        label = {"status": f"writes into the status of claim {work.claim}: node {work.node}"}.get(
            what, f"{what}s claim {work.claim}"
        )
        yield label, self._go_on(written, number, controller, work, after)

    def _swap(
        self, state: State, number: int, controller: Controller, work: Pass, effect: tuple[Any, ...]
    ) -> Iterator[tuple[str, State]]:
        is_put = effect[0] == "record"
        if work.swap is not None:
            yield self._land(state, number, controller, work, work.swap, is_put)
            return
        if not is_put and work.done == len(work.nodes):
            yield "is done with the records", self._go_on(state, number, controller, work, None)
            return
        node = work.node if is_put else work.nodes[work.done]
        index = self._books.start + node - 1
        history = state.objects[index]
        for at in range(controller.bounds[index], len(history)):
            book: Book = history[at]
            known = work.marks[work.done] if effect[1] else None
            if known is not None and self.scenario.without == "mark":
                known = book
            result = plan(work.claim, is_put, known, book, self.scenario.seats)
            if is_put and self.scenario.without == "rewrite" and book[1] >> work.claim & 1:
                result = "done"
            bounds = (*controller.bounds[:index], at, *controller.bounds[index + 1 :])
            now = Controller(bounds, work)
            about = f"ledger of node {node}"
            if result == "void":
                yield f"finds the {about} changed", self._put(state, number, now._replace(work=None))
            elif result == "done":
                yield f"has nothing to write into the {about}", self._next_node(state, number, now, work, is_put)
            else:
                begun = now._replace(work=work._replace(swap=(node, book, int(result))))
                yield f"sends a write to the {about}", self._put(state, number, begun)

    def _land(
        self, state: State, number: int, controller: Controller, work: Pass, sent: tuple[int, Book, int], is_put: bool
    ) -> tuple[str, State]:
        node, expected, bits = sent
        index = self._books.start + node - 1
        live: Book = state.objects[index][-1]
        work = work._replace(swap=None)
        holds = live[1] == expected[1] if self.scenario.without == "revision" else live == expected
        if not holds:
            # It reads the ledger again; whatever was marked is void, since the other has written.
            work = work._replace(marks=tuple((-1, 0) if mark is not None else None for mark in work.marks))
            caught_up = self._caught_up(state, number, index)._replace(work=work)
            return f"finds the ledger of node {node} changed, and reads it", self._put(state, number, caught_up)
        written = self._write(state, index, (live[0] + 1, bits))
        controller = self._caught_up(written, number, index)._replace(work=work)
        holders = [claim for claim in range(self._claims) if bits >> claim & 1]
        return f"writes the ledger of node {node}: {holders}", self._next_node(
            written, number, controller, work, is_put
        )

    def _next_node(self, state: State, number: int, controller: Controller, work: Pass, is_put: bool) -> State:
        if is_put or work.done + 1 == len(work.nodes):
            return self._go_on(state, number, controller, work, None)
        return self._put(state, number, controller._replace(work=work._replace(done=work.done + 1)))

    def _go_on(self, state: State, number: int, controller: Controller, work: Pass, result: Any) -> State:
        work = work._replace(results=(*work.results, result))
        has_ended = next_effect(work.kind, work.claim, work.seen, work.nodes, work.results) is None
        return self._put(state, number, controller._replace(work=None if has_ended else work))

    # --- Objects and caches ---

    @staticmethod
    def _put(state: State, number: int, controller: Controller) -> State:
        controllers = (*state.controllers[:number], controller, *state.controllers[number + 1 :])
        return state._replace(controllers=controllers)

    @staticmethod
    def _write(state: State, index: int, value: Any) -> State:
        """A new version; what was the last one is an old one from now on."""
        objects = (*state.objects[:index], (*state.objects[index], value), *state.objects[index + 1 :])
        controllers = tuple(
            one._replace(work=one.work._replace(is_fresh=False)) if one.work and one.work.claim == index else one
            for one in state.controllers
        )
        return state._replace(objects=objects, controllers=controllers)

    @staticmethod
    def _caught_up(state: State, number: int, index: int) -> Controller:
        """A controller's cache shows its own write, and what it has read."""
        one = state.controllers[number]
        bounds = (*one.bounds[:index], len(state.objects[index]) - 1, *one.bounds[index + 1 :])
        return one._replace(bounds=bounds)

    def canonical(self, state: State) -> State:
        """The same state without what makes no difference: old versions, names of revisions and of controllers."""
        simple = self.simplified(state)
        return simple._replace(controllers=tuple(sorted(simple.controllers, key=hash)))

    def simplified(self, state: State) -> State:
        """Like ``canonical``, but the controllers keep their names."""
        objects, shifts = [], []
        for index, history in enumerate(state.objects):
            oldest = min(one.bounds[index] for one in state.controllers)
            oldest = max(oldest, len(history) - 1 - self.scenario.lag)
            objects.append(history[oldest:])
            shifts.append(oldest)
        works = [None if one.work is None or self._is_doomed(one.work) else one.work for one in state.controllers]
        for index in self._books:
            node = index - self._books.start + 1
            revisions = {revision for revision, _ in objects[index]}
            for work in works:
                if work is not None:
                    revisions.update(
                        mark[0] for each, mark in zip(work.nodes, work.marks, strict=True) if mark and each == node
                    )
                    if work.swap is not None and work.swap[0] == node:
                        revisions.add(work.swap[1][0])
            revisions.discard(-1)
            names = {revision: name for name, revision in enumerate(sorted(revisions))} | {-1: -1}
            objects[index] = tuple((names[revision], bits) for revision, bits in objects[index])
            works = [None if work is None else _renamed(work, node, names) for work in works]
        controllers = tuple(
            Controller(tuple(max(at - shift, 0) for at, shift in zip(one.bounds, shifts, strict=True)), work)
            for one, work in zip(state.controllers, works, strict=True)
        )
        return State(tuple(objects), controllers, state.events, state.crashes)

    # --- What must hold ---

    def given_twice(self, state: State) -> bool:
        """Whether more claims say that they have a device than can have it: two, where it is not shared."""
        nodes = Counter(history[-1].node for history in state.objects[: self._claims] if history[-1])
        del nodes[0]
        return any(claims > max(1, self.scenario.seats) for claims in nodes.values())

    def heads(self, state: State) -> tuple[Any, ...]:
        """What one finds who starts now: the newest version of each object; revisions make no difference to him."""
        newest = (history[-1] for history in state.objects)
        return tuple((0, head[1]) if index in self._books else head for index, head in enumerate(newest))

    def settle(self, heads: tuple[Any, ...]) -> tuple[Any, ...] | str:
        """What one controller makes of it that has just started, is alone, and sees everything; or what is wrong."""
        state = State(tuple((head,) for head in heads), (Controller((0,) * len(heads)),), 0, 0)
        for _ in range(100):
            following = next(iter(self.steps(state)), None)
            if following is None:
                return tuple(history[-1] for history in state.objects)
            state = _newest(following[1])
        return "it never comes to an end"

    def complaint(self, heads: tuple[Any, ...]) -> str | None:
        """What is wrong with a state in which nothing is left to do."""
        claims, books = heads[: self._claims], [bits for _, bits in heads[self._books.start : self._books.stop]]
        pods = heads[self._books.stop :]
        for claim, seen in enumerate(claims):
            records = [node for node, bits in enumerate(books, 1) if bits >> claim & 1]
            if records != ([seen.node] if seen is not None and seen.node else []):
                return f"claim {claim} is {seen}, and on record for {records}"
            if seen is not None and seen.deleting and not seen.reserved:
                return f"claim {claim} is deleted and does not go"
            wanted = pods[claim]
            waits = seen is not None and not (seen.node or seen.deleting) and 0 < wanted <= len(books)
            if waits and self._has_room(books[wanted - 1], claim):
                return f"claim {claim} waits for node {wanted}, whose device is free"
        return None

    def _has_room(self, bits: int, claim: int) -> bool:
        """Whether a device is free for a claim, by the entries of its ledger."""
        return (bits & ~(1 << claim)).bit_count() < max(1, self.scenario.seats)


def _newest(state: State) -> State:
    """The same with caches that show the newest version of everything."""
    objects = tuple(history[-1:] for history in state.objects)
    controllers = tuple(one._replace(bounds=(0,) * len(objects)) for one in state.controllers)
    return state._replace(objects=objects, controllers=controllers)


def _renamed(work: Pass, node: int, names: dict[int, int]) -> Pass:
    marks = tuple(
        (names[mark[0]], mark[1]) if mark and each == node else mark
        for each, mark in zip(work.nodes, work.marks, strict=True)
    )
    sent = work.swap
    if sent is not None and sent[0] == node:
        sent = (node, (names[sent[1][0]], sent[1][1]), sent[2])
    return work._replace(marks=marks, swap=sent)


def _changed(live: Seen, what: str, node: int) -> Seen | Literal["refused"] | None:
    """The API server's part of a write to a claim."""
    match what:
        case "protect":
            return "refused" if live.deleting else live._replace(protected=True)
        case "unprotect":
            return None if live.deleting else live._replace(protected=False)
        case "clear":
            return "refused" if live.reserved else live._replace(node=0, deallocation_requested=False)
    return "refused" if live.node else live._replace(node=node, reserved=True)


def _told(work: Pass) -> str:
    where = f" on node {work.node}" if work.node else f" (records on {list(work.nodes)})" if work.nodes else ""
    seen = "gone" if work.seen is None else ", ".join(name for name, value in work.seen._asdict().items() if value)
    return f"{work.kind} claim {work.claim}{where}, which it sees as {seen or 'new'}"
