"""Jinja's syntax for values, evaluated with a limit on work and memory: jinja2's second door, for its parser alone.

Templates come from people who may create objects, and run in programs of the node. Jinja's own sandbox keeps them from
Python's insides, and not from ``{{ "x" * 10**12 }}`` or loops in loops; besides, it makes Python code of them. So Jinja
reads a template, and what it read is evaluated here: each step and each piece of text costs something of the render's
``Account``, before it is worked on. There are no macros, blocks, imports, namespaces and recursion, no function but
``range``, and no filter, method or test but those of ``filters``. A field of a value is an entry of an object,
never an attribute of Python's. A field that is missing has no text, and no value to compute with; compared with
anything, or in a condition, it is false.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.parser import Parser

from fake_dra_driver.valuetemplate.budget import spend_together
from fake_dra_driver.valuetemplate.filters import FILTERS, METHODS, TESTS, Account, Missing, bounded, checked, formatted
from fake_dra_driver.valuetemplate.text import TemplateError, written

__all__ = ["compile_condition", "compile_template"]

MAX_TEMPLATE: Final = 64 * 1024
"""Characters of a template."""
MAX_OUTPUT: Final = 256 * 1024
"""Characters that a template can make: a small file."""
MAX_RANGE: Final = 1024
"""Numbers of a ``range``."""
ENTRIES_PER_STEP: Final = 16
"""Variables of a scope that cost as much as a step to copy."""

_UNREADABLE: Final = (jinja2.TemplateError, ValueError, SyntaxError, OverflowError, RecursionError, MemoryError)
"""What Jinja raises for a text that is no template; some of it comes from the literals that it has Python read, whose
parser says MemoryError for what is nested too deep."""
_FAILURES: Final = (TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
"""What values raise that do not fit what is done with them."""

_ENVIRONMENT: Final = jinja2.Environment(  # noqa: S701 # it reads templates, and renders none
    keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, cache_size=0
)


@dataclass(slots=True)
class _Scope:
    """The variables at a place of a template."""

    account: Account
    variables: Mapping[str, Any]
    """What the template was given."""
    own: dict[str, Any]
    """What it has set itself, which hides those."""

    def inner(self) -> "_Scope":
        """That of one round of a loop, after which it is gone."""
        self.account.spend(len(self.own) // ENTRIES_PER_STEP)
        return _Scope(self.account, self.variables, dict(self.own))

    def value(self, name: str) -> Any:
        if name in self.own:
            return self.own[name]
        if name in self.variables:
            return self.variables[name]
        return Missing(name, tuple(sorted({*self.variables, *self.own})))


_Evaluate = Callable[[_Scope], Any]
_Write = Callable[[_Scope, list[str]], None]
_T = TypeVar("_T")


def compile_template(text: str) -> tuple[frozenset[str], frozenset[str], Callable[[Mapping[str, Any]], str]]:
    """The variables that a template reads, those that it sets, and what renders it. Raises TemplateError."""
    compiler = _Compiler()
    write = _read(text, lambda: compiler.statements(_ENVIRONMENT.parse(text).body))

    def render(variables: Mapping[str, Any]) -> str:
        parts: list[str] = []
        account = Account(MAX_OUTPUT)
        _evaluated(lambda: write(_Scope(account, variables, {}), parts), account)
        return "".join(parts)

    return frozenset(compiler.names), frozenset(compiler.own), render


def compile_condition(expression: str) -> tuple[frozenset[str], Callable[[Mapping[str, Any]], bool]]:
    """The variables that an expression reads, and what says whether it holds. Raises TemplateError."""
    compiler = _Compiler()

    def parse() -> _Evaluate:
        parser = Parser(_ENVIRONMENT, expression, state="variable")
        parsed = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateError("there must be one expression, without braces")
        return compiler.expression(parsed)

    evaluate = _read(expression, parse)

    def holds(variables: Mapping[str, Any]) -> bool:
        account = Account(MAX_OUTPUT)
        return _is_true(_evaluated(lambda: evaluate(_Scope(account, variables, {})), account))

    return frozenset(compiler.names), holds


def _read(text: str, parse: Callable[[], _T]) -> _T:
    if len(text) > MAX_TEMPLATE:
        raise TemplateError(f"a template has at most {MAX_TEMPLATE} characters, this one {len(text)}")
    try:
        return parse()
    except TemplateError:
        raise
    except jinja2.TemplateSyntaxError as error:
        where = f"line {error.lineno}: " if "\n" in text else ""
        raise TemplateError(f"it is no template: {where}{error.message}") from error
    except _UNREADABLE as error:
        raise TemplateError(f"it is no template: {str(error) or type(error).__name__}") from error


def _evaluated(evaluate: Callable[[], _T], account: Account) -> _T:
    # An empty budget ends it before it begins.
    spend_together(0)
    try:
        return evaluate()
    except TemplateError:
        raise
    except _FAILURES as error:
        raise TemplateError(str(error)) from error
    finally:
        spend_together(account.spent)


# --- From what Jinja read to functions of a scope


def _is_true(value: Any) -> bool:
    return bool(_field_or_value(value)) and not isinstance(value, Missing)


def _field_or_value(value: Any) -> Any:
    """A field may be missing, while a variable that does not exist is a mistake. Raises TemplateError."""
    if isinstance(value, Missing) and not value.is_field:
        raise value.error()
    return value


class _Compiler:
    """Makes functions of the nodes of one template."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        """The variables that are read where the template may not have set them."""
        self.own: set[str] = set()
        """Those that it sets somewhere."""
        self._is_set: frozenset[str] = frozenset()
        """Those that it has set for sure at the place that is being read."""

    # Statements

    def statements(self, body: Sequence[nodes.Node]) -> _Write:
        writes = [self._statement(node) for node in body]

        def write(scope: _Scope, parts: list[str]) -> None:
            for each in writes:
                each(scope, parts)

        return write

    def _statement(self, node: nodes.Node) -> _Write:
        match node:
            case nodes.Output():
                return self._output(node)
            case nodes.If():
                return self._if(node)
            case nodes.For(recursive=False):
                return self._for(node)
            case nodes.Assign():
                return self._assign(node)
        raise _not_offered(node)

    def _output(self, node: nodes.Output) -> _Write:
        pieces = [
            _constant(each.data) if isinstance(each, nodes.TemplateData) else self.expression(each)
            for each in node.nodes
        ]

        def write(scope: _Scope, parts: list[str]) -> None:
            for piece in pieces:
                text = written(checked(piece(scope)))
                scope.account.spend()
                scope.account.write(text)
                parts.append(text)

        return write

    def _if(self, node: nodes.If) -> _Write:
        before, branches = self._is_set, []
        for each in (node, *node.elif_):
            branches.append((self.expression(each.test), self.statements(each.body)))
            self._is_set = before
        otherwise = self.statements(node.else_)
        self._is_set = before

        def write(scope: _Scope, parts: list[str]) -> None:
            for test, body in branches:
                if _is_true(test(scope)):
                    return body(scope, parts)
            return otherwise(scope, parts)

        return write

    def _for(self, node: nodes.For) -> _Write:
        over, before = self.expression(node.iter), self._is_set
        bind = self._target(node.target)
        test = self.expression(node.test) if node.test else _constant(True)
        self._sets("loop")
        body = self.statements(node.body)
        self._is_set = before
        otherwise = self.statements(node.else_)

        def write(scope: _Scope, parts: list[str]) -> None:
            rounds = []
            for entry in FILTERS["list"](scope.account, over(scope)):
                inner = scope.inner()
                bind(inner, entry)
                if _is_true(test(inner)):
                    rounds.append(inner)
            for index, inner in enumerate(rounds):
                inner.own["loop"] = {
                    "index": index + 1,
                    "index0": index,
                    "first": index == 0,
                    "last": index == len(rounds) - 1,
                    "length": len(rounds),
                }
                scope.account.spend()
                body(inner, parts)
            if not rounds:
                otherwise(scope, parts)

        return write

    def _assign(self, node: nodes.Assign) -> _Write:
        value = self.expression(node.node)
        bind = self._target(node.target)
        return lambda scope, _parts: bind(scope, checked(value(scope)))

    def _sets(self, *names: str) -> None:
        self._is_set |= frozenset(names)
        self.own |= self._is_set

    def _target(self, node: nodes.Node) -> Callable[[_Scope, Any], None]:
        match node:
            case nodes.Name(name=name):
                self._sets(name)
                return lambda scope, value: scope.own.__setitem__(name, value)
            case nodes.Tuple(items=items) if all(isinstance(each, nodes.Name) for each in items):
                names = [each.name for each in items if isinstance(each, nodes.Name)]
                self._sets(*names)

                def bind(scope: _Scope, value: Any) -> None:
                    scope.own.update(zip(names, FILTERS["list"](scope.account, value), strict=True))

                return bind
        raise _not_offered(node)

    # Expressions

    def expression(self, node: nodes.Node) -> _Evaluate:
        evaluate = self._expression(node)

        def step(scope: _Scope) -> Any:
            scope.account.spend()
            return evaluate(scope)

        return step

    def _expression(self, node: nodes.Node) -> _Evaluate:
        match node:
            case nodes.Const(value=value):
                return _constant(bounded(value))
            case nodes.Name(name=name):
                if name not in self._is_set:
                    self.names.add(name)
                return lambda scope: scope.value(name)
            case nodes.Getattr(node=inner, attr=name):
                return _entry_of(self.expression(inner), _constant(name))
            case nodes.Getitem(node=inner, arg=nodes.Slice() as part):
                return self._slice(inner, part)
            case nodes.Getitem(node=inner, arg=key):
                return _entry_of(self.expression(inner), self.expression(key))
            case nodes.And(left=left, right=right):
                first, second = self.expression(left), self.expression(right)
                return lambda scope: second(scope) if _is_true(value := first(scope)) else value
            case nodes.Or(left=left, right=right):
                first, second = self.expression(left), self.expression(right)
                return lambda scope: value if _is_true(value := first(scope)) else second(scope)
            case nodes.Not(node=inner):
                operand = self.expression(inner)
                return lambda scope: not _is_true(operand(scope))
            case nodes.CondExpr(test=test, expr1=then, expr2=other):
                return self._choice(test, then, other)
            case nodes.Compare():
                return self._comparison(node)
            case nodes.Concat(nodes=parts):
                return self._call(lambda account, *values: FILTERS["join"](account, values), parts)
            case nodes.List(items=items):
                return self._call(lambda account, *values: _kept(account, list(values)), items)
            case nodes.Tuple(items=items):
                return self._call(lambda account, *values: _kept(account, values), items)
            case nodes.Dict(items=pairs):
                return self._object(pairs)
        return self._computation(node)

    def _computation(self, node: nodes.Node) -> _Evaluate:
        match node:
            case nodes.Filter(node=nodes.Node() as inner, name=name, dyn_args=None, dyn_kwargs=None):
                return self._named(FILTERS, "filter", name, [inner, *node.args], node.kwargs)
            case nodes.Test(node=inner, name=name, dyn_args=None, dyn_kwargs=None):
                return self._named(TESTS, "test", name, [inner, *node.args], node.kwargs)
            case nodes.Call(node=nodes.Getattr(node=inner, attr=name), dyn_args=None, dyn_kwargs=None):
                return self._named(METHODS, "method", name, [inner, *node.args], node.kwargs)
            case nodes.Call(node=nodes.Name(name="range"), dyn_args=None, dyn_kwargs=None, kwargs=[]):
                return self._call(_range, node.args)
            case nodes.Call(node=nodes.Name(name=name)):
                raise TemplateError(f"there is no function {name}, only range")
            case nodes.Neg(node=inner):
                return self._call(lambda _account, value: -_operand(value), [inner])
            case nodes.Pos(node=inner):
                return self._call(lambda _account, value: +_operand(value), [inner])
            case nodes.BinExpr(left=left, right=right) if type(node) in _OPERATIONS:
                return self._call(_OPERATIONS[type(node)], [left, right])
        raise _not_offered(node)

    def _named(
        self,
        functions: Mapping[str, Callable[..., Any]],
        what: str,
        name: str,
        arguments: Sequence[nodes.Node],
        keywords: Sequence[Any],
    ) -> _Evaluate:
        if name not in functions:
            raise TemplateError(f"there is no {what} {name}, only {', '.join(sorted(functions))}")
        given = {each.key: self.expression(each.value) for each in keywords}
        return self._call(functions[name], arguments, given)

    def _call(
        self,
        function: Callable[..., Any],
        arguments: Sequence[nodes.Node],
        keywords: Mapping[str, _Evaluate] | None = None,
    ) -> _Evaluate:
        operands = [self.expression(each) for each in arguments]
        named = keywords or {}

        def call(scope: _Scope) -> Any:
            values = [operand(scope) for operand in operands]
            return bounded(function(scope.account, *values, **{key: value(scope) for key, value in named.items()}))

        return call

    def _slice(self, inner: nodes.Node, part: nodes.Slice) -> _Evaluate:
        sliced, ends = self.expression(inner), [each and self.expression(each) for each in (part.start, part.stop)]
        if part.step is not None:
            raise TemplateError("a slice has no step")

        def cut(scope: _Scope) -> Any:
            value = checked(sliced(scope))
            scope.account.spend_on(value)
            return value[slice(*(end and checked(end(scope)) for end in ends))]

        return cut

    def _choice(self, test: nodes.Node, then: nodes.Node, other: nodes.Node | None) -> _Evaluate:
        holds, first = self.expression(test), self.expression(then)
        second = self.expression(other) if other is not None else _constant("")
        return lambda scope: first(scope) if _is_true(holds(scope)) else second(scope)

    def _comparison(self, node: nodes.Compare) -> _Evaluate:
        left = self.expression(node.expr)
        rest = [(_COMPARISONS[each.op], self.expression(each.expr)) for each in node.ops]

        def compare(scope: _Scope) -> bool:
            before = _comparable(scope, left(scope))
            for compares, operand in rest:
                after = _comparable(scope, operand(scope))
                if isinstance(before, Missing) or isinstance(after, Missing):
                    holds = compares in _UNLIKE
                else:
                    holds = compares(before, after)
                if not holds:
                    return False
                before = after
            return True

        return compare

    def _object(self, pairs: Sequence[nodes.Pair]) -> _Evaluate:
        entries = [(self.expression(each.key), self.expression(each.value)) for each in pairs]

        def build(scope: _Scope) -> Any:
            return _kept(scope.account, {str(checked(key(scope))): checked(value(scope)) for key, value in entries})

        return build


def _constant(value: Any) -> _Evaluate:
    return lambda _scope: value


def _entry_of(inner: _Evaluate, key: _Evaluate) -> _Evaluate:
    def look(scope: _Scope) -> Any:
        value, place = _field_or_value(inner(scope)), checked(key(scope))
        match value, place:
            case Missing(), _:
                return value
            case Mapping(), str() if place in value:
                return value[place]
            case ((str() | list() | tuple()), int()) if -len(value) <= place < len(value):
                return value[place]
        return Missing(str(place), is_field=True)

    return look


def _kept(account: Account, value: Any) -> Any:
    """A list or an object that holds values. What holds the same value many times is as large as all of them."""
    account.spend_on(value)
    return value


def _comparable(scope: _Scope, value: Any) -> Any:
    scope.account.spend_on(_field_or_value(value))
    return value


def _range(account: Account, *bounds: Any) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise TemplateError(f"a range has at most {MAX_RANGE} numbers, this one {len(numbers)}")
    account.spend(len(numbers))
    return list(numbers)


def _operand(value: Any) -> int | float:
    if not isinstance(checked(value), int | float):
        raise TemplateError("a number is needed")
    return value  # type: ignore[no-any-return] # it has been checked


def _arithmetic(compute: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda _account, left, right: compute(_operand(left), _operand(right))


def _add(account: Account, left: Any, right: Any) -> Any:
    for kind in (str, list):
        if isinstance(left, kind) and isinstance(right, kind):
            account.spend_on(left)
            account.spend_on(right)
            return operator.add(left, right)
    return _operand(left) + _operand(right)


def _modulo(account: Account, left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return formatted(account, left, right)
    return _operand(left) % _operand(right)


_OPERATIONS: Final[Mapping[type[nodes.Node], Callable[..., Any]]] = {
    nodes.Add: _add,
    nodes.Sub: _arithmetic(operator.sub),
    nodes.Mul: _arithmetic(operator.mul),
    nodes.Div: _arithmetic(operator.truediv),
    nodes.FloorDiv: _arithmetic(operator.floordiv),
    nodes.Mod: _modulo,
}


def _not_in(value: Any, inside: Any) -> bool:
    return value not in inside


_UNLIKE: Final = (operator.ne, _not_in)
"""What holds of a field that is missing, compared with anything."""
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda value, inside: value in inside,
    "notin": _not_in,
}


def _not_offered(node: nodes.Node) -> TemplateError:
    name = type(node).__name__
    return TemplateError(f"templates for values have no {name.lower()} (line {node.lineno})")
