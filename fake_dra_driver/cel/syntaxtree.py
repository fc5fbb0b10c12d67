"""The parts of an expression, as the parser makes them; the checker adds types and overloads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_dra_driver.cel.overload import Overload
    from fake_dra_driver.cel.types import Type

__all__ = ["Call", "Comprehension", "Entry", "Identifier", "ListOf", "Literal", "MapOf", "Node", "Select", "Structure"]


class Node:
    """A part of an expression."""

    __slots__ = ("at", "depth", "type")

    type: "Type"
    """Set by the checker."""

    def __init__(self, at: int, parts: Sequence["Node"] = ()) -> None:
        self.at = at
        """Where cel-go says that it is: at its operator, bracket or dot, else at its beginning."""
        self.depth: int = 1 + max((part.depth for part in parts), default=0)
        """How many parts stand in each other."""


class Literal(Node):
    """A constant."""

    __slots__ = ("value",)

    def __init__(self, at: int, value: Any) -> None:
        super().__init__(at)
        self.value = value


class Identifier(Node):
    """A name, with dots where it is a qualified one."""

    __slots__ = ("name",)

    def __init__(self, at: int, name: str) -> None:
        super().__init__(at)
        self.name = name


class Select(Node):
    """``operand.field``, or ``has(operand.field)``."""

    __slots__ = ("field", "is_test", "operand")

    def __init__(self, at: int, operand: Node, field: str, *, is_test: bool = False) -> None:
        super().__init__(at, (operand,))
        self.operand = operand
        self.field = field
        self.is_test = is_test


class Call(Node):
    """A function or an operator, with what it is applied to. The name of an operator is cel-go's, such as ``_+_``."""

    __slots__ = ("arguments", "function", "overloads", "target")

    def __init__(self, at: int, function: str, arguments: Sequence[Node], target: Node | None = None) -> None:
        super().__init__(at, arguments if target is None else (target, *arguments))
        self.function = function
        self.target = target
        self.arguments = arguments
        self.overloads: Sequence[Overload] = ()
        """Those that the types of the arguments allow; set by the checker."""

    @property
    def operands(self) -> Sequence[Node]:
        """The target, if there is one, and the arguments."""
        return self.arguments if self.target is None else (self.target, *self.arguments)


class ListOf(Node):
    """``[a, ?b]``."""

    __slots__ = ("elements", "optional")

    def __init__(self, at: int, elements: Sequence[Node], optional: Sequence[int] = ()) -> None:
        super().__init__(at, elements)
        self.elements = elements
        self.optional = frozenset(optional)
        """The positions of those that are left out when they have no value."""


class Entry:
    """``key: value`` or ``?key: value`` of a map."""

    __slots__ = ("is_optional", "key", "value")

    def __init__(self, key: Node, value: Node, *, is_optional: bool) -> None:
        self.key = key
        self.value = value
        self.is_optional = is_optional


class MapOf(Node):
    """``{a: b}``."""

    __slots__ = ("entries",)

    def __init__(self, at: int, entries: Sequence[Entry]) -> None:
        super().__init__(at, [part for entry in entries for part in (entry.key, entry.value)])
        self.entries = entries


class Structure(Node):
    """``Name{field: value}``, of a type that is declared."""

    __slots__ = ("fields", "name")

    def __init__(self, at: int, name: str, fields: Sequence[tuple[int, str, Node]]) -> None:
        super().__init__(at, [value for _, _, value in fields])
        self.name = name
        self.fields = fields
        """Where the field is, its name, and its value."""


class Comprehension(Node):
    """A loop, which macros stand for: ``while condition: accumulator = step`` for each element of a range."""

    __slots__ = ("accumulator", "condition", "first", "initial", "is_binding", "range", "result", "second", "step")

    def __init__(
        self,
        at: int,
        range_: Node,
        variables: tuple[str, str | None],
        accumulator: str,
        initial: Node,
        loop: tuple[Node, Node],
        result: Node,
        *,
        is_binding: bool = False,
    ) -> None:
        super().__init__(at, (range_, initial, *loop, result))
        self.range = range_
        self.first, self.second = variables
        self.accumulator = accumulator
        self.initial = initial
        self.condition, self.step = loop
        self.result = result
        self.is_binding = is_binding
        """It gives a name to a value, and does not loop."""
