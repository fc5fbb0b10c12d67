"""What a function is made of: its overloads, with types, code and costs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from fake_dra_driver.cel.bounds import Bounds, exactly
from fake_dra_driver.cel.macro import Macro, Macros
from fake_dra_driver.cel.types import Type

__all__ = [
    "FIXED",
    "CallEstimate",
    "Cost",
    "Functions",
    "Library",
    "Operand",
    "Overload",
    "free",
    "function",
    "merged",
    "method",
]


class Operand(Protocol):
    """What is known of an argument before it is evaluated."""

    @property
    def size(self) -> Bounds:
        """How long it is."""

    @property
    def type(self) -> Type:
        """Its type."""

    @property
    def items(self) -> "Operand | None":
        """Any of its items, if it is a list."""

    @property
    def constant(self) -> Any:
        """Its value, if that is written in the expression, or None."""


class CallEstimate(NamedTuple):
    """What a call costs, and how large its result is."""

    cost: Bounds
    result: Bounds | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs, besides its arguments. The first argument of a method is its target."""

    estimate: Callable[[Sequence[Operand]], CallEstimate]
    """Before the arguments are known."""
    actual: Callable[..., int]
    """Gets the arguments, before the call is made."""


FIXED = Cost(lambda _: CallEstimate(exactly(1)), lambda *_: 1)


def free(_: int) -> None:
    """Takes no notice of the steps that are made."""


@dataclass(frozen=True, eq=False)
class Overload:
    """One form of a function."""

    id: str
    takes: tuple[Type, ...]
    """The types of its arguments, a method's target first."""
    gives: Type
    call: Callable[..., Any]
    """Gets the arguments. Raises CelError."""
    is_method: bool = False
    cost: Cost = FIXED
    counts_steps: bool = False
    """Whether ``call`` gets, first, what is told of each few steps that it makes."""
    is_checked: bool = False
    """Whether ``call`` itself looks whether its arguments have the right types."""

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of the types that a call decides."""
        return frozenset(name for each in (*self.takes, self.gives) for name in _parameters_of(each))


Functions = Mapping[str, tuple[Overload, ...]]
"""By name."""


@dataclass(frozen=True, eq=False)
class Library:
    """Functions, macros and types that belong together."""

    functions: Functions = field(default_factory=dict)
    macros: Macros = field(default_factory=dict)
    types: Mapping[str, Type] = field(default_factory=dict)
    """Names that stand for types, such as ``int``."""
    has_optional_syntax: bool = False
    """Whether it is the one with ``a.?b``."""


def merged(libraries: Iterable[Library]) -> Library:
    """All libraries as one; they may add overloads to each other's functions."""
    functions: dict[str, tuple[Overload, ...]] = {}
    macros: dict[tuple[str, int, bool], Macro] = {}
    types: dict[str, Type] = {}
    has_optional_syntax = False
    for library in libraries:
        for name, overloads in library.functions.items():
            functions[name] = (*functions.get(name, ()), *overloads)
        macros.update(library.macros)
        types.update(library.types)
        has_optional_syntax |= library.has_optional_syntax
    return Library(functions, macros, types, has_optional_syntax)


def function(id_: str, takes: Sequence[Type], gives: Type, call: Callable[..., Any], **rest: Any) -> Overload:
    """An overload of a function."""
    return Overload(id_, tuple(takes), gives, call, **rest)


def method(id_: str, takes: Sequence[Type], gives: Type, call: Callable[..., Any], **rest: Any) -> Overload:
    """An overload of a method."""
    return Overload(id_, tuple(takes), gives, call, is_method=True, **rest)


def _parameters_of(type_: Type) -> Sequence[str]:
    if type_.kind == "parameter":
        return [type_.name]
    return [name for each in type_.parameters for name in _parameters_of(each)]
