"""What an expression can cost at most, before there are values.

Follows cel-go's checker/cost.go: an API server refuses expressions that may cost too much.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from fake_dra_driver.cel.bounds import UNKNOWN, UNLIMITED, Bounds, exactly
from fake_dra_driver.cel.overload import CallEstimate
from fake_dra_driver.cel.syntaxtree import Call, Comprehension, Identifier, ListOf, Literal, MapOf, Node, Select
from fake_dra_driver.cel.types import Type

__all__ = ["Path", "SizeOf", "estimate"]

Path = tuple[str, ...]
"""How a value is reached from a variable: the names of fields, ``@items``, ``@values``, ``@keys``."""
SizeOf = Callable[[Path], Bounds | None]
"""How large the value there may be; None: that is not known."""

_LIST_COST, _MAP_COST, _STRUCTURE_COST = exactly(10), exactly(30), exactly(40)
_STEP, _NOTHING = exactly(1), exactly(0)
_EMPTY = Bounds(UNLIMITED, 0)
_SCALARS = ("bool", "double", "duration", "int", "timestamp", "uint")


class _Entry(NamedTuple):
    """The sizes of what is in a list or a map."""

    kind: str
    key: Bounds
    value: Bounds

    def union(self, other: "_Entry | None") -> "_Entry | None":
        if other is None:
            return None
        return _Entry(self.kind, self.key.union(other.key), self.value.union(other.value))


class _Local(NamedTuple):
    """What is known of a variable of a loop or a binding."""

    path: Path
    size: Bounds | None
    entry: _Entry | None = None


class _Operand:
    """An argument, as the estimates of functions ask about it."""

    def __init__(self, size: Bounds | None, type_: Type, path: Path, size_of: SizeOf, node: Node | None = None) -> None:
        self._size = size
        self._path = path
        self._size_of = size_of
        self.type = type_
        self.constant: Any = node.value if isinstance(node, Literal) else None

    @property
    def size(self) -> Bounds:
        """How long it is."""
        if self._size is not None:
            return self._size
        return (self._size_of(self._path) if self._path else None) or UNKNOWN

    @property
    def items(self) -> "_Operand | None":
        """Any of its items, if its type has any."""
        if not self.type.parameters:
            return None
        path = (*self._path, "@items") if self._path else ()
        return _Operand(None, self.type.parameters[0], path, self._size_of)


def estimate(root: Node, size_of: SizeOf) -> Bounds:
    """What a checked expression costs, given how large values may be."""
    return _Estimator(size_of).cost(root)


class _Estimator:
    """Estimates one expression."""

    def __init__(self, size_of: SizeOf) -> None:
        self._size_of = size_of
        self._locals: Mapping[str, _Local] = {}
        self._paths: dict[int, Path] = {}
        self._sizes: dict[int, Bounds] = {}
        self._entries: dict[int, _Entry] = {}

    def cost(self, node: Node) -> Bounds:
        """Of a part of the expression."""
        match node:
            case Literal():
                return _NOTHING
            case Identifier():
                local = self._locals.get(node.name)
                self._paths[id(node)] = (node.name,) if local is None else local.path
                return _STEP
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListOf():
                return self._list(node)
            case MapOf():
                return self._map(node)
            case Comprehension():
                return self._binding(node) if node.is_binding else self._comprehension(node)
            case _:
                return _STRUCTURE_COST

    # --- what is known of parts ---

    def _path(self, node: Node) -> Path:
        if isinstance(node, Identifier) and node.name in self._locals:
            return self._locals[node.name].path
        return self._paths.get(id(node), ())

    def _size(self, node: Node) -> Bounds | None:
        known = self._sizes.get(id(node)) or _size_of_constant(node)
        if known is not None:
            return known
        path = self._path(node)
        found = self._size_of(path) if path else None
        if found is not None:
            self._sizes[id(node)] = found
            return found
        if _is_scalar(node.type):
            return _STEP
        local = self._locals.get(node.name) if isinstance(node, Identifier) else None
        return None if local is None else local.size

    def _size_or_unknown(self, node: Node) -> Bounds:
        return self._size(node) or UNKNOWN

    def _entry(self, node: Node) -> _Entry | None:
        known = self._entries.get(id(node))
        if known is None and isinstance(node, Identifier) and node.name in self._locals:
            return self._locals[node.name].entry
        return known

    def _remember(self, node: Node, size: Bounds | None, entry: _Entry | None) -> None:
        if size is not None:
            self._sizes[id(node)] = size
        if entry is not None:
            self._entries[id(node)] = entry

    @contextmanager
    def _with(self, variables: Mapping[str, _Local]) -> Iterator[None]:
        before = self._locals
        self._locals = {**before, **variables}
        yield
        self._locals = before

    # --- fields and calls ---

    def _select(self, node: Select) -> Bounds:
        cost = self.cost(node.operand)
        if node.is_test:
            return cost
        if node.operand.type.kind in ("map", "structure", "parameter"):
            cost = cost.plus(_STEP)
        self._paths[id(node)] = (*self._path(node.operand), node.field)
        return cost

    def _call(self, node: Call) -> Bounds:
        costs = [self.cost(each) for each in node.arguments]
        if node.function == "dyn" and len(node.arguments) == 1:
            self._remember(node, self._size(node.arguments[0]), self._entry(node.arguments[0]))
            return costs[0].plus(_STEP)
        target = _NOTHING if node.target is None else self.cost(node.target)
        total, result = self._any_overload(node)
        self._remember(node, result, None)
        match node.function:
            case "_&&_" | "_||_":
                # The second side may not be looked at.
                return target.plus(Bounds(costs[0].least, costs[0].plus(costs[1]).most))
            case "_?_:_":
                condition, yes, no = costs
                return target.plus(total).plus(condition).plus(yes.union(no))
        for each in costs:
            total = total.plus(each)
        return target.plus(total)

    def _any_overload(self, node: Call) -> tuple[Bounds, Bounds | None]:
        """What the call costs with any of its overloads, and how large its result is."""
        operands = [self._operand(each) for each in node.operands]
        total, result = _EMPTY, None
        for overload in node.overloads:
            found: CallEstimate = overload.cost.estimate(operands)
            total = total.union(found.cost)
            if found.result is not None:
                result = found.result if result is None else result.union(found.result)
            if overload.id in _INDEXES:
                entry = self._entry(node.arguments[0])
                result = None if entry is None else entry.value
                self._paths[id(node)] = (*self._path(node.arguments[0]), _INDEXES[overload.id])
            if result is None:
                result = self._size(node)
        self._note_entries(node)
        return (total if node.overloads else _NOTHING), result

    def _note_entries(self, node: Call) -> None:
        """What is in the result, where that comes from two of the arguments."""
        if node.function == "_?_:_" or (node.function == "_+_" and len(node.arguments) == 2):
            one, other = (self._entry(each) for each in node.arguments[-2:])
            self._remember(node, None, None if one is None else one.union(other))

    def _operand(self, node: Node) -> _Operand:
        path = self._path(node)
        if path and path[0].startswith("@"):
            path = ()
        return _Operand(self._size(node), node.type, path, self._size_of, node)

    # --- lists and maps ---

    def _list(self, node: ListOf) -> Bounds:
        total, size = _LIST_COST, _EMPTY if node.elements else Bounds(0, 0)
        for each in node.elements:
            total = total.plus(self.cost(each))
            size = size.union(self._size_or_unknown(each))
        self._remember(node, None, _Entry("list", _STEP, size))
        return total

    def _map(self, node: MapOf) -> Bounds:
        total = _MAP_COST
        key = value = _EMPTY if node.entries else Bounds(0, 0)
        for each in node.entries:
            total = total.plus(self.cost(each.key)).plus(self.cost(each.value))
            key, value = key.union(self._size_or_unknown(each.key)), value.union(self._size_or_unknown(each.value))
        self._remember(node, None, _Entry("map", key, value))
        return total

    # --- loops ---

    def _local(self, node: Node) -> _Local:
        return _Local(self._path(node), self._size(node), self._entry(node))

    def _binding(self, node: Comprehension) -> Bounds:
        total = self.cost(node.range).plus(self.cost(node.initial))
        with self._with({node.accumulator: self._local(node.initial)}):
            total = total.plus(self.cost(node.result))
            self._remember(node, self._size(node.result), self._entry(node.result))
        return total

    def _comprehension(self, node: Comprehension) -> Bounds:
        total = self.cost(node.range).plus(self.cost(node.initial))
        with self._with({node.accumulator: self._local(node.initial)}):
            with self._with(self._loop_variables(node)):
                each = self.cost(node.condition).plus(self.cost(node.step))
                step_entry = self._entry(node.step)
            total = total.plus(self.cost(node.result))
        times = self._size_or_unknown(node.range)
        match node.initial:
            case Literal():
                self._remember(node, self._size(node.initial), None)
            case ListOf() | MapOf():
                self._remember(node, times, step_entry)
        return total.plus(times.times(each))

    def _loop_variables(self, node: Comprehension) -> Mapping[str, _Local]:
        entry, path = self._entry(node.range), self._path(node.range)
        is_list = (node.range.type.kind if entry is None else entry.kind) == "list"
        key = _Local((*path, "@indices" if is_list else "@keys"), None if entry is None else entry.key)
        value = _Local((*path, "@items" if is_list else "@values"), None if entry is None else entry.value)
        if node.second is None:
            return {node.first: value if is_list else key}
        return {node.first: key, node.second: value}


_INDEXES = {"index_list": "@items", "index_map": "@values"}


def _size_of_constant(node: Node) -> Bounds | None:
    match node:
        case Literal(value=str() | bytes() as text):
            return exactly(len(text))
        case Literal():
            return _STEP
        case ListOf():
            return exactly(len(node.elements))
        case MapOf():
            return exactly(len(node.entries))
    return None


def _is_scalar(type_: Type) -> bool:
    return type_.kind in _SCALARS or (type_.is_optional and _is_scalar(type_.parameters[0]))
