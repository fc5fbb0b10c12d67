"""Macros: calls that stand for longer expressions, which are put in their place before types are checked.

Follows cel-go's parser/macro.go. All loops become one form (``Comprehension``); ``all`` and ``exists`` are made of
``&&`` and ``||``, so that what these do about errors is said once.
"""

from collections.abc import Callable, Mapping, Sequence

from fake_dra_driver.cel.syntaxtree import Call, Comprehension, Identifier, ListOf, Literal, MapOf, Node, Select

__all__ = [
    "ACCUMULATOR",
    "BINDING_MACROS",
    "MAP_INSERT",
    "OPTIONAL_MACROS",
    "SORT_MACROS",
    "STANDARD_MACROS",
    "TWO_VARIABLE_MACROS",
    "Macro",
    "MacroError",
    "Macros",
]

ACCUMULATOR = "@result"
"""The name of what a loop has gathered, which no expression can use by itself."""
MAP_INSERT = "cel.@mapInsert"
_UNUSED, _TARGET = "#unused", "@target"
_OLD_ACCUMULATOR = "__result__"


class MacroError(Exception):
    """The arguments are not those of the macro."""

    def __init__(self, node: Node, problem: str) -> None:
        super().__init__(problem)
        self.node = node


Macro = Callable[[int, Node | None, Sequence[Node]], Node | None]
"""Gets where it is, its receiver and its arguments. Returns None if the call is not a macro. Raises MacroError."""
Macros = Mapping[tuple[str, int, bool], Macro]
"""By name, number of arguments, and whether they have a receiver."""


def _accumulated(at: int) -> Node:
    return Identifier(at, ACCUMULATOR)


def _variable(node: Node, problem: str = "argument must be a simple name") -> str:
    if not isinstance(node, Identifier) or "." in node.name:
        raise MacroError(node, problem)
    if node.name in (ACCUMULATOR, _OLD_ACCUMULATOR):
        raise MacroError(node, "iteration variable overwrites accumulator variable")
    return node.name


def _two_variables(arguments: Sequence[Node]) -> tuple[str, str]:
    first, second = (_variable(each) for each in arguments[:2])
    if first == second:
        raise MacroError(arguments[1], f"duplicate variable name: {first}")
    return first, second


def _loop(
    at: int, range_: Node, variables: tuple[str, str | None], initial: Node, condition: Node, step: Node
) -> Comprehension:
    return Comprehension(at, range_, variables, ACCUMULATOR, initial, (condition, step), _accumulated(at))


# --- the body of each loop ---

Loop = Callable[[int, Node, tuple[str, str | None], Sequence[Node]], Node]
"""Gets where it is, the range, the variables, and what follows them."""


def _all(at: int, range_: Node, variables: tuple[str, str | None], rest: Sequence[Node]) -> Node:
    condition = Call(at, "@not_strictly_false", [_accumulated(at)])
    step = Call(at, "_&&_", [_accumulated(at), rest[0]])
    return _loop(at, range_, variables, Literal(at, True), condition, step)


def _exists(at: int, range_: Node, variables: tuple[str, str | None], rest: Sequence[Node]) -> Node:
    condition = Call(at, "@not_strictly_false", [Call(at, "!_", [_accumulated(at)])])
    step = Call(at, "_||_", [_accumulated(at), rest[0]])
    return _loop(at, range_, variables, Literal(at, False), condition, step)


def _exists_one(at: int, range_: Node, variables: tuple[str, str | None], rest: Sequence[Node]) -> Node:
    counted = Call(at, "_+_", [_accumulated(at), Literal(at, 1)])
    step = Call(at, "_?_:_", [rest[0], counted, _accumulated(at)])
    result = Call(at, "_==_", [_accumulated(at), Literal(at, 1)])
    loop = (Literal(at, True), step)
    return Comprehension(at, range_, variables, ACCUMULATOR, Literal(at, 0), loop, result)


def _gather(at: int, initial: Node, add: Callable[[Node], Node]) -> Loop:
    def loop(_: int, range_: Node, variables: tuple[str, str | None], rest: Sequence[Node]) -> Node:
        step = add(rest[-1])
        if len(rest) > 1:
            step = Call(at, "_?_:_", [rest[0], step, _accumulated(at)])
        return _loop(at, range_, variables, initial, Literal(at, True), step)

    return loop


def _list(at: int, range_: Node, variables: tuple[str, str | None], rest: Sequence[Node]) -> Node:
    def add(item: Node) -> Node:
        return Call(at, "_+_", [_accumulated(at), ListOf(at, [item])])

    return _gather(at, ListOf(at, []), add)(at, range_, variables, rest)


def _map(at: int, range_: Node, variables: tuple[str, str | None], rest: Sequence[Node]) -> Node:
    def add(value: Node) -> Node:
        return Call(at, MAP_INSERT, [_accumulated(at), Identifier(at, variables[0]), value])

    return _gather(at, MapOf(at, []), add)(at, range_, variables, rest)


def _map_entries(at: int, range_: Node, variables: tuple[str, str | None], rest: Sequence[Node]) -> Node:
    def add(entry: Node) -> Node:
        return Call(at, MAP_INSERT, [_accumulated(at), entry])

    return _gather(at, MapOf(at, []), add)(at, range_, variables, rest)


# --- the macros ---


def _of_one_variable(loop: Loop, problem: str = "argument must be a simple name") -> Macro:
    def expand(at: int, target: Node | None, arguments: Sequence[Node]) -> Node | None:
        return None if target is None else loop(at, target, (_variable(arguments[0], problem), None), arguments[1:])

    return expand


def _of_two_variables(loop: Loop) -> Macro:
    def expand(at: int, target: Node | None, arguments: Sequence[Node]) -> Node | None:
        return None if target is None else loop(at, target, _two_variables(arguments), arguments[2:])

    return expand


def _filter(at: int, target: Node | None, arguments: Sequence[Node]) -> Node | None:
    if target is None:
        return None
    variable = _variable(arguments[0], "argument is not an identifier")
    return _list(at, target, (variable, None), (arguments[1], Identifier(arguments[0].at, variable)))


def _has(at: int, _: Node | None, arguments: Sequence[Node]) -> Node:
    (argument,) = arguments
    if not isinstance(argument, Select) or argument.is_test:
        raise MacroError(argument, "invalid argument to has() macro")
    return Select(at, argument.operand, argument.field, is_test=True)


def _binding(at: int, name: str, value: Node, result: Node) -> Node:
    loop = (Literal(at, False), Identifier(at, name))
    return Comprehension(at, ListOf(at, []), (_UNUSED, None), name, value, loop, result, is_binding=True)


def _bind(at: int, target: Node | None, arguments: Sequence[Node]) -> Node | None:
    if not isinstance(target, Identifier) or target.name != "cel":
        return None
    name, value, result = arguments
    if not isinstance(name, Identifier):
        raise MacroError(name, "cel.bind() variable names must be simple identifiers")
    return _binding(at, name.name, value, result)


def _optional_map(name: str, wrap: Callable[[int, Node], Node]) -> Macro:
    def expand(at: int, target: Node | None, arguments: Sequence[Node]) -> Node | None:
        if target is None:
            return None
        variable = arguments[0]
        if not isinstance(variable, Identifier):
            raise MacroError(variable, f"{name}() variable name must be a simple identifier")

        def call(function: str) -> Node:
            # The target gets a name, where cel-go copies it: nested macros would grow exponentially.
            return Call(at, function, [], Identifier(at, _TARGET))

        bound = _binding(at, variable.name, call("value"), arguments[1])
        choice = Call(at, "_?_:_", [call("hasValue"), wrap(at, bound), Call(at, "optional.none", [])])
        return _binding(at, _TARGET, target, choice)

    return expand


def _sort_by(at: int, target: Node | None, arguments: Sequence[Node]) -> Node | None:
    if target is None:
        return None
    if isinstance(target, Literal):
        problem = "sortBy can only be applied to a list, identifier, comprehension, call or select expression"
        raise MacroError(target, problem)
    name = "@__sortBy_input__"
    variable = _variable(arguments[0], "argument is not an identifier")
    keys = _list(at, Identifier(at, name), (variable, None), arguments[1:])
    return _binding(at, name, target, Call(at, "@sortByAssociatedKeys", [keys], Identifier(at, name)))


_NOT_AN_IDENTIFIER = "argument is not an identifier"
STANDARD_MACROS: Macros = {
    ("has", 1, False): _has,
    ("all", 2, True): _of_one_variable(_all),
    ("exists", 2, True): _of_one_variable(_exists),
    ("exists_one", 2, True): _of_one_variable(_exists_one),
    ("map", 2, True): _of_one_variable(_list, _NOT_AN_IDENTIFIER),
    ("map", 3, True): _of_one_variable(_list, _NOT_AN_IDENTIFIER),
    ("filter", 2, True): _filter,
}
BINDING_MACROS: Macros = {("bind", 3, True): _bind}
OPTIONAL_MACROS: Macros = {
    ("optMap", 2, True): _optional_map("optMap", lambda at, value: Call(at, "optional.of", [value])),
    ("optFlatMap", 2, True): _optional_map("optFlatMap", lambda _, value: value),
}
TWO_VARIABLE_MACROS: Macros = {
    ("all", 3, True): _of_two_variables(_all),
    ("exists", 3, True): _of_two_variables(_exists),
    ("exists_one", 3, True): _of_two_variables(_exists_one),
    ("existsOne", 3, True): _of_two_variables(_exists_one),
    ("transformList", 3, True): _of_two_variables(_list),
    ("transformList", 4, True): _of_two_variables(_list),
    ("transformMap", 3, True): _of_two_variables(_map),
    ("transformMap", 4, True): _of_two_variables(_map),
    ("transformMapEntry", 3, True): _of_two_variables(_map_entries),
    ("transformMapEntry", 4, True): _of_two_variables(_map_entries),
}
SORT_MACROS: Macros = {("sortBy", 2, True): _sort_by}
