"""Finds the type of every part of an expression, and the overloads of its calls.

Follows cel-go's checker/checker.go; the words of its messages are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fake_dra_driver.cel.environment import Environment
from fake_dra_driver.cel.errors import Issue
from fake_dra_driver.cel.overload import Overload
from fake_dra_driver.cel.syntaxtree import (
    Call,
    Comprehension,
    Identifier,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
    Structure,
)
from fake_dra_driver.cel.types import (
    BOOL,
    DYN,
    ERROR,
    INT,
    Type,
    list_of,
    map_of,
    optional_of,
    parameter,
    type_of_types,
)
from fake_dra_driver.cel.unification import Substitution, most_general
from fake_dra_driver.cel.value import type_of

__all__ = ["check"]

_LOGIC = ("_&&_", "_||_")


def check(root: Node, environment: Environment) -> tuple[Node, Sequence[Issue]]:
    """The expression with its types, in which qualified names are one part, and what is wrong with it."""
    checker = _Checker(environment)
    root = checker.checked(root)
    for node in checker.nodes:
        node.type = checker.known.resolved(node.type, is_final=True)
    return root, checker.issues


class _Checker:
    """Checks one expression."""

    def __init__(self, environment: Environment) -> None:
        self.known = Substitution()
        self.issues: list[Issue] = []
        self.nodes: list[Node] = []
        """All that have a type."""
        self._environment = environment
        self._variables: Mapping[str, Type] = environment.variables
        self._fresh = 0

    def checked(self, node: Node) -> Node:
        """The part with its type, or what takes its place."""
        match node:
            case Literal():
                return self._typed(node, type_of(node.value))
            case Identifier():
                return self._identifier(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListOf():
                return self._list(node)
            case MapOf():
                return self._map(node)
            case Comprehension():
                return self._comprehension(node)
            case Structure():
                return self._structure(node)
            case _:
                raise TypeError(type(node))

    # --- what all need ---

    def _typed(self, node: Node, type_: Type) -> Node:
        node.type = type_
        self.nodes.append(node)
        return node

    def _wrong(self, node: Node | int, problem: str) -> Type:
        self.issues.append(Issue(node if isinstance(node, int) else node.at, problem))
        return ERROR

    def _mismatch(self, node: Node, expected: Type, found: Type) -> Type:
        return self._wrong(node, f"expected type '{expected}' but found '{found}'")

    def _undeclared(self, node: Node, name: str) -> Type:
        return self._wrong(node, f"undeclared reference to '{name}' (in container '')")

    def _new_parameter(self) -> Type:
        self._fresh += 1
        return parameter(f"_var{self._fresh - 1}")

    @contextmanager
    def _with(self, variables: Mapping[str, Type]) -> Iterator[None]:
        before = self._variables
        self._variables = {**before, **variables}
        yield
        self._variables = before

    # --- names and fields ---

    def _declared(self, name: str) -> Type | None:
        name = name.removeprefix(".")
        if name in self._variables:
            return self._variables[name]
        found = self._environment.library.types.get(name)
        return None if found is None else type_of_types(found)

    def _identifier(self, node: Identifier) -> Node:
        found = self._declared(node.name)
        return self._typed(node, self._undeclared(node, node.name) if found is None else found)

    def _select(self, node: Select) -> Node:
        qualified = None if node.is_test else _qualified_name(node)
        if qualified is not None and self._declared(qualified) is not None:
            return self._identifier(Identifier(node.at, qualified))
        node.operand = self.checked(node.operand)
        type_ = self._field(node, node.operand, node.field)
        return self._typed(node, BOOL if node.is_test else type_)

    def _field(self, node: Node, operand: Node, field: str, *, is_optional: bool = False) -> Type:
        target = self.known.resolved(operand.type)
        if target.is_optional:
            target, is_optional = target.parameters[0], True
        match target.kind:
            case "map":
                result = target.item
            case "structure":
                result = self._field_of(node, target, field)
            case "parameter":
                self.known.fits([DYN], [target])
                result = DYN
            case _:
                if not target.is_dynamic and target.kind != "error":
                    self._wrong(node, f"type '{target}' does not support field selection")
                result = DYN
        result = self.known.resolved(result)
        return optional_of(result) if is_optional else result

    def _field_of(self, node: Node, target: Type, field: str) -> Type:
        if target.fields is None:
            return self._wrong(node, f"unexpected failed resolution of '{target.name}'")
        if field not in target.fields:
            return self._wrong(node, f"undefined field '{field}'")
        return target.fields[field]

    # --- calls ---

    def _call(self, node: Call) -> Node:
        if node.function == "_?._":
            return self._optional_select(node)
        namespaced = _qualified_name(node.target) if node.target is not None else None
        if namespaced is not None and f"{namespaced}.{node.function}" in self._environment.library.functions:
            node.function, node.target = f"{namespaced}.{node.function}", None
        node.arguments = [self.checked(each) for each in node.arguments]
        if node.target is not None:
            node.target = self.checked(node.target)
        overloads = self._environment.library.functions.get(node.function)
        if overloads is None:
            return self._typed(node, self._undeclared(node, node.function))
        return self._typed(node, self._resolved(node, overloads))

    def _optional_select(self, node: Call) -> Node:
        operand, field = node.arguments
        operand = self.checked(operand)
        node.arguments = [operand, self.checked(field)]
        node.overloads = self._environment.library.functions["_?._"]
        return self._typed(node, self._field(node, operand, _text_of(field), is_optional=True))

    def _resolved(self, node: Call, overloads: Sequence[Overload]) -> Type:
        """The type of a call's result; notes which overloads it may be."""
        given = [each.type for each in node.operands]
        if node.function in _LOGIC:
            return self._logic(node, overloads)
        result: Type | None = None
        found = []
        for overload in overloads:
            if overload.is_method is not (node.target is not None):
                continue
            takes, gives = self._instance(overload)
            if not self.known.fits(takes, given):
                continue
            found.append(overload)
            type_ = self.known.resolved(gives)
            if result is None:
                result = type_
            elif not result.is_dynamic and result != type_:
                result = DYN
        node.overloads = found
        if result is None:
            shown = [str(self.known.resolved(each, is_final=True)) for each in given]
            target = f"{shown.pop(0)}." if node.target is not None else ""
            signature = f"{target}({', '.join(shown)})"
            return self._wrong(node, f"found no matching overload for '{node.function}' applied to '{signature}'")
        return result

    def _logic(self, node: Call, overloads: Sequence[Overload]) -> Type:
        node.overloads = overloads
        is_right = True
        for each in node.arguments:
            if not self.known.fits([each.type], [BOOL]):
                self._mismatch(each, BOOL, each.type)
                is_right = False
        return BOOL if is_right else ERROR

    def _instance(self, overload: Overload) -> tuple[Sequence[Type], Type]:
        """The types of an overload, with parameters that no other call has."""
        if not overload.parameters:
            return overload.takes, overload.gives
        fresh = Substitution({name: self._new_parameter() for name in sorted(overload.parameters)})
        return [fresh.resolved(each) for each in overload.takes], fresh.resolved(overload.gives)

    # --- lists and maps ---

    def _list(self, node: ListOf) -> Node:
        item: Type | None = None
        node.elements = [self.checked(each) for each in node.elements]
        for at, element in enumerate(node.elements):
            item = self._joined(item, self._unwrapped(element, is_optional=at in node.optional))
        return self._typed(node, list_of(self._new_parameter() if item is None else item))

    def _map(self, node: MapOf) -> Node:
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            entry.key, entry.value = self.checked(entry.key), self.checked(entry.value)
            key = self._joined(key, entry.key.type)
            value = self._joined(value, self._unwrapped(entry.value, is_optional=entry.is_optional))
        return self._typed(node, map_of(key or self._new_parameter(), value or self._new_parameter()))

    def _unwrapped(self, node: Node, *, is_optional: bool) -> Type:
        if not is_optional:
            return node.type
        type_ = self.known.resolved(node.type)
        if type_.is_optional:
            return type_.parameters[0]
        if not type_.is_dynamic:
            self._mismatch(node, optional_of(type_), type_)
        return type_

    def _joined(self, before: Type | None, type_: Type) -> Type:
        """The type of both. Whether there may be several types is checked later: it depends on who reads them."""
        if before is None:
            return type_
        return most_general(before, type_) if self.known.fits([before], [type_]) else DYN

    # --- the rest ---

    def _comprehension(self, node: Comprehension) -> Node:
        node.range, node.initial = self.checked(node.range), self.checked(node.initial)
        first, second = self._loop_types(node)
        accumulated = node.initial.type
        with self._with({node.accumulator: accumulated}):
            variables = {node.first: first} if node.second is None else {node.first: first, node.second: second}
            with self._with(variables):
                node.condition = self.checked(node.condition)
                self._assert(node.condition, BOOL)
                node.step = self.checked(node.step)
                self._assert(node.step, accumulated)
            node.result = self.checked(node.result)
        return self._typed(node, self.known.resolved(node.result.type))

    def _loop_types(self, node: Comprehension) -> tuple[Type, Type]:
        """The types of the loop's first variable, and of its second, if it has one."""
        type_ = self.known.resolved(node.range.type)
        match type_.kind:
            case "list":
                return (type_.item, type_.item) if node.second is None else (INT, type_.item)
            case "map":
                return type_.parameters[0], type_.item
            case "dyn" | "error" | "parameter":
                self.known.fits([DYN], [type_])
                return DYN, DYN
            case _:
                problem = "cannot be range of a comprehension (must be list, map, or dynamic)"
                self._wrong(node.range, f"expression of type '{type_}' {problem}")
                return ERROR, ERROR

    def _assert(self, node: Node, expected: Type) -> None:
        if not self.known.fits([expected], [node.type]):
            self._mismatch(node, expected, node.type)

    def _structure(self, node: Structure) -> Node:
        # No library has types that expressions could make values of in this way.
        node.fields = [(at, name, self.checked(value)) for at, name, value in node.fields]
        return self._typed(node, self._undeclared(node, node.name))


def _qualified_name(node: Node | None) -> str | None:
    """``a.b.c``, if the part is that and nothing else."""
    names: list[str] = []
    while isinstance(node, Select) and not node.is_test:
        names.append(node.field)
        node = node.operand
    if not isinstance(node, Identifier):
        return None
    return ".".join([node.name, *reversed(names)])


def _text_of(node: Node) -> str:
    value: Any = node.value if isinstance(node, Literal) else None
    return value if isinstance(value, str) else ""
