"""Matches a regular expression: all ways at once, one character of the text after the other.

An expression is a graph of states (Thompson's construction). Where only the answer counts, sets of states that were met
before are remembered with what each character makes of them, as RE2 does (a DFA that is built as it is needed); where
the place counts, too, states stay in the order in which Perl would try them. Either way the number of steps is at most
the number of states times the length of the text.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from fake_dra_driver.re2.charset import CharSet
from fake_dra_driver.re2.syntax import Assertion, Form, Node, parse

__all__ = ["Pattern", "Spend", "compile_pattern"]

Spend = Callable[[int], None]
"""Is told of each few steps that were made, and may raise an error to end the search."""

_START, _END = 0, 1
_MAX_REMEMBERED = 50_000
"""How many moves one pattern remembers, and states of the sets that they lead to."""
_CHARS_FOR_A_STEP = 16
"""How many characters of a text pass in the time of one step as long as all sets of states are known."""
_STEPS_FOR_A_STATE = 3
"""How long it takes to make a state."""
_STEPS_FOR_A_PLACE = 4
"""What goes on from a place in the text, when the place counts, takes as long as so many states."""
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class _State(NamedTuple):
    """A place in an expression, and how it goes on from there."""

    next: tuple[int, ...]
    """The best way first."""
    chars: CharSet | None = None
    """The character that must come; None: none, it goes on at once."""
    assertion: Assertion | None = None
    """What must hold here."""


class _Set:
    """States that the text up to a character may have led to. ``before`` is what kind of character that is."""

    __slots__ = ("before", "moves", "states")

    def __init__(self, states: tuple[int, ...], before: str) -> None:
        self.states = states
        self.before = before
        self.moves: dict[str, _Set] = {}


_MATCHED = _Set((), "")
"""Where the answer is known."""


def _free(_: int) -> None:
    pass


class Pattern:
    """A compiled expression."""

    def __init__(self, source: str) -> None:
        """Raises PatternError."""
        self.source = source
        self._root: Node | None = parse(source)
        self._states: list[_State] = []
        self._sets: dict[tuple[tuple[int, ...], str], _Set] = {}
        self._forget()

    def _build(self, spend: Spend) -> None:
        """Makes the graph for the first search: most patterns of a schema wait long for one."""
        root = self._root
        if root is not None:
            spend(_STEPS_FOR_A_STATE * root.size)
            self._states = _states_of(root)
            self._root = None

    def _forget(self) -> None:
        for each in tuple(self._sets.values()):
            each.moves.clear()  # they lead in circles, which only the garbage collector would find
        self._begin = _Set((_START,), "")
        self._sets = {(self._begin.states, ""): self._begin}
        self._remembered = 0

    def search(self, text: str, spend: Spend = _free) -> bool:
        """Whether any part of the text matches. Raises what ``spend`` raises."""
        self._build(spend)
        spend(len(text) // _CHARS_FOR_A_STEP + 1)
        current = self._begin
        for char in text:
            current = current.moves.get(char) or self._move(current, char, spend)
            if current is _MATCHED:
                return True
        return (current.moves.get("") or self._move(current, "", spend)) is _MATCHED

    def _move(self, current: _Set, char: str, spend: Spend) -> _Set:
        """Finds where a character leads from a set of states, and remembers it. No character: the end of the text."""
        if self._remembered > _MAX_REMEMBERED:
            self._forget()
        self._remembered += 1
        after, seen, following = _kind(char), set[int](), dict[int, None]()
        for number in self._reached(current.states, current.before, after, seen):
            state = self._states[number]
            if state.chars is None:
                current.moves[char] = _MATCHED
                return _MATCHED
            if char and char in state.chars:
                following[state.next[0]] = None
        spend(len(seen))
        key = (*following, _START), after
        found = self._sets.get(key)
        if found is None:
            self._remembered += len(seen)
            found = self._sets[key] = _Set(*key)
        current.moves[char] = found
        return found

    def find(self, text: str, start: int = 0, spend: Spend = _free) -> tuple[int, int] | None:
        """The first match from a position on, as start and end: of those that begin there, the one that Perl finds.

        Raises what ``spend`` raises.
        """
        self._build(spend)
        best: tuple[int, int] | None = None
        threads: list[tuple[int, int]] = []
        before = _kind(text[start - 1 : start]) if start else ""
        for here in range(start, len(text) + 1):
            if best is None:
                threads.append((_START, here))
            if not threads:
                break
            char, seen = text[here : here + 1], set[int]()
            after, following = _kind(char), list[tuple[int, int]]()
            for number, began in self._ordered(threads, before, after, seen):
                state = self._states[number]
                if state.chars is None:
                    best = began, here
                    break
                if char and char in state.chars:
                    following.append((state.next[0], began))
            spend(len(seen) + _STEPS_FOR_A_PLACE)
            threads, before = following, after
        return best

    def find_all(self, text: str, spend: Spend = _free) -> Iterator[str]:
        """All matches that do not overlap. One that is empty does not follow another directly."""
        at, end = 0, -1
        while at <= len(text) and (found := self.find(text, at, spend)) is not None:
            is_empty = found[0] == found[1]
            if not is_empty or found[0] != end:
                yield text[found[0] : found[1]]
            end = found[1]
            at = end + is_empty

    def _ordered(
        self, threads: Iterable[tuple[int, int]], before: str, after: str, seen: set[int]
    ) -> Iterator[tuple[int, int]]:
        for start, began in threads:
            for number in self._reached((start,), before, after, seen):
                yield number, began

    def _reached(self, starts: Iterable[int], before: str, after: str, seen: set[int]) -> Iterator[int]:
        """The states that wait for a character, or the end of the expression, among those that can be reached here."""
        waiting = list(starts)[::-1]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            state = self._states[number]
            if state.chars is not None or number == _END:
                yield number
            elif state.assertion is None or _holds(state.assertion, before, after):
                waiting += state.next[::-1]


compile_pattern = lru_cache(maxsize=128)(Pattern)
"""The pattern of a text; those that were used last are remembered. Raises PatternError."""


def _kind(char: str) -> str:
    """One character for all that assertions do not tell apart; none for none."""
    return char and ("a" if char in _WORD else "\n" if char == "\n" else ".")


def _holds(assertion: Assertion, before: str, after: str) -> bool:
    match assertion:
        case Assertion.BEGIN_TEXT:
            return not before
        case Assertion.END_TEXT:
            return not after
        case Assertion.BEGIN_LINE:
            return before in ("", "\n")
        case Assertion.END_LINE:
            return after in ("", "\n")
        case Assertion.WORD_BOUNDARY:
            return (before == "a") is not (after == "a")
        case Assertion.NO_WORD_BOUNDARY:
            return (before == "a") is (after == "a")


def _states_of(root: Node) -> list[_State]:
    """The graph of an expression: each part of it leads from one state to another."""
    unknown = _State(())
    states = [unknown, unknown]
    open_parts = [(root, _START, _END)]

    def new() -> int:
        states.append(unknown)
        return len(states) - 1

    while open_parts:
        node, start, end = open_parts.pop()
        match node.form:
            case Form.CHARS:
                states[start] = _State((end,), chars=node.chars)
            case Form.ASSERTION:
                states[start] = _State((end,), assertion=node.assertion)
            case Form.GROUP:
                open_parts.append((node.parts[0], start, end))
            case Form.CHOICE:
                starts = tuple(new() for _ in node.parts)
                states[start] = _State(starts)
                open_parts += [(part, at, end) for part, at in zip(node.parts, starts, strict=True)]
            case Form.SEQUENCE | Form.REPEAT:
                parts = node.parts if node.form is Form.SEQUENCE else node.parts * node.least
                for part in parts:
                    following = new()
                    open_parts.append((part, start, following))
                    start = following
                if node.form is Form.SEQUENCE or node.most == node.least:
                    states[start] = _State((end,))
                elif node.most is None:
                    body = new()
                    states[start] = _State(_choose(node, body, end))
                    open_parts.append((node.parts[0], body, start))
                else:
                    for _ in range(node.most - node.least):
                        body, following = new(), new()
                        states[start] = _State(_choose(node, body, end))
                        open_parts.append((node.parts[0], body, following))
                        start = following
                    states[start] = _State((end,))
    return states


def _choose(node: Node, body: int, end: int) -> tuple[int, int]:
    return (end, body) if node.is_lazy else (body, end)
