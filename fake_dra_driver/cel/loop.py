"""Evaluates loops, which macros stand for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fake_dra_driver.cel.decision import decide
from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError
from fake_dra_driver.cel.operators import MISSING, find
from fake_dra_driver.cel.types import Type
from fake_dra_driver.cel.value import Duration, Optional, Timestamp, Uint

__all__ = ["Range", "folding", "gathering", "insert", "inserting", "quantifying"]

Frame = list[Any]
Evaluate = Callable[[Frame], Any]
_GO_TYPES: Mapping[type, str] = {
    bool: "types.Bool",
    bytes: "types.Bytes",
    float: "types.Double",
    int: "types.Int",
    str: "types.String",
    type(None): "types.Null",
    Duration: "types.Duration",
    Optional: "*types.Optional",
    Timestamp: "types.Timestamp",
    Type: "*types.Type",
    Uint: "types.Uint",
}
_Body = TypeVar("_Body")


@dataclass(frozen=True, slots=True)
class Range:
    """What a loop runs over, and where it leaves each element for its body."""

    values: Evaluate
    first: int
    second: int | None
    step_cost: int
    """Of an element, with what its body costs in any case."""

    def each(self, frame: Frame, body: _Body) -> Iterator[_Body]:
        """Goes on to each element, and hands out the body for it. Raises CelError."""
        spend, first, second, cost = frame[0], self.first, self.second, self.step_cost
        values = self.values(frame)
        if not isinstance(values, list | Mapping):
            raise CelError(f"got '{_GO_TYPES.get(type(values), 'cel.Value')}', expected iterable type")
        if second is None:
            for value in values:
                spend(cost)
                frame[first] = value
                yield body
        else:
            for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
                spend(cost)
                frame[first], frame[second] = key, value
                yield body


def quantifying(range_: Range, body: Evaluate, *, decides: bool) -> Evaluate:
    """``all`` and ``exists``: ``&&`` and ``||`` of the body for each element."""

    def evaluate(frame: Frame) -> bool:
        return decide(range_.each(frame, body), frame, decides=decides)

    return evaluate


def gathering(range_: Range, test: Evaluate | None, item: Evaluate) -> Evaluate:
    """``map`` and ``filter``: a list of what the body makes of the elements that pass the test."""

    def evaluate(frame: Frame) -> list[Any]:
        return [body(frame) for body in range_.each(frame, item) if test is None or passes(test(frame))]

    return evaluate


def inserting(range_: Range, test: Evaluate | None, entries: Evaluate) -> Evaluate:
    """``transformMap``: a map of what the body makes of the elements that pass the test."""

    def evaluate(frame: Frame) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for body in range_.each(frame, entries):
            if test is None or passes(test(frame)):
                insert(result, body(frame))
        return result

    return evaluate


def folding(range_: Range, slot: int, initial: Evaluate, step: Evaluate, result: Evaluate) -> Evaluate:
    """Any other loop, which goes over all elements."""

    def evaluate(frame: Frame) -> Any:
        frame[slot] = initial(frame)
        for body in range_.each(frame, step):
            frame[slot] = body(frame)
        return result(frame)

    return evaluate


def insert(target: dict[Any, Any], entries: Any) -> None:
    """Adds entries to a map. Raises CelError if one is there."""
    if not isinstance(entries, Mapping):
        raise CelError(NO_OVERLOAD)
    for key, value in entries.items():
        if find(target, key) is not MISSING:
            raise CelError(f"insert failed: key {key} already exists")
        target[key] = value


def passes(verdict: Any) -> bool:
    """The verdict, which must be a bool. Raises CelError."""
    if not isinstance(verdict, bool):
        raise CelError(NO_OVERLOAD)
    return verdict
