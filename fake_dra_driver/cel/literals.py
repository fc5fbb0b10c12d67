"""What is wrong with constants: patterns, durations and timestamps that are none, lists and maps of several types.

Follows cel-go's cel/validator.go.
"""

from collections.abc import Iterator, Sequence

from fake_dra_driver.cel.errors import CelError, Issue
from fake_dra_driver.cel.library.textformat import format_problem
from fake_dra_driver.cel.syntaxtree import (
    Call,
    Comprehension,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
)
from fake_dra_driver.cel.types import Type
from fake_dra_driver.re2 import PatternError, compile_pattern

__all__ = ["check_literals", "parts_of"]

_PATTERN_FUNCTION = "matches"
_CONVERSIONS = ("duration", "timestamp")


def check_literals(root: Node) -> Iterator[Issue]:
    """What is wrong with the constants of a checked expression."""
    formatted: set[int] = set()
    """What ``format`` reads, where a list may hold anything."""
    for node in parts_of(root):
        match node:
            case Call(function="format"):
                formatted |= {id(each) for each in parts_of(node)}
                yield from _format_issues(node)
            case Call(arguments=[Literal() as argument, *_]):
                if _is_invalid(node, argument):
                    yield Issue(argument.at, f"invalid {node.function} argument")
            case ListOf() if id(node) not in formatted:
                items = enumerate(node.elements)
                yield from _of_one_type(
                    [(each, _unwrapped(each.type, is_optional=at in node.optional)) for at, each in items]
                )
            case MapOf() if id(node) not in formatted:
                yield from _of_one_type([(each.key, each.key.type) for each in node.entries])
                yield from _of_one_type(
                    [(each.value, _unwrapped(each.value.type, is_optional=each.is_optional)) for each in node.entries]
                )


def _format_issues(node: Call) -> Iterator[Issue]:
    """What is wrong with a constant text that is formatted, and the values for it."""
    match node:
        case Call(target=Literal(value=str() as text), arguments=[ListOf(elements=values)]):
            problem = format_problem(text, [each.type for each in values])
            if problem is not None:
                at = node.at if problem.position is None else values[problem.position].at
                yield Issue(at, problem.message)


def parts_of(root: Node) -> Iterator[Node]:
    """An expression, and all that it is made of."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case Select():
                waiting.append(node.operand)
            case Call():
                waiting += reversed(node.operands)
            case ListOf():
                waiting += reversed(node.elements)
            case MapOf():
                waiting += [part for each in reversed(node.entries) for part in (each.value, each.key)]
            case Comprehension():
                waiting += [node.result, node.step, node.condition, node.initial, node.range]


def _is_invalid(node: Call, argument: Literal) -> bool:
    try:
        if node.function == _PATTERN_FUNCTION and isinstance(argument.value, str):
            compile_pattern(argument.value)
        elif node.function in _CONVERSIONS and len(node.overloads) == 1:
            node.overloads[0].call(argument.value)
    except (PatternError, CelError):
        return True
    return False


def _of_one_type(items: Sequence[tuple[Node, Type]]) -> Iterator[Issue]:
    for node, type_ in items[1:]:
        expected = items[0][1]
        if not _is_equivalent(expected, type_):
            yield Issue(node.at, f"expected type '{expected}' but found '{type_}'")
            return


def _is_equivalent(one: Type, other: Type) -> bool:
    same = one.kind == other.kind and one.name == other.name and len(one.parameters) == len(other.parameters)
    return same and all(map(_is_equivalent, one.parameters, other.parameters))


def _unwrapped(type_: Type, *, is_optional: bool) -> Type:
    return type_.parameters[0] if is_optional and type_.is_optional else type_
